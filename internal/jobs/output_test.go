package jobs_test

import (
	"context"
	"errors"
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
	"rollcall/internal/registry"
)

// erase erases people as another dialect does.
func (w *world) erase(names ...string) {
	w.t.Helper()
	for _, name := range names {
		change := registry.Change{Action: registry.Delete, Profile: registry.MyDataHelps(), Identifier: name}
		results, err := w.registry.Apply(w.t.Context(), w.study.ID, change)
		if err != nil || results[0].Err != nil {
			w.t.Fatalf("erase %s: %v, %+v", name, err, results)
		}
	}
}

// onDisk lists those of the texts that some file of an output holds.
func (w *world) onDisk(texts ...string) []string {
	w.t.Helper()
	var held []string
	for _, text := range texts {
		for _, key := range w.outputs() {
			content, err := os.ReadFile(filepath.Join(w.folder, key))
			if err != nil {
				w.t.Fatal(err)
			}
			if strings.Contains(string(content), text) {
				held = append(held, text+" in "+key)
			}
		}
	}
	return held
}

// erasures is how many erasures are still to be done.
func (w *world) erasures() int {
	w.t.Helper()
	list, err := w.db.Store.Erasures(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// done is a job that has added the names.
func (w *world) done(s *jobs.Service, names ...string) *jobs.Job {
	w.t.Helper()
	job := w.submit(s, "add", w.ohio, names...)
	w.runAll(s)
	return job
}

// A server that dies when the output is stored, and before the job knows, loses nothing: the job
// is ended by the next, and what was stored in vain is swept.
func TestCrashBeforeTheEndIsStored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 2}})
		names := numbered("A", 5)
		job := w.submit(s, "add", w.ohio, names...)
		w.db.cause(failing("release", errInside))
		var r *running
		begun := make(chan struct{})
		w.store.whenSaved(func(string) error {
			<-begun
			r.stop()
			return nil
		})
		r = w.run(s)
		close(begun)
		r.wait()
		lost := w.outputs()
		if got := w.stored(job); got.State != jobs.InProgress || got.Output != "" || len(lost) != 1 {
			t.Fatalf("the job is %s with output %q, files %q", got.State, got.Output, lost)
		}
		w.db.cause(nil)
		w.store.whenSaved(nil)
		w.runAll(s)
		w.checkDone(s, job, names...)
		for _, key := range w.outputs() {
			age(t, w.folder, key, 2*time.Hour)
		}
		w.runHouse(s)
		if diff := cmp.Diff([]string{w.stored(job).Output}, w.outputs()); diff != "" {
			t.Errorf("outputs (-want +got):\n%s", diff)
		}
		w.checkDone(s, job, names...)
	})
}

// runHouse runs the service until nothing moves any more.
func (w *world) runHouse(s *jobs.Service) {
	w.t.Helper()
	r := w.run(s)
	synctest.Wait()
	r.end()
}

// An end that is stored although we were told that it is not is no trouble.
func TestEndThatSeemedToFail(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		first := true
		w.db.cause(func(op string, _ []string) error {
			if op == "finished" && first {
				first = false
				return fault.New(fault.Unavailable, "", "away")
			}
			if op == "find" && !first {
				first = true // and next it is not known either
				return fault.New(fault.Unavailable, "", "away")
			}
			return nil
		})
		job := w.submit(s, "add", w.ohio, "A", "B")
		r := w.run(s)
		w.awaitEnd()
		r.end()
		w.db.cause(nil)
		w.checkDone(s, job, "A", "B")
		if len(w.ended) > 0 || len(w.files()) > 0 || len(w.outputs()) != 1 {
			t.Errorf("%d more ends, uploads %q, outputs %q", len(w.ended), w.files(), w.outputs())
		}
	})
}

// An output that cannot be stored leaves the job where it is, until it can.
func TestOutputThatCannotBeStored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		full := 9
		w.store.whenSaved(func(key string) error {
			if full--; full < 0 {
				return nil
			}
			return errors.Join(fault.New(fault.StorageFull, "", "full"), os.Remove(filepath.Join(w.folder, key)))
		})
		job := w.done(s, "A", "B")
		w.checkDone(s, job, "A", "B")
		if full >= 0 || len(w.outputs()) != 1 {
			t.Errorf("full for %d more, outputs %q", full, w.outputs())
		}
	})
}

// Who is erased when the output is stored already, and the end of the job is not, is not in it.
func TestErasureWhileAJobEnds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 1}})
		erase := []string{"A-0002", "A-0005"}
		w.store.whenSaved(func(string) error {
			if len(erase) > 0 {
				w.erase(erase[0])
				erase = erase[1:]
				w.runErasures()
			}
			return nil
		})
		job := w.done(s, numbered("A", 6)...)
		if diff := cmp.Diff(logOf("added", "A-0001", "A-0003", "A-0004", "A-0006"), w.output(s, job)); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		if held := w.onDisk("A-0002", "A-0005"); held != nil || len(w.outputs()) != 1 {
			t.Errorf("still there: %q, outputs %q", held, w.outputs())
		}
	})
}

// runErasures waits until a running service has done all erasures.
func (w *world) runErasures() {
	w.t.Helper()
	for w.erasures() > 0 {
		time.Sleep(time.Second) // of the bubble
	}
}

// Who was erased is not sent any more, and is taken out of the files in the end.
func TestErasedPeopleLeaveFiles(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"", "erasures", "replace", "end erasure"} {
		t.Run("trouble: "+broken, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
				job, other := w.done(s, "A", "B", "C"), w.done(s, "D")
				untouched := w.stored(other).Output
				w.erase("B")
				if w.erasures() != 1 || len(w.onDisk("B")) != 1 {
					t.Fatalf("%d erasures, on disk %q", w.erasures(), w.onDisk("B"))
				}
				want := logOf("added", "A", "C")
				if diff := cmp.Diff(want, w.output(s, job)); diff != "" {
					t.Errorf("output, before it is rewritten (-want +got):\n%s", diff)
				}
				first := true
				w.db.cause(func(op string, _ []string) error {
					if op == broken && first {
						first = false
						return errInside
					}
					return nil
				})
				r := w.run(s)
				w.runErasures()
				r.end()
				w.db.cause(nil)
				if held := w.onDisk("B"); held != nil {
					t.Errorf("still there: %q", held)
				}
				if diff := cmp.Diff(want, w.output(s, job)); diff != "" {
					t.Errorf("output (-want +got):\n%s", diff)
				}
				if got := w.stored(other).Output; got != untouched || w.output(s, other) != "D added\n" {
					t.Errorf("a file without the erased is %q, was %q", got, untouched)
				}
			})
		})
	}
}

// Two nodes that take people out of the same files leave one file each.
func TestErasureByTwoNodes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		job := w.done(s, "A", "B", "C", "D")
		w.erase("B")
		b := w.beside("node-2")
		other := b.service(1, nil)
		met := false
		w.store.whenSaved(func(string) error { // the other comes in between, and knows of more
			if !met {
				met = true
				b.erase("C")
				r := b.run(other)
				b.runErasures()
				r.end()
			}
			return nil
		})
		r := w.run(s)
		time.Sleep(time.Minute) // of the bubble
		r.end()
		if held := w.onDisk("B", "C"); held != nil || w.erasures() > 0 || !met {
			t.Errorf("still there: %q, %d erasures", held, w.erasures())
		}
		if diff := cmp.Diff([]string{w.stored(job).Output}, w.outputs()); diff != "" {
			t.Errorf("outputs (-want +got):\n%s", diff)
		}
		if got := w.output(s, job); got != "A added\nD added\n" {
			t.Errorf("output %q", got)
		}
	})
}

// opening is a store of files that does something before each file is opened.
type opening struct {
	jobs.Files

	before func(key string)
}

func (o *opening) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	o.before(key)
	return o.Files.Open(ctx, key)
}

// Whoever fetches a file that is rewritten meanwhile gets the old one or the new one, whole.
func TestErasureDuringADownload(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		job := w.done(s, "A", "B", "C")
		plain := w.store.Files
		first := true
		w.store.Files = &opening{plain, func(string) {
			if first { // between the row and the file
				first = false
				w.erase("B")
				w.runHouse(s)
			}
		}}
		if got := w.output(s, job); got != "A added\nC added\n" || first {
			t.Errorf("output %q", got)
		}
		w.store.Files = plain
		var sent strings.Builder
		b := w.beside("node-2")
		other := b.service(1, nil)
		err := s.WriteOutput(t.Context(), job, writing(func(text []byte) (int, error) {
			b.erase("C")
			b.runHouse(other)
			return sent.Write(text)
		}))
		if err != nil || sent.String() != "A added\nC added\n" {
			t.Errorf("sent %q, %v; want what was there when it began", sent.String(), err)
		}
		if got := w.output(s, job); got != "A added\n" || w.onDisk("B", "C") != nil {
			t.Errorf("output %q, on disk %q", got, w.onDisk("B", "C"))
		}
	})
}

// A file that is lost, against all care, is told of, and is in nobody's way.
func TestOutputThatIsLost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		job, other := w.done(s, "A"), w.done(s, "B", "C")
		if err := os.Remove(filepath.Join(w.folder, w.stored(job).Output)); err != nil {
			t.Fatal(err)
		}
		if err := s.WriteOutput(t.Context(), job, io.Discard); err == nil || fault.KindOf(err) != fault.NotFound {
			t.Errorf("answered %v, want that it is not found", err)
		}
		w.erase("C")
		w.runHouse(s)
		if got := w.output(s, other); got != "B added\n" || w.erasures() > 0 || w.onDisk("C") != nil {
			t.Errorf("output %q, %d erasures", got, w.erasures())
		}
		if !strings.Contains(w.log.String(), "output is gone") {
			t.Errorf("the log does not tell:\n%s", w.log)
		}
	})
}

func TestDeletedJobLeavesNoFile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		stale := w.done(s, "A") // as it was submitted
		if err := s.Delete(t.Context(), stale); err != nil {
			t.Fatal(err)
		}
		if left := append(w.files(), w.outputs()...); len(left) > 0 {
			t.Errorf("files left: %q", left)
		}
	})
}

// A job without any output has no file.
func TestJobWithoutOutput(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		job := w.done(s)
		if got := w.stored(job); got.State != jobs.Completed || got.Output != "" || len(w.outputs()) > 0 || w.output(s, job) != "" {
			t.Errorf("the job is %s with output %q, files %q", got.State, got.Output, w.outputs())
		}
	})
}

// Whoever fetches the output of a job that ends meanwhile learns that it may not be all.
func TestOutputOfAJobThatEndsMeanwhile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		g := newGates()
		s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 1, before: g.hold}})
		job := w.submit(s, "add", w.ohio, "A", "B")
		r := w.run(s)
		g.check(t, "at first", "A")
		g.open(t, "A")
		g.open(t, "A")
		if got := w.output(s, job); got != "A added\nB added\n" {
			t.Errorf("output of a running job %q", got)
		}
		err := s.WriteOutput(t.Context(), job, writing(func(p []byte) (int, error) {
			if string(p) == "A added\n" {
				g.open(t, "A") // the end
			}
			return len(p), nil
		}))
		if err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("answered %v, want that it is to be tried again", err)
		}
		r.end()
		w.checkDone(s, job, "A", "B")
	})
}

// Who is given an identifier that an erasure has made free stays in the outputs of later jobs.
func TestErasedIdentifierIsTakenAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		before := w.done(s, "A", "B")
		w.erase("B")
		w.db.cause(failing("end erasure", errInside)) // it stays to be done
		w.later.Store(int64(2 * time.Minute))
		after := w.done(s, "B", "C")
		w.runHouse(s)
		if w.erasures() != 1 {
			t.Fatal("the erasure is done")
		}
		if got := w.output(s, before); got != "A added\n" {
			t.Errorf("output of a job before the erasure %q", got)
		}
		if got := w.output(s, after); got != "B added\nC added\n" {
			t.Errorf("output of a job after the erasure %q", got)
		}
		if held := w.onDisk("B added"); !slices.Equal(held, []string{"B added in " + w.stored(after).Output}) {
			t.Errorf("on disk: %q", held)
		}
	})
}

// unreadable is a store of files of which one cannot be opened.
type unreadable struct {
	jobs.Files

	key string
}

func (u *unreadable) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if key == u.key {
		return nil, fault.New(fault.Unavailable, "", "away")
	}
	return u.Files.Open(ctx, key)
}

// A file that cannot be read does not keep erased people in the others.
func TestErasureWithAFileThatCannotBeRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		var list []*jobs.Job
		for _, name := range []string{"A", "C", "D"} {
			list = append(list, w.done(s, name, "B"))
		}
		w.erase("B")
		plain, bad := w.store.Files, w.stored(list[1]).Output
		w.store.Files = &unreadable{plain, bad}
		w.runHouse(s)
		if held := w.onDisk("B"); !slices.Equal(held, []string{"B in " + bad}) || w.erasures() != 1 {
			t.Errorf("still there: %q, %d erasures; want one file and its erasure", held, w.erasures())
		}
		w.store.Files = plain
		w.runHouse(s)
		if held := w.onDisk("B"); held != nil || w.erasures() > 0 {
			t.Errorf("still there: %q, %d erasures", held, w.erasures())
		}
	})
}
