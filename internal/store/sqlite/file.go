package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"rollcall/internal/fault"
	"rollcall/internal/store/schema"
)

// What can be wrong with a database file.
const (
	FileForeign fault.Code = "databaseForeign" // not a database, or another program's
	FileDamaged fault.Code = "databaseDamaged"
	FileNewer   fault.Code = "databaseNewer" // written by a newer version of this program
)

const headerSize = 100 // of an SQLite file, see its file format, section 1.3

// prepareFile makes sure that path is a database that this version can open: it makes a new
// one or inspects the one that is there, without changing it.
func prepareFile(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(ctx, path)
	}
	if err != nil {
		return classify("look at the database file", err)
	}
	if info.IsDir() {
		return foreign(path, "it is a directory")
	}
	if info.Size() == 0 {
		return foreign(path, "it is empty").WithHint("remove it if you want a new registry")
	}
	if err := inspectHeader(path, info.Size()); err != nil {
		return err
	}
	have, err := inspectVersion(ctx, path)
	if err != nil {
		return err
	}
	latest, err := schema.Latest(migrationFiles)
	if err != nil {
		return err
	}
	if have > latest {
		return fault.New(fault.Conflict, FileNewer,
			"%s was written by a newer version of Rollcall (schema version %d, this one knows up to %d)", path, have, latest).
			WithHint("run the newer version; this one has left the file untouched")
	}
	return nil
}

// inspectHeader reads the first bytes of the file without SQLite, which might change a file
// that is not ours.
func inspectHeader(path string, size int64) error {
	file, err := os.Open(path)
	if err != nil {
		return classify("open the database file", err)
	}
	defer file.Close()
	var header [headerSize]byte
	n, err := io.ReadFull(file, header[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return classify("read the database file", err)
	}
	if magic := []byte("SQLite format 3\x00"); !bytes.HasPrefix(header[:n], magic) {
		return foreign(path, "it is not an SQLite database")
	}
	if n < headerSize {
		return damaged(path, "it ends within its header", nil)
	}
	if id := binary.BigEndian.Uint32(header[68:]); id != applicationID {
		return foreign(path, "it is the SQLite database of another program")
	}
	page := int64(binary.BigEndian.Uint16(header[16:]))
	if page == 1 {
		page = 65536
	}
	if page < 512 || page&(page-1) != 0 {
		return damaged(path, "its header names no valid page size", nil)
	}
	if size < page {
		return damaged(path, "it ends within its first page", nil)
	}
	return nil
}

// inspectVersion reads the schema version. Without a write-ahead log beside it the file is
// read as immutable, so that SQLite makes no files of its own next to it.
func inspectVersion(ctx context.Context, path string) (int64, error) {
	info, err := os.Stat(path + "-wal")
	hasLog := err == nil && info.Size() > 0
	name := dsn(path, "ro", commonPragmas())
	if !hasLog {
		name += "&immutable=1"
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return 0, fmt.Errorf("inspect %s: %w", path, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	version, err := schemaVersion(ctx, db)
	if err != nil {
		if err = classify("inspect "+path, err); fault.KindOf(err) == fault.Unavailable || ctx.Err() != nil {
			return 0, err
		}
		return 0, damaged(path, "its schema cannot be read", err)
	}
	return version, nil
}

// create makes a new database under another name and then gives it its own, so that at path
// there is never half a database, whatever happens meanwhile.
func create(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return classify("make the data directory", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".new-database-*")
	if err != nil {
		return classify("make the database file", err)
	}
	defer os.Remove(draft.Name()) //nolint:errcheck // gone already where the name could not be linked
	if err := draft.Close(); err != nil {
		return classify("make the database file", err)
	}
	db, err := sql.Open("sqlite", dsn(draft.Name(), "rw", []string{
		"synchronous(FULL)", fmt.Sprintf("application_id(%d)", applicationID), "journal_mode(WAL)",
	}))
	if err != nil {
		return fmt.Errorf("make the database file: %w", err)
	}
	if err := errors.Join(db.PingContext(ctx), db.Close()); err != nil {
		return classify("make the database file", err)
	}
	// A link never replaces what another process has put there meanwhile.
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(draft.Name(), path); err != nil { // no links on this file system
			return classify("name the database file", err)
		}
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes names in the directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return classify("open the data directory", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return classify("sync the data directory", err)
	}
	return nil
}

func foreign(path, what string) *fault.Error {
	return fault.New(fault.Conflict, FileForeign, "%s is not a Rollcall database: %s", path, what).
		WithHint("name another file or data directory; this one was left untouched")
}

func damaged(path, what string, cause error) error {
	f := fault.Wrap(fault.Conflict, cause, "%s is damaged: %s", path, what)
	f.Code = FileDamaged
	return f.WithHint("restore a backup; the file was left untouched")
}
