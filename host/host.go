package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/postgres"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/channel/assist"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/config"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
	"github.com/clientele-crm/clientele/sdk"
)

// Options are what a host is started with.
type Options struct {
	Config config.Config
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Reread reads the configuration again for a reload; nil means that it never
	// changes.
	Reread func() (config.Config, error)
	// Passive starts the services only: no adapters, no engine, no jobs, no
	// listener. What is due waits for a host that works.
	Passive bool
	// Version is shown in the API's description.
	Version string
}

// Host is a running daemon. Its fields are the services that pages, API and
// command line call.
type Host struct {
	options Options
	log     *slog.Logger
	now     func() time.Time

	DB            *db.DB
	Tenants       *tenant.Service
	Access        *access.Service
	Clients       *client.Service
	Conversations *conversation.Service
	Audit         *event.Auditor
	Intake        *intake.Service
	Assistant     *assist.Desk
	Connections   *connection.Service
	Secrets       *connection.Rotator
	Senders       *sender.Service
	Outbound      *outbound.Service
	Sync          *crmsync.Status
	Backfills     *crmsync.Backfills
	Adapters      *plugin.Registry
	AdapterDesk   *catalog.Desk
	Sweeper       *conversation.Sweeper

	registry *prometheus.Registry
	handler  http.Handler
	address  string
	stops    []func() // what Start took, in order
	failed   chan error
}

// Start starts a host; when it fails, everything it took is given back.
func Start(ctx context.Context, o Options) (_ *Host, err error) {
	h := &Host{options: o, log: o.Logger, now: o.Now, registry: prometheus.NewRegistry(), failed: make(chan error, 4)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.now == nil {
		h.now = time.Now
	}
	defer func() {
		if err != nil {
			h.Stop()
		}
	}()
	if err := h.openDatabase(ctx); err != nil {
		return nil, err
	}
	if err := h.makeServices(); err != nil {
		return nil, err
	}
	if o.Passive {
		h.handler = h.makeHandler(nil)
		return h, nil
	}
	if err := h.startWork(ctx); err != nil {
		return nil, err
	}
	return h, h.listen(ctx)
}

// Stop stops everything, in the opposite order of the start.
func (h *Host) Stop() {
	for i := len(h.stops) - 1; i >= 0; i-- {
		h.stops[i]()
	}
	h.stops = nil
}

// Failed tells when a part that must not end has ended.
func (h *Host) Failed() <-chan error { return h.failed }

// Address is where pages and API are served, as a URL.
func (h *Host) Address() string { return h.address }

// Handler answers what the host's socket answers: the operator is calling.
func (h *Host) Handler() http.Handler { return h.handler }

func (h *Host) onStop(fn func()) { h.stops = append(h.stops, fn) }

// Dir is a directory below the data directory.
func (h *Host) Dir(name string) string { return filepath.Join(h.options.Config.Data, name) }

func (h *Host) openDatabase(ctx context.Context) error {
	c := h.options.Config
	if err := os.MkdirAll(c.Data, 0o711); err != nil {
		return fmt.Errorf("data directory: %w: choose another with --data", err)
	}
	if err := sharedWithServer(c.Data); err != nil {
		return err
	}
	url, owner := string(c.Database.URL), string(c.Database.MigrateURL)
	if url == "" {
		server, err := postgres.Start(ctx, postgres.Options{Dir: h.Dir("pg"), Durable: true, Logger: h.log.With("part", "postgres")})
		if err != nil {
			return fmt.Errorf("start the host's own PostgreSQL: %w", err)
		}
		h.onStop(func() {
			if err := server.Stop(); err != nil {
				h.log.Error("stop PostgreSQL", "error", err)
			}
		})
		url, owner = server.AppURL(postgres.Database), server.OwnerURL(postgres.Database)
	}
	if owner != "" {
		if err := db.Migrate(ctx, owner, h.log); err != nil {
			return fmt.Errorf("migrate the database: %w", err)
		}
	}
	d, err := db.Open(ctx, db.Options{URL: url, Logger: h.log.With("part", "db")})
	if err != nil {
		return err
	}
	h.DB = d
	h.onStop(d.Close)
	return nil
}

// sharedWithServer lets the database server's own user pass through the data
// directory where the host is root; nobody else learns what is in it.
func sharedWithServer(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if info.Mode().Perm()&0o001 == 0 {
		if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	return nil
}

func (h *Host) makeServices() error {
	c := h.options.Config
	keyFile := c.Secrets.KeyFile
	if keyFile == "" {
		keyFile = filepath.Join(h.Dir("keys"), "secrets.key")
	}
	vault, err := connection.OpenVault(keyFile)
	if err != nil {
		return err
	}
	marker := &crmsync.Marker{DB: h.DB}
	h.Tenants = &tenant.Service{DB: h.DB, Now: h.now}
	h.Access, err = access.New(h.DB, h.now, access.Options{
		Logger: h.log.With("part", "access"), Secure: strings.HasPrefix(c.Server.PublicURL, "https:"),
	})
	if err != nil {
		return err
	}
	h.Outbound = &outbound.Service{DB: h.DB, Now: h.now, Zones: &policy.Zones{}}
	h.Clients = &client.Service{DB: h.DB, Now: h.now, Changes: marker, Outbound: h.Outbound, Region: h.region}
	h.Conversations = &conversation.Service{DB: h.DB, Now: h.now, Changes: marker, Outbound: h.Outbound}
	h.Audit = &event.Auditor{DB: h.DB, Now: h.now}
	h.Intake = &intake.Service{DB: h.DB, Tenants: h.Tenants, Now: h.now, Clients: marker, Conversations: marker, Outbound: h.Outbound, AskAssistant: assist.Enqueue(h.DB)}
	h.Assistant = &assist.Desk{DB: h.DB, Vault: vault, Now: h.now}
	h.Sweeper = &conversation.Sweeper{DB: h.DB, Now: h.now, Changes: marker}
	h.Senders = sender.New(sender.Options{DB: h.DB, Vault: vault, Now: h.now, Private: c.Senders.PrivateNetworks})
	h.onStop(h.Senders.Close)
	h.makeAdapterDesk()
	h.Sync = &crmsync.Status{DB: h.DB}
	h.Backfills = &crmsync.Backfills{Marker: marker, Describe: h.describe}
	h.Connections = &connection.Service{
		DB: h.DB, Vault: vault, Now: h.now, Describe: h.describe, Adapter: h.adapter, Spent: marker.Spent,
		Added: marker.ConnectionAdded, Changed: marker.ConnectionChanged, PublicURL: c.Server.PublicURL, Apps: apps(c),
	}
	h.Secrets = &connection.Rotator{DB: h.DB, Vault: vault, Tenants: h.Tenants, Columns: slices.Concat(
		connection.SealedColumns(), sender.SealedColumns(), assist.SealedColumns())}
	return nil
}

func (h *Host) startWork(ctx context.Context) error {
	id := hostID()
	if err := h.startAdapters(ctx, id); err != nil {
		return err
	}
	engine := &crmsync.Engine{
		DB: h.DB, Connections: h.Connections, Adapter: h.Adapters.AdapterFor, Host: id, Now: h.now,
		Log: h.log.With("part", "sync"), Link: h.link,
	}
	engine.Start(ctx)
	h.onStop(engine.Stop)
	dispatcher := &outbound.Dispatcher{Service: h.Outbound, Senders: h.Senders, Host: id, Log: h.log.With("part", "outbound")}
	if err := dispatcher.Start(ctx); err != nil {
		return err
	}
	h.onStop(dispatcher.Stop)
	return h.startJobs(ctx, engine, dispatcher)
}

func (h *Host) region(ctx context.Context, t actor.TenantID) (string, error) {
	found, err := h.Tenants.Get(ctx, t)
	return found.Region, err
}

// adapter is the running adapter for a tenant.
func (h *Host) adapter(name string, t actor.TenantID) (sdk.Adapter, error) {
	if h.Adapters == nil {
		return nil, errors.New("no adapter runs here: start the host with `clientele serve`")
	}
	return h.Adapters.AdapterFor(name, t)
}

// apps are the applications that operators have registered with CRMs.
func apps(c config.Config) map[string]connection.App {
	found := map[string]connection.App{}
	for _, a := range c.Adapters {
		if a.ClientID != "" {
			found[a.Name] = connection.App{ClientID: a.ClientID, ClientSecret: string(a.ClientSecret)}
		}
	}
	return found
}

func (h *Host) describe(ctx context.Context, adapter string) (sdk.Description, error) {
	if h.Adapters == nil {
		return sdk.Description{}, errors.New("no adapter runs here: start the host with `clientele serve`")
	}
	a, err := h.Adapters.Adapter(adapter)
	if err != nil {
		return sdk.Description{}, err
	}
	return a.Describe(ctx)
}

// link is a conversation's address for people in the CRM.
func (h *Host) link(conversation string) string {
	if h.options.Config.Server.PublicURL == "" {
		return ""
	}
	return strings.TrimSuffix(h.options.Config.Server.PublicURL, "/") + "/conversations/" + conversation
}

// hostID tells this process from every other one on the database.
func hostID() string {
	name, err := os.Hostname()
	if err != nil {
		name = "host"
	}
	return name + "-" + uuid.NewString()[:8]
}

// removeStale removes a socket that a killed host left behind.
func removeStale(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the old socket: %w", err)
	}
	return nil
}
