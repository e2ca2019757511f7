package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/host"
	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/config"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/demo"
	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/simulator"
)

// Operators swap the adapter by copying a file, by a chosen version and back, and
// try to by a broken one, while messages flow in and clients are written: none is
// lost, none is there twice, and no write fails.
func TestSwapUnderLoad(t *testing.T) {
	t.Parallel()
	s := serveStack(t)
	stop, fed := make(chan struct{}), make(chan int)
	go func() { fed <- s.feed(stop) }()
	until(t, 30*time.Second, func() bool { return s.held() > 5 }, "the first clients to reach the CRM")

	first := s.serving()
	s.replaceAdapter("second build\n")
	s.hangup()
	until(t, 30*time.Second, func() bool { return s.serving().SHA256 != first.SHA256 }, "the copied file to serve")
	second := s.serving()

	s.adapter("rollback", "hubspot")
	if now := s.serving(); now.SHA256 != first.SHA256 || !now.Drift {
		t.Errorf("after the rollback %+v serves, want %s and drift", now, first.SHA256)
	}
	steps := s.adapter("use", "hubspot@"+second.SHA256[:12])
	for _, step := range []string{"starting it", "trying it", "new calls", "calls in flight", "in service"} {
		if !strings.Contains(steps, step) {
			t.Errorf("%q is not told in:\n%s", step, steps)
		}
	}
	s.adapter("verify", "hubspot")
	s.adapter("use", "hubspot")

	s.writeAdapter([]byte("#!/bin/sh\nexit 3\n"))
	out, code := clientele(t, "--config", s.config, "adapter", "reload")
	if code != 3 || !strings.Contains(out, "exit code 3") {
		t.Errorf("reloading a program that ends at once: exit code %d\n%s", code, out)
	}
	until(t, 10*time.Second, func() bool { return strings.Contains(s.serving().Cause, "exit code 3") }, "the list to tell of the broken program")
	if now := s.serving(); now.SHA256 != second.SHA256 || now.State != "running" || now.Restarts != 0 {
		t.Errorf("beside a broken program serves %+v", now)
	}

	close(stop)
	sent := <-fed
	until(t, time.Minute, func() bool { return s.held() == sent }, fmt.Sprintf("all %d clients to be in the CRM", sent))
	if c := s.counters(); c.Duplicates["contacts"] != 0 {
		t.Errorf("%d clients are in the CRM twice", c.Duplicates["contacts"])
	}
	s.wantNoFailure()
}

// served is a host in a process of its own, as operators run it.
type served struct {
	t       *testing.T
	cmd     *exec.Cmd
	said    lockedBuffer
	config  string
	program string // where the configuration says that the adapter is
	sims    *demo.Simulators
	url     string // of the database, as its owner
	socket  *http.Client
}

func serveStack(t *testing.T) *served {
	t.Helper()
	data := dataDir(t)
	s := &served{t: t, config: filepath.Join(data, "clientele.yaml"), program: filepath.Join(data, "clientele-adapter-hubspot"), url: dbtest.NewURL(t)}
	s.replaceAdapter("first build\n")
	var err error
	s.sims, err = demo.StartSimulators(t.Context(), filepath.Join(bin, "crm-simulator"), filepath.Join(data, "sim"), []string{"hubspot"}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sims.Stop)
	text := fmt.Sprintf("data: %s\nhttp: {listen: \"127.0.0.1:0\"}\ndatabase: {url: %q}\nadapters:\n  - {name: hubspot, path: %s}\n", data, dbtest.AppURL(s.url), s.program)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", host.SocketPath(data))
	}}
	s.socket = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	s.cmd = exec.Command(filepath.Join(bin, "clientele"), "serve", "--config", s.config)
	s.cmd.Stderr = &s.said
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("the host ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the host said:\n%s", s.said.String())
		}
	})
	until(t, time.Minute, func() bool { return strings.Contains(s.said.String(), "serving on") }, "the host to serve")
	if out, code := clientele(t, "--config", s.config, "tenant", "create", "acme"); code != 0 {
		t.Fatal(out)
	}
	s.connect("hubspot", s.sims.CRMs()["hubspot"], s.sims.Token("hubspot"))
	return s
}

// connect gives the tenant an account in the simulated CRM. The command line may
// not: it is an admin's to do.
func (s *served) connect(adapter, address, token string) {
	s.t.Helper()
	beside, err := host.Start(s.t.Context(), host.Options{Passive: true, Config: config.Config{
		Data: filepath.Dir(s.config), Database: config.Database{URL: config.Secret(dbtest.AppURL(s.url))},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer beside.Stop()
	beside.Connections.Describe = func(context.Context, string) (sdk.Description, error) { return sdk.Description{}, nil }
	own, err := beside.Tenants.BySlug(s.t.Context(), "acme")
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = beside.Connections.Create(s.t.Context(), actor.ForSystem(own.ID, "test"), connection.New{
		Adapter: adapter, Name: adapter, Settings: json.RawMessage(`{"base_url": "http://` + address + `"}`),
		Secrets: map[string]string{connection.AccessToken: token},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// do calls the API on the host's socket as the tenant's automation.
func (s *served) do(method, path string, body, into any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://clientele"+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(host.TenantHeader, "acme")
	res, err := s.socket.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s, %v", method, path, res.Status, answer, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		s.t.Fatal(err)
	}
}

// feed sends one message of a new person after the other and tells how many.
func (s *served) feed(stop <-chan struct{}) (sent int) {
	for {
		select {
		case <-stop:
			return sent
		case <-s.t.Context().Done():
			return sent
		case <-time.After(50 * time.Millisecond):
		}
		text, err := json.Marshal(mail(sent))
		if err != nil {
			s.t.Error(err)
			return sent
		}
		req, err := http.NewRequestWithContext(s.t.Context(), "POST", "http://clientele/v1/messages", bytes.NewReader(text))
		if err != nil {
			s.t.Error(err)
			return sent
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(host.TenantHeader, "acme")
		res, err := s.socket.Do(req)
		if err != nil {
			s.t.Error(err)
			return sent
		}
		res.Body.Close()
		if res.StatusCode >= 300 {
			s.t.Errorf("message %d: %s", sent, res.Status)
			return sent
		}
		sent++
	}
}

// replaceAdapter copies the adapter over the configured path, with a tail that
// makes it another program that does the same.
func (s *served) replaceAdapter(tail string) {
	s.t.Helper()
	program, err := os.ReadFile(filepath.Join(bin, "clientele-adapter-hubspot"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.writeAdapter(append(program, tail...))
}

func (s *served) writeAdapter(program []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.program, program, 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func (s *served) hangup() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
}

// adapter runs `clientele adapter`, which must succeed.
func (s *served) adapter(args ...string) string {
	s.t.Helper()
	out, code := clientele(s.t, append([]string{"--config", s.config, "adapter"}, args...)...)
	if code != 0 {
		s.t.Fatalf("adapter %v: exit code %d\n%s", args, code, out)
	}
	return out
}

// serving is what the list says of the one adapter.
func (s *served) serving() api.AdapterRunning {
	s.t.Helper()
	var list struct{ Running []api.AdapterRunning }
	if err := json.Unmarshal([]byte(s.adapter("list", "--json")), &list); err != nil {
		s.t.Fatal(err)
	}
	if len(list.Running) != 1 {
		s.t.Fatalf("running: %+v", list.Running)
	}
	return list.Running[0]
}

func (s *served) counters() (c simulator.Counts) {
	s.t.Helper()
	res, err := http.Get(simulator.AdminURL(s.sims.Admin(), "hubspot", "counters"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// held is how many clients are in the CRM.
func (s *served) held() int { return s.counters().Held["contacts"] }

// wantNoFailure looks at every outcome there was, and at what is left to do.
func (s *served) wantNoFailure() {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.t.Context()))
	var outcomes, failed int
	if err := conn.QueryRow(s.t.Context(), `SELECT count(*), count(*) FILTER (WHERE done = 'failed') FROM sync_outcome`).Scan(&outcomes, &failed); err != nil {
		s.t.Fatal(err)
	}
	if failed != 0 || outcomes == 0 {
		s.t.Errorf("%d of %d outcomes failed, want 0", failed, outcomes)
	}
	var list struct{ Connections []api.Connection }
	s.do("GET", "/v1/connections", nil, &list)
	if len(list.Connections) != 1 || list.Connections[0].State != connection.Active || list.Connections[0].Counts.Parked != 0 {
		s.t.Errorf("connections %+v", list.Connections)
	}
}
