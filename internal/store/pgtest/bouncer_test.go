package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/store/pgtest"
)

// TestPgBouncer shows that transactions, not sessions, have a connection: three clients that are
// connected at once use one.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	url := postgres.Database(t)
	execute(t, url, made, "INSERT INTO visit VALUES (1)")
	front := pgtest.PgBouncer(t, url)
	if front == url {
		t.Fatal("the URL is that of the server")
	}
	config, err := pgx.ParseConfig(front)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	backends := map[int]bool{}
	for range 3 {
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		t.Cleanup(func() { conn.Close(t.Context()) })
		var visits, backend int
		if err := conn.QueryRow(t.Context(), "SELECT count(*), pg_backend_pid() FROM visit WHERE n = $1", 1).Scan(&visits, &backend); err != nil {
			t.Fatalf("query: %v", err)
		}
		if visits != 1 {
			t.Errorf("%d visits, want 1", visits)
		}
		backends[backend] = true
	}
	if len(backends) != 1 {
		t.Errorf("three clients one after the other used %d connections, want 1", len(backends))
	}
}
