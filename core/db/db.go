// Package db is the way to PostgreSQL: transactions bound to one tenant by
// row-level security, the schema's migrations, and jobs that are inserted in the
// transaction they follow. It knows no table of a feature; each feature keeps its
// SQL beside itself and gets a transaction from here.
//
// Beside it: postgres (the private server a host runs when no database is
// configured) and dbtest (one database a test).
package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/clientele-crm/clientele/core/actor"
)

// The roles and the schema that Clientele uses in a database.
const (
	// AppRole holds every right the hosts have. The role in database.url is this
	// one or a member of it; it owns nothing.
	AppRole = "clientele_app"
	// JobSchema is where River keeps its tables.
	JobSchema = "river"
)

const (
	// A statement that runs longer is a mistake, not work: bulk work is cut into
	// chunks. Shorter would hit imports on slow disks, longer would let one bad
	// search hold a connection for minutes.
	statementTimeout = 30 * time.Second
	// A lock that is not free by then belongs to something stuck.
	lockTimeout = 10 * time.Second
	// The whole of one transaction, retries included, when the caller's context
	// sets no earlier deadline.
	transactionTimeout = 60 * time.Second
	// Deadlocks and serialization failures end after a few tries or never.
	maxTries  = 6
	firstWait = 10 * time.Millisecond
)

// Options say how to reach the database.
type Options struct {
	// URL connects as the application role. The host refuses a role that could
	// see past row-level security.
	URL    string
	Logger *slog.Logger
	// MaxConns bounds the pool; 0 means 20. Too low makes requests wait for each
	// other, too high runs into the server's max_connections.
	MaxConns int32
}

// DB is a pool of connections as the application role. It is safe for concurrent
// use.
type DB struct {
	pool    *pgxpool.Pool
	jobs    *river.Client[pgx.Tx]
	log     *slog.Logger
	options Options
}

// Open connects and refuses, with a sentence for the operator, a role that
// row-level security does not bind and a schema that this build does not fit.
func Open(ctx context.Context, o Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		// pgx's error may quote the URL, password included.
		return nil, errors.New("database.url: not a PostgreSQL URL such as postgres://clientele_app@host/clientele")
	}
	cfg.MaxConns = 20
	if o.MaxConns > 0 {
		cfg.MaxConns = o.MaxConns
	}
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = "clientele"
	params["timezone"] = "UTC"
	params["statement_timeout"] = milliseconds(statementTimeout)
	params["lock_timeout"] = milliseconds(lockTimeout)
	params["idle_in_transaction_session_timeout"] = milliseconds(transactionTimeout)

	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database pool: %w", err)
	}
	if err := check(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: JobSchema, Logger: log})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("make the job client: %w", err)
	}
	return &DB{pool: pool, jobs: jobs, log: log, options: o}, nil
}

// Apart opens another pool on the same database, of at most maxConns connections.
// It is for work that needs a second connection while it holds locks with a first:
// in a shared pool, those who wait for the locks could have taken all connections.
// The caller closes it.
func (d *DB) Apart(ctx context.Context, maxConns int32) (*DB, error) {
	o := d.options
	o.MaxConns = maxConns
	return Open(ctx, o)
}

// Close waits for connections in use and closes all of them.
func (d *DB) Close() { d.pool.Close() }

// Pool is for what brings its own transactions, such as the hosts' River client.
// Its connections belong to no tenant, so tenant tables are empty through them.
func (d *DB) Pool() *pgxpool.Pool { return d.pool }

// Tenant runs fn in a transaction that sees and writes rows of a's tenant only.
// It commits when fn returns nil and rolls back otherwise.
//
// fn runs again from the start, a few times, when PostgreSQL ends the transaction
// with a deadlock or a serialization failure: what it does besides SQL must bear
// that. Without an earlier deadline in ctx the whole ends after a minute. fn must
// use the context it is given, and must not keep tx.
func (d *DB) Tenant(ctx context.Context, a actor.Actor, fn func(ctx context.Context, tx pgx.Tx) error) error {
	if a.Tenant == (actor.TenantID{}) {
		return fmt.Errorf("open a tenant transaction: the actor %q belongs to no tenant", a.Name)
	}
	return d.transaction(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT set_config('clientele.tenant', $1, true)`, a.Tenant.String()); err != nil {
			return fmt.Errorf("set the tenant: %w", err)
		}
		return fn(ctx, tx)
	})
}

// Global runs fn in a transaction without a tenant: it reaches the few tables
// without client data, and every tenant table is empty. It commits, retries and
// ends like Tenant.
func (d *DB) Global(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return d.transaction(ctx, fn)
}

// InsertJob puts a job into the queue when tx commits. Args are stored in clear:
// ids only. Jobs are wake-ups and may run twice (design.md §3).
func (d *DB) InsertJob(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	if _, err := d.jobs.InsertTx(ctx, tx, args, opts); err != nil {
		return fmt.Errorf("insert job %s: %w", args.Kind(), err)
	}
	return nil
}

func (d *DB) transaction(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout)
	defer cancel()
	wait := firstWait
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error { return fn(ctx, tx) })
		if err == nil || !retryable(err) || try == maxTries {
			return err
		}
		d.log.DebugContext(ctx, "transaction runs again", "try", try, "sqlstate", Code(err))
		// Jitter keeps two transactions from meeting again in the same order.
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait/2 + rand.N(wait)):
			wait *= 2
		}
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
