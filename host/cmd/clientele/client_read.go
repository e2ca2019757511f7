package main

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/host/api"
)

const exampleID = "0198c0de-0000-7000-8000-000000000000"

// ofClient is the path of something that hangs on the client of the first argument.
func ofClient(what string) func([]string) string {
	return func(args []string) string { return "/v1/clients/" + args[0] + "/" + what }
}

func (c *clientCommands) notes() *cobra.Command {
	return lists(c, listing{
		use: "notes ID", short: "List a client's notes, the newest first", args: 1, what: "the id of a client",
		example: "client notes --tenant acme " + exampleID, path: ofClient("notes"), header: []string{"AT", "AUTHOR", "NOTE"},
	}, func(answer struct{ Notes []client.Note }) (rows [][]string, next string) {
		for _, n := range answer.Notes {
			rows = append(rows, []string{moment(n.CreatedAt), n.Author, n.Text})
		}
		return rows, ""
	})
}

func (c *clientCommands) timeline() *cobra.Command {
	oldest := false
	var kinds []string
	cmd := lists(c, listing{
		use: "timeline ID", short: "List all that happened to a client, newest first", args: 1, what: "the id of a client", paged: true,
		example: "client timeline --tenant acme --kind message,merged " + exampleID, path: ofClient("timeline"), header: []string{"AT", "WHAT", "BY", "DETAIL"},
		query: func() url.Values {
			query := url.Values{"order": {"newest"}}
			if oldest {
				query.Set("order", "oldest")
			}
			if len(kinds) > 0 {
				query.Set("kind", strings.Join(kinds, ","))
			}
			return query
		},
	}, func(answer struct {
		Events []event.Event
		Next   string
	}) (rows [][]string, next string) {
		for _, e := range answer.Events {
			rows = append(rows, []string{moment(e.At), string(e.Kind), e.ActorName, detail(e)})
		}
		return rows, answer.Next
	})
	cmd.Flags().BoolVar(&oldest, "oldest", false, "the oldest first")
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "only events of these `kinds`, such as message or merged")
	return cmd
}

func (c *clientCommands) history() *cobra.Command {
	return lists(c, listing{
		use: "conversations ID", short: "List a client's conversations of all channels, the last contacted first", args: 1, what: "the id of a client", paged: true,
		example: "client conversations --tenant acme " + exampleID, path: ofClient("conversations"), header: conversationHeader(),
	}, conversationRows)
}

func (c *clientCommands) sources() *cobra.Command {
	return lists(c, listing{
		use: "sources ID", short: "Tell where each of a client's values comes from", args: 1, what: "the id of a client",
		example: "client sources --tenant acme " + exampleID, path: ofClient("sources"), header: []string{"FIELD", "VALUE", "SOURCE", "BY", "SENTENCE"},
	}, func(answer struct{ Values []client.SourcedValue }) (rows [][]string, next string) {
		for _, v := range answer.Values {
			rows = append(rows, []string{v.Field, v.Value, string(v.Source), firstOf(v.Detector, v.Actor), v.Sentence})
		}
		return rows, ""
	})
}

func (c *clientCommands) similar() *cobra.Command {
	return lists(c, listing{
		use: "similar ID", short: "Find clients that may be the same person", args: 1, what: "the id of a client",
		example: "client similar --tenant acme " + exampleID, path: ofClient("similar"), header: []string{"ID", "NAME", "BAND", "WHY", "DECIDED"},
	}, func(answer struct{ Similar []api.SimilarClient }) (rows [][]string, next string) {
		for _, s := range answer.Similar {
			decided := ""
			if s.Separate {
				decided = "kept separate"
			}
			rows = append(rows, []string{s.Client.ID.String(), s.Client.Name, string(s.Band), joined(s.Reasons), decided})
		}
		return rows, ""
	})
}

func (c *clientCommands) deleted() *cobra.Command {
	return lists(c, listing{
		use: "deleted", short: "List deleted clients, the last deleted first", what: "nothing", paged: true,
		example: "client deleted --tenant acme", path: func([]string) string { return "/v1/clients/deleted" }, header: []string{"ID", "NAME", "EMAIL", "PHONE"},
	}, func(answer struct {
		Clients []api.Client
		Next    string
	}) (rows [][]string, next string) {
		for _, d := range answer.Clients {
			rows = append(rows, []string{d.ID.String(), d.Name, primary(d, client.Email), primary(d, client.Phone)})
		}
		return rows, answer.Next
	})
}

func conversationHeader() []string {
	return []string{"ID", "CHANNEL", "CLIENT", "STATE", "LAST", "SUBJECT", "LAST MESSAGE"}
}

type conversationPage struct {
	Conversations []conversation.Head
	Next          string
}

func conversationRows(answer conversationPage) (rows [][]string, next string) {
	for _, h := range answer.Conversations {
		name := h.ClientName
		if h.ClientID.Valid && !h.LinkCertain {
			name += " (uncertain)"
		}
		rows = append(rows, []string{h.ID.String(), h.Channel, name, string(h.State), moment(h.LastMessageAt), h.Subject, h.Last.Excerpt})
	}
	return rows, answer.Next
}

// detail says the gist of an event: a message's beginning, a change.
func detail(e event.Event) string {
	if e.Excerpt != "" {
		return e.Excerpt
	}
	text := func(name string) string {
		s, _ := e.Payload[name].(string)
		return s
	}
	if field := text("field"); field != "" {
		return field + ": " + strconv.Quote(text("before")) + " → " + strconv.Quote(text("after"))
	}
	return firstOf(text("value"), text("text"), text("reason"), text("cause"))
}

func moment(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
