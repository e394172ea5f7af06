package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
)

// statements prepares each query once and keeps it.
type statements struct {
	prepare func(ctx context.Context, query string) (*sql.Stmt, error)

	mu   sync.Mutex
	kept map[string]*sql.Stmt
}

// get answers the prepared statement of the query.
func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt, ok := s.kept[query]; ok {
		return stmt, nil
	}
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	if s.kept == nil {
		s.kept = map[string]*sql.Stmt{}
	}
	s.kept[query] = stmt
	return stmt, nil
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.kept {
		errs = append(errs, stmt.Close())
	}
	s.kept = nil
	return errors.Join(errs...)
}

// writer owns the one connection that writes. It speaks BEGIN and COMMIT itself rather than
// through sql.Tx, which would prepare every statement again in each transaction.
type writer struct {
	pool *sql.DB
	turn chan struct{} // holds one token; who takes it has the connection. First come, first served

	// Only the holder of the turn touches these.
	conn   *sql.Conn // nil until first used, and after a connection that could not be rolled back
	stmts  *statements
	closed bool

	// erasedInLog is set while erased values may stand in the write-ahead log. While readers
	// keep it from being emptied, more and more commits pass between the tries.
	erasedInLog    bool
	pass, patience int
}

func newWriter(pool *sql.DB) *writer {
	w := &writer{pool: pool, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w
}

// begin waits for the turn and starts a transaction. Its end must be commit or rollback.
func (w *writer) begin(ctx context.Context) error {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := w.start(ctx)
	if err != nil {
		w.turn <- struct{}{}
	}
	return err
}

func (w *writer) start(ctx context.Context) error {
	if w.closed {
		return errClosed
	}
	if w.conn == nil {
		conn, err := w.pool.Conn(ctx)
		if err != nil {
			return err
		}
		w.conn, w.stmts = conn, &statements{prepare: conn.PrepareContext}
	}
	if _, err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		w.abandon()
		return err
	}
	return nil
}

// commit makes the transaction durable and ends the turn. It is not cut short by the end of a
// context, so that its answer is always the truth.
func (w *writer) commit(ctx context.Context) error {
	defer func() { w.turn <- struct{}{} }()
	if _, err := w.exec(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		w.abandon()
		return err
	}
	if w.erasedInLog {
		w.dropErased(context.WithoutCancel(ctx))
	}
	return nil
}

// rollback undoes the transaction and ends the turn.
func (w *writer) rollback() {
	w.abandon()
	w.turn <- struct{}{}
}

// abandon leaves the connection outside any transaction. SQLite rolls back by itself after
// some errors (a full disk among them), and then ROLLBACK fails because there is nothing to
// roll back. A connection that fails it for another reason is dropped.
func (w *writer) abandon() {
	if w.conn == nil {
		return
	}
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, "ROLLBACK"); err == nil {
		return
	}
	// A transaction can begin only outside another.
	if _, err := w.conn.ExecContext(ctx, "BEGIN DEFERRED"); err == nil {
		if _, err = w.conn.ExecContext(ctx, "ROLLBACK"); err == nil {
			return
		}
	}
	w.drop()
}

// drop closes the connection; the next transaction opens another.
func (w *writer) drop() {
	_ = w.stmts.close()
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // only a bad connection leaves the pool
	_ = w.conn.Close()
	w.conn, w.stmts = nil, nil
}

// maxPatience is how many commits at most pass between two tries to empty the log.
const maxPatience = 64

// dropErased empties the write-ahead log, unless it is too early to try again.
func (w *writer) dropErased(ctx context.Context) {
	if w.pass > 0 {
		w.pass--
		return
	}
	if w.dropLog(ctx) {
		w.erasedInLog, w.patience = false, 0
		return
	}
	w.patience = min(2*w.patience+1, maxPatience)
	w.pass = w.patience
}

// dropLog folds the write-ahead log into the file and empties it. A reader of an older state
// holds it up, and is not waited for long: whoever wants to write waits too.
func (w *writer) dropLog(ctx context.Context) bool {
	var busy, frames, folded int
	_, _ = w.exec(ctx, "PRAGMA busy_timeout = 100")
	err := w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &folded)
	_, _ = w.exec(ctx, "PRAGMA busy_timeout = 10000")
	return err == nil && busy == 0
}

func (w *writer) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := w.stmts.get(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

func (w *writer) close() error {
	<-w.turn
	defer func() { w.turn <- struct{}{} }()
	w.closed = true
	var errs []error
	if w.conn != nil {
		errs = append(errs, w.stmts.close(), w.conn.Close())
		w.conn, w.stmts = nil, nil
	}
	return errors.Join(append(errs, w.pool.Close())...)
}
