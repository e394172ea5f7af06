// Package postgres is the storage engine for several machines: the registry in a PostgreSQL
// database, version 15 or later, that any number of nodes share. It owns the schema and its
// migrations, the pool of connections, transactions and when they are run again, the
// classification of PostgreSQL's errors, and what its dialect of SQL says differently. It knows
// no rule about participants and keeps no state of its own.
//
// Nothing depends on a session: settings are made in each transaction, locks end with it, and
// statements are described but not prepared. So a pooler in transaction mode may stand between.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
	"rollcall/internal/store/relational"
	"rollcall/internal/store/schema"
)

// What can be wrong with a database.
const (
	DatabaseForeign fault.Code = "databaseForeign" // another encoding, or too old a server
	DatabaseNewer   fault.Code = "databaseNewer"   // its schema is of a newer version of this program
)

// oldestServer is the oldest version of PostgreSQL that serves, as server_version_num.
const oldestServer = 150000

// connectLimit is how long the making of a connection may take.
const connectLimit = 5 * time.Second

// leastConns is how many connections a node needs: while one holds the lock on migrations, another
// migrates.
const leastConns = 2

// Config says which database to open and how.
type Config struct {
	URL     string       // postgres://..., as libpq and pgx understand it
	Migrate bool         // bring an older schema up to this version's
	Logger  *slog.Logger // nil: no log

	RosterMemory int64 // see [relational.New]

	limits limits // zero: the usual ones; tests are less patient
}

// DB is an open database. Its methods may be called concurrently.
type DB struct {
	*relational.DB

	engine *engine
	pool   *pgxpool.Pool
	log    *slog.Logger
	name   string // of the database, for messages
}

// Open opens the database. One that is not fit to hold a registry, or has a newer schema, is
// left untouched, and the error says what is wrong.
func Open(ctx context.Context, config Config) (*DB, error) {
	settings, err := pgxpool.ParseConfig(config.URL)
	if err != nil { // the error may repeat the URL, and with it the password
		return nil, fault.New(fault.Invalid, "", "the database address is not one that PostgreSQL understands").
			WithHint("write postgres://user@host:5432/database?sslmode=verify-full; give the password in a file or as PGPASSWORD")
	}
	if !strings.Contains(config.URL, "default_query_exec_mode") {
		settings.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	settings.MaxConns = max(settings.MaxConns, leastConns)
	if settings.ConnConfig.ConnectTimeout == 0 {
		settings.ConnConfig.ConnectTimeout = connectLimit
	}
	if settings.PingTimeout == 0 {
		settings.PingTimeout = connectLimit
	}
	if settings.ConnConfig.RuntimeParams["application_name"] == "" {
		settings.ConnConfig.RuntimeParams["application_name"] = "rollcall"
	}
	log := config.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, classify("open the database", err)
	}
	e := &engine{pool: pool, log: log, limits: config.limits}
	if e.limits == (limits{}) {
		e.limits = usualLimits
	}
	db := &DB{DB: relational.New(e, config.RosterMemory), engine: e, pool: pool, log: log, name: settings.ConnConfig.Database}
	if err := db.prepare(ctx, config.Migrate); err != nil {
		pool.Close()
		return nil, err
	}
	return db, nil
}

// prepare makes sure that the database can hold a registry of this version.
func (db *DB) prepare(ctx context.Context, migrate bool) error {
	if err := db.fit(ctx); err != nil {
		return err
	}
	have, err := db.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	latest, err := schema.Latest(migrationFiles)
	if err != nil {
		return err
	}
	if have > latest {
		return fault.New(fault.Conflict, DatabaseNewer,
			"the database %s has the schema of a newer version of Rollcall (schema version %d, this one knows up to %d)", db.name, have, latest).
			WithHint("run the newer version; this one has left the database untouched")
	}
	if migrate {
		_, _, err = db.Migrate(ctx)
	}
	return err
}

// fit tells whether the server is one that the engine was made for.
func (db *DB) fit(ctx context.Context) error {
	var version int
	var encoding string
	err := db.pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')").Scan(&version, &encoding)
	if refusal := refused(err); refusal != "" {
		return fault.New(fault.Invalid, "", "the database server refuses: %s", refusal).
			WithHint("check user, password and database in the address, and that the role may connect")
	}
	switch {
	case err != nil:
		return fault.As(classify("open the database", err)).WithHint("check the address, and that the server runs and can be reached")
	case version < oldestServer:
		return fault.New(fault.Invalid, DatabaseForeign, "the server is PostgreSQL %d, and 15 or later is needed", version/10000).
			WithHint("upgrade the server")
	case encoding != "UTF8":
		return fault.New(fault.Invalid, DatabaseForeign, "the database %s has the encoding %s, and UTF8 is needed", db.name, encoding).
			WithHint("make the database with: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0")
	}
	return nil
}

// Close waits for what is under way and closes every connection. It may be called twice.
func (db *DB) Close() error {
	db.Stop()
	db.engine.closed.Store(true)
	db.pool.Close()
	return nil
}

// Ready tells whether the database answers, can be written and has this version's schema.
func (db *DB) Ready(ctx context.Context) error {
	have, err := db.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if err := schema.Fits("the database "+db.name, have, migrationFiles); err != nil {
		return err
	}
	var replica bool
	if err := db.pool.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&replica); err != nil {
		return classify("look at the database", err)
	}
	if replica {
		db.pool.Reset() // the next connection may find the primary
		return relational.Away(errors.New("the server is a replica that cannot be written"))
	}
	return db.Ping(ctx)
}

// Backup implements store.Store.
func (db *DB) Backup(context.Context, string) error {
	return fault.New(fault.Invalid, "", "a PostgreSQL database is not backed up into a file").
		WithHint("use pg_dump or a base backup, see docs/operating.md; or rollcall copy --to sqlite:///...")
}

// Check examines the whole database and lists what is wrong with it; nothing, if all is well.
func (db *DB) Check(ctx context.Context) ([]string, error) { return db.DB.Check(ctx) }

// engine implements relational.Engine.
type engine struct {
	dialect
	pool   *pgxpool.Pool
	log    *slog.Logger
	limits limits
	closed atomic.Bool

	looking sync.Mutex // held by who looks for stuck sessions
}

var _ relational.Engine = (*engine)(nil)

// Read implements relational.Engine.
func (e *engine) Read() relational.Querier { return querier{e.pool, e.limits} }

// Lookup implements relational.Engine.
func (e *engine) Lookup() relational.Querier { return e.Read() }

// Snapshot implements relational.Engine.
func (e *engine) Snapshot(ctx context.Context, fn func(q relational.Querier) error) error {
	return e.again(ctx, func() error {
		return e.transact(ctx, beginRead, nil, func(t *transaction) error { return fn(t) })
	})
}

// surveyLimit is how long one statement of a survey may take.
const surveyLimit = 6 * time.Hour

// Survey implements relational.Engine.
func (e *engine) Survey(ctx context.Context, fn func(q relational.Querier) error) error {
	patient := &engine{pool: e.pool, log: e.log, limits: e.limits}
	patient.limits.statement = surveyLimit
	return patient.Snapshot(ctx, fn)
}

// How transactions begin, whatever level the server has as its default.
const (
	beginRead  = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	beginWrite = "BEGIN ISOLATION LEVEL READ COMMITTED" // not READ WRITE: a server that is to be left says READ ONLY
)

// Write implements relational.Engine. The transaction holds the lock of the study's row of
// counters from its beginning, so what it reads of the study afterwards is the latest and stays.
func (e *engine) Write(ctx context.Context, study registry.StudyID, fn func(context.Context, relational.Transaction) error) error {
	return e.again(ctx, func() error {
		return e.transact(ctx, beginWrite, &study, func(t *transaction) error { return fn(ctx, t) })
	})
}

// Touch implements relational.Engine.
func (e *engine) Touch(ctx context.Context, fn func(context.Context, relational.Transaction) error) error {
	return e.again(ctx, func() error {
		return e.transact(ctx, beginWrite, nil, func(t *transaction) error { return fn(ctx, t) })
	})
}

// trailLock is an advisory lock that writers of audit events share. Who takes it alone knows
// that no transaction is under way that has been given a position.
const trailLock = 0x5243414c01

// SettledPosition implements relational.Engine.
func (e *engine) SettledPosition(ctx context.Context) (position int64, err error) {
	err = e.again(ctx, func() error {
		return e.transact(ctx, beginWrite, nil, func(t *transaction) error {
			ctx, cancel := e.limits.bound(ctx)
			defer cancel()
			if _, err := t.conn.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(trailLock)); err != nil {
				return err
			}
			return t.conn.QueryRow(ctx, "SELECT coalesce(max(position), 0) FROM audit_events").Scan(&position)
		})
	})
	return position, err
}

// RunOn implements relational.Engine.
func (e *engine) RunOn(ctx context.Context, w relational.Transaction) error {
	for _, c := range []struct{ table, column string }{
		{"studies", "study_id"}, {"sites", "id"}, {"users", "id"}, {"service_accounts", "id"}, {"audit_events", "position"},
	} {
		_, err := w.Exec(ctx, "SELECT setval(pg_get_serial_sequence($1, $2), max("+c.column+")) FROM "+c.table, c.table, c.column)
		if err != nil {
			return err
		}
	}
	return nil
}

// Classify implements relational.Engine.
func (e *engine) Classify(doing string, err error) error {
	if err != nil && e.closed.Load() {
		return relational.Away(fmt.Errorf("%s: the database is closed: %w", doing, err))
	}
	return classify(doing, err)
}

// tries is how often a transaction is run that the database gave up in favour of another.
const tries = 10

// again runs a transaction again while the database gives it up in favour of another.
func (e *engine) again(ctx context.Context, run func() error) error {
	for try := 1; ; try++ {
		err := run()
		if err == nil || try == tries || !gaveWay(err) {
			return err
		}
		e.log.DebugContext(ctx, "transaction run again", "try", try, "error", err)
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// pause waits longer with each try, up to about a fifth of a second.
func pause(ctx context.Context, try int) error {
	timer := time.NewTimer(time.Duration(try*try) * 2 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to run a transaction again: %w", ctx.Err())
	}
}
