package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/simulator"
)

// Simulator is where a running simulator is controlled.
type Simulator struct {
	// Admin is the address of its admin port, Name the CRM's name there.
	Admin, Name string
}

// Connect asks a simulator how to connect to it; address is its CRM port.
func Connect(ctx context.Context, s Simulator, address string) (sdk.Connection, error) {
	subject, err := newCRM(s).ask(ctx)
	if err != nil {
		return sdk.Connection{}, err
	}
	fill := func(text string) string { return strings.ReplaceAll(text, "{base_url}", "http://"+address) }
	c := sdk.Connection{
		ID: "0199aaaa-0000-7000-8000-000000000001", Settings: []byte(fill(string(subject.Settings))),
		Token: sdk.Token{AccessToken: subject.AccessToken, Extras: map[string]string{}},
	}
	for name, value := range subject.Extras {
		c.Token.Extras[name] = fill(value)
	}
	return c, nil
}

// crm looks into a simulator and makes it fail.
type crm struct {
	at      Simulator
	http    *http.Client
	subject simulator.Subject
}

func newCRM(at Simulator) *crm { return &crm{at: at, http: &http.Client{Timeout: 30 * time.Second}} }

func (c *crm) ask(ctx context.Context) (s simulator.Subject, err error) {
	return s, c.call(ctx, http.MethodGet, "subject", nil, &s)
}

func (c *crm) prepare(ctx context.Context) (err error) {
	if c.subject, err = c.ask(ctx); err != nil {
		return err
	}
	if len(c.subject.Switches) > 0 {
		err = c.call(ctx, http.MethodPatch, "settings", c.subject.Switches, nil)
	}
	if err == nil && c.subject.Clock != "" {
		err = c.call(ctx, http.MethodPost, "clock", map[string]string{"advance": c.subject.Clock}, nil)
	}
	return err
}

func (c *crm) heal(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "faults", nil, nil)
}

func (c *crm) fail(ctx context.Context, f simulator.Fault) error {
	return c.call(ctx, http.MethodPost, "faults", f, nil)
}

// during makes the CRM fail while op runs, and tells how many requests it hit.
func (c *crm) during(ctx context.Context, f simulator.Fault, op func() error) (hits int, err error) {
	if err := c.fail(ctx, f); err != nil {
		return 0, err
	}
	wrong := op()
	var rules []simulator.Fault
	if err := c.call(ctx, http.MethodGet, "faults", nil, &rules); err != nil {
		return 0, err
	}
	for _, rule := range rules {
		hits += rule.Hits
	}
	if err := c.heal(ctx); err != nil {
		return 0, err
	}
	return hits, wrong
}

func (c *crm) counts(ctx context.Context) (n simulator.Counts, err error) {
	return n, c.call(ctx, http.MethodGet, "counters", nil, &n)
}

func (c *crm) merge(ctx context.Context, object, into, from string) error {
	return c.call(ctx, http.MethodPost, "subject/merge", map[string]string{"object": object, "into": into, "from": from}, nil)
}

func (c *crm) call(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, simulator.AdminURL(c.at.Admin, c.at.Name, path), bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("the simulator: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("the simulator: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("the simulator: %s %s: %w", method, path, err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the simulator: %s %s answered %d: %.200s", method, path, res.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("the simulator: %s %s: %w", method, path, err)
	}
	return nil
}
