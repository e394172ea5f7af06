// Package enginetest is test support: it runs a test on every storage engine, each time on a
// database of its own with this version's schema and nothing in it. It knows nothing of what a
// test does with the database.
//
//	var engines = enginetest.Share()
//
//	func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		t.Parallel()
//		engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
//			db := engine.Open(t)
package enginetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"rollcall/internal/store"
	"rollcall/internal/store/pgtest"
)

// Engines are the storage engines that the tests of a package share.
type Engines struct {
	server *pgtest.Shared
	file   func() ([]byte, error)
}

// Share answers the engines. PostgreSQL starts with the first test that asks for it, and ends
// with [Engines.Main].
func Share() *Engines {
	return &Engines{server: pgtest.Share(), file: sync.OnceValues(pristine)}
}

// Main runs the tests, ends PostgreSQL and answers the code to exit with.
func (e *Engines) Main(m interface{ Run() int }) int { return e.server.Main(m) }

// Engine makes databases.
type Engine struct {
	Name   string // sqlite or postgres
	config func(t testing.TB) store.Config
}

// Config makes a database and answers how to open it. Any number of databases in one test do
// not know of each other.
func (e Engine) Config(t testing.TB) store.Config {
	t.Helper()
	return e.config(t)
}

// Open makes a database and opens it until the test ends.
func (e Engine) Open(t testing.TB) store.Store {
	t.Helper()
	return Open(t, e.Config(t))
}

// Open opens a database until the test ends.
func Open(t testing.TB, c store.Config) store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return db
}

// SQLite is the engine for one machine.
func (e *Engines) SQLite() Engine {
	return Engine{"sqlite", func(t testing.TB) store.Config {
		t.Helper()
		file, err := e.file()
		if err != nil {
			t.Fatalf("make a database: %v", err)
		}
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, store.FileName), file, 0o600); err != nil {
			t.Fatal(err)
		}
		return store.Config{DataDir: folder}
	}}
}

// Postgres is the engine for several machines.
func (e *Engines) Postgres() Engine {
	return Engine{"postgres", func(t testing.TB) store.Config {
		t.Helper()
		return store.Config{DatabaseURL: e.server.Prepared(t, "migrated", func(url string) error {
			return migrated(store.Config{DatabaseURL: url})
		})}
	}}
}

// Each runs the test on each engine, as parallel subtests.
func (e *Engines) Each(t *testing.T, test func(t *testing.T, engine Engine)) {
	t.Helper()
	for _, engine := range []Engine{e.SQLite(), e.Postgres()} {
		t.Run(engine.Name, func(t *testing.T) {
			t.Parallel()
			test(t, engine)
		})
	}
}

func migrated(c store.Config) error {
	c.Migrate = true
	db, err := store.Open(context.Background(), c)
	if err != nil {
		return err
	}
	return db.Close()
}

// pristine is the file of a new database. To make it takes longer than many tests.
func pristine() (file []byte, err error) {
	folder, err := os.MkdirTemp("", "rollcall-test-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := migrated(store.Config{DataDir: folder}); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(folder, store.FileName))
}
