package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
)

// MaxNote is the most characters of a note.
const MaxNote = 20_000

// Note is one dated entry of an author (R36).
type Note struct {
	ID        uuid.UUID `json:"id"`
	Author    string    `json:"author"`
	AuthorID  string    `json:"author_id"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// NoteNotFoundError is a note that isn't there, or isn't this client's.
type NoteNotFoundError struct{ ID uuid.UUID }

// Error names the note.
func (e *NoteNotFoundError) Error() string {
	return "note " + e.ID.String() + " does not exist on this client"
}

// Notes answers a client's notes, newest first, at most 1,000. Errors:
// *NotFoundError, *actor.Refusal.
func (s *Service) Notes(ctx context.Context, a actor.Actor, id ID) ([]Note, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	var notes []Note
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		c, err := s.read(ctx, tx, a, id)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, selectNote+` WHERE client_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 1000`, c.ID)
		if err != nil {
			return fmt.Errorf("read notes: %w", err)
		}
		notes, err = pgx.CollectRows(rows, pgx.RowToStructByName[Note])
		return err
	})
	return notes, err
}

// AddNote writes a note. It is no new revision of the client: a note never makes
// somebody's open edit stale. Errors: *NotFoundError, FieldErrors, *StateError,
// *actor.Refusal.
func (s *Service) AddNote(ctx context.Context, a actor.Actor, id ID, text string) (note *Note, err error) {
	clean, err := cleanNote(text)
	if err != nil {
		return nil, FieldErrors(nil).add(err)
	}
	_, err = s.changeClient(ctx, a, id, "note", func(ctx context.Context, u *Unit, c *Client) (err error) {
		note, err = u.addNote(ctx, c, clean)
		return err
	})
	return note, err
}

// EditNote changes a note's text. Errors: AddNote's and *NoteNotFoundError.
func (s *Service) EditNote(ctx context.Context, a actor.Actor, id ID, noteID uuid.UUID, text string) (note *Note, err error) {
	clean, err := cleanNote(text)
	if err != nil {
		return nil, FieldErrors(nil).add(err)
	}
	_, err = s.changeClient(ctx, a, id, "note", func(ctx context.Context, u *Unit, c *Client) (err error) {
		if note, err = u.note(ctx, c, noteID); err != nil || note.Text == clean {
			return err
		}
		if _, err := u.tx.Exec(ctx, `UPDATE client_note SET text = $2, updated_at = $3 WHERE id = $1`, noteID, clean, u.now); err != nil {
			return fmt.Errorf("edit note: %w", err)
		}
		u.Log(c, event.NoteEdited, map[string]any{"note": noteID, "before": note.Text, "after": clean})
		note.Text, note.UpdatedAt = clean, u.now
		return nil
	})
	return note, err
}

// DeleteNote takes a note away; its text stays in the timeline. Errors:
// EditNote's.
func (s *Service) DeleteNote(ctx context.Context, a actor.Actor, id ID, noteID uuid.UUID) error {
	_, err := s.changeClient(ctx, a, id, "note", func(ctx context.Context, u *Unit, c *Client) error {
		note, err := u.note(ctx, c, noteID)
		if err != nil {
			return err
		}
		if _, err := u.tx.Exec(ctx, `UPDATE client_note SET deleted_at = $2 WHERE id = $1`, noteID, u.now); err != nil {
			return fmt.Errorf("delete note: %w", err)
		}
		u.Log(c, event.NoteDeleted, map[string]any{"note": noteID, "text": note.Text})
		return nil
	})
	return err
}

func (u *Unit) addNote(ctx context.Context, c *Client, text string) (*Note, error) {
	n := &Note{ID: uuid.Must(uuid.NewV7()), Author: u.actor.Name, AuthorID: u.actor.ID, Text: text, CreatedAt: u.now, UpdatedAt: u.now}
	_, err := u.tx.Exec(ctx, `INSERT INTO client_note (id, tenant_id, client_id, author, author_id, text, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`, n.ID, u.actor.Tenant, c.ID, n.Author, n.AuthorID, n.Text, n.CreatedAt)
	if err != nil {
		return nil, fmt.Errorf("add note: %w", err)
	}
	u.Log(c, event.NoteAdded, map[string]any{"note": n.ID, "text": text})
	return n, nil
}

func (u *Unit) note(ctx context.Context, c *Client, id uuid.UUID) (*Note, error) {
	rows, err := u.tx.Query(ctx, selectNote+` WHERE id = $1 AND client_id = $2 AND deleted_at IS NULL FOR UPDATE`, id, c.ID)
	if err != nil {
		return nil, fmt.Errorf("read note: %w", err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Note])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &NoteNotFoundError{ID: id}
	}
	if err != nil {
		return nil, fmt.Errorf("read note: %w", err)
	}
	return n, nil
}

func cleanNote(text string) (string, error) {
	text = strings.ReplaceAll(strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD")), "\x00", "")
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "", &FieldError{Field: "note", Rule: "is empty", WayOut: "write something"}
	case n > MaxNote:
		return "", &FieldError{Field: "note", Rule: fmt.Sprintf("is %d characters long, at most %d are kept", n, MaxNote), WayOut: "split it into several notes"}
	}
	return text, nil
}

const selectNote = `SELECT id, author, author_id, text, created_at, updated_at FROM client_note`
