package simulator

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// call is one operation on the Web API, sent alone or as a part of a $batch.
type call struct {
	sim    *Simulator
	env    *environment
	method string
	// path is the escaped path below the API's root, segments its parts.
	path     string
	segments []segment
	options  map[string]string
	header   http.Header
	body     []byte
	// root is the absolute URL of the API, for links.
	root string
	now  time.Time
	user string
	// set is the change set that the operation belongs to, or nil.
	set *changeSet
	// inBatch: the operation is a part.
	inBatch bool
	request *http.Request
}

// segment is one part of a path: contacts, or contacts(key).
type segment struct {
	name, key string
	keyed     bool
}

// serveAPI answers everything below /api/data/.
func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("REQ_ID", uuid.NewString())
	name := r.PathValue("org")
	prefix := ""
	if name == "" {
		name = environmentNames()[0]
	} else {
		prefix = "/" + name
	}
	e, ok := s.environments[name]
	if !ok {
		http.Error(w, "no such host", http.StatusNotFound)
		return
	}
	t, ok := s.bearer(r)
	if !ok || t.Environment != name && t.Environment != "*" {
		s.unauthorized(w, r)
		return
	}
	if s.settings.NoApplicationUser {
		fail(http.StatusForbidden, "0x80072560", "The user is not a member of the organization.").answer(false).send(w)
		return
	}
	if cookie := r.Header.Get("Cookie"); cookie != "" {
		s.Counters.Add("requests with a cookie", 1)
	}
	if refused := s.throttle(w.Header(), name); refused != nil {
		refused.answer(false).send(w)
		return
	}
	if len(r.RequestURI) > 32<<10 {
		fail(http.StatusRequestURITooLong, "", "The request URI is too long.").answer(false).send(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	apiPath := prefix + "/api/data/" + r.PathValue("version") + "/"
	c := &call{
		sim: s, env: e, method: r.Method, header: r.Header, body: body, root: "http://" + firstText(s.settings.LinkHost, r.Host) + apiPath,
		now: s.Clock.Now(), user: e.id("systemuser"), request: r,
	}
	path, _ := strings.CutPrefix(r.URL.EscapedPath(), apiPath)
	if path == "$batch" && r.Method == http.MethodPost {
		a := c.serveBatch()
		w.Header().Set("Set-Cookie", "ARRAffinity=1; path=/; HttpOnly")
		a.send(w)
		return
	}
	a := c.run(path, r.URL.RawQuery)
	w.Header().Set("Set-Cookie", "ARRAffinity=1; path=/; HttpOnly")
	a.send(w)
}

// run answers one operation and commits or takes back what it did, unless it is
// part of a change set.
func (c *call) run(path, rawQuery string) *answer {
	c.path = path
	a := c.try(path, rawQuery)
	if c.set == nil {
		if a.status >= 400 {
			c.sim.Store.Rollback()
		} else if err := c.sim.Store.Commit(); err != nil {
			a = fail(http.StatusInternalServerError, "0x80040216", "%v", err).answer(false)
		}
	}
	c.sim.charge(c.env.name, 1)
	return a
}

func (c *call) try(path, rawQuery string) *answer {
	refused := c.parse(path, rawQuery)
	if refused != nil {
		return refused.answer(c.annotated())
	}
	c.sim.Counters.Add("operation "+c.method+" "+c.segments[0].name, 1)
	a, refused := c.dispatch()
	if refused != nil {
		return refused.answer(c.annotated())
	}
	return a
}

// parse reads path and options.
func (c *call) parse(path, rawQuery string) *failure {
	c.segments, c.options = nil, map[string]string{}
	for _, raw := range strings.Split(strings.Trim(path, "/"), "/") {
		text, err := url.PathUnescape(raw)
		if err != nil {
			return syntax()
		}
		seg := segment{name: text}
		if i := strings.IndexByte(text, '('); i >= 0 && strings.HasSuffix(text, ")") {
			seg = segment{name: text[:i], key: text[i+1 : len(text)-1], keyed: true}
		}
		c.segments = append(c.segments, seg)
	}
	for _, pair := range strings.Split(rawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return syntax()
		}
		c.options[name] = value
	}
	for name := range c.options {
		if strings.HasPrefix(name, "$") && !slices.Contains(knownOptions(), name) {
			return fail(400, "0x8006088a", "The query parameter %s is not supported.", name)
		}
	}
	// Parameter aliases stand for their values.
	for name, value := range c.options {
		if !strings.HasPrefix(name, "@") {
			continue
		}
		for i := range c.segments {
			c.segments[i].key = strings.ReplaceAll(c.segments[i].key, name, value)
		}
		c.options["$filter"] = replaceAlias(c.options["$filter"], name, value)
	}
	return nil
}

func knownOptions() []string {
	return []string{"$select", "$filter", "$orderby", "$top", "$expand", "$count", "$apply", "$skiptoken", "$deltatoken"}
}

// replaceAlias puts a value in the place of an alias, not of a longer one.
func replaceAlias(text, alias, value string) string {
	for from := 0; ; {
		i := strings.Index(text[from:], alias)
		if i < 0 {
			return text
		}
		i += from
		end := i + len(alias)
		if end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] >= 'a' && text[end] <= 'z') {
			from = end
			continue
		}
		text = text[:i] + value + text[end:]
		from = i + len(value)
	}
}

// dispatch finds who answers.
func (c *call) dispatch() (*answer, *failure) {
	head := c.segments[0]
	switch head.name {
	case "WhoAmI":
		return c.whoAmI()
	case "RetrieveCurrentOrganization":
		return c.currentOrganization()
	case "RetrieveTotalRecordCount":
		return c.totalRecordCount()
	case "RetrieveDuplicates":
		return c.retrieveDuplicates()
	case "EntityDefinitions":
		return c.definitions()
	case "ReactivateEntityKey":
		return c.reactivateKey()
	case "Merge":
		return c.merge()
	case "BulkDelete":
		return c.bulkDelete()
	case "asyncoperations":
		return c.asyncOperation()
	case "sdkmessagefilters":
		return c.messageFilters()
	case "serviceendpoints":
		return c.serviceEndpoints()
	case "$batch":
		return nil, fail(400, "0x80048d19", "A batch request cannot be a part of another batch.")
	}
	t, ok := c.env.setOf(head.name)
	if !ok {
		return nil, fail(http.StatusNotFound, "0x8006088a", "Resource not found for the segment '%s'.", head.name)
	}
	return c.onTable(t)
}

// onTable answers everything below an entity set.
func (c *call) onTable(t *table) (*answer, *failure) {
	head := c.segments[0]
	if !head.keyed {
		return c.onSet(t)
	}
	if len(c.segments) > 1 {
		return c.onPart(t)
	}
	switch c.method {
	case http.MethodGet:
		return c.retrieve(t)
	case http.MethodPatch:
		return c.patch(t)
	case http.MethodDelete:
		return c.delete(t)
	}
	return nil, c.notAllowed()
}

func (c *call) onSet(t *table) (*answer, *failure) {
	if len(c.segments) == 2 {
		switch next := c.segments[1].name; {
		case next == "$count" && c.method == http.MethodGet:
			return c.count(t)
		case strings.HasPrefix(next, "Microsoft.Dynamics.CRM.") && c.method == http.MethodPost:
			return c.bulk(t, strings.TrimPrefix(next, "Microsoft.Dynamics.CRM."))
		}
		return nil, fail(http.StatusNotFound, "0x8006088a", "Resource not found for the segment '%s'.", c.segments[1].name)
	}
	switch c.method {
	case http.MethodGet:
		return c.list(t)
	case http.MethodPost:
		return c.post(t)
	}
	return nil, c.notAllowed()
}

func (c *call) notAllowed() *failure {
	return fail(http.StatusMethodNotAllowed, "0x8004023b", "The requested resource does not support http method '%s'.", c.method)
}

// may checks a privilege: the verb with the table's name.
func (c *call) may(verb string, t *table) *failure {
	name := "prv" + verb + title(t.Name)
	if t.Activity {
		name = "prv" + verb + "Activity"
	}
	if t.Name == "annotation" {
		name = "prv" + verb + "Note"
	}
	if !c.sim.denied(name) {
		return nil
	}
	return fail(http.StatusForbidden, "0x80040220", "Principal user (Id=%s, type=8) is missing %s privilege (Id=%s) on OTC=%d for entity '%s'.",
		c.user, name, c.env.id(name), t.Code, t.Name)
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// prefers reads one preference out of the Prefer header.
func (c *call) prefers(name string) (string, bool) {
	for _, one := range splitOutsideQuotes(strings.Join(c.header.Values("Prefer"), ","), ',') {
		key, value, _ := strings.Cut(strings.TrimSpace(one), "=")
		if key == name {
			return strings.Trim(value, `"`), true
		}
	}
	return "", false
}

// annotated tells whether the caller wants annotations.
func (c *call) annotated() bool {
	_, ok := c.prefers("odata.include-annotations")
	return ok
}

func splitOutsideQuotes(text string, at byte) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			quoted = !quoted
		case at:
			if !quoted {
				out = append(out, text[start:i])
				start = i + 1
			}
		}
	}
	return append(out, text[start:])
}
