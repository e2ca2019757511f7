package main

import (
	"encoding/json"
	"html"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/clientele-crm/clientele/sdk"
)

// activity is one conversation in the form of its table.
type activity struct {
	kind activityKind
	id   string
	// fields may be written at any time, createOnly with the first write alone.
	fields, createOnly map[string]any
	closed             state
	owner              string // CRM id of the first contact
	notes              []string
}

// newActivity translates a summary. It fails when the item cannot be sent.
func newActivity(kind activityKind, item sdk.Activity, owner, id string, s settings) (activity, *sdk.Error) {
	m := activity{kind: kind, id: id, fields: map[string]any{}, createOnly: map[string]any{}, closed: kind.closedIn}
	if item.CRMID != "" {
		known, ok := guid(item.CRMID)
		if !ok {
			return m, refuse(sdk.ClassValidation, kind.id, "CRM id %q: want a GUID", item.CRMID)
		}
		m.id = known
	}
	if len(item.ContactCRMIDs) == 0 {
		return m, refuse(sdk.ClassValidation, "regardingobjectid", "the activity needs the contact it belongs to")
	}
	contacts := make([]string, len(item.ContactCRMIDs))
	for i, raw := range item.ContactCRMIDs {
		contact, ok := guid(raw)
		if !ok {
			return m, refuse(sdk.ClassValidation, "regardingobjectid", "contact id %q: want a GUID", raw)
		}
		contacts[i] = contact
	}
	ownerTable, bad := tableOf(owner)
	if bad != nil {
		return m, bad
	}
	m.owner = contacts[0]
	m.createOnly[kind.id] = m.id
	m.fields[kind.regardingProperty(owner)+bindSuffix] = "/" + byID(ownerTable.set, m.owner)
	m.write(item)
	if item.Direction == "outbound" {
		m.closed = kind.closedOut
	}
	if !kind.note {
		if bad := m.time(item, s); bad != nil {
			return m, bad
		}
	}
	m.address(item)
	m.participate(item, owner, ownerTable.set, contacts)
	return m, nil
}

// write sets the texts, cut openly to what the table takes.
func (m *activity) write(item sdk.Activity) {
	subject := first(item.Subject, "Conversation")
	if label := map[string]string{"sms": "SMS", "chat": "Chat"}[item.Channel]; label != "" && m.kind.table != "sms" {
		subject = label + ": " + subject
	}
	if item.Channel == "voice" && item.CallStatus != "" && item.CallStatus != "completed" {
		subject = strings.ToUpper(item.CallStatus[:1]) + item.CallStatus[1:] + " call: " + subject
	}
	short, was := cutText(subject, m.kind.subject, "")
	if was {
		m.notes = append(m.notes, "subject cut to the column's length")
	}
	m.fields["subject"] = short

	tail := ""
	if item.Link != "" {
		tail = "\n\nFull conversation: " + item.Link
	}
	text, was := cutText(item.Body, m.kind.textMax, tail)
	if was {
		m.notes = append(m.notes, m.kind.text+" cut to the column's length; the link leads to the whole")
	}
	if m.kind.html {
		text = strings.ReplaceAll(html.EscapeString(text), "\n", "<br>")
	}
	m.fields[m.kind.text] = text
	if m.kind.category {
		m.fields["category"] = map[string]string{"email": "Email", "sms": "SMS", "chat": "Chat", "voice": "Call"}[item.Channel]
	}
}

// time sets when it was. The timeline sorts by the end (§5.4 rule 6).
func (m *activity) time(item sdk.Activity, s settings) *sdk.Error {
	start, err := time.Parse(time.RFC3339, item.StartedAt)
	if err != nil {
		return refuse(sdk.ClassValidation, "actualstart", "started at %q: want RFC 3339", item.StartedAt)
	}
	end := start
	if item.EndedAt != "" {
		if end, err = time.Parse(time.RFC3339, item.EndedAt); err != nil {
			return refuse(sdk.ClassValidation, "actualend", "ended at %q: want RFC 3339", item.EndedAt)
		}
	}
	m.fields["actualstart"], m.fields["actualend"] = rfc3339(start), rfc3339(end)
	m.fields["actualdurationminutes"] = max(int(math.Ceil(end.Sub(start).Minutes())), 0)
	if m.kind.table == "appointment" {
		m.fields["scheduledstart"], m.fields["scheduledend"] = rfc3339(start), rfc3339(end)
	}
	if s.BackdateActivities {
		m.createOnly["overriddencreatedon"] = rfc3339(start)
	}
	return nil
}

// address sets direction and number.
func (m *activity) address(item sdk.Activity) {
	outgoing := item.Direction == "outbound"
	if m.kind.table == "phonecall" || m.kind.table == "email" {
		m.fields["directioncode"] = outgoing
	}
	if m.kind.table == "phonecall" {
		if number := map[bool]string{true: item.To, false: item.From}[outgoing]; number != "" {
			m.fields["phonenumber"], _ = cutText(number, 200, "")
		}
	}
}

// participate names the people. A phone call takes senders and recipients from
// us, an email one sender, an appointment attendees; other tables have none, and
// a further contact is then named in the notes (§5.2).
func (m *activity) participate(item sdk.Activity, owner, ownerSet string, contacts []string) {
	if m.kind.parties == "" {
		if len(contacts) > 1 {
			m.notes = append(m.notes, "the table links one contact; further ones are not linked")
		}
		return
	}
	const sender, recipient, copied, attendee = 1, 2, 3, 5
	outgoing := item.Direction == "outbound"
	var parties []any
	for i, contact := range contacts {
		role := map[bool]int{true: recipient, false: sender}[outgoing]
		switch {
		case m.kind.table == "appointment":
			role = attendee
		case m.kind.table == "email" && i > 0:
			role = copied
		}
		parties = append(parties, map[string]any{
			"partyid_" + owner + bindSuffix: "/" + byID(ownerSet, contact), "participationtypemask": role,
		})
	}
	if m.kind.table == "email" {
		address, role := item.To, recipient
		if outgoing {
			address, role = item.From, sender
		}
		if address != "" {
			short, _ := cutText(address, 200, "")
			parties = append(parties, map[string]any{"addressused": short, "participationtypemask": role})
		}
	}
	m.createOnly[m.kind.parties] = parties
}

// create makes the row, open. A taken id is refused with 412.
func (m activity) create() operation {
	body := map[string]any{}
	for k, v := range m.fields {
		body[k] = v
	}
	for k, v := range m.createOnly {
		body[k] = v
	}
	return operation{method: http.MethodPost, path: m.kind.set, body: mustJSON(body)}
}

// finish completes the row at path; both codes together (quirk 25).
func (m activity) finish(path string) operation { return m.move(path, m.closed) }

func (m activity) move(path string, to state) operation {
	op := operation{method: http.MethodPatch, path: path,
		body: mustJSON(map[string]int{"statecode": to.Code, "statuscode": to.Status})}
	if path != "$1" {
		op.header = map[string]string{"If-Match": "*"}
	}
	return op
}

// update reopens, changes and completes: most columns of a closed activity are
// read-only (§5.4 rule 4).
func (m activity) update() unit {
	row := byID(m.kind.set, m.id)
	change := operation{method: http.MethodPatch, path: row, header: map[string]string{"If-Match": "*"}, body: mustJSON(m.fields)}
	if m.kind.note {
		return unit{change}
	}
	return unit{m.move(row, m.kind.open), change, m.finish(row)}
}

// read asks for what sameAs compares.
func (m activity) read() operation {
	columns := []string{"subject", m.kind.text}
	if !m.kind.note {
		columns = append(columns, "statecode", "_regardingobjectid_value")
	}
	return operation{method: http.MethodGet, path: query(byID(m.kind.set, m.id), selecting(columns))}
}

// sameAs tells whether the row says already what is wanted.
func (m activity) sameAs(r row) bool {
	if r.text("subject") != m.fields["subject"] || r.text(m.kind.text) != m.fields[m.kind.text] {
		return false
	}
	return m.kind.note || r["statecode"] == float64(m.closed.Code) && strings.EqualFold(r.text("_regardingobjectid_value"), m.owner)
}

// cutText shortens text, between words where that loses little, so that it and
// the tail fit into max UTF-16 units, which is how the CRM counts (§12.4). It
// tells whether it cut.
func cutText(text string, max int, tail string) (string, bool) {
	const mark = "…"
	if units(text)+units(tail) <= max {
		return text + tail, false
	}
	room := max - units(tail) - units(mark)
	end, used, space := 0, 0, 0
	for i, r := range text {
		used += len(utf16.AppendRune(nil, r))
		if used > room {
			break
		}
		end = i + len(string(r))
		if r == ' ' || r == '\n' {
			space = i
		}
	}
	if space > end*3/4 {
		end = space
	}
	return strings.TrimRight(text[:end], " \n") + mark + tail, true
}

// units counts UTF-16 units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += len(utf16.AppendRune(nil, r))
	}
	return n
}

// mustJSON encodes a body of texts, numbers and truth values, which cannot fail.
func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
