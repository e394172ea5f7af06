package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// A node that is stopped while it sends, by a pause or because its network is cut, leaves a
// session that waits for the rest of a COPY or of a batch. To PostgreSQL its statement is under
// way: no timeout for idle sessions ends it, statement_timeout is not looked at in the midst of
// a COPY, and the locks stay. So whoever waits for long ends such sessions of its own kind.
const endStuck = `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
	AND application_name = current_setting('application_name')
	AND state = 'active' AND wait_event_type = 'Client' AND wait_event = 'ClientRead'
	AND state_change < clock_timestamp() - $1 * interval '1 millisecond'`

// looksPerIdle is how often a session is looked for that is stuck, within the time after which
// it counts as that.
const looksPerIdle = 5

// watch looks for stuck sessions while a transaction lasts long, until stop is called.
func (e *engine) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Add(1)
	every := e.limits.idle / looksPerIdle
	timer := time.AfterFunc(every, func() {
		defer looking.Done()
		for ctx.Err() == nil {
			e.freeStuck(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(every):
			}
		}
	})
	return func() {
		cancel()
		if timer.Stop() {
			looking.Done()
		}
		looking.Wait()
	}
}

// freeStuck ends the sessions that are stuck now, on a connection of its own: all of the pool's
// may be waiting for one of them. One look at a time is enough for all who wait.
func (e *engine) freeStuck(ctx context.Context) {
	if !e.looking.TryLock() {
		return
	}
	defer e.looking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	var ended int64
	if err == nil {
		err = conn.QueryRow(ctx, endStuck, e.limits.idle.Milliseconds()).Scan(&ended)
		closing, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = conn.Close(closing)
		done()
	}
	switch {
	case err != nil && ctx.Err() == nil:
		e.log.WarnContext(ctx, "stuck sessions cannot be looked for", "error", err)
	case ended > 0:
		e.log.WarnContext(ctx, "ended sessions of a node that was stopped while it wrote", "sessions", ended)
	}
}
