package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
	"rollcall/internal/store/sqlite"
)

// execRaw runs a statement on the file beside the engine.
func execRaw(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// contents is every file of the directory with its bytes.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			all[e.Name()] = "(directory)"
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(data)
	}
	return all
}

// edit changes bytes of a file at an offset.
func edit(t *testing.T, path string, offset int64, data string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(data), offset); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRefusedFiles: what cannot be opened is named and left as it is, byte for byte, with
// nothing new beside it.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	ours := func(t *testing.T, path string) {
		t.Helper()
		if err := open(t, path).Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		code fault.Code
		says string
	}{
		{"text", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("Dear diary, ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, sqlite.FileForeign, "not an SQLite database"},
		{"an empty file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, sqlite.FileForeign, "empty"},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, sqlite.FileForeign, "directory"},
		{"another program's database", func(t *testing.T, path string) {
			execRaw(t, path, "CREATE TABLE recipes (name TEXT)")
		}, sqlite.FileForeign, "another program"},
		{"another program's database in WAL mode", func(t *testing.T, path string) {
			execRaw(t, path, "PRAGMA journal_mode = WAL; CREATE TABLE participants (name TEXT)")
		}, sqlite.FileForeign, "another program"},
		{"another program's database with an id of its own", func(t *testing.T, path string) {
			execRaw(t, path, "PRAGMA application_id = 252006673; CREATE TABLE t (x)")
		}, sqlite.FileForeign, "another program"},
		{"a database cut within its header", func(t *testing.T, path string) {
			ours(t, path)
			if err := os.Truncate(path, 50); err != nil {
				t.Fatal(err)
			}
		}, sqlite.FileDamaged, "header"},
		{"a database cut within its first page", func(t *testing.T, path string) {
			ours(t, path)
			if err := os.Truncate(path, 1000); err != nil {
				t.Fatal(err)
			}
		}, sqlite.FileDamaged, "first page"},
		{"a database cut in the middle", func(t *testing.T, path string) {
			ours(t, path)
			if err := os.Truncate(path, 3*4096); err != nil {
				t.Fatal(err)
			}
		}, sqlite.FileDamaged, "cannot be read"},
		{"an unreadable schema", func(t *testing.T, path string) {
			ours(t, path)
			edit(t, path, 100, strings.Repeat("\xff", 3000))
		}, sqlite.FileDamaged, "cannot be read"},
		{"a page size that cannot be", func(t *testing.T, path string) {
			ours(t, path)
			edit(t, path, 16, "\x10\x01")
		}, sqlite.FileDamaged, "page size"},
		{"a newer version's database", func(t *testing.T, path string) {
			ours(t, path)
			execRaw(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		}, sqlite.FileNewer, "newer version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "rollcall.db")
			c.make(t, path)
			before := contents(t, dir)
			db, err := sqlite.Open(context.Background(), sqlite.Config{Path: path, Migrate: true})
			if err == nil {
				_ = db.Close()
				t.Fatal("it opens")
			}
			if f := fault.As(err); f.Code != c.code || !strings.Contains(f.Message, path) || !strings.Contains(f.Message, c.says) || f.Hint == "" {
				t.Errorf("error %q, code %q, hint %q; want code %q, naming %s and saying %q", err, f.Code, f.Hint, c.code, path, c.says)
			}
			if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
				t.Errorf("the directory has changed (-before +after):\n%.500s", diff)
			}
		})
	}
}

// TestNewerWithLog: a newer version's database is recognised by what stands in its write-ahead
// log alone, as after a crash.
func TestNewerWithLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rollcall.db")
	running := open(t, path)
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	crashed := filepath.Join(t.TempDir(), "rollcall.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err = sqlite.Open(context.Background(), sqlite.Config{Path: crashed, Migrate: true})
	if !fault.HasCode(err, sqlite.FileNewer) {
		t.Errorf("%v, want %s", err, sqlite.FileNewer)
	}
	for _, suffix := range []string{"", "-wal"} {
		was, _ := os.ReadFile(path + suffix)
		is, err := os.ReadFile(crashed + suffix)
		if err != nil || string(is) != string(was) {
			t.Errorf("rollcall.db%s has changed, %v", suffix, err)
		}
	}
	_ = running.Close()
}

func TestNewDatabase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "as needed")
	path := filepath.Join(dir, "rollcall #1?%41.db") // a name is a name, not a URI
	db := open(t, path)
	if err := db.Ready(context.Background()); err != nil {
		t.Errorf("ready: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for name := range contents(t, dir) {
		names = append(names, name)
	}
	if diff := cmp.Diff([]string{"rollcall #1?%41.db"}, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for of, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Stat(of)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", of, got, want)
		}
	}
}

// TestOpenTogether: many processes that open a missing database at once all get the same one.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "rollcall.db")
	keys := make(chan string, 6)
	for range cap(keys) {
		go func() {
			db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Migrate: true})
			if err != nil {
				keys <- err.Error()
				return
			}
			key, err := db.ServerKey(ctx, "any", 32)
			if err := errors.Join(err, db.Close()); err != nil {
				keys <- err.Error()
				return
			}
			keys <- string(key)
		}()
	}
	first := <-keys
	if len(first) != 32 {
		t.Fatal(first)
	}
	for range cap(keys) - 1 {
		if key := <-keys; key != first {
			t.Errorf("another database: %q", key)
		}
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "rollcall.db")
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ready(ctx); err == nil || fault.As(err).Hint == "" {
		t.Errorf("ready without a schema: %v", err)
	}
	from, to, err := db.Migrate(ctx)
	if err != nil || from != 0 || to == 0 {
		t.Fatalf("migrated from %d to %d, %v", from, to, err)
	}
	if have, err := db.SchemaVersion(ctx); err != nil || have != to {
		t.Errorf("version %d, %v; want %d", have, err, to)
	}
	if err := db.Ready(ctx); err != nil {
		t.Errorf("ready: %v", err)
	}
	if again, to2, err := db.Migrate(ctx); err != nil || again != to || to2 != to {
		t.Errorf("migrated again from %d to %d, %v; want from %d to %d", again, to2, err, to, to)
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "rollcall.db"))
	key, err := db.ServerKey(ctx, "any", 32)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copied := filepath.Join(dir, "it's a copy.db")
	if err := db.Backup(ctx, copied); err != nil {
		t.Fatalf("back up: %v", err)
	}
	if err := db.Backup(ctx, copied); fault.KindOf(err) != fault.Conflict {
		t.Errorf("backing up over a file: %v, want a conflict", err)
	}
	if files := contents(t, dir); len(files) != 1 {
		t.Errorf("%d files, want the backup alone", len(files))
	}
	from := open(t, copied)
	if got, err := from.ServerKey(ctx, "any", 32); err != nil || string(got) != string(key) {
		t.Errorf("the backup has another key, %v", err)
	}
	if problems, err := from.Check(ctx); err != nil || len(problems) != 0 {
		t.Errorf("problems of the backup: %q, %v", problems, err)
	}
	if err := db.Backup(ctx, filepath.Join(dir, "no such place", "x.db")); err == nil {
		t.Error("a backup to a directory that is not there succeeds")
	}
}
