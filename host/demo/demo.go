// Package demo makes the sample tenant of `make run`: it starts the CRM
// simulators, connects them, feeds the sample conversations in and counts what
// came of them. It uses the host as anybody would, through its services.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-crm/clientele/configs"
	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/channel"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// Slug is the sample tenant's short name.
const Slug = "demo"

// syncPatience is how long the demo waits for the CRMs before it says that they
// are behind.
const syncPatience = 2 * time.Minute

// parkedPatience is how long a pause of a connection the demo waits out.
const parkedPatience = 20 * time.Second

// Report is what a run did, in the form of `demo --json`.
type Report struct {
	Messages            int             `json:"messages"`
	ClientsCreated      int             `json:"clients_created"`
	ClientsUpdated      int             `json:"clients_updated"`
	ConversationsLinked int             `json:"conversations_linked"`
	CRM                 map[string]*CRM `json:"crm"`
	Seconds             float64         `json:"seconds"`
	Failures            []string        `json:"failures,omitempty"`
}

// CRM is what one CRM holds after a run, and what the run did there.
type CRM struct {
	Records    int   `json:"records"` // held by the CRM
	Created    int   `json:"created"` // in this run
	Activities int   `json:"activities"`
	Calls      int64 `json:"calls"`
}

// Demo is the sample tenant on a host.
type Demo struct {
	Host       *host.Host
	Simulators *Simulators
	// Progress is told after each message; nil means nobody looks.
	Progress func(done, of int)
	// Step is told what is being done; nil means nobody looks.
	Step func(what string)

	tenant tenant.Tenant
	system actor.Actor
}

// Run makes the tenant where it is missing, feeds the samples in and waits until
// every CRM holds what it should. A second run finds everything there.
func (d *Demo) Run(ctx context.Context) (*Report, error) {
	started := time.Now()
	report := &Report{CRM: map[string]*CRM{}}
	d.step("making the demo tenant")
	if err := d.makeTenant(ctx); err != nil {
		return nil, err
	}
	connections, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	before := map[string]*CRM{}
	for name, c := range connections {
		if before[name], err = d.count(ctx, name, c); err != nil {
			return nil, err
		}
	}
	d.step("reading the sample conversations")
	if err := d.feed(ctx, report); err != nil {
		return nil, err
	}
	if err := d.endSilent(ctx); err != nil {
		return nil, err
	}
	d.step("bringing clients and activities to the CRM")
	for name, c := range connections {
		if err := d.awaitSync(ctx, c); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		after, err := d.count(ctx, name, c)
		if err != nil {
			return nil, err
		}
		after.Created -= before[name].Created
		after.Calls -= before[name].Calls
		report.CRM[name] = after
	}
	report.Seconds = time.Since(started).Seconds()
	return report, nil
}

func (d *Demo) makeTenant(ctx context.Context) error {
	operator := actor.ForOperator("demo")
	t, err := d.Host.Tenants.BySlug(ctx, Slug)
	if _, missing := errors.AsType[*tenant.NotFoundError](err); missing {
		t, err = d.Host.Tenants.Create(ctx, operator, tenant.New{
			Slug: Slug, Name: "Brightline (demo)", Region: "US", Timezone: "America/New_York",
			Settings: tenant.Settings{Extraction: extract.Settings{
				OwnDomains: []string{"brightline.example.com"}, OwnNumbers: []string{"+12125550100"}, Agents: []string{"Sam Okafor"},
			}},
		})
	}
	if err != nil {
		return err
	}
	d.tenant, d.system = t, actor.ForSystem(t.ID, "demo")
	return nil
}

// connect makes one connection for each CRM that is simulated, or points the one
// there is at the simulator's address of today.
func (d *Demo) connect(ctx context.Context) (map[string]*connection.Connection, error) {
	existing, err := d.Host.Connections.List(ctx, d.system)
	if err != nil {
		return nil, err
	}
	found := map[string]*connection.Connection{}
	for name, address := range d.Simulators.CRMs() {
		settings, err := json.Marshal(map[string]string{"base_url": "http://" + address})
		if err != nil {
			return nil, err
		}
		for i := range existing {
			if existing[i].Adapter == name {
				found[name] = &existing[i]
			}
		}
		if c := found[name]; c != nil {
			if _, err := d.Host.Connections.Change(ctx, d.system, c.ID, connection.Edit{Settings: settings}); err != nil {
				return nil, fmt.Errorf("point the %s connection at its simulator: %w", name, err)
			}
			continue
		}
		found[name], err = d.Host.Connections.Create(ctx, d.system, connection.New{
			Adapter: name, Name: name + " simulator", Settings: settings,
			Secrets: map[string]string{connection.AccessToken: d.Simulators.Token(name)},
		})
		if err != nil {
			return nil, fmt.Errorf("connect the %s simulator: %w", name, err)
		}
	}
	return found, nil
}

func (d *Demo) feed(ctx context.Context, report *Report) error {
	var items []channel.Item
	for item := range channel.ReadFS(configs.Samples, "samples/mail.mbox", "samples/messages.jsonl") {
		items = append(items, item)
	}
	for i, item := range items {
		if item.Err != nil {
			return fmt.Errorf("sample %s: %w", item.Name, item.Err)
		}
		r, err := d.Host.Intake.Take(ctx, d.system, item.Message)
		if err != nil {
			return fmt.Errorf("sample %s: %w", item.Name, err)
		}
		report.add(item.Name, r)
		if d.Progress != nil {
			d.Progress(i+1, len(items))
		}
	}
	return nil
}

func (r *Report) add(name string, result intake.Result) {
	r.Messages++
	if result.ClientCreated {
		r.ClientsCreated++
	}
	if result.ClientUpdated {
		r.ClientsUpdated++
	}
	if result.NewLink {
		r.ConversationsLinked++
	}
	if result.Error != "" {
		r.Failures = append(r.Failures, name+": "+result.Error)
	}
}

// endSilent ends the conversations that fell silent long ago, so that the demo
// need not wait for the next sweep.
func (d *Demo) endSilent(ctx context.Context) error {
	for {
		n, err := d.Host.Sweeper.Sweep(ctx, 500)
		if err != nil || n == 0 {
			return err
		}
	}
}

func (d *Demo) awaitSync(ctx context.Context, c *connection.Connection) error {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	for {
		counts, err := d.Host.Sync.OfConnection(ctx, d.system, c.ID)
		if err != nil {
			return err
		}
		if counts.Due == 0 && counts.Waiting == 0 {
			return nil
		}
		now, err := d.Host.Connections.Get(ctx, d.system, c.ID)
		if err != nil {
			return err
		}
		if now.ParkedUntil != nil && time.Until(*now.ParkedUntil) > parkedPatience {
			return fmt.Errorf("%d clients and activities wait: %s", counts.Due+counts.Waiting, now.Reason)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d clients and activities still wait after %s", counts.Due+counts.Waiting, syncPatience)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// count asks the CRM what it holds, and our books what was spent.
func (d *Demo) count(ctx context.Context, name string, c *connection.Connection) (*CRM, error) {
	counts, err := d.Host.Sync.OfConnection(ctx, d.system, c.ID)
	if err != nil {
		return nil, err
	}
	held, err := d.Simulators.Held(ctx, name)
	if err != nil {
		return nil, err
	}
	about, err := d.describe(ctx, name)
	if err != nil {
		return nil, err
	}
	out := &CRM{Created: counts.Created, Calls: counts.Calls}
	for _, o := range about.Objects {
		switch o.Role {
		case sdk.RoleClient:
			out.Records += held[o.Name]
		case sdk.RoleActivity:
			out.Activities += held[o.Name]
		}
	}
	return out, nil
}

func (d *Demo) describe(ctx context.Context, name string) (sdk.Description, error) {
	a, err := d.Host.Adapters.Adapter(name)
	if err != nil {
		return sdk.Description{}, err
	}
	return a.Describe(ctx)
}

func (d *Demo) step(what string) {
	if d.Step != nil {
		d.Step(what)
	}
}

// People makes the tenant's admin and member, once, with these passwords.
func (d *Demo) People(ctx context.Context, passwords map[string]string) error {
	admin := actor.Actor{Tenant: d.tenant.ID, Kind: actor.System, Name: "demo"}
	users, err := d.Host.Access.ListUsers(ctx, admin)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, u := range users {
		have[u.Email] = true
	}
	for email, role := range map[string]actor.Role{AdminEmail: actor.Admin, MemberEmail: actor.Member} {
		if have[email] {
			continue
		}
		if _, err := d.Host.Access.CreateUser(ctx, admin, access.NewUser{
			Email: email, Name: "Demo " + string(role), Role: role, Password: passwords[email],
		}); err != nil {
			return fmt.Errorf("make the demo's %s: %w", role, err)
		}
	}
	return nil
}

// The people of the sample tenant.
const (
	AdminEmail  = "admin@demo.example.com"
	MemberEmail = "member@demo.example.com"
)
