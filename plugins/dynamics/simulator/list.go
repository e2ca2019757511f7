package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxPage is the largest page, and the size without a preference (§6.3).
const maxPage = 5000

// list answers GET of a set: a query, or the change feed (delta.go).
func (c *call) list(t *table) (*answer, *failure) {
	if refused := c.may("Read", t); refused != nil {
		return nil, refused
	}
	s, refused := c.selected(t, c.options)
	if refused != nil {
		return nil, refused
	}
	size, refused := c.pageSize()
	if refused != nil {
		return nil, refused
	}
	_, track := c.prefers("odata.track-changes")
	if track || c.options["$deltatoken"] != "" {
		return c.changes(t, s, size, track)
	}
	rows, refused := c.query(t)
	if refused != nil {
		return nil, refused
	}
	body := map[string]any{"@odata.context": c.root + "$metadata#" + t.Set + contextOf(s)}
	if c.options["$count"] == "true" {
		body["@odata.count"] = min(len(rows), maxPage)
	}
	if c.annotated() {
		body["@Microsoft.Dynamics.CRM.totalrecordcount"] = -1
		body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] = len(rows) > maxPage
		body["@Microsoft.Dynamics.CRM.globalmetadataversion"] = strconv.Itoa(6000000 + c.env.columns.Len() + c.env.keys.Len())
	}
	page := 1
	if raw := c.options["$skiptoken"]; raw != "" {
		at, ok := readCookie(raw)
		if !ok {
			return nil, fail(400, "0x8004112a", "Invalid page number in paging cookie.")
		}
		page = at.Page
	}
	if text := c.options["$top"]; text != "" {
		top, err := strconv.Atoi(text)
		if err != nil || top < 1 {
			return nil, syntax()
		}
		rows = rows[:min(top, len(rows))]
	} else {
		from := min((page-1)*size, len(rows))
		end := min(from+size, len(rows))
		if end < len(rows) {
			body["@odata.nextLink"] = c.link(t, cookie{Page: page + 1, Last: rows[end-1].ID}, false)
		}
		rows = rows[from:end]
	}
	list := make([]any, len(rows))
	for i, r := range rows {
		one, refused := c.render(t, r, s)
		if refused != nil {
			return nil, refused
		}
		list[i] = one
	}
	body["value"] = list
	a := respond(http.StatusOK, body)
	c.applied(a)
	return a, nil
}

// applied says which preferences were honoured.
func (c *call) applied(a *answer) {
	var names []string
	for _, name := range []string{"odata.track-changes", "odata.maxpagesize", "odata.include-annotations"} {
		v, ok := c.prefers(name)
		switch {
		case !ok:
		case name == "odata.include-annotations":
			names = append(names, name+`="`+v+`"`)
		case v != "":
			names = append(names, name+"="+v)
		default:
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		a.header.Set("Preference-Applied", strings.Join(names, ","))
	}
}

func (c *call) pageSize() (int, *failure) {
	text, ok := c.prefers("odata.maxpagesize")
	if !ok {
		return maxPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, syntax()
	}
	return min(n, maxPage), nil
}

// query answers the rows of $filter in the order of $orderby, else by id.
func (c *call) query(t *table) ([]row, *failure) {
	fits, refused := c.filter(t, c.options["$filter"])
	if refused != nil {
		return nil, refused
	}
	for _, name := range []string{"$apply", "fetchXml", "savedQuery", "userQuery"} {
		if c.options[name] != "" {
			return nil, fail(http.StatusNotImplemented, "", "%s is not available in this simulator.", name)
		}
	}
	var rows []row
	for _, r := range c.env.all(t) {
		if fits(r) {
			rows = append(rows, r)
		}
	}
	type sorting struct {
		get  func(row) any
		down bool
	}
	var by []sorting
	if text := c.options["$orderby"]; text != "" {
		for _, one := range strings.Split(text, ",") {
			words := strings.Fields(one)
			if len(words) == 0 || len(words) > 2 || len(words) == 2 && words[1] != "asc" && words[1] != "desc" {
				return nil, syntax()
			}
			p := &parser{call: c, table: t}
			get := p.operand(words[0])
			if p.failed != nil {
				return nil, p.failed
			}
			by = append(by, sorting{get, len(words) == 2 && words[1] == "desc"})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		for _, s := range by {
			n := order(s.get(a), s.get(b))
			if s.down {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return strings.Compare(a.ID, b.ID)
	})
	return rows, nil
}

// count answers GET set/$count, also of a backlog (§6.1).
func (c *call) count(t *table) (*answer, *failure) {
	var n int
	if raw := c.options["$deltatoken"]; raw != "" {
		since, refused := c.readDelta(raw)
		if refused != nil {
			return nil, refused
		}
		changed, gone := c.env.since(t, since)
		n = len(changed) + len(gone)
	} else {
		rows, refused := c.query(t)
		if refused != nil {
			return nil, refused
		}
		n = min(len(rows), maxPage)
	}
	a := &answer{status: http.StatusOK, header: http.Header{"Odata-Version": {"4.0"}, "Content-Type": {"text/plain"}}}
	a.body = []byte(strconv.Itoa(n))
	return a, nil
}

// cookie is where a page starts; in a link it is encoded twice, as the real one
// is, so that a client that decodes it breaks (quirk 12).
type cookie struct {
	Page int    `json:"page"`
	Last string `json:"last,omitempty"`
	// Version is the last row version answered, Start the version that the run
	// began at.
	Version int64 `json:"version,omitempty"`
	Start   int64 `json:"start,omitempty"`
}

// link is the next page's address: this query with a skip token.
func (c *call) link(t *table, at cookie, tracking bool) string {
	inner, err := json.Marshal(at)
	if err != nil {
		panic(err) // numbers and texts
	}
	once := strings.ReplaceAll(url.QueryEscape(`<cookie page="1">`+string(inner)+`</cookie>`), "+", "%20")
	word := "False"
	if tracking {
		word = "True"
	}
	token := fmt.Sprintf(`<cookie pagenumber="%d" pagingcookie="%s" istracking="%s" />`, at.Page, strings.ToLower(once), word)
	return c.root + t.Set + "?" + c.keep("$select", "$filter", "$orderby", "$expand", "$deltatoken") +
		"$skiptoken=" + strings.NewReplacer("+", "%20", "%3D", "=", "%2F", "/").Replace(url.QueryEscape(token))
}

// keep repeats options of the query.
func (c *call) keep(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		if v := c.options[name]; v != "" {
			fmt.Fprintf(&b, "%s=%s&", name, strings.ReplaceAll(url.QueryEscape(v), "%2C", ","))
		}
	}
	return b.String()
}

func readCookie(token string) (cookie, bool) {
	var at cookie
	_, rest, ok := strings.Cut(token, `pagingcookie="%3c`)
	if !ok {
		return at, false
	}
	once, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return at, false
	}
	inner, err := url.QueryUnescape("%3c" + once)
	if err != nil {
		return at, false
	}
	inner = strings.TrimSuffix(strings.TrimPrefix(inner, `<cookie page="1">`), "</cookie>")
	return at, json.Unmarshal([]byte(inner), &at) == nil && at.Page > 0
}
