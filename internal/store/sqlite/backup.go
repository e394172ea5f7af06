package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rollcall/internal/fault"
)

// Backup writes a whole and consistent copy of the database to path, which must not exist. The
// registry can be read and written meanwhile.
func (db *DB) Backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fault.New(fault.Conflict, "", "%s exists already", path).WithHint("name another file")
	}
	// A connection of its own: VACUUM INTO writes a file, which the readers may not.
	source, err := sql.Open("sqlite", dsn(db.path, "rw", append(commonPragmas(), "secure_delete(ON)")))
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer source.Close()
	if _, err := source.ExecContext(ctx, "VACUUM INTO $1", path); err != nil {
		_ = os.Remove(path)
		return classify("back up to "+path, err)
	}
	return classify("back up to "+path, makeDurable(path))
}

// makeDurable syncs a finished file and its name.
func makeDurable(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(0o600), file.Sync(), file.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
