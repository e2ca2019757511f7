package web

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
)

// Services are what the pages call. All fields are needed but PublicURL.
type Services struct {
	Access        *access.Service
	Tenants       *tenant.Service
	Clients       *client.Service
	Conversations *conversation.Service
	Connections   *connection.Service
	Sync          *crmsync.Status
	Now           func() time.Time
	Logger        *slog.Logger
}

// The limits of one request: forms are small, and a page that takes longer is
// given up.
const (
	formLimit    = 64 << 10
	pageDeadline = 15 * time.Second
)

// New makes the handler of all pages. It fails when a template is broken, which
// a test rules out.
func New(s Services) (http.Handler, error) {
	look, err := loadLook()
	if err != nil {
		return nil, err
	}
	st := &site{Services: s, look: look}
	mux := http.NewServeMux()
	for _, r := range Pages() {
		mux.Handle(r.Method+" "+r.Path, st.page(r))
	}
	mux.Handle("GET /static/{file}", look)
	mux.Handle("/", st.page(Page{Open: true, serve: (*site).notFound}))

	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(st.page(Page{Open: true, serve: (*site).otherSite}))
	return st.outer(s.Access.Sessions(crossOrigin.Handler(mux))), nil
}

type site struct {
	Services
	look *look
}

// policy lets a page load our own files only, and send forms only to us.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// outer sets what every answer carries.
func (s *site) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, formLimit)
		next.ServeHTTP(w, r)
	})
}
