package crmsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	FirstDirection string
	Party          string
	OurSide        string
	CallStatus     string
	ContactID      *string
	ContactObject  *string
}

// activities brings ended conversations' summaries into the CRM as activities
// (R167), one channel a call. A conversation whose client isn't in the CRM yet
// waits for it.
func (r *run) activities(ctx context.Context, items []item) error {
	found, err := r.conversations(ctx, items)
	if err != nil {
		return err
	}
	var waiting, gone []item
	var batch []item
	var channel string
	for _, it := range items {
		v, ok := found[it.SourceID]
		switch {
		case !ok || !v.ClientID.Valid:
			gone = append(gone, it)
		case !v.Ended:
			waiting = append(waiting, it) // reopened; its end marks it again
		case v.ContactID == nil:
			waiting = append(waiting, it)
		case channel == "" || channel == v.Channel:
			channel = v.Channel
			batch = append(batch, it)
		}
	}
	if err := r.exclude(ctx, gone, "the conversation has no client"); err != nil {
		return err
	}
	if err := r.await(ctx, waiting); err != nil {
		return err
	}
	batch, err = r.dropSameActivities(ctx, batch, found)
	if err != nil || len(batch) == 0 {
		return err
	}
	req := sdk.LogActivitiesRequest{Connection: r.open}
	for _, it := range batch {
		req.Items = append(req.Items, r.activity(it, found[it.SourceID]))
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := r.adapter.LogActivities(call, req)
	if err != nil {
		return r.callFailed(ctx, "log activities", batch, err)
	}
	return r.settle(ctx, "log activities", batch, reply, func(id string) settled {
		v := found[uuid.MustParse(id)]
		return settled{object: r.activityObject(), revision: v.Revision, agreed: v.fingerprint()}
	})
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
		_, err := tx.Exec(ctx, `UPDATE sync_item i SET due_at = NULL, reason = 'waits until its client is in the CRM, or it has ended'
  FROM conversation v
 WHERE i.connection_id = $1 AND i.kind = 'conversation' AND i.source_id = ANY($2) AND v.tenant_id = i.tenant_id AND v.id = i.source_id
   AND (v.state = 'open' OR NOT EXISTS (SELECT 1 FROM crm_link l WHERE l.connection_id = $1 AND l.kind = 'client' AND l.source_id = v.client_id))`,
			r.connection.ID, ids)
		return err
	})
}

func (r *run) dropSameActivities(ctx context.Context, items []item, found map[uuid.UUID]logged) ([]item, error) {
	var changed, same []item
	for _, it := range items {
		v := found[it.SourceID]
		if it.CRMID != nil && it.agreed()["fingerprint"].Equal(v.fingerprint()["fingerprint"]) {
			same = append(same, it)
		} else {
			changed = append(changed, it)
		}
	}
	if len(same) == 0 {
		return changed, nil
	}
	err := r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, it := range same {
			v := found[it.SourceID]
			if err := r.synced(ctx, tx, it, settled{revision: v.Revision, agreed: v.fingerprint()}); err != nil {
				return err
			}
		}
		return nil
	})
	return changed, err
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
	err := r.engine.DB.Tenant(ctx, r.actor, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT v.id, v.revision, v.channel, v.subject, v.summary, v.started_at, v.ended_at, v.state = 'ended' AS ended, v.client_id,
       m.direction AS first_direction, m.party, m.our_side, coalesce(m.detail -> 'call' ->> 'status', '') AS call_status,
       l.crm_id AS contact_id, l.object AS contact_object
  FROM conversation v
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

// fingerprint tells whether an activity shows anything new.
func (v logged) fingerprint() map[string]sdk.Value {
	text, _ := json.Marshal([]any{v.Channel, v.Subject, v.Summary, v.StartedAt, v.EndedAt, v.ContactID, v.CallStatus})
	sum := sha256.Sum256(text)
	return map[string]sdk.Value{"fingerprint": sdk.Text(hex.EncodeToString(sum[:]))}
}
