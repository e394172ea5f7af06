package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
	"rollcall/internal/store/pgtest"
	"rollcall/internal/store/postgres"
)

// node is the registry as one node serves it.
type node struct {
	*postgres.DB
	*registry.Service
	t     *testing.T
	study *registry.Study
}

// newNode opens a registry with the limits of a transaction that are given, if any, and defines
// its study if there is none.
func newNode(t *testing.T, url string, limits ...time.Duration) *node {
	t.Helper()
	c := postgres.Config{URL: url}
	if len(limits) > 0 {
		c = c.WithLimits(limits[0], limits[1], limits[2])
	}
	db, err := postgres.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	codes, err := registry.NewCodeBook(make([]byte, registry.CodeKeySize))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{DB: db, Service: registry.NewService(db, codes, time.Now), t: t}
	n.study = study("S_ONE", 1)
	catalog, err := db.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if there, err := catalog.Study(n.study.OID); err == nil {
		n.study = there
		return n
	}
	err = n.Define(t.Context(), func(ctx context.Context, tx config.Tx) error { return tx.PutStudy(ctx, n.study) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func study(oid string, guid byte) *registry.Study {
	return &registry.Study{
		OID: oid, GUID: uuid.UUID{guid}, Name: oid, Status: registry.Available, IDMethod: registry.ManualIDs, BulkContract: registry.BulkCurrent,
		Sites: []registry.Site{{OID: oid + "_SITE", Code: "SITE", Name: "Site", Status: registry.Available}},
	}
}

// add adds participants, all or nothing.
func (n *node) add(identifiers ...string) error { return n.addIn(n.t.Context(), identifiers...) }

func (n *node) addIn(ctx context.Context, identifiers ...string) error {
	changes := make([]registry.Change, len(identifiers))
	for i, identifier := range identifiers {
		changes[i] = registry.Change{
			Profile: registry.OpenClinica(), Origin: audit.Origin{Actor: "dana", Dialect: "openclinica"},
			Identifier: identifier, Place: registry.At(n.study.Sites[0].ID), AddOnly: true,
		}
	}
	results, err := n.Apply(ctx, n.study.ID, changes...)
	for _, r := range results {
		if r.Err != nil {
			err = errors.Join(err, r.Err)
		}
	}
	return err
}

// people lists the identifiers of those who are there.
func (n *node) people() []string {
	n.t.Helper()
	people, err := n.DB.Participants(n.t.Context(), n.study.ID, nil, 0, 1_000_000)
	if err != nil {
		n.t.Fatal(err)
	}
	var all []string
	for _, p := range people {
		all = append(all, p.Identifier)
	}
	return all
}

// wantAway checks that an error is one after which a client is told to try again later.
func wantAway(t *testing.T, err error) {
	t.Helper()
	if err == nil || fault.KindOf(err) != fault.Unavailable || fault.As(err).RetryAfterSeconds <= 0 {
		t.Errorf("error %v, want Unavailable, with a time to try again", err)
	}
}

// execute runs statements on a connection of its own.
func execute(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn := connect(t, url)
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	_ = conn.Close(t.Context())
}

// failing makes every participant's row fail with a statement, which may count the tries by
// nextval('tries'): that is not undone with the transaction. Deferred, COMMIT fails.
func failing(t *testing.T, url, deferred, statement string) {
	t.Helper()
	kind := "TRIGGER"
	if deferred != "" {
		kind = "CONSTRAINT TRIGGER"
	}
	execute(t, url, "CREATE SEQUENCE tries",
		"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+statement+"; RETURN NEW; END $$",
		"CREATE "+kind+" failing AFTER INSERT ON participants "+deferred+" FOR EACH ROW EXECUTE FUNCTION fail()")
}

func raise(state string) string {
	return "RAISE EXCEPTION 'on purpose' USING ERRCODE = '" + state + "'"
}

// TestGivenUpIsRunAgain: a transaction that the database gives up in favour of another, within
// it or when it commits, is run again, some times.
func TestGivenUpIsRunAgain(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"40001", "40P01"} {
		for _, deferred := range []string{"", "DEFERRABLE INITIALLY DEFERRED"} {
			t.Run(state+" "+deferred, func(t *testing.T) {
				t.Parallel()
				url := migrated(t)
				n := newNode(t, url)
				failing(t, url, deferred, "IF nextval('tries') <= 3 THEN "+raise(state)+"; END IF")
				if err := n.add("A", "B"); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{"A", "B"}, n.people()); diff != "" {
					t.Errorf("participants (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("for ever", func(t *testing.T) {
		t.Parallel()
		url := migrated(t)
		n := newNode(t, url)
		failing(t, url, "", "PERFORM nextval('tries'); "+raise("40001"))
		wantAway(t, n.add("A"))
		if got := texts(t, connect(t, url), "SELECT last_value::text FROM tries"); got[0] != "10" {
			t.Errorf("run %s times, want 10", got[0])
		}
		if got := n.people(); got != nil {
			t.Errorf("participants %q, want none", got)
		}
	})
}

// TestSerializable: where the operator has every transaction isolated strictly, they are run
// again as often as that needs.
func TestSerializable(t *testing.T) {
	t.Parallel()
	url := migrated(t) + "&options=-c%20default_transaction_isolation%3Dserializable"
	nodes := []*node{newNode(t, url), newNode(t, url)}
	const each = 10
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() {
			for j := range each {
				if err := n.add(fmt.Sprintf("%d-%d", i, j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := nodes[0].people(); len(got) != 2*each {
		t.Errorf("participants %q, want %d", got, 2*each)
	}
}

// TestDeadlock: somebody holds what a definition needs, and needs what it holds.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	n := newNode(t, url)
	other := connect(t, url)
	const take = "SELECT study_id FROM study_counters WHERE study_id = $1 FOR UPDATE"
	begin := func() {
		if _, err := other.Exec(t.Context(), "BEGIN"); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Exec(t.Context(), take, int64(n.study.ID)); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	done := make(chan error, 1)
	runs := 0
	go func() {
		done <- n.Define(t.Context(), func(ctx context.Context, tx config.Tx) error { // holds study 0
			runs++
			return tx.PutStudy(ctx, n.study)
		})
	}()
	waiting(t, url)
	if _, err := other.Exec(t.Context(), take, int64(0)); err != nil {
		t.Fatalf("the definition has waited longer and should have given way: %v", err)
	}
	if _, err := other.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || runs < 2 {
		t.Errorf("defined in %d runs: %v; want more than one run and no error", runs, err)
	}
}

// waiting waits until somebody waits for a lock in the database.
func waiting(t *testing.T, url string) {
	t.Helper()
	conn := connect(t, url)
	for texts(t, conn, "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")[0] == "0" {
	}
	_ = conn.Close(t.Context())
}

// TestLimits: who waits for a lock too long, or has the server work too long, is told to try
// again later, and nothing is written.
func TestLimits(t *testing.T) {
	t.Parallel()
	const short, long = 150 * time.Millisecond, time.Minute
	tests := []struct {
		name    string
		limits  [3]time.Duration
		trouble func(t *testing.T, n *node, url string) (end func())
	}{
		{"a lock of somebody else", [3]time.Duration{long, short, long}, func(t *testing.T, n *node, url string) func() {
			conn := connect(t, url)
			if _, err := conn.Exec(t.Context(), "BEGIN; SELECT * FROM study_counters FOR UPDATE"); err != nil {
				t.Fatal(err)
			}
			return func() { _ = conn.Close(t.Context()) }
		}},
		{"a statement that does not end", [3]time.Duration{short, long, long}, func(t *testing.T, n *node, url string) func() {
			failing(t, url, "", "PERFORM pg_sleep(60)")
			return func() { execute(t, url, "DROP FUNCTION fail CASCADE") }
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := migrated(t)
			n := newNode(t, url, test.limits[:]...)
			end := test.trouble(t, n, url)
			start := time.Now()
			wantAway(t, n.add("A"))
			if took := time.Since(start); took < short || took > long/2 {
				t.Errorf("it took %s, want a little more than %s", took, short)
			}
			if got := n.people(); got != nil {
				t.Errorf("participants %q, want none", got)
			}
			end()
			if err := n.add("A"); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestSleeper: a node that stops within a transaction loses it, and the study is free again.
func TestSleeper(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	sleeper, other := newNode(t, url, time.Minute, time.Minute, 150*time.Millisecond), newNode(t, url)
	asleep, free := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- sleeper.InStudy(t.Context(), sleeper.study.ID, func(ctx context.Context, tx registry.Tx) error {
			if err := tx.Write(ctx, time.Now(), &registry.Outcome{Events: []audit.Event{{Action: audit.ParticipantAdded}}}); err != nil {
				return err
			}
			close(asleep)
			<-free
			_, err := tx.Counters(ctx)
			return err
		})
	}()
	<-asleep
	if err := other.add("A"); err != nil {
		t.Errorf("while another node sleeps: %v", err)
	}
	close(free)
	wantAway(t, <-done)
	if err := sleeper.add("B"); err != nil {
		t.Errorf("awake again: %v", err)
	}
	if diff := cmp.Diff([]string{"A", "B"}, other.people()); diff != "" {
		t.Errorf("participants (-want +got):\n%s", diff)
	}
}

// TestReadOnlyServer: connections to a server that takes no changes, as after a failover, are
// given up, so that the next ones find the one that does.
func TestReadOnlyServer(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	newNode(t, url)
	name := connect(t, url).Config().Database
	super := server.Server(t).Superuser("postgres")
	execute(t, super, "ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write := func() error {
		_, err := db.ServerKey(t.Context(), "sealing", 64)
		return err
	}
	wantAway(t, write())
	execute(t, super, "ALTER DATABASE "+name+" RESET default_transaction_read_only") // of new sessions
	if err := write(); err != nil {
		t.Errorf("after the failover: %v", err)
	}
}

// TestSilence: a network that is cut without a word holds nobody for ever.
func TestSilence(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	newNode(t, url)
	for _, at := range []string{"begin", "update study_counters", "advisory_xact_lock_shared", "insert into audit_events", "insert into participants"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			url := migrated(t)
			newNode(t, url)
			proxy := pgtest.StartProxy(t, url)
			n := newNode(t, proxy.URL()+"&default_query_exec_mode=exec", time.Second, time.Minute, time.Minute)
			proxy.Watch(func(message []byte) pgtest.Verdict {
				if bytes.Contains(bytes.ToLower(message), []byte(at)) {
					proxy.Stall()
				}
				return pgtest.Forward
			})
			wantAway(t, n.add("A"))
			proxy.Watch(nil)
			proxy.Resume()
		})
	}
	proxy := pgtest.StartProxy(t, url)
	n := newNode(t, proxy.URL(), time.Second, time.Minute, time.Minute)
	proxy.Watch(func([]byte) pgtest.Verdict {
		proxy.Stall()
		return pgtest.Forward
	})
	_, err := n.DB.Participants(t.Context(), n.study.ID, nil, 0, 10)
	wantAway(t, err)
	proxy.Watch(nil)
	proxy.Resume()
	if err := newNode(t, url).add("A"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	state := func(code string) error {
		return fmt.Errorf("deep: %w", &pgconn.PgError{Severity: "ERROR", Code: code, Message: "said"})
	}
	fatal := func(code string) error { return &pgconn.PgError{Severity: "FATAL", Code: code} }
	ours := fault.New(fault.NotFound, "gone", "gone")
	tests := []struct {
		name   string
		err    error
		want   fault.Kind
		commit fault.Kind // as the answer to COMMIT
	}{
		{"ours", ours, fault.NotFound, fault.Unavailable},
		{"ours inside of others", fmt.Errorf("deep: %w", ours), fault.NotFound, fault.Unavailable},
		{"unique_violation", state("23505"), fault.Conflict, fault.Conflict},
		{"check_violation", state("23514"), fault.Internal, fault.Internal},
		{"syntax_error", state("42601"), fault.Internal, fault.Internal},
		{"raise_exception", state("P0001"), fault.Internal, fault.Internal},
		{"disk_full", state("53100"), fault.StorageFull, fault.StorageFull},
		{"too_many_connections", fatal("53300"), fault.Unavailable, fault.Unavailable},
		{"serialization_failure", state("40001"), fault.Unavailable, fault.Unavailable},
		{"deadlock_detected", state("40P01"), fault.Unavailable, fault.Unavailable},
		{"statement_completion_unknown", state("40003"), fault.Unavailable, fault.Unavailable},
		{"lock_not_available", state("55P03"), fault.Unavailable, fault.Unavailable},
		{"query_canceled", state("57014"), fault.Unavailable, fault.Unavailable},
		{"admin_shutdown", fatal("57P01"), fault.Unavailable, fault.Unavailable},
		{"crash_shutdown", fatal("57P02"), fault.Unavailable, fault.Unavailable},
		{"cannot_connect_now", fatal("57P03"), fault.Unavailable, fault.Unavailable},
		{"idle_in_transaction_session_timeout", fatal("25P03"), fault.Unavailable, fault.Unavailable},
		{"transaction_timeout", fatal("25P04"), fault.Unavailable, fault.Unavailable},
		{"read_only_sql_transaction", state("25006"), fault.Unavailable, fault.Unavailable},
		{"in_failed_sql_transaction", state("25P02"), fault.Internal, fault.Internal},
		{"connection_failure", state("08006"), fault.Unavailable, fault.Unavailable},
		{"io_error", state("58030"), fault.Unavailable, fault.Unavailable},
		{"internal_error", state("XX000"), fault.Unavailable, fault.Unavailable},
		{"invalid_password", fatal("28P01"), fault.Unavailable, fault.Unavailable},
		{"invalid_catalog_name", fatal("3D000"), fault.Unavailable, fault.Unavailable},
		{"a fatal error of any other state", fatal("23505"), fault.Conflict, fault.Unavailable},
		{"refused", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, fault.Unavailable, fault.Unavailable},
		{"no connection", &pgconn.ConnectError{Config: &pgconn.Config{}}, fault.Unavailable, fault.Unavailable},
		{"closed before", pgconn.ErrConnClosed, fault.Unavailable, fault.Unavailable},
		{"end of file", io.ErrUnexpectedEOF, fault.Unavailable, fault.Unavailable},
		{"no answer in time", fmt.Errorf("deep: %w", context.DeadlineExceeded), fault.Unavailable, fault.Unavailable},
		{"the caller has gone", context.Canceled, fault.Internal, fault.Unavailable},
		{"anything else", errors.New("else"), fault.Internal, fault.Unavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for doing, c := range map[string]struct {
				got  error
				want fault.Kind
			}{"read": {postgres.Classify("read", test.err), test.want}, "commit": {postgres.CommitFault(test.err), test.commit}} {
				f := fault.As(c.got)
				if f.Kind != c.want || !errors.Is(c.got, test.err) {
					t.Errorf("%s: %v is %s, want %s around the cause", doing, c.got, f.Kind, c.want)
				}
				if again := f.Kind == fault.Unavailable || f.Kind == fault.StorageFull; again != (f.RetryAfterSeconds > 0) {
					t.Errorf("%s: try again after %d s, of %s", doing, f.RetryAfterSeconds, f.Kind)
				}
				if strings.Contains(f.Message, "said") {
					t.Errorf("%s: the caller is told %q", doing, f.Message)
				}
			}
		})
	}
	if err := postgres.Classify("read", nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}
