// Command simulator serves the pretended CRM: it prints one JSON line with the
// addresses it listens on and serves until SIGINT, SIGTERM or, with --lifeline,
// the end of its standard input.
//
//	simulator --example 127.0.0.1:0 --admin 127.0.0.1:0 --data DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/clientele-crm/clientele/sdk/scaffold/example/simulator"
	base "github.com/clientele-crm/clientele/sdk/simulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "simulator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	crm := base.Served{Name: "example", New: simulator.New}
	flag.StringVar(&crm.Addr, crm.Name, "127.0.0.1:0", "`address` to serve the CRM on (port 0: a free one)")
	admin := flag.String("admin", "127.0.0.1:0", "`address` of the admin paths /_sim/example/…")
	data := flag.String("data", "", "`directory` to keep the state in (default: memory only)")
	lifeline := flag.Bool("lifeline", false, "stop when standard input ends, that is, with the parent process")
	flag.Parse()
	if *lifeline {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	return base.Run(ctx, []base.Served{crm}, *admin, *data, os.Stdout)
}
