package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
)

// errInside is what nobody foresaw. Its text must not get out.
var errInside = errors.New("secret: ada@example.org in /var/lib/secret")

func TestTroubleThatPasses(t *testing.T) {
	t.Parallel()
	// 0.2 s, doubled each time until it would be more than 30 s: 8 pauses of 51 s in all, then 30 s each.
	const tries = 30
	backoff := 200*time.Millisecond*(1<<8-1) + (tries-8)*30*time.Second
	for _, op := range []string{"take", "begin", "write", "step", "output", "finish"} {
		t.Run(op, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 2}})
				names := numbered("A", 5)
				job := w.submit(s, "add", w.ohio, names...)
				left := tries
				w.db.cause(func(o string, _ []string) error {
					if o != op || left == 0 {
						return nil
					}
					left--
					kind := [...]fault.Kind{fault.Unavailable, fault.StorageFull}[left/4%2]
					return fmt.Errorf("write: %w", fault.New(kind, "", "not now"))
				})
				if took := w.runAll(s); took != backoff {
					t.Errorf("took %v, want %v", took, backoff)
				}
				w.checkDone(s, job, names...)
				if files := w.files(); len(files) > 0 {
					t.Errorf("uploads left: %q", files)
				}
			})
		})
	}
}

// A job that gets on, however haltingly, is not given up, and is tried again soon.
func TestTroubleBetweenChunks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		blank bool // the chunks cover no rows
		err   error
	}{
		{"nobody knows why", false, errInside},
		{"nobody knows why, on blank lines", true, errInside},
		{"the database is away", false, fault.New(fault.Unavailable, "", "away")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				tries := map[int]int{}
				add := &lines{size: 1, blank: test.blank, before: func(_ context.Context, _ *jobs.Job, done int) error {
					if tries[done]++; tries[done] <= 2 {
						return test.err
					}
					return nil
				}}
				s := w.service(1, map[string]jobs.Kind{"add": add})
				names := numbered("A", 9)
				job := w.submit(s, "add", w.ohio, names...)
				// Two failures before each of nine records and the end.
				if took, want := w.runAll(s), 10*600*time.Millisecond; took != want {
					t.Errorf("took %v, want %v", took, want)
				}
				if got := w.stored(job); got.State != jobs.Completed {
					t.Errorf("the job is %s: %s", got.State, got.Error)
				}
				if diff := cmp.Diff(logOf("added", names...), w.output(s, job)); diff != "" {
					t.Errorf("output (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestJobIsGivenUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		broken string // operation of the database or step of the kind
		reads  bool
		output string
	}{
		{"not taken", "take", false, ""},
		{"nothing can be written", "begin", false, ""},
		{"the kind fails", "next", false, "A-0001 added\nA-0002 added\nA-0003 added\nA-0004 added\n"},
		{"the kind panics", "panic", false, "A-0001 added\nA-0002 added\nA-0003 added\nA-0004 added\n"},
		{"progress is not saved", "step", true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				add := &lines{size: 2, reads: test.reads}
				add.before = func(_ context.Context, _ *jobs.Job, done int) error {
					if test.broken == "panic" && done == 4 {
						panic(errInside)
					}
					if test.broken == "next" && done == 4 {
						return errInside
					}
					return nil
				}
				s := w.service(1, map[string]jobs.Kind{"add": add})
				job := w.submit(s, "add", w.ohio, numbered("A", 6)...)
				w.db.cause(func(op string, _ []string) error {
					if op == test.broken {
						return errInside
					}
					return nil
				})
				if took, want := w.runAll(s), 600*time.Millisecond; took != want {
					t.Errorf("took %v, want three tries in %v", took, want)
				}
				w.db.cause(nil)
				w.checkFailed(job, "the job could not go on: internal")
				if diff := cmp.Diff(test.output, w.output(s, job)); diff != "" {
					t.Errorf("output (-want +got):\n%s", diff)
				}
				if got := w.stored(job); got.Rows != int64(strings.Count(test.output, "\n")) || got.CompletedAt.IsZero() {
					t.Errorf("%d rows, completed %v", got.Rows, got.CompletedAt)
				}
			})
		})
	}
}

// checkFailed checks that the job has failed with the message, and has left no upload.
func (w *world) checkFailed(job *jobs.Job, why string) {
	w.t.Helper()
	if got := w.stored(job); got.State != jobs.Failed || got.Error != why {
		w.t.Errorf("the job is %s: %q, want failed: %q\n%s", got.State, got.Error, why, w.log)
	}
	if files := w.files(); slices.Contains(files, job.Upload) {
		w.t.Errorf("uploads left: %q", files)
	}
}

func TestJobOfAnUnknownKind(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		old := w.service(1, map[string]jobs.Kind{"add": &lines{}, "gone": &lines{}})
		job := w.submit(old, "gone", w.ohio, "A")
		next := w.submit(old, "add", w.ohio, "B")
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		w.runAll(s)
		w.checkFailed(job, "the job could not go on: internal")
		w.checkDone(s, next, "B")
	})
}

func TestJobWhoseUploadIsGone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		job := w.submit(s, "add", w.ohio, "A")
		if err := os.Remove(filepath.Join(w.folder, job.Upload)); err != nil {
			t.Fatal(err)
		}
		next := w.submit(s, "add", w.ohio, "B")
		w.runAll(s)
		w.checkFailed(job, "the job could not go on: not found")
		w.checkDone(s, next, "B")
	})
}

func TestJobWithoutUpload(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		given := true
		s := w.service(1, map[string]jobs.Kind{"look": looker(func(upload io.ReadSeeker) { given = upload != nil })})
		job := &jobs.Job{Kind: "look", Study: w.study.ID, Site: w.ohio}
		if err := s.Submit(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		w.runAll(s)
		if got := w.stored(job); got.State != jobs.Completed || given {
			t.Errorf("the job is %s, given an upload: %v", got.State, given)
		}
	})
}

// looker is a kind of job that only looks at its upload.
type looker func(upload io.ReadSeeker)

func (l looker) Start(_ context.Context, job *jobs.Job, upload io.ReadSeeker) (jobs.Task, error) {
	l(upload)
	return &linesTask{kind: &lines{reads: true}, job: job}, nil
}

func (looker) Writes() bool { return false }

func TestDeletedJobStops(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		when  string
		added []string
	}{
		{"before it starts", "queued", nil},
		{"before its second chunk", "next", []string{"A-0001", "A-0002"}},
		{"during a backoff", "backoff", []string{"A-0001", "A-0002"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				held := make(chan struct{})
				add := &lines{size: 2, before: func(_ context.Context, _ *jobs.Job, done int) error {
					if test.when == "next" && done == 2 {
						<-held
					}
					if test.when == "backoff" && done == 2 {
						return fault.New(fault.Unavailable, "", "away")
					}
					return nil
				}}
				s := w.service(2, map[string]jobs.Kind{"add": add})
				job := w.submit(s, "add", w.ohio, numbered("A", 6)...)
				var r *running
				if test.when != "queued" {
					r = w.run(s)
					synctest.Wait()
				}
				if err := s.Delete(t.Context(), job); err != nil {
					t.Fatal(err)
				}
				if files := w.files(); len(files) > 0 {
					t.Errorf("uploads left: %q", files)
				}
				troubles := strings.Count(w.log.String(), "interrupted")
				next := w.submit(s, "add", w.ohio, "B")
				synctest.Wait()
				if test.when == "next" && slices.Contains(w.people(), "B") {
					t.Error("the next job starts before the deleted one has stopped")
				}
				close(held)
				if r == nil {
					r = w.run(s)
				}
				if got := w.awaitEnd(); got != "add completed" {
					t.Errorf("the next job has %s", got)
				}
				r.end()
				if n := strings.Count(w.log.String(), "interrupted"); n != troubles {
					t.Errorf("a deleted job is trouble:\n%s", w.log)
				}
				if diff := cmp.Diff(append(test.added, "B"), w.people()); diff != "" {
					t.Errorf("participants (-want +got):\n%s", diff)
				}
				if err := s.WriteOutput(t.Context(), job, io.Discard); !fault.HasCode(err, jobs.Unknown) {
					t.Errorf("its output is answered with %v", err)
				}
				if got := w.output(s, next); got != "B added\n" || len(w.ended) > 0 {
					t.Errorf("the next job's output is %q, %d more have ended", got, len(w.ended))
				}
			})
		})
	}
}

// A job whose end could not be stored before the server stopped is ended by the next run.
func TestEndThatIsNotStored(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errInside, fault.New(fault.StorageFull, "", "full")} {
		for _, state := range []jobs.State{jobs.Completed, jobs.Failed} {
			t.Run(fault.KindOf(err).String()+" "+string(state), func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					add := &lines{size: 2, before: func(_ context.Context, _ *jobs.Job, done int) error {
						if state == jobs.Failed && done == 4 {
							return errInside
						}
						return nil
					}}
					s := w.service(1, map[string]jobs.Kind{"add": add})
					names := numbered("A", 4)
					job := w.submit(s, "add", w.ohio, names...)
					tries := 0
					w.db.cause(func(op string, _ []string) error {
						if op == "finish" {
							tries++
							return err
						}
						return nil
					})
					r := w.run(s)
					time.Sleep(10 * time.Minute) // of the bubble
					r.end()
					if tries < 20 || tries > 40 { // each 30 s at last: it neither gives up nor spins
						t.Errorf("%d tries to store the end", tries)
					}
					if got := w.stored(job); got.State != jobs.InProgress || len(w.files()) != 1 || len(w.ended) > 0 {
						t.Errorf("the job is %s, uploads %q, %d ended", got.State, w.files(), len(w.ended))
					}
					w.db.cause(nil)
					w.runAll(s)
					if got := w.stored(job); got.State != state || len(w.files()) > 0 {
						t.Errorf("the job is %s, uploads %q", got.State, w.files())
					}
					if diff := cmp.Diff(logOf("added", names...), w.output(s, job)); diff != "" {
						t.Errorf("output (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}
