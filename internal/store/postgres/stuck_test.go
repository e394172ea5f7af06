package postgres_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// halfCopy gives one row of a COPY and then stops until it is freed.
type halfCopy struct {
	asleep, free chan struct{}
	rows         int
}

func (h *halfCopy) Next() bool {
	if h.rows++; h.rows == 1 {
		return true
	}
	close(h.asleep)
	<-h.free
	return false
}

func (h *halfCopy) Values() ([]any, error) { return []any{int64(1), int64(1)}, nil }
func (h *halfCopy) Err() error             { return nil }

// TestStuck: a node that stops in the midst of what it sends loses its transaction, too. The
// session of another program that does so is left alone.
func TestStuck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, program string
		lock          string
		wantEnded     bool
	}{
		{"another node's session", "rollcall", "SELECT study_id FROM study_counters FOR UPDATE", true},
		{"another program's session", "psql", "SELECT 1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := migrated(t)
			other := newNode(t, url, time.Minute, time.Minute, 150*time.Millisecond)
			conn := connect(t, url)
			for _, statement := range []string{
				"SET application_name = '" + test.program + "'", "CREATE TEMPORARY TABLE half (a bigint, b bigint)", "BEGIN", test.lock,
			} {
				if _, err := conn.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			half := &halfCopy{asleep: make(chan struct{}), free: make(chan struct{})}
			done := make(chan error, 1)
			go func() {
				_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"half"}, []string{"a", "b"}, half)
				done <- err
			}()
			<-half.asleep
			if test.wantEnded {
				if err := other.add("A"); err != nil { // it waits for the lock
					t.Errorf("while another node is stuck: %v", err)
				}
			} else {
				waiter := connect(t, url) // somebody makes it wait, and look, for long enough
				tx, err := waiter.Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := tx.Exec(t.Context(), "SELECT study_id FROM study_counters FOR UPDATE"); err != nil {
					t.Fatal(err)
				}
				added := make(chan error, 1)
				go func() { added <- other.add("A") }()
				time.Sleep(500 * time.Millisecond) // thrice the time after which it would be ended
				if err := tx.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := <-added; err != nil {
					t.Error(err)
				}
			}
			close(half.free)
			if err := <-done; (err != nil) != test.wantEnded {
				t.Errorf("the stuck session ended with %v, want it ended: %t", err, test.wantEnded)
			}
			if diff := cmp.Diff([]string{"A"}, other.people()); diff != "" {
				t.Errorf("participants (-want +got):\n%s", diff)
			}
		})
	}
}
