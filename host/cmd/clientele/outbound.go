package main

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/outbound"
)

func newOutboundCommand(s *settings) *cobra.Command {
	c := &outboundCommands{clientCommands{settings: s}}
	cmd := &cobra.Command{
		Use: "outbound", Short: "See what is to be sent and what became of it; approve, reject, cancel",
		Long: `Messages to clients wait here: drafts for a person's review, messages held until
the client's hours open, those a provider could not take yet. Approving, sending,
rejecting and settling is a person's: use --url with a key that acts for you.`,
	}
	cmd.PersistentFlags().StringVar(&c.tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	cmd.AddCommand(c.list(), c.show(), c.approve(), c.send(), c.end("reject", "Put a draft away"), c.end("cancel", "Take a message back that has not left"),
		c.post("retry", "retry", "Send a message once more that failed, or that maybe left", nil),
		c.post("arrived", "resolve", "Say that a message arrived that maybe left", map[string]any{"sent": true}),
		c.post("lost", "resolve", "Say that a message did not arrive that maybe left", map[string]any{"sent": false}),
		c.post("called", "called", "Say that a call task was done", nil))
	return cmd
}

// outboundCommands are the commands below outbound.
type outboundCommands struct{ clientCommands }

const outboundExample = "0198c0de-0000-7000-8000-000000000000"

func (c *outboundCommands) list() *cobra.Command {
	var p page
	var states []string
	client, conversation, stuck := "", "", false
	cmd := &cobra.Command{
		Use: "list", Short: "List outbound messages, the last accepted first", Args: exactly(0, "nothing"),
		Example: "  clientele outbound list --tenant acme --state 'awaiting approval' --state draft",
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := p.query()
			for name, value := range map[string]string{"state": strings.Join(states, ","), "client": client, "conversation": conversation} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if stuck {
				query.Set("stuck", "true")
			}
			var list struct {
				Messages []*outbound.Message `json:"messages"`
				Next     string              `json:"next,omitempty"`
			}
			if err := c.ask(cmd, "GET", "/v1/outbound?"+query.Encode(), nil, &list); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, list)
			}
			rows := make([][]string, len(list.Messages))
			for i, m := range list.Messages {
				rows[i] = []string{m.ID.String(), string(m.State), string(m.Kind), string(m.Channel), m.AuthorName, instant(m.GoesAt), m.Reason}
			}
			if err := table(os.Stdout, []string{"ID", "STATE", "KIND", "CHANNEL", "AUTHOR", "GOES", "WHY"}, rows); err != nil {
				return err
			}
			printNext(list.Next)
			return nil
		},
	}
	p.flags(cmd, 50, 200)
	cmd.Flags().StringArrayVar(&states, "state", nil, "only those in this `state`; may be given again")
	cmd.Flags().StringVar(&client, "client", "", "only those to the client with this `id`")
	cmd.Flags().StringVar(&conversation, "conversation", "", "only those of the conversation with this `id`")
	cmd.Flags().BoolVar(&stuck, "stuck", false, "only those held without a time, until somebody mends a setting")
	return cmd
}

func (c *outboundCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Print a message, why it is where it is, and when it goes", Args: exactly(1, "the id of a message"),
		Example: "  clientele outbound show --tenant acme " + outboundExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.answer(cmd, "GET", args[0], "", nil)
		},
	}
}

func (c *outboundCommands) approve() *cobra.Command {
	now := false
	cmd := &cobra.Command{
		Use: "approve ID", Short: "Let an automated message go, and print when it does", Args: exactly(1, "the id of a message"),
		Example: "  clientele outbound approve --url https://clientele.example.com --key-file mine.key " + outboundExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.answer(cmd, "POST", args[0], "/approve", map[string]any{"now": now})
		},
	}
	cmd.Flags().BoolVar(&now, "now", false, "send it outside the client's hours too; that is noted")
	return cmd
}

func (c *outboundCommands) send() *cobra.Command {
	when := ""
	cmd := &cobra.Command{
		Use: "send ID", Short: "Send a draft as your own message", Args: exactly(1, "the id of a message"),
		Example: "  clientele outbound send --url https://clientele.example.com --key-file mine.key --when opening " + outboundExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.answer(cmd, "POST", args[0], "/send", map[string]any{"when": when})
		},
	}
	cmd.Flags().StringVar(&when, "when", "", "now (outside the client's hours too), opening, or a `time`")
	return cmd
}

func (c *outboundCommands) end(what, short string) *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use: what + " ID", Short: short, Args: exactly(1, "the id of a message"),
		Example: "  clientele outbound " + what + " --tenant acme --reason 'wrong price' " + outboundExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.answer(cmd, "POST", args[0], "/"+what, map[string]any{"reason": reason})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, in a `sentence`")
	return cmd
}

// post is a command that makes one call and needs no flags.
func (c *outboundCommands) post(use, what, short string, body map[string]any) *cobra.Command {
	return &cobra.Command{
		Use: use + " ID", Short: short, Args: exactly(1, "the id of a message"),
		Example: "  clientele outbound " + use + " --url https://clientele.example.com --key-file mine.key " + outboundExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if body == nil {
				return c.answer(cmd, "POST", args[0], "/"+what, nil)
			}
			return c.answer(cmd, "POST", args[0], "/"+what, body)
		},
	}
}

// answer makes a call about one message and prints what it is then.
func (c *outboundCommands) answer(cmd *cobra.Command, method, id, what string, body any) error {
	var m outbound.Message
	if err := c.ask(cmd, method, "/v1/outbound/"+url.PathEscape(id)+what, body, &m); err != nil {
		return err
	}
	if c.json {
		return printJSON(os.Stdout, m)
	}
	rows := [][]string{
		{"id", m.ID.String()}, {"state", string(m.State)}, {"why", m.Reason}, {"goes", instant(m.GoesAt)}, {"kind", string(m.Kind)}, {"channel", string(m.Channel)},
		{"to", m.Address}, {"author", m.AuthorName}, {"approved by", m.ApprovedBy}, {"attempts", strconv.Itoa(m.Attempts)}, {"sent", instant(m.SentAt)},
		{"provider said", m.Detail}, {"subject", m.Subject}, {"text", m.Text},
	}
	for _, s := range m.Decision.Proof {
		rows = append(rows, []string{"rule", fmt.Sprintf("%s: %s (%s)", s.Rule, s.Why, s.Asks)})
	}
	return table(os.Stdout, []string{"FIELD", "VALUE"}, rows)
}

func instant(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}
