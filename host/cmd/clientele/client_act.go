package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"
)

// action is a command that makes one call and says in a sentence that it is done.
type action struct {
	use, short, example string
	args                int
	what                string // the arguments in words
	// call makes the request of the arguments, each escaped for a path.
	call func(args []string) request
	said string
}

type request struct {
	method, path string
	body         any
}

// act makes the command of an action. Programs get the host's answer.
func (c *clientCommands) act(a action) *cobra.Command {
	return &cobra.Command{
		Use: a.use, Short: a.short, Example: "  clientele " + a.example, Args: exactly(a.args, a.what),
		RunE: func(cmd *cobra.Command, args []string) error {
			escaped := make([]string, len(args))
			for i, arg := range args {
				escaped[i] = url.PathEscape(arg)
			}
			r := a.call(escaped)
			var answer json.RawMessage
			if err := c.ask(cmd, r.method, r.path, r.body, &answer); err != nil {
				return err
			}
			if c.json {
				if len(answer) == 0 {
					answer = json.RawMessage(`{}`)
				}
				return printJSON(os.Stdout, answer)
			}
			fmt.Fprintln(os.Stdout, a.said)
			return nil
		},
	}
}

// listing is a command that prints a page of a list.
type listing struct {
	use, short, example string
	args                int
	what                string
	path                func(args []string) string
	paged               bool
	query               func() url.Values // of flags besides the page's; may be nil
	header              []string
}

// lists makes the command of a listing, whose answer is a T. Rows makes a table of
// it and tells where the next page begins.
func lists[T any](c *clientCommands, l listing, rows func(T) (table [][]string, next string)) *cobra.Command {
	var p page
	cmd := &cobra.Command{
		Use: l.use, Short: l.short, Example: "  clientele " + l.example, Args: exactly(l.args, l.what),
		RunE: func(cmd *cobra.Command, args []string) error {
			for i := range args {
				args[i] = url.PathEscape(args[i])
			}
			query := url.Values{}
			if l.paged {
				query = p.query()
			}
			if l.query != nil {
				for name, values := range l.query() {
					query[name] = values
				}
			}
			var answer json.RawMessage
			if err := c.ask(cmd, "GET", l.path(args)+"?"+query.Encode(), nil, &answer); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, answer)
			}
			var list T
			if err := json.Unmarshal(answer, &list); err != nil {
				return fmt.Errorf("read the host's answer: %w", err)
			}
			printed, next := rows(list)
			if err := table(os.Stdout, l.header, printed); err != nil {
				return err
			}
			printNext(next)
			return nil
		},
	}
	if l.paged {
		p.flags(cmd, 50, 200)
	}
	return cmd
}
