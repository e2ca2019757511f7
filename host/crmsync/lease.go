package crmsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/host/connection"
)

// A lease lives 10 s and is renewed every 3 s (design.md §3): three renewals may
// fail before another host takes over, which it does within 10 s of a crash.
const (
	leaseTTL   = 10 * time.Second
	leaseRenew = 3 * time.Second
)

// errFenced: another host owns the connection now; what this one knows is void.
var errFenced = errors.New("the connection's lease was lost")

// lease is this host's right to sync one connection. All times are the
// database's, so that hosts need not agree on the time.
type lease struct {
	connection connection.ID
	host       string
	epoch      int64
}

// acquire takes the lease when it is free, expired or ours. A new epoch fences
// off whoever had it before.
func acquire(ctx context.Context, d *db.DB, id connection.ID, host string) (*lease, error) {
	l := &lease{connection: id, host: host}
	err := d.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `UPDATE sync_lease SET host = $2, epoch = epoch + 1, expires_at = now() + $3::interval
 WHERE connection_id = $1 AND (expires_at <= now() OR host = $2) RETURNING epoch`, id, host, leaseTTL).Scan(&l.epoch)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take the lease of connection %s: %w", id, err)
	}
	return l, nil
}

// renew prolongs the lease; errFenced when it is another host's.
func (l *lease) renew(ctx context.Context, d *db.DB) error {
	return l.update(ctx, d, `UPDATE sync_lease SET expires_at = now() + $4::interval WHERE connection_id = $1 AND host = $2 AND epoch = $3`, leaseTTL)
}

// release gives the lease back.
func (l *lease) release(ctx context.Context, d *db.DB) error {
	return l.update(ctx, d, `UPDATE sync_lease SET expires_at = '-infinity' WHERE connection_id = $1 AND host = $2 AND epoch = $3`)
}

// check holds the lease's row until the transaction ends and answers errFenced
// when it is not ours any more. Every transaction that stores an outcome begins
// with it.
func (l *lease) check(ctx context.Context, tx pgx.Tx) error {
	var ours bool
	err := tx.QueryRow(ctx, `SELECT host = $2 AND epoch = $3 FROM sync_lease WHERE connection_id = $1 FOR SHARE`, l.connection, l.host, l.epoch).Scan(&ours)
	if err != nil {
		return fmt.Errorf("check the lease: %w", err)
	}
	if !ours {
		return errFenced
	}
	return nil
}

func (l *lease) update(ctx context.Context, d *db.DB, sql string, args ...any) error {
	return d.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sql, append([]any{l.connection, l.host, l.epoch}, args...)...)
		if err != nil {
			return fmt.Errorf("renew or release the lease of connection %s: %w", l.connection, err)
		}
		if tag.RowsAffected() == 0 {
			return errFenced
		}
		return nil
	})
}
