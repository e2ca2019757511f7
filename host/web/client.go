package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/crmsync"
)

// The first page of a client shows this many conversations and events; the rest
// is a link away.
const (
	shownConversations = 20
	shownEvents        = 30
)

type clientPage struct {
	frame
	ID, Name, Company string
	MayEdit           bool
	Badges            []badge
	Since, Updated    stamp
	Source            string
	Emails, Phones    []identifierView
	Others            []identifierView
	Address           []string
	AddressSource     *sourceView
	Facts             []factView
	Metadata          []factView
	Tags              []string
	Preferences       []factView
	CRM               []crmView
	Notes             []noteView
	NoteText          string // what was typed and refused
	NoteError         string
	Conversations     []conversationRow
	MoreConversations string
	Days              []timelineDay
	Newer, Older      string
}

type identifierView struct {
	Value, Kind, Source, Extension    string
	Primary, Verified, Shared, Unread bool
}

// factView is a value with its label and where it comes from.
type factView struct {
	Label, Value string
	Source       *sourceView
}

// sourceView says where a value comes from (R147).
type sourceView struct{ Text, Sentence string }

type noteView struct {
	Author, Text string
	At           stamp
}

type crmView struct {
	Connection, State, Tone, Reason, CRMID string
	Synced                                 stamp
}

func (s *site) client(v *visit) error { return s.showClient(v, http.StatusOK, "", "") }

// addNote writes a note. One that can't be taken is shown again, with why.
func (s *site) addNote(v *visit) error {
	id, err := client.ParseID(v.r.PathValue("id"))
	if err != nil {
		return s.notFound(v)
	}
	typed := strings.ReplaceAll(v.r.PostFormValue("text"), "\r\n", "\n")
	_, err = s.Clients.AddNote(v.ctx(), v.actor, id, typed)
	if p := api.ProblemOf(err); err != nil && p != nil && len(p.Errors) > 0 {
		return s.showClient(v, p.Status, typed, text("note.refused", p.Errors[0].Rule, p.Errors[0].WayOut))
	}
	if err != nil {
		return err
	}
	v.redirect("/clients/" + id.String() + "#notes")
	return nil
}

func (s *site) showClient(v *visit, status int, note, noteError string) error {
	id, err := client.ParseID(v.r.PathValue("id"))
	if err != nil {
		return s.notFound(v)
	}
	before, err := api.DecodeCursor[event.Page](v.r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	c, err := s.Clients.Get(v.ctx(), v.actor, id)
	if err != nil {
		return err
	}
	if c.ID != id { // merged: the old address leads to the survivor
		v.redirect("/clients/" + c.ID.String())
		return nil
	}
	sources, err := s.Clients.Sources(v.ctx(), v.actor, id)
	if err != nil {
		return err
	}
	page := clientPage{frame: s.frame(v, "client.title", "/clients"), MayEdit: v.mayEdit(), NoteText: note, NoteError: noteError}
	page.record(v, c, byField(sources))
	if err := s.relations(v, &page, c, before); err != nil {
		return err
	}
	s.show(v, status, "client", page)
	return nil
}

// relations reads what hangs on the client: conversations, timeline, notes, CRMs.
func (s *site) relations(v *visit, page *clientPage, c *client.Client, before event.Page) error {
	conversations, more, err := s.Conversations.List(v.ctx(), v.actor, conversation.Query{Client: &c.ID, Limit: shownConversations})
	if err != nil {
		return err
	}
	for i := range conversations {
		page.Conversations = append(page.Conversations, v.conversationRow(&conversations[i].Conversation))
	}
	if more != nil {
		page.MoreConversations = "/conversations?client=" + url.QueryEscape(c.ID.String())
	}
	before.Limit = shownEvents + 1
	events, err := s.Clients.Timeline(v.ctx(), v.actor, c.ID, before)
	if err != nil {
		return err
	}
	var next *event.Page
	if len(events) > shownEvents {
		events = events[:shownEvents]
		last := events[shownEvents-1]
		next = &event.Page{Before: last.At, ID: last.ID}
	}
	page.Days = v.timeline(events)
	if page.Newer, page.Older, err = pager(v.r.URL, next); err != nil {
		return err
	}
	notes, err := s.Clients.Notes(v.ctx(), v.actor, c.ID)
	if err != nil {
		return err
	}
	for _, n := range notes {
		page.Notes = append(page.Notes, noteView{Author: n.Author, Text: n.Text, At: v.stamp(&n.CreatedAt)})
	}
	states, err := s.Sync.OfClient(v.ctx(), v.actor, c.ID)
	for _, st := range states {
		page.CRM = append(page.CRM, v.crmView(st))
	}
	return err
}

// record fills in what the client itself holds.
func (p *clientPage) record(v *visit, c *client.Client, sources map[string]client.SourcedValue) {
	p.ID, p.Name, p.Badges = c.ID.String(), c.DisplayName(), badges(c)
	if c.Company != p.Name {
		p.Company = c.Company
	}
	p.Since, p.Updated, p.Source, p.Tags = v.stamp(&c.CreatedAt), v.stamp(&c.UpdatedAt), text("source."+c.Source), c.Tags
	for _, id := range c.Identifiers {
		view := identifierViewOf(id)
		switch id.Kind {
		case client.Email:
			p.Emails = append(p.Emails, view)
		case client.Phone:
			p.Phones = append(p.Phones, view)
		default:
			p.Others = append(p.Others, view)
		}
	}
	p.Address = address(c)
	if len(p.Address) > 0 {
		p.AddressSource = sourceOf(sources["street"], sources["city"], sources["zip"])
	}
	for _, f := range client.Fields() {
		value := f.Get(c)
		if value == "" || f.Block == client.AddressBlock || f.Name == "metadata" {
			continue
		}
		p.Facts = append(p.Facts, factView{Label: f.Label, Value: value, Source: sourceOf(sources[f.Name])})
	}
	p.Metadata = metadata(c.Metadata)
	p.Preferences = preferences(c)
}

func identifierViewOf(id client.Identifier) identifierView {
	return identifierView{
		Value: id.Value, Kind: text("identifier." + string(id.Kind)), Source: text("from." + string(id.Source)), Extension: id.Extension,
		Primary: id.IsPrimary, Verified: id.Verified, Shared: id.Shared, Unread: id.Normal == "",
	}
}

// address is the postal address as lines.
func address(c *client.Client) []string {
	lines := strings.Split(strings.TrimSpace(c.Street), "\n")
	city := strings.TrimSpace(strings.TrimSpace(c.City+", "+c.State) + " " + c.Zip)
	lines = append(lines, strings.Trim(city, ", "), client.CountryName(c.Country))
	return slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
}

func byField(values []client.SourcedValue) map[string]client.SourcedValue {
	found := map[string]client.SourcedValue{}
	for _, v := range values {
		found[v.Field] = v
	}
	return found
}

// sourceOf says where the first known of some values comes from; nothing for
// what a person typed, which needs no proof.
func sourceOf(known ...client.SourcedValue) *sourceView {
	for _, p := range known {
		if p.Field == "" || p.Cleared || p.Source == client.FromHuman {
			continue
		}
		return &sourceView{Text: text("from." + string(p.Source)), Sentence: p.Sentence}
	}
	return nil
}

// metadata shows a JSON object's members, in their order.
func metadata(object string) []factView {
	d := json.NewDecoder(strings.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var facts []factView
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return facts
		}
		name, _ := key.(string)
		shown := string(value)
		var plain *string
		if json.Unmarshal(value, &plain) == nil && plain != nil {
			shown = *plain
		}
		facts = append(facts, factView{Label: name, Value: shown})
	}
	return facts
}

// preferences shows how the client wants to be contacted, and what automation
// may do (R106).
func preferences(c *client.Client) []factView {
	var channels []string
	for _, channel := range c.PreferredChannels {
		channels = append(channels, text("channel."+channel))
	}
	shown := strings.Join(channels, ", ")
	if shown == "" {
		shown = text("client.no_preference")
	}
	automation := text("client.automation.auto")
	switch {
	case c.NeverAutoSend:
		automation = text("client.automation.never")
	case c.HumanReviewRequired:
		automation = text("client.automation.review")
	case c.Sensitive:
		automation = text("client.automation.sensitive")
	}
	facts := []factView{{Label: text("client.channels"), Value: shown}, {Label: text("client.automation"), Value: automation}}
	if c.Timezone != "" {
		facts = append(facts, factView{Label: text("client.timezone"), Value: c.Timezone})
	}
	return facts
}

func (v *visit) crmView(st crmsync.ClientState) crmView {
	tone := map[string]string{"synced": "good", "due": "note", "parked": "alert"}[st.State]
	return crmView{
		Connection: st.Connection, State: text("crm." + st.State), Tone: tone, Reason: st.Why, CRMID: st.CRMID, Synced: v.stamp(st.SyncedAt),
	}
}
