package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/sdk"
)

func (r *rig) find(object string, keys ...sdk.FindKey) []sdk.Hit {
	r.t.Helper()
	fields := []string{"LastName"}
	if object == "Task" {
		fields = []string{"Subject"}
	}
	reply, err := r.a.Find(r.t.Context(), sdk.FindRequest{Connection: r.conn, Object: object, Keys: keys, Fields: fields})
	if err != nil {
		r.t.Fatalf("find: %v", err)
	}
	if n := calls(reply.Usage); n > 1 {
		r.t.Errorf("the lookup cost %d calls, want 1", n)
	}
	return reply.Hits
}

func TestFindByEveryKindOfKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	a := r.create("Contact", `{"LastName":"O'Brien \"Bo\" \\","Email":"Anna@Example.org","MobilePhone":"(415) 555-0101","Clientele_Id__c":"`+key(1)+`"}`)
	b := r.create("Contact", `{"LastName":"Two","Email":"anna@example.org","Phone":"+1 415-555-0101"}`)
	hits := r.find("Contact",
		sdk.FindKey{ItemID: "key", By: sdk.FindByExternalKey, Value: key(1)},
		sdk.FindKey{ItemID: "id", By: sdk.FindByID, Value: b[:15]},
		sdk.FindKey{ItemID: "mail", By: sdk.FindByEmail, Value: "anna@example.org"},
		sdk.FindKey{ItemID: "phone", By: sdk.FindByPhone, Value: "+14155550101"},
		sdk.FindKey{ItemID: "none", By: sdk.FindByEmail, Value: "o'brien\\@example.org"},
		sdk.FindKey{ItemID: "odd id", By: sdk.FindByID, Value: "x"},
		sdk.FindKey{ItemID: "empty", By: sdk.FindByEmail},
	)
	var got []string
	for _, h := range hits {
		got = append(got, fmt.Sprintf("%s %s", h.ItemID, h.Record.ID))
		if h.Record.ID == a && (h.Record.ExternalKey != key(1) || h.Record.Fields["LastName"].Text() != `O'Brien "Bo" \` || h.Record.Version == "") {
			t.Errorf("record: %+v", h.Record)
		}
	}
	slices.Sort(got)
	want := []string{"id " + b, "key " + a, "mail " + a, "mail " + b, "phone " + a, "phone " + b}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}
	if n := r.counts().Endpoints["GET /services/data/{version}/query"]; n != nil {
		t.Errorf("keys went into a URL: %v", n)
	}
}

func TestObjectsAreAskedForWhatTheyHave(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	account := r.create("Account", `{"Name":"Muster GmbH","Phone":"(415) 555-0101","Clientele_Id__c":"`+key(1)+`"}`)
	for object, want := range map[string]int{"Account": 2, "Lead": 0, "Task": 0} {
		reply, err := r.a.Find(t.Context(), sdk.FindRequest{Connection: r.conn, Object: object, Keys: []sdk.FindKey{
			{ItemID: "key", By: sdk.FindByExternalKey, Value: key(1)}, {ItemID: "phone", By: sdk.FindByPhone, Value: "+14155550101"},
			{ItemID: "mail", By: sdk.FindByEmail, Value: "office@example.org"},
		}})
		if err != nil || len(reply.Hits) != want {
			t.Errorf("%s: %+v, %v; want %d hits", object, reply.Hits, err, want)
		}
		for _, h := range reply.Hits {
			if h.Record.ID != account {
				t.Errorf("hit %+v", h)
			}
		}
	}
}

func TestArchivedActivitiesAreFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	contact := r.create("Contact", `{"LastName":"Fischer"}`)
	old := conversations([]string{contact})[0]
	old.StartedAt = "2020-01-01T10:00:00Z"
	r.log(old)
	if n := r.admin("POST", "/archive", "{}")["archived"]; n != 1.0 {
		t.Fatalf("archived %v tasks", n)
	}
	if hits := r.find("Task", sdk.FindKey{ItemID: "a", By: sdk.FindByExternalKey, Value: old.ExternalKey}); len(hits) != 1 {
		t.Errorf("found %d, want the archived task", len(hits))
	}
}

func TestPhoneForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ e164, region, has, hasNot string }{
		{"+14155550101", "US", "(415) 555-0101", ""},
		{"+14155550101", "US", "415.555.0101", ""},
		{"+14165550101", "US", "(416) 555-0101", ""}, // Canada shares the country code
		{"+14155550101", "DE", "+1 (415) 555-0101", "(415) 555-0101"},
		{"+493012345678", "DE", "030 12345678", ""},
		{"+493012345678", "US", "+49 30 12345678", "030 12345678"},
		{"no number", "US", "no number", ""},
	} {
		forms := phoneForms(tc.e164, tc.region)
		if !slices.Contains(forms, tc.has) || tc.hasNot != "" && slices.Contains(forms, tc.hasNot) {
			t.Errorf("%s in %s: %q", tc.e164, tc.region, forms)
		}
	}
}

func TestQuoteCannotBeLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringN(1, 40, 200).Draw(t, "value")
		reply, err := r.a.Find(r.t.Context(), sdk.FindRequest{Connection: r.conn, Object: "Contact", Keys: []sdk.FindKey{
			{ItemID: "a", By: sdk.FindByEmail, Value: value}, {ItemID: "b", By: sdk.FindByExternalKey, Value: value},
		}})
		if err != nil || len(reply.Hits) != 0 {
			t.Fatalf("%q: %+v, %v", value, reply.Hits, err)
		}
	})
}

// reader follows Changes the way the host does.
type reader struct {
	r       *rig
	cursor  string
	horizon string
	changed map[string]int
	deleted []string
	remaps  []sdk.Remap
	pages   int
}

func (r *rig) reader(object string) *reader {
	r.t.Helper()
	rd := &reader{r: r, changed: map[string]int{}}
	rd.page(object, 10)
	return rd
}

func (rd *reader) page(object string, limit int) bool {
	rd.r.t.Helper()
	reply, err := rd.r.a.Changes(rd.r.t.Context(), sdk.ChangesRequest{Connection: rd.r.conn, Object: object, Cursor: rd.cursor, Fields: []string{"Description"}, Limit: limit})
	if err != nil {
		rd.r.t.Fatalf("changes: %v", err)
	}
	for _, c := range reply.Changed {
		rd.changed[c.ID]++
	}
	rd.deleted = append(rd.deleted, reply.Deleted...)
	rd.remaps = append(rd.remaps, reply.Remapped...)
	rd.cursor, rd.horizon = reply.Next, reply.Horizon
	rd.pages++
	return reply.More
}

func (rd *reader) all(object string, limit int) {
	for rd.page(object, limit) {
	}
}

// Hundreds of rows share one second, pages are short, and a row commits late:
// every change is seen.
func TestChangesMissNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	r.admin("PATCH", "/settings", `{"query_page":3}`)
	rd := r.reader("Contact")
	made := byItem(t, r.write("Contact", people(0, 50)...).Outcomes)
	rd.all("Contact", 7)
	if len(rd.changed) != 50 {
		t.Fatalf("saw %d of 50 new contacts", len(rd.changed))
	}
	rd.changed = map[string]int{}
	late := made["item-7"].CRMID
	r.admin("POST", "/clock", `{"advance":"5m"}`)
	r.admin("POST", "/set", fmt.Sprintf(`{"object":"Contact","id":%q,"fields":{"SystemModstamp":%q}}`, late, time.Now().Add(3*time.Minute).UTC().Format(time.RFC3339)))
	rd.all("Contact", 2000)
	r.admin("POST", "/set", fmt.Sprintf(`{"object":"Contact","id":%q,"fields":{"SystemModstamp":%q}}`, made["item-8"].CRMID, time.Now().Add(2*time.Minute).UTC().Format(time.RFC3339)))
	rd.changed = map[string]int{}
	rd.all("Contact", 2000)
	if rd.changed[late] == 0 || rd.changed[made["item-8"].CRMID] == 0 {
		t.Errorf("a row that committed late with an earlier time was missed: %v", rd.changed)
	}
	if _, err := time.Parse(time.RFC3339, rd.horizon); err != nil {
		t.Errorf("horizon: %v", err)
	}
}

// Windows are built on the org's clock, not on this machine's.
func TestChangesUseTheServersClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		r := newRig(t, "ready", "")
		r.admin("POST", "/clock", fmt.Sprintf(`{"advance":%q}`, skew))
		rd := r.reader("Contact")
		made := r.write("Contact", person(1)).Outcomes[0]
		rd.all("Contact", 100)
		if rd.changed[made.CRMID] == 0 {
			t.Errorf("with a clock off by %v the new contact is missed", skew)
		}
		c, err := readCursor(rd.cursor)
		if off := time.Since(c.Since.Add(-skew)); err != nil || off < -2*time.Second || off > overlapTime+5*time.Second {
			t.Errorf("the next pass starts %v ago, %v", off, err)
		}
	}
}

// A page of a query is lost on the way: the call fails and the next one, from the
// same cursor, has everything.
func TestALostPageIsReadAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	r.admin("PATCH", "/settings", `{"query_page":3}`)
	rd := r.reader("Contact")
	r.write("Contact", people(0, 10)...)
	r.admin("POST", "/faults", `{"path":"/services/data/v66.0/query/**","preset":"locator_gone","skip":1,"count":1}`)
	_, err := r.a.Changes(t.Context(), sdk.ChangesRequest{Connection: r.conn, Object: "Contact", Cursor: rd.cursor, Limit: 100})
	if e := asError(t, err); e.Class != sdk.ClassTransient || e.Retry != sdk.RetryLater {
		t.Errorf("a lost locator: %+v", e)
	}
	rd.all("Contact", 100)
	if len(rd.changed) != 10 {
		t.Errorf("saw %d of 10", len(rd.changed))
	}
}

func TestChangesTellDeletionsMergesAndConversions(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	made := byItem(t, r.write("Contact", people(1, 3)...).Outcomes)
	lead := r.create("Lead", `{"LastName":"L","Company":"C"}`)
	contacts, leads := r.reader("Contact"), r.reader("Lead")
	r.rest("DELETE", "/services/data/v66.0/sobjects/Contact/"+made["item-1"].CRMID, "")
	r.admin("POST", "/merge", fmt.Sprintf(`{"object":"Contact","winner":%q,"losers":[%q]}`, made["item-2"].CRMID, made["item-3"].CRMID))
	into := r.admin("POST", "/convert", fmt.Sprintf(`{"lead":%q,"contact":%q}`, lead, made["item-2"].CRMID))["contact"]
	contacts.all("Contact", 2000)
	leads.all("Lead", 2000)
	if diff := cmp.Diff([]string{made["item-1"].CRMID}, contacts.deleted); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]sdk.Remap{{FromID: made["item-3"].CRMID, ToID: made["item-2"].CRMID}}, contacts.remaps); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]sdk.Remap{{FromID: lead, ToID: into.(string), ToObject: "Contact"}}, leads.remaps); diff != "" {
		t.Errorf("converted (-want +got):\n%s", diff)
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	for _, bad := range []string{"x", "bm9uZQ", cursor{Since: time.Now(), ID: "003' OR Id != '"}.String()} {
		_, err := r.a.Changes(t.Context(), sdk.ChangesRequest{Connection: r.conn, Object: "Contact", Cursor: bad, Limit: 10})
		if e := asError(t, err); e.Class != sdk.ClassValidation || e.Field != "cursor" {
			t.Errorf("cursor %q: %+v", bad, e)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		since := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "since"), 0).UTC()
		c := cursor{Since: since}
		if rapid.Bool().Draw(t, "mid-pass") {
			c.At, c.ID = since.Add(time.Hour), "003Si0000000001IAA"
		}
		got, err := readCursor(c.String())
		if err != nil || got != c {
			t.Fatalf("%+v came back as %+v, %v", c, got, err)
		}
		if next := c.done(since.Add(time.Minute)); next.Since.Before(c.Since) {
			t.Fatalf("a finished pass goes back before its own start: %v", next)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{Since: time.Unix(1_770_000_000, 0)}.String())
	f.Add("e30")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := readCursor(s)
		if err != nil {
			return
		}
		if q := c.query("Contact", "Clientele_Id__c", nil, 10); strings.Count(q, "'")%2 != 0 {
			t.Errorf("%q gives %s", s, q)
		}
	})
}

func TestDescribeObjectShowsWhatTheUserMayDo(t *testing.T) {
	t.Parallel()
	r := newRig(t, "strict", "")
	r.admin("PATCH", "/settings", `{"hidden_fields":["Contact.Birthdate"],"read_only_fields":["Contact.Fax"]}`)
	reply, err := r.a.DescribeObject(t.Context(), sdk.DescribeObjectRequest{Connection: r.conn, Object: "Contact"})
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]sdk.Field{}
	for _, f := range reply.Fields {
		fields[f.Name] = f
	}
	if _, there := fields["Birthdate"]; there {
		t.Error("a hidden field is described")
	}
	for name, want := range map[string]sdk.Field{
		"LastName":        {Name: "LastName", Label: "Last Name", Type: "string", Kind: sdk.KindText, MaxLength: 80, Required: true, Createable: sdk.Yes, Updateable: sdk.Yes},
		"Fax":             {Name: "Fax", Label: "Business Fax", Type: "phone", Kind: sdk.KindText, MaxLength: 40, Createable: sdk.No, Updateable: sdk.No},
		"DoNotCall":       {Name: "DoNotCall", Label: "Do Not Call", Type: "boolean", Kind: sdk.KindBool, Createable: sdk.Yes, Updateable: sdk.Yes, DefaultedOnCreate: true},
		"Clientele_Id__c": {Name: "Clientele_Id__c", Label: "Clientele Id", Type: "string", Kind: sdk.KindText, MaxLength: 64, Unique: true, ExternalID: true, Custom: true, Createable: sdk.Yes, Updateable: sdk.Yes},
		"Region__c":       {Name: "Region__c", Label: "Region", Type: "string", Kind: sdk.KindText, MaxLength: 20, Required: true, Custom: true, Createable: sdk.Yes, Updateable: sdk.Yes},
		"AccountId":       {Name: "AccountId", Label: "Account ID", Type: "reference", Kind: sdk.KindText, MaxLength: 18, References: []string{"Account"}, Createable: sdk.Yes, Updateable: sdk.Yes},
	} {
		got := fields[name]
		if len(got.References) == 0 {
			got.References = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if level := fields["Level__c"]; !level.PicklistRestricted || len(level.Picklist) != 2 || level.Picklist[0].Value != "Gold" {
		t.Errorf("picklist: %+v", level)
	}
	_, err = r.a.DescribeObject(t.Context(), sdk.DescribeObjectRequest{Connection: r.conn, Object: "Accout"})
	if e := asError(t, err); e.Class != sdk.ClassSchema {
		t.Errorf("an unknown object: %+v", e)
	}
}
