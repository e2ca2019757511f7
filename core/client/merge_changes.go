package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// survivorChanges is what a merge changed in the survivor itself, as an undo
// needs it. It holds personal data and is purged when the undo ends.
type survivorChanges struct {
	Fields    []fieldChange
	Primaries []uuid.UUID // of the survivor, before
	Before    frame
	After     frame
}

// fieldChange is a catalogue field with its provenance before and after.
type fieldChange struct {
	Field, Before, After    string
	BeforeValue, AfterValue *valueRow
}

// frame is what a client has besides the catalogue's fields.
type frame struct {
	Kind                Kind
	Review              Review
	Tags                []string
	PreferredChannels   []string
	ContactWindows      string
	Timezone            string
	NeverAutoSend       bool
	HumanReviewRequired bool
	Sensitive           bool
	PolicySet           PolicySet
	CreatedAt           time.Time
}

func frameOf(c *Client) frame {
	return frame{
		Kind: c.Kind, Review: c.Review, Tags: c.Tags, PreferredChannels: c.PreferredChannels, ContactWindows: string(c.ContactWindows),
		Timezone: c.Timezone, NeverAutoSend: c.NeverAutoSend, HumanReviewRequired: c.HumanReviewRequired, Sensitive: c.Sensitive,
		PolicySet: c.PolicySet, CreatedAt: c.CreatedAt.UTC(),
	}
}

func (s *survivorChanges) frames(before, after *Client) {
	s.Before, s.After = frameOf(before), frameOf(after)
}

// takeBack puts a survivor's values back that are still the merge's. What was
// changed since stays: it would have been changed without the merge too. Since
// says which kinds of event came after the merge.
func (s *survivorChanges) takeBack(c *Client, since map[event.Kind]bool) {
	if c.Kind == s.After.Kind {
		c.Kind = s.Before.Kind
	}
	if c.Review == s.After.Review && !since[event.Reviewed] {
		c.Review = s.Before.Review
	}
	c.Tags = slices.DeleteFunc(slices.Clone(c.Tags), func(tag string) bool {
		return slices.Contains(s.After.Tags, tag) && !slices.Contains(s.Before.Tags, tag)
	})
	c.CreatedAt = s.Before.CreatedAt
	set := maps.Clone(c.PolicySet)
	if !since[event.Sensitivity] {
		c.Sensitive = s.Before.Sensitive
		set.restore(s.Before.PolicySet, policy.NameSensitive)
	}
	if !since[event.Preference] {
		c.PreferredChannels, c.ContactWindows, c.Timezone = s.Before.PreferredChannels, json.RawMessage(s.Before.ContactWindows), s.Before.Timezone
		c.NeverAutoSend, c.HumanReviewRequired = s.Before.NeverAutoSend, s.Before.HumanReviewRequired
		set.restore(s.Before.PolicySet, preferenceNames()...)
	}
	c.PolicySet = set
}

// valueRow is a row of client_value.
type valueRow struct {
	Source     Source
	Actor      string
	Detector   string
	Confidence float32
	Sentence   string
	MessageID  uuid.NullUUID
	Cleared    bool
	At         time.Time
}

func (v *valueRow) equal(o *valueRow) bool {
	if v == nil || o == nil {
		return v == o
	}
	a, b := *v, *o
	a.At, b.At = time.Time{}, time.Time{}
	return a == b && v.At.Equal(o.At)
}

func readValue(ctx context.Context, tx pgx.Tx, id ID, field string) (*valueRow, error) {
	rows, err := tx.Query(ctx, `SELECT source, actor, detector, confidence, sentence, message_id, cleared, at FROM client_value
 WHERE client_id = $1 AND field = $2`, id, field)
	if err != nil {
		return nil, fmt.Errorf("read where %s comes from: %w", field, err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[valueRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read where %s comes from: %w", field, err)
	}
	return v, nil
}

// writeValue stores where a field's value comes from; nil forgets it.
func (u *Unit) writeValue(ctx context.Context, id ID, field string, v *valueRow) error {
	var err error
	if v == nil {
		_, err = u.tx.Exec(ctx, `DELETE FROM client_value WHERE client_id = $1 AND field = $2`, id, field)
	} else {
		_, err = u.tx.Exec(ctx, `INSERT INTO client_value (tenant_id, client_id, field, source, actor, detector, confidence, sentence, message_id, cleared, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant_id, client_id, field) DO UPDATE SET source = excluded.source, actor = excluded.actor, detector = excluded.detector,
  confidence = excluded.confidence, sentence = excluded.sentence, message_id = excluded.message_id, cleared = excluded.cleared, at = excluded.at`,
			u.actor.Tenant, id, field, v.Source, v.Actor, v.Detector, v.Confidence, v.Sentence, v.MessageID, v.Cleared, v.At)
	}
	if err != nil {
		return fmt.Errorf("note where %s comes from: %w", field, err)
	}
	return nil
}

// takeProvenance copies a field's provenance from one client to another and
// answers the other's before and after. Without one the merge is the source.
func (u *Unit) takeProvenance(ctx context.Context, to, from ID, field string) (before, after *valueRow, err error) {
	if before, err = readValue(ctx, u.tx, to, field); err != nil {
		return nil, nil, err
	}
	if after, err = readValue(ctx, u.tx, from, field); err != nil {
		return nil, nil, err
	}
	if after == nil {
		after = &valueRow{Source: FromHuman, Actor: u.actor.Name, Confidence: 1, At: u.now.UTC().Truncate(time.Microsecond)}
	}
	return before, after, u.writeValue(ctx, to, field, after)
}

// clearedFields are the fields that a person emptied.
func (u *Unit) clearedFields(ctx context.Context, id ID) (map[string]bool, error) {
	known, err := u.provenance(ctx, id)
	if err != nil {
		return nil, err
	}
	cleared := map[string]bool{}
	for field, p := range known {
		cleared[field] = p.Cleared
	}
	return cleared, nil
}

// primaries are the ids of the client's primary identifiers.
func (c *Client) primaries() []uuid.UUID {
	var ids []uuid.UUID
	for _, id := range c.Identifiers {
		if id.IsPrimary {
			ids = append(ids, id.ID)
		}
	}
	return ids
}
