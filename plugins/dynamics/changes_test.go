package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// drain reads all pages from a cursor.
func (c *crm) drain(cursor string, fields ...string) (all sdk.ChangesReply, pages int) {
	c.t.Helper()
	for pages = 1; ; pages++ {
		reply, err := c.adapter.Changes(c.t.Context(), sdk.ChangesRequest{Connection: c.conn, Object: "contact", Cursor: cursor, Fields: fields, Limit: 10})
		if err != nil {
			c.t.Fatal(err)
		}
		all.Changed = append(all.Changed, reply.Changed...)
		all.Deleted = append(all.Deleted, reply.Deleted...)
		all.Remapped = append(all.Remapped, reply.Remapped...)
		all.Next, all.Horizon = reply.Next, reply.Horizon
		cursor = reply.Next
		if !reply.More {
			return all, pages
		}
	}
}

func TestChangesSinceNow(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	out := c.write(contact(1), contact(2), contact(3), contact(4)).Outcomes
	begin, _ := c.drain("", "lastname")
	if len(begin.Changed)+len(begin.Deleted) > 0 {
		t.Fatalf("the start answers %+v, want nothing but a cursor", begin)
	}
	c.post("/edit/org-a/contact", map[string]any{"id": out[0].CRMID, "values": map[string]any{"lastname": "Edited"}})
	c.post("/edit/org-a/contact", map[string]any{"id": out[1].CRMID, "delete": true})
	c.post("/merge/org-a/contact", map[string]string{"into": out[2].CRMID, "from": out[3].CRMID})
	got, _ := c.drain(begin.Next, "lastname")
	if len(got.Changed) != 2 || got.Changed[0].Fields["lastname"].Text() != "Edited" || got.Changed[0].ExternalKey != key(1) || got.Changed[0].Version == "" {
		t.Errorf("changed: %+v", got.Changed)
	}
	if !slices.Equal(got.Deleted, []string{out[1].CRMID}) {
		t.Errorf("deleted: %v", got.Deleted)
	}
	if !slices.Equal(got.Remapped, []sdk.Remap{{FromID: out[3].CRMID, ToID: out[2].CRMID}}) {
		t.Errorf("remapped: %v", got.Remapped)
	}
	if at, err := time.Parse(time.RFC3339, got.Horizon); err != nil || time.Since(at) > time.Minute {
		t.Errorf("horizon %q: %v", got.Horizon, err)
	}
	if quiet, _ := c.drain(got.Next, "lastname"); len(quiet.Changed)+len(quiet.Deleted)+len(quiet.Remapped) > 0 {
		t.Errorf("a second look answers %+v", quiet)
	}
}

func TestChangesInPages(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	ids := c.seedContacts(35)
	begin, _ := c.drain("")
	for i, id := range ids {
		c.post("/edit/org-a/contact", map[string]any{"id": id, "values": map[string]any{"jobtitle": fmt.Sprint(i)}})
	}
	got, pages := c.drain(begin.Next)
	if len(got.Changed) != 35 || pages != 4 {
		t.Errorf("%d changes in %d pages, want 35 in 4", len(got.Changed), pages)
	}
}

// Links may name the environment's other host; the token must not follow them.
func TestLinksToTheAliasHost(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	c.set(map[string]any{"link_host": "org-a.api.example"})
	ids := c.seedContacts(15)
	begin, _ := c.drain("")
	for _, id := range ids {
		c.post("/edit/org-a/contact", map[string]any{"id": id, "values": map[string]any{"jobtitle": "x"}})
	}
	if got, pages := c.drain(begin.Next); len(got.Changed) != 15 || pages != 2 {
		t.Errorf("%d changes in %d pages", len(got.Changed), pages)
	}
}

// A place that is lost in any of the ways the page knows ends in a full answer,
// never in a loop of errors.
func TestALostPlaceAnswersEverything(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*crm){
		"expired, 400": func(c *crm) { c.post("/clock", map[string]any{"advance": "200h"}) },
		"expired, 410": func(c *crm) {
			c.set(map[string]any{"delta_expiry": "error410"})
			c.post("/clock", map[string]any{"advance": "200h"})
		},
		"expired, silent": func(c *crm) {
			c.set(map[string]any{"delta_expiry": "full"})
			c.post("/clock", map[string]any{"advance": "200h"})
		},
		"restored": func(c *crm) {
			c.set(map[string]any{"organization_ids": map[string]string{"org-a": "0e000000-0000-4000-8000-00000000000b"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := installed(t, nil)
			c.seedContacts(25)
			begin, _ := c.drain("")
			lose(c)
			got, _ := c.drain(begin.Next)
			if len(got.Changed) != 25 {
				t.Errorf("%d records, want all 25", len(got.Changed))
			}
			if quiet, _ := c.drain(got.Next); len(quiet.Changed) > 0 {
				t.Errorf("then %d again", len(quiet.Changed))
			}
		})
	}
}

func TestANewFieldStartsOver(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	c.seedContacts(3)
	begin, _ := c.drain("", "lastname")
	got, _ := c.drain(begin.Next, "lastname", "firstname")
	if len(got.Changed) != 3 || got.Changed[0].Fields["firstname"].Text() != "Ana" {
		t.Errorf("%+v", got.Changed)
	}
}

func TestChangesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	for name, req := range map[string]sdk.ChangesRequest{
		"cursor": {Object: "contact", Cursor: "{", Limit: 1},
		"object": {Object: "phonecall", Limit: 1},
		"field":  {Object: "contact", Fields: []string{"a b"}, Limit: 1},
	} {
		req.Connection = c.conn
		if _, err := c.adapter.Changes(t.Context(), req); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c.set(map[string]any{"tracked_tables": []string{}})
	if _, err := c.adapter.Changes(t.Context(), sdk.ChangesRequest{Connection: c.conn, Object: "contact", Limit: 5}); err == nil {
		t.Error("change tracking is off: no error")
	}
	check, err := c.adapter.Check(t.Context(), sdk.CheckRequest{Connection: c.conn})
	if err != nil || !slices.Contains(check.Missing, "change tracking on table contact") {
		t.Errorf("check: %+v %v", check.Missing, err)
	}
}
