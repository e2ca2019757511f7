package main

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/api"
)

func newClientCommand(s *settings) *cobra.Command {
	c := &clientCommands{settings: s}
	cmd := &cobra.Command{Use: "client", Short: "Read and change clients, review new ones, merge duplicates and take a merge back"}
	cmd.PersistentFlags().StringVar(&c.tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	cmd.AddCommand(c.list(), c.show(), c.create(), c.edit(), c.identifier(), c.note(), c.notes(), c.sources(), c.timeline(), c.history(),
		c.remove(), c.deleted(), c.restore(), c.review(), c.confirm(), c.notAName(), c.suggestions(), c.accept(), c.dismiss(),
		c.duplicates(), c.similar(), c.separate(), c.merge(), c.undoMerge())
	return cmd
}

// clientCommands are the commands below client, with the flag they share.
type clientCommands struct {
	*settings
	tenant string
}

// ask makes one call of the host for a command.
func (c *clientCommands) ask(cmd *cobra.Command, method, path string, body, out any) error {
	b, err := c.open(cmd.Context(), c.tenant)
	if err != nil {
		return err
	}
	defer b.close()
	return b.call(cmd.Context(), method, path, body, out)
}

// page are the flags of a command that prints a page of a list.
type page struct {
	limit  int
	cursor string
}

func (p *page) flags(cmd *cobra.Command, limit, most int) {
	cmd.Flags().IntVar(&p.limit, "limit", limit, fmt.Sprintf("how `many` to print, at most %d", most))
	cmd.Flags().StringVar(&p.cursor, "cursor", "", "where to go on: the `next` of the page before")
}

func (p *page) query() url.Values {
	return url.Values{"limit": {strconv.Itoa(p.limit)}, "cursor": {p.cursor}}
}

// printNext says on stderr, beside the table, that there is more.
func printNext(next string) {
	if next != "" {
		fmt.Fprintf(os.Stderr, "there are more: go on with --cursor %s\n", next)
	}
}

func (c *clientCommands) list() *cobra.Command {
	var p page
	search, metadata, since := "", "", ""
	visitors := false
	var missing []string
	cmd := &cobra.Command{
		Use: "list", Short: "List clients, newest first, or search them", Args: exactly(0, "nothing"),
		Example: "  clientele client list --tenant acme --search lund",
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := p.query()
			query.Set("q", search)
			query.Set("visitors", strconv.FormatBool(visitors))
			if len(missing) > 0 {
				query.Set("missing", strings.Join(missing, ","))
			}
			if metadata != "" {
				query.Set("metadata", metadata)
			}
			if since != "" {
				query.Set("not_updated_since", since+"T00:00:00Z")
			}
			var list struct {
				Clients   []api.Client `json:"clients"`
				Total     int          `json:"total"`
				TotalMore bool         `json:"total_more"`
				Next      string       `json:"next,omitempty"`
			}
			if err := c.ask(cmd, "GET", "/v1/clients?"+query.Encode(), nil, &list); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, list)
			}
			rows := make([][]string, len(list.Clients))
			for i, found := range list.Clients {
				rows[i] = []string{found.ID.String(), found.Name, primary(found, client.Email), primary(found, client.Phone), day(found.LastContactAt), string(found.Review)}
			}
			if err := table(os.Stdout, []string{"ID", "NAME", "EMAIL", "PHONE", "LAST CONTACT", "REVIEW"}, rows); err != nil {
				return err
			}
			printNext(list.Next)
			return nil
		},
	}
	p.flags(cmd, 50, 200)
	cmd.Flags().StringVar(&search, "search", "", "part of a `name`, company, email or phone")
	cmd.Flags().StringSliceVar(&missing, "missing", nil, "only clients without a value in these `fields`, such as email,city")
	cmd.Flags().StringVar(&metadata, "metadata", "", "only clients with this `key=value` in their metadata")
	cmd.Flags().StringVar(&since, "not-updated-since", "", "only clients that nobody changed since this `day`, as 2026-05-01 (UTC)")
	cmd.Flags().BoolVar(&visitors, "visitors", false, "list the anonymous chat visitors instead")
	return cmd
}

func (c *clientCommands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Print a client's values and identifiers; the id of a merged one leads to the survivor",
		Args:    exactly(1, "the id of a client"),
		Example: "  clientele client show --tenant acme 0198c0de-0000-7000-8000-000000000000",
		RunE: func(cmd *cobra.Command, args []string) error {
			var found api.Client
			if err := c.ask(cmd, "GET", "/v1/clients/"+url.PathEscape(args[0]), nil, &found); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, found)
			}
			rows := [][]string{{"id", found.ID.String()}, {"revision", strconv.FormatInt(found.Revision, 10)}}
			for _, f := range client.Fields() {
				if value := found.Fields[f.Name]; value != "" {
					rows = append(rows, []string{f.Name, value})
				}
			}
			for _, i := range found.Identifiers {
				rows = append(rows, []string{string(i.Kind), i.Value + marks(i)})
			}
			return table(os.Stdout, []string{"FIELD", "VALUE"}, rows)
		},
	}
}

func (c *clientCommands) duplicates() *cobra.Command {
	var p page
	band := ""
	cmd := &cobra.Command{
		Use: "duplicates", Short: "List clients that may be one person, the most alike first", Args: exactly(0, "nothing"),
		Example: "  clientele client duplicates --tenant acme --band strong",
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := p.query()
			if band != "" {
				query.Set("band", band)
			}
			var queue struct {
				Clusters  []api.DuplicateCluster `json:"clusters"`
				Total     int                    `json:"total"`
				TotalMore bool                   `json:"total_more"`
				Waiting   int                    `json:"waiting"`
				Next      string                 `json:"next,omitempty"`
			}
			if err := c.ask(cmd, "GET", "/v1/duplicates?"+query.Encode(), nil, &queue); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, queue)
			}
			var rows [][]string
			for _, cluster := range queue.Clusters {
				rows = append(rows, pairRows(cluster)...)
			}
			if err := table(os.Stdout, []string{"CLIENT", "NAME", "OTHER", "NAME", "BAND", "WHY"}, rows); err != nil {
				return err
			}
			if queue.Waiting > 0 {
				fmt.Fprintf(os.Stderr, "%d clients have changed and are not compared yet\n", queue.Waiting)
			}
			printNext(queue.Next)
			return nil
		},
	}
	p.flags(cmd, 20, 100)
	cmd.Flags().StringVar(&band, "band", "", "only the `strong` or the possible ones")
	return cmd
}

func pairRows(cluster api.DuplicateCluster) [][]string {
	names := map[client.ID]string{}
	for _, member := range cluster.Clients {
		names[member.ID] = member.Name
	}
	rows := make([][]string, len(cluster.Pairs))
	for i, p := range cluster.Pairs {
		rows[i] = []string{p.Client.String(), names[p.Client], p.Other.String(), names[p.Other], string(p.Band), joined(p.Reasons)}
	}
	return rows
}

// primary is a client's primary identifier of a kind, or the empty text.
func primary(c api.Client, kind client.IdentifierKind) string {
	for _, i := range c.Identifiers {
		if i.Kind == kind && i.IsPrimary {
			return i.Value
		}
	}
	return ""
}

// marks says in words what is special about an identifier.
func marks(i client.Identifier) string {
	text := ""
	for _, mark := range []struct {
		word string
		set  bool
	}{{"primary", i.IsPrimary}, {"verified", i.Verified}, {"shared", i.Shared}} {
		if mark.set {
			text += ", " + mark.word
		}
	}
	return text
}

func day(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.Format(time.DateOnly)
}
