package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	sqlitedriver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"rollcall/internal/fault"
	"rollcall/internal/store/relational"
)

var errClosed = errors.New("the database is closed")

// classify gives a failure of doing something its kind. Faults and the ends of contexts pass
// as they are.
func classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	err = fmt.Errorf("%s: %w", doing, err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return relational.Full(err)
	case errors.Is(err, errClosed), errors.Is(err, driver.ErrBadConn), isPathError(err):
		return relational.Away(err)
	}
	if e := (*sqlitedriver.Error)(nil); errors.As(err, &e) {
		return classifyCode(e.Code(), err)
	}
	if e := (*resultError)(nil); errors.As(err, &e) {
		return classifyCode(e.code, err)
	}
	return err
}

// classifyCode goes by SQLite's result code. Constraints are told apart by the full code, since
// all share one primary code; families of I/O trouble go by the primary one.
func classifyCode(code int, err error) error {
	switch code {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		return relational.Clash(err)
	case lib.SQLITE_IOERR_SHMSIZE: // the wal-index could not grow: there is no room
		return relational.Full(err)
	}
	switch code & 0xff {
	case lib.SQLITE_FULL:
		return relational.Full(err)
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL,
		lib.SQLITE_CANTOPEN, lib.SQLITE_IOERR, lib.SQLITE_READONLY:
		return relational.Away(err)
	}
	return err
}

func isPathError(err error) bool {
	var e *fs.PathError
	return errors.As(err, &e)
}
