package main

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/api"
)

func (c *clientCommands) review() *cobra.Command {
	type answer struct {
		Clients []api.QueuedClient
		Count   int
		Oldest  *time.Time
		Names   api.NameRate
		Next    string
	}
	return lists(c, listing{
		use: "review", short: "List new clients that nobody has looked at, the oldest first, each value with its sentence", what: "nothing", paged: true,
		example: "client review --tenant acme", path: func([]string) string { return "/v1/review/clients" },
		header: []string{"ID", "SINCE", "FIELD", "VALUE", "SENTENCE"},
	}, func(a answer) (rows [][]string, next string) {
		for _, q := range a.Clients {
			for _, v := range q.Values {
				rows = append(rows, []string{q.Client.ID.String(), moment(q.Client.CreatedAt), v.Field, v.Value, v.Sentence})
			}
		}
		fmt.Fprintf(os.Stderr, "%d wait, the oldest since %s; %d of %d names looked at since %s were none\n",
			a.Count, day(a.Oldest), a.Names.Wrong, a.Names.Reviewed, day(&a.Names.Since))
		return rows, a.Next
	})
}

func (c *clientCommands) confirm() *cobra.Command {
	return c.act(action{
		use: "confirm ID", short: "Say that a new client is right", args: 1, what: "the id of a client",
		example: "client confirm --tenant acme " + exampleID,
		call: func(args []string) request {
			return request{method: "POST", path: "/v1/clients/" + args[0] + "/confirm"}
		},
		said: "confirmed",
	})
}

func (c *clientCommands) notAName() *cobra.Command {
	var words []string
	cmd := c.act(action{
		use: "not-a-name ID", short: "Say that a client's name is none, and teach it to the tenant's extraction", args: 1, what: "the id of a client",
		example: "client not-a-name --tenant acme " + exampleID,
		call: func(args []string) request {
			return request{method: "POST", path: "/v1/clients/" + args[0] + "/not-a-name", body: map[string]any{"words": words}}
		},
		said: "cleared and learnt",
	})
	cmd.Flags().StringSliceVar(&words, "word", []string{}, "learn only these `words` of the name")
	return cmd
}

func (c *clientCommands) separate() *cobra.Command {
	undo := false
	cmd := c.act(action{
		use: "separate ONE OTHER", short: "Say that two clients are two people; lapses when their facts change", args: 2, what: "the ids of two clients",
		example: "client separate --tenant acme " + exampleID + " 0198c0de-0000-7000-8000-000000000001",
		call: func(args []string) request {
			r := request{method: "PUT", path: "/v1/duplicates/" + args[0] + "/" + args[1] + "/separate"}
			if undo {
				r.method = "DELETE"
			}
			return r
		},
		said: "noted",
	})
	cmd.Flags().BoolVar(&undo, "undo", false, "take that back")
	return cmd
}

func (c *clientCommands) suggestions() *cobra.Command {
	of := ""
	cmd := lists(c, listing{
		use: "suggestions", short: "List what the rules would not decide alone, the oldest first", what: "nothing", paged: true,
		example: "client suggestions --tenant acme --client " + exampleID, path: func([]string) string { return "/v1/suggestions" },
		header: []string{"ID", "KIND", "CLIENT", "FIELD", "VALUE", "WHY", "SENTENCE"},
		query: func() url.Values {
			if of == "" {
				return nil
			}
			return url.Values{"client": {of}}
		},
	}, func(answer struct {
		Suggestions []client.SuggestionRecord
		Next        string
	}) (rows [][]string, next string) {
		for _, g := range answer.Suggestions {
			rows = append(rows, []string{g.ID.String(), string(g.Kind), g.ClientID.UUID.String(), g.Field, g.Value, g.Reason, g.Sentence})
		}
		return rows, answer.Next
	})
	cmd.Flags().StringVar(&of, "client", "", "only those about the client with this `id`")
	return cmd
}

func (c *clientCommands) accept() *cobra.Command {
	return c.act(action{
		use: "accept SUGGESTION", short: "Do what is suggested", args: 1, what: "the id of a suggestion",
		example: "client accept --tenant acme " + exampleID,
		call: func(args []string) request {
			return request{method: "POST", path: "/v1/suggestions/" + args[0] + "/accept", body: map[string]any{}}
		},
		said: "done",
	})
}

func (c *clientCommands) dismiss() *cobra.Command {
	return c.act(action{
		use: "dismiss SUGGESTION", short: "Put a suggestion away for good", args: 1, what: "the id of a suggestion",
		example: "client dismiss --tenant acme " + exampleID,
		call: func(args []string) request {
			return request{method: "POST", path: "/v1/suggestions/" + args[0] + "/dismiss"}
		},
		said: "dismissed",
	})
}
