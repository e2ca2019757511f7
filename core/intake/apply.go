package intake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/match"
)

// apply carries a decision out: reclaim, create, link, fill, suggest.
func (p *processing) apply(ctx context.Context, d match.Decision) error {
	if err := p.reclaim(ctx, d); err != nil {
		return err
	}
	c, err := p.chooseClient(ctx, d)
	if err != nil {
		return err
	}
	if c == nil {
		return p.suggestLinks(ctx, d, nil)
	}
	if err := p.absorb(ctx, c, d); err != nil {
		return err
	}
	if err := p.doubt(ctx, c, d); err != nil {
		return err
	}
	if err := p.identify(ctx, c); err != nil {
		return err
	}
	if err := p.fill(ctx, c); err != nil {
		return err
	}
	if err := p.unit.Contacted(ctx, c.ID, p.reading.stored.SentAt); err != nil {
		return err
	}
	if err := p.link(ctx, c, d); err != nil {
		return err
	}
	p.result.ClientUpdated = !p.result.ClientCreated && p.unit.Touched(c.ID)
	return p.suggestLinks(ctx, d, c)
}

func (p *processing) chooseClient(ctx context.Context, d match.Decision) (*client.Client, error) {
	switch d.Action {
	case match.Link:
		return p.unit.Client(ctx, client.ID{UUID: d.Client})
	case match.Create:
		kind := client.Person
		switch {
		case d.Mailbox:
			kind = client.SharedMailbox
		case !p.reachable():
			kind = client.Anonymous // until it has a name, an email or a phone (R11)
		}
		p.result.ClientCreated = true
		return p.unit.Create(ctx, client.New{
			Kind: kind, Source: p.reading.place.Channel, Review: client.Unreviewed,
			Origin: map[string]any{
				"channel": p.reading.place.Channel, "conversation": p.conversation.ID, "message": p.reading.stored.ID, "method": d.Rule,
			},
		})
	default:
		return nil, nil
	}
}

// reachable: the message brings an email or a phone.
func (p *processing) reachable() bool {
	return slices.ContainsFunc(slices.Concat(p.facts.Own, p.facts.Stated), func(id match.Identifier) bool {
		return id.Kind == match.KindEmail || id.Kind == match.KindPhone
	})
}

// reclaim takes an identifier away from a client that had it only from text,
// under another name than that of its proved owner.
func (p *processing) reclaim(ctx context.Context, d match.Decision) error {
	for _, id := range d.Reclaim {
		c, err := p.unit.Client(ctx, client.ID{UUID: id})
		if err != nil {
			return err
		}
		for _, held := range slices.Clone(c.Identifiers) {
			if held.Source == client.FromExtraction && slices.Contains(p.facts.Own, identifierOfClient(held)) {
				if err := p.unit.RemoveIdentifier(ctx, c, held, "another sender proved it"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// absorb brings an anonymous visitor's session and conversations to the client
// he turned out to be (R11, R133).
func (p *processing) absorb(ctx context.Context, into *client.Client, d match.Decision) error {
	for _, id := range d.Absorb {
		visitor, err := p.unit.Client(ctx, client.ID{UUID: id})
		if err != nil {
			return err
		}
		if err := p.unit.Absorb(ctx, visitor, into, d.Reason); err != nil {
			return err
		}
		if p.conversation.ClientID == valid(id) && !p.conversation.LinkLocked {
			p.conversation.ClientID = uuid.NullUUID{} // linked afresh, as this decision says
		}
	}
	return nil
}

// doubt: the identifier that links this message was only read in an earlier
// one, so that one's link is no surer than its text (the order of arrival must
// not matter, R133).
func (p *processing) doubt(ctx context.Context, c *client.Client, d match.Decision) error {
	if !d.Doubt {
		return nil
	}
	for _, held := range c.Identifiers {
		if held.Source == client.FromExtraction && held.MessageID.Valid && identifierOfClient(held) == *d.By {
			return conversation.Doubt(ctx, p.tx, held.MessageID.UUID, "an address or number said here ties it to this client")
		}
	}
	return nil
}

// identify adds the message's identifiers: the channel's own, and for a person
// those he gave as his own, as far as nobody else holds them.
func (p *processing) identify(ctx context.Context, c *client.Client) error {
	for _, id := range p.facts.Own {
		verified := id.Kind == match.KindExternal || (id.Kind == match.KindEmail && !p.reading.unproved)
		if err := p.addIdentifier(ctx, c, id, client.Found{Value: id.Normal, Source: client.FromChannel, Verified: verified}); err != nil {
			return err
		}
	}
	for _, x := range statedIdentifiers(p.found) {
		if c.Kind == client.SharedMailbox || !slices.Contains(p.facts.Stated, identifierOf(x)) {
			continue
		}
		if err := p.addIdentifier(ctx, c, identifierOf(x), client.Found{
			Value: x.Value, Source: sourceOf(x), Evidence: evidence(x),
		}); err != nil {
			return err
		}
	}
	return nil
}

func (p *processing) addIdentifier(ctx context.Context, c *client.Client, id match.Identifier, f client.Found) error {
	for _, other := range p.candidates {
		reclaimed := other.Deleted == "" && !slices.ContainsFunc(other.Held, func(h match.Held) bool {
			return h.Identifier == id && (h.Proved || !slices.Contains(p.facts.Own, id))
		})
		if other.ID == c.ID.UUID || other.Deleted != "" || reclaimed {
			continue
		}
		return nil // somebody else's; Decide has made the suggestion
	}
	f.Kind, f.Normal, f.Extension = client.IdentifierKind(id.Kind), id.Normal, id.Extension
	f.MessageID = valid(p.reading.stored.ID)
	f.Value = cut(cleanText(f.Value), 500)
	return p.unit.AddIdentifier(ctx, c, f)
}

// fill brings what the speaker said of himself into the client; what is not sure
// enough, or said of a shared mailbox's sender, becomes a suggestion.
func (p *processing) fill(ctx context.Context, c *client.Client) error {
	if p.reading.stored.Direction == "outbound" && p.reading.place.Channel != "voice" {
		return p.fillRecipient(ctx, c)
	}
	var filled []client.Filling
	for _, x := range p.found.Findings {
		values := fillings(x, p.reading.stored.ID)
		identifier := x.Field == extract.FieldEmail || x.Field == extract.FieldPhone
		if identifier && x.Stated && x.Verdict == extract.Accepted && c.Kind != client.SharedMailbox {
			continue // identify has brought it, or found it to be another's
		}
		if !identifier && x.Verdict == extract.Accepted && x.Whose != extract.WhoseOther && c.Kind != client.SharedMailbox {
			filled = append(filled, values...)
			continue
		}
		if err := p.suggestValues(ctx, c, x, values); err != nil {
			return err
		}
	}
	return p.unit.Fill(ctx, c, p.addHeaderName(filled, c))
}

// fillRecipient: our own mail says of its recipient only how we address him.
func (p *processing) fillRecipient(ctx context.Context, c *client.Client) error {
	return p.unit.Fill(ctx, c, p.addHeaderName(nil, c))
}

// addHeaderName uses the name that the header shows when the text has none.
func (p *processing) addHeaderName(filled []client.Filling, c *client.Client) []client.Filling {
	named := slices.ContainsFunc(filled, func(f client.Filling) bool { return strings.HasSuffix(f.Field, "_name") })
	sender := p.found.Sender
	if named || c.Kind == client.SharedMailbox || sender.First+sender.Last == "" {
		return filled
	}
	for field, text := range map[string]string{"first_name": sender.First, "last_name": sender.Last} {
		filled = append(filled, client.Filling{
			Field: field, Text: text, Source: client.FromChannel, MessageID: valid(p.reading.stored.ID),
			Evidence: client.Evidence{Detector: "header", Confidence: 0.9, Sentence: strings.TrimSpace(sender.First + " " + sender.Last)},
		})
	}
	return filled
}

// fillings are the fields that a finding of a message would fill; identifiers
// fill none.
func fillings(x extract.Finding, message uuid.UUID) []client.Filling {
	texts := map[string]string{}
	switch x.Field {
	case extract.FieldName:
		texts["first_name"], texts["last_name"] = x.First, x.Last
	case extract.FieldCompany:
		texts["company"] = x.Value
	case extract.FieldBirthDate:
		texts["date_of_birth"] = x.Normal
	case extract.FieldAddress:
		if a := x.Address; a != nil {
			texts = map[string]string{"street": a.Street, "city": a.City, "state": a.State, "zip": a.Zip, "country": a.Country}
		}
	}
	var out []client.Filling
	for _, field := range client.Fields() {
		if text := cleanText(texts[field.Name]); text != "" {
			out = append(out, client.Filling{
				Field: field.Name, Text: text, Source: sourceOf(x), MessageID: valid(message), Evidence: evidence(x),
			})
		}
	}
	return out
}

// suggestValues leaves findings that were not sure enough to a person. Rejected
// ones stay in the run only.
func (p *processing) suggestValues(ctx context.Context, c *client.Client, x extract.Finding, values []client.Filling) error {
	if x.Verdict == extract.Rejected {
		return nil
	}
	reason := x.Reason
	switch {
	case x.Whose == extract.WhoseOther:
		reason = "said to be somebody else's"
	case c.Kind == client.SharedMailbox:
		reason = "written from a shared mailbox"
	case reason == "" && x.Whose == extract.WhoseUnknown:
		reason = "the text doesn't say whose it is"
	case reason == "":
		reason = "not sure enough"
	}
	s := client.Suggestion{
		Kind: client.SuggestValue, Client: valid(c.ID.UUID), Conversation: valid(p.conversation.ID.UUID),
		Message: valid(p.reading.stored.ID), Reason: reason, Sentence: cleanText(x.Sentence),
	}
	if x.Field == extract.FieldEmail || x.Field == extract.FieldPhone {
		if c.Has(client.IdentifierKind(x.Field), x.Normal) {
			return nil
		}
		s.Field, s.Value = string(x.Field), cut(cleanText(x.Normal), maxShort)
		return p.unit.Suggest(ctx, s)
	}
	for _, v := range values {
		s.Field, s.Value = v.Field, cut(v.Text, maxShort)
		if err := p.unit.Suggest(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// link ties the conversation to the client. A person's link stays, and so does
// an earlier automatic one, unless it was a guess and this one is none.
func (p *processing) link(ctx context.Context, c *client.Client, d match.Decision) error {
	conv := p.conversation
	linked, has := conv.Client()
	p.result.ClientID, p.result.Certain = valid(c.ID.UUID), d.Certain
	guess := has && !conv.LinkCertain
	switch {
	case conv.LinkLocked:
		return nil
	case has && linked == c.ID:
		return nil
	case has && !(guess && d.Certain):
		return p.unit.Suggest(ctx, client.Suggestion{
			Kind: client.SuggestLink, Client: valid(c.ID.UUID), Conversation: valid(conv.ID.UUID), Message: p.result.MessageID,
			Reason: "another client wrote in this conversation",
		})
	}
	kind, payload := event.ConversationLinked, map[string]any{"rule": d.Rule, "reason": d.Reason, "certain": d.Certain}
	if has {
		kind, payload["from"] = event.ConversationMoved, linked
		p.unit.LogConversation(&linked, conv.ID.UUID, kind, p.now, payload)
	}
	method := conversation.ByChannel
	if d.Rule == match.RuleStated || (d.By != nil && !slices.Contains(p.facts.Own, *d.By)) {
		method = conversation.ByContent
	}
	p.unit.LogConversation(&c.ID, conv.ID.UUID, kind, p.now, payload)
	p.result.NewLink = !has
	return conversation.SetLink(ctx, p.tx, p.unit, conv, &c.ID, method, d.Certain, false, d.Reason)
}

// suggestLinks leaves the decision's other clients to a person.
func (p *processing) suggestLinks(ctx context.Context, d match.Decision, c *client.Client) error {
	at := client.Suggestion{Conversation: valid(p.conversation.ID.UUID), Message: p.result.MessageID}
	for _, list := range []struct {
		kind   client.SuggestionKind
		ids    []uuid.UUID
		reason string
	}{
		{client.SuggestMerge, d.Merge, "one message names identifiers of both"},
		{client.SuggestRestore, d.Restore, "a deleted record had this address or number"},
		{client.SuggestLink, d.LinkTo, "what was said points to this client"},
	} {
		for _, id := range list.ids {
			s := at
			s.Kind, s.Reason = list.kind, list.reason
			s.Client, s.Other = valid(id), uuid.NullUUID{}
			if list.kind != client.SuggestLink {
				s.Client, s.Other = valid(c.ID.UUID), valid(id)
			}
			if err := p.unit.Suggest(ctx, s); err != nil {
				return fmt.Errorf("suggest %s: %w", list.kind, err)
			}
		}
	}
	return nil
}

func sourceOf(x extract.Finding) client.Source {
	switch x.Origin {
	case extract.OriginPreChat:
		return client.FromForm
	case extract.OriginChannel, extract.OriginHeader:
		return client.FromChannel
	default:
		return client.FromExtraction
	}
}

func evidence(x extract.Finding) client.Evidence {
	return client.Evidence{Detector: x.Detector, Confidence: x.Confidence, Sentence: cleanText(x.Sentence)}
}

func identifierOfClient(id client.Identifier) match.Identifier {
	return match.Identifier{Kind: string(id.Kind), Normal: id.Normal, Extension: id.Extension}
}
