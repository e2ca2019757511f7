package crmsync

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/match"
	"github.com/clientele-crm/clientele/sdk"
)

// adopt finds clients the CRM holds already: after a lost reply by our key, else
// by email and phone, all in one Find. One hit becomes the client's record;
// several park it with the candidates; none means it is created. It answers the
// drafts that go on to Write.
func (r *run) adopt(ctx context.Context, drafts []*draft) ([]*draft, error) {
	req := sdk.FindRequest{Connection: r.open, Object: r.clientObject(), Fields: r.nameFields()}
	for _, d := range drafts {
		req.Keys = append(req.Keys, findKeys(d)...)
	}
	if len(req.Keys) == 0 || !slices.Contains(r.about.Capabilities, sdk.CapFind) {
		return drafts, nil
	}
	byID := make(map[uuid.UUID]*draft, len(drafts))
	for _, d := range drafts {
		byID[d.SourceID] = d
	}
	var hits []sdk.Hit
	s := settlement{
		call: call{purpose: callFind, lane: drafts[0].Lane, records: len(drafts)}, items: itemsOf(drafts),
		of: func(it item) settled { return byID[it.SourceID].settled(req.Object) },
	}
	err := r.ask(ctx, &s.call, func(ctx context.Context) error {
		reply, err := r.adapter.Find(ctx, req)
		hits, s.usage = reply.Hits, reply.Usage
		return err
	})
	if err != nil {
		s.whole = failureOf(err)
		refused, err := r.settle(ctx, s)
		if err == nil && len(refused) > 0 {
			err = r.shrink(ctx, len(refused)) // they are due as they were
		}
		return nil, err
	}
	taken, err := r.takenBy(ctx, hits)
	if err != nil {
		return nil, err
	}
	var on []*draft
	l := r.newLedger()
	for _, d := range drafts {
		switch found := r.choose(d, hits, taken); len(found) {
		case 0:
			on = append(on, d)
		case 1:
			d.CRMID, d.CRMVersion = &found[0].ID, &found[0].Version
			on = append(on, d)
		default:
			r.ambiguous(l, d, found)
		}
	}
	return on, r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := l.write(ctx, tx); err != nil {
			return err
		}
		return r.bookIn(ctx, tx, s.call)
	})
}

// ambiguous parks a client that several records of the CRM may be.
func (r *run) ambiguous(l *ledger, d *draft, found []sdk.Record) {
	ids := make([]string, len(found))
	for i, record := range found {
		ids[i] = record.ID
	}
	reason := "the CRM holds several records with this client's email or phone: " + strings.Join(ids, ", ")
	l.log(d.item, sdk.Fail(d.id(), &sdk.Error{Class: sdk.ClassDuplicate, Message: reason}), nil)
	l.wait(d.item, decision{Scope: ofRecord, Parked: true, Wait: lookAgainHourly, Counts: true}, sdk.ClassDuplicate, reason, ids)
}

// findKeys: our own key after a lost reply, and what identifies a person.
func findKeys(d *draft) []sdk.FindKey {
	var keys []sdk.FindKey
	if d.IntentAt != nil {
		keys = append(keys, sdk.FindKey{ItemID: d.id(), By: sdk.FindByExternalKey, Value: d.id()})
	}
	if id, ok := d.client.Primary(client.Email); ok && id.Normal != "" {
		keys = append(keys, sdk.FindKey{ItemID: d.id(), By: sdk.FindByEmail, Value: id.Normal})
	}
	if id, ok := d.client.Primary(client.Phone); ok && id.Normal != "" && !id.Shared {
		keys = append(keys, sdk.FindKey{ItemID: d.id(), By: sdk.FindByPhone, Value: id.Normal})
	}
	return keys
}

// choose are the records that may be this client: the one with our key, else
// those with its email, else those with its phone and no conflicting name, as
// far as they are nobody else's.
func (r *run) choose(d *draft, hits []sdk.Hit, taken map[string]string) []sdk.Record {
	for _, by := range []sdk.FindBy{sdk.FindByExternalKey, sdk.FindByEmail, sdk.FindByPhone} {
		var found []sdk.Record
		for _, h := range hits {
			owner := taken[h.Record.ID]
			switch {
			case h.ItemID != d.id() || h.By != by:
			case owner != "" && owner != d.id():
			case h.Record.ExternalKey != "" && h.Record.ExternalKey != d.id():
			case by == sdk.FindByPhone && r.nameConflicts(d.client, h.Record):
			case slices.ContainsFunc(found, func(x sdk.Record) bool { return x.ID == h.Record.ID }):
			case !r.claim(h.Record.ID, d.id()):
			default:
				found = append(found, h.Record)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// claim tells whether no other batch in flight has found the record to be another
// client.
func (r *run) claim(crmID, id string) bool {
	owner, _ := r.claims.LoadOrStore(crmID, id)
	return owner == id
}

// takenBy tells which of the found records are linked to a client already.
func (r *run) takenBy(ctx context.Context, hits []sdk.Hit) (map[string]string, error) {
	ids := make([]string, 0, len(hits))
	for _, h := range hits {
		ids = append(ids, h.Record.ID)
	}
	taken := map[string]string{}
	err := r.tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT crm_id, source_id::text FROM crm_link
 WHERE connection_id = $1 AND object = $2 AND crm_id = ANY($3)`, r.connection.ID, r.clientObject(), ids)
		if err != nil {
			return err
		}
		var id, source string
		_, err = pgx.ForEachRow(rows, []any{&id, &source}, func() error {
			taken[id] = source
			return nil
		})
		return err
	})
	return taken, err
}

// nameFields are the CRM fields that the mapping fills with the name: a phone
// may belong to a household, so a hit by phone alone needs no conflicting name.
func (r *run) nameFields() []string {
	var names []string
	for _, row := range r.about.DefaultMapping {
		if row.Object == r.clientObject() && (row.Expr == "client.first_name" || row.Expr == "client.last_name" || row.Expr == "client.crm_last_name") {
			names = append(names, row.Field)
		}
	}
	return names
}

func (r *run) nameConflicts(c *client.Client, record sdk.Record) bool {
	var first, last string
	for _, row := range r.about.DefaultMapping {
		switch {
		case row.Object != r.clientObject():
		case row.Expr == "client.first_name":
			first = record.Fields[row.Field].Text()
		case row.Expr == "client.last_name", row.Expr == "client.crm_last_name":
			last = record.Fields[row.Field].Text()
		}
	}
	return match.NamesAgree(c.FirstName, c.LastName, first, last) == match.Conflict
}
