// Package store picks the storage engine and opens it. It owns the one interface that names
// everything a running server needs stored; above it nobody knows which engine that is.
package store

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store/postgres"
	"rollcall/internal/store/relational"
	"rollcall/internal/store/sqlite"
	"rollcall/internal/store/trail"
)

// Store is an open database. Its laws are in store/storetest.
type Store interface {
	registry.Store
	access.Store
	access.SessionStore
	config.Store
	jobs.Store

	// RecordEvents remembers events of a study (0 for the deployment) outside a change: what
	// was read or requested.
	RecordEvents(ctx context.Context, study registry.StudyID, at time.Time, events []audit.Event) error

	// AuditEvents reads the audit trail, oldest first.
	AuditEvents(ctx context.Context, filter trail.Filter) ([]trail.Record, error)

	// ParticipantEvents reads the events about one participant, newest first, up to limit from
	// before a number on; 0 begins with the newest.
	ParticipantEvents(ctx context.Context, study registry.StudyID, id registry.ID, before int64, limit int) ([]audit.Event, error)

	// RecentEvents reads up to limit of the last events of a study, newest first; with sites
	// those about participants who are at one of them now.
	RecentEvents(ctx context.Context, study registry.StudyID, sites []registry.SiteID, limit int) ([]audit.Event, error)

	// SearchEvents reads the events of a study that a search asks for, newest first.
	SearchEvents(ctx context.Context, study registry.StudyID, s audit.Search) ([]audit.Event, error)

	// CheckNumbering looks at the numbers of all events of a study.
	CheckNumbering(ctx context.Context, study registry.StudyID) (audit.Numbering, error)

	// Tally counts a study's participants, and TallyVersion reads what its Version would be now.
	TallyVersion(ctx context.Context, study registry.StudyID) (int64, error)
	Tally(ctx context.Context, study registry.StudyID) (*registry.Tally, error)

	// ServerKey answers the server's own secret of that name and size in bytes. It is made the
	// first time that anybody asks; every process gets the same.
	ServerKey(ctx context.Context, name string, size int) ([]byte, error)

	// Migrate brings the schema up to this program's version and tells from which version to
	// which it went.
	Migrate(ctx context.Context) (from, to int64, err error)

	// Whole answers an error for a registry that is a copy which is not finished yet.
	Whole(ctx context.Context) error

	// SchemaVersion reads the version of the schema; 0 for a new database.
	SchemaVersion(ctx context.Context) (int64, error)

	// Ready tells whether the database answers and has this program's schema.
	Ready(ctx context.Context) error

	// Ping tells whether the database answers.
	Ping(ctx context.Context) error

	// Backup writes a whole and consistent copy to a file that must not exist.
	Backup(ctx context.Context, path string) error

	// Check examines the whole database and lists what is wrong with it.
	Check(ctx context.Context) ([]string, error)

	Close() error
}

var (
	_ Store = (*sqlite.DB)(nil)
	_ Store = (*postgres.DB)(nil)
)

// FileName is the name of the database in a data directory.
const FileName = "rollcall.db"

// Config says which database to open.
type Config struct {
	DatabaseURL string // empty: FileName in DataDir
	DataDir     string
	Migrate     bool // bring an older schema up to this program's version
	Logger      *slog.Logger

	RosterMemory int64 // bytes that the rosters of studies may take; 0: [relational.DefaultRosterMemory]
}

// Open opens the database, or makes a new one in the data directory. An address that it cannot
// serve is fault.Invalid.
func Open(ctx context.Context, c Config) (Store, error) {
	if Shared(c.DatabaseURL) {
		db, err := postgres.Open(ctx, postgres.Config{URL: c.DatabaseURL, Migrate: c.Migrate, Logger: c.Logger, RosterMemory: c.RosterMemory})
		if err != nil {
			return nil, err // not db, which would be an interface that is not nil
		}
		return db, nil
	}
	path, err := sqlitePath(c)
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Migrate: c.Migrate, Logger: c.Logger, RosterMemory: c.RosterMemory})
	if err != nil {
		return nil, err // as above
	}
	return db, nil
}

// Shared tells whether a database address names a server, which any number of nodes may share.
func Shared(databaseURL string) bool {
	scheme, _, _ := strings.Cut(databaseURL, ":")
	return scheme == "postgres" || scheme == "postgresql"
}

// Copy copies a whole registry into an empty database, or goes on with a copy that was cut off,
// and compares every row, see [relational.Copy].
func Copy(
	ctx context.Context, from, to Store, files func(ctx context.Context) error, progress relational.Progress,
) ([]relational.Sum, error) {
	return relational.Copy(ctx, core(from), core(to), files, progress)
}

// File is the file of the database that an address names; "" if the address names a server.
func File(databaseURL string) (string, error) {
	if Shared(databaseURL) {
		return "", nil
	}
	return sqlitePath(Config{DatabaseURL: databaseURL})
}

// core is what both engines have in common.
func core(st Store) *relational.DB {
	switch db := st.(type) {
	case *sqlite.DB:
		return db.DB
	case *postgres.DB:
		return db.DB
	default:
		panic(fmt.Sprintf("no engine: %T", st)) // Open makes no other
	}
}

// Lock takes the data directory for this process alone, see [sqlite.Lock].
func Lock(dir, who string) (release func() error, err error) { return sqlite.Lock(dir, who) }

// sqlitePath is the database file that the configuration means.
func sqlitePath(c Config) (string, error) {
	if c.DatabaseURL == "" {
		return filepath.Join(c.DataDir, FileName), nil
	}
	// The address may hold a password: no message repeats more of it than its scheme.
	address, err := url.Parse(c.DatabaseURL)
	if err != nil {
		return "", fault.New(fault.Invalid, "", "the database address is not a URL").
			WithHint("leave --database-url out to use SQLite in the data directory")
	}
	switch address.Scheme {
	case "sqlite":
		if path := address.Opaque + address.Path; path != "" && address.Host == "" {
			return path, nil
		}
		return "", fault.New(fault.Invalid, "", "the database address names no file").
			WithHint("write sqlite:///absolute/path/to/rollcall.db")
	case "":
		return "", fault.New(fault.Invalid, "", "the database address has no scheme").
			WithHint("write postgres://user@host/database or sqlite:///absolute/path/to/rollcall.db, or leave --database-url out")
	}
	return "", fault.New(fault.Invalid, "", "there is no database engine for %s: addresses", address.Scheme).
		WithHint("leave --database-url out to use SQLite in the data directory")
}
