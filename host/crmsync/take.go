package crmsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/sdk"
)

// The kinds of item, and the lanes in the order of their precedence.
const (
	kindClient       = "client"
	kindConversation = "conversation"
	laneNew          = "new"
	laneActivity     = "activity"
)

// item is one difference between what a CRM should hold and what it holds.
type item struct {
	Kind            string
	SourceID        uuid.UUID
	Lane            string
	DesiredRevision int64
	SyncedRevision  int64
	Agreed          *string // JSON of the values last agreed
	Attempts        int
	IntentAt        *time.Time
	CRMID           *string `db:"crm_id"`
	CRMObject       *string `db:"crm_object"`
	CRMVersion      *string `db:"crm_version"`
}

// id is the item's id within an adapter call, and its external key in the CRM.
func (i item) id() string { return i.SourceID.String() }

func (i item) agreed() map[string]sdk.Value {
	values := map[string]sdk.Value{}
	if i.Agreed != nil {
		// What can't be read was never agreed: everything is written again.
		if json.Unmarshal([]byte(*i.Agreed), &values) != nil {
			return map[string]sdk.Value{}
		}
	}
	return values
}

// take answers the next batch: due items of one kind, in lane order (new,
// activity, update, backfill), the longest due first.
func take(ctx context.Context, tx pgx.Tx, r *run, most int) ([]item, error) {
	var kind string
	err := tx.QueryRow(ctx, `SELECT kind FROM sync_item WHERE connection_id = $1 AND due_at <= now()
 ORDER BY array_position(ARRAY['new', 'activity', 'update', 'backfill'], lane), due_at LIMIT 1`, r.connection.ID).Scan(&kind)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for due items: %w", err)
	}
	rows, err := tx.Query(ctx, `SELECT i.kind, i.source_id, i.lane, i.desired_revision, i.synced_revision, i.agreed::text AS agreed, i.attempts, i.intent_at,
       l.crm_id, l.object AS crm_object, l.crm_version
  FROM sync_item i
  LEFT JOIN crm_link l ON l.tenant_id = i.tenant_id AND l.connection_id = i.connection_id AND l.kind = i.kind
        AND l.source_id = i.source_id AND l.is_primary
 WHERE i.connection_id = $1 AND i.kind = $2 AND i.due_at <= now()
 ORDER BY array_position(ARRAY['new', 'activity', 'update', 'backfill'], i.lane), i.due_at, i.source_id LIMIT $3`,
		r.connection.ID, kind, most)
	if err != nil {
		return nil, fmt.Errorf("take due items: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[item])
	if err != nil {
		return nil, fmt.Errorf("take due items: %w", err)
	}
	return items, nil
}
