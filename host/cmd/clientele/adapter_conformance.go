package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/host/demo"
	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/conformance"
)

// account is the file of --settings: a CRM account to try an adapter with.
type account struct {
	Settings    json.RawMessage   `json:"settings"`
	AccessToken string            `json:"access_token"`
	Extras      map[string]string `json:"extras"`
}

// trying are the flags of `adapter conformance`.
type trying struct {
	settings, simulator string
	only                []string
	record              bool
}

func newAdapterConformanceCommand(s *settings) *cobra.Command {
	t := &trying{}
	cmd := &cobra.Command{
		Use: "conformance BINARY", Short: "Try an adapter, in whatever language, against its CRM's simulator",
		Long: `Starts the program, or the directory with a manifest, as a host would, and makes
every call the contract has, while the simulator that the adapter names fails in
all the ways CRMs do. Reports what passed, level by level; exit code 0 only when
nothing failed.

The simulator is the program NAME-simulator or crm-simulator beside BINARY, or
what the manifest says. With --settings a real account takes its place: a JSON
file with settings, access_token and extras. Records are written into it, and
checks that make the CRM fail are left out.`,
		Example: `  clientele adapter conformance bin/clientele-adapter-hubspot
  clientele adapter conformance ./mycrm --settings sandbox.json --json`,
		Args: exactly(1, "the adapter's program or directory"),
		RunE: func(cmd *cobra.Command, args []string) error { return s.tryAdapter(cmd.Context(), args[0], t) },
	}
	cmd.Flags().StringVar(&t.settings, "settings", "", "`file` with an account to use instead of a simulator")
	cmd.Flags().StringVar(&t.simulator, "simulator", "", "`program` that serves the CRM's simulator")
	cmd.Flags().StringArrayVar(&t.only, "only", nil, "run this `check` alone; may be repeated")
	cmd.Flags().BoolVar(&t.record, "record", false, "write the level reached to the catalog, for the version with this content")
	return cmd
}

func newAdapterRequireCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "require NAME LEVEL", Short: "Let only versions serve that have reached a level of the conformance suite",
		Long: `LEVEL is 1 to 6, as "adapter conformance" reports it, or 0 to let any serve. What
serves already stays until it is swapped or its host restarts.`,
		Example: "  clientele adapter require mycrm 6",
		Args:    exactly(2, "the adapter's name and the level"),
		RunE: func(cmd *cobra.Command, args []string) error {
			level, err := strconv.Atoi(args[1])
			if err != nil || level < 0 || level > int(conformance.Highest) {
				return &codedError{exitUsage, fmt.Errorf("LEVEL %q: want a number from 0 to %d", args[1], int(conformance.Highest))}
			}
			b, err := s.open(cmd.Context(), "")
			if err != nil {
				return err
			}
			defer b.close()
			return b.call(cmd.Context(), "PUT", adapterPath(catalog.Ref{Adapter: args[0]}, "requirement"), map[string]int{"level": level}, nil)
		},
	}
}

func (s *settings) tryAdapter(ctx context.Context, path string, t *trying) error {
	for _, name := range t.only {
		if !slices.Contains(conformance.Names(), name) {
			return &codedError{exitUsage, fmt.Errorf("--only %q: there is no such check; a run without --only lists them", name)}
		}
	}
	if t.record && len(t.only) > 0 {
		return &codedError{exitUsage, errors.New("--record needs all checks: leave --only out")}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "clientele-trial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The adapter's user passes through it to its package.
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	trial, err := plugin.NewTrial(path, plugin.Options{StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run")})
	if err != nil {
		return err
	}
	report, err := t.run(ctx, trial)
	if err != nil {
		return err
	}
	if s.json {
		err = printJSON(os.Stdout, report)
	} else {
		err = report.Text(os.Stdout)
	}
	if err != nil {
		return err
	}
	if !report.Green {
		return fmt.Errorf("%d of %d checks failed", len(report.Failed()), len(report.Results))
	}
	if t.record {
		return s.recordLevel(ctx, report, trial.SHA256)
	}
	return nil
}

func (t *trying) run(ctx context.Context, trial *plugin.Trial) (*conformance.Report, error) {
	target := conformance.Target{Dial: trial.Start, Only: t.only}
	if t.settings != "" {
		var err error
		if target.Connection, err = readAccount(t.settings); err != nil {
			return nil, err
		}
		return conformance.Run(ctx, target)
	}
	name, err := simulatorOf(ctx, trial)
	if err != nil {
		// A program that does not start has a report too.
		return conformance.Run(ctx, target)
	}
	if name == "" {
		return nil, errors.New("the adapter names no simulator in its description: give an account with --settings")
	}
	command, in := []string{t.simulator}, ""
	if t.simulator == "" {
		if command, in, err = trial.Simulator(name); err != nil {
			return nil, err
		}
	}
	sims, err := demo.RunSimulators(ctx, command, in, []string{name}, os.Stderr)
	if err != nil {
		return nil, err
	}
	defer sims.Stop()
	target.Simulator = &conformance.Simulator{Admin: sims.Admin(), Name: name}
	if target.Connection, err = conformance.Connect(ctx, *target.Simulator, sims.CRMs()[name]); err != nil {
		return nil, err
	}
	return conformance.Run(ctx, target)
}

// simulatorOf asks the adapter which simulator is its CRM's.
func simulatorOf(ctx context.Context, trial *plugin.Trial) (string, error) {
	p, err := trial.Start(ctx)
	if err != nil {
		return "", err
	}
	defer p.Stop()
	d, err := p.Adapter.Describe(ctx)
	return d.Simulator, err
}

func readAccount(path string) (sdk.Connection, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return sdk.Connection{}, &codedError{exitUsage, fmt.Errorf("--settings: %w", err)}
	}
	defer f.Close()
	var a account
	d := json.NewDecoder(io.LimitReader(f, most))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return sdk.Connection{}, &codedError{exitUsage, fmt.Errorf("--settings: %s: want a JSON object of settings, access_token and extras: %w", path, err)}
	}
	return sdk.Connection{ID: "0199aaaa-0000-7000-8000-000000000001", Settings: a.Settings, Token: sdk.Token{AccessToken: a.AccessToken, Extras: a.Extras}}, nil
}

// recordLevel tells the catalog.
func (s *settings) recordLevel(ctx context.Context, report *conformance.Report, sha256 string) error {
	b, err := s.open(ctx, "")
	if err != nil {
		return err
	}
	defer b.close()
	path := adapterPath(catalog.Ref{Adapter: report.Adapter}, "versions") + "/" + sha256 + "/conformance"
	if err := b.call(ctx, "PUT", path, map[string]int{"level": int(report.Level)}, nil); err != nil {
		return fmt.Errorf("record the level: %w", err)
	}
	if s.json {
		return nil
	}
	_, err = fmt.Printf("the catalog has level %s for %s@%s\n", report.Level, report.Adapter, report.Version)
	return err
}
