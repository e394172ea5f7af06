package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
	"rollcall/internal/store/relational"
	"rollcall/internal/store/storetest"
)

var testTime = time.UnixMicro(1_700_000_000_000_000)

// testDB is a database with one study.
func testDB(t testing.TB, c Config) (*DB, registry.StudyID) {
	t.Helper()
	ctx := context.Background()
	if c.Path == "" {
		c.Path = filepath.Join(t.TempDir(), "rollcall.db")
	}
	c.Migrate = true
	db, err := Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	study := &registry.Study{OID: "S_TEST", GUID: uuid.UUID{1}, Status: registry.Available, Sites: []registry.Site{{OID: "S_T1", Code: "T1"}}}
	if err := db.Define(ctx, func(ctx context.Context, d config.Tx) error { return d.PutStudy(ctx, study) }); err != nil {
		t.Fatal(err)
	}
	return db, study.ID
}

// addBatch adds so many participants after the last one.
func addBatch(ctx context.Context, db *DB, study registry.StudyID, size int) error {
	return db.InStudy(ctx, study, func(ctx context.Context, t registry.Tx) error {
		c, err := t.Counters(ctx)
		if err != nil {
			return err
		}
		out, _ := storetest.Adding(study, c.LastSeq, size, testTime)
		return t.Write(ctx, testTime, out)
	})
}

// TestPragmas: every connection has its pragmas, whichever the pool hands out.
func TestPragmas(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, study := testDB(t, Config{})
	if err := addBatch(ctx, db, study, 1); err != nil {
		t.Fatal(err)
	}
	value := func(p preparer, pragma string) string {
		v, err := lines(ctx, querier{p}, "PRAGMA "+pragma)
		if err != nil || len(v) != 1 {
			t.Fatalf("%s: %q, %v", pragma, v, err)
		}
		return v[0]
	}
	writer := map[string]string{
		"busy_timeout": "10000", "journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1",
		"cache_size": "-49152", "wal_autocheckpoint": "16000", "temp_store": "2", "query_only": "0", "trusted_schema": "0",
		"application_id": fmt.Sprint(applicationID),
	}
	for pragma, want := range writer {
		if got := value(db.write.stmts, pragma); got != want {
			t.Errorf("writer: %s is %s, want %s", pragma, got, want)
		}
	}
	for n := range readers {
		conn, err := db.read.Conn(ctx) // each is held until the end of the test, so all differ
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		reader := &statements{prepare: conn.PrepareContext}
		defer reader.close()
		for pragma, want := range map[string]string{
			"busy_timeout": "10000", "foreign_keys": "1", "query_only": "1", "temp_store": "2", "cache_size": "-4096",
		} {
			if got := value(reader, pragma); got != want {
				t.Errorf("reader %d: %s is %s, want %s", n, pragma, got, want)
			}
		}
		if _, err := conn.ExecContext(ctx, "DELETE FROM participants"); err == nil {
			t.Errorf("reader %d can write", n)
		}
	}
}

// TestDiskFull: without room a write answers StorageFull, reads go on, and once there is room
// writing works again without opening anew.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, study := testDB(t, Config{maxPages: 200})
	added := int64(0)
	var err error
	for range 50 {
		if err = addBatch(ctx, db, study, 50); err != nil {
			break
		}
		added += 50
	}
	f := fault.As(err)
	if f == nil || f.Kind != fault.StorageFull || f.RetryAfterSeconds != relational.RetryWhenFull || added == 0 {
		t.Fatalf("after %d: %v, want StorageFull", added, err)
	}
	for range 3 { // it stays full, and it stays usable
		if err := addBatch(ctx, db, study, 50); fault.KindOf(err) != fault.StorageFull {
			t.Fatalf("still full: %v", err)
		}
	}
	list, err := db.Participants(ctx, study, nil, 0, 10_000)
	if err != nil || int64(len(list)) != added {
		t.Fatalf("%d participants, %v; want %d", len(list), err, added)
	}
	if err := db.write.begin(ctx); err != nil { // make room, on the same connection
		t.Fatal(err)
	}
	if _, err := db.write.conn.ExecContext(ctx, "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	db.write.rollback()
	if err := addBatch(ctx, db, study, 50); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	if problems, err := db.Check(ctx); err != nil || len(problems) > 0 {
		t.Errorf("problems %q, %v", problems, err)
	}
}

// TestBrokenConnection: a connection that is lost takes its transaction with it and is
// replaced.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, study := testDB(t, Config{})
	lost := errors.New("lost")
	err := db.InStudy(ctx, study, func(ctx context.Context, t registry.Tx) error {
		out, _ := storetest.Adding(study, 0, 5, testTime)
		if err := t.Write(ctx, testTime, out); err != nil {
			return err
		}
		db.write.drop()
		return lost
	})
	if !errors.Is(err, lost) {
		t.Fatalf("%v, want our own error", err)
	}
	if err := addBatch(ctx, db, study, 1); err != nil {
		t.Fatalf("after a lost connection: %v", err)
	}
	if list, err := db.Participants(ctx, study, nil, 0, 10); err != nil || len(list) != 1 {
		t.Errorf("%d participants, %v; want the 1 written afterwards", len(list), err)
	}
}

// TestErased: what was erased stands in no file of the database, neither among its rows nor in
// free space nor in the write-ahead log.
func TestErased(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	db, study := testDB(t, Config{Path: filepath.Join(dir, "rollcall.db")})
	const secret = "Zaphodine"
	var victim *registry.Participant
	for range 4 { // others around them, in the same pages
		err := db.InStudy(ctx, study, func(ctx context.Context, t registry.Tx) error {
			c, err := t.Counters(ctx)
			if err != nil {
				return err
			}
			out, _ := storetest.Adding(study, c.LastSeq, 50, testTime)
			if victim == nil {
				victim = out.Writes[25].Participant
				for _, f := range []registry.Field{registry.FirstName, registry.City, registry.HospitalNumber} {
					victim.Details[f] = secret
				}
				victim.Identifier = secret
				claim := registry.Claim{Kind: registry.EmailContact, Key: secret + "@example.org"}
				out.Claimed[claim] = victim.ID
				out.Events[25].Identifier = secret
				out.Events[25].Fields = []audit.FieldChange{{Field: "firstName", New: secret}}
			}
			return t.Write(ctx, testTime, out)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !inFiles(t, dir, secret) {
		t.Fatal("the test does not find what is there")
	}
	err := db.InStudy(ctx, study, func(ctx context.Context, t registry.Tx) error {
		c, err := t.Counters(ctx)
		if err != nil {
			return err
		}
		c.Counted--
		return t.Write(ctx, testTime, &registry.Outcome{Deleted: []registry.ID{victim.ID}, Counters: c, Events: deletion(victim.ID)})
	})
	if err != nil {
		t.Fatal(err)
	}
	if inFiles(t, dir, secret) {
		t.Error("the erased value is still there")
	}
}

// inFiles tells whether a file of the directory holds the text, in whatever case.
func inFiles(t *testing.T, dir, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(bytes.ToLower(data), []byte(strings.ToLower(text))); n > 0 {
			t.Logf("%s: %d times", filepath.Base(file), n)
			found = true
		}
	}
	return found
}

// TestCheck: damage that the schema cannot prevent is found.
func TestCheck(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, c := range []struct{ name, damage, says string }{
		{"a wrong count", "UPDATE study_counters SET counted = 7 WHERE study_id = 1", "study 1: 7 participants are counted, 10 count"},
		{"a last number before the last participant", "UPDATE study_counters SET last_seq = 9 WHERE study_id = 1", "study 1: last_seq is 9, but participant 10 exists"},
		{"a claim of nobody", "UPDATE contact_claims SET participant_id = x'00' WHERE contact_key = (SELECT min(contact_key) FROM contact_claims)", "a contact claim of a participant"},
		{"a code of nobody", "INSERT INTO access_codes (fingerprint, of_study, participant_id) VALUES (x'01', 1, x'02')", "an access code of a participant"},
		{"a lost event", "DELETE FROM audit_events WHERE study_id = 1 AND seq = 12", "audit event 23 does not follow 11"},
		{"a lost last event", "DELETE FROM audit_events WHERE study_id = 1 AND seq = 100", "last_audit_seq is 110, the last event ends at 99"},
		{"an event of another width", "UPDATE audit_events SET fields = '' WHERE study_id = 1 AND seq = 12", "audit event 12 has 0 changes and width 11"},
		{"a participant at a site of no study", "UPDATE participants SET site_id = 99 WHERE seq = 4", "participant 4 is at a site that is not the study's"},
		{"output of no job", "INSERT INTO job_output VALUES (1, x'01', 0, x'02')", "job output of a job"},
		{"a grant of no user", "INSERT INTO user_grants VALUES (9, 1, 0, 'crc', 0)", "user_grants"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, study := testDB(t, Config{})
			if err := addBatch(ctx, db, study, 10); err != nil {
				t.Fatal(err)
			}
			if problems, err := db.Check(ctx); err != nil || len(problems) > 0 {
				t.Fatalf("at first: %q, %v", problems, err)
			}
			damage(t, db, c.damage)
			problems, err := db.Check(ctx)
			if err != nil || len(problems) == 0 || !strings.Contains(strings.Join(problems, "\n"), c.says) {
				t.Errorf("problems %q, %v; want one that says %q", problems, err, c.says)
			}
		})
	}
}

// damage changes the database behind the engine's back, where no foreign key is watched.
func damage(t *testing.T, db *DB, statement string) {
	t.Helper()
	raw, err := sql.Open("sqlite", db.path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// TestClassify: what SQLite and the system answer becomes the right kind of fault.
func TestClassify(t *testing.T) {
	t.Parallel()
	if err := classify("x", nil); err != nil {
		t.Errorf("nil becomes %v", err)
	}
	for _, c := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"no room", fmt.Errorf("write: %w", syscall.ENOSPC), fault.StorageFull},
		{"closed", errClosed, fault.Unavailable},
		{"gone", &os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, fault.Unavailable},
		{"a fault", fault.New(fault.TooMany, "", "x"), fault.TooMany},
		{"anything else", errors.New("x"), fault.Internal},
	} {
		if got := fault.KindOf(classify("do", c.err)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for code, want := range map[int]fault.Kind{
		13: fault.StorageFull, 4874: fault.StorageFull, // FULL, IOERR_SHMSIZE
		5: fault.Unavailable, 261: fault.Unavailable, 6: fault.Unavailable, 14: fault.Unavailable, 10: fault.Unavailable, 778: fault.Unavailable,
		2067: fault.Conflict, 1555: fault.Conflict, 2579: fault.Conflict,
		1299: fault.Internal, 275: fault.Internal, 787: fault.Internal, 19: fault.Internal, 1: fault.Internal, 11: fault.Internal,
	} {
		if got := fault.KindOf(classifyCode(code, errors.New("x"))); got != want {
			t.Errorf("code %d: %s, want %s", code, got, want)
		}
	}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if err := classify("do", end); !errors.Is(err, end) {
			t.Errorf("%v is lost in %v", end, err)
		}
	}
}

// TestErasedBehindReader: a reader who holds up the emptying of the log does not keep it from
// being emptied for ever.
func TestErasedBehindReader(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, study := testDB(t, Config{})
	if err := addBatch(ctx, db, study, 10); err != nil {
		t.Fatal(err)
	}
	list, err := db.Participants(ctx, study, nil, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	err = db.engine.Snapshot(ctx, func(q relational.Querier) error {
		if _, err := lines(ctx, q, "SELECT oid FROM studies"); err != nil {
			return err
		}
		err := db.InStudy(ctx, study, func(ctx context.Context, t registry.Tx) error {
			return t.Write(ctx, testTime, &registry.Outcome{Deleted: []registry.ID{list[0].ID}, Events: deletion(list[0].ID)})
		})
		if !db.write.erasedInLog {
			t.Error("the log was emptied under a reader")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range maxPatience + 1 {
		if err := db.RecordEvents(ctx, study, testTime, []audit.Event{{Action: audit.StudyChanged}}); err != nil {
			t.Fatal(err)
		}
	}
	if db.write.erasedInLog {
		t.Error("the log was never emptied")
	}
}

// deletion is what is remembered of a deletion.
func deletion(id registry.ID) []audit.Event {
	return []audit.Event{{Action: audit.ParticipantDeleted, Participant: id}}
}
