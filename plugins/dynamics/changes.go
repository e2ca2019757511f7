package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// The largest page (§6.3).
const maxPage = 5000

// cursor is where Changes stands: links exactly as the CRM gave them, and what
// they depend on (§6.5).
type cursor struct {
	// Link is the next page or the delta link; empty asks for the start.
	Link string `json:"link"`
	// Phase is first (pages passed over to reach the present), full (everything is
	// answered again because the place was lost) or delta.
	Phase string `json:"phase"`
	// Org, Base and Fields must be the same for Link to be good.
	Org    string   `json:"org"`
	Base   string   `json:"base"`
	Fields []string `json:"fields"`
	// Page is the page size, which goes with every link.
	Page int `json:"page"`
	// Since is up to when everything was answered, Began when the run of pages
	// under way started.
	Since string `json:"since,omitempty"`
	Began string `json:"began,omitempty"`
}

const (
	phaseFirst = "first"
	phaseFull  = "full"
	phaseDelta = "delta"
)

// Changes implements sdk.Adapter with the table's delta link (§6.1).
//
// The first calls pass over the pages of the table, answering no records, until
// the CRM gives the link for the present. When a link is no longer good (expired
// after some days, environment restored, other fields wanted), everything is
// answered again as changed; deletions of that gap are not in it, and the host
// finds them by asking for the ids it knows.
func (a *adapter) Changes(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.ChangesReply{}, err
	}
	t, bad := tableOf(req.Object)
	if bad != nil {
		return sdk.ChangesReply{}, bad
	}
	columns, bad := t.columns(s.settings.keyColumn(), req.Fields)
	if bad != nil {
		return sdk.ChangesReply{}, bad
	}
	at, bad := readCursor(req.Cursor)
	if bad != nil {
		return sdk.ChangesReply{}, bad
	}
	fields := slices.Clone(req.Fields)
	slices.Sort(fields)
	if at.Phase == "" || at.Began == "" { // a run of pages begins
		var me struct{ OrganizationId string }
		if failed := s.get(ctx, "WhoAmI", nil, &me); failed != nil {
			return sdk.ChangesReply{}, s.fail(failed)
		}
		want := cursor{Phase: phaseFull, Org: me.OrganizationId, Base: s.settings.BaseURL, Fields: fields, Page: maxPage, Since: at.Since}
		switch {
		case at.Phase == "":
			want.Phase = phaseFirst
			at = want
		case at.Org != want.Org || at.Base != want.Base || !slices.Equal(at.Fields, want.Fields):
			at = want
		}
		if at.Phase == phaseFull {
			at.Page = min(max(req.Limit, 1), maxPage)
		}
	}
	reply, failed := s.changesPage(ctx, t, at, columns, req)
	if failed != nil && at.Phase == phaseDelta && lostPlace(failed) {
		at = cursor{Phase: phaseFull, Org: at.Org, Base: at.Base, Fields: at.Fields, Page: min(max(req.Limit, 1), maxPage), Since: at.Since}
		reply, failed = s.changesPage(ctx, t, at, columns, req)
	}
	if failed != nil {
		return sdk.ChangesReply{}, s.fail(failed)
	}
	reply.Usage = s.usage()
	return reply, nil
}

// changesPage reads one page and says where to go on.
func (s *session) changesPage(ctx context.Context, t table, at cursor, columns []string, req sdk.ChangesRequest) (sdk.ChangesReply, *sdk.Error) {
	link, prefer := at.Link, "odata.maxpagesize="+strconv.Itoa(at.Page)
	if link == "" {
		link = s.root + query(t.set, selecting(columns))
	}
	if at.Phase != phaseDelta {
		prefer = "odata.track-changes," + prefer
	}
	p, answer, failed := s.pageReply(ctx, link, map[string]string{"Prefer": prefer})
	if failed != nil {
		return sdk.ChangesReply{}, failed
	}
	if at.Began == "" {
		at.Began = serverTime(answer)
	}
	var out sdk.ChangesReply
	if at.Phase != phaseFirst {
		for _, r := range p.Value {
			addChange(&out, t, s.settings.keyColumn(), req.Fields, r)
		}
	}
	next := at
	switch {
	case p.Next != "":
		next.Link, out.More = p.Next, true
	case p.Delta != "":
		next.Link, next.Phase, next.Since, next.Began = p.Delta, phaseDelta, at.Began, ""
		next.Page = min(max(req.Limit, 1), maxPage)
	default:
		return sdk.ChangesReply{}, refuse(sdk.ClassSchema, "", "table %s: the CRM gives no delta link; turn on change tracking for it", t.name)
	}
	out.Horizon = next.Since
	cursor, err := json.Marshal(next)
	if err != nil {
		return sdk.ChangesReply{}, refuse(sdk.ClassUnknown, "", "write the cursor: %v", err)
	}
	out.Next = string(cursor)
	return out, nil
}

// addChange sorts one row into the reply. A deletion has no columns (quirk 14); a
// record that lost a merge arrives as an update (§6.2).
func addChange(out *sdk.ChangesReply, t table, key string, fields []string, r row) {
	switch {
	case r.text("reason") == "deleted":
		out.Deleted = append(out.Deleted, r.text("id"))
	case r.survivor() != "":
		out.Remapped = append(out.Remapped, sdk.Remap{FromID: r.text(t.id), ToID: r.survivor()})
	default:
		out.Changed = append(out.Changed, r.record(t, key, fields))
	}
}

// lostPlace tells whether a delta link is no longer good: 400, 404 or 410, or
// the code for an expired stamp (§6.1).
func lostPlace(e *sdk.Error) bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone:
		return e.Code != "0x80072491"
	}
	return e.Code == "0x80044352"
}

// serverTime is when the CRM answered, by its own clock.
func serverTime(r crmhttp.Reply) string {
	at, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

func readCursor(raw string) (cursor, *sdk.Error) {
	var c cursor
	if raw == "" {
		return c, nil
	}
	if err := json.Unmarshal([]byte(raw), &c); err != nil || c.Page < 1 {
		return c, refuse(sdk.ClassValidation, "cursor", "cursor: want one that Changes answered: %v", fmt.Sprint(err))
	}
	return c, nil
}
