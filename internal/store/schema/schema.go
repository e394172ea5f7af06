// Package schema owns how migrations are numbered, found and run, the same for every engine. It
// knows no table and no driver: an engine brings its own migrations, embedded as files in a
// folder migrations, and its own way to read the version that it has.
package schema

import (
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"rollcall/internal/fault"
)

// Table is where goose keeps which migrations have run.
const Table = "goose_db_version"

// folder is where the migrations are.
const folder = "migrations"

// Migrator is who runs an engine's migrations.
func Migrator(dialect database.Dialect, db *sql.DB, migrations embed.FS) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true), goose.WithTableName(Table))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return provider, nil
}

// Latest is the schema version of this program: that of its newest migration.
func Latest(migrations embed.FS) (int64, error) {
	entries, err := migrations.ReadDir(folder)
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	var latest int64
	for _, entry := range entries {
		version, err := goose.NumericComponent(entry.Name())
		if err != nil {
			return 0, fmt.Errorf("read the migrations: %w", err)
		}
		latest = max(latest, version)
	}
	return latest, nil
}

// Fits answers fault.Unavailable unless the named database has this program's schema version.
func Fits(name string, have int64, migrations embed.FS) error {
	want, err := Latest(migrations)
	if err == nil && have != want {
		err = fault.New(fault.Unavailable, "", "%s has schema version %d, this program needs %d", name, have, want).
			WithHint("run: rollcall migrate")
	}
	return err
}
