package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/sdk"
	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// Every reply is dropped after the commit: what the host then does (Find by key,
// LogActivities again) ends with each record once.
func TestDroppedRepliesDoubleNothing(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	c.fault(base.Fault{Method: "POST", Path: "/org-a/api/data/v9.2/$batch", Cut: "after"})
	var keys []sdk.FindKey
	inBatches(thousand, 50, func(from, to int) {
		var items []sdk.WriteItem
		for i := from; i < to; i++ {
			items = append(items, contact(i))
			keys = append(keys, sdk.FindKey{ItemID: fmt.Sprint(i), By: sdk.FindByExternalKey, Value: key(i)})
		}
		_, err := c.adapter.Write(t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "contact", Items: items})
		failed, ok := errors.AsType[*sdk.Error](err)
		if !ok || failed.Class != sdk.ClassUnknownOutcome || failed.Retry != sdk.RetryReadBack {
			t.Fatalf("a lost reply came out as %v", err)
		}
	})
	c.clearFaults()
	ids := make([]string, thousand)
	inBatches(thousand, 100, func(from, to int) {
		for _, hit := range c.find("contact", nil, keys[from:to]...) {
			var n int
			if _, err := fmt.Sscan(hit.ItemID, &n); err != nil {
				t.Fatal(err)
			}
			ids[n] = hit.Record.ID
		}
	})
	for i, id := range ids {
		if id == "" {
			t.Fatalf("contact %d was not found again", i)
		}
	}
	// Writing again by key must not make a second record either.
	if out := c.write(contact(0)).Outcomes[0]; out.Done != sdk.Updated || out.CRMID != ids[0] {
		t.Errorf("written again: %+v", out)
	}

	send := func() (failures int) {
		channels := []string{"email", "sms", "chat", "voice"}
		inBatches(thousand, 50, func(from, to int) {
			var items []sdk.Activity
			for i := from; i < to; i++ {
				items = append(items, activityOf(i, channels[i%4], ids[i]))
			}
			reply, err := c.adapter.LogActivities(t.Context(), sdk.LogActivitiesRequest{Connection: c.conn, Items: items})
			if err != nil {
				failures++
				return
			}
			if e := firstErr(reply); e != nil {
				t.Fatal(e)
			}
		})
		return failures
	}
	c.fault(base.Fault{Method: "POST", Path: "/org-a/api/data/v9.2/$batch", Cut: "after"})
	if n := send(); n != thousand/50 {
		t.Fatalf("%d batches lost their reply, want all", n)
	}
	c.clearFaults()
	if n := send(); n != 0 {
		t.Fatalf("%d batches failed without faults", n)
	}
	counts := c.counts()
	held := counts.Held["email"] + counts.Held["task"] + counts.Held["phonecall"]
	if counts.Held["contact"] != thousand || held != thousand || counts.Duplicates["contact"] != 0 {
		t.Errorf("held %v, duplicates %v; want 1,000 contacts and 1,000 activities", counts.Held, counts.Duplicates)
	}
	for _, r := range c.records("activitypointer") {
		if r["statecode"] != float64(1) {
			t.Fatalf("an activity is not completed: %v", r)
		}
	}
}

func TestEveryTenthRecordInvalid(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	landed, refused := 0, 0
	inBatches(thousand, 50, func(from, to int) {
		var items []sdk.WriteItem
		for i := from; i < to; i++ {
			item := contact(i)
			if i%10 == 0 {
				item.Fields["firstname"] = sdk.Text(strings.Repeat("x", 51))
			}
			items = append(items, item)
		}
		for _, o := range c.write(items...).Outcomes {
			switch {
			case o.Err == nil:
				landed++
			case o.Err.Class == sdk.ClassValidation && o.Err.Field == "firstname" && o.Err.Code == "0x80044331" && o.Err.Retry == sdk.RetryNever:
				refused++
			default:
				t.Fatalf("%+v", o.Err)
			}
		}
	})
	if landed != 900 || refused != 100 || c.counts().Held["contact"] != 900 {
		t.Errorf("%d landed, %d refused, CRM holds %d", landed, refused, c.counts().Held["contact"])
	}
}

func TestEveryItemOfADamagedBatchHasOneOutcome(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"lose_part", "swap_parts", "throttle_part", "cut_parts", "line_feeds", "edit_first"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			c := installed(t, nil)
			c.fault(base.Fault{Method: "POST", Path: "/org-a/api/data/v9.2/$batch", Do: do})
			out := c.write(contact(1), contact(2), contact(3)).Outcomes
			classes := map[string]sdk.Class{}
			for i, o := range out {
				if o.ItemID != fmt.Sprint("i", i+1) {
					t.Errorf("outcome %d is of item %q", i, o.ItemID)
				}
				if o.Err != nil {
					classes[o.ItemID] = o.Err.Class
				} else if o.CRMID == "" {
					t.Errorf("%s: no CRM id: %+v", o.ItemID, o)
				}
			}
			want := map[string]map[string]sdk.Class{
				"lose_part":     {"i2": sdk.ClassUnknownOutcome, "i3": sdk.ClassUnknownOutcome},
				"swap_parts":    {"i1": sdk.ClassUnknownOutcome, "i2": sdk.ClassUnknownOutcome},
				"throttle_part": {"i1": sdk.ClassThrottled},
				"cut_parts":     {"i3": sdk.ClassUnknownOutcome},
				"line_feeds":    {},
				"edit_first":    {},
			}[do]
			if do == "cut_parts" {
				for id, class := range classes {
					if class != sdk.ClassUnknownOutcome || id == "i1" {
						t.Errorf("%s: %s", id, class)
					}
				}
				return
			}
			if len(classes) != len(want) {
				t.Errorf("failures %v, want %v", classes, want)
			}
			for id, class := range want {
				if classes[id] != class {
					t.Errorf("%s: %s, want %s", id, classes[id], class)
				}
			}
		})
	}
}

func TestWhatAWholeCallMeetsIsItsError(t *testing.T) {
	t.Parallel()
	for preset, want := range map[string]sdk.Class{
		"throttled_requests": sdk.ClassThrottled, "throttled_time": sdk.ClassThrottled, "throttled_concurrency": sdk.ClassThrottled,
		"deadlock": sdk.ClassLock, "sql_timeout": sdk.ClassTransient, "sandbox_gone": sdk.ClassTransient, "unavailable": sdk.ClassTransient,
		"bad_gateway": sdk.ClassUnknownOutcome, "unauthorized": sdk.ClassAuth, "other_shape": sdk.ClassBatchRefused, "redirect": sdk.ClassUnknown,
	} {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			c := installed(t, nil)
			c.fault(base.Fault{Preset: preset})
			_, err := c.adapter.Write(t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "contact", Items: []sdk.WriteItem{contact(1), contact(2)}})
			failed, ok := errors.AsType[*sdk.Error](err)
			if !ok || failed.Class != want {
				t.Fatalf("%v, want %s", err, want)
			}
			if strings.HasPrefix(preset, "throttled") && failed.After <= 0 {
				t.Errorf("no delay: %+v", failed)
			}
			if len(failed.Usage.Calls) == 0 {
				t.Error("the failed call shows no cost")
			}
			if preset == "redirect" && !strings.Contains(failed.Message, "org-a.api.example") {
				t.Errorf("the redirect's host is not named: %s", failed.Message)
			}
		})
	}
}

// A fifth of all requests fails in one way or another; a host that repeats by key
// what did not end gets every record once.
func TestRandomFaultsConverge(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	for _, f := range []base.Fault{
		{Probability: 0.07, Cut: "after"}, {Probability: 0.07, Cut: "before"}, {Probability: 0.05, Preset: "throttled_requests"},
		{Probability: 0.05, Preset: "unavailable"}, {Probability: 0.05, Cut: "middle"}, {Probability: 0.05, Do: "lose_part"},
	} {
		f.Path = "/org-a/api/data/v9.2/$batch"
		c.fault(f)
	}
	left := map[int]bool{}
	for i := range 200 {
		left[i] = true
	}
	for round := 0; len(left) > 0; round++ {
		if round > 200 {
			t.Fatalf("%d records are still not written", len(left))
		}
		var items []sdk.WriteItem
		for i := range left {
			if len(items) < 10 {
				items = append(items, contact(i))
			}
		}
		reply, err := c.adapter.Write(t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "contact", Items: items})
		if err != nil {
			continue
		}
		if len(reply.Outcomes) != len(items) {
			t.Fatalf("%d outcomes of %d items", len(reply.Outcomes), len(items))
		}
		for i, o := range reply.Outcomes {
			if o.ItemID != items[i].ItemID {
				t.Fatalf("outcome of %s where %s was sent", o.ItemID, items[i].ItemID)
			}
			if o.Err == nil {
				delete(left, atoi(t, strings.TrimPrefix(o.ItemID, "i")))
			}
		}
	}
	c.clearFaults()
	seen := map[any]bool{}
	for _, r := range c.records("contact") {
		seen[r["acme_clientele_id"]] = true
	}
	if held := c.counts().Held["contact"]; held != 200 || len(seen) != 200 {
		t.Errorf("the CRM holds %d contacts with %d keys, want 200", held, len(seen))
	}
}
