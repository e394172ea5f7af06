package pgtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// Synchronous makes the primary wait with each commit until the replica has it on its disk, as
// a failover that loses nothing needs. A primary whose replica is stopped then does not commit.
func Synchronous() Option { return func(o *options) { o.synchronous = true } }

// Replica starts a streaming replica, with the settings of this server and the given ones. It
// ends with the test. [Server.On] answers the URL of a database there.
func (s *Server) Replica(t testing.TB, with ...Option) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	var o options
	for _, option := range with {
		option(&o)
	}
	inherited := func(mine *options) { mine.settings = slices.Clone(s.settings) }
	replica, err := furnish(ctx, append([]Option{inherited}, with...))
	if err != nil {
		t.Fatalf("start a replica: %v", err)
	}
	t.Cleanup(func() {
		if o.synchronous {
			s.letGo(t)
		}
		replica.cleanUp(t)
	})
	if err := replica.follow(ctx, s, o.synchronous); err != nil {
		t.Fatalf("start a replica: %v", err)
	}
	return replica
}

// follow copies the primary, starts on the copy and waits until the primary streams to it.
func (s *Server) follow(ctx context.Context, primary *Server, synchronous bool) error {
	source := fmt.Sprintf("host=%s port=%d user=%s application_name=%s", loopback, primary.Port, superuser, s.replicaName())
	err := run(ctx, s.who, s.folder.path, s.program("pg_basebackup"), "--pgdata", s.data(), "--dbname", source,
		"--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync")
	if err != nil {
		return err
	}
	if err := s.launchFirst(ctx); err != nil {
		return err
	}
	err = poll(ctx, func(ctx context.Context) error {
		return primary.holds(ctx, "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = $1", s.replicaName())
	})
	if err != nil || !synchronous {
		return err
	}
	return primary.execute(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
}

// replicaName is the name by which a primary lists this server: its folder's, of which there is
// one.
func (s *Server) replicaName() string { return filepath.Base(s.folder.path) }

var errNotYet = errors.New("not yet")

// holds answers nil if the query answers true.
func (s *Server) holds(ctx context.Context, query string, args ...any) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to lose
	var yes bool
	if err := conn.QueryRow(ctx, query, args...).Scan(&yes); err != nil {
		return err
	}
	if !yes {
		return errNotYet
	}
	return nil
}

// letGo makes a primary wait for replicas no more.
func (s *Server) letGo(t testing.TB) {
	t.Helper()
	if !s.isRunning() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stopLimit)
	defer cancel()
	if err := s.execute(ctx, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"); err != nil {
		t.Errorf("let the primary go: %v", err)
	}
}

// Promote makes a replica a primary, within 10 seconds. The former primary must be stopped
// first, or there are two.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stopLimit)
	defer cancel()
	if err := s.holds(ctx, "SELECT pg_promote(true, 10)"); err != nil {
		t.Fatalf("promote a replica: %v; its log:\n%s", err, tail(s.log()))
	}
}

// CatchUp waits, for 10 seconds at most, until readers of the replica see what the primary had
// committed when it was called.
func (s *Server) CatchUp(t testing.TB, primary *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stopLimit)
	defer cancel()
	position, err := primary.position(ctx)
	if err == nil {
		err = poll(ctx, func(ctx context.Context) error {
			return s.holds(ctx, "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position)
		})
	}
	if err != nil {
		t.Fatalf("wait for a replica: %v; its log:\n%s", err, tail(s.log()))
	}
}

// position answers where in its log a primary is.
func (s *Server) position(ctx context.Context) (string, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to lose
	var position string
	err = conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&position)
	return position, err
}
