package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/host/config"
)

// settings are the flags that every command has.
type settings struct {
	configPath string
	data       string
	json       bool
	url        string
	keyFile    string
}

func newRootCommand() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:   "clientele",
		Short: "Turn conversations into clients, and keep them in every CRM",
		Long: `Clientele turns conversations (email, SMS, chat, voice) into client records and
keeps those clients in every CRM a tenant uses.

Commands talk to the running host over the socket in its data directory, or to
the one at --url with an API key. With no host running they do their work
themselves. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 partly done.`,
		Example: `  clientele demo                       # a tenant with samples and a simulated CRM
  clientele serve --config clientele.yaml
  clientele ingest --tenant acme mails/
  clientele tenant create acme --name "Acme Inc" --region US`,
		SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	root.PersistentFlags().StringVar(&s.configPath, "config", "", "configuration `file`; see configs/clientele.yaml")
	root.PersistentFlags().StringVar(&s.data, "data", "", "data `directory`; wins over the configuration's")
	root.PersistentFlags().BoolVar(&s.json, "json", false, "print JSON for programs")
	root.PersistentFlags().StringVar(&s.url, "url", "", "`address` of a host to talk to instead of the local one")
	root.PersistentFlags().StringVar(&s.keyFile, "key-file", "", "`file` with the API key for --url")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &codedError{exitUsage, err} })
	root.AddCommand(newServeCommand(s), newDemoCommand(s), newIngestCommand(s), newTenantCommand(s), newSettingsCommand(s),
		newMessageCommand(s), newClientCommand(s), newConversationCommand(s), newExplainCommand(s), newExtractCommand(), newAuditCommand(s), newAdapterCommand(s), newSyncCommand(s))
	root.AddCommand(newOutboundCommand(s), newSenderCommand(s))
	return root
}

// load reads the configuration with the flags over it.
func (s *settings) load() (config.Config, error) {
	c, err := config.Load(s.configPath, binDir())
	if err != nil {
		return c, &codedError{exitUsage, err}
	}
	if s.data != "" {
		if c.Data, err = filepath.Abs(s.data); err != nil {
			return c, fmt.Errorf("--data: %w", err)
		}
	}
	return c, nil
}

// binDir is the directory of the running program, where its siblings are.
func binDir() string {
	path, err := os.Executable()
	if err != nil {
		return "."
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return filepath.Dir(path)
}

func newLogger(c config.Config, to *os.File) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
}
