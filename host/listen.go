package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/web"
)

// TenantHeader names the tenant that the operator's command line works for; it
// counts on the host's own socket only.
const TenantHeader = "Clientele-Tenant"

// SocketPath is where a running host listens for its command line.
func SocketPath(data string) string { return filepath.Join(data, "run", "clientele.sock") }

// listen serves pages and API on the configured address, and the API for the
// command line on a socket that only the host's own user can open.
func (h *Host) listen(ctx context.Context) error {
	l, err := net.Listen("tcp", h.options.Config.HTTP.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("http.listen: %s is taken by another program: stop it, or set another address", h.options.Config.HTTP.Listen)
	}
	if err != nil {
		return fmt.Errorf("http.listen: %w", err)
	}
	h.address = "http://" + l.Addr().String()
	public, err := h.makePublic()
	if err != nil {
		l.Close()
		return err
	}
	h.serve(l, public)

	path := SocketPath(h.options.Config.Data)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the socket's directory: %w", err)
	}
	if err := removeStale(path); err != nil {
		return err
	}
	socket, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen on the host's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("close the host's socket to others: %w", err)
	}
	h.handler = h.makeHandler(h.operator)
	h.serve(socket, h.handler)
	return ctx.Err()
}

func (h *Host) serve(l net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			h.failed <- fmt.Errorf("serve on %s: %w", l.Addr(), err)
		}
	}()
	h.onStop(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	})
}

// makeHandler is the API for whoever holds the data directory.
func (h *Host) makeHandler(authenticate func(*http.Request) (actor.Actor, error)) http.Handler {
	if authenticate == nil {
		authenticate = h.operator
	}
	return api.New(h.apiServices(authenticate))
}

// operator is who calls on the host's own socket: the file's permissions let
// only the host's user in. With a tenant named, the command line works as that
// tenant's automation with all scopes, and its events say so: whoever can open the
// socket can open the database too.
func (h *Host) operator(r *http.Request) (actor.Actor, error) {
	slug := r.Header.Get(TenantHeader)
	if slug == "" {
		return actor.ForOperator("command line"), nil
	}
	t, err := h.Tenants.BySlug(r.Context(), slug)
	if err != nil {
		return actor.Actor{}, &access.Unauthenticated{Reason: err.Error()}
	}
	return actor.Actor{
		Tenant: t.ID, Kind: actor.Automation, Name: "command line",
		Scopes: []actor.Scope{actor.ScopeRead, actor.ScopeWrite, actor.ScopeExport, actor.ScopeAdmin},
	}, nil
}

func (h *Host) apiServices(authenticate func(*http.Request) (actor.Actor, error)) api.Services {
	return api.Services{
		DB: h.DB, Access: h.Access, Tenants: h.Tenants, Clients: h.Clients, Conversations: h.Conversations, Intake: h.Intake, Assistant: h.Assistant,
		Connections: h.Connections, Senders: h.Senders, Sync: h.Sync, Backfills: h.Backfills, Audit: h.Audit, Adapters: h.AdapterDesk,
		Now: h.now, Logger: h.log.With("part", "api"), Registry: h.registry, Version: h.options.Version, Authenticate: authenticate,
		Outbound: h.Outbound,
		Checks:   h.checks(),
	}
}

// makePublic is what people and programs reach: the pages, and the API under its
// own paths.
func (h *Host) makePublic() (http.Handler, error) {
	pages, err := web.New(web.Services{
		Access: h.Access, Tenants: h.Tenants, Clients: h.Clients, Conversations: h.Conversations, Connections: h.Connections,
		Sync: h.Sync, Now: h.now, Logger: h.log.With("part", "web"),
	})
	if err != nil {
		return nil, fmt.Errorf("make the pages: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	programs := api.New(h.apiServices(nil))
	for _, pattern := range api.Patterns() {
		mux.Handle(pattern, programs)
	}
	return mux, nil
}

// checks are what the host needs to do its work.
func (h *Host) checks() []api.Check {
	return []api.Check{
		{Name: "database", Run: func(ctx context.Context) error { return h.DB.Pool().Ping(ctx) }},
		{Name: "adapters", Run: func(context.Context) error {
			if h.Adapters == nil {
				return nil
			}
			var down error
			for _, s := range h.Adapters.Status() {
				if s.PID == 0 {
					down = errors.Join(down, fmt.Errorf("%s does not run: %s", s.Name, s.Cause))
				}
			}
			return down
		}},
	}
}
