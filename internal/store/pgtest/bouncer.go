package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// PgBouncer starts a PgBouncer in transaction mode, so that each transaction of a client may
// run on another connection, in front of the server that the URL of a database names, and
// answers the URL of the same database through it. The server may be a [Proxy]. PgBouncer ends
// with the test. The user may also manage it, as the database pgbouncer.
func PgBouncer(t testing.TB, database string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	behind, err := url.Parse(database)
	if err != nil {
		t.Fatalf("read the URL of a database: %v", err)
	}
	b := &bouncer{}
	t.Cleanup(func() {
		if err := b.end(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("end PgBouncer: %v", err)
		}
	})
	if err := b.start(ctx, behind); err != nil {
		t.Fatalf("start PgBouncer: %v", err)
	}
	front := *behind
	front.Host = address(b.port)
	return front.String()
}

type bouncer struct {
	port    int
	folder  *folder
	running *process
}

const bouncerSettings = `[databases]
* = host=%[1]s port=%[2]s
[pgbouncer]
pool_mode = transaction
listen_addr = %[3]s
listen_port = %[4]d
unix_socket_dir =
auth_type = trust
auth_file = %[5]s
admin_users = %[6]s
max_client_conn = 1000
default_pool_size = 20
ignore_startup_parameters = extra_float_digits
`

// start chooses a port and starts PgBouncer on it, or on another if it has just been taken.
func (b *bouncer) start(ctx context.Context, behind *url.URL) error {
	program, err := findPgBouncer()
	if err != nil {
		return err
	}
	who, err := unprivileged()
	if err != nil {
		return err
	}
	if b.folder, err = makeFolder(who, ""); err != nil {
		return err
	}
	const tries = 5
	for range tries {
		if b.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = b.launch(ctx, who, program, behind); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			return err
		}
	}
	return err
}

func (b *bouncer) launch(ctx context.Context, who *account, program string, behind *url.URL) error {
	settings, users := filepath.Join(b.folder.path, "pgbouncer.ini"), filepath.Join(b.folder.path, "users")
	user := behind.User.Username()
	text := fmt.Sprintf(bouncerSettings, behind.Hostname(), behind.Port(), loopback, b.port, users, user)
	for path, text := range map[string]string{settings: text, users: fmt.Sprintf("%q \"\"\n", user)} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { // the account reads them; nothing in them is secret
			return err
		}
	}
	log, err := os.Create(filepath.Join(b.folder.path, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	// It keeps nothing, and what its other signals mean differs between its releases.
	if b.running, err = launch(who, b.folder.path, log, "KILL", program, settings); err != nil {
		return err
	}
	err = b.running.ready(ctx, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address(b.port))
		if err == nil {
			_ = conn.Close() // that it could be made is all
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w; its log:\n%s", err, tail(log.Name()))
	}
	return nil
}

func (b *bouncer) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	var err error
	if b.running != nil {
		err = b.running.end(ctx)
	}
	if b.folder != nil {
		err = errors.Join(err, b.folder.remove())
	}
	return err
}
