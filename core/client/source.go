package client

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
)

// SourcedValue is a value of a client and where it comes from: the person or
// program that wrote it, or the message, the sentence and the detector that
// found it (R13, R147).
type SourcedValue struct {
	Field     string        `json:"field"` // of the catalogue, or an identifier's kind
	Value     string        `json:"value"`
	Source    Source        `json:"source"`
	Actor     string        `json:"actor"`
	Detector  string        `json:"detector,omitempty"`
	Sentence  string        `json:"sentence,omitempty"`
	MessageID uuid.NullUUID `json:"message_id"`
	// Cleared: a person emptied the field, and automation leaves it empty (R130).
	Cleared bool      `json:"cleared,omitempty"`
	At      time.Time `json:"at"`
}

// Sources says where each value of a client comes from, fields that a person
// emptied included (R147). Errors: *NotFoundError, *actor.Refusal.
func (s *Service) Sources(ctx context.Context, a actor.Actor, id ID) ([]SourcedValue, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	var values []SourcedValue
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		c, err := s.read(ctx, tx, a, id)
		if err != nil {
			return err
		}
		all, err := sourcesOf(ctx, tx, []*Client{c})
		values = all[c.ID]
		return err
	})
	return values, err
}

// sourcesOf reads where the values of clients come from: of fields from their
// provenance, of identifiers from the event that added them, which stays with the
// client that had the identifier before a merge.
func sourcesOf(ctx context.Context, tx pgx.Tx, clients []*Client) (map[ID][]SourcedValue, error) {
	byID := make(map[ID]*Client, len(clients))
	ids := make([]ID, 0, len(clients))
	for _, c := range clients {
		byID[c.ID] = c
		ids = append(ids, c.ID)
	}
	rows, err := tx.Query(ctx, `SELECT client_id, field, '', source, actor, detector, sentence, message_id, cleared, at FROM client_value WHERE client_id = ANY($1)
UNION ALL
SELECT i.client_id, i.kind, i.value, i.source, coalesce(e.actor_name, ''), coalesce(e.payload->>'detector', ''), coalesce(e.payload->>'sentence', ''),
       i.message_id, false, i.created_at
  FROM client_identifier i LEFT JOIN LATERAL (
    SELECT e.actor_name, e.payload FROM client c JOIN event e ON e.client_id = c.id
     WHERE (c.id = i.client_id OR c.merged_into = i.client_id) AND e.kind = $2 AND e.payload->>'kind' = i.kind AND e.payload->>'value' = i.value
     ORDER BY e.at DESC, e.id DESC LIMIT 1) e ON true
 WHERE i.client_id = ANY($1) ORDER BY 1, 2, 3`, ids, event.IdentifierAdded)
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	values := map[ID][]SourcedValue{}
	var id ID
	var v SourcedValue
	_, err = pgx.ForEachRow(rows, []any{&id, &v.Field, &v.Value, &v.Source, &v.Actor, &v.Detector, &v.Sentence, &v.MessageID, &v.Cleared, &v.At}, func() error {
		if f, ok := FieldNamed(v.Field); ok {
			v.Value = f.Get(byID[id])
		}
		values[id] = append(values[id], v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	return values, nil
}
