package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// startTimeout is how long the simulators may take to listen.
const startTimeout = 20 * time.Second

// Simulators are the CRM simulators' process. It ends with its parent.
type Simulators struct {
	cmd       *exec.Cmd
	lifeline  io.Closer
	addresses map[string]string
	ended     chan struct{}
}

// StartSimulators starts the program at path for the named CRMs, on free ports,
// with its state below dir.
func StartSimulators(ctx context.Context, path, dir string, crms []string, log io.Writer) (*Simulators, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("the CRM simulators: %s does not exist: build it with `make build`", path)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the CRM simulators: %w", err)
	}
	return RunSimulators(ctx, []string{path, "--data", dir}, "", crms, log)
}

// RunSimulators starts a command that takes the flags of crm-simulator, in a
// working directory, for the named CRMs on free ports.
func RunSimulators(ctx context.Context, command []string, in string, crms []string, log io.Writer) (*Simulators, error) {
	path := command[0]
	args := append(command[1:len(command):len(command)], "--admin", "127.0.0.1:0", "--lifeline")
	for _, crm := range crms {
		args = append(args, "--"+crm, "127.0.0.1:0")
	}
	s := &Simulators{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	s.cmd.Dir = in
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	s.cmd.Stderr = log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("the CRM simulators: %w", err)
	}
	s.lifeline = stdin
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("the CRM simulators: %w", err)
	}
	if err := s.start(); err != nil {
		return nil, fmt.Errorf("start the CRM simulators: %w", err)
	}
	if err := s.hear(ctx, stdout); err != nil {
		s.Stop()
		return nil, fmt.Errorf("the CRM simulators (%s): %w", filepath.Base(path), err)
	}
	return s, nil
}

// start launches the process from a thread that lives as long as it does: the
// kernel sends the death signal when the launching thread ends (golang/go#27505).
func (s *Simulators) start() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer close(s.ended)
		err := s.cmd.Start()
		started <- err
		if err == nil {
			// The exit code tells nothing: Stop has asked for it, or the ports are gone.
			_ = s.cmd.Wait()
		}
	}()
	return <-started
}

// hear waits for the line with the addresses.
func (s *Simulators) hear(ctx context.Context, stdout io.Reader) error {
	line := make(chan []byte, 1)
	go func() {
		text, _ := bufio.NewReader(stdout).ReadBytes('\n')
		line <- text
	}()
	select {
	case text := <-line:
		if err := json.Unmarshal(text, &s.addresses); err != nil {
			return errors.New("did not start; see the host's log")
		}
		return nil
	case <-time.After(startTimeout):
		return fmt.Errorf("did not listen within %s", startTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends the process and waits for it.
func (s *Simulators) Stop() {
	s.lifeline.Close()
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill() // it ended meanwhile, or now
		<-s.ended
	}
}

// CRMs are the addresses by CRM.
func (s *Simulators) CRMs() map[string]string {
	crms := map[string]string{}
	for name, address := range s.addresses {
		if name != "admin" {
			crms[name] = address
		}
	}
	return crms
}

// Admin is the address of the control paths.
func (s *Simulators) Admin() string { return s.addresses["admin"] }

// Token is one that the simulator accepts; each simulator's package comment names
// it. Nothing outside this machine knows it.
func (s *Simulators) Token(crm string) string {
	switch crm {
	case "salesforce":
		return "00DSi0000000001!sim-static-token"
	case "dynamics":
		return "static-demo"
	default:
		return "pat-demo"
	}
}

// Held answers how many records of each kind a CRM holds.
func (s *Simulators) Held(ctx context.Context, crm string) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin()+"/_sim/"+crm+"/counters", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the %s simulator: %w", crm, err)
	}
	defer res.Body.Close()
	var counts struct {
		Held map[string]int `json:"held"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&counts); err != nil {
		return nil, fmt.Errorf("ask the %s simulator: %w", crm, err)
	}
	return counts.Held, nil
}
