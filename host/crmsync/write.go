package crmsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// The purposes under which calls are booked.
const (
	callFind     = "find"
	callWrite    = "write"
	callActivity = "log activities"
	callDelete   = "delete"
	callDescribe = "describe"
)

// draft is one client on its way to the CRM.
type draft struct {
	item
	client *client.Client
	// fields is all that the mapping gives but for parked fields, which are held;
	// sent is the part that is written.
	fields, sent map[string]sdk.Value
	held, notes  []string
	// revision of the client as it was read for fields.
	revision int64
}

func (d *draft) settled(object string) settled {
	notes := d.notes
	if len(d.held) > 0 {
		notes = append(slices.Clone(notes), "left out until the CRM takes it again: "+strings.Join(d.held, ", "))
	}
	return settled{object: object, revision: d.revision, agreed: merged(d.agreed(), d.sent), sent: d.sent, held: d.held, notes: notes}
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
	write, err = r.dropUnwritten(ctx, append(unknown, write...))
	if err != nil || len(write) == 0 {
		return err
	}
	if err := r.intend(ctx, write); err != nil {
		return err
	}
	for _, group := range r.groups(write) {
		if _, err := r.write(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

// groups are the calls that a batch needs: one, but where the CRM wants the same
// fields in every row of a call, one for each set of fields. Records that lock the
// same parent stand together (design.md §6).
func (r *run) groups(drafts []*draft) [][]*draft {
	slices.SortStableFunc(drafts, func(a, b *draft) int { return strings.Compare(a.client.CompanyKey, b.client.CompanyKey) })
	if !r.about.UniformFields {
		return [][]*draft{drafts}
	}
	byFields := map[string][]*draft{}
	for _, d := range drafts {
		names := strings.Join(slices.Sorted(maps.Keys(d.sent)), "\x00")
		byFields[names] = append(byFields[names], d)
	}
	var groups [][]*draft
	for _, names := range slices.Sorted(maps.Keys(byFields)) {
		groups = append(groups, byFields[names])
	}
	return groups
}

// write sends drafts in one call. When the CRM refuses them as a batch they go in
// halves, down to the record that is to blame; it answers whether one was.
func (r *run) write(ctx context.Context, drafts []*draft) (guilty bool, err error) {
	object := r.clientObject()
	req := sdk.WriteRequest{Connection: r.open, Object: object}
	byID := make(map[uuid.UUID]*draft, len(drafts))
	for _, d := range drafts {
		req.Items = append(req.Items, r.writeItem(d))
		byID[d.SourceID] = d
	}
	s := settlement{
		call: call{purpose: callWrite, lane: drafts[0].Lane, records: len(drafts)}, items: itemsOf(drafts),
		of: func(it item) settled { return byID[it.SourceID].settled(object) },
	}
	err = r.ask(ctx, &s.call, func(ctx context.Context) error {
		reply, err := r.adapter.Write(ctx, req)
		s.outcomes, s.usage = reply.Outcomes, reply.Usage
		return err
	})
	if err != nil {
		s.whole = failureOf(err)
	}
	refused, err := r.settle(ctx, s)
	if err != nil || len(refused) == 0 {
		return s.whole != nil && s.whole.Class == sdk.ClassBatchRefused, err
	}
	again := make([]*draft, len(refused))
	for i, it := range refused {
		again[i] = byID[it.SourceID]
	}
	for half := range slices.Chunk(again, (len(again)+1)/2) {
		bad, err := r.write(ctx, half)
		if err != nil {
			return false, err
		}
		guilty = guilty || bad
	}
	if !guilty {
		err = r.shrink(ctx, len(refused))
	}
	return guilty, err
}

// ask makes one bounded adapter call and takes its time.
func (r *run) ask(ctx context.Context, c *call, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := time.Now()
	err := fn(ctx)
	c.took = time.Since(began)
	return err
}

// shrink halves the connection's batches: one of so many was refused, and no
// record of it was to blame.
func (r *run) shrink(ctx context.Context, records int) error {
	size, changed := r.pace.refused(records)
	if !changed {
		return nil
	}
	return r.store(ctx, func(ctx context.Context, tx pgx.Tx) error { return r.keepSize(ctx, tx, size) })
}

// draft reads the clients as they are now and maps them. Clients that left the
// sync meanwhile (deleted, merged) are taken off.
func (r *run) draft(ctx context.Context, items []item) ([]*draft, error) {
	ids := make([]client.ID, len(items))
	for i, it := range items {
		ids[i] = client.ID{UUID: it.SourceID}
	}
	found := map[uuid.UUID]*client.Client{}
	err := r.tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
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
	out := r.newLedger()
	for _, it := range items {
		c := found[it.SourceID]
		if why := r.keepOut(ctx, c); why != "" {
			out.exclude(it, why)
			continue
		}
		drafts = append(drafts, r.draftOne(ctx, it, c))
	}
	if len(out.excluded) == 0 {
		return drafts, nil
	}
	return drafts, r.store(ctx, out.write)
}

// keepOut tells why a client doesn't go to this CRM, or "".
func (r *run) keepOut(ctx context.Context, c *client.Client) string {
	switch {
	case c == nil || c.Deleted():
		return "the client was deleted or merged"
	case c.Kind == client.Anonymous:
		return "anonymous visitors stay out of the CRM"
	case c.Sensitive && r.connection.Sensitive == connection.SensitiveExclude:
		return "this connection leaves sensitive clients out"
	}
	takes, err := r.filter.Takes(ctx, c)
	switch {
	case err != nil:
		return "this connection's filter leaves the client out: " + err.Error()
	case !takes:
		return "this connection's filter leaves the client out"
	}
	return ""
}

func (r *run) draftOne(ctx context.Context, it item, c *client.Client) *draft {
	d := &draft{item: it, client: c, revision: c.Revision}
	d.fields, d.notes = r.mapping.Apply(ctx, r.clientObject(), c)
	for name := range d.fields {
		if r.held[strings.ToLower(name)] {
			delete(d.fields, name)
			d.held = append(d.held, name)
		}
	}
	slices.Sort(d.held)
	d.sent = d.fields
	if it.CRMID != nil && !r.about.UniformFields {
		d.sent = changed(it.agreed(), d.fields)
	}
	return d
}

// dropUnwritten settles what needs no write: clients whose values are those last
// agreed, and those that the connection's write mode leaves alone.
func (r *run) dropUnwritten(ctx context.Context, drafts []*draft) ([]*draft, error) {
	var write []*draft
	l := r.newLedger()
	for _, d := range drafts {
		known := d.CRMID != nil
		switch {
		case known && d.Agreed != nil && len(changed(d.agreed(), d.fields)) == 0:
			d.sent = nil
			l.sync(d.item, d.settled(""))
		case known && r.connection.WriteMode == sdk.ModeCreate:
			d.sent = nil
			d.notes = append(d.notes, "this connection only creates records: the one in the CRM was left as it is")
			l.links = append(l.links, linkRow{Kind: d.Kind, SourceID: d.SourceID, Object: r.clientObject(), CRMID: *d.CRMID, First: d.SyncedRevision == 0})
			l.sync(d.item, d.settled(""))
		case !known && r.connection.WriteMode == sdk.ModeUpdate:
			l.exclude(d.item, "this connection only updates records, and the CRM holds none of this client")
		default:
			write = append(write, d)
		}
	}
	if len(l.synced)+len(l.excluded) == 0 {
		return write, nil
	}
	return write, r.store(ctx, l.write)
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
 WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'client' AND source_id = ANY($3)`, r.tenant, r.connection.ID, ids)
		if err != nil {
			return fmt.Errorf("note what is about to be created: %w", err)
		}
		return nil
	})
}

func (r *run) writeItem(d *draft) sdk.WriteItem {
	w := sdk.WriteItem{ItemID: d.id(), ExternalKey: d.id(), Mode: sdk.ModeUpsert, Fields: d.sent, ContentionKey: d.client.CompanyKey}
	if r.connection.WriteMode == sdk.ModeCreate {
		w.Mode = sdk.ModeCreate
	}
	if d.CRMID != nil {
		w.Mode, w.CRMID = sdk.ModeUpdate, *d.CRMID
		if d.CRMVersion != nil {
			w.Version = *d.CRMVersion
		}
	}
	return w
}

// clientObject is the CRM's object for clients.
func (r *run) clientObject() string { return r.connection.Object(r.about) }

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
