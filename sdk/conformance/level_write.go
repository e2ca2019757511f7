package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/sdk"
)

func writeChecks() []check {
	return []check{
		{name: "creates, and finds again", level: Writes, run: creates},
		{name: "updates by CRM id and by key", level: Writes, run: updates},
		{name: "absent, clear and set", level: Writes, run: absentClearSet},
		{name: "a full batch", level: Writes, run: fullBatch},
		{name: "more than a batch", level: Writes, run: moreThanABatch},
		{name: "logs activities once", level: Writes, needs: sdk.CapActivities, run: logsActivities},
		{name: "deletes, and again", level: Writes, needs: sdk.CapDelete, run: deletes},
		{name: "answers changes", level: Writes, needs: sdk.CapChanges, run: answersChanges},
		{name: "a plan writes nothing", level: Writes, needs: sdk.CapPlan, run: plans},
		{name: "reports the calls it spent", level: Writes, faults: true, run: reportsCalls},
	}
}

func creates(ctx context.Context, t *trial) error {
	item, o, err := t.created(ctx)
	if err != nil || !t.offers(sdk.CapFind) {
		return err
	}
	for by, value := range map[sdk.FindBy]string{
		sdk.FindByExternalKey: item.ExternalKey, sdk.FindByID: o.CRMID,
		sdk.FindByEmail: t.sent(item, "email"), sdk.FindByPhone: t.sent(item, "phone"),
	} {
		if value == "" {
			continue
		}
		err := t.eventually(ctx, func() error {
			found, err := t.find(ctx, by, value)
			if err == nil && !hasID(found, o.CRMID) {
				err = fmt.Errorf("the new record %s is not found by its %s", o.CRMID, by)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sent is the text that an item has in the field of a catalogue word.
func (t *trial) sent(item sdk.WriteItem, word string) string {
	return item.Fields[t.fields[word]].Text()
}

func (t *trial) offers(capability string) bool {
	for _, c := range t.about.Capabilities {
		if c == capability {
			return true
		}
	}
	return false
}

func updates(ctx context.Context, t *trial) error {
	item, o, err := t.created(ctx)
	if err != nil {
		return err
	}
	for name, id := range map[string]string{"by its CRM id": o.CRMID, "by its key": ""} {
		item.CRMID = id
		item.Fields[t.fields["last_name"]] = sdk.Text("Changed " + strings.ReplaceAll(name, " ", ""))
		by, err := t.write(ctx, item)
		if err != nil {
			return err
		}
		got := by[item.ItemID]
		if got.Done != sdk.Updated && got.Done != sdk.Unchanged {
			return fmt.Errorf("a record that is there, written %s, is %s", name, told(got))
		}
		if got.CRMID != o.CRMID {
			return fmt.Errorf("written %s, the record %s comes back as %q", name, o.CRMID, got.CRMID)
		}
	}
	return t.isOnce(ctx, item.ExternalKey)
}

func absentClearSet(ctx context.Context, t *trial) error {
	field, err := t.plain()
	if err != nil {
		return err
	}
	item, _, err := t.created(ctx)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		does  string
		value *sdk.Value
		want  string
	}{
		{"set", new(sdk.Text("Delft")), "Delft"},
		{"absent", nil, "Delft"},
		{"clear", new(sdk.Clear()), ""},
		{"absent after clear", nil, ""},
	} {
		item.Fields = map[string]sdk.Value{t.fields["last_name"]: sdk.Text("Conform " + step.does)}
		if step.value != nil {
			item.Fields[field] = *step.value
		}
		by, err := t.write(ctx, item)
		if err != nil {
			return err
		}
		if o := by[item.ItemID]; o.Err != nil {
			return fmt.Errorf("%s: %w", step.does, o.Err)
		}
		if err := t.shows(ctx, item, field, step.want); err != nil {
			return fmt.Errorf("%s: %w", step.does, err)
		}
	}
	return nil
}

// shows waits until a record's field has the text in the CRM.
func (t *trial) shows(ctx context.Context, item sdk.WriteItem, field, want string) error {
	if !t.offers(sdk.CapFind) {
		return leftOut("the adapter offers no find to read back with")
	}
	return t.eventually(ctx, func() error {
		found, err := t.find(ctx, sdk.FindByExternalKey, item.ExternalKey, field)
		switch {
		case err != nil:
			return err
		case len(found) != 1:
			return fmt.Errorf("%d records have the key of a record that was written", len(found))
		case found[0].Fields[field].Text() != want:
			return fmt.Errorf("the field %s is %q in the CRM, want %q", field, found[0].Fields[field].Text(), want)
		}
		return nil
	})
}

// largestTrial bounds a batch: the checks are about limits, not about load.
const largestTrial = 250

func fullBatch(ctx context.Context, t *trial) error {
	items := t.people(min(t.about.Batch.Max, largestTrial))
	by, err := t.write(ctx, items...)
	if err != nil {
		return err
	}
	for _, item := range items {
		if o := by[item.ItemID]; o.Done != sdk.Created {
			return fmt.Errorf("one of %d new records is %s", len(items), told(o))
		}
	}
	return nil
}

// moreThanABatch: what the host never sends is refused or done, never half of it
// forgotten.
func moreThanABatch(ctx context.Context, t *trial) error {
	if t.about.Batch.Max >= largestTrial {
		return leftOut("its batches are larger than a trial's")
	}
	by, err := t.write(ctx, t.people(t.about.Batch.Max+1)...)
	if err != nil {
		return err
	}
	for _, o := range by {
		if o.Err != nil && o.Err.Class != sdk.ClassBatchRefused {
			return fmt.Errorf("one item more than Batch.Max is %w, want batch_refused or done", o.Err)
		}
	}
	return nil
}

// talk is a conversation with a client.
func (t *trial) talk(channel, contact string) sdk.Activity {
	id := uuid.Must(uuid.NewV7()).String()
	return sdk.Activity{
		ItemID: "talk-" + id, ExternalKey: id, Channel: channel, Subject: "About the delivery", Body: "Asked to have it on Friday.",
		Link: "https://clientele.example.com/conversations/" + id, Direction: "inbound", CallStatus: "completed",
		StartedAt: "2026-03-01T10:00:00Z", EndedAt: "2026-03-01T10:04:00Z",
		ContactCRMIDs: []string{contact}, ContactObject: t.client.Name, From: "+12065550111", To: "+12065550112",
	}
}

func (t *trial) log(ctx context.Context, items ...sdk.Activity) (map[string]sdk.Outcome, error) {
	reply, err := t.adapter.LogActivities(ctx, sdk.LogActivitiesRequest{Connection: t.conn, Items: items})
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ItemID
	}
	return accounted(ids, reply, err)
}

// logsActivities: each channel has a place, and the same conversation again is no
// second activity.
func logsActivities(ctx context.Context, t *trial) error {
	item, o, err := t.created(ctx)
	if err != nil {
		return err
	}
	for _, channel := range []string{"email", "sms", "chat", "voice"} {
		talk := t.talk(channel, o.CRMID)
		if channel == "email" {
			talk.From, talk.To = t.sent(item, "email"), "us@conformance.example.com"
		}
		first, err := t.log(ctx, talk)
		if err != nil {
			return err
		}
		one := first[talk.ItemID]
		if one.Done != sdk.Created || one.CRMID == "" {
			return fmt.Errorf("%s: a new activity is %s", channel, told(one))
		}
		known := talk
		known.CRMID, known.CRMObject = one.CRMID, one.Object
		for name, again := range map[string]sdk.Activity{"after a lost reply": talk, "when known": known} {
			again.Body = "Asked to have it on Saturday."
			second, err := t.log(ctx, again)
			if err != nil {
				return err
			}
			if got := second[again.ItemID]; got.Err != nil || got.CRMID != one.CRMID {
				return fmt.Errorf("%s: the same activity again, %s: %s as %q, want %q", channel, name, told(got), got.CRMID, one.CRMID)
			}
		}
	}
	return t.noDoubles(ctx)
}

func deletes(ctx context.Context, t *trial) error {
	item, o, err := t.created(ctx)
	if err != nil {
		return err
	}
	for _, when := range []string{"a record", "a record that is gone"} {
		reply, err := t.adapter.Delete(ctx, sdk.DeleteRequest{Connection: t.conn, Object: t.client.Name, Items: []sdk.DeleteItem{{ItemID: "1", CRMID: o.CRMID}}})
		by, err := accounted([]string{"1"}, reply, err)
		if err != nil {
			return err
		}
		if by["1"].Err != nil {
			return fmt.Errorf("deleting %s: %w", when, by["1"].Err)
		}
	}
	if !t.offers(sdk.CapFind) {
		return nil
	}
	return t.eventually(ctx, func() error {
		found, err := t.find(ctx, sdk.FindByExternalKey, item.ExternalKey)
		if err == nil && len(found) > 0 {
			err = errors.New("a deleted record is still found")
		}
		return err
	})
}

// page asks for changes of clients.
func (t *trial) page(ctx context.Context, cursor string, limit int) (sdk.ChangesReply, error) {
	reply, err := t.adapter.Changes(ctx, sdk.ChangesRequest{
		Connection: t.conn, Object: t.client.Name, Cursor: cursor, Fields: []string{t.fields["last_name"]}, Limit: limit,
	})
	if err != nil {
		return reply, fmt.Errorf("changes: %w", err)
	}
	if reply.Next == "" {
		return reply, errors.New("a page of changes has no next cursor")
	}
	return reply, nil
}

func answersChanges(ctx context.Context, t *trial) error {
	now, err := t.page(ctx, "", 10)
	if err != nil {
		return err
	}
	item, o, err := t.created(ctx)
	if err != nil {
		return err
	}
	return t.eventually(ctx, func() error {
		seen, err := t.since(ctx, now.Next, 10)
		if err != nil {
			return err
		}
		one, ok := seen[o.CRMID]
		switch {
		case !ok:
			return errors.New("a record written after the cursor is not among the changes")
		case one.ExternalKey != item.ExternalKey:
			return fmt.Errorf("the changed record has the external key %q, want %q", one.ExternalKey, item.ExternalKey)
		case one.Fields[t.fields["last_name"]].Text() != t.sent(item, "last_name"):
			return errors.New("the changed record lacks a field that was asked for")
		}
		return nil
	})
}

// since reads all pages after a cursor.
func (t *trial) since(ctx context.Context, cursor string, limit int) (map[string]sdk.Record, error) {
	seen := map[string]sdk.Record{}
	const mostPages = 200
	for range mostPages {
		page, err := t.page(ctx, cursor, limit)
		if err != nil {
			return nil, err
		}
		if len(page.Changed) > limit {
			return nil, fmt.Errorf("a page has %d records, at most %d were asked for", len(page.Changed), limit)
		}
		for _, r := range page.Changed {
			seen[r.ID] = r
		}
		if !page.More {
			return seen, nil
		}
		if page.Next == cursor {
			return nil, errors.New("there is more, and the next cursor is the same")
		}
		cursor = page.Next
	}
	return nil, fmt.Errorf("the changes do not end within %d pages", mostPages)
}

func plans(ctx context.Context, t *trial) error {
	item := t.person()
	reply, err := t.adapter.Plan(ctx, sdk.WriteRequest{Connection: t.conn, Object: t.client.Name, Items: []sdk.WriteItem{item}})
	if err != nil {
		return err
	}
	if len(reply.Requests) == 0 || len(reply.Items) != 1 || reply.Items[0].ItemID != item.ItemID {
		return fmt.Errorf("the plan of one new record has %d requests and %d items", len(reply.Requests), len(reply.Items))
	}
	if !t.offers(sdk.CapFind) {
		return nil
	}
	found, err := t.find(ctx, sdk.FindByExternalKey, item.ExternalKey)
	if err == nil && len(found) > 0 {
		err = errors.New("the planned record is in the CRM")
	}
	return err
}

// reportsCalls compares what a call says that it cost with what the CRM counted:
// the host keeps to a tenant's allowance by it.
func reportsCalls(ctx context.Context, t *trial) error {
	before, err := t.crm.counts(ctx)
	if err != nil {
		return err
	}
	reply, err := t.adapter.Write(ctx, sdk.WriteRequest{Connection: t.conn, Object: t.client.Name, Items: t.people(2)})
	if err != nil {
		return err
	}
	after, err := t.crm.counts(ctx)
	if err != nil {
		return err
	}
	got, sum, match := after.Calls-before.Calls, 0, false
	for _, c := range reply.Usage.Calls {
		sum += c.N
		match = match || c.N == got // a CRM may count in several ways at once
	}
	if !match && sum != got {
		return fmt.Errorf("Write says that it cost %+v, the CRM counted %d requests", reply.Usage.Calls, got)
	}
	return nil
}
