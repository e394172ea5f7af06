package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"rollcall/internal/registry"
	"rollcall/internal/store/relational"
)

// engine implements relational.Engine on the writer and the readers.
type engine struct {
	dialect
	write   *writer
	read    *sql.DB
	lookup  *lookups
	queries statements // of read
	inserts insertTexts
}

var _ relational.Engine = (*engine)(nil)

// Read implements relational.Engine.
func (e *engine) Read() relational.Querier { return querier{&e.queries} }

// Lookup implements relational.Engine.
func (e *engine) Lookup() relational.Querier { return e.lookup }

// Snapshot implements relational.Engine.
func (e *engine) Snapshot(ctx context.Context, fn func(q relational.Querier) error) error {
	tx, err := e.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	return fn(querier{snapshot{tx}})
}

// Survey implements relational.Engine.
func (e *engine) Survey(ctx context.Context, fn func(q relational.Querier) error) error {
	return e.Snapshot(ctx, fn)
}

// Write implements relational.Engine. There is one writer, so every transaction has all studies
// to itself.
func (e *engine) Write(ctx context.Context, _ registry.StudyID, fn func(context.Context, relational.Transaction) error) error {
	return e.Touch(ctx, fn)
}

// Touch implements relational.Engine.
func (e *engine) Touch(ctx context.Context, fn func(context.Context, relational.Transaction) error) (err error) {
	if err := e.write.begin(ctx); err != nil {
		return classify("begin a transaction", err)
	}
	t := &transaction{engine: e, querier: querier{e.write.stmts}}
	ended := false
	defer func() { // fn may panic
		if !ended {
			e.write.rollback()
		}
	}()
	if err = fn(ctx, t); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	ended = true
	if t.erased {
		e.write.erasedInLog = true
	}
	return classify("commit", e.write.commit(ctx))
}

// SettledPosition implements relational.Engine: transactions follow each other.
func (e *engine) SettledPosition(context.Context) (int64, error) { return relational.Unlimited, nil }

// RunOn implements relational.Engine: SQLite keeps its sequences by itself.
func (e *engine) RunOn(context.Context, relational.Transaction) error { return nil }

// Classify implements relational.Engine.
func (e *engine) Classify(doing string, err error) error { return classify(doing, err) }

// preparer prepares and keeps statements of one connection or pool.
type preparer interface {
	get(ctx context.Context, text string) (*sql.Stmt, error)
}

// snapshot is one read transaction: every query in it sees the same state.
type snapshot struct{ tx *sql.Tx }

func (s snapshot) get(ctx context.Context, text string) (*sql.Stmt, error) {
	return s.tx.PrepareContext(ctx, text) // closed with the transaction
}

// querier implements relational.Querier.
type querier struct{ preparer }

func (q querier) Query(ctx context.Context, text string, args ...any) (relational.Rows, error) {
	stmt, err := q.get(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, bound(args)...) //nolint:rowserrcheck // the caller reads them, and checks
	if err != nil {
		return nil, err // not rows, which would be an interface that is not nil
	}
	return rows, nil
}

// bound makes UUIDs into their bytes; on their own they would be bound as text.
func bound(args []any) []any {
	for i, arg := range args {
		if id, ok := arg.(uuid.UUID); ok {
			args[i] = id[:]
		}
	}
	return args
}

// transaction implements relational.Transaction on the writer.
type transaction struct {
	querier
	engine *engine
	erased bool
}

// Exec implements relational.Transaction.
func (t *transaction) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	result, err := t.engine.write.exec(ctx, text, bound(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Update implements relational.Transaction.
func (t *transaction) Update(ctx context.Context, text string, count int, args func(to []any, i int) ([]any, error)) error {
	text = t.engine.inserts.positional(text)
	var values []any
	for i := range count {
		var err error
		if values, err = args(values[:0], i); err != nil {
			return err
		}
		n, err := t.Exec(ctx, text, values...)
		if err != nil {
			return err
		}
		if n != 1 {
			return fmt.Errorf("update: %d rows changed instead of one", n)
		}
	}
	return nil
}

// Lock implements relational.Transaction: nobody else writes anyway.
func (t *transaction) Lock(context.Context, registry.StudyID) error { return nil }

// Announce implements relational.Transaction: nobody else writes anyway.
func (t *transaction) Announce(context.Context) error { return nil }

// Erased implements relational.Transaction.
func (t *transaction) Erased() { t.erased = true }

// positional is a statement with "?" for its numbered parameters, if each stands once and in
// order. Numbered ones have names, among which the driver looks each one up in turn.
func (s *insertTexts) positional(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if plain, ok := s.plain[text]; ok {
		return plain
	}
	plain := text
	for n := 1; ; n++ {
		name := fmt.Sprintf("$%d", n)
		before, after, found := strings.Cut(plain, name)
		if !found {
			break
		}
		if strings.ContainsRune(before, '$') || (after != "" && after[0] >= '0' && after[0] <= '9') {
			plain = text
			break
		}
		plain = before + "?" + after
	}
	if strings.ContainsRune(plain, '$') {
		plain = text
	}
	if s.plain == nil {
		s.plain = map[string]string{}
	}
	s.plain[text] = plain
	return plain
}
