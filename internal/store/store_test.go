package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/internal/fault"
	"rollcall/internal/store"
	"rollcall/internal/store/pgtest"
)

var server = pgtest.Share()

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

func TestOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	for _, c := range []struct {
		name   string
		config store.Config
		want   string // the file
	}{
		{"the data directory", store.Config{DataDir: dir}, filepath.Join(dir, store.FileName)},
		{"PostgreSQL", store.Config{DatabaseURL: server.Database(t), DataDir: "/nowhere"}, ""},
		{"a file", store.Config{DatabaseURL: "sqlite://" + dir + "/other.db", DataDir: "/nowhere"}, filepath.Join(dir, "other.db")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.config.Migrate = true
			db, err := store.Open(ctx, c.config)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Ready(ctx); err != nil {
				t.Errorf("ready: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if _, err := os.Stat(c.want); c.want != "" && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url, says string }{
		{"PostgreSQL without a port", "postgres://user:hunter2@db:port/rollcall", "not one that PostgreSQL understands"},
		{"PostgreSQL by its long name", "postgresql://user:hunter2@db/rollcall?sslmode=perhaps", "not one that PostgreSQL understands"},
		{"another engine", "mysql://user:hunter2@db/rollcall", "no database engine for mysql"},
		{"a path", "/var/lib/hunter2.db", "no scheme"},
		{"no file", "sqlite://", "names no file"},
		{"a host", "sqlite://hunter2/x.db", "names no file"},
		{"no URL", "post gres://hunter2%zz", "not a URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, err := store.Open(context.Background(), store.Config{DatabaseURL: c.url, DataDir: t.TempDir()})
			if db != nil || err == nil {
				t.Fatalf("it opens: %v, %v", db, err)
			}
			f := fault.As(err)
			if f.Kind != fault.Invalid || !strings.Contains(f.Message, c.says) || f.Hint == "" {
				t.Errorf("%s error %q with hint %q; want one that says %q", f.Kind, f.Message, f.Hint, c.says)
			}
			if strings.Contains(err.Error()+f.Hint, "hunter2") {
				t.Errorf("%q repeats a secret", err)
			}
		})
	}
}

func TestOpenFailure(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), store.FileName)
	if err := os.WriteFile(file, []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), store.Config{DataDir: filepath.Dir(file)})
	if db != nil || err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v, %v; want no database and an error that names %s", db, err, file)
	}
}
