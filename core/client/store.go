package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/match"
)

// Load reads a client with its identifiers. A merged client's old id leads to
// the survivor (R153).
func Load(ctx context.Context, tx pgx.Tx, id ID) (*Client, error) {
	return load(ctx, tx, id, "")
}

// lock is Load with the row held until the end of the transaction. A merge that
// committed while this waited for the row leads on to the survivor.
func lock(ctx context.Context, tx pgx.Tx, id ID) (*Client, error) {
	for {
		c, err := load(ctx, tx, id, " FOR UPDATE OF c")
		if err != nil || !c.MergedInto.Valid {
			return c, err
		}
		id = ID{c.MergedInto.UUID}
	}
}

// lockItself locks the very client of an id, also a merged one.
func lockItself(ctx context.Context, tx pgx.Tx, id ID) (*Client, error) {
	return one(ctx, tx, id, ` WHERE c.id = $1 FOR UPDATE OF c`)
}

func load(ctx context.Context, tx pgx.Tx, id ID, suffix string) (*Client, error) {
	return one(ctx, tx, id, ` WHERE c.id = (SELECT coalesce(merged_into, id) FROM client WHERE id = $1)`+suffix)
}

func one(ctx context.Context, tx pgx.Tx, id ID, where string) (*Client, error) {
	rows, err := tx.Query(ctx, selectClient()+where, id)
	if err != nil {
		return nil, fmt.Errorf("read client %s: %w", id, err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Client])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &NotFoundError{ID: id}
	}
	if err != nil {
		return nil, fmt.Errorf("read client %s: %w", id, err)
	}
	return c, complete(ctx, tx, []*Client{c})
}

// LoadMany reads clients in the order of ids; ids that don't exist are left out.
func LoadMany(ctx context.Context, tx pgx.Tx, ids []ID) ([]*Client, error) {
	rows, err := tx.Query(ctx, selectClient()+` WHERE c.id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("read %d clients: %w", len(ids), err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Client])
	if err != nil {
		return nil, fmt.Errorf("read %d clients: %w", len(ids), err)
	}
	byID := make(map[ID]*Client, len(found))
	for _, c := range found {
		byID[c.ID] = c
	}
	ordered := make([]*Client, 0, len(found))
	for _, id := range ids {
		if c, ok := byID[id]; ok {
			ordered = append(ordered, c)
		}
	}
	return ordered, complete(ctx, tx, ordered)
}

// complete reads what clients have besides their row: identifiers, and how many
// conversations.
func complete(ctx context.Context, tx pgx.Tx, clients []*Client) error {
	byID := make(map[ID]*Client, len(clients))
	ids := make([]ID, 0, len(clients))
	for _, c := range clients {
		byID[c.ID] = c
		c.Identifiers, c.Conversations = nil, 0
		ids = append(ids, c.ID)
	}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT id, client_id, kind, value, normal, extension, is_primary, source, verified, shared, active, message_id, created_at
  FROM client_identifier WHERE client_id = ANY($1) ORDER BY kind, is_primary DESC, created_at, id`, ids).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Identifier])
		for _, id := range found {
			c := byID[id.ClientID]
			c.Identifiers = append(c.Identifiers, id)
		}
		return err
	})
	batch.Queue(`SELECT client_id, count(*) FROM conversation WHERE client_id = ANY($1) GROUP BY client_id`, ids).Query(func(rows pgx.Rows) error {
		var id ID
		var n int
		_, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error {
			byID[id].Conversations = n
			return nil
		})
		return err
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("read identifiers and conversations: %w", err)
	}
	return nil
}

// Candidates are all clients, deleted ones too, that hold one of the identifiers
// or a national variant of a number: what match.Decide chooses from.
func Candidates(ctx context.Context, tx pgx.Tx, ids []match.Identifier) ([]match.Candidate, error) {
	var kinds, normals []string
	for _, id := range ids {
		variants := []string{id.Normal}
		if id.Kind == match.KindPhone {
			variants = match.PhoneVariants(id.Normal)
		}
		for _, v := range variants {
			kinds, normals = append(kinds, id.Kind), append(normals, v)
		}
	}
	rows, err := tx.Query(ctx, `SELECT c.id, c.kind = 'shared_mailbox',
       c.source = 'chat' AND c.review = 'unreviewed' AND NOT EXISTS (SELECT 1 FROM client_identifier o WHERE o.client_id = c.id AND o.kind <> 'chat'),
       c.first_name, c.last_name, c.sensitive,
       coalesce(c.last_contact_at, c.created_at), c.deleted_reason, i.kind, i.normal, i.extension, i.shared,
       i.source <> 'extraction' OR i.verified
  FROM client_identifier i JOIN client c ON c.tenant_id = i.tenant_id AND c.id = i.client_id
 WHERE (i.kind, i.normal) IN (SELECT * FROM unnest($1::text[], $2::text[]))
   AND c.deleted_reason <> 'merged'
 ORDER BY c.id`, kinds, normals)
	if err != nil {
		return nil, fmt.Errorf("find clients by identifiers: %w", err)
	}
	var found []match.Candidate
	var c match.Candidate
	var h match.Held
	_, err = pgx.ForEachRow(rows, []any{
		&c.ID, &c.Mailbox, &c.Anonymous, &c.First, &c.Last, &c.Sensitive, &c.LastContact, &c.Deleted,
		&h.Kind, &h.Normal, &h.Extension, &h.Shared, &h.Proved,
	}, func() error {
		if len(found) == 0 || found[len(found)-1].ID != c.ID {
			c.Held = nil
			found = append(found, c)
		}
		last := &found[len(found)-1]
		last.Held = append(last.Held, h)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find clients by identifiers: %w", err)
	}
	return found, nil
}

// Suppressed tells whether one of the identifiers belongs to a client deleted as
// spam or invalid (R134).
func Suppressed(ctx context.Context, tx pgx.Tx, ids []match.Identifier) (bool, error) {
	var kinds, normals []string
	for _, id := range ids {
		kinds, normals = append(kinds, id.Kind), append(normals, id.Normal)
	}
	var yes bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM suppressed_identifier
 WHERE (kind, normal) IN (SELECT * FROM unnest($1::text[], $2::text[])))`, kinds, normals).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("look for suppressed identifiers: %w", err)
	}
	return yes, nil
}

// SearchForm is the form in which texts are searched: match.Fold with blanks
// made single.
func SearchForm(s string) string { return strings.Join(strings.Fields(match.Fold(s)), " ") }

// searchText is what the search box looks into: both orders of the name, the
// company and all emails (R108, R176).
func searchText(c *Client) string {
	parts := []string{join(c.FirstName, c.LastName), c.LastName + ", " + c.FirstName, c.Company}
	var emails []string
	for _, id := range c.Identifiers {
		if id.Kind == Email {
			emails = append(emails, id.Value, id.Normal)
		}
	}
	slices.Sort(emails) // the same text whichever came first or is primary
	return SearchForm(strings.Join(append(parts, emails...), "\n"))
}

func save(ctx context.Context, tx pgx.Tx, c *Client) error {
	set := []string{
		"revision = $2", "kind = $3", "company_key = $4", "tags = $5", "review = $6", "search_text = $7", "last_contact_at = $8", "updated_at = $9",
		"preferred_channels = $10", "contact_windows = $11::text::jsonb", "timezone = $12", "never_auto_send = $13", "human_review_required = $14",
		"sensitive = $15", "created_at = $16", "metadata_pairs = $17", "policy_set = $18",
	}
	values := []any{
		c.ID, c.Revision, c.Kind, match.CompanyKey(c.Company), c.Tags, c.Review, searchText(c), c.LastContactAt, c.UpdatedAt,
		c.PreferredChannels, string(c.ContactWindows), c.Timezone, c.NeverAutoSend, c.HumanReviewRequired,
		c.Sensitive, c.CreatedAt, orNone(metadataPairs(c.Metadata)), c.PolicySet,
	}
	for _, f := range Fields() {
		values = append(values, f.Get(c))
		set = append(set, fmt.Sprintf(f.written(), len(values)))
	}
	if _, err := tx.Exec(ctx, `UPDATE client SET `+strings.Join(set, ", ")+` WHERE id = $1`, values...); err != nil {
		return fmt.Errorf("save client %s: %w", c.ID, err)
	}
	return nil
}

// written and selected are the field in an UPDATE, before its parameter's number
// is known, and in a SELECT from c.
func (f Field) written() string {
	if f.json {
		return f.Name + " = $%d::text::json"
	}
	return f.Name + " = $%d"
}

func (f Field) selected() string { return "c." + f.Name + "::text AS " + f.Name }

func insert(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, c *Client) error {
	_, err := tx.Exec(ctx, `INSERT INTO client (id, tenant_id, kind, source, origin, review, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`, c.ID, tenant, c.Kind, c.Source, c.Origin, c.Review, c.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert client: %w", err)
	}
	return nil
}

// selectClient reads whole clients; what follows it begins with WHERE.
func selectClient() string {
	columns := `SELECT c.id, c.revision, c.kind, c.company_key, c.preferred_channels, c.contact_windows, c.timezone, c.never_auto_send,
  c.human_review_required, c.sensitive, c.policy_set, c.tags, c.source, c.origin, c.review, c.last_contact_at, c.created_at, c.updated_at,
  c.deleted_at, c.deleted_reason, c.merged_into`
	for _, f := range Fields() {
		columns += ", " + f.selected()
	}
	return columns + ` FROM client c`
}
