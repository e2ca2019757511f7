// Package postgres runs a private PostgreSQL for one host or one test run: on a
// unix socket, without a TCP port, from the binaries the machine has. The server
// dies with the process that started it, however that ends, and is started again
// when it dies alone. As root it runs under an unprivileged user, because
// PostgreSQL refuses root.
//
// It knows nothing of Clientele's schema; it makes the owner role and hands out
// URLs.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Database is the database that Start makes sure is there.
const Database = "clientele"

// OwnerRole owns databases, migrates and backs up. It is no superuser.
const OwnerRole = "clientele_owner"

const (
	startTimeout = 60 * time.Second
	// A fast shutdown writes a checkpoint; on a slow disk that takes its time.
	stopTimeout     = 30 * time.Second
	firstBackOff    = 100 * time.Millisecond
	longestBackOff  = 10 * time.Second
	steadyAfter     = time.Minute
	maxFailedStarts = 20
)

// Options describe the server.
type Options struct {
	// Dir keeps the cluster: the data, the lock, the socket. Every directory above
	// it must let the server's user pass (mode 0711 or wider) when the caller is
	// root. Empty means a temporary cluster, in memory where there is room, that
	// goes away with the server.
	Dir string
	// Durable syncs to disk. Without it a crash of the machine loses the cluster,
	// which only tests can bear.
	Durable bool
	// MaxConnections of the server; 0 means 200.
	MaxConnections int
	// BinDir holds initdb and postgres; empty means to look in $PG_BINDIR, then
	// /usr/lib/postgresql/*/bin, then the PATH.
	BinDir string
	Logger *slog.Logger
}

// Server is a running PostgreSQL. Its URLs stay valid while it is started again.
type Server struct {
	cluster *cluster
	log     *slog.Logger
	release []func() // in reverse order: what Start took

	stopOnce sync.Once
	stopping chan struct{}
	done     chan struct{}
	stopErr  error
}

// Start finds the binaries, takes the directory, stops a server that an earlier
// process left, initialises the cluster once and returns when the server answers.
// Its errors are sentences an operator can act on. ctx bounds the start only.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &Server{log: o.Logger, stopping: make(chan struct{}), done: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			s.releaseAll()
		}
	}()

	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir := o.Dir
	if dir == "" {
		temp, remove, err := temporaryDir()
		if err != nil {
			return nil, err
		}
		dir = temp
		s.release = append(s.release, remove)
	} else if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", o.Dir, err)
	}
	if err := account.own(dir); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	s.release = append(s.release, unlock)

	s.cluster, err = openCluster(dir, account, o)
	if err != nil {
		return nil, err
	}
	if err := stopLeftover(ctx, s.cluster.data, s.log); err != nil {
		return nil, err
	}
	if err := s.cluster.initialise(ctx); err != nil {
		return nil, err
	}
	process, err := s.launch(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.cluster.ensureRoles(ctx); err != nil {
		return nil, errors.Join(err, process.stop(stopTimeout))
	}
	go s.supervise(process)
	return s, nil
}

// OwnerURL connects to the database as its owner. It must never serve requests:
// row-level security does not bind the owner.
func (s *Server) OwnerURL(database string) string { return s.cluster.url(OwnerRole, database) }

// AppURL connects to the database as the application role, which db.Migrate makes.
func (s *Server) AppURL(database string) string { return s.cluster.url(appRole, database) }

// Done is closed when the server is down for good: after Stop, or when it could
// not be started again.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop shuts the server down, waits for it, and gives up the directory. It says
// why when the server was down for good before. Further calls answer the same.
func (s *Server) Stop() error {
	s.stopOnce.Do(func() { close(s.stopping) })
	<-s.done
	return s.stopErr
}

// supervise starts the server again whenever it ends by itself.
func (s *Server) supervise(p *process) {
	defer close(s.done)
	defer s.releaseAll()
	wait := firstBackOff
	for {
		started := time.Now()
		select {
		case <-s.stopping:
			s.stopErr = p.stop(stopTimeout)
			return
		case <-p.exited:
		}
		s.log.Error("the PostgreSQL server ended by itself and is started again", "cause", p.cause())
		if time.Since(started) > steadyAfter {
			wait = firstBackOff
		}
		var err error
		for range maxFailedStarts {
			select {
			case <-s.stopping:
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, longestBackOff)
			if p, err = s.relaunch(); err == nil {
				break
			}
			s.log.Error("the PostgreSQL server did not start again", "cause", err)
		}
		if err != nil {
			s.stopErr = fmt.Errorf("the PostgreSQL server could not be started again: %w", err)
			return
		}
	}
}

func (s *Server) relaunch() (*process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	go func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return s.launch(ctx)
}

// launch starts the server process and waits until it answers.
func (s *Server) launch(ctx context.Context) (*process, error) {
	if err := s.cluster.writeAccess(); err != nil {
		return nil, err
	}
	p, err := startProcess(s.cluster.command(s.log), s.cluster.account)
	if err != nil {
		return nil, err
	}
	if err := s.cluster.waitReady(ctx, p); err != nil {
		return nil, errors.Join(err, p.stop(stopTimeout))
	}
	return p, nil
}

func (s *Server) releaseAll() {
	for i := len(s.release) - 1; i >= 0; i-- {
		s.release[i]()
	}
	s.release = nil
}

// socketURL is a URL in the form every PostgreSQL client reads.
func socketURL(socketDir, role, database string) string {
	q := url.Values{"host": {socketDir}, "user": {role}}
	return "postgres:///" + url.PathEscape(database) + "?" + q.Encode()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
