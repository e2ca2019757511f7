package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// checkDeadline is below the usual patience of what asks /readyz.
const checkDeadline = 3 * time.Second

// Check is one thing the host needs to do its work. Run answers nil when it is
// there; its error's text is shown to whoever asks, so it holds no secret.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// health adds what machines ask: /livez says that the process answers, /readyz
// that everything it needs is there, /metrics how it does.
func (s *server) health(mux *http.ServeMux) {
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))
}

// ready runs all checks at once and names each with its outcome.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkDeadline)
	defer cancel()
	outcomes := make([]string, len(s.Checks))
	var wg sync.WaitGroup
	for i, check := range s.Checks {
		wg.Go(func() {
			outcomes[i] = "ok"
			if err := check.Run(ctx); err != nil {
				outcomes[i] = err.Error()
			}
		})
	}
	wg.Wait()
	status, word, checks := http.StatusOK, "ok", map[string]string{}
	for i, check := range s.Checks {
		checks[check.Name] = outcomes[i]
		if outcomes[i] != "ok" {
			status, word = http.StatusServiceUnavailable, "not ready"
		}
	}
	writeJSON(w, status, map[string]any{"status": word, "checks": checks})
}

// docs shows the OpenAPI document as a page that loads nothing from elsewhere.
func docs(mux *http.ServeMux) {
	page := v5emb.NewWithConfig(swgui.Config{HideCurl: false})("Clientele API", "/openapi.json", "/docs/")
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/docs/", http.StatusMovedPermanently)
	})
	mux.HandleFunc("GET /docs/", func(w http.ResponseWriter, r *http.Request) {
		// The page comes with a script of its own between its tags.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'")
		w.Header().Del("Cache-Control")
		page.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The caller is gone if this fails; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
