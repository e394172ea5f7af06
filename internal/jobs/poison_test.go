package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
)

// poison has the database fail, or panic, wherever somebody of these names is written.
func (w *world) poison(panics bool, names ...string) {
	w.db.cause(func(op string, written []string) error {
		if op != "write" || !slices.ContainsFunc(written, func(name string) bool { return slices.Contains(names, name) }) {
			return nil
		}
		if panics {
			panic(errInside)
		}
		return errInside
	})
}

// A record that cannot be written is logged as failed, alone.
func TestPoisonedRecord(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		panics bool
		poison []string
		want   string
	}{
		{"the first", false, []string{"A"}, "A failed\nB added\nC added\nD added\nE added\n"},
		{"in the middle", false, []string{"C"}, "A added\nB added\nC failed\nD added\nE added\n"},
		{"the last", false, []string{"E"}, "A added\nB added\nC added\nD added\nE failed\n"},
		{"one after another", false, []string{"B", "C"}, "A added\nB failed\nC failed\nD added\nE added\n"},
		{"in both chunks", false, []string{"A", "D"}, "A failed\nB added\nC added\nD failed\nE added\n"},
		{"all", false, []string{"A", "B", "C", "D", "E"}, "A failed\nB failed\nC failed\nD failed\nE failed\n"},
		{"a panic", true, []string{"C", "E"}, "A added\nB added\nC failed\nD added\nE failed\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 3}})
				job := w.submit(s, "add", w.ohio, "A", "B", "C", "D", "E")
				w.poison(test.panics, test.poison...)
				w.runAll(s)
				if diff := cmp.Diff(test.want, w.output(s, job)); diff != "" {
					t.Errorf("output (-want +got):\n%s", diff)
				}
				got := w.stored(job)
				if got.State != jobs.Completed || got.Rows != 5 || got.Failed != int64(len(test.poison)) || got.Error != "" {
					t.Errorf("the job is %s with %d rows, %d failed, error %q", got.State, got.Rows, got.Failed, got.Error)
				}
				if want := strings.Count(test.want, "added"); len(w.people()) != want {
					t.Errorf("participants %q, want %d", w.people(), want)
				}
				if w.rows.Load() != 5 || w.failed.Load() != got.Failed {
					t.Errorf("the observer heard of %d rows, %d failed", w.rows.Load(), w.failed.Load())
				}
			})
		})
	}
}

// After a chunk that had to be written record by record, chunks are as large as before.
func TestChunksAreLargeAgainAfterPoison(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		add := &lines{}
		s := w.service(1, map[string]jobs.Kind{"add": add})
		names := numbered("A", 1100)
		job := w.submit(s, "add", w.ohio, names...)
		w.poison(false, "A-0004")
		if took := w.runAll(s); took != 200*time.Millisecond {
			t.Errorf("took %v, want one backoff", took)
		}
		want := strings.Replace(logOf("added", names...), "A-0004 added", "A-0004 failed", 1)
		if diff := cmp.Diff(want, w.output(s, job)); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(slices.Delete(names, 3, 4), w.people()); diff != "" {
			t.Errorf("participants (-want +got):\n%s", diff)
		}
		limits := []int{1000} // fails
		limits = append(limits, slices.Repeat([]int{1}, 1000)...)
		limits = append(limits, 1000, 1000) // there are 100 left, then none
		if diff := cmp.Diff(limits, add.limits); diff != "" {
			t.Errorf("chunks asked for (-want +got):\n%s", diff)
		}
	})
}

// What may pass by itself is no fault of the single record that it happened to.
func TestRecordIsNotToBlame(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		context.DeadlineExceeded, context.Canceled,
		fault.New(fault.Unavailable, "", "away"), fault.New(fault.StorageFull, "", "full"),
	} {
		t.Run(err.Error(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
				job := w.submit(s, "add", w.ohio, "A")
				first := true
				w.db.cause(func(op string, _ []string) error {
					if op == "write" && first {
						first = false
						return fmt.Errorf("write: %w", err)
					}
					return nil
				})
				w.runAll(s)
				w.checkDone(s, job, "A")
			})
		})
	}
}

// Where not even the failure can be logged, the record is tried again.
func TestPoisonedRecordThatCannotBeLogged(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 1}})
		job := w.submit(s, "add", w.ohio, "A", "B")
		full := 10
		w.db.cause(func(op string, written []string) error {
			switch {
			case op == "write" && slices.Contains(written, "A"):
				return errInside
			case op == "step" && full > 0:
				full--
				return fault.New(fault.StorageFull, "", "full")
			}
			return nil
		})
		w.runAll(s)
		if got := w.output(s, job); got != "A failed\nB added\n" || full > 0 {
			t.Errorf("output %q, full for %d more", got, full)
		}
	})
}

// While nobody else writes to the study chunks grow, and a poisoned one is gone through to its end.
func TestChunksGrow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		add := &lines{}
		s := w.service(1, map[string]jobs.Kind{"add": add})
		names := numbered("A", 3500)
		job := w.submit(s, "add", w.ohio, names...)
		w.poison(false, names[1500])
		w.runAll(s)
		if got := w.stored(job); got.State != jobs.Completed || got.Rows != 3500 || got.Failed != 1 {
			t.Errorf("the job is %s with %d rows, %d failed", got.State, got.Rows, got.Failed)
		}
		limits := []int{1000, 2000} // the second fails
		limits = append(limits, slices.Repeat([]int{1}, 2000)...)
		limits = append(limits, 1000, 1000) // there are 500 left, then none
		if diff := cmp.Diff(limits, add.limits); diff != "" {
			t.Errorf("chunks asked for (-want +got):\n%s", diff)
		}
	})
}

// Chunks of a job that only reads grow too: each is a commit all the same.
func TestChunksThatReadGrow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		read := &lines{reads: true}
		s := w.service(1, map[string]jobs.Kind{"read": read})
		w.submit(s, "read", w.ohio, numbered("A", 2500)...)
		w.runAll(s)
		if diff := cmp.Diff([]int{1000, 2000, 2000}, read.limits); diff != "" {
			t.Errorf("chunks asked for (-want +got):\n%s", diff)
		}
	})
}
