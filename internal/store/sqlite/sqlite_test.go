package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"rollcall/internal/store/sqlite"
	"rollcall/internal/store/storetest"
)

// open opens a database with this version's schema.
func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), sqlite.Config{Path: path, Migrate: true})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// fresh is a new database.
func fresh(t testing.TB) storetest.Opener {
	path := filepath.Join(t.TempDir(), "rollcall.db")
	return func() (storetest.Engine, error) {
		return sqlite.Open(context.Background(), sqlite.Config{Path: path, Migrate: true})
	}
}

func TestLaws(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Opener { return fresh(t) })
}

func BenchmarkWrite(b *testing.B) {
	storetest.BenchmarkWrite(b, func(b *testing.B) storetest.Opener { return fresh(b) })
}

func BenchmarkQuery(b *testing.B) {
	storetest.BenchmarkQuery(b, func(b *testing.B) storetest.Opener { return fresh(b) })
}
