package crmsync

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/sdk"
)

// draft is one client on its way to the CRM.
type draft struct {
	item
	client *client.Client
	// fields is all that the mapping gives; sent is the part that is written.
	fields, sent map[string]sdk.Value
	notes        []string
	// revision of the client as it was read for fields.
	revision int64
}

// clients brings a batch of clients into the CRM: what is unchanged costs no
// call, unknown people are looked up first, and one Write does the rest.
func (r *run) clients(ctx context.Context, items []item) error {
	drafts, err := r.draft(ctx, items)
	if err != nil {
		return err
	}
	var unknown, write []*draft
	for _, d := range drafts {
		if d.CRMID == nil {
			unknown = append(unknown, d)
		} else {
			write = append(write, d)
		}
	}
	if unknown, err = r.adopt(ctx, unknown); err != nil {
		return err
	}
	write, err = r.dropUnchanged(ctx, append(unknown, write...))
	if err != nil || len(write) == 0 {
		return err
	}
	if err := r.intend(ctx, write); err != nil {
		return err
	}
	req := sdk.WriteRequest{Connection: r.open, Object: r.clientObject()}
	for _, d := range write {
		req.Items = append(req.Items, r.writeItem(d))
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := r.adapter.Write(call, req)
	if err != nil {
		return r.callFailed(ctx, "write", itemsOf(write), err)
	}
	return r.settle(ctx, "write", itemsOf(write), reply, func(id string) settled {
		for _, d := range write {
			if d.id() == id {
				return settled{object: req.Object, revision: d.revision, agreed: merged(d.agreed(), d.sent), notes: d.notes}
			}
		}
		return settled{}
	})
}

// draft reads the clients as they are now and maps them. Clients that left the
// sync meanwhile (deleted, merged) are taken off.
func (r *run) draft(ctx context.Context, items []item) ([]*draft, error) {
	ids := make([]client.ID, len(items))
	for i, it := range items {
		ids[i] = client.ID{UUID: it.SourceID}
	}
	found := map[uuid.UUID]*client.Client{}
	err := r.engine.DB.Tenant(ctx, r.actor, func(ctx context.Context, tx pgx.Tx) error {
		clients, err := client.LoadMany(ctx, tx, ids)
		for _, c := range clients {
			found[c.ID.UUID] = c
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var drafts []*draft
	var gone []item
	for _, it := range items {
		c := found[it.SourceID]
		if c == nil || c.Deleted() || c.Kind == client.Anonymous {
			gone = append(gone, it)
			continue
		}
		d := &draft{item: it, client: c, revision: c.Revision}
		d.fields, d.notes = r.mapping.Apply(ctx, r.clientObject(), c)
		d.sent = d.fields
		if it.CRMID != nil && !r.about.UniformFields {
			d.sent = changed(it.agreed(), d.fields)
		}
		drafts = append(drafts, d)
	}
	return drafts, r.exclude(ctx, gone, "the client was deleted or merged")
}

// dropUnchanged settles linked clients whose values are those last agreed.
func (r *run) dropUnchanged(ctx context.Context, drafts []*draft) ([]*draft, error) {
	var write, same []*draft
	for _, d := range drafts {
		if d.CRMID != nil && d.Agreed != nil && len(changed(d.agreed(), d.fields)) == 0 {
			same = append(same, d)
		} else {
			write = append(write, d)
		}
	}
	if len(same) == 0 {
		return write, nil
	}
	err := r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, d := range same {
			if err := r.synced(ctx, tx, d.item, settled{revision: d.revision, agreed: d.agreed()}); err != nil {
				return err
			}
		}
		return nil
	})
	return write, err
}

// intend notes that unknown clients are about to be created: if the reply is
// lost, the next step is to read back, never to repeat blindly.
func (r *run) intend(ctx context.Context, drafts []*draft) error {
	var ids []uuid.UUID
	for _, d := range drafts {
		if d.CRMID == nil {
			ids = append(ids, d.SourceID)
		}
	}
	if ids == nil {
		return nil
	}
	return r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE sync_item SET intent_at = now(), attempted_at = now()
 WHERE connection_id = $1 AND kind = 'client' AND source_id = ANY($2)`, r.connection.ID, ids)
		return err
	})
}

func (r *run) writeItem(d *draft) sdk.WriteItem {
	w := sdk.WriteItem{ItemID: d.id(), ExternalKey: d.id(), Mode: sdk.ModeUpsert, Fields: d.sent}
	if d.CRMID != nil {
		w.Mode, w.CRMID = sdk.ModeUpdate, *d.CRMID
		if d.CRMVersion != nil {
			w.Version = *d.CRMVersion
		}
	}
	return w
}

// clientObject is the CRM's object for clients: the first the adapter names.
func (r *run) clientObject() string {
	for _, o := range r.about.Objects {
		if o.Role == sdk.RoleClient {
			return o.Name
		}
	}
	return ""
}

// callFailed treats the failure of a whole call, which stands for all its items.
func (r *run) callFailed(ctx context.Context, purpose string, items []item, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx) // the intent stays: the next owner reads back
	}
	failure, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		failure = &sdk.Error{Class: sdk.ClassUnknown, Retry: sdk.RetryLater, Message: err.Error()}
	}
	if err := r.book(ctx, purpose, failure.Usage); err != nil {
		return err
	}
	if failure.Class == sdk.ClassAuth {
		r.engine.Connections.Forget(r.connection.ID) // a token may end before it says so
	}
	wait, reason, whole := r.connectionTrouble(failure, items)
	if !whole {
		return r.settle(ctx, purpose, items, failAll(items, failure), func(string) settled { return settled{} })
	}
	err = r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, it := range items {
			if err := r.retryItem(ctx, tx, it, failure, wait, countsAsAttempt(failure.Class)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.park(ctx, reason, wait)
}

func failAll(items []item, failure *sdk.Error) sdk.WriteReply {
	var reply sdk.WriteReply
	for _, it := range items {
		reply.Outcomes = append(reply.Outcomes, sdk.Fail(it.id(), failure))
	}
	return reply
}

func itemsOf(drafts []*draft) []item {
	items := make([]item, len(drafts))
	for i, d := range drafts {
		items[i] = d.item
	}
	return items
}

// changed are the wanted values that differ from those agreed.
func changed(agreed, wanted map[string]sdk.Value) map[string]sdk.Value {
	diff := map[string]sdk.Value{}
	for name, v := range wanted {
		if old, ok := agreed[name]; !ok || !old.Equal(v) {
			diff[name] = v
		}
	}
	return diff
}

func merged(agreed, sent map[string]sdk.Value) map[string]sdk.Value {
	for name, v := range sent {
		agreed[name] = v
	}
	return agreed
}
