package api

import (
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/channel/assist"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
)

// Services are what the API calls. All fields are needed but Authenticate,
// Checks and Version.
type Services struct {
	// DB is for idempotency keys only.
	DB            *db.DB
	Access        *access.Service
	Tenants       *tenant.Service
	Clients       *client.Service
	Conversations *conversation.Service
	Intake        *intake.Service
	Assistant     *assist.Desk
	Connections   *connection.Service
	Senders       *sender.Service
	Outbound      *outbound.Service
	Sync          *crmsync.Status
	Backfills     *crmsync.Backfills
	Audit         *event.Auditor
	Adapters      *catalog.Desk
	Now           func() time.Time
	Logger        *slog.Logger
	// Registry gets the API's own metrics and is what /metrics shows.
	Registry *prometheus.Registry
	// Checks are what /readyz asks.
	Checks []Check
	// Authenticate replaces Access.Authenticate where the connection itself says
	// who calls: on the host's own socket the peer is the operator.
	Authenticate func(*http.Request) (actor.Actor, error)
	// Version is shown in the OpenAPI document.
	Version string
}

// Patterns are what the API answers, in the words of http.ServeMux.
func Patterns() []string {
	return []string{"/v1/", "/docs/", "/docs", "/openapi.json", "/openapi.yaml", "/livez", "/readyz", "/metrics"}
}

// New makes the API's handler for all Patterns.
func New(s Services) http.Handler {
	if s.Authenticate == nil {
		s.Authenticate = s.Access.Authenticate
	}
	srv := &server{Services: s, idempotency: newIdempotency(s.DB, s.Now), metrics: newMetrics(s.Registry)}
	mux := http.NewServeMux()
	srv.register(mux)
	srv.health(mux)
	docs(mux)
	mux.HandleFunc("/", srv.notFound(mux))

	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		newProblem(http.StatusForbidden, "a page of another site may not use your session: send an API key instead").write(w)
	}))
	return srv.recovered(s.Access.Sessions(crossOrigin.Handler(mux)))
}

type server struct {
	Services
	idempotency *idempotency
	metrics     *metrics
}

// register puts the table of routes on the mux and into the OpenAPI document.
func (s *server) register(mux *http.ServeMux) {
	api := huma.NewAPI(s.config(), &adapter{mux: mux, server: s})
	schemas := api.OpenAPI().Components.Schemas
	problem := &huma.Response{Description: "Error", Content: map[string]*huma.MediaType{
		problemType: {Schema: schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")},
	}}
	for _, r := range Routes() {
		op := huma.Operation{
			OperationID: r.ID, Method: r.Method, Path: r.Path, Summary: r.Summary, Description: r.describe(), Tags: []string{r.Tag},
			DefaultStatus: r.status, Security: []map[string][]string{{"key": {}}}, Metadata: map[string]any{routeKey: r},
			Responses: map[string]*huma.Response{"default": problem},
			// The guard has read the body, within its limit and deadline.
			MaxBodyBytes: -1, BodyReadTimeout: -1,
		}
		if r.Method != http.MethodGet && !r.secret {
			op.Parameters = append(op.Parameters, idempotencyParam())
		}
		r.register(s, api, op)
	}
	// Huma documents its own error body, which no answer has: see fromHuma.
	delete(schemas.Map(), "HumaErrorModel")
	delete(schemas.Map(), "HumaErrorDetail")
}

func (s *server) config() huma.Config {
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Clientele", Version: s.Version,
				Description: "Send conversations, read and edit the clients that come from them. Sign in, or send an API key: `Authorization: Bearer ck_…`. " +
					"A key belongs to one tenant, and so does everything it sees. Errors are problem documents (RFC 9457) that list all that is wrong at once.",
			},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer", BearerFormat: "ck_…"}},
			},
		},
		OpenAPIPath:                  "/openapi",
		DefaultFormat:                "application/json",
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat, mailType: mailFormat()},
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{fromHuma},
	}
	return c
}

// schemaName names a schema after its type, and after its package where that is
// another: both intake and conversation have a Message.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if pkg := path.Base(t.PkgPath()); t.Name() != "" && pkg != "api" && !strings.HasPrefix(strings.ToLower(name), pkg) {
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	return name
}

// adapter puts huma's operations on a mux, each route behind its guard.
type adapter struct {
	mux    *http.ServeMux
	server *server
}

// Handle implements huma.Adapter.
func (a *adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Accept", "application/json") // the one thing the API answers
		handler(humago.NewContext(op, r, w))
	})
	if r, ok := op.Metadata[routeKey].(Route); ok {
		h = a.server.guard(r, h)
	}
	a.mux.Handle(op.Method+" "+op.Path, h)
}

// ServeHTTP implements huma.Adapter.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// notFound answers what no route matches: a path that isn't there, or a method
// that the path doesn't have.
func (s *server) notFound(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 || slices.Contains(allowed, r.Method) {
			newProblem(http.StatusNotFound, "there is nothing at this path: see /docs").write(w)
			return
		}
		newProblem(http.StatusMethodNotAllowed, "this path takes "+strings.Join(allowed, ", ")).with("Allow", strings.Join(allowed, ", ")).write(w)
	}
}
