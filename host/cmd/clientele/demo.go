package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/host"
	"github.com/clientele-crm/clientele/host/config"
	"github.com/clientele-crm/clientele/host/demo"
)

func newDemoCommand(s *settings) *cobra.Command {
	once := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Make a sample tenant with a simulated CRM, and serve it",
		Long: `Starts the host with CRM simulators, makes a tenant "demo" with an admin and a
member, feeds in the sample conversations of configs/samples, waits until the CRM
has them and prints what came of it; then it serves until interrupted. A second
run goes on where the first ended and creates nothing twice.`,
		Example: `  clientele demo
  clientele demo --once --json --data /tmp/clientele-demo`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), s, once) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the report instead of serving; free ports")
	return cmd
}

func runDemo(ctx context.Context, s *settings, once bool) error {
	c, err := s.load()
	if err != nil {
		return err
	}
	if once {
		c.HTTP.Listen = "127.0.0.1:0"
	}
	if s.data == "" && s.configPath == "" {
		c.Data = filepath.Join(c.Data, "demo") // never among real tenants' data
	}
	logs, err := openLog(c.Data)
	if err != nil {
		return err
	}
	defer logs.Close()
	say := func(string, ...any) {}
	if !s.json {
		say = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	}
	say("Starting PostgreSQL, adapters and simulators (data in %s) …", c.Data)
	h, err := host.Start(ctx, host.Options{Config: c, Logger: newLogger(c, logs), Version: version})
	if err != nil {
		return err
	}
	defer h.Stop()
	sims, err := demo.StartSimulators(ctx, filepath.Join(binDir(), "crm-simulator"), h.Dir("sim"), adapterNames(c), logs)
	if err != nil {
		return err
	}
	defer sims.Stop()
	d := &demo.Demo{Host: h, Simulators: sims, Step: func(what string) { say("%s%s …", strings.ToUpper(what[:1]), what[1:]) }}
	if !s.json && onTerminal(os.Stderr) {
		bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("messages"),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
		d.Progress = func(done, of int) {
			bar.ChangeMax(of)
			_ = bar.Set(done) // a bar that can't be drawn stops nothing
		}
	}
	report, err := d.Run(ctx)
	if err != nil {
		return err
	}
	passwords, err := demoPasswords(filepath.Join(h.Dir("keys"), "demo-passwords.json"))
	if err != nil {
		return err
	}
	if err := d.People(ctx, passwords); err != nil {
		return err
	}
	if s.json {
		err = printJSON(os.Stdout, report)
	} else {
		err = printReport(report)
	}
	if err != nil || once {
		return err
	}
	say("\nPages and API: %s   (API description: %s/docs)\nSign in as %s, password %s\n        or %s, password %s\nCtrl-C stops everything.",
		h.Address(), h.Address(), demo.AdminEmail, passwords[demo.AdminEmail], demo.MemberEmail, passwords[demo.MemberEmail])
	select {
	case <-ctx.Done():
		say("Stopping …")
		return nil
	case err := <-h.Failed():
		return err
	}
}

func printReport(r *demo.Report) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\nmessages read\t%d\t\nclients created\t%d\t\nclients updated\t%d\t\nconversations linked\t%d\t\n",
		r.Messages, r.ClientsCreated, r.ClientsUpdated, r.ConversationsLinked)
	names := make([]string, 0, len(r.CRM))
	for name := range r.CRM {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		crm := r.CRM[name]
		fmt.Fprintf(t, "%s: records\t%d\t  (%d new)\n%s: activities\t%d\t\n%s: calls spent\t%d\t\n",
			name, crm.Records, crm.Created, name, crm.Activities, name, crm.Calls)
	}
	fmt.Fprintf(t, "seconds\t%.1f\t\n", r.Seconds)
	for _, failure := range r.Failures {
		fmt.Fprintf(os.Stderr, "could not be processed: %s\n", failure)
	}
	return t.Flush()
}

func adapterNames(c config.Config) []string {
	names := make([]string, len(c.Adapters))
	for i, a := range c.Adapters {
		names[i] = a.Name
	}
	return names
}

func openLog(data string) (*os.File, error) {
	dir := filepath.Join(data, "logs")
	if err := os.MkdirAll(data, 0o711); err != nil {
		return nil, fmt.Errorf("data directory: %w: choose another with --data", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("logs directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "clientele.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

// demoPasswords are made once for a data directory, and kept beside its keys.
func demoPasswords(path string) (map[string]string, error) {
	passwords := map[string]string{}
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		return passwords, json.Unmarshal(text, &passwords)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("demo passwords: %w", err)
	}
	for _, email := range []string{demo.AdminEmail, demo.MemberEmail} {
		passwords[email] = strings.ToLower(rand.Text()[:16])
	}
	if text, err = json.Marshal(passwords); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("demo passwords: %w", err)
	}
	return passwords, nil
}
