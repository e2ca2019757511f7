package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/tenant"
)

// AdviceState says how far a second opinion came.
type AdviceState string

// The states. All but AdviceGiven change nothing.
const (
	AdviceAsked   AdviceState = "asked"   // the job waits, or its host died over it
	AdviceGiven   AdviceState = "given"   // an answer was read and applied
	AdviceFailed  AdviceState = "failed"  // slow, broken, lying or absent: see Error
	AdviceSkipped AdviceState = "skipped" // not asked after all: see Error
)

// Advice is what a second opinion came to; it is stored with the run and shown
// beside the link's story (R125, R199).
type Advice struct {
	State AdviceState `json:"state"`
	Model string      `json:"model,omitempty"`
	// Error says why the state is failed or skipped.
	Error        string           `json:"error,omitempty"`
	Milliseconds int64            `json:"milliseconds,omitempty"`
	At           time.Time        `json:"at"`
	Rulings      []extract.Ruling `json:"rulings,omitempty"`
}

// Consult asks a tenant's AI endpoint. A *NoOpinionError is an outcome, which is
// noted; every other error is ours.
type Consult func(ctx context.Context, t tenant.Tenant, q extract.Inquiry) (extract.Opinion, error)

// NoOpinionError says why there is no opinion: state failed or skipped, and a
// sentence without anybody's data.
type NoOpinionError struct {
	State  AdviceState
	Reason string
}

// Error is the reason.
func (e *NoOpinionError) Error() string { return e.Reason }

// askAssistant hands the run to the tenant's AI endpoint when it has one and
// there is something to ask.
func (p *processing) askAssistant(ctx context.Context, run uuid.UUID) error {
	ours := p.reading.stored.Direction == "outbound" && p.reading.place.Channel != "voice"
	if p.service.AskAssistant == nil || p.tenant.Settings.Endpoint == nil || ours ||
		extract.Inquire(p.found, p.tenant.ExtractSettings()).Empty() {
		return nil
	}
	if err := writeAdvice(ctx, p.tx, run, Advice{State: AdviceAsked, Model: p.tenant.Settings.Endpoint.Model, At: p.now}); err != nil {
		return err
	}
	return p.service.AskAssistant(ctx, p.tx, p.actor.Tenant, run)
}

// Advise asks about a stored run and applies the answer, once; a run that has its
// advice, or is gone, is left alone. Nothing is locked while the endpoint is
// asked. An error is ours: what is wrong with the endpoint is noted with the run.
func (s *Service) Advise(ctx context.Context, id actor.TenantID, run uuid.UUID, consult Consult) error {
	t, err := s.Tenants.Get(ctx, id)
	if err != nil {
		return err
	}
	a := actor.ForSystem(id, "assistant")
	var asked *advised
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		asked, err = readAdvised(ctx, tx, run)
		return err
	})
	if err != nil || asked == nil {
		return err
	}
	advice, err := s.advice(ctx, t, asked, consult)
	if err != nil {
		return fmt.Errorf("consult on run %s: %w", run, err)
	}
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		return s.applyAdvice(ctx, tx, a, run, advice)
	})
}

// advice asks, unless there is a reason not to, and weighs the answer.
func (s *Service) advice(ctx context.Context, t tenant.Tenant, asked *advised, consult Consult) (Advice, error) {
	started := s.Now()
	advice := Advice{State: AdviceSkipped, At: started}
	if t.Settings.Endpoint == nil {
		advice.Error = "the endpoint was taken out of the settings"
		return advice, nil
	}
	advice.Model = t.Settings.Endpoint.Model
	if asked.Sensitive {
		advice.Error = "the client is sensitive: its words stay here"
		return advice, nil
	}
	inquiry := extract.Inquire(asked.result, t.ExtractSettings())
	opinion, err := consult(ctx, t, inquiry)
	advice.Milliseconds = s.Now().Sub(started).Milliseconds()
	if none, ok := errors.AsType[*NoOpinionError](err); ok && ctx.Err() == nil {
		advice.State, advice.Error = none.State, cut(cleanText(none.Reason), maxShort)
		return advice, nil
	}
	if err != nil {
		return advice, err
	}
	advice.State, advice.Rulings = AdviceGiven, extract.Weigh(asked.result, t.ExtractSettings(), inquiry, opinion)
	return advice, nil
}

// advised is a run that is asked about.
type advised struct {
	MessageID      uuid.UUID
	ConversationID uuid.UUID
	ClientID       uuid.NullUUID
	Sensitive      bool
	Findings       []byte
	OwnWords       string

	result extract.Result
}

const selectAdvised = `SELECT r.message_id, r.conversation_id, c.client_id, coalesce(p.sensitive, false) AS sensitive, r.findings, m.own_words
  FROM extraction_run r JOIN conversation c ON c.id = r.conversation_id JOIN message m ON m.id = r.message_id
  LEFT JOIN client p ON p.id = c.client_id
 WHERE r.id = $1 AND r.advice->>'state' = 'asked'`

// readAdvised answers nil for a run that waits for no advice.
func readAdvised(ctx context.Context, tx pgx.Tx, run uuid.UUID) (*advised, error) {
	rows, err := tx.Query(ctx, selectAdvised, run)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", run, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[advised])
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if err := json.Unmarshal(found[0].Findings, &found[0].result); err != nil {
		return nil, fmt.Errorf("read the findings of run %s: %w", run, err)
	}
	found[0].result.OwnWords = found[0].OwnWords
	return found[0], nil
}

// applyAdvice brings the rulings to the client: a raised value fills what is
// empty, a vetoed suggestion is closed, a proposed value becomes a suggestion.
// The run's row is locked, so that two jobs apply it once.
func (s *Service) applyAdvice(ctx context.Context, tx pgx.Tx, a actor.Actor, run uuid.UUID, advice Advice) error {
	if _, err := tx.Exec(ctx, `SELECT 1 FROM extraction_run WHERE id = $1 FOR UPDATE`, run); err != nil {
		return fmt.Errorf("lock run %s: %w", run, err)
	}
	now, err := readAdvised(ctx, tx, run)
	if err != nil || now == nil {
		return err
	}
	if now.ClientID.Valid && !now.Sensitive {
		unit := client.Begin(tx, a, s.Now(), s.Clients, "assistant")
		c, err := unit.Client(ctx, client.ID{UUID: now.ClientID.UUID})
		if err != nil {
			return err
		}
		for _, r := range advice.Rulings {
			if err := applyRuling(ctx, unit, c, now, r); err != nil {
				return err
			}
		}
		if err := unit.Flush(ctx); err != nil {
			return err
		}
	}
	return writeAdvice(ctx, tx, run, advice)
}

func applyRuling(ctx context.Context, unit *client.Unit, c *client.Client, run *advised, r extract.Ruling) error {
	values := fillings(r.Finding, run.MessageID)
	switch r.Outcome {
	case extract.OutcomeRaised:
		if c.Kind == client.SharedMailbox {
			return nil // what is said from a shared mailbox stays a suggestion
		}
		for _, v := range values {
			if err := unit.CloseSuggestion(ctx, run.MessageID, v.Field, v.Text, "accepted"); err != nil {
				return err
			}
		}
		return unit.Fill(ctx, c, values)
	case extract.OutcomeVetoed:
		if f := r.Finding; len(values) == 0 {
			return unit.CloseSuggestion(ctx, run.MessageID, string(f.Field), f.Normal, "dismissed")
		}
		for _, v := range values {
			if err := unit.CloseSuggestion(ctx, run.MessageID, v.Field, v.Text, "dismissed"); err != nil {
				return err
			}
		}
	case extract.OutcomeProposed:
		for _, v := range values {
			err := unit.Suggest(ctx, client.Suggestion{
				Kind: client.SuggestValue, Client: valid(c.ID.UUID), Conversation: valid(run.ConversationID), Message: valid(run.MessageID),
				Field: v.Field, Value: cut(v.Text, maxShort), Reason: "proposed by the AI endpoint", Sentence: cleanText(r.Finding.Sentence),
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func writeAdvice(ctx context.Context, tx pgx.Tx, run uuid.UUID, advice Advice) error {
	if _, err := tx.Exec(ctx, `UPDATE extraction_run SET advice = $2 WHERE id = $1`, run, advice); err != nil {
		return fmt.Errorf("store the advice on run %s: %w", run, err)
	}
	return nil
}
