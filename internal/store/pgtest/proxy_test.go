package pgtest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/store/pgtest"
)

func TestProxyCutsACommit(t *testing.T) {
	t.Parallel()
	begin := func(ctx context.Context, conn *pgx.Conn) error {
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO visit VALUES ($1)", 1); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}
	prepared := func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "BEGIN; INSERT INTO visit VALUES (1)"); err != nil {
			return err
		}
		return conn.PgConn().ExecParams(ctx, "COMMIT", nil, nil, nil, nil).Read().Err
	}
	pipelined := func(ctx context.Context, conn *pgx.Conn) error {
		batch := &pgx.Batch{}
		batch.Queue("BEGIN")
		// so much that the server sends it before it comes to the end
		batch.Queue("SELECT repeat('x', 1000) FROM generate_series(1, 10000)")
		batch.Queue("INSERT INTO visit VALUES (1)")
		batch.Queue("COMMIT")
		return conn.SendBatch(ctx, batch).Close()
	}
	ways := map[string]func(context.Context, *pgx.Conn) error{"simple": begin, "extended": prepared, "pipelined": pipelined}
	tests := []struct {
		name string
		when pgtest.Verdict
		want string
	}{
		{"before", pgtest.CutBefore, "0"},
		{"after", pgtest.CutAfter, "1"},
	}
	for way, work := range ways {
		for _, test := range tests {
			t.Run(way+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				url := postgres.Database(t)
				execute(t, url, made)
				proxy := pgtest.StartProxy(t, url)
				// without this mode pgx prepares the statements of a batch beforehand
				conn := connect(t, proxy.URL()+"&default_query_exec_mode=exec")
				struck := proxy.CutAt("commit", test.when)
				if err := work(t.Context(), conn); err == nil {
					t.Error("the client was told that it is committed")
				}
				select {
				case <-struck:
				default:
					t.Error("no message was struck")
				}
				if got := answer(t, url, "SELECT count(*)::text FROM visit"); got != test.want {
					t.Errorf("visits: %s, want %s", got, test.want)
				}
				execute(t, proxy.URL(), "BEGIN", "COMMIT") // only the one is cut
			})
		}
	}
}

func TestProxyCuts(t *testing.T) {
	t.Parallel()
	proxy := pgtest.StartProxy(t, postgres.Database(t))
	conn := connect(t, proxy.URL())
	var backend string
	if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()::text").Scan(&backend); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection lives")
	}
	there := "SELECT count(*)::text FROM pg_stat_activity WHERE pid = " + backend
	for answer(t, postgres.Server(t).Superuser("postgres"), there) != "0" { // soon; else the test's limit
	}
	execute(t, proxy.URL(), "SELECT 1")
}

func TestProxyStalls(t *testing.T) {
	t.Parallel()
	url := postgres.Database(t)
	proxy := pgtest.StartProxy(t, url)
	execute(t, url, made)
	conn := connect(t, proxy.URL())
	proxy.Watch(func([]byte) pgtest.Verdict {
		proxy.Stall()
		return pgtest.Forward
	})
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "INSERT INTO visit VALUES (1)")
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("it came through: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if got := answer(t, url, "SELECT count(*)::text FROM visit"); got != "0" {
		t.Errorf("visits while the bytes are held back: %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if late, err := pgx.Connect(ctx, proxy.URL()); err == nil {
		late.Close(t.Context())
		t.Error("a new connection is not held back")
	}
	proxy.Watch(nil)
	proxy.Resume()
	if err := <-done; err != nil {
		t.Errorf("after all: %v", err)
	}
	if got := answer(t, url, "SELECT count(*)::text FROM visit"); got != "1" {
		t.Errorf("visits: %s, want 1", got)
	}
}

// TestProxyServesClients that ask for TLS first or cancel a query.
func TestProxyServesClients(t *testing.T) {
	t.Parallel()
	proxy := pgtest.StartProxy(t, postgres.Database(t))
	conn, err := pgx.Connect(t.Context(), strings.Replace(proxy.URL(), "sslmode=disable", "sslmode=prefer", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "SELECT pg_sleep(60)")
		done <- err
	}()
	asleep := fmt.Sprintf("SELECT count(*)::text FROM pg_stat_activity WHERE pid = %d AND wait_event = 'PgSleep'", conn.PgConn().PID())
	for answer(t, postgres.Server(t).Superuser("postgres"), asleep) != "1" { // soon; else the test's limit
	}
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Errorf("cancel: %v", err)
	}
	if err := <-done; err == nil {
		t.Error("the query was not cancelled")
	}
}
