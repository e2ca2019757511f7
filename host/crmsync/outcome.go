package crmsync

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/sdk"
)

// settled is what an item's success means for its row.
type settled struct {
	object   string
	revision int64
	agreed   map[string]sdk.Value
	sent     map[string]sdk.Value // what the CRM's echo is compared with
	held     []string             // fields left out because they are parked
	notes    []string
}

// settlement is a call's answer on its way into the database.
type settlement struct {
	call
	items    []item
	outcomes []sdk.Outcome
	// whole: the call failed as a whole with this error, which stands for every
	// item.
	whole *sdk.Error
	of    func(it item) settled
	// done stores a success that is not that the CRM holds the item; nil: it is.
	done func(l *ledger, it item, o sdk.Outcome)
}

// removed is what became of an activity that was taken from the CRM.
const removed sdk.Done = "removed"

// settle stores one outcome for each item of a call, in one transaction under the
// lease. An item that the adapter left out has an unknown outcome. It answers the
// items whose batch was refused because of one of them: they are to be sent in
// halves. errParked means that the connection rests.
func (r *run) settle(ctx context.Context, s settlement) (refused []item, err error) {
	if s.whole != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx) // the intent stays: the next owner reads back
		}
		if s.whole.Class == sdk.ClassAuth {
			// A token may end before it says so.
			if err := r.engine.Connections.Refused(ctx, r.actor, r.connection, r.open.Token); err != nil {
				return nil, err
			}
		}
		s.usage = s.whole.Usage
	}
	outcomes := make(map[string]sdk.Outcome, len(s.outcomes))
	for _, o := range s.outcomes {
		outcomes[o.ItemID] = o
	}
	l := r.newLedger()
	var rests rest
	for _, it := range s.items {
		o, ok := outcomes[it.id()]
		switch {
		case s.whole != nil:
			o = sdk.Fail(it.id(), s.whole)
		case !ok || (o.Done == sdk.Failed && o.Err == nil):
			o = sdk.Fail(it.id(), &sdk.Error{Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack, Message: "the adapter gave no outcome"})
		}
		if o.Done == sdk.Failed && o.Err.Class == sdk.ClassBatchRefused && len(s.items) > 1 {
			refused = append(refused, it)
			continue
		}
		r.settleOne(l, s, it, o, &rests)
	}
	if s.whole != nil || l.done[sdk.Failed] > 0 {
		r.stale.Store(true)
	}
	size, resized := 0, false
	if s.whole == nil {
		size, resized = r.pace.went(len(s.items), s.took)
	}
	err = r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := l.write(ctx, tx); err != nil {
			return err
		}
		if err := r.bookIn(ctx, tx, s.call); err != nil {
			return err
		}
		if resized {
			if err := r.keepSize(ctx, tx, size); err != nil {
				return err
			}
		}
		if s.whole == nil && rests.reason == "" {
			if err := r.unpark(ctx, tx); err != nil {
				return err
			}
		}
		return r.rest(ctx, tx, rests)
	})
	if err != nil {
		return nil, fmt.Errorf("store outcomes of %s: %w", s.purpose, err)
	}
	if rests.scope == ofConnection {
		r.engine.Log.WarnContext(ctx, "connection parked", "connection", r.connection.ID, "adapter", r.connection.Adapter, "for", rests.wait, "reason", rests.reason)
		return nil, errParked
	}
	return refused, nil
}

// rest is what has to rest after a call: a lane or the whole connection.
type rest struct {
	scope     scope
	lane      string
	class     sdk.Class
	reason    string
	wait      time.Duration
	reinstall bool
}

// add keeps the widest and longest of what was asked for.
func (a *rest) add(d decision, lane string, f *sdk.Error) {
	if d.Scope != ofConnection && d.Scope != ofLane {
		return
	}
	if a.scope == ofConnection && d.Scope == ofLane {
		return
	}
	if a.scope == d.Scope && d.Wait < a.wait {
		return
	}
	*a = rest{d.Scope, lane, f.Class, d.Cause + ": " + f.Error(), d.Wait, d.Reinstall}
}

func (r *run) rest(ctx context.Context, tx pgx.Tx, a rest) error {
	switch a.scope {
	case ofLane:
		batch := &pgx.Batch{}
		queueLanePark(batch, r, a.lane, a.class, clip(a.reason), a.wait)
		return tx.SendBatch(ctx, batch).Close()
	case ofConnection:
		if a.reinstall {
			if _, err := tx.Exec(ctx, `UPDATE connection SET installed_at = NULL WHERE id = $1`, r.connection.ID); err != nil {
				return err
			}
		}
		return r.parkIn(ctx, tx, clip(a.reason), a.wait)
	}
	return nil
}

func (r *run) keepSize(ctx context.Context, tx pgx.Tx, size int) error {
	_, err := tx.Exec(ctx, `UPDATE connection SET batch_size = $2 WHERE id = $1`, r.connection.ID, size)
	return err
}

// settleOne notes what became of one item.
func (r *run) settleOne(l *ledger, s settlement, it item, o sdk.Outcome, rests *rest) {
	if o.Done != sdk.Failed && s.done != nil {
		s.done(l, it, o)
		return
	}
	if o.Done != sdk.Failed {
		ok := s.of(it)
		if o.Object != "" {
			ok.object = o.Object
		}
		ok.notes = append(append(ok.notes, o.Notes...), notApplied(ok.sent, o.Echo)...)
		l.log(it, o, ok.notes)
		l.link(it, o, ok.object)
		l.sync(it, ok)
		return
	}
	f := o.Err
	object, field, key := r.fieldAtFault(s, it, f)
	d := decide(f, situation{
		Attempts: it.Attempts, Linked: it.CRMID != nil, Survivor: o.CRMID != "", Field: field, KeyField: key,
		WholeCall: s.whole != nil, Alone: len(s.items) == 1, Probing: r.pace.probing(), Trouble: r.trouble, Jitter: r.engine.jitter(),
	})
	reason := f.Error()
	if d.Cause != "" {
		reason = d.Cause + ": " + reason
	}
	l.log(it, o, nil)
	switch {
	case d.Relink:
		if o.Object == "" {
			o.Object = s.of(it).object
		}
		l.link(it, o, o.Object)
	case d.Unlink:
		l.unlink(it)
	}
	if d.Reread && it.CRMID != nil {
		l.reread = append(l.reread, linkRow{Kind: it.Kind, SourceID: it.SourceID, CRMID: *it.CRMID})
	}
	if d.Scope == ofField {
		l.fields[field] = decidedField{object, field, f.Class, reason, d.Wait}
	}
	candidates := o.Candidates
	if f.Class == sdk.ClassDuplicate && o.CRMID != "" {
		candidates = append(candidates, o.CRMID)
	}
	l.wait(it, d, f.Class, reason, candidates)
	rests.add(d, it.Lane, f)
}

// fieldAtFault is the field of this client that a failure blames, if leaving it
// out would help.
func (r *run) fieldAtFault(s settlement, it item, f *sdk.Error) (object, field string, key bool) {
	if f.Field == "" || it.Kind != kindClient || s.purpose != callWrite {
		return "", "", false
	}
	at := s.of(it)
	for _, o := range r.about.Objects {
		if o.Name == at.object && strings.EqualFold(o.ExternalKeyField, f.Field) {
			return at.object, "", true
		}
	}
	for name := range at.sent {
		if strings.EqualFold(name, f.Field) {
			return at.object, name, false
		}
	}
	return "", "", false
}

// notApplied compares what a CRM says it holds with what it accepted: it may
// ignore a value without an error. Case, outer blanks and the form of numbers are the CRM's own affair.
func notApplied(sent, echo map[string]sdk.Value) []string {
	var notes []string
	for name, want := range sent {
		got, told := echo[name]
		if !told || sameToCRM(want, got) {
			continue
		}
		notes = append(notes, fmt.Sprintf("accepted, not applied: %s was sent and holds something else", name))
	}
	return notes
}

func sameToCRM(a, b sdk.Value) bool {
	if a.Equal(b) {
		return true
	}
	text := func(v sdk.Value) string {
		if v.IsClear() {
			return ""
		}
		return strings.ToLower(strings.TrimSpace(v.String()))
	}
	return text(a) == text(b)
}
