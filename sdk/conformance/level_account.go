package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/simulator"
)

func accountChecks() []check {
	return []check{
		{name: "one bad record among many", level: Accounts, run: oneBadAmongMany},
		{name: "known, new and bad in one batch", level: Accounts, run: mixture},
		{name: "mixed field sets", level: Accounts, run: mixedFields},
		{name: "the same key twice in one batch", level: Accounts, run: sameKeyInBatch},
		{name: "the same key at once", level: Accounts, run: sameKeyAtOnce},
		{name: "creating what is there", level: Accounts, run: createsExisting},
		{name: "updating what is not there", level: Accounts, run: updatesMissing},
		{name: "a value that is too long", level: Accounts, run: tooLong},
		{name: "a stale version", level: Accounts, needs: sdk.CapVersionChecks, run: staleVersion},
		{name: "a deleted record", level: Accounts, needs: sdk.CapDelete, run: deletedTarget},
		{name: "a merged record", level: Accounts, faults: true, run: mergedTarget},
		{name: "records the answer leaves out", level: Accounts, faults: true, run: shortAnswer},
		{name: "changes page without loss", level: Accounts, needs: sdk.CapChanges, run: pagesWithoutLoss},
	}
}

// noSuchField is one that no CRM has.
const noSuchField = "clientele_no_such_field"

// oneBadAmongMany: only the bad record is blamed, and by name.
func oneBadAmongMany(ctx context.Context, t *trial) error {
	items := t.people(min(t.about.Batch.Max, 100))
	if t.about.UniformFields {
		return leftOut("the adapter asks for one field set in a batch, and a bad value differs from CRM to CRM")
	}
	bad := len(items) / 2
	items[bad].Fields[noSuchField] = sdk.Text("x")
	by, err := t.write(ctx, items...)
	if err != nil {
		return err
	}
	return t.blamed(ctx, by, items, bad)
}

// blamed holds a batch with one bad record to the rules: the bad one fails for
// what it is; the others are done, or refused as a batch and then not done.
func (t *trial) blamed(ctx context.Context, by map[string]sdk.Outcome, items []sdk.WriteItem, bad int) error {
	whole := true
	for _, o := range by {
		whole = whole && o.Err != nil && o.Err.Class == sdk.ClassBatchRefused
	}
	if whole {
		return nil // nobody could be told to be at fault: the host halves
	}
	culprit := by[items[bad].ItemID]
	if err := is(culprit.Err, sdk.ClassSchema, sdk.ClassValidation); err != nil {
		return fmt.Errorf("the record with a field that does not exist: %w", err)
	}
	if culprit.Err.Field != noSuchField {
		return fmt.Errorf("the record with the field %s that does not exist is refused for the field %q", noSuchField, culprit.Err.Field)
	}
	for i, item := range items {
		o := by[item.ItemID]
		if i == bad {
			continue
		}
		if o.Err != nil && o.Err.Class != sdk.ClassBatchRefused {
			return fmt.Errorf("a good record beside a bad one is blamed: %w", o.Err)
		}
		if !t.offers(sdk.CapFind) || i > 3 && i != len(items)-1 {
			continue // a few are looked at
		}
		found, err := t.find(ctx, sdk.FindByExternalKey, item.ExternalKey)
		if err != nil {
			return err
		}
		if done := o.Err == nil; done != (len(found) == 1) {
			return fmt.Errorf("a good record beside a bad one is %s, and the CRM has %d of it", told(o), len(found))
		}
	}
	return nil
}

func mixture(ctx context.Context, t *trial) error {
	if t.about.UniformFields {
		return leftOut("the adapter asks for one field set in a batch")
	}
	known, o, err := t.created(ctx)
	if err != nil {
		return err
	}
	items := []sdk.WriteItem{t.person(), known, t.person()}
	items[2].Fields[noSuchField] = sdk.Text("x")
	by, err := t.write(ctx, items...)
	if err != nil {
		return err
	}
	if got := by[known.ItemID]; got.Err == nil && got.CRMID != o.CRMID {
		return fmt.Errorf("the outcome of a known record names %q, want %q", got.CRMID, o.CRMID)
	}
	return t.blamed(ctx, by, items, 2)
}

// mixedFields: each record gets its own fields and keeps the others.
func mixedFields(ctx context.Context, t *trial) error {
	field, err := t.plain()
	if err != nil {
		return err
	}
	if t.about.UniformFields {
		return leftOut("the adapter asks for one field set in a batch")
	}
	items := make([]sdk.WriteItem, 3)
	for i := range items {
		if items[i], _, err = t.created(ctx); err != nil {
			return err
		}
		items[i].Fields = map[string]sdk.Value{t.fields["last_name"]: sdk.Text(fmt.Sprint("Mixed ", i))}
	}
	items[0].Fields[field] = sdk.Text("Gouda")
	items[1].Fields[field] = sdk.Clear()
	by, err := t.write(ctx, items...)
	if err != nil {
		return err
	}
	for i, want := range []string{"Gouda", "", t.sent(t.person(), t.wordOf(field))} {
		if o := by[items[i].ItemID]; o.Err != nil {
			return o.Err
		}
		if err := t.shows(ctx, items[i], field, want); err != nil {
			return fmt.Errorf("record %d of a batch with mixed fields: %w", i+1, err)
		}
	}
	return nil
}

func (t *trial) wordOf(field string) string {
	for word, f := range t.fields {
		if f == field {
			return word
		}
	}
	return ""
}

func sameKeyInBatch(ctx context.Context, t *trial) error {
	if t.about.Batch.Max < 2 {
		return leftOut("it takes one record at a time")
	}
	first := t.person()
	second := first
	second.ItemID += "-again"
	if _, err := t.write(ctx, first, second); err != nil {
		return err
	}
	if by, err := t.write(ctx, first); err != nil || by[first.ItemID].Err != nil {
		return errors.Join(fmt.Errorf("writing the key once more: %s", told(by[first.ItemID])), err)
	}
	if err := t.isOnce(ctx, first.ExternalKey); err != nil {
		return err
	}
	return t.noDoubles(ctx)
}

// sameKeyAtOnce: two hosts may write one new client at the same moment.
func sameKeyAtOnce(ctx context.Context, t *trial) error {
	item := t.person()
	const writers = 4
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = t.write(ctx, item) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if by, err := t.write(ctx, item); err != nil || by[item.ItemID].Err != nil {
		return errors.Join(fmt.Errorf("writing the key once more: %s", told(by[item.ItemID])), err)
	}
	if err := t.isOnce(ctx, item.ExternalKey); err != nil {
		return err
	}
	return t.noDoubles(ctx)
}

func createsExisting(ctx context.Context, t *trial) error {
	item, _, err := t.created(ctx)
	if err != nil {
		return err
	}
	item.CRMID, item.Mode = "", sdk.ModeCreate
	by, err := t.write(ctx, item)
	if err != nil {
		return err
	}
	if err := is(by[item.ItemID].Err, sdk.ClassDuplicate, sdk.ClassConflict); err != nil {
		return fmt.Errorf("mode create, and the key is there: %w", err)
	}
	return t.isOnce(ctx, item.ExternalKey)
}

func updatesMissing(ctx context.Context, t *trial) error {
	item := t.person()
	item.Mode = sdk.ModeUpdate
	by, err := t.write(ctx, item)
	if err != nil {
		return err
	}
	if err := is(by[item.ItemID].Err, sdk.ClassNotFound); err != nil {
		return fmt.Errorf("mode update, and no record has the key: %w", err)
	}
	return nil
}

// tooLong: what does not fit is refused by name, or shortened and said so.
func tooLong(ctx context.Context, t *trial) error {
	item := t.person()
	field := t.fields["last_name"]
	text := strings.Repeat("Längst", 2000)
	item.Fields[field] = sdk.Text(text)
	by, err := t.write(ctx, item)
	if err != nil {
		return err
	}
	o := by[item.ItemID]
	if o.Err != nil {
		if err := is(o.Err, sdk.ClassValidation); err != nil {
			return err
		}
		if o.Err.Field != field {
			return fmt.Errorf("a value too long for %s is refused for the field %q", field, o.Err.Field)
		}
		return nil
	}
	if err := t.shows(ctx, item, field, text); err != nil && len(o.Notes) == 0 {
		return errors.New("a long value was shortened, and the outcome has no note of it")
	}
	return nil
}

func staleVersion(ctx context.Context, t *trial) error {
	item, first, err := t.created(ctx)
	if err != nil {
		return err
	}
	if first.Version == "" {
		return errors.New("the outcome of a new record has no version, and the adapter offers version_checks")
	}
	item.Fields[t.fields["last_name"]] = sdk.Text("Changed meanwhile")
	if by, err := t.write(ctx, item); err != nil || by[item.ItemID].Err != nil {
		return errors.Join(err, fmt.Errorf("an update without a version is %s", told(by[item.ItemID])))
	}
	item.Version = first.Version
	item.Fields[t.fields["last_name"]] = sdk.Text("Changed from behind")
	by, err := t.write(ctx, item)
	if err != nil {
		return err
	}
	return is(by[item.ItemID].Err, sdk.ClassConflict)
}

func deletedTarget(ctx context.Context, t *trial) error {
	item, o, err := t.created(ctx)
	if err != nil {
		return err
	}
	if _, err := t.adapter.Delete(ctx, sdk.DeleteRequest{Connection: t.conn, Object: t.client.Name, Items: []sdk.DeleteItem{{ItemID: "1", CRMID: o.CRMID}}}); err != nil {
		return err
	}
	by, err := t.write(ctx, item, t.person())
	if err != nil {
		return err
	}
	return is(by[item.ItemID].Err, sdk.ClassNotFound)
}

func mergedTarget(ctx context.Context, t *trial) error {
	if !t.crm.subject.Merges {
		return leftOut("the simulator merges nothing")
	}
	winner, kept, err := t.created(ctx)
	if err != nil {
		return err
	}
	loser, gone, err := t.created(ctx)
	if err != nil {
		return err
	}
	if err := t.crm.merge(ctx, t.client.Name, kept.CRMID, gone.CRMID); err != nil {
		return err
	}
	by, err := t.write(ctx, loser)
	if err != nil {
		return err
	}
	o := by[loser.ItemID]
	if err := is(o.Err, sdk.ClassRemapped); err != nil {
		return fmt.Errorf("a record that was merged into another: %w", err)
	}
	if o.CRMID == "" || o.CRMID == gone.CRMID {
		return fmt.Errorf("a record that was merged into %s: the outcome names %q as its survivor", winner.CRMID, o.CRMID)
	}
	return nil
}

// shortAnswer: a record that a batch's answer leaves out may have been written.
func shortAnswer(ctx context.Context, t *trial) error {
	fault, known := t.crm.subject.Faults[simulator.FaultShort]
	if !known {
		return leftOut("the simulator leaves nothing out")
	}
	if err := t.crm.fail(ctx, fault); err != nil {
		return err
	}
	items := t.people(3)
	by, err := t.write(ctx, items...)
	if err != nil {
		return err
	}
	lost := 0
	for _, o := range by {
		if o.Err == nil {
			continue
		}
		lost++
		if err := is(o.Err, sdk.ClassUnknownOutcome); err != nil {
			return fmt.Errorf("a record that the answer leaves out: %w", err)
		}
	}
	if lost == 0 {
		return errors.New("a record that the answer leaves out is taken for done")
	}
	return nil
}

func pagesWithoutLoss(ctx context.Context, t *trial) error {
	now, err := t.page(ctx, "", 3)
	if err != nil {
		return err
	}
	items := t.people(8)
	by, err := t.write(ctx, items...)
	if err != nil {
		return err
	}
	return t.eventually(ctx, func() error {
		seen, err := t.since(ctx, now.Next, 3)
		if err != nil {
			return err
		}
		for _, item := range items {
			if o := by[item.ItemID]; o.Err == nil && seen[o.CRMID].ID == "" {
				return fmt.Errorf("one of %d changed records is not among the %d that were read in pages of 3", len(items), len(seen))
			}
		}
		return nil
	})
}
