package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3/database"

	"rollcall/internal/store/schema"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// schemaVersion reads the version of the newest migration that has run; 0 for a new database.
func schemaVersion(ctx context.Context, db *sql.DB) (int64, error) {
	var tables int
	err := db.QueryRowContext(ctx,
		"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1", schema.Table).Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	var version sql.NullInt64
	err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM "+schema.Table+" WHERE is_applied = 1").Scan(&version)
	return version.Int64, err
}

// SchemaVersion reads the schema version of the database; 0 for a new one.
func (db *DB) SchemaVersion(ctx context.Context) (int64, error) {
	version, err := schemaVersion(ctx, db.read)
	return version, classify("read the schema version", err)
}

// Migrate brings the schema up to this program's version and tells from which version to which
// it went. Each migration is one transaction. Another process may migrate at the same time:
// the loser of a race finds the work done.
func (db *DB) Migrate(ctx context.Context) (from, to int64, err error) {
	pool, err := sql.Open("sqlite", db.writerDSN())
	if err != nil {
		return 0, 0, fmt.Errorf("migrate: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)

	if to, err = schema.Latest(migrationFiles); err != nil {
		return 0, 0, err
	}
	if from, err = schemaVersion(ctx, pool); err != nil {
		return 0, 0, classify("migrate", err)
	}
	provider, err := schema.Migrator(database.DialectSQLite3, pool, migrationFiles)
	if err != nil {
		return from, from, err
	}
	for at := from; at < to; {
		_, err = provider.Up(ctx)
		now, readErr := schemaVersion(ctx, pool)
		if readErr != nil {
			return from, at, classify("migrate", readErr)
		}
		if err != nil && now == at {
			return from, at, classify("migrate", err)
		}
		at = now // somebody got further, this process or another
	}
	if from < to {
		db.log.InfoContext(ctx, "database migrated", "file", db.path, "from", from, "to", to)
	}
	return from, to, nil
}
