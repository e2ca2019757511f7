package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/crmsync"
)

func newSyncCommand(s *settings) *cobra.Command {
	c := &syncCommands{clientCommands{settings: s}}
	cmd := &cobra.Command{Use: "sync", Short: "Follow what goes to the CRMs, ask why, retry, and bring everything to a CRM"}
	cmd.PersistentFlags().StringVar(&c.tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	cmd.AddCommand(c.status(), c.explain(), c.backfill(), c.runNow(), c.retry(), c.choose(), c.failures(), c.runs(), c.log())
	return cmd
}

// syncCommands are the commands below sync. A connection is named by its name or
// its id.
type syncCommands struct{ clientCommands }

// find answers the connection that a command names.
func (c *syncCommands) find(cmd *cobra.Command, name string) (*api.Connection, error) {
	var list struct {
		Connections []*api.Connection `json:"connections"`
	}
	if err := c.ask(cmd, "GET", "/v1/connections", nil, &list); err != nil {
		return nil, err
	}
	var names []string
	for _, n := range list.Connections {
		if n.Name == name || n.ID.String() == name {
			return n, nil
		}
		names = append(names, n.Name)
	}
	return nil, &codedError{exitRefused, fmt.Errorf("no connection is called %q: use one of %s", name, orNone(names))}
}

// ofConnection is ask for a path below the connection that the command names.
func (c *syncCommands) ofConnection(cmd *cobra.Command, name, method, path string, body, out any) error {
	n, err := c.find(cmd, name)
	if err != nil {
		return err
	}
	return c.ask(cmd, method, "/v1/connections/"+n.ID.String()+path, body, out)
}

// syncStatus is how a connection's sync stands, as the API tells it.
type syncStatus struct {
	Connection string            `json:"connection"`
	State      string            `json:"state"`
	Counts     crmsync.Counts    `json:"counts"`
	Problems   []crmsync.Problem `json:"problems"`
	Backfill   *crmsync.Backfill `json:"backfill"`
}

func (c *syncCommands) status() *cobra.Command {
	return &cobra.Command{
		Use: "status [CONNECTION]", Short: "Tell how the sync stands, what keeps it, and whose turn it is", Args: cobra.MaximumNArgs(1),
		Example: "  clientele sync status --tenant acme",
		RunE: func(cmd *cobra.Command, args []string) error {
			var list struct {
				Connections []*api.Connection `json:"connections"`
			}
			if err := c.ask(cmd, "GET", "/v1/connections", nil, &list); err != nil {
				return err
			}
			if len(args) == 1 {
				n, err := c.find(cmd, args[0])
				if err != nil {
					return err
				}
				list.Connections = []*api.Connection{n}
			}
			all := []syncStatus{}
			for _, n := range list.Connections {
				st := syncStatus{}
				if err := c.ask(cmd, "GET", "/v1/connections/"+n.ID.String()+"/sync", nil, &st); err != nil {
					return err
				}
				st.Connection, st.State = n.Name, string(n.State)
				all = append(all, st)
			}
			if c.json {
				return printJSON(os.Stdout, all)
			}
			return printStatus(os.Stdout, all)
		},
	}
}

func printStatus(w io.Writer, all []syncStatus) error {
	rows := make([][]string, len(all))
	for i, st := range all {
		n := st.Counts
		rows[i] = []string{
			st.Connection, st.State, strconv.Itoa(n.Synced), strconv.Itoa(n.Due), strconv.Itoa(n.Waiting), strconv.Itoa(n.Scheduled),
			strconv.Itoa(n.Parked), strconv.Itoa(n.Excluded), strconv.FormatInt(n.Calls, 10),
		}
	}
	if err := table(w, []string{"CONNECTION", "STATE", "SYNCED", "DUE", "WAITING", "SCHEDULED", "PARKED", "KEPT OUT", "CALLS"}, rows); err != nil {
		return err
	}
	for _, st := range all {
		if b := st.Backfill; b != nil && b.Waiting > 0 {
			going := "going on"
			if b.Paused {
				going = "paused"
			}
			fmt.Fprintf(w, "%s: backfill %s, %d of %d left, about %d calls and %s\n", st.Connection, going, b.Waiting, b.Clients+b.Conversations, b.Estimate.Calls, seconds(b.Estimate.Seconds))
		}
		for _, p := range st.Problems {
			fmt.Fprintf(w, "%s: %s\n  %s\n", st.Connection, problemLine(p), p.Next)
		}
	}
	return nil
}

func problemLine(p crmsync.Problem) string {
	what := map[string]string{"records": fmt.Sprintf("%d records are parked", p.Records), "field": "the field " + p.Name + " is left out", "lane": "the lane " + p.Name + " rests", "connection": "the connection rests"}[p.Stops]
	line := what + ": " + p.Reason
	if p.Until != nil {
		line += " (looked at again " + p.Until.UTC().Format(time.RFC3339) + ")"
	}
	return line
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

func (c *syncCommands) explain() *cobra.Command {
	return &cobra.Command{
		Use: "explain CLIENT", Short: "Tell for each connection why a client is, or isn't, in the CRM",
		Args:    exactly(1, "the id of a client"),
		Example: "  clientele sync explain --tenant acme 0198c0de-0000-7000-8000-000000000000",
		RunE: func(cmd *cobra.Command, args []string) error {
			var found struct {
				Connections []crmsync.ClientState `json:"connections"`
			}
			if err := c.ask(cmd, "GET", "/v1/clients/"+url.PathEscape(args[0])+"/crm", nil, &found); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, found)
			}
			for _, st := range found.Connections {
				fmt.Fprintf(os.Stdout, "%s (%s): %s\n  %s\n  %s\n", st.Connection, st.Adapter, st.State, st.Why, st.Match)
				for _, o := range st.Outcomes {
					fmt.Fprintf(os.Stdout, "  %s  %s\n", o.At.UTC().Format(time.RFC3339), strings.Join(nonEmpty(o.Lane, o.Done, o.CRMID, o.Class, o.Code, o.Detail), "  "))
				}
			}
			return nil
		},
	}
}

func nonEmpty(words ...string) []string {
	var kept []string
	for _, word := range words {
		if word != "" {
			kept = append(kept, word)
		}
	}
	return kept
}

func (c *syncCommands) backfill() *cobra.Command {
	var dry, pause, resume bool
	cmd := &cobra.Command{
		Use: "backfill CONNECTION", Short: "Bring everything the tenant has to a CRM, in a lane of its own",
		Long: `Everything goes to the CRM behind new clients, activities and updates. --dry-run
says what it would cost and starts nothing; --pause lets one that is going on rest
and --resume lets it go on. ` + "`clientele sync status`" + ` shows how far it is.`,
		Args:    exactly(1, "the name or id of a connection"),
		Example: "  clientele sync backfill --tenant acme --dry-run hubspot",
		RunE: func(cmd *cobra.Command, args []string) error {
			if dry && (pause || resume) || pause && resume {
				return &codedError{exitUsage, errors.New("give one of --dry-run, --pause and --resume")}
			}
			switch {
			case dry:
				var e crmsync.Estimate
				if err := c.ofConnection(cmd, args[0], "GET", "/backfill/estimate", nil, &e); err != nil || c.json {
					return errors.Join(err, c.printed(err, e))
				}
				said := "guessed from the adapter's batch size"
				if e.Measured {
					said = "measured on this connection's calls of the last week"
				}
				fmt.Fprintf(os.Stdout, "%d clients and %d conversations: about %d calls and %s (%s)\n", e.Clients, e.Conversations, e.Calls, seconds(e.Seconds), said)
				return nil
			case pause:
				return c.ofConnection(cmd, args[0], "POST", "/backfill/pause", nil, nil)
			case resume:
				return c.ofConnection(cmd, args[0], "POST", "/backfill/resume", nil, nil)
			}
			var b crmsync.Backfill
			if err := c.ofConnection(cmd, args[0], "POST", "/backfill", nil, &b); err != nil || c.json {
				return errors.Join(err, c.printed(err, b))
			}
			fmt.Fprintf(os.Stdout, "%d clients and %d conversations are on their way\n", b.Clients, b.Conversations)
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what it would cost and start nothing")
	cmd.Flags().BoolVar(&pause, "pause", false, "let it rest; the other lanes go on")
	cmd.Flags().BoolVar(&resume, "resume", false, "let it go on")
	return cmd
}

// printed prints what a call answered as JSON, unless the call failed.
func (c *syncCommands) printed(failed error, v any) error {
	if failed != nil {
		return nil
	}
	return printJSON(os.Stdout, v)
}

func (c *syncCommands) runNow() *cobra.Command {
	return &cobra.Command{
		Use: "run-now CONNECTION", Short: "Do now what waits for the schedule or for a retry", Args: exactly(1, "the name or id of a connection"),
		Example: "  clientele sync run-now --tenant acme hubspot",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.due(cmd, args[0], "/run") },
	}
}

func (c *syncCommands) retry() *cobra.Command {
	record, class := "", ""
	cmd := &cobra.Command{
		Use: "retry CONNECTION", Short: "Make failed records due again: one, all of a class, or all", Args: exactly(1, "the name or id of a connection"),
		Example: "  clientele sync retry --tenant acme --class validation hubspot",
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{"class": {class}}
			if record != "" {
				query.Set("record", record)
			}
			return c.due(cmd, args[0], "/retry?"+query.Encode())
		},
	}
	cmd.Flags().StringVar(&record, "record", "", "the `id` of one client or conversation")
	cmd.Flags().StringVar(&class, "class", "", "those that failed so, such as `validation`")
	return cmd
}

func (c *syncCommands) due(cmd *cobra.Command, connection, path string) error {
	var out struct {
		Due int64 `json:"due"`
	}
	if err := c.ofConnection(cmd, connection, "POST", path, nil, &out); err != nil || c.json {
		return errors.Join(err, c.printed(err, out))
	}
	fmt.Fprintf(os.Stdout, "%d records are due now\n", out.Due)
	return nil
}

func (c *syncCommands) choose() *cobra.Command {
	return &cobra.Command{
		Use: "choose CONNECTION CLIENT CRM_ID", Short: "Say which of the CRM's records an ambiguous client is",
		Args:    exactly(3, "a connection, the id of a client, and one of its candidates"),
		Example: "  clientele sync choose --tenant acme hubspot 0198c0de-0000-7000-8000-000000000000 4711",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ofConnection(cmd, args[0], "PUT", "/clients/"+url.PathEscape(args[1])+"/record", map[string]string{"crm_id": args[2]}, nil)
		},
	}
}

func (c *syncCommands) failures() *cobra.Command {
	return &cobra.Command{
		Use: "failures CONNECTION", Short: "Print every record that failed and has not landed since, as CSV", Args: exactly(1, "the name or id of a connection"),
		Example: "  clientele sync failures --tenant acme hubspot > failures.csv",
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := c.find(cmd, args[0])
			if err != nil {
				return err
			}
			b, err := c.open(cmd.Context(), c.tenant)
			if err != nil {
				return err
			}
			defer b.close()
			res, err := b.send(cmd.Context(), "GET", "/v1/connections/"+n.ID.String()+"/failures", nil)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode >= 300 {
				return refused(res)
			}
			if _, err := io.Copy(os.Stdout, res.Body); err != nil {
				return fmt.Errorf("print the failures: %w", err)
			}
			return nil
		},
	}
}

func (c *syncCommands) runs() *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use: "runs CONNECTION", Short: "List a connection's runs, the latest first", Args: exactly(1, "the name or id of a connection"),
		Example: "  clientele sync runs --tenant acme hubspot",
		RunE: func(cmd *cobra.Command, args []string) error {
			var list struct {
				Runs []crmsync.Run `json:"runs"`
			}
			if err := c.ofConnection(cmd, args[0], "GET", "/runs?limit="+strconv.Itoa(limit), nil, &list); err != nil || c.json {
				return errors.Join(err, c.printed(err, list))
			}
			rows := make([][]string, len(list.Runs))
			for i, r := range list.Runs {
				rows[i] = []string{r.ID.String(), r.StartedAt.UTC().Format(time.RFC3339), number(r.Created), number(r.Updated), number(r.Unchanged), number(r.Removed), number(r.Failed), number(r.Calls), r.EndedBy}
			}
			return table(os.Stdout, []string{"RUN", "STARTED", "CREATED", "UPDATED", "UNCHANGED", "REMOVED", "FAILED", "CALLS", "CUT SHORT BY"}, rows)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "how `many` to print, at most 200")
	return cmd
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func (c *syncCommands) log() *cobra.Command {
	var p page
	var record, run, done, class string
	cmd := &cobra.Command{
		Use: "log CONNECTION", Short: "List what became of each record, the latest first", Args: exactly(1, "the name or id of a connection"),
		Example: "  clientele sync log --tenant acme --done failed hubspot",
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{"limit": {strconv.Itoa(p.limit)}}
			for name, value := range map[string]string{"before": p.cursor, "record": record, "run": run, "done": done, "class": class} {
				if value != "" {
					query.Set(name, value)
				}
			}
			var list struct {
				Outcomes []crmsync.Outcome `json:"outcomes"`
				Next     string            `json:"next"`
			}
			if err := c.ofConnection(cmd, args[0], "GET", "/outcomes?"+query.Encode(), nil, &list); err != nil || c.json {
				return errors.Join(err, c.printed(err, list))
			}
			rows := make([][]string, len(list.Outcomes))
			for i, o := range list.Outcomes {
				rows[i] = []string{o.At.UTC().Format(time.RFC3339), o.Kind, o.SourceID.String(), o.Lane, o.Done, o.CRMID, o.Class, o.Detail}
			}
			if err := table(os.Stdout, []string{"AT", "KIND", "ID", "LANE", "DONE", "CRM ID", "CLASS", "DETAIL"}, rows); err != nil {
				return err
			}
			printNext(list.Next)
			return nil
		},
	}
	p.flags(cmd, 50, 200)
	cmd.Flags().StringVar(&record, "record", "", "those of one client or conversation, by `id`")
	cmd.Flags().StringVar(&run, "run", "", "those of one `run`")
	cmd.Flags().StringVar(&done, "done", "", "those that ended so: created, updated, unchanged, removed or failed")
	cmd.Flags().StringVar(&class, "class", "", "failures of this class")
	return cmd
}
