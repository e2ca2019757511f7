package client

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

// exactCount is the number up to which totals are counted; above it a list says
// "10,000+" (research/clients.md §2.4).
const exactCount = 10_000

// Query asks for clients, newest first.
type Query struct {
	// Search looks into names (also "last, first"), company, all emails and, with
	// four digits or more, all phones (R108).
	Search string
	// Visitors lists the anonymous ones instead of the others (R11).
	Visitors bool
	// After continues a list; the zero value starts it.
	After Cursor
	// Limit is 1 to 200; 0 means 50.
	Limit int
}

// Cursor is where a list goes on: after this client.
type Cursor struct {
	CreatedAt time.Time
	ID        ID
}

// List is one page.
type List struct {
	Clients []*Client
	// Total counts all that match, at most 10,000; More tells there are more than
	// that.
	Total     int
	TotalMore bool
	// Next continues, when there is something to continue with.
	Next *Cursor
}

// List answers a page of live clients (R89). Errors: *actor.Refusal.
func (s *Service) List(ctx context.Context, a actor.Actor, q Query) (List, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return List{}, err
	}
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	where := ` WHERE c.deleted_at IS NULL AND (c.kind = 'anonymous') = $1`
	args := []any{q.Visitors}
	if search := SearchForm(cutTo(q.Search, 200)); search != "" {
		where += ` AND c.id IN (SELECT client_search($2, $3))`
		args = append(args, search, digits(search))
	}
	var list List
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		list = List{}
		err := tx.QueryRow(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM client c%s LIMIT %d) AS counted`, where, exactCount+1), args...).Scan(&list.Total)
		if err != nil {
			return fmt.Errorf("count clients: %w", err)
		}
		if list.Total > exactCount {
			list.Total, list.TotalMore = exactCount, true
		}
		return list.page(ctx, tx, q, where, args)
	})
	return list, err
}

func (l *List) page(ctx context.Context, tx pgx.Tx, q Query, where string, args []any) error {
	if !q.After.CreatedAt.IsZero() {
		where += fmt.Sprintf(` AND (c.created_at, c.id) < ($%d, $%d)`, len(args)+1, len(args)+2)
		args = append(args, q.After.CreatedAt, q.After.ID)
	}
	rows, err := tx.Query(ctx, selectClient+where+fmt.Sprintf(` ORDER BY c.created_at DESC, c.id DESC LIMIT %d`, q.Limit+1), args...)
	if err != nil {
		return fmt.Errorf("list clients: %w", err)
	}
	l.Clients, err = pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Client])
	if err != nil {
		return fmt.Errorf("list clients: %w", err)
	}
	if len(l.Clients) > q.Limit {
		l.Clients = l.Clients[:q.Limit]
		last := l.Clients[q.Limit-1]
		l.Next = &Cursor{CreatedAt: last.CreatedAt, ID: last.ID}
	}
	return loadIdentifiers(ctx, tx, l.Clients)
}

// Sources says where each field's value of a client comes from (R147).
func (s *Service) Sources(ctx context.Context, a actor.Actor, id ID) (map[string]Provenance, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	found := map[string]Provenance{}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT field, source, actor, detector, sentence, message_id, cleared, at FROM client_value
 WHERE client_id = (SELECT coalesce(merged_into, id) FROM client WHERE id = $1)`, id)
		if err != nil {
			return fmt.Errorf("read sources: %w", err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Provenance])
		for _, p := range list {
			found[p.Field] = p
		}
		return err
	})
	return found, err
}

// Provenance is where a field's value comes from.
type Provenance struct {
	Field     string        `json:"field"`
	Source    Source        `json:"source"`
	Actor     string        `json:"actor"`
	Detector  string        `json:"detector,omitempty"`
	Sentence  string        `json:"sentence,omitempty"`
	MessageID uuid.NullUUID `json:"message_id"`
	Cleared   bool          `json:"cleared"`
	At        time.Time     `json:"at"`
}

func digits(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' }) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func trimmed(s string) string { return strings.TrimSpace(s) }

func cutTo(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
