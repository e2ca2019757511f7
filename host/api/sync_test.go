package api_test

import (
	"context"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/host/crmsync"
)

// ambiguous makes the house's client one that two records of the CRM may be.
func (w *world) ambiguous(t *testing.T, h house) (crmID string) {
	t.Helper()
	crmID = uuid.NewString()
	w.sql(t, h, `DELETE FROM crm_link`)
	w.sql(t, h, `UPDATE sync_item SET state = 'parked', class = 'duplicate', reason = '=the CRM holds several', due_at = NULL, attempts = 1, candidates = ARRAY[$1, 'other'] WHERE kind = 'client' AND source_id = $2`, crmID, h.client.ID)
	return crmID
}

func (w *world) sql(t *testing.T, h house, sql string, args ...any) {
	t.Helper()
	err := w.db.Tenant(t.Context(), h.system, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is parked is told with its next action, exported, retried by class, and
// settled by a person's choice.
func TestSyncTroubleIsToldAndMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	crmID := w.ambiguous(t, w.acme)
	path := "/v1/connections/" + w.acme.connection
	get := func(path string, out any) {
		t.Helper()
		w.do(t, call{method: "GET", path: path, credential: w.acme.secret}).want(200).json(out)
	}
	var sync struct {
		Counts   crmsync.Counts
		Problems []crmsync.Problem
		Backfill *crmsync.Backfill
	}
	get(path+"/sync", &sync)
	if len(sync.Problems) != 1 || sync.Problems[0].Stops != "records" || sync.Problems[0].Who != "data_owner" || sync.Problems[0].Next == "" || sync.Backfill == nil {
		t.Errorf("sync %+v", sync)
	}
	var states struct{ Connections []crmsync.ClientState }
	get("/v1/clients/"+w.acme.client.ID.String()+"/crm", &states)
	if s := states.Connections[0]; s.State != "parked" || !strings.Contains(s.Why, "several") || !strings.Contains(s.Match, crmID) || s.Advice == nil {
		t.Errorf("state %+v", s)
	}
	answer := w.do(t, call{method: "GET", path: path + "/failures", credential: w.acme.secret}).want(200)
	rows, err := csv.NewReader(answer.Body).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][1] != w.acme.client.ID.String() || rows[1][3] != "duplicate" || rows[1][4] != "'=the CRM holds several" {
		t.Errorf("failures %q, %v", rows, err)
	}
	due := func(query string) int64 {
		t.Helper()
		var out struct{ Due int64 }
		w.do(t, call{method: "POST", path: path + "/retry" + query, credential: w.acme.secret}).want(200).json(&out)
		return out.Due
	}
	if n := due("?class=validation"); n != 0 {
		t.Errorf("%d records of another class were retried", n)
	}
	if n := due("?record=" + uuid.NewString()); n != 0 {
		t.Errorf("%d other records were retried", n)
	}
	p := w.do(t, call{method: "PUT", path: path + "/clients/" + w.acme.client.ID.String() + "/record", credential: w.acme.secret, body: `{"crm_id":"stranger"}`}).want(422).problem()
	if len(p.Errors) != 1 || p.Errors[0].Field != "crm_id" || p.Errors[0].WayOut == "" {
		t.Errorf("a choice that is no candidate: %+v", p)
	}
	if n := due("?class=duplicate&record=" + w.acme.client.ID.String()); n != 1 {
		t.Errorf("%d records were retried, want 1", n)
	}
}

// A backfill is estimated before it starts, can rest while the other lanes go on,
// and goes on.
func TestBackfillOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/connections/" + w.acme.connection
	var e crmsync.Estimate
	w.do(t, call{method: "GET", path: path + "/backfill/estimate", credential: w.acme.secret}).want(200).json(&e)
	if e.Clients != 1 || e.Calls != 2 || e.Measured {
		t.Errorf("estimate %+v", e)
	}
	var b crmsync.Backfill
	w.do(t, call{method: "POST", path: path + "/backfill", credential: w.acme.secret}).want(201).json(&b)
	if b.Clients != 1 || b.StartedBy == "" {
		t.Errorf("backfill %+v", b)
	}
	var sync struct{ Backfill *crmsync.Backfill }
	for _, step := range []struct {
		path   string
		paused bool
	}{{"/backfill/pause", true}, {"/backfill/resume", false}} {
		w.do(t, call{method: "POST", path: path + step.path, credential: w.acme.secret}).want(204)
		w.do(t, call{method: "GET", path: path + "/sync", credential: w.acme.secret}).want(200).json(&sync)
		if sync.Backfill.Paused != step.paused {
			t.Errorf("after %s: %+v", step.path, sync.Backfill)
		}
	}
}
