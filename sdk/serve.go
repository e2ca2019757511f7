package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Serve is the only line of an adapter's main:
//
//	func main() { sdk.Serve(newAdapter()) }
//
// Until the handshake nothing may be printed to stdout, because go-plugin reads
// its first line from there; what an adapter has to log goes to stderr.
//
// Serve never returns: the process exits when the host stops it, on SIGTERM
// after the calls in flight (at most two seconds), and at once when the host
// dies (its end of the [LifelineEnv] pipe closes, or the parent process changes).
// Run by hand, `adapter describe` prints the description as JSON.
func Serve(adapter Adapter) {
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: os.Stderr, JSONFormat: true})
	if len(os.Args) == 2 && os.Args[1] == "describe" {
		os.Exit(describe(adapter, os.Stdout, os.Stderr))
	}
	hide()
	go exitWithParent(os.Getppid(), os.Getenv(LifelineEnv))

	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake(),
		Plugins:         plugin.PluginSet{PluginName: &Plugin{Adapter: adapter, Log: log}},
		Logger:          log,
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			var calls inFlight
			s := grpc.NewServer(append(opts, grpc.UnaryInterceptor(calls.count),
				grpc.MaxRecvMsgSize(MaxMessageBytes), grpc.MaxSendMsgSize(MaxMessageBytes))...)
			// Before the handshake, so that no signal finds the default of dying.
			term := make(chan os.Signal, 1)
			signal.Notify(term, syscall.SIGTERM)
			go stopOnTerm(s, term, &calls)
			return s
		},
	})
	os.Exit(0)
}

// describe prints the description for people and for a catalog that wants to
// know an adapter without speaking gRPC to it.
func describe(a Adapter, out, errs io.Writer) int {
	d, err := a.Describe(context.Background())
	if err != nil {
		fmt.Fprintln(errs, "describe:", err)
		return 1
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	view := struct {
		Description
		SettingsSchema json.RawMessage
	}{d, d.SettingsSchema}
	if err := enc.Encode(view); err != nil {
		fmt.Fprintln(errs, "describe:", err)
		return 1
	}
	return 0
}

// exitWithParent ends the process when its host is gone. The pipe tells it at
// once; polling the parent is for hosts that give none.
func exitWithParent(parent int, lifeline string) {
	if fd, err := strconv.Atoi(lifeline); err == nil && fd > 2 {
		go func() {
			_, _ = io.Copy(io.Discard, os.NewFile(uintptr(fd), "lifeline"))
			os.Exit(0)
		}()
	}
	for os.Getppid() == parent {
		time.Sleep(200 * time.Millisecond)
	}
	os.Exit(0)
}

// inFlight counts the calls being answered.
type inFlight struct{ n atomic.Int64 }

func (f *inFlight) count(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	f.n.Add(1)
	defer f.n.Add(-1)
	return next(ctx, req)
}

// stopOnTerm lets the calls in flight finish, for two seconds. (GracefulStop
// would wait for go-plugin's own streams, which never end.) Stopping the server
// makes plugin.Serve return, which removes the socket.
func stopOnTerm(s *grpc.Server, term <-chan os.Signal, calls *inFlight) {
	<-term
	for end := time.Now().Add(2 * time.Second); calls.n.Load() > 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	s.Stop()
}
