package api_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/plugin"
)

func TestAdapters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator, err := w.services.Access.CreateUser(t.Context(), actor.ForOperator("test"), access.NewUser{Email: "op@host.example", Role: access.RoleOperator, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	cookie := w.signIn(t, operator.Email)
	post := func(path string, body any) reply {
		return w.do(t, call{method: "POST", path: "/v1/adapters" + path, credential: cookie, body: body})
	}
	if p := post("/one/verify", nil).want(409).problem(); !strings.Contains(p.Detail, "clientele serve") {
		t.Errorf("no adapter runs, and the caller hears %q", p.Detail)
	}
	w.runAdapters(t)

	post("", map[string]any{"path": w.adapter}).want(201)
	post("", map[string]any{"path": "/nowhere"}).want(409)
	if p := post("/one/use", map[string]any{"version": "9"}).want(404).problem(); !strings.Contains(p.Detail, "it has 2") {
		t.Errorf("an unknown version: %q, want those there are", p.Detail)
	}
	post("/one/use", map[string]any{"version": "2", "tenant": "nobody"}).want(404).problem()

	got := progress(t, post("/one/use", map[string]any{"version": "2"}).want(200))
	want := []plugin.Step{plugin.StepStage, plugin.StepStart, plugin.StepVerify, plugin.StepFlip, plugin.StepDrain, plugin.StepDone, ""}
	if !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
	w.wantRunning(t, cookie, "2 wants 2, drift true")
	progress(t, post("/one/rollback", nil).want(200))
	w.wantRunning(t, cookie, "1 wants 1, drift false")
	progress(t, post("/one/use", map[string]any{"version": "2", "tenant": "acme"}).want(200))
	w.wantRunning(t, cookie, "1 wants 1, drift false; 2 wants 2, drift false")
	w.do(t, call{method: "DELETE", path: "/v1/adapters/one/versions/2", credential: cookie}).want(409).problem()
	progress(t, post("/one/use", map[string]any{"tenant": "acme"}).want(200))
	w.wantRunning(t, cookie, "1 wants 1, drift false")
	w.do(t, call{method: "DELETE", path: "/v1/adapters/one/versions/2", credential: cookie}).want(204)
}

// progress reads the lines of an answer that went well.
func progress(t *testing.T, r reply) (steps []plugin.Step) {
	t.Helper()
	for lines := json.NewDecoder(r.Body); lines.More(); {
		var line api.AdapterProgress
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Problem != nil || line.Adapter != "one" || (line.Step == "") == (line.Outcome == "") {
			t.Errorf("line %+v", line)
		}
		steps = append(steps, line.Step)
	}
	return steps
}

func (w *world) wantRunning(t *testing.T, cookie, want string) {
	t.Helper()
	var list struct{ Running []api.AdapterRunning }
	w.do(t, call{method: "GET", path: "/v1/adapters", credential: cookie}).want(200).json(&list)
	var said []string
	for _, r := range list.Running {
		drift := "drift false"
		if r.Drift {
			drift = "drift true"
		}
		said = append(said, r.Version+" wants "+r.DesiredVersion+", "+drift)
	}
	if got := strings.Join(said, "; "); got != want {
		t.Errorf("running: %s; want %s", got, want)
	}
}
