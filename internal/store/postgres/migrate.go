package postgres

import (
	"context"
	"embed"
	"errors"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/database"

	"rollcall/internal/fault"
	"rollcall/internal/store/schema"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrationLock is an advisory lock: who holds it migrates, and all others wait.
const migrationLock = 0x5243414c00

// SchemaVersion reads the schema version of the database; 0 for a new one.
func (db *DB) SchemaVersion(ctx context.Context) (int64, error) {
	var known bool
	err := db.pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", schema.Table).Scan(&known)
	if err != nil || !known {
		return 0, classify("read the schema version", err)
	}
	var version int64
	err = db.pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+schema.Table+" WHERE is_applied").Scan(&version)
	return version, classify("read the schema version", err)
}

// Migrate brings the schema up to this program's version and tells from which version to which
// it went. Each migration is one transaction. Of several nodes that start at once one migrates
// and the others find the work done.
func (db *DB) Migrate(ctx context.Context) (from, to int64, err error) {
	if to, err = schema.Latest(migrationFiles); err != nil {
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
	pool := stdlib.OpenDBFromPool(db.pool)
	defer func() { err = errors.Join(err, pool.Close()) }()
	provider, err := schema.Migrator(database.DialectPostgres, pool, migrationFiles)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	if mayNot(err) {
		return fault.New(fault.Invalid, "", "this role may not change the schema of the database %s", db.name).
			WithHint("run rollcall migrate as the role that owns it, before nodes of this version start")
	}
	return classify("migrate", err)
}
