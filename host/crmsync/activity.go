package crmsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/sdk"
)

// logged is a conversation as its activity needs it.
type logged struct {
	ID             uuid.UUID
	Revision       int64
	Channel        string
	Subject        string
	Summary        string
	StartedAt      time.Time
	EndedAt        *time.Time
	Ended          bool
	ClientID       uuid.NullUUID
	ClientDeleted  bool
	Visitor        bool // its client is an anonymous one (R11)
	Sensitive      bool
	FirstDirection string
	Party          string
	OurSide        string
	CallStatus     string
	ContactID      *string
	ContactObject  *string
}

// activities brings ended conversations' summaries into the CRM as activities
// (R167), and takes away those whose conversation is no longer its client's. A
// conversation whose client isn't in the CRM yet waits for it.
func (r *run) activities(ctx context.Context, items []item) error {
	found, err := r.conversations(ctx, items)
	if err != nil {
		return err
	}
	var waiting, wrong, write []item
	out := r.newLedger()
	for _, it := range items {
		v, ok := found[it.SourceID]
		why := r.keepActivityOut(v)
		switch {
		case !ok:
			out.exclude(it, "the conversation is gone")
		case why != "" && it.CRMID != nil && v.movedSince(it):
			wrong = append(wrong, it)
		case why != "":
			out.exclude(it, why)
		case v.ContactID == nil, !v.Ended && it.CRMID == nil:
			waiting = append(waiting, it)
		case it.CRMID != nil && it.agreed()["fingerprint"].Equal(v.agreed()["fingerprint"]):
			out.sync(it, settled{revision: v.Revision, agreed: v.agreed()})
		default:
			write = append(write, it)
		}
	}
	if len(out.excluded)+len(out.synced) > 0 {
		if err := r.store(ctx, out.write); err != nil {
			return err
		}
	}
	if err := r.await(ctx, waiting); err != nil {
		return err
	}
	if err := r.removeActivities(ctx, wrong, found); err != nil {
		return err
	}
	if len(write) == 0 {
		return nil
	}
	return r.logActivities(ctx, write, found)
}

// keepActivityOut tells why a conversation doesn't go to this CRM, or "".
func (r *run) keepActivityOut(v logged) string {
	switch {
	case !v.ClientID.Valid:
		return "the conversation belongs to no client"
	case v.ClientDeleted:
		return "its client was deleted or merged"
	case v.Visitor:
		return "its client is an anonymous visitor"
	case v.Sensitive:
		return "conversations of sensitive clients stay out of the CRM"
	case !slices.Contains(r.connection.ActivityChannels, v.Channel):
		return "this connection leaves " + v.Channel + " conversations out"
	default:
		return ""
	}
}

// movedSince tells whether the activity stands at another client than the
// conversation belongs to now. What merely became sensitive stays (R171).
func (v logged) movedSince(it item) bool {
	return it.agreed()[agreedClient].Text() != v.ClientID.UUID.String()
}

// logActivities sends them in one call; when the CRM refuses the batch, in halves.
func (r *run) logActivities(ctx context.Context, items []item, found map[uuid.UUID]logged) error {
	req := sdk.LogActivitiesRequest{Connection: r.open}
	for _, it := range items {
		req.Items = append(req.Items, r.activity(it, found[it.SourceID]))
	}
	s := settlement{
		call: call{purpose: callActivity, lane: items[0].Lane, records: len(items)}, items: items,
		of: func(it item) settled {
			v := found[it.SourceID]
			return settled{object: r.activityObject(), revision: v.Revision, agreed: v.agreed()}
		},
	}
	err := r.ask(ctx, &s.call, func(ctx context.Context) error {
		reply, err := r.adapter.LogActivities(ctx, req)
		s.outcomes, s.usage = reply.Outcomes, reply.Usage
		return err
	})
	if err != nil {
		s.whole = failureOf(err)
	}
	refused, err := r.settle(ctx, s)
	if err != nil || len(refused) == 0 {
		return err
	}
	for half := range slices.Chunk(refused, (len(refused)+1)/2) {
		if err := r.logActivities(ctx, half, found); err != nil {
			return err
		}
	}
	return nil
}

// removeActivities takes activities from the CRM that stand at a client whose
// conversation they no longer are.
func (r *run) removeActivities(ctx context.Context, items []item, found map[uuid.UUID]logged) error {
	byObject := map[string][]item{}
	for _, it := range items {
		byObject[*it.CRMObject] = append(byObject[*it.CRMObject], it)
	}
	for object, items := range byObject {
		req := sdk.DeleteRequest{Connection: r.open, Object: object}
		for _, it := range items {
			req.Items = append(req.Items, sdk.DeleteItem{ItemID: it.id(), CRMID: *it.CRMID})
		}
		s := settlement{
			call: call{purpose: callDelete, lane: items[0].Lane, records: len(items)}, items: items,
			of: func(item) settled { return settled{object: object} },
			done: func(l *ledger, it item, o sdk.Outcome) {
				o.Done, o.CRMID = removed, *it.CRMID
				why := r.keepActivityOut(found[it.SourceID])
				l.log(it, o, []string{why + ": its activity was taken from the CRM"})
				l.unlink(it)
				l.exclude(it, why+"; its activity was taken from the CRM")
			},
		}
		err := r.ask(ctx, &s.call, func(ctx context.Context) error {
			reply, err := r.adapter.Delete(ctx, req)
			s.outcomes, s.usage = reply.Outcomes, reply.Usage
			return err
		})
		if err != nil {
			s.whole = failureOf(err)
		}
		if _, err := r.settle(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// await takes the due time away from activities that wait for their client; its
// first link sets it again.
func (r *run) await(ctx context.Context, items []item) error {
	if len(items) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(items))
	for i, it := range items {
		ids[i] = it.SourceID
	}
	return r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		// Again unless the link came meanwhile.
		_, err := tx.Exec(ctx, `UPDATE sync_item i SET state = 'due', due_at = NULL,
  reason = CASE v.state WHEN 'open' THEN 'waits until the conversation ends' ELSE 'waits until its client is in the CRM' END
  FROM conversation v
 WHERE i.tenant_id = $3 AND i.connection_id = $1 AND i.kind = 'conversation' AND i.source_id = ANY($2) AND v.tenant_id = i.tenant_id AND v.id = i.source_id
   AND (v.state = 'open' OR NOT EXISTS (SELECT 1 FROM crm_link l WHERE l.connection_id = $1 AND l.kind = 'client' AND l.source_id = v.client_id))`,
			r.connection.ID, ids, r.tenant)
		return err
	})
}

func (r *run) activity(it item, v logged) sdk.Activity {
	a := sdk.Activity{
		ItemID: it.id(), ExternalKey: it.id(), Channel: v.Channel, Subject: v.Subject, Body: v.Summary,
		Direction: v.FirstDirection, StartedAt: v.StartedAt.UTC().Format(time.RFC3339), Link: r.engine.Link(it.id()),
		ContactCRMIDs: []string{*v.ContactID}, ContactObject: *v.ContactObject, From: v.Party, To: v.OurSide, CallStatus: v.CallStatus,
	}
	if v.EndedAt != nil {
		a.EndedAt = v.EndedAt.UTC().Format(time.RFC3339)
	}
	if v.FirstDirection == "outbound" {
		a.From, a.To = v.OurSide, v.Party
	}
	if it.CRMID != nil {
		a.CRMID, a.CRMObject = *it.CRMID, *it.CRMObject
	}
	return a
}

// conversations reads what the activities show, with the CRM id of each client.
func (r *run) conversations(ctx context.Context, items []item) (map[uuid.UUID]logged, error) {
	ids := make([]uuid.UUID, len(items))
	for i, it := range items {
		ids[i] = it.SourceID
	}
	found := map[uuid.UUID]logged{}
	err := r.tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT v.id, v.revision, v.channel, v.subject, v.summary, v.started_at, v.ended_at, v.state = 'ended' AS ended, v.client_id,
       m.direction AS first_direction, m.party, m.our_side, coalesce(m.detail -> 'call' ->> 'status', '') AS call_status,
       coalesce(c.deleted_at IS NOT NULL, false) AS client_deleted, coalesce(c.kind = 'anonymous', false) AS visitor, coalesce(c.sensitive, false) AS sensitive,
       l.crm_id AS contact_id, l.object AS contact_object
  FROM conversation v
  LEFT JOIN client c ON c.tenant_id = v.tenant_id AND c.id = v.client_id
  JOIN LATERAL (SELECT direction, party, our_side, detail FROM message WHERE tenant_id = v.tenant_id AND conversation_id = v.id
                ORDER BY sent_at, id LIMIT 1) m ON true
  LEFT JOIN crm_link l ON l.tenant_id = v.tenant_id AND l.connection_id = $1 AND l.kind = 'client' AND l.source_id = v.client_id AND l.is_primary
 WHERE v.id = ANY($2)`, r.connection.ID, ids)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByName[logged])
		for _, v := range list {
			found[v.ID] = v
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read conversations for their activities: %w", err)
	}
	return found, nil
}

// activityObject is the name under which links of activities are kept when the
// adapter gives none.
func (r *run) activityObject() string {
	for _, o := range r.about.Objects {
		if o.Role == sdk.RoleActivity {
			return o.Name
		}
	}
	return sdk.RoleActivity
}

// agreedClient is whose the activity was when it was written.
const agreedClient = "client"

// agreed is what the row keeps of an activity: whether a later one shows anything
// new, and at whose record it stands.
func (v logged) agreed() map[string]sdk.Value {
	text, _ := json.Marshal([]any{v.Channel, v.Subject, v.Summary, v.StartedAt, v.EndedAt, v.ContactID, v.CallStatus})
	sum := sha256.Sum256(text)
	return map[string]sdk.Value{"fingerprint": sdk.Text(hex.EncodeToString(sum[:])), agreedClient: sdk.Text(v.ClientID.UUID.String())}
}
