package jobs_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/internal/jobs"
)

// age gives a file of the folder an age at the time that the worlds start.
func age(t *testing.T, folder, name string, d time.Duration) {
	t.Helper()
	path := filepath.Join(folder, name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		err = os.Chtimes(path, start.Add(-d), start.Add(-d))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// At its start a service removes what a crash has left, and nothing that is needed.
func TestSweep(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		broken bool // the database answers nothing at first
		swept  bool
	}{
		{"as it should", false, true},
		{"without knowing the jobs", true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				g := newGates()
				s := w.service(2, map[string]jobs.Kind{"add": &lines{before: g.hold, size: 1}})
				going, queued := w.submit(s, "add", w.ohio, "A", "B"), w.submit(s, "add", w.ohio, "C")
				deleted := w.submit(s, "add", w.ohio, "D")
				w.store.keeps.Store(true)
				if err := s.Delete(t.Context(), deleted); err != nil {
					t.Fatal(err)
				}
				w.store.keeps.Store(false)
				r := w.run(s)
				synctest.Wait()
				g.open(t, "A")
				r.end() // one is in progress, one is queued
				for _, name := range []string{going.Upload, queued.Upload, deleted.Upload, "uploads/orphan", "uploads/cut.part", "outputs/orphan"} {
					age(t, w.folder, name, 2*time.Hour)
				}
				age(t, w.folder, "uploads/fresh", time.Minute)
				age(t, w.folder, "uploads/fresh.part", time.Minute)
				want := append(w.files(), w.outputs()...)
				if test.swept {
					want = []string{going.Upload, queued.Upload, "uploads/fresh", "uploads/fresh.part"}
				}
				first := test.broken
				w.db.cause(func(op string, _ []string) error {
					if op == "in use" && first {
						first = false
						return errInside
					}
					return nil
				})
				r = w.run(s)
				synctest.Wait()
				if diff := cmp.Diff(want, append(w.files(), w.outputs()...), cmpopts.SortSlices(strings.Compare)); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				r.end()
			})
		})
	}
}

// removing is a store of files that is asked before it removes one.
type removing struct {
	jobs.Files

	before func(ctx context.Context) error
}

func (r *removing) Remove(ctx context.Context, key string) error {
	if err := r.before(ctx); err != nil {
		return err
	}
	return r.Files.Remove(ctx, key)
}

// A store of files that hangs holds nobody for long who only wants to be rid of a file.
func TestDropOfAFileThatHangs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, nil)
		job := w.job(s, "add", w.ohio, "A")
		w.store.Files = &removing{w.store.Files, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(24 * time.Hour): // of the bubble
				return nil
			}
		}}
		left, leave := context.WithCancel(t.Context())
		leave()
		began := time.Now()
		s.DropUpload(left, job.Upload)
		if took := time.Since(began); took != 10*time.Second || len(w.files()) != 1 {
			t.Errorf("gave up after %v, files %q", took, w.files())
		}
	})
}

// A service that is told to stop leaves the rest of its sweeping for the next time.
func TestSweepThatIsStopped(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, nil)
		for _, name := range []string{"uploads/a", "uploads/b", "uploads/c"} {
			age(t, w.folder, name, 2*time.Hour)
		}
		plain := w.store.Files
		var r *running
		begun := make(chan struct{})
		w.store.Files = &removing{plain, func(context.Context) error {
			<-begun
			r.stop()
			return nil
		}}
		r = w.run(s)
		close(begun)
		r.wait()
		if left := w.files(); len(left) != 2 {
			t.Errorf("left: %q; want that one was removed before it was told", left)
		}
		w.store.Files = plain
		w.runHouse(s)
		if left := w.files(); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
}
