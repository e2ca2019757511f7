package crmsync

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/sdk"
)

// ledger collects what came of a batch, so that all of it is stored with a
// handful of statements in one transaction. Filling it has no effect outside.
type ledger struct {
	run      *run
	outcomes []outcomeRow
	unlinked []linkRow
	links    []linkRow
	reread   []linkRow
	synced   []syncedRow
	waiting  []waitRow
	excluded []excludedRow
	fields   map[string]decidedField
	events   []event.Event
	done     map[sdk.Done]int
}

// decidedField is a CRM field that is to be parked, and why.
type decidedField struct {
	Object, Field string
	Class         sdk.Class
	Reason        string
	Wait          time.Duration
}

func (r *run) newLedger() *ledger {
	return &ledger{run: r, fields: map[string]decidedField{}, done: map[sdk.Done]int{}}
}

// The rows, as json_to_recordset reads them.
type (
	outcomeRow struct {
		ID       uuid.UUID `json:"id"`
		Kind     string    `json:"kind"`
		SourceID uuid.UUID `json:"source_id"`
		Lane     string    `json:"lane"`
		Done     sdk.Done  `json:"done"`
		CRMID    string    `json:"crm_id"`
		Class    sdk.Class `json:"class"`
		Code     string    `json:"code"`
		Field    string    `json:"field"`
		Detail   string    `json:"detail"`
	}
	linkRow struct {
		Kind     string    `json:"kind"`
		SourceID uuid.UUID `json:"source_id"`
		Object   string    `json:"object"`
		CRMID    string    `json:"crm_id"`
		Version  string    `json:"version"`
		First    bool      `json:"-"` // the client was in this CRM never before
	}
	syncedRow struct {
		Kind     string               `json:"kind"`
		SourceID uuid.UUID            `json:"source_id"`
		Revision int64                `json:"revision"`
		Agreed   map[string]sdk.Value `json:"agreed"`
		Held     []string             `json:"held"`
		Reason   string               `json:"reason"`
	}
	waitRow struct {
		Kind       string    `json:"kind"`
		SourceID   uuid.UUID `json:"source_id"`
		Revision   int64     `json:"revision"` // that was tried
		Step       int       `json:"step"`
		Class      sdk.Class `json:"class"`
		Reason     string    `json:"reason"`
		Candidates []string  `json:"candidates"`
		Parked     bool      `json:"parked"`
		Millis     int64     `json:"millis"` // -1: nobody knows when
	}
	excludedRow struct {
		Kind     string    `json:"kind"`
		SourceID uuid.UUID `json:"source_id"`
		Reason   string    `json:"reason"`
	}
)

// log notes an outcome for people; a client's timeline gets its news too.
func (l *ledger) log(it item, o sdk.Outcome, notes []string) {
	var failure sdk.Error
	if o.Err != nil {
		failure = *o.Err
	}
	detail := failure.Message
	if detail == "" {
		detail = strings.Join(notes, "; ")
	}
	if failure.RequestID != "" {
		detail += " (request " + failure.RequestID + ")"
	}
	l.done[o.Done]++
	l.outcomes = append(l.outcomes, outcomeRow{
		uuid.Must(uuid.NewV7()), it.Kind, it.SourceID, it.Lane, o.Done, o.CRMID, failure.Class, failure.Code, failure.Field, clip(detail),
	})
	if it.Kind != kindClient || o.Done == sdk.Unchanged {
		return
	}
	kind, payload := event.Synced, map[string]any{"connection": l.run.connection.Name, "done": o.Done, "crm_id": o.CRMID}
	if o.Done == sdk.Failed {
		if it.Attempts > 0 {
			return // the first failure is news, its repetition is in the log
		}
		kind, payload["class"], payload["detail"] = event.SyncFailed, failure.Class, clip(detail)
	}
	l.events = append(l.events, event.Event{
		Kind: kind, ClientID: uuid.NullUUID{UUID: it.SourceID, Valid: true}, Payload: payload, At: l.run.engine.Now(),
	})
}

// maxText bounds what of a CRM's words is kept.
const maxText = 2000

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// link keeps the record's CRM id in place of the one before.
func (l *ledger) link(it item, o sdk.Outcome, object string) {
	if o.CRMID == "" {
		return
	}
	if it.CRMID != nil && *it.CRMID != o.CRMID {
		l.unlink(it)
	}
	l.links = append(l.links, linkRow{it.Kind, it.SourceID, object, o.CRMID, o.Version, it.Kind == kindClient && it.SyncedRevision == 0})
}

func (l *ledger) unlink(it item) {
	l.unlinked = append(l.unlinked, linkRow{Kind: it.Kind, SourceID: it.SourceID, CRMID: *it.CRMID})
}

// sync notes that the CRM holds a revision.
func (l *ledger) sync(it item, s settled) {
	held := s.held
	if held == nil {
		held = []string{}
	}
	l.synced = append(l.synced, syncedRow{it.Kind, it.SourceID, s.revision, s.agreed, held, clip(strings.Join(s.notes, "; "))})
}

// wait notes that an item is tried again, or parked.
func (l *ledger) wait(it item, d decision, class sdk.Class, reason string, candidates []string) {
	row := waitRow{it.Kind, it.SourceID, it.DesiredRevision, 0, class, clip(reason), candidates, d.Parked, d.Wait.Milliseconds()}
	if candidates == nil {
		row.Candidates = []string{}
	}
	if d.Counts {
		row.Step = 1
	}
	if d.Parked && d.Wait == 0 {
		row.Millis = -1
	}
	if d.Scope == ofConnection || d.Scope == ofLane || d.Scope == ofField {
		row.Millis = 0 // what is parked is not the item
	}
	l.waiting = append(l.waiting, row)
}

// exclude takes an item off that must not be in the CRM; what is there stays.
func (l *ledger) exclude(it item, reason string) {
	l.excluded = append(l.excluded, excludedRow{it.Kind, it.SourceID, reason})
}

// An item that was excluded while its call flew stays excluded: its client was
// merged or deleted meanwhile.
const (
	insertOutcomes = `INSERT INTO sync_outcome (id, tenant_id, connection_id, run_id, kind, source_id, lane, done, crm_id, class, code, field, detail, at)
SELECT x.id, $1, $2, $4, x.kind, x.source_id, x.lane, x.done, x.crm_id, x.class, x.code, x.field, x.detail, now()
  FROM json_to_recordset($3::text::json) AS x(id uuid, kind text, source_id uuid, lane text, done text, crm_id text, class text, code text, field text, detail text)`
	countRun = `INSERT INTO sync_run AS s (id, tenant_id, connection_id, host, started_at, created, updated, unchanged, removed, failed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET created = s.created + excluded.created, updated = s.updated + excluded.updated,
  unchanged = s.unchanged + excluded.unchanged, removed = s.removed + excluded.removed, failed = s.failed + excluded.failed`
	deleteLinks = `DELETE FROM crm_link l USING json_to_recordset($3::text::json) AS x(kind text, source_id uuid, crm_id text)
 WHERE l.tenant_id = $1 AND l.connection_id = $2 AND l.kind = x.kind AND l.source_id = x.source_id AND l.crm_id = x.crm_id`
	insertLinks = `INSERT INTO crm_link (tenant_id, connection_id, kind, source_id, object, crm_id, crm_version, is_primary, linked_at)
SELECT DISTINCT ON (x.object, x.crm_id) $1, $2, x.kind, x.source_id, x.object, x.crm_id, x.version,
       NOT EXISTS (SELECT FROM crm_link o WHERE o.tenant_id = $1 AND o.connection_id = $2 AND o.kind = x.kind AND o.source_id = x.source_id
                      AND o.is_primary AND (o.object, o.crm_id) <> (x.object, x.crm_id)), now()
  FROM json_to_recordset($3::text::json) AS x(kind text, source_id uuid, object text, crm_id text, version text)
ON CONFLICT (tenant_id, connection_id, object, crm_id) DO UPDATE SET crm_version = excluded.crm_version`
	forgetVersions = `UPDATE crm_link l SET crm_version = '' FROM json_to_recordset($3::text::json) AS x(kind text, source_id uuid, crm_id text)
 WHERE l.tenant_id = $1 AND l.connection_id = $2 AND l.kind = x.kind AND l.source_id = x.source_id AND l.crm_id = x.crm_id`
	// The activities that waited for a client's first record, and those kept out: a
	// visitor's go in when he turns out to be somebody.
	freeActivities = `UPDATE sync_item i SET state = 'due', due_at = now() FROM conversation v
 WHERE v.tenant_id = $1 AND v.client_id = ANY($3) AND i.tenant_id = $1 AND i.connection_id = $2 AND i.kind = 'conversation' AND i.source_id = v.id
   AND (i.state = 'due' AND i.due_at IS NULL OR i.state = 'excluded')`
	updateSynced = `UPDATE sync_item i SET synced_revision = greatest(i.synced_revision, x.revision), agreed = x.agreed, held = ARRAY(SELECT json_array_elements_text(x.held)),
  intent_at = NULL, attempts = 0, class = '', candidates = '{}', attempted_at = now(), synced_at = now(),
  reason = CASE i.state WHEN 'excluded' THEN i.reason ELSE x.reason END,
  state = CASE WHEN i.state = 'excluded' THEN i.state WHEN i.desired_revision > x.revision THEN 'due' ELSE 'synced' END,
  lane = CASE i.kind WHEN 'client' THEN 'update' ELSE 'activity' END,
  due_at = CASE WHEN i.state <> 'excluded' AND i.desired_revision > x.revision THEN CASE i.kind WHEN 'client' THEN $4 ELSE now() END END
  FROM json_to_recordset($3::text::json) AS x(kind text, source_id uuid, revision bigint, agreed json, held json, reason text)
 WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.kind = x.kind AND i.source_id = x.source_id`
	updateWaiting = `UPDATE sync_item i SET attempts = i.attempts + x.step, class = x.class, attempted_at = now(),
  candidates = ARRAY(SELECT json_array_elements_text(x.candidates)),
  reason = CASE i.state WHEN 'excluded' THEN i.reason ELSE x.reason END,
  state = CASE WHEN i.state = 'excluded' THEN i.state WHEN x.parked AND i.desired_revision <= x.revision THEN 'parked' ELSE 'due' END,
  due_at = CASE WHEN i.state = 'excluded' OR (x.parked AND x.millis < 0 AND i.desired_revision <= x.revision) THEN NULL
                WHEN x.parked AND i.desired_revision > x.revision THEN now()
                ELSE now() + make_interval(secs => greatest(x.millis, 0) / 1000.0) END
  FROM json_to_recordset($3::text::json) AS x(kind text, source_id uuid, revision bigint, step int, class text, reason text, candidates json, parked boolean, millis bigint)
 WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.kind = x.kind AND i.source_id = x.source_id`
	updateExcluded = `UPDATE sync_item i SET state = 'excluded', reason = x.reason, due_at = NULL, class = '', attempts = 0
  FROM json_to_recordset($3::text::json) AS x(kind text, source_id uuid, reason text)
 WHERE i.tenant_id = $1 AND i.connection_id = $2 AND i.kind = x.kind AND i.source_id = x.source_id`
	parkFields = `INSERT INTO sync_field AS f (tenant_id, connection_id, object, field, class, reason, parked_at, look_at)
VALUES ($1, $2, $3, $4, $5, $6, now(), now() + $7::interval)
ON CONFLICT (tenant_id, connection_id, object, field) DO UPDATE SET class = excluded.class, reason = excluded.reason, looks = f.looks + 1,
  parked_at = CASE WHEN f.look_at IS NULL THEN now() ELSE f.parked_at END,
  look_at = now() + least(interval '1 hour', (excluded.look_at - now()) * power(2, least(f.looks + 1, 10)))`
)

// write stores it all.
func (l *ledger) write(ctx context.Context, tx pgx.Tx) error {
	r := l.run
	batch := &pgx.Batch{}
	queue := func(sql string, rows any, n int, more ...any) error {
		if n == 0 {
			return nil
		}
		text, err := json.Marshal(rows)
		if err != nil {
			return fmt.Errorf("encode outcomes: %w", err)
		}
		batch.Queue(sql, append([]any{r.tenant, r.connection.ID, string(text)}, more...)...)
		return nil
	}
	for _, f := range l.fields {
		batch.Queue(parkFields, r.tenant, r.connection.ID, f.Object, f.Field, f.Class, clip(f.Reason), f.Wait)
	}
	for _, err := range []error{
		queue(insertOutcomes, l.outcomes, len(l.outcomes), r.journal.ID),
		queue(deleteLinks, l.unlinked, len(l.unlinked)),
		queue(insertLinks, l.links, len(l.links)),
		queue(forgetVersions, l.reread, len(l.reread)),
		queue(updateSynced, l.synced, len(l.synced), r.connection.NextUpdate(r.engine.Now())),
		queue(updateWaiting, l.waiting, len(l.waiting)),
		queue(updateExcluded, l.excluded, len(l.excluded)),
	} {
		if err != nil {
			return err
		}
	}
	if firsts := l.firsts(); len(firsts) > 0 {
		batch.Queue(freeActivities, r.tenant, r.connection.ID, firsts)
	}
	if batch.Len() > 0 {
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("store outcomes: %w", err)
		}
	}
	if err := event.Append(ctx, tx, r.actor, l.events...); err != nil || len(l.outcomes) == 0 {
		return err
	}
	// Last, since all batches in flight count in this row.
	_, err := tx.Exec(ctx, countRun, r.journal.ID, r.tenant, r.connection.ID, r.engine.Host, r.journal.Started,
		l.done[sdk.Created], l.done[sdk.Updated], l.done[sdk.Unchanged], l.done[removed], l.done[sdk.Failed])
	if err != nil {
		return fmt.Errorf("count outcomes: %w", err)
	}
	return nil
}

// firsts are the clients that have just got their first record.
func (l *ledger) firsts() []uuid.UUID {
	var ids []uuid.UUID
	for _, row := range l.links {
		if row.First {
			ids = append(ids, row.SourceID)
		}
	}
	return ids
}
