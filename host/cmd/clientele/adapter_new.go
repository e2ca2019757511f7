package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/sdk/scaffold"
)

func newAdapterNewCommand(s *settings) *cobra.Command {
	o := scaffold.Options{}
	cmd := &cobra.Command{
		Use: "new NAME", Short: "Begin an adapter of your own: ./NAME, with tests, a simulator and a Makefile",
		Long: `Writes the directory ./NAME with an adapter that works already, against an invented
CRM, in Go or for Node. sdk/README.md of Clientele says how to go on.`,
		Example: `  clientele adapter new mycrm
  clientele adapter new mycrm --lang node`,
		Args: exactly(1, "the adapter's name, such as mycrm"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Name = args[0]
			return s.beginAdapter(o)
		},
	}
	cmd.Flags().StringVar(&o.Lang, "lang", scaffold.Go, "`language`: go or node")
	cmd.Flags().StringVar(&o.Source, "sdk", ownSource(), "`directory` of Clientele's source to build against; empty: the released version")
	return cmd
}

func (s *settings) beginAdapter(o scaffold.Options) error {
	for _, tool := range map[string][]string{scaffold.Go: {"go", "make"}, scaffold.Node: {"node", "npm", "make"}}[o.Lang] {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed, and the adapter's Makefile needs it: install it first", tool)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o.Clientele = self
	if o.Source == "" && strings.HasPrefix(version, "v") {
		o.Version = version
	}
	dir, err := filepath.Abs(o.Name)
	if err != nil {
		return err
	}
	files, err := scaffold.Write(dir, o)
	if err != nil {
		return &codedError{exitUsage, err}
	}
	if o.Lang == scaffold.Go {
		if err := tidy(dir); err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
	}
	slices.Sort(files)
	if s.json {
		return printJSON(os.Stdout, map[string]any{"directory": dir, "files": files})
	}
	_, err = fmt.Printf("%s has %d files; go on with: cd %s && make test conformance\n", dir, len(files), o.Name)
	return err
}

// tidy has go.mod name all that the SDK needs.
func tidy(dir string) error {
	cmd := exec.Command("go", "mod", "tidy")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod tidy: %w\n%s", err, out)
	}
	return nil
}

// ownSource is the directory that this program was built from, while it is there:
// a development build's adapters build against it.
func ownSource() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return ""
	}
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	if _, err := os.Stat(filepath.Join(root, "sdk", "adapter.go")); err != nil {
		return ""
	}
	return root
}
