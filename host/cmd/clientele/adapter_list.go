package main

import (
	"cmp"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/sdk/conformance"
)

// adapterList is what the host answers about adapters.
type adapterList struct {
	Running  []api.AdapterRunning `json:"running"`
	Versions []api.AdapterVersion `json:"versions"`
}

func newAdapterListCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List what each host runs beside what is desired, and the versions in the catalog", Args: exactly(0, "nothing"),
		Long: `First what runs: for each host and version the desired one, which tenants are
pinned to it, whether it drifts from the host's configuration, and what is wrong.
Then the versions that can be used, newest first.`,
		Example: "  clientele adapter list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := s.open(cmd.Context(), "")
			if err != nil {
				return err
			}
			defer b.close()
			var list adapterList
			if err := b.call(cmd.Context(), "GET", "/v1/adapters", nil, &list); err != nil {
				return err
			}
			if s.json {
				return printJSON(os.Stdout, list)
			}
			if err := table(os.Stdout, []string{"ADAPTER", "HOST", "RUNS", "DESIRED", "FOR", "STATE", "DRIFT", "CAUSE"}, list.runningRows()); err != nil {
				return err
			}
			fmt.Fprintln(os.Stdout)
			return table(os.Stdout, []string{"ADAPTER", "VERSION", "USED FOR", "FROM", "CONFORMANCE", "ADDED", "BY"}, list.versionRows())
		},
	}
}

func (l adapterList) runningRows() [][]string {
	rows := make([][]string, len(l.Running))
	for i, r := range l.Running {
		audience, drift := "everybody", "no"
		if r.Tenants > 0 {
			audience = strconv.Itoa(r.Tenants) + " pinned"
		}
		if r.Drift {
			drift = "yes"
		}
		rows[i] = []string{r.Adapter, r.Host, named(r.Version, r.SHA256), named(r.DesiredVersion, r.DesiredSHA256), audience, string(r.State), drift, cmp.Or(r.Cause, "-")}
	}
	return rows
}

func (l adapterList) versionRows() [][]string {
	rows := make([][]string, len(l.Versions))
	for i, v := range l.Versions {
		use := "-"
		switch {
		case v.Chosen:
			use = "everybody"
		case len(v.Pinned) > 0:
			use = strconv.Itoa(len(v.Pinned)) + " pinned"
		}
		rows[i] = []string{v.Adapter, named(v.Version, v.SHA256), use, string(v.Origin), trust(v), v.AddedAt.Format("2006-01-02 15:04"), v.AddedBy}
	}
	return rows
}

// trust is the conformance level, and what is asked or wrong beside it.
func trust(v api.AdapterVersion) string {
	said := "-"
	if v.Conformance > 0 {
		said = conformance.Level(v.Conformance).String()
	}
	if v.Conformance < v.Required {
		said += " of " + strconv.Itoa(v.Required) + " required"
	}
	if v.Quarantine != "" {
		said += "; in quarantine: " + v.Quarantine
	}
	return said
}

// named tells apart programs that say the same about themselves; its digits are
// taken by `adapter use`.
func named(version, sha256 string) string {
	if sha256 == "" {
		return "-"
	}
	return cmp.Or(version, "?") + " (" + sha256[:min(12, len(sha256))] + ")"
}
