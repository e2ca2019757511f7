package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/host/plugin/catalog"
)

func newAdapterCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adapter",
		Short: "List, install, swap, roll back and verify adapter programs, as the operator",
		Long: `Adapters are the programs that talk to CRMs. The configuration declares them;
"use" lets another version serve instead, for everybody or one tenant. Versions
are swapped without a failed call, and only after they have been started, looked
at and tried with real connections: one that doesn't fit is refused, and what
serves goes on.`,
		Example: `  clientele adapter list
  clientele adapter install ./clientele-adapter-hubspot
  clientele adapter use hubspot@1.2.0 --tenant acme
  clientele adapter rollback hubspot`,
	}
	cmd.AddCommand(newAdapterListCommand(s), newAdapterInstallCommand(s), newAdapterUseCommand(s), newAdapterRollbackCommand(s),
		newAdapterVerifyCommand(s), newAdapterRemoveCommand(s), newAdapterReloadCommand(s), newAdapterConformanceCommand(s), newAdapterRequireCommand(s), newAdapterNewCommand(s))
	return cmd
}

func newAdapterInstallCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "install FILE", Short: "Take a program, or a directory with a manifest, into the catalog; it serves nobody yet",
		Example: "  clientele adapter install ./clientele-adapter-hubspot",
		Args:    exactly(1, "the adapter's program or directory, on the host's machine"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := s.open(cmd.Context(), "")
			if err != nil {
				return err
			}
			defer b.close()
			path := args[0]
			if s.url == "" { // the host doesn't stand where we do
				if path, err = filepath.Abs(path); err != nil {
					return err
				}
			}
			var installed struct {
				Adapter string `json:"adapter"`
				Version string `json:"version"`
			}
			if err := b.call(cmd.Context(), "POST", "/v1/adapters", map[string]string{"path": path}, &installed); err != nil {
				return err
			}
			if s.json {
				return printJSON(os.Stdout, installed)
			}
			_, err = fmt.Fprintf(os.Stdout, "%s@%s is in the catalog; let it serve with `clientele adapter use %[1]s@%s`\n", installed.Adapter, installed.Version)
			return err
		},
	}
}

func newAdapterUseCommand(s *settings) *cobra.Command {
	tenant := ""
	cmd := &cobra.Command{
		Use: "use NAME[@VERSION]", Short: "Let a version serve everybody, or one tenant; without VERSION take that back",
		Long: `Verifies the version on this host, then lets it serve here and, within seconds, on
every host of the database. VERSION is what the program says it is, or at least 8
digits of its sha256. Without VERSION the configuration decides again, and for a
tenant what everybody gets.`,
		Example: `  clientele adapter use hubspot@1.2.0
  clientele adapter use hubspot@9f86d081 --tenant acme
  clientele adapter use hubspot`,
		Args: exactly(1, "the adapter's name and version, such as hubspot@1.2.0"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseRef(args[0], true)
			if err != nil {
				return err
			}
			return s.watch(cmd.Context(), adapterPath(ref, "use"), map[string]string{"version": ref.Version, "tenant": tenant})
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "short name of the one `tenant` that gets it")
	return cmd
}

func newAdapterRollbackCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "rollback NAME", Short: "Let the version serve again that did before", Args: exactly(1, "the adapter's name"),
		Example: "  clientele adapter rollback hubspot",
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.watch(cmd.Context(), adapterPath(catalog.Ref{Adapter: args[0]}, "rollback"), nil)
		},
	}
}

func newAdapterVerifyCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "verify NAME[@VERSION]", Short: "Start a version, see whether it fits the connections in use, and end it again",
		Long: `Checks the program's sha256, starts it beside what serves, and asks whether its
settings and mapping fit the connections in use and their CRMs answer it. Nothing
changes. Without VERSION: the one that serves everybody.`,
		Example: `  clientele adapter verify hubspot
  clientele adapter verify hubspot@1.2.0`,
		Args: exactly(1, "the adapter's name, with or without a version"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseRef(args[0], true)
			if err != nil {
				return err
			}
			path := adapterPath(ref, "verify")
			if ref.Version != "" {
				path += "?version=" + url.QueryEscape(ref.Version)
			}
			return s.watch(cmd.Context(), path, nil)
		},
	}
}

func newAdapterRemoveCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME@VERSION", Short: "Forget a version that nothing uses", Args: exactly(1, "the adapter's name and version, such as hubspot@1.2.0"),
		Example: "  clientele adapter remove hubspot@1.1.0",
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseRef(args[0], false)
			if err != nil {
				return err
			}
			b, err := s.open(cmd.Context(), "")
			if err != nil {
				return err
			}
			defer b.close()
			return b.call(cmd.Context(), "DELETE", adapterPath(ref, "versions")+"/"+url.PathEscape(ref.Version), nil, nil)
		},
	}
}

func newAdapterReloadCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Read the configuration again and follow its adapters, as SIGHUP does", Args: exactly(0, "nothing"),
		Long: `Starts adapters that the configuration has anew, stops those it lacks, and swaps
those whose file at the declared path has other content.`,
		Example: "  cp new bin/clientele-adapter-hubspot && clientele adapter reload",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.watch(cmd.Context(), "/v1/adapters/reload", nil)
		},
	}
}

func adapterPath(ref catalog.Ref, what string) string {
	return "/v1/adapters/" + url.PathEscape(ref.Adapter) + "/" + what
}

// parseRef reads NAME@VERSION, or NAME where that means something.
func parseRef(arg string, bare bool) (catalog.Ref, error) {
	if bare && arg != "" && !strings.Contains(arg, "@") {
		return catalog.Ref{Adapter: arg}, nil
	}
	ref, err := catalog.ParseRef(arg)
	if err != nil {
		return ref, &codedError{exitUsage, err}
	}
	return ref, nil
}
