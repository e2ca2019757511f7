package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
)

// Reason is why a client was deleted.
type Reason string

// The reasons: a record that shouldn't be, or a sender nobody wants to hear of.
const (
	Mistake Reason = "mistake"
	Spam    Reason = "spam"
)

// Delete takes a client out of list, search, export, linking and sync (R152). Its
// conversations stay, its identifiers are free for others, and Restore brings it
// back. Deleted as spam, its identifiers create no client any more (R134).
// Errors: *NotFoundError, *ConflictError (At), FieldErrors, *StateError,
// *actor.Refusal.
func (s *Service) Delete(ctx context.Context, a actor.Actor, id ID, reason Reason) error {
	if err := s.require(ctx, a, actor.DeleteClients); err != nil {
		return err
	}
	if reason != Mistake && reason != Spam {
		return FieldErrors{{Field: "reason", Rule: "is none that we know", WayOut: "say mistake or spam"}}
	}
	return s.change(ctx, a, "delete", func(ctx context.Context, u *Unit) error {
		c, err := u.Client(ctx, id)
		if err != nil {
			return err
		}
		if c.Deleted() {
			return &StateError{Rule: "the client is deleted already", WayOut: "look in the list of deleted clients"}
		}
		if err := s.unchanged(ctx, u, c); err != nil {
			return err
		}
		return u.delete(ctx, c, reason)
	})
}

func (u *Unit) delete(ctx context.Context, c *Client, reason Reason) error {
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE client SET deleted_at = $2, deleted_reason = $3 WHERE id = $1`, c.ID, u.now, reason)
	batch.Queue(`UPDATE client_identifier SET active = false WHERE client_id = $1`, c.ID)
	batch.Queue(`UPDATE sync_item SET state = 'excluded', reason = 'the client was deleted', due_at = NULL WHERE client_id = $1`, c.ID)
	if reason == Spam {
		batch.Queue(`INSERT INTO suppressed_identifier (tenant_id, kind, normal, client_id, created_at)
SELECT DISTINCT tenant_id, kind, normal, client_id, $2::timestamptz FROM client_identifier
 WHERE client_id = $1 AND normal <> '' AND NOT shared ON CONFLICT DO NOTHING`, c.ID, u.now)
	}
	if err := u.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("delete client %s: %w", c.ID, err)
	}
	c.DeletedAt, c.DeletedReason = &u.now, string(reason)
	u.touch(c)
	u.Log(c, event.Deleted, map[string]any{"reason": reason})
	return complete(ctx, u.tx, []*Client{c})
}

// HeldError is a deleted client whose address or number belongs to a newer one.
type HeldError struct {
	Kind  IdentifierKind
	Value string
	Owner ID
}

// Error says what to do.
func (e *HeldError) Error() string {
	return fmt.Sprintf("%s: a newer client has it (%s): restore with merge, which joins the two", e.Kind, e.Owner)
}

// Restore brings a deleted client back, with its identifiers and its place in the
// CRMs. If a newer client has one of its identifiers it answers *HeldError, or
// with merge joins the deleted client into the newer one, whose values win; that
// can be undone. A member restores what he deleted himself. Errors:
// *NotFoundError, *StateError, *HeldError, *actor.Refusal.
func (s *Service) Restore(ctx context.Context, a actor.Actor, id ID, merge bool) (*Client, error) {
	if err := s.require(ctx, a, actor.DeleteClients); err != nil {
		return nil, err
	}
	var restored *Client
	err := s.change(ctx, a, "restore", func(ctx context.Context, u *Unit) error {
		c, err := u.Client(ctx, id)
		if err != nil {
			return err
		}
		if !c.Deleted() {
			return &StateError{Rule: "the client is not deleted", WayOut: "read it again"}
		}
		if err := u.mayRestore(ctx, c); err != nil {
			return err
		}
		restored, err = u.restore(ctx, c, merge)
		return err
	})
	if refusal, ok := errors.AsType[*actor.Refusal](err); ok {
		return nil, s.refused(ctx, refusal)
	}
	return restored, err
}

// mayRestore: a member takes back his own deletions only (§1.21).
func (u *Unit) mayRestore(ctx context.Context, c *Client) error {
	if u.actor.Kind != actor.Person || u.actor.Role == actor.Admin {
		return nil
	}
	var by string
	err := u.tx.QueryRow(ctx, `SELECT actor_id FROM event WHERE client_id = $1 AND kind = $2 ORDER BY at DESC, id DESC LIMIT 1`, c.ID, event.Deleted).Scan(&by)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read who deleted client %s: %w", c.ID, err)
	}
	if by != u.actor.ID {
		return &actor.Refusal{Actor: u.actor, Action: actor.DeleteClients}
	}
	return nil
}

func (u *Unit) restore(ctx context.Context, c *Client, merge bool) (*Client, error) {
	held, err := u.held(ctx, c)
	if err != nil {
		return nil, err
	}
	if held != nil && !merge {
		return nil, held
	}
	if _, err := u.tx.Exec(ctx, `DELETE FROM suppressed_identifier WHERE client_id = $1`, c.ID); err != nil {
		return nil, fmt.Errorf("let client %s be heard again: %w", c.ID, err)
	}
	u.Log(c, event.Restored, map[string]any{"reason": c.DeletedReason})
	if held != nil {
		newer, err := u.Client(ctx, held.Owner)
		if err != nil {
			return nil, err
		}
		_, err = u.merge(ctx, newer, []*Client{c}, nil, mergeBy{cause: "restored into the client that has its " + string(held.Kind)})
		return newer, err
	}
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE client SET deleted_at = NULL, deleted_reason = '' WHERE id = $1`, c.ID)
	batch.Queue(`UPDATE client_identifier SET active = true WHERE client_id = $1`, c.ID)
	if err := u.tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("restore client %s: %w", c.ID, err)
	}
	c.DeletedAt, c.DeletedReason = nil, ""
	u.touch(c)
	return c, complete(ctx, u.tx, []*Client{c})
}

// held finds a live client with one of a deleted client's identifiers, which both
// can't have.
func (u *Unit) held(ctx context.Context, c *Client) (*HeldError, error) {
	var h HeldError
	err := u.tx.QueryRow(ctx, `SELECT i.kind, i.value, o.client_id FROM client_identifier i
  JOIN client_identifier o ON o.kind = i.kind AND o.normal = i.normal AND o.extension = i.extension AND o.client_id <> i.client_id
 WHERE i.client_id = $1 AND i.normal <> '' AND o.active AND NOT (i.shared AND o.shared) ORDER BY o.created_at, o.id LIMIT 1`, c.ID).
		Scan(&h.Kind, &h.Value, &h.Owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look who has the identifiers of client %s: %w", c.ID, err)
	}
	return &h, nil
}

// Deleted answers deleted clients, the last deleted first. Merged ones are not
// among them: their ids lead to the survivor. Errors: *actor.Refusal.
func (s *Service) Deleted(ctx context.Context, a actor.Actor, after DeletedCursor, limit int) (found []*Client, next *DeletedCursor, err error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, nil, err
	}
	if limit <= 0 || limit > 200 {
		limit = 50
	}
	if after.DeletedAt.IsZero() {
		after.DeletedAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, selectClient()+` WHERE c.deleted_reason IN ('mistake', 'spam') AND (c.deleted_at, c.id) < ($1, $2)
 ORDER BY c.deleted_at DESC, c.id DESC LIMIT $3`, after.DeletedAt, after.ID, limit+1)
		if err != nil {
			return fmt.Errorf("list deleted clients: %w", err)
		}
		if found, err = pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Client]); err != nil {
			return fmt.Errorf("list deleted clients: %w", err)
		}
		if len(found) > limit {
			found = found[:limit]
			last := found[limit-1]
			next = &DeletedCursor{DeletedAt: *last.DeletedAt, ID: last.ID}
		}
		return complete(ctx, tx, found)
	})
	return found, next, err
}

// DeletedCursor is where a list of deleted clients goes on.
type DeletedCursor struct {
	DeletedAt time.Time
	ID        ID
}

// Suppression is an identifier that creates no client (R134).
type Suppression struct {
	Kind      IdentifierKind `json:"kind"`
	Normal    string         `json:"normal"`
	ClientID  ID             `json:"client_id"`
	CreatedAt time.Time      `json:"created_at"`
}

// Suppressions lists suppressed identifiers, the newest first, at most 1,000.
func (s *Service) Suppressions(ctx context.Context, a actor.Actor) (found []Suppression, err error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT kind, normal, client_id, created_at FROM suppressed_identifier ORDER BY created_at DESC, kind, normal LIMIT 1000`)
		if err != nil {
			return fmt.Errorf("list suppressed identifiers: %w", err)
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[Suppression])
		return err
	})
	return found, err
}

// LiftSuppression lets an identifier create clients again, while its own stays
// deleted. Lifting none is no error.
func (s *Service) LiftSuppression(ctx context.Context, a actor.Actor, kind IdentifierKind, normal string) error {
	if err := s.require(ctx, a, actor.DeleteClients); err != nil {
		return err
	}
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		var of uuid.UUID
		err := tx.QueryRow(ctx, `DELETE FROM suppressed_identifier WHERE kind = $1 AND normal = $2 RETURNING client_id`, kind, normal).Scan(&of)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lift a suppression: %w", err)
		}
		return event.Append(ctx, tx, a, event.Event{
			Kind: event.FieldChanged, ClientID: uuid.NullUUID{UUID: of, Valid: true}, At: s.Now(),
			Payload: event.Change("suppressed "+string(kind), normal, "", string(FromHuman)),
		})
	})
}
