package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/match"
	"github.com/clientele-crm/clientele/host/api"
)

type conversationsPage struct {
	frame
	Filter        string // "", "unlinked" or "uncertain"
	Conversations []conversationRow
	Newer, Older  string
}

type conversationRow struct {
	ID, Icon, Channel, Subject, Summary, State string
	Count                                      string
	Open, Linked, Certain                      bool
	Last                                       stamp
}

func (s *site) conversations(v *visit) error {
	query := v.r.URL.Query()
	after, err := api.DecodeCursor[conversation.Cursor](query.Get("cursor"))
	if err != nil {
		return err
	}
	page := conversationsPage{frame: s.frame(v, "conversations.title", "/conversations"), Filter: query.Get("show")}
	q := conversation.Query{Unlinked: page.Filter == "unlinked", Uncertain: page.Filter == "uncertain", After: after, Limit: pageSize}
	if of := query.Get("client"); of != "" {
		id, err := client.ParseID(of)
		if err != nil {
			return s.notFound(v)
		}
		q.Client = &id
	}
	found, next, err := s.Conversations.List(v.ctx(), v.actor, q)
	if err != nil {
		return err
	}
	for i := range found {
		page.Conversations = append(page.Conversations, v.conversationRow(&found[i].Conversation))
	}
	if page.Newer, page.Older, err = pager(v.r.URL, next); err != nil {
		return err
	}
	s.show(v, http.StatusOK, "conversations", page)
	return nil
}

func (v *visit) conversationRow(c *conversation.Conversation) conversationRow {
	return conversationRow{
		ID: c.ID.String(), Icon: channelIcon(c.Channel), Channel: text("channel." + c.Channel), Subject: c.Subject, Summary: c.Summary,
		State: text("conversation." + string(c.State)), Open: c.State == conversation.Open, Count: count("conversation.messages", c.MessageCount),
		Linked: c.ClientID.Valid, Certain: c.LinkCertain || c.LinkLocked, Last: v.stamp(&c.LastMessageAt),
	}
}

func channelIcon(channel string) string {
	return firstOf(map[string]string{"email": "mail", "sms": "sms", "voice": "phone"}[channel], "chat")
}

type conversationPage struct {
	frame
	conversationRow
	Started    stamp
	Client     *clientLink
	LinkText   string
	LinkReason string
	Messages   []messageView
	Runs       []runView
}

type clientLink struct{ ID, Name string }

type messageView struct {
	Outbound        bool
	From            string
	Own, Whole      string // Whole is empty when Own says it all
	At              stamp
	Call, Recording string // how a call ended, and where its recording is
}

func (s *site) conversation(v *visit) error {
	id, err := conversation.ParseID(v.r.PathValue("id"))
	if err != nil {
		return s.notFound(v)
	}
	c, messages, err := s.Conversations.Get(v.ctx(), v.actor, id)
	if err != nil {
		return err
	}
	_, runs, err := s.Conversations.Explain(v.ctx(), v.actor, id)
	if err != nil {
		return err
	}
	page := conversationPage{
		frame: s.frame(v, "conversation.title", "/conversations"), conversationRow: v.conversationRow(c), Started: v.stamp(&c.StartedAt),
		LinkText: linkText(c), LinkReason: c.LinkReason,
	}
	if linked, ok := c.Client(); ok {
		record, err := s.Clients.Get(v.ctx(), v.actor, linked)
		if err != nil {
			return err
		}
		page.Client = &clientLink{ID: record.ID.String(), Name: record.DisplayName()}
	}
	for _, m := range messages {
		page.Messages = append(page.Messages, v.messageView(m))
	}
	for _, run := range runs {
		view, err := v.runView(run)
		if err != nil {
			return err
		}
		page.Runs = append(page.Runs, view)
	}
	s.show(v, http.StatusOK, "conversation", page)
	return nil
}

func linkText(c *conversation.Conversation) string {
	switch {
	case !c.ClientID.Valid:
		return text("link.none")
	case c.LinkMethod == conversation.ByHand:
		return text("link.manual")
	case !c.LinkCertain:
		return text("link.uncertain")
	default:
		return text("link." + string(c.LinkMethod))
	}
}

func (v *visit) messageView(m conversation.Message) messageView {
	view := messageView{Outbound: m.Direction == "outbound", From: firstOf(m.Party, text("message.unknown")), Own: strings.TrimSpace(m.OwnWords), At: v.stamp(&m.SentAt)}
	if view.Outbound {
		view.From = firstOf(m.OurSide, text("message.us"))
	}
	whole := strings.TrimSpace(m.Text)
	switch {
	case view.Own == "":
		view.Own = whole
	case view.Own != whole:
		view.Whole = whole
	}
	if call, ok := m.Detail["call"].(map[string]any); ok {
		status, _ := call["status"].(string)
		view.Call = text("message.call." + firstOf(status, "completed"))
		view.Recording, _ = call["recording_url"].(string)
	}
	return view
}

// runView is one extraction run and what matching made of it (R199).
type runView struct {
	At                 stamp
	Rule, Reason       string
	Seen               []string
	Candidates         string
	Findings, Rejected []findingView
}

type findingView struct {
	Field, Value, Verdict, Tone, Detector, Sentence, Reason string
}

// decided is how intake stores a decision with its proof.
type decided struct {
	Decision   match.Decision     `json:"decision"`
	Own        []match.Identifier `json:"own"`
	Stated     []match.Identifier `json:"stated"`
	Candidates []match.Candidate  `json:"candidates"`
}

func (v *visit) runView(run conversation.Run) (runView, error) {
	var d decided
	if err := json.Unmarshal(run.Decision, &d); err != nil {
		return runView{}, fmt.Errorf("read the decision of run %s: %w", run.ID, err)
	}
	var found extract.Result
	if err := json.Unmarshal(run.Findings, &found); err != nil {
		return runView{}, fmt.Errorf("read the findings of run %s: %w", run.ID, err)
	}
	view := runView{At: v.stamp(&run.CreatedAt), Rule: string(d.Decision.Rule), Reason: d.Decision.Reason, Candidates: count("run.candidates", len(d.Candidates))}
	for _, id := range d.Own {
		view.Seen = append(view.Seen, id.Normal)
	}
	for _, id := range d.Stated {
		view.Seen = append(view.Seen, text("run.stated", id.Normal))
	}
	for _, f := range found.Findings {
		shown := findingView{
			Field: text("finding." + string(f.Field)), Value: f.Value, Verdict: text("verdict." + string(f.Verdict)), Detector: f.Detector, Sentence: f.Sentence, Reason: f.Reason,
			Tone: map[extract.Verdict]string{extract.Accepted: "good", extract.Suggested: "note"}[f.Verdict],
		}
		if f.Verdict == extract.Rejected {
			view.Rejected = append(view.Rejected, shown)
		} else {
			view.Findings = append(view.Findings, shown)
		}
	}
	return view, nil
}
