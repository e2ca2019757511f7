package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tokenTime is the time in a delta token (§6.1).
const tokenTime = "01/02/2006 15:04:05"

// changes answers a query with change tracking: all rows at first, with a token
// changed rows by version, then deletions. The delta link stands on the last page
// and starts where the run began, so that nothing in between is lost.
func (c *call) changes(t *table, s selection, size int, track bool) (*answer, *failure) {
	for _, name := range []string{"$filter", "$orderby", "$expand", "$top"} {
		if c.options[name] != "" {
			return nil, fail(400, "0x80060888", `The "%s" query parameter isn't supported when Change Tracking is enabled.`, name)
		}
	}
	if !slices.Contains(c.sim.settings.TrackedTables, t.Name) {
		return nil, fail(400, "0x80072491", "Entity %s isn't enabled for change tracking.", t.Name)
	}
	at := cookie{Page: 1, Start: c.env.version()}
	if raw := c.options["$skiptoken"]; raw != "" {
		var ok bool
		if at, ok = readCookie(raw); !ok {
			return nil, fail(400, "0x8004112a", "Invalid page number in paging cookie.")
		}
	}
	token := c.options["$deltatoken"]
	var since int64
	if token != "" {
		var refused *failure
		if since, refused = c.readDelta(token); refused != nil {
			return nil, refused
		}
	}
	changed, gone := c.env.since(t, since)
	if token == "" || since == 0 {
		gone = nil
	}
	body := map[string]any{"@odata.context": c.root + "$metadata#" + t.Set + contextOf(s)}
	if token != "" {
		body["@odata.context"] = body["@odata.context"].(string) + "/$delta"
	}
	var list []any
	last := at.Version
	full := false
	for _, r := range changed {
		if r.Version <= at.Version {
			continue
		}
		if full = len(list) == size; full {
			break
		}
		one, refused := c.render(t, r, s)
		if refused != nil {
			return nil, refused
		}
		list = append(list, one)
		last = r.Version
	}
	if !full {
		// Deletions close the last page; their versions order them after the rows.
		for _, id := range gone {
			list = append(list, map[string]any{
				"@odata.context": c.root + "$metadata#" + t.Set + "/$deletedEntity", "id": id, "reason": "deleted",
			})
		}
		body["@odata.deltaLink"] = c.root + t.Set + "?" + c.keep("$select") + "$deltatoken=" + c.deltaToken(at.Start)
	} else {
		body["@odata.nextLink"] = c.link(t, cookie{Page: at.Page + 1, Version: last, Start: at.Start}, true)
	}
	if list == nil {
		list = []any{}
	}
	body["value"] = list
	a := respond(http.StatusOK, body)
	c.applied(a)
	return a, nil
}

// since are the rows with a higher version, in its order, and the ids deleted
// after it.
func (e *environment) since(t *table, version int64) ([]row, []string) {
	var changed []row
	for _, r := range e.all(t) {
		if r.Version > version {
			changed = append(changed, r)
		}
	}
	slices.SortFunc(changed, func(a, b row) int { return cmp.Compare(a.Version, b.Version) })
	var gone []string
	for id, g := range e.gone[t.Name].All() {
		if _, back := e.rows[t.Name].Get(id); !back && g.Version > version {
			gone = append(gone, id)
		}
	}
	return changed, gone
}

// deltaToken is the row version and the time, percent-encoded as in the samples.
func (c *call) deltaToken(version int64) string {
	text := url.QueryEscape(fmt.Sprintf("%d!%s", version, c.now.Format(tokenTime)))
	return strings.NewReplacer("+", "%20", "%2F", "%2f", "%3A", "%3a").Replace(text)
}

// readDelta reads a token and what its age does to it: an expired one is refused
// or, in the old behaviour, answers everything.
func (c *call) readDelta(token string) (int64, *failure) {
	number, text, ok := strings.Cut(token, "!")
	version, err1 := strconv.ParseInt(number, 10, 64)
	at, err2 := time.Parse(tokenTime, text)
	if !ok || err1 != nil || err2 != nil || version > c.env.version() {
		return 0, fail(400, "0x80060888", "The delta token is not valid.")
	}
	if c.now.Sub(at) <= time.Duration(c.sim.settings.DeltaDays)*24*time.Hour {
		return version, nil
	}
	const text1 = "Version stamp associated with the client has expired. Please perform a full sync."
	switch c.sim.settings.DeltaExpiry {
	case "full":
		return 0, nil
	case "error410":
		return 0, fail(http.StatusGone, "0x80044352", text1)
	default:
		return 0, fail(http.StatusBadRequest, "0x80044352", text1)
	}
}
