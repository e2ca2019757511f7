package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/host/api"
)

func TestPushRawMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mail := "From: Lea Lund <lea@lund.example>\r\nTo: us@acme.example\r\nSubject: Offer\r\nMessage-ID: <1@lund.example>\r\n\r\nPlease send an offer.\r\n"
	c := call{method: "POST", path: "/v1/messages", credential: w.acme.secret, body: mail, header: map[string]string{"Content-Type": "message/rfc822"}}
	var first, again intake.Result
	w.do(t, c).want(200).json(&first)
	if first.State != "done" || !first.ClientCreated || first.Duplicate {
		t.Errorf("result %+v", first)
	}
	w.do(t, c).want(200).json(&again)
	if !again.Duplicate || again.ClientCreated || again.ClientID != first.ClientID {
		t.Errorf("second delivery %+v", again)
	}
	var got struct {
		Conversation struct{ Subject string }
		Messages     []struct{ Text string }
		Runs         []struct{ Decision map[string]any }
	}
	w.do(t, call{method: "GET", path: "/v1/conversations/" + first.ConversationID.UUID.String(), credential: w.acme.secret}).want(200).json(&got)
	if got.Conversation.Subject != "Offer" || len(got.Messages) != 1 || len(got.Runs) != 1 || len(got.Runs[0].Decision) == 0 {
		t.Errorf("conversation %+v", got)
	}
}

func TestPushRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		body   string
		status int
		fields []string
	}{
		"no JSON":               {`{"channel":`, 400, []string{"body"}},
		"nothing":               {``, 400, nil},
		"everything at once":    {`{"channel":7,"colour":"red","time":"yesterday"}`, 422, []string{"channel", "colour", "time"}},
		"unknown channel":       {`{"channel":"fax","direction":"sideways"}`, 422, []string{"channel", "direction"}},
		"a part without its id": {`{"channel":"voice","direction":"inbound","channel_identifier":"+14165550100"}`, 422, []string{"call.id"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.do(t, call{method: "POST", path: "/v1/messages", credential: w.acme.secret, body: c.body}).want(c.status).problem()
			fields := map[string]bool{}
			for _, e := range p.Errors {
				fields[e.Field] = true
				if e.Rule == "" || e.WayOut == "" {
					t.Errorf("incomplete %+v", e)
				}
			}
			for _, f := range c.fields {
				if !fields[f] {
					t.Errorf("%q is missing from %+v", f, p)
				}
			}
		})
	}
	w.do(t, call{method: "POST", path: "/v1/messages", credential: w.acme.secret, body: "<a/>", header: map[string]string{"Content-Type": "text/xml"}}).want(415).problem()
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		path, contentType string
		size              int
		limit             string
	}{
		"a mail of 50 MB":    {"/v1/messages", "message/rfc822", 50 << 20, "25 MB"},
		"a message of 50 MB": {"/v1/messages", "application/json", 50 << 20, "34 MB"},
		"anything else":      {"/v1/clients", "application/json", 1<<20 + 1, "1 MB"},
	} {
		for _, lengthKnown := range []bool{true, false} {
			t.Run(fmt.Sprint(name, lengthKnown), func(t *testing.T) {
				r := call{method: "POST", path: c.path, credential: w.acme.secret, body: strings.Repeat(" ", c.size), header: map[string]string{"Content-Type": c.contentType}, chunked: !lengthKnown}
				if p := w.do(t, r).want(413).problem(); !strings.Contains(p.Detail, c.limit) {
					t.Errorf("detail %q doesn't name the limit %s", p.Detail, c.limit)
				}
			})
		}
	}
	mime := strings.Repeat("a", (25<<20+500_000)/3*4)
	p := w.do(t, call{method: "POST", path: "/v1/messages", credential: w.acme.secret, body: `{"channel":"email","direction":"inbound","mime":"` + mime + `"}`}).want(413).problem()
	if !strings.Contains(p.Detail, "25 MB") {
		t.Errorf("detail %q", p.Detail)
	}
}

func TestSecretsAndValuesAreNotEchoed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []call{
		{method: "POST", path: "/v1/clients", body: `{"email": 12345678, "fields": {"first_name": ["hush"]}}`},
		{method: "POST", path: "/v1/keys", body: `{"name": "` + strings.Repeat("hush", 50) + `", "scopes": ["hush"]}`},
		{method: "GET", path: "/v1/clients?limit=hush&hush=1"},
	} {
		c.credential = w.acme.secret
		got := w.do(t, c).want(422)
		if body := got.Body.String(); strings.Contains(body, "12345678") || strings.Contains(body, `"hush"`) || strings.Contains(body, "hushhush") {
			t.Errorf("the answer repeats the value: %s", body)
		}
	}
	if strings.Contains(w.log.String(), "hush") {
		t.Errorf("the log repeats the value: %s", w.log)
	}
}

func TestClientLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.do(t, call{method: "POST", path: "/v1/clients", credential: w.acme.secret, body: `{"fields":{"first_name":"Lea","last_name":"Lund","zip":"01234"},"email":"lea@lund.example","phone":"(416) 555-0100"}`}).want(201)
	var c api.Client
	created.json(&c)
	if c.Name != "Lea Lund" || c.Fields["zip"] != "01234" || len(c.Identifiers) != 2 || created.Header().Get("Location") != "/v1/clients/"+c.ID.String() {
		t.Errorf("created %+v, %v", c, created.Header())
	}
	stale := created.Header().Get("ETag")

	path := "/v1/clients/" + c.ID.String()
	changed := w.do(t, call{method: "PATCH", path: path, credential: w.acme.secret, body: `{"fields":{"city":"Oslo"}}`, header: map[string]string{"If-Match": stale}}).want(200)
	if changed.Header().Get("ETag") == stale {
		t.Error("a change left the ETag as it was")
	}
	conflict := w.do(t, call{method: "PATCH", path: path, credential: w.acme.secret, body: `{"fields":{"city":"Bergen"}}`, header: map[string]string{"If-Match": stale}}).want(412)
	p := conflict.problem()
	if p.Current == nil || p.Current.Fields["city"] != "Oslo" || conflict.Header().Get("ETag") != changed.Header().Get("ETag") {
		t.Errorf("conflict %+v", p)
	}
	w.do(t, call{method: "PATCH", path: path, credential: w.acme.secret, body: `{}`, header: map[string]string{"If-Match": "W/3"}}).want(422).problem()
	w.do(t, call{method: "PATCH", path: path, credential: w.acme.secret, body: `{"fields":{"shoe_size":"43"}}`}).want(422).problem()
	w.do(t, call{method: "PATCH", path: path, credential: w.acme.secret, body: `{"fields":{"date_of_birth":"17 May"}}`}).want(422).problem()

	taken := w.do(t, call{method: "POST", path: "/v1/clients", credential: w.acme.secret, body: `{"email":"LEA@lund.example"}`}).want(409).problem()
	if len(taken.Errors) != 1 || taken.Errors[0].Field != "email" || !strings.Contains(taken.Errors[0].WayOut, c.ID.String()) {
		t.Errorf("taken address: %+v", taken)
	}
	if p := w.do(t, call{method: "POST", path: "/v1/clients", credential: w.acme.secret, body: `{}`}).want(422).problem(); len(p.Errors) == 0 {
		t.Errorf("an empty client: %+v", p)
	}

	var timeline struct{ Events []struct{ Kind string } }
	w.do(t, call{method: "GET", path: path + "/timeline", credential: w.acme.secret}).want(200).json(&timeline)
	if len(timeline.Events) < 2 || timeline.Events[len(timeline.Events)-1].Kind == "" {
		t.Errorf("timeline %+v", timeline)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 7 {
		if _, err := w.services.Clients.Create(t.Context(), w.acme.system, client.Edit{Fields: map[string]string{"company": fmt.Sprintf("Firm %d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	for path, wantAll := range map[string]int{
		"/v1/clients?limit=3&": 8, "/v1/clients?q=firm&limit=2&": 7,
		"/v1/clients/" + w.acme.client.ID.String() + "/timeline?limit=1&":      0,
		"/v1/clients/" + w.acme.client.ID.String() + "/conversations?limit=1&": 1,
	} {
		seen := map[string]bool{}
		for cursor, pages := "", 0; ; pages++ {
			var page struct {
				Clients, Events, Conversations []struct{ ID string }
				Total                          int
				Next                           string
			}
			w.do(t, call{method: "GET", path: path + "cursor=" + cursor, credential: w.acme.secret}).want(200).json(&page)
			for _, item := range append(append(page.Clients, page.Events...), page.Conversations...) {
				if seen[item.ID] {
					t.Fatalf("%s: %s is on two pages", path, item.ID)
				}
				seen[item.ID] = true
			}
			if page.Next == "" {
				break
			}
			if cursor = page.Next; pages > 50 {
				t.Fatalf("%s never ends", path)
			}
		}
		if len(seen) < max(wantAll, 1) || wantAll > 0 && len(seen) != wantAll {
			t.Errorf("%s: %d items over all pages, want %d", path, len(seen), wantAll)
		}
	}
	for _, cursor := range []string{"x", "e30x!", strings.Repeat("e30", 200), "bnVsbA%3D%3D"} {
		w.do(t, call{method: "GET", path: "/v1/clients?cursor=" + cursor, credential: w.acme.secret}).want(422).problem()
	}
}

func TestNothingThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(t, call{method: "GET", path: "/v1/nothing", credential: w.acme.secret}).want(404).problem()
	got := w.do(t, call{method: "DELETE", path: "/v1/clients", credential: w.acme.secret}).want(405)
	if got.problem(); got.Header().Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %q", got.Header().Get("Allow"))
	}
	w.do(t, call{method: "GET", path: "/v1/clients/17", credential: w.acme.secret}).want(422).problem()
	w.do(t, call{method: "GET", path: "/v1/clients/0198c0de-0000-7000-8000-000000000000", credential: w.acme.secret}).want(404).problem()
}

func TestOtherSitesCannotUseASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cookie := w.cookie(t, w.acme.system, "member")
	post := call{method: "POST", path: "/v1/clients", credential: cookie, body: `{"fields":{"first_name":"Lea"}}`, header: map[string]string{"Sec-Fetch-Site": "cross-site"}}
	w.do(t, post).want(403).problem()
	post.header = map[string]string{"Sec-Fetch-Site": "same-origin"}
	w.do(t, post).want(201)
}

func TestSlowQueriesAreGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// Somebody holds the table; the list waits and must not wait for ever.
	err := w.db.Tenant(t.Context(), w.acme.system, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT 1 FROM client WHERE id = $1 FOR UPDATE`, w.acme.client.ID); err != nil {
			return err
		}
		short, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, context.DeadlineExceeded)
		defer cancel()
		c := call{method: "PATCH", path: "/v1/clients/" + w.acme.client.ID.String(), credential: w.acme.secret, body: `{"fields":{"city":"Oslo"}}`, ctx: short}
		if got := w.do(t, c).want(503); got.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrorsOfOursAreLoggedNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.services
	s.Authenticate = func(*http.Request) (a actor.Actor, err error) {
		return a, errors.New("password=hush at 10.0.0.7")
	}
	w.handler = api.New(s)
	got := w.do(t, call{method: "GET", path: "/v1/clients"}).want(500)
	p := got.problem()
	id, ok := strings.CutPrefix(p.Instance, "urn:uuid:")
	if !ok || strings.Contains(got.Body.String(), "hush") || !strings.Contains(w.log.String(), id) {
		t.Errorf("answer %s, log %s", got.Body, w.log)
	}
	s.Authenticate = func(*http.Request) (actor.Actor, error) { panic("boom") }
	w.handler = api.New(s)
	w.do(t, call{method: "GET", path: "/v1/clients"}).want(500).problem()
}
