package pgtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/store/pgtest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func execute(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn := connect(t, url)
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	conn.Close(t.Context())
}

// answer answers the one value, as text, that a query finds.
func answer(t *testing.T, url, query string) string {
	t.Helper()
	var value string
	if err := connect(t, url).QueryRow(t.Context(), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

const made = "CREATE TABLE visit (n int PRIMARY KEY)"

func TestDatabase(t *testing.T) {
	t.Parallel()
	one, two := postgres.Database(t), postgres.Database(t)
	execute(t, one, made, "INSERT INTO visit VALUES (1)", "CREATE EXTENSION pg_trgm")
	execute(t, two, made)
	tests := []struct{ name, url, query, want string }{
		{"what was written", one, "SELECT count(*)::text FROM visit", "1"},
		{"nothing from elsewhere", two, "SELECT count(*)::text FROM visit", "0"},
		{"the owner", one, "SELECT current_user::text", pgtest.Role},
		{"no superuser", one, "SELECT current_setting('is_superuser')", "off"},
		{"the encoding", one, "SELECT current_setting('server_encoding')", "UTF8"},
		{"order by code point", one, "SELECT ('Z' < 'a')::text", "true"},
		{"letters beyond ASCII", one, "SELECT upper('é')", "É"},
		{"only on loopback", one, "SELECT current_setting('listen_addresses')", "127.0.0.1"},
		{"connections", one, "SELECT current_setting('max_connections')", "300"},
		{"not to the disk", one, "SELECT current_setting('fsync')", "off"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := answer(t, test.url, test.query); got != test.want {
				t.Errorf("%s: %s, want %s", test.query, got, test.want)
			}
		})
	}
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	server := postgres.Server(t)
	var name string
	t.Run("a test", func(t *testing.T) {
		url := postgres.Database(t)
		name = connect(t, url).Config().Database
		conn, err := pgx.Connect(t.Context(), url) // stays connected: the drop is by force
		if err != nil {
			t.Fatal(err)
		}
		_ = conn
	})
	there := "SELECT count(*)::text FROM pg_database WHERE datname = '" + name + "'"
	if got := answer(t, server.Superuser("postgres"), there); got != "0" {
		t.Errorf("after the test, databases of its name: %s", got)
	}
}

func TestPrepared(t *testing.T) {
	t.Parallel()
	times := 0
	name := fmt.Sprintf("visits %p", &times) // each run of this test prepares its own
	prepare := func(url string) error {
		times++
		conn, err := pgx.Connect(t.Context(), url) // left open, as a pool may be for a moment
		if err != nil {
			return err
		}
		_, err = conn.Exec(t.Context(), made)
		return err
	}
	for range 3 {
		url := postgres.Prepared(t, name, prepare)
		execute(t, url, "INSERT INTO visit VALUES (1)", "ALTER TABLE visit ADD COLUMN note text")
		if got := answer(t, url, "SELECT count(*)::text FROM visit"); got != "1" {
			t.Errorf("visits: %s, want those of this database alone", got)
		}
	}
	if times != 1 {
		t.Errorf("prepared %d times, want once", times)
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		mode pgtest.Mode
	}{
		{"fast", pgtest.Fast},
		{"immediate", pgtest.Immediate},
		{"kill", pgtest.Kill},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := pgtest.Start(t)
			url := server.Database(t)
			execute(t, url, made, "INSERT INTO visit VALUES (1)")
			open := connect(t, url)
			if _, err := open.Exec(t.Context(), "BEGIN; INSERT INTO visit VALUES (2)"); err != nil {
				t.Fatal(err)
			}
			port := server.Port
			server.Stop(t, test.mode)
			server.Stop(t, test.mode) // it is stopped already
			if _, err := open.Exec(t.Context(), "COMMIT"); err == nil {
				t.Error("the stopped server committed")
			}
			if conn, err := pgx.Connect(t.Context(), url); err == nil {
				conn.Close(t.Context())
				t.Fatal("the stopped server answers")
			}
			server.Start(t)
			if server.Port != port {
				t.Errorf("port %d, was %d", server.Port, port)
			}
			if got := answer(t, url, "SELECT string_agg(n::text, ' ') FROM visit"); got != "1" {
				t.Errorf("visits %q, want the committed one", got)
			}
		})
	}
}

func TestDurable(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Durable(), pgtest.With("max_connections", "20"))
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "max_connections": "20"} {
		if got := answer(t, server.Database(t), "SELECT current_setting('"+setting+"')"); got != want {
			t.Errorf("%s = %s, want %s", setting, got, want)
		}
	}
}

// failing is a test that fails without failing the test that looks at it.
type failing struct {
	testing.TB
	said string
}

var errFatal = errors.New("the test ended")

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic(errFatal)
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	f := &failing{TB: t}
	func() {
		defer func() {
			if recover() != errFatal {
				t.Error("it started")
			}
		}()
		pgtest.Start(f, pgtest.With("shared_buffers", "none"))
	}()
	if !strings.Contains(f.said, `invalid value for parameter "shared_buffers"`) {
		t.Errorf("the message %q does not show the log", f.said)
	}
}
