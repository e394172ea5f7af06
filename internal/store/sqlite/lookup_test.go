package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
	"rollcall/internal/store/relational"
)

// TestLookupPragmas: the connections are as those of the reading pool, and cannot write.
func TestLookupPragmas(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, study := testDB(t, Config{})
	if err := addBatch(ctx, db, study, 3); err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]int64{"busy_timeout": 10000, "query_only": 1, "cache_size": -4096, "temp_store": 2} {
		rows, err := db.lookup.Query(ctx, "PRAGMA "+pragma)
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		if !rows.Next() || rows.Scan(&got) != nil || got != want {
			t.Errorf("%s is %d, want %d (%v)", pragma, got, want, rows.Err())
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
	rows, err := db.lookup.Query(ctx, "DELETE FROM participants")
	if err == nil {
		if rows.Next() {
			t.Error("deleting finds a row")
		}
		err = errors.Join(rows.Err(), rows.Close())
	}
	if fault.KindOf(classify("delete", err)) != fault.Unavailable || err == nil {
		t.Errorf("deleting: %v, want a refusal that is classified", err)
	}
	if list, err := db.Participants(ctx, study, nil, 0, 10); err != nil || len(list) != 3 {
		t.Errorf("%d participants, %v; want all 3", len(list), err)
	}
}

// TestLookupTypes: what cannot be bound or scanned is an error, and the connection goes on.
func TestLookupTypes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, _ := testDB(t, Config{})
	id := uuid.New()
	var text string
	var number int64
	var flag bool
	var maybe, not sql.NullInt64
	var blob, none []byte
	var back uuid.UUID
	rows, err := db.lookup.Query(ctx, "SELECT $2, $1, 1, 7, NULL, $3, NULL, $3", int64(-5), "two\x00", id)
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	none = []byte("old")
	if err := rows.Scan(&text, &number, &flag, &maybe, &not, &blob, &none, &back); err != nil {
		t.Fatal(err)
	}
	if text != "two\x00" || number != -5 || !flag || maybe.Int64 != 7 || not.Valid || uuid.UUID(blob) != id || none != nil || back != id {
		t.Errorf("%q %d %t %v %v %x %v %s", text, number, flag, maybe, not, blob, none, back)
	}
	for name, dest := range map[string][]any{
		"a text of NULL": {&text, &number, &flag, &maybe, &text, &blob, &none, &back}, "a number of NULL": {&text, &number, &flag, &maybe, &number, &blob, &none, &back},
		"a UUID of a number": {&text, &back, &flag, &maybe, &not, &blob, &none, &back}, "too few": {&text},
		"an unknown type": {&text, new(float64), &flag, &maybe, &not, &blob, &none, &back},
	} {
		if err := rows.Scan(dest...); err == nil {
			t.Errorf("%s is scanned", name)
		}
	}
	if rows.Next() || rows.Close() != nil || rows.Close() != nil || rows.Next() {
		t.Error("there is no end")
	}
	for name, err := range map[string]error{
		"no SQL": second(db.lookup.Query(ctx, "SELEKT")), "an argument missing": second(db.lookup.Query(ctx, "SELECT $1, $2", "x")),
		"no number": second(db.lookup.Query(ctx, "SELECT :name", "x")), "a type": second(db.lookup.Query(ctx, "SELECT $1", 1.5)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := db.CatalogVersion(ctx); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func second(_ relational.Rows, err error) error { return err }

// TestLookupLongKey: a key longer than any that can be stored is not found, whatever its length.
func TestLookupLongKey(t *testing.T) {
	t.Parallel()
	db, study := testDB(t, Config{})
	for _, size := range []int{0, 1, 1 << 10, 1<<10 + 1, 1 << 20, 3} {
		p, err := db.ParticipantByIdentifier(context.Background(), study, strings.Repeat("x", size))
		if p != nil || err != nil {
			t.Errorf("%d bytes: %v, %v", size, p, err)
		}
	}
}

// TestLookupsWait: who finds every connection in use waits for one, as long as its context lasts,
// and nobody gets one after the end.
func TestLookupsWait(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, _ := testDB(t, Config{})
	var held []relational.Rows
	for range maxLookups {
		rows, err := db.lookup.Query(ctx, versionQuery)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, rows)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := db.CatalogVersion(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while all are in use: %v", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := db.CatalogVersion(ctx)
		waiting <- err
	}()
	_ = held[0].Close()
	if err := <-waiting; err != nil {
		t.Errorf("after one is given back: %v", err)
	}
	over, end := context.WithCancel(ctx)
	end()
	if _, err := db.CatalogVersion(over); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	<-db.lookup.gone
	if _, err := db.CatalogVersion(ctx); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("while it closes: %v", err)
	}
	select {
	case err := <-closed:
		t.Errorf("closed (%v) while questions are being answered", err)
	default:
	}
	for _, rows := range held[1:] {
		if rows.Next() {
			t.Error("a version without a name")
		}
		_ = rows.Close()
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

const versionQuery = "SELECT version FROM versions WHERE name = ''"

// TestLookupsTogether: many ask at once while somebody writes, and each sees what is committed.
func TestLookupsTogether(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, study := testDB(t, Config{})
	const batches, size, askers = 10, 20, 24
	if err := addBatch(ctx, db, study, size); err != nil {
		t.Fatal(err)
	}
	list, err := db.Participants(ctx, study, nil, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for range batches {
			if err := addBatch(ctx, db, study, size); err != nil {
				t.Error(err)
			}
		}
	})
	for n := range askers {
		group.Go(func() {
			for i := range 50 {
				want := list[(n+i)%size]
				byKey, err := db.ParticipantByIdentifier(ctx, study, want.Identifier)
				byID, err2 := db.ParticipantByID(ctx, study, want.ID)
				if err := errors.Join(err, err2); err != nil || byKey == nil || fmt.Sprint(*byKey) != fmt.Sprint(*want) || fmt.Sprint(*byID) != fmt.Sprint(*want) {
					t.Errorf("%s: %v, %v, %v", want.Identifier, byKey, byID, err)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkLookup(b *testing.B) {
	ctx := context.Background()
	db, study := testDB(b, Config{})
	const people = 5000
	if err := addBatch(ctx, db, study, people); err != nil {
		b.Fatal(err)
	}
	list, err := db.Participants(ctx, study, nil, 0, people)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("participant", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := db.ParticipantByIdentifier(ctx, study, list[i*7919%people].Identifier); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("versions", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.AccessVersion(registry.WithMoment(ctx)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
