package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/match"
	"github.com/clientele-crm/clientele/core/tenant"
)

// maxAttempts is how often a message is tried before it waits for a person.
const maxAttempts = 5

// Process makes of an accepted message what there is to be made, once: the same
// call for a processed message answers the stored result. A message that can't
// be read becomes failed, which is a result and no error; an error means that
// nothing changed and the sweep will try again.
func (s *Service) Process(ctx context.Context, id actor.TenantID, accepted uuid.UUID) (Result, error) {
	t, err := s.Tenants.Get(ctx, id)
	if err != nil {
		return Result{}, err
	}
	a := actor.ForSystem(id, "intake")
	var result Result
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		result = Result{AcceptedID: accepted, State: "done"}
		row, err := lockAccepted(ctx, tx, accepted)
		if err != nil {
			return err
		}
		if row.State != "waiting" {
			return row.stored(&result)
		}
		p := processing{service: s, tx: tx, actor: a, tenant: t, now: s.Now(), accepted: accepted, result: &result}
		if err := p.run(ctx, row); err != nil {
			return err
		}
		return p.finish(ctx)
	})
	if err == nil {
		return result, nil
	}
	if notThere, ok := errors.AsType[*NotAcceptedError](err); ok {
		return Result{}, notThere
	}
	return s.failed(ctx, a, accepted, err)
}

// failed notes a failure in a transaction of its own, the other one being gone.
func (s *Service) failed(ctx context.Context, a actor.Actor, accepted uuid.UUID, cause error) (Result, error) {
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("process message %s: %w", accepted, cause)
	}
	result := Result{AcceptedID: accepted, Error: cause.Error()}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `UPDATE accepted_message SET attempts = attempts + 1, error = $2,
  state = CASE WHEN $3 OR attempts + 1 >= $4 THEN 'failed' ELSE 'waiting' END WHERE id = $1 AND state = 'waiting' RETURNING state`,
			accepted, cleanText(cut(cause.Error(), maxShort)), isUnreadable(cause), maxAttempts).Scan(&result.State)
	})
	if err != nil {
		return Result{}, fmt.Errorf("process message %s: %w", accepted, errors.Join(cause, err))
	}
	return result, nil
}

type acceptedRow struct {
	Raw        []byte
	ReceivedAt time.Time
	State      string
	Error      string
	Result     []byte
}

func lockAccepted(ctx context.Context, tx pgx.Tx, id uuid.UUID) (acceptedRow, error) {
	rows, err := tx.Query(ctx, `SELECT raw, received_at, state, error, result FROM accepted_message WHERE id = $1 FOR UPDATE`, id)
	if err != nil {
		return acceptedRow{}, fmt.Errorf("read accepted message: %w", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[acceptedRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, &NotAcceptedError{ID: id}
	}
	return row, err
}

func (r acceptedRow) stored(into *Result) error {
	if r.State == "failed" {
		into.State, into.Error = "failed", r.Error
		return nil
	}
	if err := json.Unmarshal(r.Result, into); err != nil {
		return fmt.Errorf("stored result: %w", err)
	}
	// A redelivery creates and changes nothing.
	into.ClientCreated, into.ClientUpdated, into.NewLink = false, false, false
	return nil
}

// processing is the one transaction of one message.
type processing struct {
	service  *Service
	tx       pgx.Tx
	actor    actor.Actor
	tenant   tenant.Tenant
	now      time.Time
	accepted uuid.UUID
	result   *Result

	reading      reading
	found        extract.Result
	facts        match.Facts
	candidates   []match.Candidate
	conversation *conversation.Conversation
	unit         *client.Unit
}

func (p *processing) run(ctx context.Context, row acceptedRow) error {
	var err error
	if p.reading, err = read(row.Raw, p.accepted, row.ReceivedAt, p.tenant); err != nil {
		return err
	}
	r := &p.reading
	p.found = extract.Run(r.extract, p.tenant.ExtractSettings())
	r.stored.OwnWords = cleanText(p.found.OwnWords)
	r.stored.Party = p.found.Sender.Email + p.found.Sender.Phone
	p.facts = facts(*r, p.found, p.tenant.Settings.MayCreate(r.place.Channel))
	if err := p.lock(ctx); err != nil {
		return err
	}
	p.unit = client.Begin(p.tx, p.actor, p.now, p.service.Clients, "intake").Telling(p.service.Outbound)
	if p.conversation, err = conversation.Resolve(ctx, p.tx, p.actor.Tenant, r.place, p.now); err != nil {
		return err
	}
	r.stored.ConversationID = p.conversation.ID
	if err := conversation.Append(ctx, p.tx, p.actor.Tenant, p.conversation, r.stored, r.place.Idle, p.now); err != nil {
		return err
	}
	if p.service.Outbound != nil && r.stored.Direction == "outbound" {
		if err := p.service.Outbound.Answered(ctx, p.tx, p.actor, r.stored); err != nil {
			return err
		}
	}
	p.result.MessageID = valid(r.stored.ID)
	p.result.ConversationID = valid(p.conversation.ID.UUID)
	p.result.Notes = r.notes
	ids := slices.Concat(p.facts.Own, p.facts.Stated)
	if p.candidates, err = client.Candidates(ctx, p.tx, ids); err != nil {
		return err
	}
	if p.facts.Suppressed, err = client.Suppressed(ctx, p.tx, p.facts.Own); err != nil {
		return err
	}
	decision := match.Decide(p.facts, p.candidates)
	p.result.Rule, p.result.Reason = string(decision.Rule), decision.Reason
	if err := p.apply(ctx, decision); err != nil {
		return err
	}
	kind := event.Message
	if r.place.Channel == "voice" {
		kind = event.Call
	}
	p.unit.LogConversation(nil, p.conversation.ID.UUID, kind, r.stored.SentAt, map[string]any{
		"channel": r.place.Channel, "direction": r.stored.Direction, "message": r.stored.ID, "subject": r.stored.Subject,
	})
	return p.record(ctx, decision)
}

// lock makes messages that could touch the same conversation or client wait for
// each other, in one order for all (R12).
func (p *processing) lock(ctx context.Context) error {
	var keys []int64
	add := func(parts ...string) {
		h := fnv.New64a()
		h.Write(p.actor.Tenant.UUID[:])
		for _, part := range parts {
			h.Write([]byte(part))
			h.Write([]byte{0})
		}
		keys = append(keys, int64(h.Sum64()))
	}
	for _, k := range p.reading.place.Keys {
		keys = append(keys, conversation.KeyLock(p.actor.Tenant, p.reading.place.Channel, k))
	}
	for _, id := range slices.Concat(p.facts.Own, p.facts.Stated) {
		normal := id.Normal
		if id.Kind == match.KindPhone {
			normal = slices.Min(match.PhoneVariants(id.Normal))
		}
		add("identifier", id.Kind, normal)
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if _, err := p.tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, k); err != nil {
			return fmt.Errorf("wait for other messages of the same sender: %w", err)
		}
	}
	return nil
}

// record stores the run and what was decided (R125, R199).
func (p *processing) record(ctx context.Context, d match.Decision) error {
	id := uuid.Must(uuid.NewV7())
	_, err := p.tx.Exec(ctx, `INSERT INTO extraction_run (id, tenant_id, message_id, conversation_id, findings, decision, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, p.actor.Tenant, p.reading.stored.ID, p.conversation.ID,
		stored(p.found), map[string]any{
			"decision": d, "own": p.facts.Own, "stated": p.facts.Stated, "candidates": p.candidates,
			"name": []string{p.facts.First, p.facts.Last}, "linked_to": p.result.ClientID,
		}, p.now)
	if err != nil {
		return fmt.Errorf("store extraction run: %w", err)
	}
	return p.askAssistant(ctx, id)
}

// stored is the run as it is kept: JSON that PostgreSQL takes.
func stored(r extract.Result) extract.Result {
	r.OwnWords = "" // kept with the message
	r.Findings = slices.Clone(r.Findings)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Value, f.Normal, f.Sentence, f.First, f.Last = cleanText(f.Value), cleanText(f.Normal), cleanText(f.Sentence), cleanText(f.First), cleanText(f.Last)
	}
	if r.Findings == nil {
		r.Findings = []extract.Finding{}
	}
	return r
}

func (p *processing) finish(ctx context.Context) error {
	if err := p.unit.Flush(ctx); err != nil {
		return err
	}
	if p.reading.ended {
		err := conversation.End(ctx, p.tx, p.actor, p.conversation, p.reading.stored.SentAt, "ended", p.service.Conversations)
		if err != nil {
			return err
		}
	}
	_, err := p.tx.Exec(ctx, `UPDATE accepted_message SET state = 'done', error = '', attempts = attempts + 1, result = $2,
  message_id = $3, processed_at = $4 WHERE id = $1`, p.accepted, p.result, p.reading.stored.ID, p.now)
	if err != nil {
		return fmt.Errorf("note what became of the message: %w", err)
	}
	return nil
}

func valid(id uuid.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: id, Valid: true} }
