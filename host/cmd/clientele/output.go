package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/mattn/go-isatty"
)

// printJSON writes one value for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows aligned for people, or tab-separated when piped.
func table(w io.Writer, header []string, rows [][]string) error {
	if f, ok := w.(*os.File); !ok || !isatty.IsTerminal(f.Fd()) {
		for _, row := range append([][]string{header}, rows...) {
			if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func onTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }
