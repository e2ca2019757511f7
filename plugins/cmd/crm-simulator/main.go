// Command crm-simulator pretends to be the CRMs that Clientele's own adapters
// talk to. It prints one JSON line with the addresses it listens on and serves
// until SIGINT, SIGTERM or, with --lifeline, the end of its standard input.
//
//	crm-simulator --salesforce 127.0.0.1:0 --hubspot 127.0.0.1:0 --admin 127.0.0.1:0 --data DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	dynamics "github.com/clientele-crm/clientele/plugins/dynamics/simulator"
	hubspot "github.com/clientele-crm/clientele/plugins/hubspot/simulator"
	salesforce "github.com/clientele-crm/clientele/plugins/salesforce/simulator"
	"github.com/clientele-crm/clientele/sdk/simulator"
)

// simulators are the CRMs that can be served, by the name of their flag.
func simulators() []simulator.Served {
	return []simulator.Served{
		{Name: "salesforce", New: salesforce.New},
		{Name: "hubspot", New: hubspot.New},
		{Name: "dynamics", New: dynamics.New},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "crm-simulator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("crm-simulator", flag.ContinueOnError)
	all := simulators()
	for i := range all {
		flags.StringVar(&all[i].Addr, all[i].Name, "", "`address` to serve this CRM on (port 0: a free one)")
	}
	admin := flags.String("admin", "127.0.0.1:0", "`address` of the admin paths /_sim/{crm}/…")
	data := flags.String("data", "", "`directory` to keep the state in (default: memory only)")
	lifeline := flags.Bool("lifeline", false, "stop when standard input ends, that is, with the parent process")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var chosen []simulator.Served
	for _, one := range all {
		if one.Addr != "" {
			chosen = append(chosen, one)
		}
	}
	if len(chosen) == 0 || flags.NArg() > 0 {
		return fmt.Errorf("nothing to serve: name at least one CRM, such as --%s 127.0.0.1:0", all[0].Name)
	}
	if *lifeline {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			cancel()
		}()
	}
	return simulator.Run(ctx, chosen, *admin, *data, stdout)
}
