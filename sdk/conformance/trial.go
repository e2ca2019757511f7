package conformance

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/sdk"
)

// trial is what checks have at hand.
type trial struct {
	dial    Dial
	process *Process
	ear     *ear
	adapter sdk.Adapter // what it answers is overheard
	conn    sdk.Connection
	crm     *crm // nil: a real account
	about   sdk.Description
	client  sdk.Object
	// fields of the client object by the catalogue word that fills them.
	fields map[string]string
	// settling is how long a change may take to show.
	settling time.Duration
}

func newTrial(ctx context.Context, target Target) (*trial, error) {
	p, err := target.Dial(ctx)
	if err != nil {
		return nil, err
	}
	t := &trial{dial: target.Dial, process: p, ear: newEar(target.Connection), conn: target.Connection, fields: map[string]string{},
		settling: cmp.Or(target.Settling, defaultSettling)}
	t.adapter = listening{Adapter: p.Adapter, ear: t.ear}
	if target.Simulator != nil {
		t.crm = newCRM(*target.Simulator)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if t.about, err = t.adapter.Describe(ctx); err != nil {
		t.close()
		return nil, fmt.Errorf("Describe: %w", err)
	}
	i := slices.IndexFunc(t.about.Objects, func(o sdk.Object) bool { return o.Role == sdk.RoleClient })
	if i < 0 {
		t.close()
		return nil, errors.New("Describe names no object whose role is client: without one there is nothing to keep clients in")
	}
	t.client = t.about.Objects[i]
	word := regexp.MustCompile(`client\.(?:crm_)?([a-z_]+)`)
	for _, row := range t.about.DefaultMapping {
		if found := word.FindAllStringSubmatch(row.Expr, -1); found != nil && row.Object == t.client.Name {
			t.fields[found[len(found)-1][1]] = row.Field
		}
	}
	if t.fields["last_name"] == "" {
		t.close()
		return nil, fmt.Errorf("DefaultMapping fills no field of %s from client.crm_last_name (or client.last_name)", t.client.Name)
	}
	return t, nil
}

func (t *trial) close() {
	if t.process.Stop != nil {
		t.process.Stop()
	}
}

// person is a new client as an upsert; no two are alike.
func (t *trial) person() sdk.WriteItem {
	id := uuid.Must(uuid.NewV7())
	mark := hex.EncodeToString(id[10:])
	item := sdk.WriteItem{ItemID: "item-" + mark, Mode: sdk.ModeUpsert, ExternalKey: id.String(), Fields: map[string]sdk.Value{}}
	for word, value := range map[string]string{
		"last_name": "Conform " + mark, "first_name": "Ada", "email": mark + "@conformance.example.com",
		"phone": fmt.Sprintf("+1206555%04d", int(id[14])*256%10_000+int(id[15])), "city": "Utrecht",
	} {
		if field := t.fields[word]; field != "" {
			item.Fields[field] = sdk.Text(value)
		}
	}
	return item
}

func (t *trial) people(n int) []sdk.WriteItem {
	items := make([]sdk.WriteItem, n)
	for i := range items {
		items[i] = t.person()
	}
	return items
}

// plain is a field that may be emptied.
func (t *trial) plain() (string, error) {
	for _, word := range []string{"city", "street", "zip", "first_name"} {
		if field := t.fields[word]; field != "" {
			return field, nil
		}
	}
	return "", leftOut("the default mapping fills no field that may be emptied (client.city, client.street, client.zip or client.first_name)")
}

// write writes items and holds the adapter to one outcome per item id. A call that
// failed as a whole is an outcome for each.
func (t *trial) write(ctx context.Context, items ...sdk.WriteItem) (map[string]sdk.Outcome, error) {
	reply, err := t.adapter.Write(ctx, sdk.WriteRequest{Connection: t.conn, Object: t.client.Name, Items: items})
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ItemID
	}
	return accounted(ids, reply, err)
}

// accounted checks that the reply has exactly one well-formed outcome per id.
func accounted(ids []string, reply sdk.WriteReply, err error) (map[string]sdk.Outcome, error) {
	by := map[string]sdk.Outcome{}
	if err != nil {
		e, err := typed(err)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			by[id] = sdk.Fail(id, e)
		}
		return by, nil
	}
	for _, o := range reply.Outcomes {
		if _, twice := by[o.ItemID]; twice {
			return nil, fmt.Errorf("item %s has two outcomes", o.ItemID)
		}
		if !slices.Contains(ids, o.ItemID) {
			return nil, fmt.Errorf("there is an outcome for item %q, which was not in the call", o.ItemID)
		}
		if err := wellFormed(o); err != nil {
			return nil, err
		}
		by[o.ItemID] = o
	}
	for _, id := range ids {
		if _, ok := by[id]; !ok {
			return nil, fmt.Errorf("item %s of %d has no outcome", id, len(ids))
		}
	}
	return by, nil
}

func wellFormed(o sdk.Outcome) error {
	switch o.Done {
	case sdk.Created, sdk.Updated, sdk.Unchanged:
		if o.Err != nil {
			return fmt.Errorf("item %s is %s and has an error: %w", o.ItemID, o.Done, o.Err)
		}
	case sdk.Failed:
		if o.Err == nil {
			return fmt.Errorf("item %s failed without saying why", o.ItemID)
		}
		_, err := typed(o.Err)
		return err
	default:
		return fmt.Errorf("item %s: done is %q, want created, updated, unchanged or failed", o.ItemID, o.Done)
	}
	return nil
}

// typed holds an error to the contract's closed lists.
func typed(err error) (*sdk.Error, error) {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		return nil, fmt.Errorf("the error %w is no *sdk.Error", err)
	}
	if !slices.Contains(sdk.Classes(), e.Class) {
		return nil, fmt.Errorf("the error class %q is not in the contract's list", e.Class)
	}
	if !slices.Contains([]sdk.Retry{sdk.RetryNever, sdk.RetryLater, sdk.RetryReadBack}, e.Retry) {
		return nil, fmt.Errorf("the retry decision %q of class %s is not in the contract's list", e.Retry, e.Class)
	}
	return e, nil
}

// make one record and answer its item with the CRM id.
func (t *trial) created(ctx context.Context) (sdk.WriteItem, sdk.Outcome, error) {
	item := t.person()
	by, err := t.write(ctx, item)
	if err != nil {
		return item, sdk.Outcome{}, err
	}
	o := by[item.ItemID]
	if o.Done != sdk.Created || o.CRMID == "" {
		return item, o, fmt.Errorf("a new record is %s", told(o))
	}
	item.CRMID = o.CRMID
	return item, o, nil
}

// told says what an outcome is, for a report.
func told(o sdk.Outcome) string {
	if o.Err != nil {
		return fmt.Sprintf("%s: %v", o.Done, o.Err)
	}
	if o.CRMID == "" {
		return string(o.Done) + " without a CRM id"
	}
	return string(o.Done)
}

// find looks clients up by one kind of key.
func (t *trial) find(ctx context.Context, by sdk.FindBy, value string, fields ...string) ([]sdk.Record, error) {
	return t.findIn(ctx, t.client.Name, by, value, fields...)
}

func (t *trial) findIn(ctx context.Context, object string, by sdk.FindBy, value string, fields ...string) ([]sdk.Record, error) {
	reply, err := t.adapter.Find(ctx, sdk.FindRequest{
		Connection: t.conn, Object: object, Keys: []sdk.FindKey{{ItemID: "looked for", By: by, Value: value}}, Fields: fields,
	})
	if err != nil {
		return nil, fmt.Errorf("find by %s: %w", by, err)
	}
	var found []sdk.Record
	for _, hit := range reply.Hits {
		if hit.ItemID != "looked for" || hit.By != by {
			return nil, fmt.Errorf("find by %s: a hit says it is for item %q by %q", by, hit.ItemID, hit.By)
		}
		found = append(found, hit.Record)
	}
	return found, nil
}

// isOnce waits until exactly one record has the key.
func (t *trial) isOnce(ctx context.Context, key string) error {
	if !slices.Contains(t.about.Capabilities, sdk.CapFind) {
		return nil
	}
	return t.eventually(ctx, func() error {
		found, err := t.find(ctx, sdk.FindByExternalKey, key)
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("%d records have the key of a record that was written", len(found))
		}
		return err
	})
}

// noDoubles asks the simulator whether any key is there twice.
func (t *trial) noDoubles(ctx context.Context) error {
	if t.crm == nil {
		return nil
	}
	n, err := t.crm.counts(ctx)
	if err != nil {
		return err
	}
	for kind, doubled := range n.Duplicates {
		if doubled > 0 {
			return fmt.Errorf("%d %s are in the CRM twice", doubled, kind)
		}
	}
	return nil
}

// held is how many records of an object the CRM has.
func (t *trial) held(ctx context.Context, object string) (int, error) {
	n, err := t.crm.counts(ctx)
	return n.Held[object], err
}

// eventually repeats a look until it is satisfied, for as long as changes may take
// to show.
func (t *trial) eventually(ctx context.Context, look func() error) error {
	for end := time.Now().Add(t.settling); ; {
		err := look()
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// is holds an error to one of several classes.
func is(e *sdk.Error, classes ...sdk.Class) error {
	if e == nil {
		return fmt.Errorf("it succeeds, want %s", words(classes))
	}
	if !slices.Contains(classes, e.Class) {
		return fmt.Errorf("the error is %w, want class %s", e, words(classes))
	}
	return nil
}

func words(classes []sdk.Class) string {
	out := make([]string, len(classes))
	for i, c := range classes {
		out[i] = string(c)
	}
	return strings.Join(out, " or ")
}

// failed is the error of a call that must fail.
func failed(err error) (*sdk.Error, error) {
	if err == nil {
		return nil, nil
	}
	return typed(err)
}
