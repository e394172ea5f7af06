// Package sqlite is the storage engine for one machine: the registry in one SQLite file. It
// owns the schema and its migrations, the opening and locking of the file, the SQL, and the
// classification of SQLite's errors. It knows no rule about participants: what it is told to
// write it writes, whole or not at all.
//
// There is one writing connection, held by one transaction at a time (BEGIN IMMEDIATE), a pool
// of connections that can only read, and another for looking up single rows.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // registers the driver

	"rollcall/internal/store/relational"
	"rollcall/internal/store/schema"
)

// applicationID marks a database file as Rollcall's ("RCAL"), see PRAGMA application_id.
const applicationID = 0x5243414c

// readers is how many connections read at a time.
const readers = 4

// Config says which file to open and how.
type Config struct {
	Path    string       // the database file; it is made if it does not exist
	Migrate bool         // bring an older schema up to this version's
	Logger  *slog.Logger // nil: no log

	RosterMemory int64 // see [relational.New]

	maxPages int // limits the file's size in tests; 0: no limit
}

// DB is an open database. Its methods may be called concurrently.
type DB struct {
	*relational.DB

	path   string
	config Config
	log    *slog.Logger
	write  *writer
	read   *sql.DB
	lookup *lookups
	engine *engine
}

// Open opens the database file, or makes a new one. A file that is not ours, is damaged or was
// written by a newer version is left untouched, and the error names it and what is wrong.
func Open(ctx context.Context, config Config) (*DB, error) {
	log := config.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := prepareFile(ctx, config.Path); err != nil {
		return nil, err
	}
	db := &DB{path: config.Path, config: config, log: log}
	if config.Migrate {
		if _, _, err := db.Migrate(ctx); err != nil {
			return nil, err
		}
	}
	if err := db.connect(ctx); err != nil {
		return nil, errors.Join(classify("open "+config.Path, err), db.Close())
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context) error {
	pool, err := sql.Open("sqlite", db.writerDSN())
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(1)
	db.write = newWriter(pool)
	db.write.erasedInLog = true // a process that crashed may have left erased values there
	if err := pool.PingContext(ctx); err != nil {
		return err
	}
	db.read, err = sql.Open("sqlite", dsn(db.path, "ro", readerPragmas()))
	if err != nil {
		return err
	}
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	db.lookup = newLookups(db.path)
	db.engine = &engine{write: db.write, read: db.read, lookup: db.lookup, queries: statements{prepare: db.read.PrepareContext}}
	db.DB = relational.New(db.engine, db.config.RosterMemory)
	return db.read.PingContext(ctx)
}

// Close waits for the transaction that is being written, then closes every connection. The
// last one to close the file folds the write-ahead log into it.
func (db *DB) Close() error {
	if db.DB != nil {
		db.Stop()
	}
	var errs []error
	if db.lookup != nil {
		errs = append(errs, db.lookup.close())
	}
	if db.read != nil {
		if db.engine != nil {
			errs = append(errs, db.engine.queries.close())
		}
		errs = append(errs, db.read.Close())
	}
	if db.write != nil {
		errs = append(errs, db.write.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %s: %w", db.path, err)
	}
	return nil
}

// Ready tells whether the database answers and has this version's schema.
func (db *DB) Ready(ctx context.Context) error {
	have, err := db.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if err := schema.Fits(db.path, have, migrationFiles); err != nil {
		return err
	}
	return db.Ping(ctx)
}

// The pragmas of a connection. Every connection runs them when it is made, since they come
// with the DSN; busy_timeout is first so that those after it wait for a lock.

func commonPragmas() []string {
	return []string{
		"busy_timeout(10000)",
		"foreign_keys(ON)",
		"temp_store(MEMORY)",
		"trusted_schema(OFF)",
	}
}

func (db *DB) writerDSN() string {
	pragmas := append(commonPragmas(),
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"secure_delete(ON)",
		"cache_size(-49152)",
		"wal_autocheckpoint(16000)",
		"journal_size_limit(67108864)",
	)
	if db.config.maxPages > 0 {
		pragmas = append(pragmas, fmt.Sprintf("max_page_count(%d)", db.config.maxPages))
	}
	return dsn(db.path, "rw", pragmas) + "&_txlock=immediate"
}

func readerPragmas() []string {
	return append(commonPragmas(), "cache_size(-4096)", "query_only(ON)")
}

// fileURI names the file as a URI, so that mode applies; a missing file is never made by it.
func fileURI(path, mode string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=" + mode
}

// dsn is the URI with what the driver does to each new connection.
func dsn(path, mode string, pragmas []string) string {
	var b strings.Builder
	b.WriteString(fileURI(path, mode) + "&_dqs=0&_defensive=1")
	for _, pragma := range pragmas {
		b.WriteString("&_pragma=" + url.QueryEscape(pragma))
	}
	return b.String()
}
