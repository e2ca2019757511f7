package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/host/channel"
	"github.com/clientele-crm/clientele/host/demo"
)

// ingested is one line of what ingest made of a message.
type ingested struct {
	Name string `json:"name"`
	intake.Result
}

func newIngestCommand(s *settings) *cobra.Command {
	tenant := ""
	cmd := &cobra.Command{
		Use:   "ingest FILE…",
		Short: "Read messages from files: mbox, mails, directories of mails, JSON lines",
		Long: `Reads messages and says for each what was made of it, or why not. Files ending
in .jsonl hold one message a line (configs/samples/README.md has the format),
.mbox files mails; every other file is one mail. Without --tenant the messages go
to the tenant "demo", which is made when it is missing. Exit code 4 when some
messages could not be read or processed; those that were accepted are kept, see
` + "`clientele message failed`.",
		Example: `  clientele ingest --tenant acme archive.mbox
  clientele ingest --tenant acme --json mails/ calls.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &codedError{exitUsage, errors.New("name at least one file or directory")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return ingest(cmd.Context(), s, tenant, args) },
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	return cmd
}

func ingest(ctx context.Context, s *settings, tenant string, paths []string) error {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return &codedError{exitUsage, fmt.Errorf("%s can't be read: name an existing file or directory", path)}
		}
	}
	b, err := s.open(ctx, tenant)
	if err != nil {
		return err
	}
	defer b.close()
	if tenant == "" && s.url == "" {
		if err := b.makeDemoTenant(ctx); err != nil {
			return err
		}
	}
	var bar *progressbar.ProgressBar
	if onTerminal(os.Stderr) && !onTerminal(os.Stdout) {
		bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	}
	counts := tally{}
	for item := range channel.Read(paths...) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		line := ingested{Name: item.Name}
		err := item.Err
		if err == nil {
			err = b.call(ctx, "POST", "/v1/messages", item.Message, &line.Result)
		}
		if err != nil {
			line.State, line.Error = "refused", err.Error()
		}
		counts.add(line)
		if err := s.printIngested(line); err != nil {
			return err
		}
		if bar != nil {
			_ = bar.Add(1) // a bar that can't be drawn stops nothing
		}
	}
	if !s.json {
		fmt.Fprintln(os.Stderr, counts.String())
	}
	if counts.failed > 0 {
		return &codedError{exitPartly, fmt.Errorf("%d of %d messages could not be taken in; the reasons stand above", counts.failed, counts.messages)}
	}
	return nil
}

func (s *settings) printIngested(line ingested) error {
	if s.json {
		return printJSON(os.Stdout, line)
	}
	_, err := fmt.Fprintf(os.Stdout, "%s\t%s\n", line.Name, line.story())
	return err
}

// story is what was made of a message, in a sentence.
func (i ingested) story() string {
	switch {
	case i.State == "refused":
		return "refused: " + i.Error
	case i.State != "done":
		return i.State + ", kept for replay: " + i.Error
	}
	said := "no client: " + i.Reason
	switch {
	case i.Duplicate:
		said = "taken before"
	case i.ClientCreated:
		said = "new client " + i.ClientID.UUID.String()
	case i.ClientID.Valid:
		said = "client " + i.ClientID.UUID.String() + " (" + i.Rule + ")"
	}
	for _, note := range i.Notes {
		said += "; " + note
	}
	return said
}

type tally struct{ messages, created, updated, linked, duplicates, failed int }

func (t *tally) add(i ingested) {
	t.messages++
	switch {
	case i.State != "done":
		t.failed++
	case i.Duplicate:
		t.duplicates++
	}
	if i.ClientCreated {
		t.created++
	}
	if i.ClientUpdated {
		t.updated++
	}
	if i.NewLink {
		t.linked++
	}
}

func (t *tally) String() string {
	return fmt.Sprintf("%d messages: %d clients created, %d updated, %d conversations linked, %d taken before, %d failed",
		t.messages, t.created, t.updated, t.linked, t.duplicates, t.failed)
}

// makeDemoTenant sees to it that there is a tenant to take messages in for
// somebody who only wants to try.
func (b *backend) makeDemoTenant(ctx context.Context) error {
	b.tenant = ""
	err := b.call(ctx, "POST", "/v1/tenants", map[string]string{
		"slug": demo.Slug, "name": "Demo", "region": "US", "timezone": "America/New_York",
	}, nil)
	b.tenant = demo.Slug
	if refused, ok := errors.AsType[*codedError](err); ok && refused.code == exitRefused {
		return nil // it is there already
	}
	return err
}
