package client

import (
	"context"
	"fmt"
	"strings"
	"time"

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
	// Missing limits the list to clients without a value in all of these fields of
	// the catalogue; email and phone too (R155).
	Missing []string
	// Metadata is a key=value that the client's metadata must have; an inner
	// object's key is written with its path, as in car.colour=red (R37).
	Metadata string
	// NotUpdatedSince limits it to clients that nobody changed since (R158).
	NotUpdatedSince time.Time
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

// List answers a page of live clients (R89). Errors: FieldErrors for a filter that
// is none, *actor.Refusal.
func (s *Service) List(ctx context.Context, a actor.Actor, q Query) (List, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return List{}, err
	}
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	where, args, err := q.where()
	if err != nil {
		return List{}, err
	}
	var list List
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
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

// where is the query as a condition on client c.
func (q Query) where() (string, []any, error) {
	where, args := ` WHERE c.deleted_at IS NULL AND (c.kind = 'anonymous') = $1`, []any{q.Visitors}
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where += ` AND ` + condition
	}
	if search := SearchForm(cutTo(q.Search, 200)); search != "" {
		and(`c.id IN (SELECT client_search(?, ?))`, search, digits(search))
	}
	for _, name := range q.Missing {
		f, known := FieldNamed(name)
		switch {
		case known:
			and(`c.`+f.Name+`::text = ?`, f.empty)
		case name == string(Email) || name == string(Phone):
			and(`NOT EXISTS (SELECT 1 FROM client_identifier i WHERE i.client_id = c.id AND i.kind = ?)`, name)
		default:
			return "", nil, FieldErrors{{Field: "missing", Rule: "names no field of a client", WayOut: "use email, phone or a field's name such as city"}}
		}
	}
	if q.Metadata != "" {
		if key, value, ok := strings.Cut(q.Metadata, "="); !ok || key == "" || value == "" {
			return "", nil, FieldErrors{{Field: "metadata", Rule: "is no key with its value", WayOut: "write key=value, such as plan=gold"}}
		}
		and(`c.id IN (SELECT client_with_metadata(?))`, metadataPair(q.Metadata))
	}
	if !q.NotUpdatedSince.IsZero() {
		and(`c.updated_at < ?`, q.NotUpdatedSince)
	}
	return where, args, nil
}

func (l *List) page(ctx context.Context, tx pgx.Tx, q Query, where string, args []any) error {
	if !q.After.CreatedAt.IsZero() {
		where += fmt.Sprintf(` AND (c.created_at, c.id) < ($%d, $%d)`, len(args)+1, len(args)+2)
		args = append(args, q.After.CreatedAt, q.After.ID)
	}
	rows, err := tx.Query(ctx, selectClient()+where+fmt.Sprintf(` ORDER BY c.created_at DESC, c.id DESC LIMIT %d`, q.Limit+1), args...)
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
	return complete(ctx, tx, l.Clients)
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
