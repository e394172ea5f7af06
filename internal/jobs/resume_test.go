package jobs_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
)

// checkDone checks that the job has completed and that everybody was added and logged, once and
// in order.
func (w *world) checkDone(s *jobs.Service, job *jobs.Job, names ...string) {
	w.t.Helper()
	if got := w.stored(job); got.State != jobs.Completed || got.Rows != int64(len(names)) || got.Failed != 0 || got.Error != "" {
		w.t.Errorf("the job is %s with %d rows, %d failed, error %q\n%s", got.State, got.Rows, got.Failed, got.Error, w.log)
	}
	if diff := cmp.Diff(logOf("added", names...), w.output(s, job)); diff != "" {
		w.t.Errorf("output (-want +got):\n%s", diff)
	}
	if parts, err := w.db.Store.OutputParts(w.t.Context(), job.Study, job.ID, 0, 1); err != nil || len(parts) > 0 {
		w.t.Errorf("the database keeps output of a job that has ended: %q, %v", parts, err)
	}
	if diff := cmp.Diff(names, w.people()); diff != "" {
		w.t.Errorf("participants (-want +got):\n%s", diff)
	}
}

func TestJobRunsInChunks(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		add := &lines{size: 4}
		s := w.service(1, map[string]jobs.Kind{"add": add})
		names := []string{"A", "B", "C", "B", "D", "E"} // one twice: no failure of the chunk
		job := w.submit(s, "add", w.ohio, names...)
		w.runAll(s)

		want := *job
		want.State, want.Parts, want.Cursor, want.Rows, want.Failed = jobs.Completed, 2, []byte("6"), 6, 1
		want.Lease, want.Node, want.Output = 1, "node-1", strings.Join(w.outputs(), " and ")
		got := w.stored(job)
		if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(jobs.Job{}, "UpdatedAt", "StartedAt", "CompletedAt"),
			cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("job (-want +got):\n%s", diff)
		}
		if !got.StartedAt.After(got.CreatedAt) || !got.CompletedAt.After(got.StartedAt) || !got.UpdatedAt.Equal(got.CompletedAt) {
			t.Errorf("created %v, started %v, completed %v, updated %v", got.CreatedAt, got.StartedAt, got.CompletedAt, got.UpdatedAt)
		}
		if diff := cmp.Diff("A added\nB added\nC added\nB failed\nD added\nE added\n", w.output(s, job)); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"A", "B", "C", "D", "E"}, w.people()); diff != "" {
			t.Errorf("participants (-want +got):\n%s", diff)
		}
		if w.rows.Load() != 6 || w.failed.Load() != 1 {
			t.Errorf("the observer heard of %d rows, %d failed", w.rows.Load(), w.failed.Load())
		}
		if diff := cmp.Diff([]int{1000, 1000, 1000}, add.limits); diff != "" {
			t.Errorf("chunks asked for (-want +got):\n%s", diff)
		}
	})
}

// Whenever Run ends, the job goes on where its last chunk has committed.
func TestJobResumesAtItsCursor(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "", "away")
	tests := []struct {
		name   string
		before string // what is about to happen to the second chunk, of A-0004 on, as Run ends
		err    error  // what comes of it
		cursor string
	}{
		{"before the chunk is prepared", "next", context.Canceled, "3"},
		{"before it is written", "begin", nil, "6"}, // what has begun is brought to its end
		{"while it is written", "write", nil, "6"},
		{"while it is written, in vain", "write", away, "3"},
		{"while progress is saved, in vain", "step", away, "3"},
		{"when it is written", "commit", nil, "6"},
		{"when it is written, unknown to us", "commit", away, "6"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var r *running
				begun := make(chan struct{}) // r is set
				var second atomic.Bool       // the house is kept beside the work
				happens := func(what string) error {
					if !second.Load() || what != test.before {
						return nil
					}
					<-begun
					r.stop()
					return test.err
				}
				first := &lines{size: 3}
				first.before = func(_ context.Context, _ *jobs.Job, done int) error {
					second.Store(done == 3)
					return happens("next")
				}
				s := w.service(1, map[string]jobs.Kind{"add": first})
				names := numbered("A", 10)
				job := w.submit(s, "add", w.ohio, names...)
				w.db.cause(func(op string, _ []string) error { return happens(op) })
				r = w.run(s)
				close(begun)
				r.wait()
				w.db.cause(nil)

				half := w.stored(job)
				if half.State != jobs.InProgress || string(half.Cursor) != test.cursor {
					t.Errorf("the job is %s at %s, want it in progress at %s\n%s", half.State, half.Cursor, test.cursor, w.log)
				}
				if n := len(w.people()); strconv.Itoa(n) != test.cursor {
					t.Errorf("%d participants, want as many as the cursor says", n)
				}
				next := &lines{size: 3}
				s = w.service(1, map[string]jobs.Kind{"add": next})
				w.runAll(s)
				w.checkDone(s, job, names...)
				if diff := cmp.Diff([]string{test.cursor}, next.starts); diff != "" {
					t.Errorf("started at (-want +got):\n%s", diff)
				}
				if got := w.stored(job); !got.StartedAt.Equal(half.StartedAt) {
					t.Errorf("started %v, at first %v", got.StartedAt, half.StartedAt)
				}
			})
		})
	}
}

// A server that is stopped after each chunk gets through all the same.
func TestJobResumesAgainAndAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		names := numbered("A", 7)
		var starts []string
		var job *jobs.Job
		for w.unfinished() > 0 || job == nil {
			var r *running
			begun := make(chan struct{})
			first := true
			kind := &lines{size: 1, before: func(ctx context.Context, _ *jobs.Job, _ int) error {
				if first {
					first = false
					return nil
				}
				<-begun
				r.stop()
				return ctx.Err()
			}}
			s := w.service(1, map[string]jobs.Kind{"add": kind})
			if job == nil {
				job = w.submit(s, "add", w.ohio, names...)
			}
			r = w.run(s)
			close(begun)
			if len(starts) == len(names) { // nothing is left but to end it
				w.awaitEnd()
				r.stop()
			}
			r.wait()
			starts = append(starts, kind.starts...)
		}
		if want := []string{"", "1", "2", "3", "4", "5", "6", "7"}; !slices.Equal(starts, want) {
			t.Errorf("started at %q, want %q", starts, want)
		}
		w.checkDone(w.service(1, nil), job, names...)
	})
}

// A chunk that was written although we were told that it was not is not written again.
func TestCommitThatSeemedToFail(t *testing.T) {
	t.Parallel()
	for _, err := range []error{fault.New(fault.Unavailable, "", "away"), errInside} {
		t.Run(fault.KindOf(err).String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 1}})
				names := numbered("A", 4)
				job := w.submit(s, "add", w.ohio, names...)
				commits := 0
				w.db.cause(func(op string, _ []string) error {
					if op == "commit" {
						if commits++; commits%2 == 1 {
							return err
						}
					}
					return nil
				})
				if took := w.runAll(s); took > time.Minute {
					t.Errorf("took %v", took)
				}
				w.checkDone(s, job, names...)
			})
		})
	}
}
