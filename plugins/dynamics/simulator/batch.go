package simulator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// The faults inside a $batch.
const (
	doLosePart     = "lose_part"     // the second answer is left out
	doSwapParts    = "swap_parts"    // the first two answers change places
	doThrottlePart = "throttle_part" // the first operation gets 429
	doCutParts     = "cut_parts"     // the answer ends in the middle
	doLineFeeds    = "line_feeds"    // the answer has bare LF
	doEditFirst    = "edit_first"    // somebody else edits rows just before a PATCH
)

// changeSet is the transaction of several operations.
type changeSet struct {
	// made are the rows by Content-ID, for $1; created are those that are new.
	made    map[string]target
	created []string
}

func badReference(ref string) *failure {
	return fail(400, "0x80048d19", "Content-ID Reference: '%s' does not exist in the batch context.", ref)
}

func unreadable(format string, args ...any) *failure {
	return fail(400, "0x80048d19", "Error identified in Payload provided by the user for Entity :''  ---->  InnerException : Microsoft.OData.ODataException: %s", fmt.Sprintf(format, args...))
}

// batchPart is one operation as it was sent; a change set has several.
type batchPart struct {
	id     string
	method string
	target string
	header http.Header
	body   []byte
}

// serveBatch is S11 (§4.6).
func (c *call) serveBatch() *answer {
	units, refused := c.readBatch()
	if refused != nil {
		return refused.answer(c.annotated())
	}
	_, goOn := c.prefers("odata.continue-on-error")
	var out bytes.Buffer
	const boundary = "batchresponse_3cace264-86ea-40fe-83d3-954b336c0f4a"
	w := multipart.NewWriter(&out)
	_ = w.SetBoundary(boundary)
	status := http.StatusOK
	var written []func()
	for n, unit := range units {
		answers := c.runUnit(unit, n)
		c.charge(len(unit) - 1)
		written = append(written, func() { writeUnit(w, unit, answers) })
		if failed := answers[len(answers)-1]; failed.status >= 400 && !goOn {
			status = failed.status
			break
		}
	}
	if c.does(doSwapParts) && len(written) > 1 {
		written[0], written[1] = written[1], written[0]
	}
	if c.does(doLosePart) && len(written) > 1 {
		written = slices.Delete(written, 1, 2)
	}
	for _, write := range written {
		write()
	}
	_ = w.Close()
	body := out.Bytes()
	if c.does(doCutParts) {
		body = body[:len(body)*2/3]
	}
	if c.does(doLineFeeds) {
		body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	}
	a := &answer{status: status, header: http.Header{"Odata-Version": {"4.0"}, "Content-Type": {"multipart/mixed; boundary=" + boundary}}, body: body}
	if goOn {
		a.header.Set("Preference-Applied", "odata.continue-on-error")
	}
	return a
}

func (c *call) does(fault string) bool { return c.request != nil && base.Does(c.request, fault) }

// readBatch takes the body apart before anything is done.
func (c *call) readBatch() ([][]batchPart, *failure) {
	kind, params, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" || params["boundary"] == "" {
		return nil, unreadable("The content type '%s' is not multipart/mixed with a boundary.", c.header.Get("Content-Type"))
	}
	body := c.body
	loose := bytes.Count(body, []byte("\n")) > bytes.Count(body, []byte("\r\n"))
	if !bytes.HasSuffix(body, []byte("--\r\n")) || loose {
		if c.sim.settings.LineFeed != "drop_last" {
			return nil, unreadable("Stream was not readable.")
		}
	}
	var units [][]batchPart
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	ids := map[string]bool{}
	total := 0
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable("Stream was not readable.")
		}
		content, err := io.ReadAll(p)
		if err != nil {
			return nil, unreadable("Stream was not readable.")
		}
		unit, refused := readUnit(p.Header, content)
		if refused != nil {
			return nil, refused
		}
		for _, one := range unit {
			total++
			if one.id != "" && ids[one.id] {
				return nil, unreadable("The content ID '%s' was found more than once in the same change set or batch.", one.id)
			}
			ids[one.id] = true
		}
		units = append(units, unit)
	}
	if loose && len(units) > 0 {
		units = units[:len(units)-1] // quirk 3: the last one is silently gone
	}
	if total > 1000 {
		return nil, unreadable("The number of operations in a batch exceeds the limit of 1000.")
	}
	if len(units) == 0 {
		return nil, unreadable("The batch has no operation.")
	}
	return units, nil
}

// readUnit reads a part: an operation, or a change set.
func readUnit(header textproto.MIMEHeader, content []byte) ([]batchPart, *failure) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return nil, unreadable("A part has no content type.")
	}
	if kind == "application/http" {
		one, refused := readPart(header, content)
		return []batchPart{one}, refused
	}
	if kind != "multipart/mixed" {
		return nil, unreadable("The content type '%s' is not expected here.", kind)
	}
	var unit []batchPart
	parts := multipart.NewReader(bytes.NewReader(content), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable("Stream was not readable.")
		}
		inner, err := io.ReadAll(p)
		if err != nil {
			return nil, unreadable("Stream was not readable.")
		}
		one, refused := readPart(p.Header, inner)
		if refused != nil {
			return nil, refused
		}
		if one.method == http.MethodGet {
			return nil, unreadable("A GET request is not allowed in a change set.")
		}
		if one.id == "" {
			return nil, unreadable("The content ID is missing for an operation in a change set.")
		}
		unit = append(unit, one)
	}
	if len(unit) == 0 {
		return nil, unreadable("A change set has no operation.")
	}
	return unit, nil
}

// readPart reads the HTTP text of one operation.
func readPart(outer textproto.MIMEHeader, content []byte) (batchPart, *failure) {
	in := textproto.NewReader(bufio.NewReader(bytes.NewReader(content)))
	first, err := in.ReadLine()
	words := strings.Fields(first)
	if err != nil || len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/") {
		return batchPart{}, unreadable("The request line '%s' is not valid.", first)
	}
	header, err := in.ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return batchPart{}, unreadable("A header line is not valid.")
	}
	if words[0] == http.MethodGet && !bytes.HasSuffix(content, []byte("\n")) {
		return batchPart{}, unreadable("A GET part must end in an empty line.") // quirk 4
	}
	body, err := io.ReadAll(in.R)
	if err != nil {
		return batchPart{}, unreadable("Stream was not readable.")
	}
	return batchPart{
		id: outer.Get("Content-ID"), method: words[0], target: words[1], header: http.Header(header), body: bytes.TrimSpace(body),
	}, nil
}

// runUnit runs an operation, or a change set as one transaction whose failure is
// a single answer.
func (c *call) runUnit(unit []batchPart, n int) []*answer {
	if n == 0 && c.does(doThrottlePart) {
		f := fail(http.StatusTooManyRequests, "0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds.")
		f.RetryAfter = 5
		return []*answer{f.answer(false)}
	}
	if len(unit) == 1 {
		return []*answer{c.runPart(unit[0], nil)}
	}
	set := &changeSet{made: map[string]target{}}
	var answers []*answer
	for _, one := range unit {
		a := c.runPart(one, set)
		if a.status >= 400 {
			c.sim.Store.Rollback()
			return []*answer{a}
		}
		answers = append(answers, a)
	}
	if err := c.sim.Store.Commit(); err != nil {
		return []*answer{fail(http.StatusInternalServerError, "0x80040216", "%v", err).answer(false)}
	}
	return answers
}

// runPart runs one operation with the batch's own rights and user.
func (c *call) runPart(p batchPart, set *changeSet) *answer {
	one := &call{
		sim: c.sim, env: c.env, method: p.method, header: p.header, body: p.body, root: c.root, now: c.now, user: c.user,
		set: set, inBatch: true, request: c.request,
	}
	for _, name := range []string{"CallerObjectId", "MSCRMCallerID"} {
		if v := c.header.Get(name); v != "" && one.header.Get(name) == "" {
			one.header.Set(name, v)
		}
	}
	path, query, ok := c.partTarget(p.target, set)
	if !ok {
		return badReference(p.target).answer(false)
	}
	if len(p.target) > 64<<10 {
		return fail(http.StatusRequestURITooLong, "", "The request URI is too long.").answer(false)
	}
	a := one.run(path, query)
	if set != nil && a.status < 300 {
		if at, ok := one.addressed(a); ok {
			set.made[p.id] = at
			if p.method == http.MethodPost {
				set.created = append(set.created, at.ID)
			}
		}
	}
	return a
}

// partTarget reads the address of a part: absolute, from the host's root,
// relative to the API's root, or $1.
func (c *call) partTarget(text string, set *changeSet) (string, string, bool) {
	path, query, _ := strings.Cut(text, "?")
	if strings.HasPrefix(path, "$") && path != "$batch" {
		id, rest, _ := strings.Cut(path[1:], "/")
		if set == nil {
			return "", "", false
		}
		at, ok := set.made[id]
		if !ok {
			return "", "", false
		}
		path = c.env.tables[at.Table].Set + "(" + at.ID + ")"
		if rest != "" {
			path += "/" + rest
		}
		return path, query, true
	}
	if rest, ok := strings.CutPrefix(path, c.root); ok {
		return rest, query, true
	}
	if root, err := url.Parse(c.root); err == nil {
		if rest, ok := strings.CutPrefix(path, root.Path); ok {
			return rest, query, true
		}
	}
	return strings.TrimPrefix(path, "/"), query, true
}

// addressed is the row that an operation made or changed.
func (c *call) addressed(a *answer) (target, bool) {
	t, ok := c.env.setOf(c.segments[0].name)
	if !ok {
		return target{}, false
	}
	entity := a.header.Get("OData-EntityId")
	if _, key, ok := strings.Cut(entity, "("); ok {
		if id, ok := asGUID(strings.TrimSuffix(key, ")")); ok {
			return target{t.Name, id}, true
		}
	}
	if id, ok := asGUID(c.segments[0].key); ok {
		return target{t.Name, id}, true
	}
	return target{}, false
}

// writeUnit writes the answers of a unit.
func writeUnit(w *multipart.Writer, unit []batchPart, answers []*answer) {
	if len(unit) == 1 || len(answers) < len(unit) {
		writePart(w, "", answers[0])
		return
	}
	const boundary = "changesetresponse_1a5db8a1-ec98-42c4-81f6-6bc6adcfa4bc"
	var inner bytes.Buffer
	set := multipart.NewWriter(&inner)
	_ = set.SetBoundary(boundary)
	for i, a := range answers {
		writePart(set, unit[i].id, a)
	}
	_ = set.Close()
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"multipart/mixed; boundary=" + boundary}})
	if err == nil {
		_, _ = part.Write(inner.Bytes())
	}
}

func writePart(w *multipart.Writer, id string, a *answer) {
	header := textproto.MIMEHeader{"Content-Type": {"application/http"}, "Content-Transfer-Encoding": {"binary"}}
	if id != "" {
		header["Content-ID"] = []string{id}
	}
	part, err := w.CreatePart(header)
	if err != nil {
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	names := make([]string, 0, len(a.header))
	for name := range a.header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\r\n", wireName(name), a.header.Get(name))
	}
	b.WriteString("\r\n")
	b.Write(a.body)
	if len(a.body) == 0 {
		b.WriteString("\r\n")
	}
	_, _ = part.Write(b.Bytes())
}

// wireName writes a header as Dataverse does.
func wireName(name string) string {
	switch name {
	case "Odata-Version":
		return "OData-Version"
	case "Odata-Entityid":
		return "OData-EntityId"
	case "Etag":
		return "ETag"
	}
	return name
}
