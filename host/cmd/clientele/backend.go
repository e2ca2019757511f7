package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/host"
)

// callTimeout bounds one call of the command line.
const callTimeout = 2 * time.Minute

// backend is a host to talk to, wherever it is: by its socket, by its address,
// or one that this process started for the command.
type backend struct {
	client *http.Client
	base   string
	key    string
	tenant string
	close  func()
}

// open finds the host: --url, else the running one of the data directory, else
// its services in this process.
func (s *settings) open(ctx context.Context, tenant string) (*backend, error) {
	if s.url != "" {
		return s.openURL()
	}
	c, err := s.load()
	if err != nil {
		return nil, err
	}
	path := host.SocketPath(c.Data)
	if conn, err := net.DialTimeout("unix", path, 2*time.Second); err == nil {
		conn.Close()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}
		return &backend{
			client: &http.Client{Transport: transport}, base: "http://clientele", tenant: tenant,
			close: transport.CloseIdleConnections,
		}, nil
	} else if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("the host's socket %s belongs to another user: run this as the host's user, or use --url", path)
	}
	h, err := host.Start(ctx, host.Options{Config: c, Logger: newLogger(c, os.Stderr), Passive: true, Version: version})
	if err != nil {
		return nil, err
	}
	return &backend{client: &http.Client{Transport: inProcess{h.Handler()}}, base: "http://clientele", tenant: tenant, close: h.Stop}, nil
}

func (s *settings) openURL() (*backend, error) {
	b := &backend{client: &http.Client{}, base: strings.TrimSuffix(s.url, "/"), close: func() {}}
	if s.keyFile == "" {
		return nil, &codedError{exitUsage, errors.New("--url needs --key-file: a file with an API key made under Settings, API keys")}
	}
	key, err := os.ReadFile(s.keyFile)
	if err != nil {
		return nil, &codedError{exitUsage, fmt.Errorf("--key-file: %w", err)}
	}
	b.key = strings.TrimSpace(string(key))
	return b, nil
}

// call sends body as JSON and decodes the answer into out; either may be nil.
func (b *backend) call(ctx context.Context, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := b.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return refused(res)
	}
	text, err := readAnswer(res)
	if err != nil || out == nil || len(text) == 0 {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the host's answer: %w", err)
	}
	return nil
}

// send sends body as JSON, unless it is nil. The caller closes the answer's body.
func (b *backend) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.base+path, in)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if b.key != "" {
		req.Header.Set("Authorization", "Bearer "+b.key)
	}
	if b.tenant != "" {
		req.Header.Set(host.TenantHeader, b.tenant)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the host: %w", err)
	}
	return res, nil
}

func readAnswer(res *http.Response) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("read the host's answer: %w", err)
	}
	return text, nil
}

// refused is an answer that is no success as an error.
func refused(res *http.Response) error {
	text, err := readAnswer(res)
	if err != nil {
		return err
	}
	return refusal(res.StatusCode, text)
}

// refusal is a problem+json answer as an error: its sentence and each field's.
func refusal(status int, text []byte) error {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Errors []struct {
			Field  string `json:"field"`
			Rule   string `json:"rule"`
			WayOut string `json:"way_out"`
		} `json:"errors"`
	}
	if json.Unmarshal(text, &p) != nil || p.Title+p.Detail == "" {
		return fmt.Errorf("the host answered %d", status)
	}
	said := p.Detail
	if said == "" {
		said = p.Title
	}
	for _, e := range p.Errors {
		said += fmt.Sprintf("\n  %s %s: %s", e.Field, e.Rule, e.WayOut)
	}
	if status >= 500 {
		return errors.New(said)
	}
	return &codedError{exitRefused, errors.New(said)}
}

// inProcess answers requests without a network.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}
