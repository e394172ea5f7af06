package sqlite

import (
	"context"
	"errors"
	"sync"

	"rollcall/internal/store/relational"
)

// lookups answer questions about single rows by their keys, which every request asks, on
// connections of their own that can only read. They drive SQLite without database/sql and
// without the driver, which spend more on such a question than SQLite does: a goroutine that
// watches the context, names and types of all columns, and each value in an interface.
//
// What is asked here cannot be broken off once it has begun, so it must be short, and may use
// no functions of ours.
type lookups struct {
	path  string
	turns chan struct{} // holds a token for each connection that is in use
	gone  chan struct{} // closed by close

	mu   sync.Mutex
	idle []*bareConn // the last one used is taken first: its pages are at hand
}

// maxLookups is how many questions are answered at a time. It is more than are ever running at
// once, so that nobody waits for a connection whose holder is waiting for a processor; few of
// the connections are opened.
const maxLookups = 16

func newLookups(path string) *lookups {
	return &lookups{path: path, turns: make(chan struct{}, maxLookups), gone: make(chan struct{})}
}

// Query implements relational.Querier. The rows hold a connection until they are closed.
func (l *lookups) Query(ctx context.Context, text string, args ...any) (relational.Rows, error) {
	conn, err := l.take(ctx)
	if err != nil {
		return nil, err
	}
	stmt, err := conn.statement(text)
	if err == nil {
		err = stmt.bind(args)
	}
	if err != nil {
		l.release(conn)
		return nil, err
	}
	return &foundRows{stmt: stmt, lookups: l}, nil
}

func (l *lookups) take(ctx context.Context) (*bareConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-l.gone:
		return nil, errClosed
	case l.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	if last := len(l.idle) - 1; last >= 0 {
		conn := l.idle[last]
		l.idle = l.idle[:last]
		l.mu.Unlock()
		return conn, nil
	}
	l.mu.Unlock()
	conn, err := openBare(l.path)
	if err != nil {
		<-l.turns
	}
	return conn, err
}

func (l *lookups) release(conn *bareConn) {
	l.mu.Lock()
	l.idle = append(l.idle, conn)
	l.mu.Unlock()
	<-l.turns
}

// close waits for the questions that are being answered and closes every connection. It may be
// called again.
func (l *lookups) close() error {
	select {
	case <-l.gone:
		return nil
	default:
		close(l.gone)
	}
	for range maxLookups { // whoever has a turn still gives it back
		l.turns <- struct{}{}
	}
	var errs []error
	for _, conn := range l.idle {
		errs = append(errs, conn.close())
	}
	return errors.Join(errs...)
}

// foundRows implements relational.Rows.
type foundRows struct {
	stmt    *bareStmt
	lookups *lookups
	err     error
}

// Next implements relational.Rows.
func (r *foundRows) Next() bool {
	if r.stmt == nil || r.err != nil {
		return false
	}
	var found bool
	found, r.err = r.stmt.step()
	return found
}

// Scan implements relational.Rows.
func (r *foundRows) Scan(dest ...any) error { return r.stmt.scan(dest) }

// Err implements relational.Rows.
func (r *foundRows) Err() error { return r.err }

// Close implements relational.Rows. It may be called again.
func (r *foundRows) Close() error {
	if r.stmt != nil {
		r.stmt.reset()
		r.lookups.release(r.stmt.conn)
		r.stmt = nil
	}
	return nil
}
