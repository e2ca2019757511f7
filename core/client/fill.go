package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/match"
)

// Filling is a value that automation found for a field.
type Filling struct {
	Field     string
	Text      string
	Source    Source
	MessageID uuid.NullUUID
	Evidence
}

// Fill brings found values into a client, preserving what is there (R130): an
// empty field is filled, unless a person emptied it; a value from a lower source
// is replaced and stays in the timeline; everything else becomes a suggestion.
// First and last name only complete each other when the other half agrees, and
// an address is filled as one block.
func (u *Unit) Fill(ctx context.Context, c *Client, values []Filling) error {
	if len(values) == 0 {
		return nil
	}
	known, err := u.provenance(ctx, c.ID)
	if err != nil {
		return err
	}
	f := filler{unit: u, client: c, known: known}
	name, address, single := group(values)
	if err := f.block(ctx, name, f.namesAgree(name)); err != nil {
		return err
	}
	if err := f.block(ctx, address, f.partsAgree(address)); err != nil {
		return err
	}
	for _, v := range single {
		if err := f.block(ctx, []Filling{v}, false); err != nil {
			return err
		}
	}
	return nil
}

// Suggest leaves something for a person to decide; the same suggestion is made
// once (R130, R131).
func (u *Unit) Suggest(ctx context.Context, s Suggestion) error {
	for _, id := range []*uuid.NullUUID{&s.Client, &s.Other} {
		if err := u.resolve(ctx, id); err != nil {
			return err
		}
	}
	tag, err := u.tx.Exec(ctx, `INSERT INTO suggestion (id, tenant_id, kind, client_id, other_client_id, conversation_id, message_id,
  field, value, reason, sentence, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
		uuid.Must(uuid.NewV7()), u.actor.Tenant, s.Kind, s.Client, s.Other, s.Conversation, s.Message, s.Field, s.Value,
		s.Reason, s.Sentence, u.now)
	if err != nil {
		return fmt.Errorf("suggest %s: %w", s.Kind, err)
	}
	if tag.RowsAffected() == 1 && s.Client.Valid {
		u.events = append(u.events, event.Event{
			Kind: event.Suggested, ClientID: s.Client, ConversationID: s.Conversation, At: u.now,
			Payload: map[string]any{"suggestion": s.Kind, "field": s.Field, "value": s.Value, "reason": s.Reason},
		})
	}
	return nil
}

// resolve follows a merge. It waits for one at work and keeps the next one away
// until this transaction ends, so that no row is left with a retired client.
func (u *Unit) resolve(ctx context.Context, id *uuid.NullUUID) error {
	if !id.Valid {
		return nil
	}
	err := u.tx.QueryRow(ctx, `SELECT coalesce(merged_into, id) FROM client WHERE id = $1 FOR KEY SHARE`, id.UUID).Scan(&id.UUID)
	if errors.Is(err, pgx.ErrNoRows) {
		return &NotFoundError{ID: ID{id.UUID}}
	}
	if err != nil {
		return fmt.Errorf("follow merges of client %s: %w", id.UUID, err)
	}
	return nil
}

// SuggestionKind is what a suggestion proposes.
type SuggestionKind string

// The kinds of suggestion.
const (
	SuggestValue   SuggestionKind = "value"
	SuggestLink    SuggestionKind = "link"
	SuggestMerge   SuggestionKind = "merge"
	SuggestRestore SuggestionKind = "restore"
)

// Suggestion is what the rules would not decide alone.
type Suggestion struct {
	Kind                                 SuggestionKind
	Client, Other, Conversation, Message uuid.NullUUID
	Field, Value, Reason, Sentence       string
}

type filler struct {
	unit   *Unit
	client *Client
	known  map[string]provenance
}

type provenance struct {
	Field   string
	Source  Source
	Cleared bool
}

func (u *Unit) provenance(ctx context.Context, id ID) (map[string]provenance, error) {
	rows, err := u.tx.Query(ctx, `SELECT field, source, cleared FROM client_value WHERE client_id = $1`, id)
	if err != nil {
		return nil, fmt.Errorf("read provenance: %w", err)
	}
	known := map[string]provenance{}
	for rows.Next() {
		var p provenance
		if err := rows.Scan(&p.Field, &p.Source, &p.Cleared); err != nil {
			return nil, fmt.Errorf("read provenance: %w", err)
		}
		known[p.Field] = p
	}
	return known, rows.Err()
}

func group(values []Filling) (name, address, single []Filling) {
	for _, v := range values {
		field, ok := FieldNamed(v.Field)
		switch {
		case !ok:
		case field.Block == NameBlock:
			name = append(name, v)
		case field.Block == AddressBlock:
			address = append(address, v)
		default:
			single = append(single, v)
		}
	}
	return name, address, single
}

// block fills values that belong together. Blank fields are filled when the
// whole group is blank or what is stored agrees; otherwise the group replaces a
// lower source's or becomes suggestions.
func (f *filler) block(ctx context.Context, values []Filling, agrees bool) error {
	if len(values) == 0 {
		return nil
	}
	blank, outranks := true, true
	for _, field := range Fields() {
		if !sameGroup(field, values[0].Field) {
			continue
		}
		p, stored := f.known[field.Name]
		if field.Get(f.client) != "" {
			blank = false
		}
		if (field.Get(f.client) != "" || p.Cleared) && (!stored || !values[0].Source.Outranks(p.Source)) {
			outranks = false
		}
	}
	for _, v := range values {
		field, _ := FieldNamed(v.Field)
		text, err := field.Clean(v.Text)
		if err != nil || text == "" {
			continue // a value that can't be stored is no value; the run keeps it
		}
		before := field.Get(f.client)
		cleared := f.known[v.Field].Cleared
		switch {
		case SearchForm(before) == SearchForm(text) && before != "":
		case before == "" && !cleared && (blank || agrees), outranks:
			if err := f.unit.set(ctx, f.client, field, text, v); err != nil {
				return err
			}
		case cleared && before == "":
			if err := f.suggest(ctx, v, text, "a person emptied this field"); err != nil {
				return err
			}
		default:
			if err := f.suggest(ctx, v, text, "differs from the stored value"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *filler) suggest(ctx context.Context, v Filling, text, reason string) error {
	return f.unit.Suggest(ctx, Suggestion{
		Kind: SuggestValue, Client: uuid.NullUUID{UUID: f.client.ID.UUID, Valid: true}, Message: v.MessageID,
		Field: v.Field, Value: text, Reason: reason, Sentence: v.Sentence,
	})
}

// namesAgree: a half-known name is completed only by the same person's.
func (f *filler) namesAgree(values []Filling) bool {
	var first, last string
	for _, v := range values {
		if v.Field == "first_name" {
			first = v.Text
		} else {
			last = v.Text
		}
	}
	c := f.client
	if c.FirstName == "" && c.LastName == "" {
		return true
	}
	return match.NamesAgree(first, last, c.FirstName, c.LastName) == match.Agree
}

// partsAgree: an address is completed only where every stored part is the same.
func (f *filler) partsAgree(values []Filling) bool {
	for _, v := range values {
		field, _ := FieldNamed(v.Field)
		if stored := field.Get(f.client); stored != "" && SearchForm(stored) != SearchForm(v.Text) {
			return false
		}
	}
	return true
}

func sameGroup(field Field, of string) bool {
	other, _ := FieldNamed(of)
	if other.Block != "" {
		return field.Block == other.Block
	}
	return field.Name == of
}

// set writes a cleaned value with its provenance and its event.
func (u *Unit) set(ctx context.Context, c *Client, field Field, text string, v Filling) error {
	before := field.Get(c)
	field.set(c, text)
	if c.Kind == Anonymous && c.FirstName+c.LastName != "" {
		c.Kind = Person // a visitor with a name is listed and syncs (R11)
	}
	u.touch(c)
	err := u.writeValue(ctx, c.ID, field.Name, &valueRow{
		Source: v.Source, Actor: u.actor.Name, Detector: v.Detector, Confidence: float32(v.Confidence), Sentence: v.Sentence,
		MessageID: v.MessageID, Cleared: text == field.empty, At: u.now,
	})
	if err != nil {
		return err
	}
	payload := event.Change(field.Name, before, text, string(v.Source))
	payload["detector"], payload["sentence"] = v.Detector, v.Sentence
	u.Log(c, event.FieldChanged, payload)
	return nil
}
