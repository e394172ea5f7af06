package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// versionTable is where goose keeps which migrations have run.
const versionTable = "goose_db_version"

// migrationLock is an advisory lock: who holds it migrates, and all others wait.
const migrationLock = 0x5243414c00

// latestVersion is the schema version of this program: that of its newest migration.
func latestVersion() (int64, error) {
	entries, err := migrationFiles.ReadDir("migrations")
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

// SchemaVersion reads the schema version of the database; 0 for a new one.
func (db *DB) SchemaVersion(ctx context.Context) (int64, error) {
	var known bool
	err := db.pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&known)
	if err != nil || !known {
		return 0, classify("read the schema version", err)
	}
	var version int64
	err = db.pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable+" WHERE is_applied").Scan(&version)
	return version, classify("read the schema version", err)
}

// Migrate brings the schema up to this program's version and tells from which version to which
// it went. Each migration is one transaction. Of several nodes that start at once one migrates
// and the others find the work done.
func (db *DB) Migrate(ctx context.Context) (from, to int64, err error) {
	if to, err = latestVersion(); err != nil {
		return 0, 0, err
	}
	if from, err = db.SchemaVersion(ctx); err != nil || from >= to {
		return from, from, err
	}
	// The lock belongs to a transaction of its own, so that it works behind a pooler too.
	holder, err := db.pool.Begin(ctx)
	if err != nil {
		return from, from, classify("migrate", err)
	}
	defer func() { err = errors.Join(err, classify("migrate", holder.Rollback(context.WithoutCancel(ctx)))) }()
	// It may be held for long: neither the server nor the role may end it for idling.
	const unlimited = `SELECT set_config('idle_in_transaction_session_timeout', '0', true),
		set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)`
	if _, err := holder.Exec(ctx, unlimited); err != nil {
		return from, from, classify("migrate", err)
	}
	if _, err := holder.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return from, from, classify("wait to migrate", err)
	}
	if from, err = db.SchemaVersion(ctx); err != nil || from >= to {
		return from, from, err
	}
	if err := db.up(ctx); err != nil {
		return from, from, err
	}
	db.log.InfoContext(ctx, "database migrated", "database", db.name, "from", from, "to", to)
	return from, to, nil
}

func (db *DB) up(ctx context.Context) (err error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	pool := stdlib.OpenDBFromPool(db.pool)
	defer func() { err = errors.Join(err, pool.Close()) }()
	provider, err := goose.NewProvider(database.DialectPostgres, pool, files,
		goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	_, err = provider.Up(ctx)
	return classify("migrate", err)
}
