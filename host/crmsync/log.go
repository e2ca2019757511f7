package crmsync

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// Outcome is one line of a connection's log.
type Outcome struct {
	ID           uuid.UUID     `json:"id"`
	ConnectionID connection.ID `json:"connection_id"`
	RunID        uuid.NullUUID `json:"run_id"`
	Kind         string        `json:"kind"`
	SourceID     uuid.UUID     `json:"source_id"`
	Lane         string        `json:"lane"`
	Done         string        `json:"done"`
	CRMID        string        `json:"crm_id"`
	Class        string        `json:"class"`
	Code         string        `json:"code"`
	Field        string        `json:"field"`
	Detail       string        `json:"detail"`
	At           time.Time     `json:"at"`
}

const outcomeColumns = `SELECT id, connection_id, run_id, kind, source_id, lane, done, crm_id, class, code, field, detail, at FROM sync_outcome`

// Log answers a connection's latest outcomes, at most limit.
func (s *Status) Log(ctx context.Context, a actor.Actor, id connection.ID, limit int) ([]Outcome, error) {
	return s.Search(ctx, a, id, LogFilter{Limit: limit})
}

// LogFilter narrows a connection's log. Empty members don't.
type LogFilter struct {
	Source uuid.NullUUID // one client's or conversation's
	Run    uuid.NullUUID
	Done   string
	Class  string
	Before uuid.NullUUID // outcomes older than this one
	Limit  int
}

// Search answers outcomes, newest first. Ids of outcomes grow with time, so the
// last one of a page is where the next begins.
func (s *Status) Search(ctx context.Context, a actor.Actor, id connection.ID, f LogFilter) ([]Outcome, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []Outcome
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, outcomeColumns+`
 WHERE connection_id = $1 AND ($2::uuid IS NULL OR source_id = $2) AND ($3::uuid IS NULL OR run_id = $3)
   AND ($4 = '' OR done = $4) AND ($5 = '' OR class = $5)
   AND ($6::uuid IS NULL OR (at, id) < (SELECT at, id FROM sync_outcome WHERE id = $6))
 ORDER BY at DESC, id DESC LIMIT $7`, id, f.Source, f.Run, f.Done, f.Class, f.Before, f.Limit)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[Outcome])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the sync log: %w", err)
	}
	return found, nil
}

// Run is one stretch of work on a connection, counted from its outcomes.
type Run struct {
	ID        uuid.UUID  `json:"id"`
	Host      string     `json:"host"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"` // null: at work, or its host was killed
	EndedBy   string     `json:"ended_by"` // why it was cut short, or empty
	Created   int64      `json:"created"`
	Updated   int64      `json:"updated"`
	Unchanged int64      `json:"unchanged"`
	Removed   int64      `json:"removed"`
	Failed    int64      `json:"failed"`
	Calls     int64      `json:"calls"`
}

// Runs answers a connection's latest runs, at most limit.
func (s *Status) Runs(ctx context.Context, a actor.Actor, id connection.ID, limit int) ([]Run, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []Run
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, host, started_at, ended_at, ended_by, created, updated, unchanged, removed, failed, calls
  FROM sync_run WHERE connection_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2`, id, limit)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[Run])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the sync runs: %w", err)
	}
	return found, nil
}

// failurePage is how many rows of an export are held in memory at once.
const failurePage = 1000

type failure struct {
	Kind        string
	SourceID    uuid.UUID
	State       string
	Class       sdk.Class
	Reason      string
	Attempts    int
	AttemptedAt *time.Time
	DueAt       *time.Time
	Candidates  []string
}

// WriteFailures writes every record of a connection that failed and has not
// landed since as CSV (RFC 4180): what it is, why, whose turn it is, and when it
// is tried again. It holds one page in memory, whatever the number.
func (s *Status) WriteFailures(ctx context.Context, a actor.Actor, id connection.ID, w io.Writer) error {
	if err := a.Require(actor.SeeClients); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write([]string{"kind", "id", "state", "class", "reason", "attempts", "attempted_at", "next_try_at", "candidates", "who", "next_action"}); err != nil {
		return err
	}
	after := failure{}
	for {
		page, err := s.failures(ctx, a, id, after)
		if err != nil {
			return fmt.Errorf("export failures: %w", err)
		}
		for _, f := range page {
			advice := Advise(f.Class)
			if err := out.Write([]string{
				f.Kind, f.SourceID.String(), f.State, string(f.Class), inert(f.Reason), strconv.Itoa(f.Attempts), stamp(f.AttemptedAt), stamp(f.DueAt),
				inert(fmt.Sprint(f.Candidates)), advice.Who, advice.Next,
			}); err != nil {
				return err
			}
		}
		out.Flush()
		if err := out.Error(); err != nil || len(page) < failurePage {
			return err
		}
		after = page[len(page)-1]
	}
}

// inert keeps a spreadsheet from taking a CRM's words for a formula.
func inert(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		return "'" + s
	}
	return s
}

func (s *Status) failures(ctx context.Context, a actor.Actor, id connection.ID, after failure) (page []failure, err error) {
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT kind, source_id, state, class, reason, attempts, attempted_at, due_at, candidates FROM sync_item
 WHERE connection_id = $1 AND class <> '' AND state IN ('due', 'parked') AND (kind, source_id) > ($2, $3)
 ORDER BY kind, source_id LIMIT $4`, id, after.Kind, after.SourceID, failurePage)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, pgx.RowToStructByName[failure])
		return err
	})
	return page, err
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
