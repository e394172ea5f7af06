package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Role is the user who owns the databases of the tests. It is no superuser, but may do in its
// databases what their owner may, such as create trusted extensions.
const Role = "rollcall"

const superuser = "postgres"

// Server is a running PostgreSQL server, or a stopped one that can be started again. Its
// methods may be called at the same time.
type Server struct {
	Port int // on 127.0.0.1; stays when the server is stopped and started

	bin      string
	who      *account
	folder   *folder
	settings []string
	names    atomic.Int64

	mu        sync.Mutex
	running   *process // nil while stopped
	templates map[string]*template
}

// Option sets up a server.
type Option func(*options)

type options struct {
	settings    []string
	synchronous bool
}

// Durable makes a server write to the disk before it answers. Without it the power of the
// machine must not fail, but a server that is killed loses nothing either.
func Durable() Option { return With("fsync", "on") }

// With sets one of PostgreSQL's settings by its name.
func With(name, value string) Option {
	return func(o *options) { o.settings = append(o.settings, "-c", name+"="+value) }
}

// Start starts a server for one test and ends it with the test. The test fails if PostgreSQL is
// not installed or does not start within 30 seconds.
func Start(t testing.TB, with ...Option) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	s, err := create(ctx, with)
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() { s.cleanUp(t) })
	return s
}

func (s *Server) cleanUp(t testing.TB) {
	t.Helper()
	if err := s.end(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("end PostgreSQL: %v", err)
	}
}

// create makes a new data folder and starts a server on it.
func create(ctx context.Context, with []Option) (*Server, error) {
	s, err := furnish(ctx, with)
	if err != nil {
		return nil, err
	}
	err = s.initialize(ctx)
	if err == nil {
		err = s.launchFirst(ctx)
	}
	if err == nil {
		err = s.execute(ctx, "CREATE ROLE "+Role+" LOGIN")
	}
	if err != nil {
		return nil, errors.Join(err, s.end(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// furnish makes a server that has a folder, but no data in it.
func furnish(ctx context.Context, with []Option) (*Server, error) {
	o := options{settings: []string{
		"-c", "listen_addresses=" + loopback,
		"-c", "max_connections=300",
		"-c", "shared_buffers=128MB",
		"-c", "fsync=off",
		"-c", "dynamic_shared_memory_type=mmap", // files in the folder: a killed server leaves nothing elsewhere
		"-c", "wal_keep_size=256MB", // a replica may lag behind without a slot
		"-c", "wal_retrieve_retry_interval=100ms", // and looks soon for a primary that was away
		"-c", "log_line_prefix=%m [%p] %q%d ",
	}}
	for _, option := range with {
		option(&o)
	}
	bin, err := findPostgres(ctx)
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	base := ""
	if !slices.Contains(o.settings, "fsync=on") && os.Getenv("TMPDIR") == "" {
		base = memoryFolder()
	}
	folder, err := makeFolder(who, base)
	if err != nil {
		return nil, err
	}
	return &Server{bin: bin, who: who, folder: folder, settings: o.settings, templates: map[string]*template{}}, nil
}

func (s *Server) program(name string) string { return filepath.Join(s.bin, name) }
func (s *Server) data() string               { return filepath.Join(s.folder.path, "data") }
func (s *Server) log() string                { return filepath.Join(s.folder.path, "log") }

// initialize fills the data folder.
func (s *Server) initialize(ctx context.Context) error {
	locale := "C"
	if runtime.GOOS == "linux" {
		locale = "C.UTF-8"
	}
	return run(ctx, s.who, s.folder.path, s.program("initdb"), "--pgdata", s.data(), "--username", superuser,
		"--encoding", "UTF8", "--locale", locale, "--auth", "trust", "--no-sync", "--no-instructions")
}

// launchFirst chooses the port and starts the server on it. Another program may take the port
// in between; then it takes another.
func (s *Server) launchFirst(ctx context.Context) error {
	const tries = 5
	var err error
	for range tries {
		if s.Port, err = freePort(ctx); err != nil {
			return err
		}
		if err = s.launch(ctx); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			return err
		}
	}
	return err
}

// launch starts the server and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return errors.New("it runs already")
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := append([]string{s.program("postgres"), "-D", s.data(), "-p", strconv.Itoa(s.Port), "-k", s.folder.path}, s.settings...)
	p, err := launch(s.who, s.folder.path, log, "QUIT", command...)
	if err != nil {
		return err
	}
	err = p.ready(ctx, func(ctx context.Context) error { return s.execute(ctx, "SELECT 1") })
	if err != nil {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		return errors.Join(fmt.Errorf("%w; its log:\n%s", err, tail(s.log())), p.end(ending))
	}
	s.running = p
	return nil
}

// Superuser answers the URL of a database for the superuser, who may do anything. The database
// postgres is always there.
func (s *Server) Superuser(database string) string { return s.url(superuser, database) }

func (s *Server) url(user, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(user), Host: address(s.Port), Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// execute executes statements as the superuser, waiting for no replica.
func (s *Server) execute(ctx context.Context, statements ...string) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to lose
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func (s *Server) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(s.Superuser("postgres"))
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["synchronous_commit"] = "local"
	return pgx.ConnectConfig(ctx, config)
}

// end ends the server for good and removes its folder.
func (s *Server) end(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.running != nil {
		ctx, cancel := context.WithTimeout(ctx, stopLimit)
		defer cancel()
		err = s.running.end(ctx)
		s.running = nil
	}
	return errors.Join(err, s.folder.remove())
}
