package assist_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/channel/assist"
	"github.com/clientele-crm/clientele/host/connection"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// said is a message of which the rules are unsure: a name in lower case, and a
// company that no frame names.
const said = "my name is ann lee. The bakery Zabriskie Loaves is our shop. Mail me at ann@lee.example or 416-555-0199."

const key = "sk-very-secret"

// endpoint is a local chat endpoint that behaves as a test wants.
type endpoint struct {
	*httptest.Server
	calls  atomic.Int64
	bodies chan string
}

func newEndpoint(t *testing.T, answer http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{bodies: make(chan string, 100)}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.calls.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("asked at %s with the wrong key or body: %v", r.URL.Path, err)
		}
		e.bodies <- string(body)
		answer(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

// says answers a chat completion with the given content.
func says(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{
			"finish_reason": "stop", "message": map[string]string{"role": "assistant", "content": content},
		}}})
	}
}

// world is a tenant whose intake asks an endpoint.
type world struct {
	t       *testing.T
	db      *db.DB
	intake  *intake.Service
	clients *client.Service
	convs   *conversation.Service
	desk    *assist.Desk
	worker  *assist.Worker
	tenants *tenant.Service
	actor   actor.Actor
	runs    []string
}

func newWorld(t *testing.T, settings tenant.Endpoint) *world {
	t.Helper()
	d := dbtest.New(t)
	vault, err := connection.OpenVault(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: d, tenants: &tenant.Service{DB: d, Now: time.Now}}
	made, err := w.tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "CA", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	w.actor = actor.ForSystem(made.ID, "test")
	w.desk = &assist.Desk{DB: d, Vault: vault, Now: time.Now}
	if err := w.desk.SetKey(t.Context(), w.actor, key); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tenants.ChangeSettings(t.Context(), w.actor, tenant.Change{Endpoint: &settings}); err != nil {
		t.Fatal(err)
	}
	w.intake = &intake.Service{DB: d, Tenants: w.tenants, Now: time.Now}
	w.intake.AskAssistant = func(_ context.Context, _ pgx.Tx, _ actor.TenantID, run uuid.UUID) error {
		w.runs = append(w.runs, run.String())
		return nil
	}
	w.clients = &client.Service{DB: d, Now: time.Now, Region: func(context.Context, actor.TenantID) (string, error) { return "CA", nil }}
	w.convs = &conversation.Service{DB: d}
	w.worker = &assist.Worker{Intake: w.intake, Desk: w.desk, Client: assist.NewClient(true)}
	return w
}

func (w *world) take(text string) intake.Result {
	w.t.Helper()
	r, err := w.intake.Take(w.t.Context(), w.actor, intake.Message{Channel: "sms", ChannelIdentifier: "+14165550100", Text: text})
	if err != nil || r.State != "done" {
		w.t.Fatalf("take: %+v, %v", r, err)
	}
	return r
}

// ask runs the jobs of what was taken.
func (w *world) ask() {
	w.t.Helper()
	for _, run := range w.runs {
		job := &river.Job[assist.Args]{Args: assist.Args{TenantID: w.actor.Tenant.String(), RunID: run}}
		if err := w.worker.Work(w.t.Context(), job); err != nil {
			w.t.Fatal(err)
		}
	}
}

// advice is what the conversation's story tells of the endpoint.
func (w *world) advice(r intake.Result) intake.Advice {
	w.t.Helper()
	_, runs, err := w.convs.Explain(w.t.Context(), w.actor, conversation.ID{UUID: r.ConversationID.UUID})
	if err != nil || len(runs) == 0 {
		w.t.Fatalf("explain: %d runs, %v", len(runs), err)
	}
	var a intake.Advice
	if err := json.Unmarshal(runs[0].Advice, &a); err != nil {
		w.t.Fatalf("advice %s: %v", runs[0].Advice, err)
	}
	return a
}

// state is all that may change: the client's fields and its suggestions.
func (w *world) state(r intake.Result) string {
	w.t.Helper()
	c, err := w.clients.Get(w.t.Context(), w.actor, client.ID{UUID: r.ClientID.UUID})
	if err != nil {
		w.t.Fatal(err)
	}
	found, _, err := w.clients.Suggestions(w.t.Context(), w.actor, client.SuggestionQuery{})
	if err != nil {
		w.t.Fatal(err)
	}
	state := fmt.Sprintf("%s|%s|%s r%d", c.FirstName, c.LastName, c.Company, c.Revision)
	for _, s := range found {
		state += fmt.Sprintf("; %s=%s", s.Field, s.Value)
	}
	return state
}

// A slow, broken, lying or absent endpoint changes nothing, and the run says so.
func TestMisbehavingEndpointChangesNothing(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	cases := []struct {
		name, want string
		answer     http.HandlerFunc
	}{
		{"slow", "did not answer within 1s", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}},
		{"slow in the middle of its answer", "did not answer within 1s", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"choices":[`)
			w.(http.Flusher).Flush()
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}},
		{"hanging up", "could not be reached", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"broken", "HTTP 500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "zabriskie secret", 500) }},
		{"refusing the key", "refused the key", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }},
		{"sending elsewhere", "HTTP 302", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}},
		{"no JSON", "no chat completion", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>hello") }},
		{"no choices", "no chat completion", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }},
		{"endless", "longer than 64 KB", func(w http.ResponseWriter, _ *http.Request) {
			for range 200 {
				if _, err := w.Write(make([]byte, 1024)); err != nil {
					return
				}
			}
		}},
		{"prose", "not the JSON object", says("Sure! Here is my answer.")},
		{"prose after JSON", "goes on after", says(`{"verdicts":[],"proposals":[]} Anything else?`)},
		{"a long opinion", "longer than 16384 bytes", says(`{"verdicts":[],"proposals":[]}` + strings.Repeat(" ", 17000))},
		{"members of its own", "not the JSON object", says(`{"verdicts":[],"proposals":[],"client":{"first_name":"Eve"}}`)},
		{"half an opinion", "lacks", says(`{"verdicts":[]}`)},
		{"judging what was not asked", "was not asked", says(`{"verdicts":[{"id":99,"verdict":"confirm","reason":""}],"proposals":[]}`)},
		{"judging twice", "judged twice", says(`{"verdicts":[{"id":1,"verdict":"confirm","reason":""},{"id":1,"verdict":"veto","reason":""}],"proposals":[]}`)},
		{"a verdict of its own", "none of confirm", says(`{"verdicts":[{"id":1,"verdict":"maybe","reason":""}],"proposals":[]}`)},
		{"proposing an address", "neither name nor company", says(`{"verdicts":[],"proposals":[{"field":"email","value":"eve@evil.example","reason":""}]}`)},
	}
	var answer atomic.Pointer[http.HandlerFunc]
	e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request) { (*answer.Load())(w, r) })
	w := newWorld(t, tenant.Endpoint{URL: e.URL + "/v1", Model: "m", TimeoutSeconds: 1})
	for _, c := range cases {
		answer.Store(&c.answer)
		r := w.take(said + " Case: " + c.name)
		before := w.state(r)
		w.ask()
		a := w.advice(r)
		if a.State != intake.AdviceFailed || !strings.Contains(a.Error, c.want) {
			t.Errorf("%s: the run says %s: %q, want %q", c.name, a.State, a.Error, c.want)
		}
		if strings.Contains(a.Error, key) || strings.Contains(a.Error, e.URL) || strings.Contains(a.Error, "zabriskie") {
			t.Errorf("%s: the reason tells too much: %q", c.name, a.Error)
		}
		if after := w.state(r); after != before {
			t.Errorf("%s: something changed:\n%s\n%s", c.name, before, after)
		}
	}
	if n := e.calls.Load(); n != int64(len(cases)) {
		t.Errorf("%d calls for %d runs: one that has its advice was asked about again", n, len(cases))
	}
}

func TestAbsentEndpoint(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, says("{}"))
	e.Close()
	w := newWorld(t, tenant.Endpoint{URL: e.URL + "/v1", Model: "m"})
	r := w.take(said)
	before := w.state(r)
	w.ask()
	if a := w.advice(r); a.State != intake.AdviceFailed || !strings.Contains(a.Error, "could not be reached") {
		t.Errorf("the run says %s: %q", a.State, a.Error)
	}
	if after := w.state(r); after != before {
		t.Errorf("something changed: %s, %s", before, after)
	}
	w.worker.Client = assist.NewClient(false)
	r = w.take(said + " Please.")
	w.ask()
	if a := w.advice(r); a.State != intake.AdviceFailed || !strings.Contains(a.Error, "use https") {
		t.Errorf("plain http: %s: %q", a.State, a.Error)
	}
}

// An endpoint finds a company that the rules missed, invents one, names ours, and
// confirms what must stay a suggestion: the first becomes a suggestion, the
// others count for nothing.
func TestOpinionIsBoundToTheText(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, says(`{"verdicts":[{"id":1,"verdict":"confirm","reason":"says so"}],"proposals":[
  {"field":"company","value":"Zabriskie Loaves","reason":"their shop"},
  {"field":"company","value":"Zabriskie Holdings","reason":"surely"},
  {"field":"company","value":"Loaves is","reason":"a part"},
  {"field":"company","value":"abriskie","reason":"part of a word"},
  {"field":"name","value":"Eve Adams","reason":"sounds like it"}]}`))
	w := newWorld(t, tenant.Endpoint{URL: e.URL + "/v1", Model: "m"})
	r := w.take(said)
	if got := w.advice(r); got.State != intake.AdviceAsked {
		t.Errorf("before the job the run says %q", got.State)
	}
	w.ask()
	state := w.state(r)
	if !strings.Contains(state, "company=Zabriskie Loaves") || strings.Contains(state, "Holdings") || strings.Contains(state, "Eve") || strings.Contains(state, "=abriskie") {
		t.Errorf("got %s", state)
	}
	if !strings.HasPrefix(state, "|| r") {
		t.Errorf("a lower-case name or a proposal was written: %s", state)
	}
	outcomes := map[extract.Outcome]int{}
	for _, ruling := range w.advice(r).Rulings {
		outcomes[ruling.Outcome]++
	}
	if outcomes[extract.OutcomeProposed] == 0 || outcomes[extract.OutcomeRefused] < 3 || outcomes[extract.OutcomeKept] != 1 {
		t.Errorf("rulings: %v", outcomes)
	}
	// Only the sentences that are needed were sent, and no number in them.
	body := <-e.bodies
	if strings.Contains(body, "555-0199") || !strings.Contains(body, "ann lee") || !strings.Contains(body, "Zabriskie") {
		t.Errorf("asked: %s", body)
	}
}

// A confirmed suggestion fills an empty field; a vetoed one is closed.
func TestConfirmAndVeto(t *testing.T) {
	t.Parallel()
	text := "Hello, Calling from Zabriskie Loaves about the order."
	for _, verdict := range []string{"confirm", "veto", "unsure"} {
		t.Run(verdict, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, says(`{"verdicts":[{"id":1,"verdict":"`+verdict+`","reason":"as it says"}],"proposals":[]}`))
			w := newWorld(t, tenant.Endpoint{URL: e.URL + "/v1", Model: "m"})
			r := w.take(text)
			if before := w.state(r); !strings.Contains(before, "company=Zabriskie Loaves") {
				t.Fatalf("the rules are not unsure of it: %s", before)
			}
			w.ask()
			state := w.state(r)
			want := map[string]string{"confirm": "||Zabriskie Loaves r2", "veto": "|| r1", "unsure": "|| r1; company=Zabriskie Loaves"}[verdict]
			if state != want {
				t.Errorf("got %q, want %q", state, want)
			}
		})
	}
}

// What is not asked, and why, stands with the run.
func TestNotAsked(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, says(`{"verdicts":[],"proposals":[]}`))
	w := newWorld(t, tenant.Endpoint{URL: e.URL + "/v1", Model: "m", CallsPerDay: 1})
	w.take(said)
	second := w.take("my name is ann lee, is anybody there?")
	w.ask()
	if a := w.advice(second); e.calls.Load() != 1 || a.State != intake.AdviceSkipped || !strings.Contains(a.Error, "budget of 1 calls") {
		t.Errorf("%d calls; the second run says %s: %q", e.calls.Load(), a.State, a.Error)
	}
	if s, err := w.desk.Standing(t.Context(), w.actor); err != nil || s.CallsToday != 1 || !s.KeySet {
		t.Errorf("standing %+v, %v", s, err)
	}
	asked := len(w.runs)
	w.take("ok")
	if len(w.runs) != asked {
		t.Error("a message with nothing to ask is asked about")
	}
	third := w.take("my name is bo lee")
	if err := w.db.Tenant(t.Context(), w.actor, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE client SET sensitive = true`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	w.ask()
	if a := w.advice(third); a.State != intake.AdviceSkipped || !strings.Contains(a.Error, "sensitive") || e.calls.Load() != 1 {
		t.Errorf("a sensitive client: %s: %q", a.State, a.Error)
	}
}

// The job is in the queue when the message has committed, and River runs it.
func TestJobRunsAfterTheCommit(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, says(`{"verdicts":[],"proposals":[{"field":"company","value":"Zabriskie Loaves","reason":""}]}`))
	w := newWorld(t, tenant.Endpoint{URL: e.URL + "/v1", Model: "m"})
	w.intake.AskAssistant = assist.Enqueue(w.db)
	r := w.take(said)
	workers := river.NewWorkers()
	river.AddWorker(workers, w.worker)
	jobs, err := river.NewClient(riverpgxv5.New(w.db.Pool()), &river.Config{
		Schema: db.JobSchema, Workers: workers, Queues: map[string]river.QueueConfig{assist.Queue: {MaxWorkers: 2}},
		ReindexerIndexNames: []string{}, TestOnly: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	done, cancel := jobs.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
	defer cancel()
	if err := jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer jobs.StopAndCancel(context.WithoutCancel(t.Context()))
	select {
	case event := <-done:
		if event.Kind != river.EventKindJobCompleted {
			t.Fatalf("the job ended as %s", event.Kind)
		}
	case <-time.After(time.Minute):
		t.Fatal("no job ran")
	}
	if a := w.advice(r); a.State != intake.AdviceGiven || !strings.Contains(w.state(r), "company=Zabriskie Loaves") {
		t.Errorf("the run says %s %s; %s", a.State, a.Error, w.state(r))
	}
}

// A rotation of the host's key takes the endpoint's along.
func TestKeySurvivesRotation(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, says(`{"verdicts":[],"proposals":[]}`)) // insists on the key
	w := newWorld(t, tenant.Endpoint{URL: e.URL + "/v1", Model: "m"})
	vault, ok := w.desk.Vault.(*connection.Vault)
	if !ok {
		t.Fatal("the desk has another vault")
	}
	rotator := &connection.Rotator{DB: w.db, Vault: vault, Tenants: w.tenants, Columns: assist.SealedColumns()}
	done, err := rotator.Rotate(t.Context(), actor.ForOperator("test"), true)
	if err != nil || done.Secrets != 1 || done.Rewrapped != 1 {
		t.Fatalf("rotation: %+v, %v", done, err)
	}
	r := w.take(said)
	w.ask()
	if a := w.advice(r); a.State != intake.AdviceGiven {
		t.Errorf("the run says %s: %s", a.State, a.Error)
	}
}
