package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/api"
)

// merged is what the host answers about a merge, made or looked at.
type merged struct {
	ID          string              `json:"id"`
	Client      api.Client          `json:"client"`
	Retired     []client.ID         `json:"retired"`
	Differences []client.Difference `json:"differences"`
	Moved       map[string]int      `json:"moved"`
	Effects     []string            `json:"effects"`
	UndoUntil   time.Time           `json:"undo_until"`
}

func (c *clientCommands) merge() *cobra.Command {
	dry := false
	var chosen []string
	cmd := &cobra.Command{
		Use: "merge SURVIVOR OTHER...", Short: "Make one client of several; it can be undone for 30 days",
		Long: `The survivor's values win and its blanks are filled from the others, in their
order. Where values contradict each other the merge is refused until --choose says
whose is kept; --dry-run shows them and changes nothing. By --url, merging needs
a key with the admin scope.`,
		Example: `  clientele client merge --tenant acme --dry-run 0198c0de-0000-7000-8000-000000000001 0198c0de-0000-7000-8000-000000000002
  clientele client merge --tenant acme --choose last_name=0198c0de-0000-7000-8000-000000000002 0198c0de-0000-7000-8000-000000000001 0198c0de-0000-7000-8000-000000000002`,
		Args: atLeast(2, "the surviving client's id and those to merge into it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			choices, err := parseChoices(chosen)
			if err != nil {
				return err
			}
			path := "/v1/merges"
			if dry {
				path += "/preview"
			}
			var m merged
			if err := c.ask(cmd, "POST", path, map[string]any{"survivor": args[0], "others": args[1:], "choices": choices}, &m); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, m)
			}
			return m.print(dry)
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would happen and change nothing")
	cmd.Flags().StringArrayVar(&chosen, "choose", nil, "take a field from this client, as `field=id`; may be given again")
	return cmd
}

// print is a merge for people.
func (m merged) print(dry bool) error {
	rows := make([][]string, len(m.Differences))
	for i, d := range m.Differences {
		values := make([]string, len(d.Values))
		for j, v := range d.Values {
			values[j] = v.Client.String() + "=" + v.Value
		}
		kept := d.Kept
		if d.Ask {
			kept = "choose one"
		}
		rows[i] = []string{d.Field, kept, joined(values)}
	}
	if len(rows) > 0 {
		if err := table(os.Stdout, []string{"FIELD", "KEPT", "VALUES"}, rows); err != nil {
			return err
		}
	}
	for _, what := range slices.Sorted(maps.Keys(m.Moved)) {
		fmt.Fprintf(os.Stdout, "%d %s move\n", m.Moved[what], what)
	}
	for _, sentence := range m.Effects {
		fmt.Fprintln(os.Stdout, sentence)
	}
	if dry {
		fmt.Fprintln(os.Stdout, "nothing was changed")
		return nil
	}
	fmt.Fprintf(os.Stdout, "merged into %s (%s)\nuntil %s this takes it back: clientele client undo-merge %s\n",
		m.Client.Name, m.Client.ID, m.UndoUntil.Format(time.DateOnly), m.ID)
	return nil
}

func (c *clientCommands) undoMerge() *cobra.Command {
	return &cobra.Command{
		Use: "undo-merge MERGE", Short: "Split what a merge joined",
		Args:    exactly(1, "the id of a merge, as merge printed it"),
		Example: "  clientele client undo-merge --url http://127.0.0.1:8080 --key-file key 0198c0de-0000-7000-8000-000000000000",
		RunE: func(cmd *cobra.Command, args []string) error {
			var undone struct {
				Survivor api.Client   `json:"survivor"`
				Restored []api.Client `json:"restored"`
			}
			if err := c.ask(cmd, "POST", "/v1/merges/"+url.PathEscape(args[0])+"/undo", nil, &undone); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, undone)
			}
			for _, back := range undone.Restored {
				fmt.Fprintf(os.Stdout, "%s (%s) is back beside %s\n", back.Name, back.ID, undone.Survivor.Name)
			}
			return nil
		},
	}
}

// parseChoices reads field=id, all of it before it complains.
func parseChoices(chosen []string) (client.Choices, error) {
	choices := client.Choices{}
	var wrong []error
	for _, text := range chosen {
		field, id, ok := strings.Cut(text, "=")
		kept, err := client.ParseID(id)
		if !ok || err != nil {
			wrong = append(wrong, fmt.Errorf("--choose %q: write field=id, such as last_name=0198c0de-0000-7000-8000-000000000002", text))
			continue
		}
		choices[field] = kept
	}
	if len(wrong) > 0 {
		return nil, &codedError{exitUsage, errors.Join(wrong...)}
	}
	return choices, nil
}

// atLeast is exactly for commands that take a list.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < n {
			return &codedError{exitUsage, fmt.Errorf("got %d arguments, want at least %d: %s", len(args), n, what)}
		}
		return nil
	}
}

func joined(words []string) string { return strings.Join(words, ", ") }
