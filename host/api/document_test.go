package api_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/api"
)

func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Properties map[string]any }
			}
		}
	}
	w.do(t, call{method: "GET", path: "/openapi.json"}).want(200).json(&doc)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	for _, r := range api.Routes() {
		if got := doc.Paths[r.Path][strings.ToLower(r.Method)].OperationID; got != r.ID {
			t.Errorf("%s %s is documented as %q", r.Method, r.Path, got)
		}
	}
	for _, f := range client.Fields() {
		if _, ok := doc.Components.Schemas["Client"].Properties["fields"].Properties[f.Name]; !ok {
			t.Errorf("the field %s is not documented", f.Name)
		}
	}
	if _, ok := doc.Components.Schemas["Problem"]; !ok {
		t.Error("errors are not documented")
	}
	for name := range doc.Components.Schemas {
		if strings.HasPrefix(name, "Huma") {
			t.Errorf("the document describes %s, which no answer is", name)
		}
	}
	w.do(t, call{method: "GET", path: "/openapi.yaml"}).want(200)
}

func TestDocsLoadNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(t, call{method: "GET", path: "/docs"}).want(301)
	page := w.do(t, call{method: "GET", path: "/docs/"}).want(200).Body.String()
	assets := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(assets) < 3 {
		t.Fatalf("no assets in %s", page)
	}
	for _, m := range assets {
		if !strings.HasPrefix(m[1], "/docs/") {
			t.Errorf("the page loads %s", m[1])
			continue
		}
		w.do(t, call{method: "GET", path: m[1]}).want(200)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.services
	broken := errors.New("the database is away")
	var err error
	s.Checks = []api.Check{{Name: "database", Run: func(context.Context) error { return err }}, {Name: "adapters", Run: func(context.Context) error { return nil }}}
	w.handler = api.New(s)
	w.do(t, call{method: "GET", path: "/livez"}).want(200)
	w.do(t, call{method: "GET", path: "/readyz"}).want(200)
	err = broken
	var got struct {
		Status string
		Checks map[string]string
	}
	w.do(t, call{method: "GET", path: "/readyz"}).want(503).json(&got)
	if got.Checks["database"] != broken.Error() || got.Checks["adapters"] != "ok" {
		t.Errorf("checks %+v", got)
	}
}

func TestMetricsCountRoutesNotPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(t, call{method: "GET", path: "/v1/clients/" + w.acme.client.ID.String(), credential: w.acme.secret}).want(200)
	w.do(t, call{method: "GET", path: "/v1/clients"}).want(401)
	body := w.do(t, call{method: "GET", path: "/metrics"}).want(200).Body.String()
	for _, want := range []string{`route="/v1/clients/{id}",status="200"`, `route="/v1/clients",status="401"`} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(body, w.acme.client.ID.String()) {
		t.Error("metrics hold an id")
	}
}

// Every pattern that the host must mount is really answered.
func TestPatterns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range api.Patterns() {
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, httptest.NewRequest("GET", p, nil))
		if p != "/v1/" && rec.Code >= 400 {
			t.Errorf("%s: status %d", p, rec.Code)
		}
	}
}
