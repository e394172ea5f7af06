package postgres_test

import (
	"context"
	"net/url"
	"os"
	"testing"

	"rollcall/internal/store/pgtest"
	"rollcall/internal/store/postgres"
	"rollcall/internal/store/storetest"
)

var server = pgtest.Share()

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// migrated is a database with this version's schema.
func migrated(t testing.TB) string {
	t.Helper()
	return server.Prepared(t, "migrated", func(url string) error {
		db, err := postgres.Open(context.Background(), postgres.Config{URL: url, Migrate: true})
		if err != nil {
			return err
		}
		return db.Close()
	})
}

// open opens a database as one node does.
func open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(context.Background(), postgres.Config{URL: url, Migrate: true})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// fresh is a new database.
func fresh(t testing.TB) storetest.Opener {
	url := migrated(t)
	return func() (storetest.Engine, error) {
		return postgres.Open(context.Background(), postgres.Config{URL: url})
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

// TestLawsBehindPooler: every law holds where connections are lent out for one transaction at a
// time.
func TestLawsBehindPooler(t *testing.T) {
	t.Parallel()
	pooler, err := url.Parse(pgtest.PgBouncer(t, server.Database(t)))
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		behind, err := url.Parse(migrated(t))
		if err != nil {
			t.Fatal(err)
		}
		behind.Host = pooler.Host
		url := behind.String()
		return func() (storetest.Engine, error) {
			return postgres.Open(context.Background(), postgres.Config{URL: url})
		}
	})
}
