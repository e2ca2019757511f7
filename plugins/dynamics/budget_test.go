package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clientele-crm/clientele/sdk"
)

const thousand = 1000

// writable are 20 columns that a mapping may fill.
func writable() []string {
	return []string{
		"firstname", "lastname", "middlename", "nickname", "salutation", "suffix", "jobtitle", "department", "emailaddress2", "telephone2",
		"mobilephone", "fax", "address1_line1", "address1_city", "address1_postalcode", "address1_country", "description", "websiteurl",
		"managername", "assistantname",
	}
}

// inBatches calls fn for every batch of at most size of n things.
func inBatches(n, size int, fn func(from, to int)) {
	for from := 0; from < n; from += size {
		fn(from, min(from+size, n))
	}
}

// seedContacts writes n clients and answers their CRM ids.
func (c *crm) seedContacts(n int) []string {
	c.t.Helper()
	ids := make([]string, n)
	inBatches(n, 100, func(from, to int) {
		var items []sdk.WriteItem
		for i := from; i < to; i++ {
			items = append(items, contact(i))
		}
		for i, o := range c.write(items...).Outcomes {
			if o.Err != nil {
				c.t.Fatal(o.Err)
			}
			ids[from+i] = o.CRMID
		}
	})
	return ids
}

// linked is what 1,000 linked clients cost, a different random subset of 20
// fields having changed on each.
func linked(t testing.TB) int {
	c := installed(t, nil)
	ids := c.seedContacts(thousand)
	c.resetCounters()
	dice := rand.New(rand.NewPCG(1, 2))
	inBatches(thousand, 50, func(from, to int) {
		var items []sdk.WriteItem
		for i := from; i < to; i++ {
			item := sdk.WriteItem{ItemID: fmt.Sprint(i), Mode: sdk.ModeUpsert, ExternalKey: key(i), CRMID: ids[i], Fields: map[string]sdk.Value{}}
			names := writable()
			for range 1 + dice.IntN(len(names)) {
				item.Fields[names[dice.IntN(len(names))]] = sdk.Text(fmt.Sprint("v", dice.IntN(10)))
			}
			items = append(items, item)
		}
		if e := firstErr(c.write(items...)); e != nil {
			t.Fatal(e)
		}
	})
	if held := len(c.records("contact")); held != thousand {
		t.Fatalf("the CRM holds %d contacts, want %d", held, thousand)
	}
	return c.counts().Calls
}

// unknown is what 1,000 clients cost that have no link and are not in the CRM:
// a look-up by email and phone, then a keyed write.
func unknown(t testing.TB) int {
	c := installed(t, nil)
	inBatches(thousand, 50, func(from, to int) {
		var keys []sdk.FindKey
		var items []sdk.WriteItem
		for i := from; i < to; i++ {
			item := contact(i)
			keys = append(keys,
				sdk.FindKey{ItemID: item.ItemID, By: sdk.FindByEmail, Value: email(i)}, sdk.FindKey{ItemID: item.ItemID, By: sdk.FindByPhone, Value: phone(i)})
			items = append(items, item)
		}
		if hits := c.find("contact", nil, keys...); len(hits) != 0 {
			t.Fatalf("found %+v in an empty CRM", hits[0])
		}
		if e := firstErr(c.write(items...)); e != nil {
			t.Fatal(e)
		}
	})
	if held := len(c.records("contact")); held != thousand {
		t.Fatalf("the CRM holds %d contacts, want %d", held, thousand)
	}
	return c.counts().Calls
}

// unchanged is what clients cost that need no write: the host sends none, and an
// empty batch sends nothing.
func unchanged(t testing.TB) int {
	c := installed(t, nil)
	if out := c.write(); len(out.Outcomes) != 0 {
		t.Fatalf("outcomes of nothing: %+v", out)
	}
	return c.counts().Calls
}

// activities is what 1,000 summaries cost, a quarter of each channel.
func activities(t testing.TB) int {
	c := installed(t, nil)
	ids := c.seedContacts(100)
	c.resetCounters()
	for q, channel := range []string{"email", "voice", "sms", "chat"} {
		inBatches(thousand/4, 100, func(from, to int) {
			var items []sdk.Activity
			for i := from; i < to; i++ {
				items = append(items, activityOf(q*thousand/4+i, channel, ids[i%len(ids)]))
			}
			if e := firstErr(c.log(items...)); e != nil {
				t.Fatal(e)
			}
		})
	}
	if held := len(c.records("activitypointer")); held != thousand {
		t.Fatalf("the CRM holds %d activities, want %d", held, thousand)
	}
	return c.counts().Calls
}

// budgets are the bars of design.md §6.
func budgets() []struct {
	name string
	bar  int
	run  func(testing.TB) int
} {
	return []struct {
		name string
		bar  int
		run  func(testing.TB) int
	}{
		{"linked", 20, linked}, {"unknown", 40, unknown}, {"unchanged", 0, unchanged}, {"activities", 20, activities},
	}
}

func TestCallsPerThousand(t *testing.T) {
	t.Parallel()
	for _, b := range budgets() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			calls := b.run(t)
			t.Attr("calls-per-1000", fmt.Sprint("dynamics ", b.name, " ", calls)) // make bench-calls
			if calls > b.bar {
				t.Errorf("%d calls for 1,000, want at most %d", calls, b.bar)
			}
		})
	}
}

func TestUsageIsWhatTheCRMCounted(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	reply := c.write(contact(1), contact(2), contact(3))
	want := []sdk.BucketCalls{{Bucket: bucketRequests, N: 1}, {Bucket: bucketOperations, N: 3}}
	if !slices.Equal(reply.Usage.Calls, want) {
		t.Errorf("usage %+v, want %+v", reply.Usage.Calls, want)
	}
	counts := c.counts()
	if counts.Calls != 1 || counts.Counts["operations"] != 3 {
		t.Errorf("the CRM counted %d requests and %d operations", counts.Calls, counts.Counts["operations"])
	}
	if len(reply.Usage.Quotas) != 2 || reply.Usage.Quotas[0].Remaining <= 0 {
		t.Errorf("quotas %+v", reply.Usage.Quotas)
	}
	if n := counts.Counts["requests with a cookie"]; n != 0 {
		t.Errorf("%d requests with a cookie", n)
	}
}
