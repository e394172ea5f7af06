package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"rollcall/internal/registry"
	"rollcall/internal/store/relational"
)

// transaction is one transaction on one connection.
type transaction struct {
	conn *pgxpool.Conn
	querier
}

// limits are those of a transaction. The server keeps them.
type limits struct {
	statement time.Duration // of one statement
	lock      time.Duration // of waiting for one lock
	idle      time.Duration // a node that is stopped within a transaction loses it and its locks
}

// silence is how much longer than a statement may take we wait for its answer. It is for a
// network that is cut without a word: the server would have answered.
const silence = 5 * time.Second

// bound is the context of one statement.
func (l limits) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.statement+silence)
}

var usualLimits = limits{statement: 90 * time.Second, lock: 30 * time.Second, idle: 10 * time.Second}

// setLimits sets limits for the transaction alone.
const setLimits = `SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
	set_config('idle_in_transaction_session_timeout', $3, true)`

// lockStudy takes a study. A study that is not there locks nothing, and nothing is written of it.
const lockStudy = "SELECT study_id FROM study_counters WHERE study_id = $1 FOR UPDATE"

// transact runs fn in a transaction that begins with a statement and, unless study is nil, with
// its lock. It is run in one trip with the limits.
func (e *engine) transact(ctx context.Context, begin string, study *registry.StudyID, fn func(t *transaction) error) (err error) {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return e.Classify("begin a transaction", err)
	}
	defer func() { // after the connection was given back
		if readOnly(err) { // there was a failover: all of them may lead to what was the primary
			e.pool.Reset()
		}
	}()
	ended := false
	defer func() { // fn may panic
		if !ended {
			rollback(ctx, conn)
		}
		conn.Release()
	}()
	defer e.watch(ctx)()
	if err := e.start(ctx, conn, begin, study); err != nil {
		return classify("begin a transaction", err)
	}
	t := &transaction{conn: conn, querier: querier{conn, e.limits}}
	if err = fn(t); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return classify("end a transaction", err)
	}
	ended = true
	return commit(ctx, conn)
}

func (e *engine) start(ctx context.Context, conn *pgxpool.Conn, begin string, study *registry.StudyID) error {
	ctx, cancel := e.limits.bound(ctx)
	defer cancel()
	batch := &pgx.Batch{}
	batch.Queue(begin)
	batch.Queue(setLimits, millis(e.limits.statement), millis(e.limits.lock), millis(e.limits.idle))
	if study != nil {
		batch.Queue(lockStudy, int64(*study))
	}
	return conn.SendBatch(ctx, batch).Close()
}

func millis(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// endLimit is how long the end of a transaction may take. It is not cut short by the end of a
// caller's patience, so that its answer is the truth whenever there is one.
const endLimit = 30 * time.Second

// commit makes the transaction durable. Where the connection breaks before the answer comes,
// nobody knows whether it is: that is [fault.Unavailable] like any other break, never success.
func commit(ctx context.Context, conn *pgxpool.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	tag, err := conn.Exec(ctx, "COMMIT")
	if err != nil {
		drop(conn)
		return commitFault(err)
	}
	if tag.String() != "COMMIT" { // a statement had failed
		return errors.New("commit: the database has rolled back")
	}
	return nil
}

func commitFault(err error) error {
	if gaveWay(err) || definite(err) {
		return classify("commit", err)
	}
	return relational.Away(fmt.Errorf("commit, with unknown outcome: %w", err))
}

// rollback undoes the transaction; a connection that cannot do it is closed, which does it too.
func rollback(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if conn.Conn().IsClosed() {
		return
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		drop(conn)
	}
}

// drop closes a connection whose state is not known; the pool makes another.
func drop(conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Conn().Close(ctx)
}

// Exec implements relational.Transaction.
func (t *transaction) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	ctx, cancel := t.limits.bound(ctx)
	defer cancel()
	tag, err := t.conn.Exec(ctx, text, bound(args)...)
	return tag.RowsAffected(), err
}

// Lock implements relational.Transaction.
func (t *transaction) Lock(ctx context.Context, study registry.StudyID) error {
	_, err := t.Exec(ctx, lockStudy, int64(study))
	return err
}

// Announce implements relational.Transaction: it shares the lock of the audit trail's writers.
func (t *transaction) Announce(ctx context.Context) error {
	_, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock_shared($1)", int64(trailLock))
	return err
}

// Erased implements relational.Transaction: vacuum takes deleted rows out of the files.
func (t *transaction) Erased() {}

// batchSize is how many statements or rows are sent at a time.
const batchSize = 500

// Update implements relational.Transaction, in one trip for many statements.
func (t *transaction) Update(ctx context.Context, text string, count int, args func(to []any, i int) ([]any, error)) error {
	for done := 0; done < count; done += batchSize {
		batch := &pgx.Batch{}
		for i := done; i < min(done+batchSize, count); i++ {
			values, err := args(nil, i)
			if err != nil {
				return err
			}
			batch.Queue(text, bound(values)...)
		}
		if err := t.updated(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) updated(ctx context.Context, batch *pgx.Batch) (err error) {
	ctx, cancel := t.limits.bound(ctx)
	defer cancel()
	results := t.conn.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	for range batch.Len() {
		tag, err := results.Exec()
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return errors.New("the row to update does not exist")
		}
	}
	return nil
}

// manyRows is from how many rows on COPY, or arrays, are quicker than one INSERT for each row.
const manyRows = 16

// Insert implements relational.Transaction: with COPY where every row must be new, else with an
// array for each column.
func (t *transaction) Insert(ctx context.Context, into *relational.Insertion, count int, args func(to []any, i int) ([]any, error)) (int64, error) {
	if count == 0 {
		return 0, nil
	}
	ctx, cancel := t.limits.bound(ctx)
	defer cancel()
	switch {
	case count < manyRows:
		return t.insertRows(ctx, into, count, args)
	case into.Suffix == "":
		return t.copyRows(ctx, into, count, args)
	default:
		return t.insertArrays(ctx, into, count, args)
	}
}

// copyRows inserts with COPY. A column in which no row has anything is left to the server: each
// value costs us and it some time, and most columns of most participants are empty.
func (t *transaction) copyRows(
	ctx context.Context, into *relational.Insertion, count int, args func(to []any, i int) ([]any, error),
) (int64, error) {
	width := len(into.Columns)
	values := make([]any, 0, count*width)
	for i := range count {
		var err error
		if values, err = args(values, i); err != nil {
			return 0, err
		}
	}
	for i, value := range bound(values) {
		if id, ok := value.(uuid.UUID); ok {
			values[i] = [16]byte(id) // of its own type it would be sent by way of its text
		}
	}
	var columns []string
	var places []int
	for c, column := range into.Columns {
		if !slices.Contains(into.Blank, column) || !blank(values[c:], width) {
			columns, places = append(columns, column), append(places, c)
		}
	}
	row := make([]any, len(places))
	source := pgx.CopyFromSlice(count, func(i int) ([]any, error) {
		for j, c := range places { // a row is encoded before the next is asked for
			row[j] = values[i*width+c]
		}
		return row, nil
	})
	return t.conn.CopyFrom(ctx, pgx.Identifier{into.Table}, columns, source)
}

// blank tells whether a column, of which there is a value in every so many, says nothing.
func blank(values []any, every int) bool {
	for i := 0; i < len(values); i += every {
		switch v := values[i].(type) {
		case nil:
		case string:
			if v != "" {
				return false
			}
		case bool:
			if v {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// insertRows inserts by statements of one row each, all in one trip.
func (t *transaction) insertRows(
	ctx context.Context, into *relational.Insertion, count int, args func(to []any, i int) ([]any, error),
) (changed int64, err error) {
	text := "INSERT INTO " + into.Table + " (" + strings.Join(into.Columns, ", ") + ") VALUES (" + places(into.Columns) + ") " + into.Suffix
	batch := &pgx.Batch{}
	for i := range count {
		values, err := args(nil, i)
		if err != nil {
			return 0, err
		}
		batch.Queue(text, bound(values)...)
	}
	results := t.conn.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	for range batch.Len() {
		tag, err := results.Exec()
		if err != nil {
			return changed, err
		}
		changed += tag.RowsAffected()
	}
	return changed, nil
}

// insertArrays inserts all rows with one statement. No value of theirs is NULL.
func (t *transaction) insertArrays(
	ctx context.Context, into *relational.Insertion, count int, args func(to []any, i int) ([]any, error),
) (int64, error) {
	columns := make([][]any, len(into.Columns))
	var values []any
	for i := range count {
		var err error
		if values, err = args(values[:0], i); err != nil {
			return 0, err
		}
		for c, value := range values {
			columns[c] = append(columns[c], value)
		}
	}
	arrays := make([]any, len(columns))
	for c := range columns {
		arrays[c] = array(columns[c])
	}
	text := "INSERT INTO " + into.Table + " (" + strings.Join(into.Columns, ", ") + ") SELECT * FROM unnest(" + places(into.Columns, typesOf(arrays)...) + ") " + into.Suffix
	tag, err := t.conn.Exec(ctx, text, arrays...)
	return tag.RowsAffected(), err
}

// places are parameters for the columns: $1, $2, ..., each with a type if types are given.
func places(columns []string, types ...string) string {
	list := make([]string, len(columns))
	for i := range list {
		list[i] = "$" + strconv.Itoa(i+1)
		if len(types) == len(columns) && types[i] != "" {
			list[i] += "::" + types[i]
		}
	}
	return strings.Join(list, ", ")
}

// typesOf names the types of arrays.
func typesOf(arrays []any) []string {
	names := make([]string, len(arrays))
	for i, list := range arrays {
		switch list.(type) {
		case []string:
			names[i] = "text[]"
		case [][16]byte:
			names[i] = "uuid[]"
		case [][]byte:
			names[i] = "bytea[]"
		default:
			names[i] = "bigint[]"
		}
	}
	return names
}
