// Package relational owns what the SQL engines have in common: which rows the registry, its
// jobs and its users are kept in, the statements over them, and the transactions that the
// registry asks for. It knows no driver: an [Engine] runs the statements, in its own dialect
// of SQL where dialects differ.
//
// Statements number their parameters, $1, $2, ..., and bind strings, integers, booleans, byte
// slices, UUIDs and nil. Times are bound as microseconds since 1970 in UTC.
package relational

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"rollcall/internal/registry"
)

// Rows are the rows that a query answers.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Querier runs queries.
type Querier interface {
	Query(ctx context.Context, text string, args ...any) (Rows, error)
}

// Transaction is one transaction that can write.
type Transaction interface {
	Querier

	// Exec runs a statement and tells how many rows it changed.
	Exec(ctx context.Context, text string, args ...any) (int64, error)

	// Update runs one statement many times, with the arguments that args appends for each, and
	// fails unless every time it changes one row.
	Update(ctx context.Context, text string, count int, args func(to []any, i int) ([]any, error)) error

	// Insert inserts rows, whose values args appends, and tells how many rows it changed.
	Insert(ctx context.Context, into *Insertion, count int, args func(to []any, i int) ([]any, error)) (int64, error)

	// Lock takes a study for the transaction alone, beside the one it was begun for.
	Lock(ctx context.Context, study registry.StudyID) error

	// Announce is called before audit events are written: their positions may appear out of the
	// order in which transactions commit, see [Engine.SettledPosition].
	Announce(ctx context.Context) error

	// Erased tells that personal values were deleted, which must not linger.
	Erased()
}

// Insertion is an INSERT of any number of rows.
type Insertion struct {
	Table   string
	Columns []string
	Suffix  string // e.g. ON CONFLICT; none: every row must be new

	// Blank are columns that are "", false or NULL unless something else is said. Where no row
	// has another value they may be left out.
	Blank []string
}

// Engine is one database engine.
type Engine interface {
	Dialect

	// Read answers who runs a query in a consistent picture of its own.
	Read() Querier

	// Lookup is Read for questions about a row or two by their keys, which are asked for every
	// request. It binds strings, integers and UUIDs and scans strings, integers of 64 bits,
	// booleans, byte slices, UUIDs and sql.NullInt64, and no other types. Its rows are read to
	// their end before anything else is asked.
	Lookup() Querier

	// Snapshot runs fn in one read-only transaction, whose queries see one picture.
	Snapshot(ctx context.Context, fn func(q Querier) error) error

	// Survey is Snapshot for what reads everything and may take its time.
	Survey(ctx context.Context, fn func(q Querier) error) error

	// Write runs fn in one transaction that has the study to itself, in all processes; study 0
	// is the deployment. An error of fn, or its panic, undoes everything. When Write returns nil,
	// what fn wrote is durable. Fn may be run again from the start.
	Write(ctx context.Context, study registry.StudyID, fn func(ctx context.Context, w Transaction) error) error

	// Touch runs fn in one transaction that has nothing to itself but the rows it writes. It is
	// for what belongs to no study and is written often.
	Touch(ctx context.Context, fn func(ctx context.Context, w Transaction) error) error

	// SettledPosition answers a position of the audit trail below which no more events will
	// appear, at or above the last one that had been committed when it was called.
	SettledPosition(ctx context.Context) (int64, error)

	// RunOn has the numbers that the database gives out run on after those that are there.
	RunOn(ctx context.Context, w Transaction) error

	// Classify gives a failure of doing something its kind. Faults pass as they are.
	Classify(doing string, err error) error
}

// Dialect is where engines' SQL differs.
type Dialect interface {
	// Clock is an expression: the database's own time in microseconds.
	Clock() string

	// In calls fn with conditions that the column has one of the values, in as many lists as
	// the engine needs. First is the number of the first parameter that the condition may use.
	In(column string, first int, values []any, fn func(condition string, args []any) error) error

	// Joined is the texts of columns in one, each but the first after the separator, which is in
	// hardly any text.
	Joined(columns []string) string
	Separator() string

	// ArrayLength is the length of a JSON array in a text column.
	ArrayLength(column string) string

	// Inner gives a text the form that it has inside of JSON columns, and Outer undoes it.
	Inner(text string) string
	Outer(text string) string
}

// Unlimited is a settled position where every committed event is settled.
const Unlimited = math.MaxInt64

// DB is the registry in a database.
type DB struct {
	engine Engine
	set    *statementSet

	rosters rosters
	reading sync.WaitGroup  // of rosters
	open    context.Context // ends with Stop
	stop    context.CancelFunc
	settled atomic.Int64 // up to which position the audit trail is known to be settled

	mu      sync.Mutex
	studies map[registry.StudyID]cachedStudy // see tx.Study
}

// New makes a DB on an engine. RosterMemory is how many bytes the rosters of studies may take together,
// 0 for [DefaultRosterMemory]; the roster of the study asked for last may take more.
func New(engine Engine, rosterMemory int64) *DB {
	if rosterMemory == 0 {
		rosterMemory = DefaultRosterMemory
	}
	open, stop := context.WithCancel(context.Background())
	return &DB{
		open: open, stop: stop, engine: engine, set: newStatementSet(), studies: map[registry.StudyID]cachedStudy{},
		rosters: rosters{limit: rosterMemory, kept: map[registry.StudyID]*keptRoster{}},
	}
}

// Stop ends what goes on by itself, and waits for it. Engines call it before they close.
func (db *DB) Stop() {
	db.stop()
	db.reading.Wait()
}

// query runs a query and scans all its rows.
func query[T any](ctx context.Context, q Querier, scan func(scanner) (T, error), text string, args ...any) (all []T, err error) {
	err = each(ctx, q, scan, func(one T) error {
		all = append(all, one)
		return nil
	}, text, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// each runs a query and calls with every row as it comes.
func each[T any](ctx context.Context, q Querier, scan func(scanner) (T, error), with func(T) error, text string, args ...any) (err error) {
	rows, err := q.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return err
		}
		if err := with(one); err != nil {
			return err
		}
	}
	return rows.Err()
}

// queryOne runs a query for one row; found is false if there is none.
func queryOne[T any](ctx context.Context, q Querier, scan func(scanner) (T, error), text string, args ...any) (one T, found bool, err error) {
	rows, err := q.Query(ctx, text, args...)
	if err != nil {
		return one, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return one, false, rows.Err()
	}
	if one, err = scan(rows); err != nil {
		return one, false, err
	}
	return one, true, rows.Err()
}

// scanner is a row to scan.
type scanner interface{ Scan(dest ...any) error }

// scanValue reads a row of one column.
func scanValue[T any](row scanner) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}
