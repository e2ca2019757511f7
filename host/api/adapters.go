package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
	"github.com/clientele-crm/clientele/sdk/conformance"
)

// adapterDeadline is what a swap may take: start, verify, and the longest call in
// flight on the version before.
const adapterDeadline = 4 * time.Minute

// AdapterVersion is one program of one adapter in the catalog.
type AdapterVersion struct {
	Adapter     string           `json:"adapter"`
	Version     string           `json:"version" doc:"What the program says it is"`
	SHA256      string           `json:"sha256"`
	Origin      catalog.Origin   `json:"origin" enum:"config,install"`
	Conformance int              `json:"conformance" doc:"The level of the conformance suite that it reached, of 6; 0: it has not been tried"`
	Required    int              `json:"required_conformance" doc:"The level that the adapter's versions must have reached to serve; 0: any"`
	Quarantine  string           `json:"quarantine,omitempty" doc:"Why no host serves it, where it kept crashing"`
	AddedBy     string           `json:"added_by"`
	AddedAt     time.Time        `json:"added_at"`
	Chosen      bool             `json:"chosen" doc:"Operators want it for everybody"`
	Pinned      []actor.TenantID `json:"pinned" doc:"Tenants that get it whatever others get"`
}

// AdapterRunning is one version on one host.
type AdapterRunning struct {
	Host           string       `json:"host"`
	Adapter        string       `json:"adapter"`
	Version        string       `json:"version"`
	SHA256         string       `json:"sha256"`
	DesiredVersion string       `json:"desired_version" doc:"What is chosen, or else what the host's configuration declares; empty where the catalog has not seen it run"`
	DesiredSHA256  string       `json:"desired_sha256"`
	Drift          bool         `json:"drift" doc:"Everybody gets something else than the host's configuration declares"`
	Tenants        int          `json:"tenants" doc:"How many tenants are pinned to it; 0: it serves everybody else"`
	State          plugin.State `json:"state" enum:"starting,running,down,quarantined,stopped"`
	Cause          string       `json:"cause" doc:"Why it does not run, or why another version can't take its place"`
	Restarts       int          `json:"restarts"`
	SeenAt         time.Time    `json:"seen_at"`
}

type listAdaptersOutput struct {
	Body struct {
		Running  []AdapterRunning `json:"running"`
		Versions []AdapterVersion `json:"versions" doc:"Newest first within an adapter"`
	}
}

func (s *server) listAdapters(ctx context.Context, a actor.Actor, _ *struct{}) (*listAdaptersOutput, error) {
	o, err := s.Adapters.Overview(ctx, a)
	if err != nil {
		return nil, err
	}
	out := &listAdaptersOutput{}
	out.Body.Running, out.Body.Versions = []AdapterRunning{}, []AdapterVersion{}
	chosen, said := map[string]string{}, map[string]string{}
	for _, v := range o.Versions {
		out.Body.Versions = append(out.Body.Versions, AdapterVersion{
			Adapter: v.Adapter, Version: v.Version, SHA256: v.SHA256, Origin: v.Origin, Conformance: int(v.Conformance), Required: int(v.Required), Quarantine: v.Quarantine,
			AddedBy: v.AddedBy, AddedAt: v.AddedAt, Chosen: v.Chosen, Pinned: list(v.Pinned),
		})
		said[v.SHA256] = v.Version
		if v.Chosen {
			chosen[v.Adapter] = v.SHA256
		}
	}
	for _, r := range o.Running {
		desired := r.DeclaredSHA256
		if sum := chosen[r.Adapter]; sum != "" {
			desired = sum
		}
		if r.Tenants > 0 {
			desired = r.SHA256
		}
		out.Body.Running = append(out.Body.Running, AdapterRunning{
			Host: r.Host, Adapter: r.Adapter, Version: r.Version, SHA256: r.SHA256, DesiredVersion: said[desired], DesiredSHA256: desired,
			Drift: r.Drift, Tenants: r.Tenants, State: r.State, Cause: r.Cause, Restarts: r.Restarts, SeenAt: r.SeenAt,
		})
	}
	return out, nil
}

type installAdapterInput struct {
	Body struct {
		Path string `json:"path" minLength:"1" maxLength:"4096" doc:"A program, or a directory with a manifest, on the host's machine"`
	}
}

type installAdapterOutput struct {
	Body struct {
		Adapter string `json:"adapter"`
		Version string `json:"version"`
	}
}

func (s *server) installAdapter(ctx context.Context, a actor.Actor, in *installAdapterInput) (*installAdapterOutput, error) {
	ref, err := s.Adapters.Install(ctx, a, in.Body.Path)
	if err != nil {
		return nil, err
	}
	out := &installAdapterOutput{}
	out.Body.Adapter, out.Body.Version = ref.Adapter, ref.Version
	return out, nil
}

// AdapterPath is the part of an input that names an adapter.
type AdapterPath struct {
	Adapter string `path:"adapter" maxLength:"40"`
}

// AdapterVersionPath is the part of an input that names a version of an adapter.
type AdapterVersionPath struct {
	AdapterPath
	Version string `path:"version" maxLength:"100" doc:"As the program says, or at least 8 digits of its sha256"`
}

func (s *server) removeAdapter(ctx context.Context, a actor.Actor, in *AdapterVersionPath) (*struct{}, error) {
	return &struct{}{}, s.Adapters.Remove(ctx, a, catalog.Ref{Adapter: in.Adapter, Version: in.Version})
}

type conformanceInput struct {
	AdapterVersionPath
	Body struct {
		Level int `json:"level" minimum:"0" maximum:"6" doc:"As clientele adapter conformance reports it"`
	}
}

func (s *server) setConformance(ctx context.Context, a actor.Actor, in *conformanceInput) (*struct{}, error) {
	ref := catalog.Ref{Adapter: in.Adapter, Version: in.Version}
	return &struct{}{}, s.Adapters.Catalog.SetConformance(ctx, a, ref, conformance.Level(in.Body.Level))
}

type requirementInput struct {
	AdapterPath
	Body struct {
		Level int `json:"level" minimum:"0" maximum:"6" doc:"The least that a version must have reached to serve; 0: any serves"`
	}
}

func (s *server) requireConformance(ctx context.Context, a actor.Actor, in *requirementInput) (*struct{}, error) {
	return &struct{}{}, s.Adapters.Catalog.Require(ctx, a, in.Adapter, conformance.Level(in.Body.Level))
}

type useAdapterInput struct {
	AdapterPath
	Body struct {
		Version string `json:"version,omitempty" maxLength:"100" doc:"As the program says, or at least 8 digits of its sha256; without it the choice is taken back"`
		Tenant  string `json:"tenant,omitempty" maxLength:"63" doc:"The slug of the one tenant that gets it; without it everybody does"`
	}
}

func (s *server) useAdapter(ctx context.Context, a actor.Actor, in *useAdapterInput, tell func(catalog.Progress)) error {
	ref := catalog.Ref{Adapter: in.Adapter, Version: in.Body.Version}
	if in.Body.Tenant == "" {
		return s.Adapters.Use(ctx, a, ref, nil, tell)
	}
	t, err := s.Tenants.BySlug(ctx, in.Body.Tenant)
	if err != nil {
		return err
	}
	return s.Adapters.Use(ctx, a, ref, &t.ID, tell)
}

func (s *server) rollbackAdapter(ctx context.Context, a actor.Actor, in *AdapterPath, tell func(catalog.Progress)) error {
	return s.Adapters.Rollback(ctx, a, in.Adapter, tell)
}

type verifyAdapterInput struct {
	AdapterPath
	Version string `query:"version" maxLength:"100" doc:"Without it, what serves everybody"`
}

func (s *server) verifyAdapter(ctx context.Context, a actor.Actor, in *verifyAdapterInput, tell func(catalog.Progress)) error {
	return s.Adapters.Verify(ctx, a, catalog.Ref{Adapter: in.Adapter, Version: in.Version}, tell)
}

func (s *server) reloadAdapters(ctx context.Context, a actor.Actor, _ *struct{}, tell func(catalog.Progress)) error {
	return s.Adapters.Reload(ctx, a, tell)
}

const linesType = "application/x-ndjson"

// AdapterProgress is one line of an answer that comes while things happen.
type AdapterProgress struct {
	Adapter string      `json:"adapter,omitempty"`
	Step    plugin.Step `json:"step,omitempty" enum:"stage,start,verify,flip,drain,done" doc:"What begins"`
	Outcome string      `json:"outcome,omitempty" doc:"How it ended for this adapter"`
	Problem *Problem    `json:"problem,omitempty" doc:"In the last line: what went wrong. An answer without it went well"`
}

// watch is handle for what takes so long that the caller watches: each thing that
// is told of becomes a line at once. What fails before the first line is answered
// as everywhere else.
func watch[I any](r Route, call func(*server, context.Context, actor.Actor, *I, func(catalog.Progress)) error) Route {
	r.deadline = adapterDeadline
	r.register = func(s *server, api huma.API, op huma.Operation) {
		line := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[AdapterProgress](), true, "AdapterProgress")
		op.Responses["200"] = &huma.Response{Description: "A line of JSON for each thing that happens, when it does", Content: map[string]*huma.MediaType{linesType: {Schema: line}}}
		huma.Register(api, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				_, w := humago.Unwrap(hc)
				l := &lines{w: w}
				if err := call(s, ctx, actorOf(ctx), in, l.tell); err != nil {
					l.end(s.problem(ctx, err))
				}
			}}, nil
		})
	}
	return r
}

// lines writes progress while a call runs. A caller who is gone stops nothing.
type lines struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	begun bool
}

func (l *lines) tell(p catalog.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writeLocked(AdapterProgress{Adapter: p.Adapter, Step: p.Step, Outcome: p.Outcome})
}

func (l *lines) end(p *Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun {
		p.write(l.w)
		return
	}
	l.writeLocked(AdapterProgress{Problem: p})
}

func (l *lines) writeLocked(line AdapterProgress) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", linesType)
		l.w.WriteHeader(http.StatusOK)
	}
	_ = json.NewEncoder(l.w).Encode(line)
	_ = http.NewResponseController(l.w).Flush()
}
