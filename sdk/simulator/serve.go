package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Served is one simulator to be run.
type Served struct {
	// Name is the CRM's short name: its admin paths are below /_sim/{Name}/, its
	// state below the data directory in {Name}.
	Name string
	// Addr is the address of the CRM's port; port 0 takes a free one.
	Addr string
	// New opens the simulator with its state in dir; "" keeps it in memory.
	New func(dir string) (Simulator, error)
}

// Run serves simulators until ctx ends. When all listen it writes one line to
// ready: a JSON object of the real addresses by name, "admin" being the admin
// port. data may be empty.
func Run(ctx context.Context, served []Served, admin, data string, ready io.Writer) (err error) {
	addresses := map[string]string{}
	mux := http.NewServeMux()
	var servers []*http.Server
	var closers []io.Closer
	var running sync.WaitGroup
	failed := make(chan error, len(served)+1)
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, shutdown(s))
		}
		running.Wait()
		for _, c := range closers {
			err = errors.Join(err, c.Close())
		}
	}()
	listen := func(name, addr string, h http.Handler) error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("%s simulator: %w", name, err)
		}
		addresses[name] = l.Addr().String()
		s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, s)
		running.Go(func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("%s simulator: %w", name, err)
			}
		})
		return nil
	}

	for _, one := range served {
		dir := ""
		if data != "" {
			dir = filepath.Join(data, one.Name)
		}
		sim, err := one.New(dir)
		if err != nil {
			return fmt.Errorf("%s simulator: %w", one.Name, err)
		}
		closers = append(closers, sim)
		prefix := "/_sim/" + one.Name
		mux.Handle(prefix+"/", http.StripPrefix(prefix, sim.Admin()))
		if err := listen(one.Name, one.Addr, sim); err != nil {
			return err
		}
	}
	if err := listen("admin", admin, mux); err != nil {
		return err
	}
	line, err := json.Marshal(addresses)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(ready, string(line)); err != nil {
		return fmt.Errorf("tell that the simulators are ready: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// shutdown lets requests finish for two seconds.
func shutdown(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}

// AdminURL is the admin path of a running simulator, for tests and tools.
func AdminURL(admin, crm, path string) string {
	return "http://" + admin + "/_sim/" + crm + "/" + strings.TrimPrefix(path, "/")
}
