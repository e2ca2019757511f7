package crmsync

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	laneUpdate       = "update"
	laneBackfill     = "backfill"
)

func lanes() []string { return []string{laneNew, laneActivity, laneUpdate, laneBackfill} }

// queue is where items wait for their batch: all of a batch are of one.
type queue struct{ Lane, Kind string }

// queues lists them in the order in which they are served.
func queues() []queue {
	return []queue{
		{laneNew, kindClient}, {laneActivity, kindConversation}, {laneUpdate, kindClient},
		{laneBackfill, kindClient}, {laneBackfill, kindConversation},
	}
}

// item is one difference between what a CRM should hold and what it holds.
type item struct {
	Kind            string
	SourceID        uuid.UUID
	ClientID        uuid.NullUUID // whose it is
	Channel         string        // of a conversation
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

// batch is what goes to the CRM in one turn.
type batch struct {
	queue queue
	items []item
}

// clients are the clients the batch is about; no other batch may have one of them
// while it flies, so that a client never overtakes itself.
func (b batch) clients() []uuid.UUID {
	ids := make([]uuid.UUID, len(b.items))
	for i, it := range b.items {
		ids[i] = it.SourceID
		if it.ClientID.Valid {
			ids[i] = it.ClientID.UUID
		}
	}
	return ids
}

// take answers the next batch of the queues that don't rest: due items of one
// queue, the longest due first. An empty batch means that there is nothing.
func (r *run) take(ctx context.Context, from []queue, busy map[uuid.UUID]bool) (batch, error) {
	taken := batch{}
	flying := make([]uuid.UUID, 0, len(busy))
	for id := range busy {
		flying = append(flying, id)
	}
	err := r.tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		taken = batch{}
		resting, err := restingLanes(ctx, tx, r)
		if err != nil {
			return err
		}
		for _, q := range from {
			if slices.Contains(resting, q.Lane) {
				continue
			}
			items, err := takeFrom(ctx, tx, r, q, flying)
			if err != nil {
				return fmt.Errorf("take due items: %w", err)
			}
			if len(items) > 0 {
				taken = batch{q, together(items, r.pace.batch())}
				return nil
			}
		}
		return nil
	})
	return taken, err
}

func restingLanes(ctx context.Context, tx pgx.Tx, r *run) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT lane FROM sync_lane WHERE connection_id = $1 AND (paused OR parked_until > now())`, r.connection.ID)
	if err != nil {
		return nil, fmt.Errorf("read resting lanes: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// channelSpread is how many items are looked at to fill a batch of one channel.
const channelSpread = 4

func takeFrom(ctx context.Context, tx pgx.Tx, r *run, q queue, busy []uuid.UUID) ([]item, error) {
	const columns = `SELECT i.kind, i.source_id, i.lane, i.desired_revision, i.synced_revision, i.agreed::text AS agreed, i.attempts, i.intent_at,
       l.crm_id, l.object AS crm_object, l.crm_version`
	const link = `
  LEFT JOIN crm_link l ON l.tenant_id = i.tenant_id AND l.connection_id = i.connection_id AND l.kind = i.kind
        AND l.source_id = i.source_id AND l.is_primary`
	const due = `
 WHERE i.connection_id = $1 AND i.lane = $2 AND i.due_at <= now()`
	sql, most := columns+`, i.client_id, '' AS channel FROM sync_item i`+link+due+` AND i.kind = 'client' AND i.source_id <> ALL($3)`, r.pace.batch()
	if q.Kind == kindConversation {
		sql, most = columns+`, v.client_id, v.channel FROM sync_item i JOIN conversation v ON v.tenant_id = i.tenant_id AND v.id = i.source_id`+link+due+
			` AND i.kind = 'conversation' AND coalesce(v.client_id, v.id) <> ALL($3)`, channelSpread*most
	}
	rows, err := tx.Query(ctx, sql+` ORDER BY i.due_at, i.source_id LIMIT $4`, r.connection.ID, q.Lane, busy, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[item])
}

// together are the first items that may share a call: of one channel, since a
// channel is one object in the CRM; and the fewer, the more often they failed.
func together(items []item, most int) []item {
	var batch []item
	for _, it := range items {
		if it.Channel != items[0].Channel {
			continue
		}
		if it.Attempts > suspectAfter {
			most = min(most, max(most>>(it.Attempts-suspectAfter), len(batch), 1))
		}
		if len(batch) >= most {
			break
		}
		batch = append(batch, it)
	}
	return batch
}
