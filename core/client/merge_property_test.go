package client_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
)

// Two tenants live the same life: random records, edits, notes, conversations,
// deletions, merges for good. In one of them records are also merged and split
// again, over and over and inside each other. In the end both tenants must hold
// the same: an undone merge leaves no trace but in the timeline. After every step
// no row may point to a retired client and no identifier may have two owners.
func TestUndoneMergesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rapid.Check(t, func(r *rapid.T) {
		l := &lives{t: r, w: w, clock: noon}
		l.clients = &client.Service{DB: w.db, Now: func() time.Time { return l.clock }, Region: w.clients.Region}
		l.sides = [2]actor.Actor{w.newTenant(), w.newTenant()}
		for side, a := range l.sides {
			l.crm[side] = uuid.Must(uuid.NewV7())
			l.exec(side, `INSERT INTO connection (id, tenant_id, adapter, name, created_at) VALUES ($1, $2, 'x', 'crm', now())`, l.crm[side], a.Tenant)
		}
		for range rapid.IntRange(2, 4).Draw(r, "records") {
			l.create()
		}
		l.live(r, 0)
		l.compare("in the end")
	})
}

// The two tenants: merges that are undone happen on the first side only.
const (
	merging = iota
	plain
)

// record is one client on both sides. While it is merged on the merging side, into
// is the record it went into.
type record struct {
	ids     [2]client.ID
	emails  map[string]bool // its own, with whether they were written from while merged
	notes   [][2]uuid.UUID
	into    *record
	deleted bool
	busy    int // merges at work that it is part of
}

// holder is the record that stands for r on the merging side.
func (r *record) holder() *record {
	for r.into != nil {
		r = r.into
	}
	return r
}

type helper interface {
	Helper()
	Fatalf(format string, args ...any)
}

type lives struct {
	t       helper
	w       *world
	clients *client.Service
	sides   [2]actor.Actor
	crm     [2]uuid.UUID
	clock   time.Time
	records []*record
	counter int
}

// live draws some steps; depth counts the merges around it.
func (l *lives) live(r *rapid.T, depth int) {
	for range rapid.IntRange(1, 5).Draw(r, "steps") {
		l.clock = l.clock.Add(time.Second)
		one := l.pick(r, func(x *record) bool { return x.into == nil && !x.deleted })
		if one == nil {
			l.create()
			continue
		}
		switch step := rapid.SampledFrom([]string{
			"create", "edit", "edit", "note", "edit note", "email", "primary", "drop", "talk", "talk", "tags", "suggest",
			"delete", "restore", "blink", "share", "merge", "undone", "undone", "undone",
		}).Draw(r, "step"); step {
		case "create":
			l.create()
		case "edit":
			field := rapid.SampledFrom([]string{"company", "city", "zip", "metadata"}).Draw(r, "field")
			l.edit(one, client.Edit{Fields: map[string]string{field: l.value(r, field, depth)}})
		case "tags":
			l.tag(r, one)
		case "note":
			l.note(one)
		case "edit note":
			l.editNote(r)
		case "email":
			l.addEmail(one)
		case "primary":
			l.makePrimary(r)
		case "drop":
			l.drop(r, depth)
		case "talk":
			l.talk(r, depth)
		case "suggest":
			l.suggest(one)
		case "delete", "restore", "blink":
			l.deleteOrRestore(r, step, one)
		case "share":
			if depth == 0 {
				l.share(r)
			}
		case "merge":
			l.mergeForGood(r)
		case "undone":
			if depth < 3 {
				l.mergeForNow(r, depth)
			}
		}
		l.check()
	}
}

func (l *lives) create() {
	l.counter++
	l.clock = l.clock.Add(time.Second)
	n := &record{emails: map[string]bool{}}
	email := fmt.Sprintf("e%d@x.com", l.counter)
	for side, a := range l.sides {
		e := client.Edit{Fields: map[string]string{"first_name": "Ann"}}
		if l.counter%3 != 0 {
			e.Email = &email
			n.emails[email] = false
		}
		c, err := l.clients.Create(context.Background(), a, e)
		l.must(err)
		n.ids[side] = c.ID
		if l.counter%2 == 0 {
			l.exec(side, `INSERT INTO crm_link (tenant_id, connection_id, kind, source_id, object, crm_id, linked_at) VALUES ($1, $2, 'client', $3, 'Contact', $4, now())`,
				a.Tenant, l.crm[side], c.ID, email)
			l.exec(side, `INSERT INTO sync_item (tenant_id, connection_id, kind, source_id, desired_revision, lane, state) VALUES ($1, $2, 'client', $3, 1, 'update', 'synced')`,
				a.Tenant, l.crm[side], c.ID)
		}
	}
	l.records = append(l.records, n)
	if l.counter%4 == 1 { // some have a newer address that they prefer to the first
		newer := l.addEmail(n)
		l.prefer(n, newer)
	}
}

// id is where a record's own things are on a side.
func (n *record) id(side int) client.ID {
	if side == merging {
		return n.holder().ids[side]
	}
	return n.ids[side]
}

func (l *lives) edit(one *record, e client.Edit) {
	for side, a := range l.sides {
		_, err := l.clients.Update(context.Background(), a, one.id(side), e)
		l.must(err)
	}
}

// value is one that nobody had; outside of merges a field is emptied at times.
func (l *lives) value(r *rapid.T, field string, depth int) string {
	l.counter++
	empty := depth == 0 && rapid.IntRange(0, 4).Draw(r, "empty") == 0
	switch {
	case field == "metadata" && empty:
		return "{}"
	case field == "metadata":
		return fmt.Sprintf(`{"v%d": {"n":%d}, "same": 1}`, l.counter, l.counter)
	case empty:
		return ""
	default:
		return fmt.Sprint("v", l.counter)
	}
}

// tag adds a tag to what each side has.
func (l *lives) tag(r *rapid.T, one *record) {
	tag := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "tag") + fmt.Sprint(len(l.records)+l.counter)
	l.counter++
	for side, a := range l.sides {
		c, err := l.clients.Get(context.Background(), a, one.id(side))
		l.must(err)
		tags := append(c.Tags, tag)
		_, err = l.clients.Update(context.Background(), a, one.id(side), client.Edit{Tags: &tags})
		l.must(err)
	}
}

func (l *lives) note(one *record) {
	l.counter++
	var ids [2]uuid.UUID
	for side, a := range l.sides {
		n, err := l.clients.AddNote(context.Background(), a, one.id(side), fmt.Sprint("note ", l.counter))
		l.must(err)
		ids[side] = n.ID
	}
	one.notes = append(one.notes, ids)
}

func (l *lives) editNote(r *rapid.T) {
	of := l.pick(r, func(x *record) bool { return len(x.notes) > 0 && !x.holder().deleted && !x.deleted })
	if of == nil {
		return
	}
	l.counter++
	note := rapid.SampledFrom(of.notes).Draw(r, "note")
	for side, a := range l.sides {
		_, err := l.clients.EditNote(context.Background(), a, of.id(side), note[side], fmt.Sprint("edited ", l.counter))
		l.must(err)
	}
}

func (l *lives) addEmail(one *record) string {
	l.counter++
	email := fmt.Sprintf("e%d@x.com", l.counter)
	for side, a := range l.sides {
		_, err := l.clients.AddIdentifier(context.Background(), a, one.id(side), client.NewIdentifier{Kind: client.Email, Value: email})
		l.must(err)
	}
	one.emails[email] = false
	return email
}

func (l *lives) email(r *rapid.T, of *record, may func(talked bool) bool) string {
	var all []string
	for i := range l.counter + 1 {
		email := fmt.Sprintf("e%d@x.com", i)
		if talked, ok := of.emails[email]; ok && may(talked) {
			all = append(all, email)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return rapid.SampledFrom(all).Draw(r, "email")
}

// drop takes an identifier away from whoever has it now.
func (l *lives) drop(r *rapid.T, depth int) {
	of := l.pick(r, func(x *record) bool { return !x.holder().deleted && !x.deleted })
	if of == nil {
		return
	}
	email := l.email(r, of, func(talked bool) bool { return !talked || depth == 0 })
	if email == "" {
		return
	}
	for side, a := range l.sides {
		c, err := l.clients.Get(context.Background(), a, of.id(side))
		l.must(err)
		for _, i := range c.Identifiers {
			if i.Value == email {
				_, err := l.clients.DropIdentifier(context.Background(), a, c.ID, i.ID)
				l.must(err)
			}
		}
	}
	delete(of.emails, email)
}

// makePrimary changes the primary address of a record that no merge holds: while
// two are merged, whose primary it was would be a matter of taste.
func (l *lives) makePrimary(r *rapid.T) {
	of := l.pick(r, func(x *record) bool { return x.busy == 0 && !x.deleted && len(x.emails) > 1 })
	if of == nil {
		return
	}
	l.prefer(of, l.email(r, of, func(bool) bool { return true }))
}

// prefer makes an address of a record its primary one.
func (l *lives) prefer(of *record, email string) {
	for side, a := range l.sides {
		c, err := l.clients.Get(context.Background(), a, of.id(side))
		l.must(err)
		for _, i := range c.Identifiers {
			if i.Value == email {
				_, err := l.clients.ChangeIdentifier(context.Background(), a, c.ID, i.ID, client.IdentifierChange{Primary: true})
				l.must(err)
			}
		}
	}
}

func (l *lives) talk(r *rapid.T, depth int) {
	of := l.pick(r, func(x *record) bool { return !x.holder().deleted && !x.deleted && len(x.emails) > 0 })
	if of == nil {
		return
	}
	email := l.email(r, of, func(bool) bool { return true })
	for side, a := range l.sides {
		l.w.talkIn(a, of.id(side), "email", email, l.clock)
	}
	of.emails[email] = of.emails[email] || depth > 0
}

func (l *lives) suggest(one *record) {
	l.counter++
	for side, a := range l.sides {
		l.w.sqlIn(a, func(ctx context.Context, tx pgx.Tx) error {
			return client.Begin(tx, a, l.clock, nil, "test").Suggest(ctx, client.Suggestion{
				Kind: client.SuggestValue, Client: uuid.NullUUID{UUID: one.id(side).UUID, Valid: true}, Field: "city", Value: fmt.Sprint("v", l.counter), Reason: "test",
			})
		})
	}
}

// deleteOrRestore: blink does both; a record in a merge at work only blinks.
func (l *lives) deleteOrRestore(r *rapid.T, step string, one *record) {
	if step == "restore" {
		if one = l.pick(r, func(x *record) bool { return x.deleted }); one == nil {
			return
		}
	} else if one.busy > 0 {
		step = "blink"
	}
	for side, a := range l.sides {
		if step != "restore" {
			l.must(l.clients.Delete(context.Background(), a, one.id(side), client.Spam))
		}
		if step != "delete" {
			_, err := l.clients.Restore(context.Background(), a, one.id(side), false)
			l.must(err)
		}
	}
	one.deleted = step == "delete"
}

// share gives a record's email to another too. Neither side's owner is certain
// from then on, so nobody writes from it.
func (l *lives) share(r *rapid.T) {
	a := l.pick(r, func(x *record) bool { return x.into == nil && !x.deleted && len(x.emails) > 0 })
	b := l.pick(r, func(x *record) bool { return x.into == nil && !x.deleted && x != a })
	if a == nil || b == nil {
		return
	}
	email := l.email(r, a, func(bool) bool { return true })
	for side, who := range l.sides {
		_, err := l.clients.AddIdentifier(context.Background(), who, b.id(side), client.NewIdentifier{Kind: client.Email, Value: email, Share: true})
		l.must(err)
	}
	delete(a.emails, email)
}

func (l *lives) pair(r *rapid.T) (into, from *record) {
	free := func(x *record) bool { return x.into == nil && !x.deleted }
	into = l.pick(r, free)
	from = l.pick(r, func(x *record) bool { return free(x) && x != into })
	return into, from
}

// mergeForGood merges on both sides two records that no other merge holds.
func (l *lives) mergeForGood(r *rapid.T) {
	into, from := l.pair(r)
	if from == nil || into.busy+from.busy > 0 {
		return
	}
	for side, a := range l.sides {
		_, err := l.clients.Merge(context.Background(), a, client.MergeRequest{Survivor: into.ids[side], Others: []client.ID{from.ids[side]}})
		l.must(err)
	}
	for email, talked := range from.emails {
		into.emails[email] = talked
	}
	into.notes = append(into.notes, from.notes...)
	for i, x := range l.records {
		if x == from {
			l.records = append(l.records[:i:i], l.records[i+1:]...)
			break
		}
	}
}

// mergeForNow merges on one side, lives on, and takes it back.
func (l *lives) mergeForNow(r *rapid.T, depth int) {
	into, from := l.pair(r)
	if from == nil {
		return
	}
	a := l.sides[merging]
	m, err := l.clients.Merge(context.Background(), a, client.MergeRequest{Survivor: into.ids[merging], Others: []client.ID{from.ids[merging]}})
	l.must(err)
	from.into = into
	into.busy++
	from.busy++
	l.check()
	l.live(r, depth+1)
	l.clock = l.clock.Add(time.Second)
	_, err = l.clients.UndoMerge(context.Background(), a, m.ID)
	l.must(err)
	from.into = nil
	into.busy--
	from.busy--
	if depth == 0 {
		for _, x := range []*record{into, from} {
			for email := range x.emails {
				x.emails[email] = false
			}
		}
		l.compare("after an undo")
	}
}

func (l *lives) pick(r *rapid.T, fits func(*record) bool) *record {
	var all []int
	for i, x := range l.records {
		if fits(x) {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return l.records[rapid.SampledFrom(all).Draw(r, "record")]
}

// check looks for what must never be, on the merging side.
func (l *lives) check() {
	for what, sql := range map[string]string{
		"a conversation with a retired client": `SELECT count(*) FROM conversation v JOIN client c ON c.id = v.client_id WHERE c.merged_into IS NOT NULL`,
		"a note with a retired client":         `SELECT count(*) FROM client_note n JOIN client c ON c.id = n.client_id WHERE c.merged_into IS NOT NULL`,
		"a CRM record of a retired client":     `SELECT count(*) FROM crm_link l JOIN client c ON c.id = l.client_id WHERE c.merged_into IS NOT NULL`,
		"a retired client that is due":         `SELECT count(*) FROM sync_item i JOIN client c ON c.id = i.client_id WHERE c.merged_into IS NOT NULL AND i.state <> 'excluded'`,
		"an open question about a retired one": `SELECT count(*) FROM suggestion s JOIN client c ON c.id IN (s.client_id, s.other_client_id) WHERE c.merged_into IS NOT NULL AND s.state = 'open'`,
		"a redirect in two steps":              `SELECT count(*) FROM client c JOIN client s ON s.id = c.merged_into WHERE s.merged_into IS NOT NULL`,
		"an active identifier of nobody":       `SELECT count(*) FROM client_identifier i JOIN client c ON c.id = i.client_id WHERE i.active AND c.deleted_at IS NOT NULL`,
		"an identifier with two owners": `SELECT count(*) FROM client_identifier i JOIN client_identifier o ON o.kind = i.kind AND o.normal = i.normal AND o.client_id <> i.client_id
 WHERE i.active AND o.active AND NOT (i.shared AND o.shared)`,
		"emails without a primary": `SELECT count(*) FROM client c WHERE c.deleted_at IS NULL AND EXISTS (SELECT 1 FROM client_identifier i WHERE i.client_id = c.id)
   AND NOT EXISTS (SELECT 1 FROM client_identifier i WHERE i.client_id = c.id AND i.is_primary)`,
	} {
		var n int
		l.w.sqlIn(l.sides[merging], func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, sql).Scan(&n) })
		if n != 0 {
			l.t.Fatalf("%s", what)
		}
	}
}

// compare insists that both sides hold the same.
func (l *lives) compare(when string) {
	l.t.Helper()
	for i, x := range l.records {
		if x.busy > 0 {
			continue
		}
		one, other := l.dump(merging, x), l.dump(plain, x)
		if one != other {
			l.t.Fatalf("%s record %d is\n%s\nwithout the merges it is\n%s", when, i, one, other)
		}
	}
}

// dump is everything of a record, without ids and revisions.
func (l *lives) dump(side int, x *record) string {
	var parts []string
	l.w.sqlIn(l.sides[side], func(ctx context.Context, tx pgx.Tx) error {
		parts = nil
		for _, sql := range []string{
			`SELECT to_jsonb(c) - '{id,tenant_id,revision,updated_at,company_key,metadata}'::text[] || jsonb_build_object('metadata', c.metadata::text) FROM client c WHERE id = $1`,
			`SELECT to_jsonb(i) - '{id,tenant_id,client_id}'::text[] FROM client_identifier i WHERE client_id = $1 ORDER BY value`,
			`SELECT to_jsonb(v) - '{tenant_id,client_id}'::text[] FROM client_value v WHERE client_id = $1 ORDER BY field`,
			`SELECT to_jsonb(n) - '{id,tenant_id,client_id}'::text[] FROM client_note n WHERE client_id = $1 ORDER BY created_at, text`,
			`SELECT to_jsonb(v) - '{id,tenant_id,client_id,revision}'::text[] FROM conversation v WHERE client_id = $1 ORDER BY created_at`,
			`SELECT jsonb_build_object('value', value, 'state', state) FROM suggestion WHERE client_id = $1 ORDER BY value`,
			`SELECT jsonb_build_object('crm', crm_id, 'primary', is_primary) FROM crm_link WHERE client_id = $1 ORDER BY crm_id`,
			`SELECT jsonb_build_object('state', state, 'reason', reason) FROM sync_item WHERE client_id = $1`,
			`SELECT jsonb_build_object('suppressed', normal) FROM suppressed_identifier WHERE client_id = $1 ORDER BY normal`,
		} {
			rows, err := tx.Query(ctx, sql, x.ids[side])
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			parts = append(parts, lines...)
		}
		return nil
	})
	return strings.Join(parts, "\n")
}

func (l *lives) exec(side int, sql string, args ...any) {
	l.w.sqlIn(l.sides[side], func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
}

func (l *lives) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("%v", err)
	}
}
