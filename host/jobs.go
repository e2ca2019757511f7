package host

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/host/channel/assist"
	"github.com/clientele-crm/clientele/host/crmsync"
)

// The pace of periodic work, and how much of it one round does.
const (
	sweepEvery  = 10 * time.Second
	sweepMost   = 500
	processMost = 200
	// patience is how long an accepted message may be in its own host's hands
	// before the sweep takes it up.
	patience    = 30 * time.Second
	stopTimeout = 10 * time.Second
	// tidyEvery is the pace of what nobody waits for; scanMost clients are compared
	// in one transaction, about a second's work.
	tidyEvery = 30 * time.Second
	scanMost  = 200
	purgeMost = 100
)

// sweepArgs is the job that ends silent conversations and takes up messages whose
// host died. It is idempotent, so running twice does no harm.
type sweepArgs struct{}

func (sweepArgs) Kind() string { return "sweep" }

func (sweepArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: sweepEvery}}
}

type sweepWorker struct {
	river.WorkerDefaults[sweepArgs]
	host *Host
}

func (w *sweepWorker) Timeout(*river.Job[sweepArgs]) time.Duration { return time.Minute }

func (w *sweepWorker) Work(ctx context.Context, _ *river.Job[sweepArgs]) error {
	return w.host.sweep(ctx)
}

// Sweep does the periodic work now: what the jobs do every ten seconds.
func (h *Host) sweep(ctx context.Context) error {
	if _, err := h.Intake.Sweep(ctx, patience, processMost); err != nil {
		return err
	}
	_, err := h.Sweeper.Sweep(ctx, sweepMost)
	return err
}

// tidyArgs is the job that seals the audit, compares changed clients for
// duplicates and drops what has run out. It is idempotent, so running twice does
// no harm.
type tidyArgs struct{}

func (tidyArgs) Kind() string { return "tidy" }

func (tidyArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: tidyEvery}}
}

type tidyWorker struct {
	river.WorkerDefaults[tidyArgs]
	host *Host
}

func (w *tidyWorker) Timeout(*river.Job[tidyArgs]) time.Duration { return 4 * time.Minute }

func (w *tidyWorker) Work(ctx context.Context, _ *river.Job[tidyArgs]) error {
	return w.host.tidy(ctx)
}

func (h *Host) tidy(ctx context.Context) error {
	if _, err := h.Audit.Seal(ctx); err != nil {
		return err
	}
	purger := &client.MergePurger{DB: h.DB, Now: h.now}
	if _, err := purger.Purge(ctx, purgeMost); err != nil {
		return err
	}
	err := h.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT purge_expired($1)`, h.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("purge what has run out: %w", err)
	}
	tenants, err := client.TenantsWithDuplicatesDue(ctx, h.DB)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		for n := scanMost; n == scanMost; {
			if n, err = h.Clients.ScanDuplicates(ctx, actor.ForSystem(t, "duplicates"), scanMost); err != nil {
				return err
			}
		}
	}
	return nil
}

// startJobs runs this host's share of the job queue.
func (h *Host) startJobs(ctx context.Context, engine *crmsync.Engine, dispatcher *outbound.Dispatcher) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &crmsync.WakeWorker{Engine: engine})
	river.AddWorker(workers, &outbound.WakeWorker{Dispatcher: dispatcher})
	river.AddWorker(workers, &sweepWorker{host: h})
	river.AddWorker(workers, &tidyWorker{host: h})
	river.AddWorker(workers, &assist.Worker{Intake: h.Intake, Desk: h.Assistant, Client: assist.NewClient(h.options.Config.Assistant.PrivateNetworks)})
	jobs, err := river.NewClient(riverpgxv5.New(h.DB.Pool()), &river.Config{
		Schema: db.JobSchema, Logger: h.log.With("part", "jobs"), Workers: workers,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 20}, assist.Queue: {MaxWorkers: 4}},
		// Wake-ups are many and worth nothing once done.
		CompletedJobRetentionPeriod: 10 * time.Minute,
		JobTimeout:                  5 * time.Minute, RescueStuckJobsAfter: 10 * time.Minute,
		ReindexerIndexNames: []string{}, // the application role owns no index
		PeriodicJobs: []*river.PeriodicJob{
			river.NewPeriodicJob(river.PeriodicInterval(sweepEvery), func() (river.JobArgs, *river.InsertOpts) {
				return sweepArgs{}, nil
			}, &river.PeriodicJobOpts{RunOnStart: true}),
			river.NewPeriodicJob(river.PeriodicInterval(tidyEvery), func() (river.JobArgs, *river.InsertOpts) {
				return tidyArgs{}, nil
			}, &river.PeriodicJobOpts{RunOnStart: true}),
		},
	})
	if err != nil {
		return fmt.Errorf("make the job workers: %w", err)
	}
	if err := jobs.Start(ctx); err != nil {
		return fmt.Errorf("start the job workers: %w", err)
	}
	h.onStop(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := jobs.StopAndCancel(ctx); err != nil {
			h.log.Error("stop the job workers", "error", err)
		}
	})
	return nil
}
