package main

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
)

func newConversationCommand(s *settings) *cobra.Command {
	c := &clientCommands{settings: s}
	cmd := &cobra.Command{Use: "conversation", Short: "List conversations, and decide whose they are"}
	cmd.PersistentFlags().StringVar(&c.tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	cmd.AddCommand(c.conversations(),
		c.act(action{
			use: "link CONVERSATION CLIENT", short: "Link a conversation to a client, or move it; automation leaves it alone then", args: 2, what: "the ids of a conversation and a client",
			example: "conversation link --tenant acme " + exampleID + " 0198c0de-0000-7000-8000-000000000001",
			call: func(args []string) request {
				return request{method: "PUT", path: "/v1/conversations/" + args[0] + "/client", body: map[string]string{"client": args[1]}}
			},
			said: "linked",
		}),
		c.act(action{
			use: "unlink CONVERSATION", short: "Take a conversation from its client; automation leaves it alone then", args: 1, what: "the id of a conversation",
			example: "conversation unlink --tenant acme " + exampleID,
			call: func(args []string) request {
				return request{method: "DELETE", path: "/v1/conversations/" + args[0] + "/client"}
			},
			said: "unlinked",
		}),
		c.act(action{
			use: "confirm CONVERSATION", short: "Say that an uncertain link is right", args: 1, what: "the id of a conversation",
			example: "conversation confirm --tenant acme " + exampleID,
			call: func(args []string) request {
				return request{method: "POST", path: "/v1/conversations/" + args[0] + "/confirm"}
			},
			said: "confirmed",
		}))
	return cmd
}

func (c *clientCommands) conversations() *cobra.Command {
	var unlinked, uncertain bool
	cmd := lists(c, listing{
		use: "list", short: "List conversations, the last contacted first", what: "nothing", paged: true,
		example: "conversation list --tenant acme --uncertain", path: func([]string) string { return "/v1/conversations" }, header: conversationHeader(),
		query: func() url.Values {
			return url.Values{"unlinked": {strconv.FormatBool(unlinked)}, "uncertain": {strconv.FormatBool(uncertain)}}
		},
	}, conversationRows)
	cmd.Flags().BoolVar(&unlinked, "unlinked", false, "only those without a client")
	cmd.Flags().BoolVar(&uncertain, "uncertain", false, "only those whose link is a guess that nobody confirmed")
	return cmd
}
