package crmsync

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/sdk"
)

// parkedField is a field that the CRM refuses whatever the record.
type parkedField struct {
	Object, Field string
	Look          bool // it is time to look whether the CRM takes it again
}

// loadFields reads which fields are left out, and first lets those go whose time
// has come and that the CRM takes again.
func (r *run) loadFields(ctx context.Context) error {
	var parked []parkedField
	err := r.engine.DB.Tenant(ctx, r.actor, func(ctx context.Context, tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT trouble FROM connection WHERE id = $1`, r.connection.ID).Scan(&r.trouble); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT object, field, look_at <= now() AS look FROM sync_field
 WHERE connection_id = $1 AND look_at IS NOT NULL`, r.connection.ID)
		if err != nil {
			return err
		}
		parked, err = pgx.CollectRows(rows, pgx.RowToStructByName[parkedField])
		return err
	})
	if err != nil {
		return fmt.Errorf("read parked fields: %w", err)
	}
	look := map[string][]string{}
	r.held = map[string]bool{}
	for _, f := range parked {
		if f.Object == r.clientObject() {
			r.held[strings.ToLower(f.Field)] = true
		}
		// Not while a batch flies that was prepared without the field: what it leaves
		// out would be missed.
		if f.Look && r.flying == 0 {
			look[f.Object] = append(look[f.Object], f.Field)
		}
	}
	for object, fields := range look {
		if err := r.lookAtFields(ctx, object, fields); err != nil {
			return err
		}
	}
	return nil
}

// lookAtFields asks for the live fields of an object. What the CRM takes again is
// let go, and every client whose write it was missing from becomes due.
func (r *run) lookAtFields(ctx context.Context, object string, fields []string) error {
	c := call{purpose: callDescribe, records: 1}
	var live []sdk.Field
	err := r.ask(ctx, &c, func(ctx context.Context) error {
		reply, err := r.adapter.DescribeObject(ctx, sdk.DescribeObjectRequest{Connection: r.open, Object: object})
		live, c.usage = reply.Fields, reply.Usage
		return err
	})
	if err != nil {
		return r.callFailed(ctx, c, err)
	}
	var healed, still []string
	for _, name := range fields {
		if takes(live, name) {
			healed = append(healed, name)
			delete(r.held, strings.ToLower(name))
		} else {
			still = append(still, name)
		}
	}
	return r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`UPDATE sync_field SET look_at = NULL WHERE connection_id = $1 AND object = $2 AND field = ANY($3)`, r.connection.ID, object, healed)
		batch.Queue(`UPDATE sync_field SET looks = looks + 1, look_at = now() + least(interval '1 hour', $4::interval * power(2, least(looks, 10)))
 WHERE connection_id = $1 AND object = $2 AND field = ANY($3)`, r.connection.ID, object, still, parkField)
		batch.Queue(`UPDATE sync_item SET state = 'due', due_at = now() WHERE connection_id = $1 AND held && $2 AND state = 'synced'`, r.connection.ID, healed)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("let fields go: %w", err)
		}
		return r.bookIn(ctx, tx, c)
	})
}

// takes tells whether a field is there and this connection's user may write it.
func takes(live []sdk.Field, name string) bool {
	for _, f := range live {
		if strings.EqualFold(f.Name, name) {
			return f.Createable != sdk.No || f.Updateable != sdk.No
		}
	}
	return false
}
