package jobs_test

import (
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
