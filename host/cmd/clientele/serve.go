package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/host"
)

func newServeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the host until it is interrupted",
		Long: `Runs the host: pages, API, adapters, sync. Without database.url it runs a
PostgreSQL of its own under the data directory. SIGHUP reads the configuration
again and follows its adapters.`,
		Example: `  clientele serve
  clientele serve --config clientele.yaml --data /srv/clientele`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), s) },
	}
}

func serve(ctx context.Context, s *settings) error {
	c, err := s.load()
	if err != nil {
		return err
	}
	log := newLogger(c, os.Stderr)
	h, err := host.Start(ctx, host.Options{Config: c, Logger: log, Version: version, Reread: s.load})
	if err != nil {
		return err
	}
	defer h.Stop()
	fmt.Fprintf(os.Stderr, "clientele: serving on %s, data in %s\n", h.Address(), c.Data)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-h.Failed():
			return err
		case <-hangups:
			if err := h.Reload(ctx); err != nil {
				log.ErrorContext(ctx, "reload; what ran before goes on", "error", err)
			}
		}
	}
}
