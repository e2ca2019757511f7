package assist

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
)

// Queue is the jobs' own queue: endpoints that hang hold up nobody else's work.
const Queue = "assistant"

// Args is the job that asks about one run. It may run twice: the second finds the
// advice there.
type Args struct {
	TenantID string `json:"tenant_id"`
	RunID    string `json:"run_id"`
}

// Kind names the job.
func (Args) Kind() string { return "assistant" }

// InsertOpts: only a failure of ours is tried again; an endpoint's is an outcome.
func (Args) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue, MaxAttempts: 3} }

// Enqueue is intake's AskAssistant: it puts the job into the message's
// transaction.
func Enqueue(d *db.DB) func(ctx context.Context, tx pgx.Tx, t actor.TenantID, run uuid.UUID) error {
	return func(ctx context.Context, tx pgx.Tx, t actor.TenantID, run uuid.UUID) error {
		return d.InsertJob(ctx, tx, Args{TenantID: t.String(), RunID: run.String()}, nil)
	}
}

// Worker does the jobs.
type Worker struct {
	river.WorkerDefaults[Args]
	Intake *intake.Service
	Desk   *Desk
	Client *Client
}

// Timeout is longer than an endpoint may take.
func (w *Worker) Timeout(*river.Job[Args]) time.Duration { return 90 * time.Second }

// Work asks, and applies the answer.
func (w *Worker) Work(ctx context.Context, job *river.Job[Args]) error {
	t, err := actor.ParseTenant(job.Args.TenantID)
	if err != nil {
		return fmt.Errorf("assistant job: %w", err)
	}
	run, err := uuid.Parse(job.Args.RunID)
	if err != nil {
		return fmt.Errorf("assistant job: run: %w", err)
	}
	return w.Intake.Advise(ctx, t, run, w.consult)
}

// consult implements intake.Consult: within the budget, with the tenant's key.
func (w *Worker) consult(ctx context.Context, t tenant.Tenant, q extract.Inquiry) (extract.Opinion, error) {
	key, ok, err := w.Desk.spend(ctx, t)
	switch {
	case err != nil:
		return extract.Opinion{}, err
	case !ok:
		return extract.Opinion{}, &intake.NoOpinionError{State: intake.AdviceSkipped, Reason: fmt.Sprintf("today's budget of %d calls is spent", t.Settings.Endpoint.Budget())}
	}
	opinion, err := w.Client.Ask(ctx, *t.Settings.Endpoint, key, q)
	if err != nil {
		return opinion, &intake.NoOpinionError{State: intake.AdviceFailed, Reason: err.Error()}
	}
	return opinion, nil
}
