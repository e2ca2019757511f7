package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/match"
)

// The most tags a client has, and characters a tag.
const (
	MaxTags      = 50
	MaxTagLength = 50
)

// Edit is what a form or an API call wants changed. What isn't named stays.
type Edit struct {
	// Fields by catalogue name; the empty text clears a field, which automation
	// then doesn't fill again.
	Fields map[string]string
	// Email and Phone replace the primary one when not nil; the empty text removes
	// it.
	Email *string
	Phone *string
	// Share: an address or number that another client has is marked as shared on
	// both, instead of being refused (R97).
	Share bool
	// Tags replace all tags when not nil.
	Tags *[]string
	// Note, when not empty, is added as a note (R36).
	Note string
	// Revision, when not 0, must be the client's present one.
	Revision int64
}

// Create makes a client by hand (R14). It needs a name, a company, an email or a
// phone (R93). Errors: FieldErrors with all that is wrong, *TakenError,
// *actor.Refusal.
func (s *Service) Create(ctx context.Context, a actor.Actor, e Edit) (*Client, error) {
	if err := s.require(ctx, a, actor.EditClients); err != nil {
		return nil, err
	}
	checked, err := s.check(ctx, a, e)
	if err != nil {
		return nil, err
	}
	if !e.identifies() {
		return nil, FieldErrors{nobody("first_name")}
	}
	source := "manual"
	if a.Kind == actor.Automation {
		source = "api"
	}
	var c *Client
	err = s.change(ctx, a, "create", func(ctx context.Context, u *Unit) (err error) {
		if c, err = u.Create(ctx, New{Kind: Person, Source: source, Review: Confirmed}); err != nil {
			return err
		}
		return u.edit(ctx, c, checked)
	})
	return c, err
}

// Update edits a client (R15, R102). Errors: *NotFoundError, *ConflictError,
// FieldErrors with all that is wrong, *TakenError, *StateError for a deleted
// client, *actor.Refusal.
func (s *Service) Update(ctx context.Context, a actor.Actor, id ID, e Edit) (*Client, error) {
	if err := s.require(ctx, a, actor.EditClients); err != nil {
		return nil, err
	}
	checked, err := s.check(ctx, a, e)
	if err != nil {
		return nil, err
	}
	return s.changeClient(ctx, a, id, "edit", func(ctx context.Context, u *Unit, c *Client) error {
		if e.Revision != 0 && e.Revision != c.Revision {
			return conflict(ctx, u.tx, c, e)
		}
		return u.edit(ctx, c, checked)
	})
}

// checkedEdit is an edit whose values can be stored.
type checkedEdit struct {
	Edit
	fields map[string]string
	email  *Found
	phone  *Found
	tags   []string
}

// check collects all that is wrong with an edit.
func (s *Service) check(ctx context.Context, a actor.Actor, e Edit) (checkedEdit, error) {
	region, err := s.Region(ctx, a.Tenant)
	if err != nil {
		return checkedEdit{}, fmt.Errorf("read the tenant's region: %w", err)
	}
	checked := checkedEdit{Edit: e, fields: map[string]string{}}
	var wrong FieldErrors
	for _, f := range Fields() {
		text, ok := e.Fields[f.Name]
		if !ok || !f.Editable {
			continue
		}
		clean, err := f.Clean(text)
		if f.Name == "date_of_birth" && len(clean) == 10 && clean > s.Now().UTC().Format(time.DateOnly) {
			err = &FieldError{Field: f.Name, Rule: "lies in the future", WayOut: "check the year"}
		}
		wrong = wrong.add(err)
		checked.fields[f.Name] = clean
	}
	for name := range e.Fields {
		if f, ok := FieldNamed(name); !ok || !f.Editable {
			wrong = append(wrong, &FieldError{Field: name, Rule: "is no field that can be edited", WayOut: "see the list of fields"})
		}
	}
	checked.email, err = checkIdentifier(Email, e.Email, region)
	wrong = wrong.add(err)
	checked.phone, err = checkIdentifier(Phone, e.Phone, region)
	wrong = wrong.add(err)
	if e.Tags != nil {
		checked.tags, err = cleanTags(*e.Tags)
		wrong = wrong.add(err)
	}
	if e.Note != "" {
		checked.Note, err = cleanNote(e.Note)
		wrong = wrong.add(err)
	}
	return checked, wrong.orNil()
}

// add collects a *FieldError.
func (e FieldErrors) add(err error) FieldErrors {
	if f, ok := err.(*FieldError); ok {
		return append(e, f)
	}
	return e
}

func (u *Unit) edit(ctx context.Context, c *Client, e checkedEdit) error {
	for _, f := range Fields() {
		text, ok := e.fields[f.Name]
		if !ok || text == f.Get(c) {
			continue
		}
		if err := u.Set(ctx, c, f, text); err != nil {
			return err
		}
	}
	if err := u.replacePrimary(ctx, c, Email, e.email, e.Share); err != nil {
		return err
	}
	if err := u.replacePrimary(ctx, c, Phone, e.phone, e.Share); err != nil {
		return err
	}
	if e.Tags != nil && !slices.Equal(e.tags, c.Tags) {
		u.Log(c, event.FieldChanged, event.Change("tags", strings.Join(c.Tags, ", "), strings.Join(e.tags, ", "), string(FromHuman)))
		c.Tags = e.tags
		u.touch(c)
	}
	if e.Note != "" {
		if _, err := u.addNote(ctx, c, e.Note); err != nil {
			return err
		}
	}
	if !c.recognisable() {
		return FieldErrors{nobody("first_name")}
	}
	return nil
}

// Set gives a field the value that a person decided on. Text must be clean
// (Field.Clean); "" clears the field for good.
func (u *Unit) Set(ctx context.Context, c *Client, f Field, text string) error {
	return u.set(ctx, c, f, text, Filling{Source: FromHuman, Evidence: Evidence{Confidence: 1}})
}

// conflict answers a stale edit field by field: what you want, what stands there
// now, and what stood there at the revision you edited.
func conflict(ctx context.Context, tx pgx.Tx, c *Client, e Edit) error {
	base, err := valuesAt(ctx, tx, c.ID, e.Revision)
	if err != nil {
		return err
	}
	found := &ConflictError{Wanted: e.Revision, Current: c}
	add := func(field, yours, theirs string) {
		was, changed := base[field]
		if !changed {
			was = theirs
		}
		found.Fields = append(found.Fields, FieldConflict{Field: field, Yours: yours, Theirs: theirs, Base: was})
	}
	for _, f := range Fields() {
		if yours, ok := e.Fields[f.Name]; ok {
			add(f.Name, yours, f.Get(c))
		}
	}
	if e.Email != nil {
		add("email", *e.Email, c.primaryValue(Email))
	}
	if e.Phone != nil {
		add("phone", *e.Phone, c.primaryValue(Phone))
	}
	if e.Tags != nil {
		add("tags", strings.Join(*e.Tags, ", "), strings.Join(c.Tags, ", "))
	}
	return found
}

// valuesAt reads from the timeline what changed fields held at a revision; a
// field that isn't answered has not changed since.
func valuesAt(ctx context.Context, tx pgx.Tx, id ID, revision int64) (map[string]string, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT ON (field) field, before FROM (
  SELECT coalesce(payload->>'field', payload->>'kind') AS field,
         coalesce(CASE WHEN payload ? 'field' THEN payload->>'before' ELSE payload->>'primary_before' END, '') AS before,
         (payload->>'revision')::bigint AS revision, id
    FROM event WHERE client_id = $1 AND kind = ANY($3) AND (payload->>'revision')::bigint > $2) changes
 WHERE field IS NOT NULL ORDER BY field, revision, id`, id, revision,
		[]event.Kind{event.FieldChanged, event.Preference, event.IdentifierAdded, event.IdentifierRemoved, event.IdentifierPrimary})
	if err != nil {
		return nil, fmt.Errorf("read earlier values: %w", err)
	}
	values := map[string]string{}
	var field, before string
	_, err = pgx.ForEachRow(rows, []any{&field, &before}, func() error {
		values[field] = before
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read earlier values: %w", err)
	}
	return values, nil
}

// replacePrimary puts a typed identifier in the primary's place; the former one
// goes.
func (u *Unit) replacePrimary(ctx context.Context, c *Client, kind IdentifierKind, found *Found, share bool) error {
	old := c.currentPrimary(kind)
	if found == nil || (old != nil && found.Value == old.Value) {
		return nil
	}
	if err := u.claim(ctx, c, found, share); err != nil {
		return err
	}
	if old != nil {
		if err := u.RemoveIdentifier(ctx, c, *old, "replaced by hand"); err != nil {
			return err
		}
	}
	if found.Value == "" {
		return nil
	}
	return u.addPrimary(ctx, c, *found)
}

// addPrimary adds an identifier and makes it the primary one of its kind.
func (u *Unit) addPrimary(ctx context.Context, c *Client, f Found) error {
	if err := u.AddIdentifier(ctx, c, f); err != nil {
		return err
	}
	for _, id := range c.Identifiers {
		if id.Kind == f.Kind && id.Normal == f.Normal && id.Extension == f.Extension && id.Value == f.Value {
			return u.makePrimary(ctx, c, id.ID)
		}
	}
	return nil // the client has it already, written another way
}

// checkIdentifier reads what somebody typed; nil stays nil.
func checkIdentifier(kind IdentifierKind, typed *string, region string) (*Found, error) {
	if typed == nil {
		return nil, nil
	}
	f := &Found{Kind: kind, Value: trimmed(*typed), Source: FromHuman}
	if len(f.Value) > 500 {
		return f, &FieldError{Field: string(kind), Rule: "is longer than 500 bytes", WayOut: "shorten it"}
	}
	if f.Value == "" {
		return f, nil
	}
	switch kind {
	case Email:
		normal, ok := match.Email(f.Value)
		if !ok {
			return f, &FieldError{Field: "email", Rule: "is no email address", WayOut: "write it like ann@example.com"}
		}
		f.Normal = normal
	case Phone: // what can't be read as a phone is kept as text (R28)
		if n, ok := match.Phone(f.Value, region); ok {
			f.Normal, f.Extension = n.E164, n.Extension
		}
	default:
		f.Normal = f.Value
	}
	return f, nil
}

func cleanTags(typed []string) ([]string, error) {
	tags := []string{}
	for _, t := range typed {
		t = strings.Join(strings.Fields(strings.ToValidUTF8(t, "\uFFFD")), " ")
		if n := utf8.RuneCountInString(t); n > MaxTagLength || strings.ContainsAny(t, ",\x00") {
			return nil, &FieldError{Field: "tags", Rule: fmt.Sprintf("take at most %d characters each, without commas", MaxTagLength), WayOut: "use short words"}
		}
		if t != "" && !slices.ContainsFunc(tags, func(have string) bool { return strings.EqualFold(have, t) }) {
			tags = append(tags, t)
		}
	}
	if len(tags) > MaxTags {
		return nil, &FieldError{Field: "tags", Rule: fmt.Sprintf("are %d, at most %d are kept", len(tags), MaxTags), WayOut: "remove some"}
	}
	return tags, nil
}

func (e Edit) identifies() bool {
	for _, name := range []string{"first_name", "last_name", "company"} {
		if trimmed(e.Fields[name]) != "" {
			return true
		}
	}
	return (e.Email != nil && trimmed(*e.Email) != "") || (e.Phone != nil && trimmed(*e.Phone) != "")
}

// recognisable: something is left to know the client by (R93).
func (c *Client) recognisable() bool {
	return c.FirstName != "" || c.LastName != "" || c.Company != "" || len(c.Identifiers) > 0
}

func nobody(field string) *FieldError {
	return &FieldError{Field: field, Rule: "and every other way to recognise the client are empty", WayOut: "give a name, a company, an email or a phone"}
}
