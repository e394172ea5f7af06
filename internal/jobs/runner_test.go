package jobs_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

func TestWritingJobsOfASiteFollowEachOther(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		g := newGates()
		s := w.service(10, map[string]jobs.Kind{
			"add":  &lines{before: g.hold, size: 1},
			"read": &lines{before: g.hold, size: 1, reads: true},
		})
		w.submit(s, "add", w.ohio, "Ohio1")
		w.submit(s, "add", w.ohio, "Ohio2")
		w.submit(s, "add", w.iowa, "Iowa1")
		w.submit(s, "read", w.ohio, "Read1")
		w.submit(s, "add", w.ohio, "Ohio3")
		w.submit(s, "read", w.ohio, "Read2")
		w.submit(s, "add", registry.StudyLevel, "Study1")
		r := w.run(s)
		g.check(t, "at first", "Iowa1", "Ohio1", "Read1", "Read2", "Study1")
		g.open(t, "Ohio1") // its only record
		g.check(t, "before its end", "Iowa1", "Ohio1", "Read1", "Read2", "Study1")
		g.open(t, "Ohio1")
		g.check(t, "after the first of Ohio", "Iowa1", "Ohio2", "Read1", "Read2", "Study1")
		for range 2 {
			g.open(t, "Iowa1")
			g.open(t, "Read2")
			g.open(t, "Study1")
		}
		g.check(t, "after others", "Ohio2", "Read1")
		w.submit(s, "add", w.iowa, "Iowa2")
		g.check(t, "with another", "Iowa2", "Ohio2", "Read1")
		for range 2 {
			g.open(t, "Ohio2")
			g.open(t, "Iowa2")
		}
		g.check(t, "near the end", "Ohio3", "Read1")
		r.end()
		g.check(t, "after Run")
	})
}

// asked is a kind of job that tells when it is asked whether it writes.
type asked struct {
	*lines

	asked func()
}

func (k *asked) Writes() bool {
	k.asked()
	return k.lines.Writes()
}

// A worker that comes free while the runner looks through the jobs is not for a job whose
// predecessor has just gone without one.
func TestNoJobOvertakes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		g := newGates()
		freed := make(chan struct{})
		var looks atomic.Int64 // at the two jobs of Ohio
		add := &asked{&lines{}, func() {
			if looks.Add(1) == 3 { // at Ohio1; at Ohio1 again, in vain; at Ohio2
				close(freed)
				g.open(t, "Read")
			}
		}}
		s := w.service(1, map[string]jobs.Kind{"add": add, "read": &lines{before: g.hold, reads: true}})
		w.submit(s, "read", w.ohio, "Read")
		r := w.run(s)
		g.check(t, "at first", "Read")
		g.open(t, "Read")
		w.submit(s, "add", w.ohio, "Ohio1")
		synctest.Wait()
		w.submit(s, "add", w.ohio, "Ohio2")
		<-freed
		for range 3 {
			w.awaitEnd()
		}
		r.end()
		if got := w.people(); !slices.Equal(got, []string{"Ohio1", "Ohio2"}) {
			t.Errorf("participants were added in the order %q", got)
		}
	})
}

// A job that has to be tried again keeps its place before the later ones of its site.
func TestJobThatIsTriedAgainKeepsItsPlace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(10, map[string]jobs.Kind{"add": &lines{size: 1}})
		w.submit(s, "add", w.ohio, "Ohio1", "Ohio2")
		w.submit(s, "add", w.ohio, "Ohio3")
		w.submit(s, "add", w.iowa, "Iowa1", "Iowa2")
		w.db.cause(func(op string, names []string) error {
			if op == "write" && slices.Contains(names, "Ohio2") && !slices.Contains(w.people(), "Iowa2") {
				return fault.New(fault.Unavailable, "", "away")
			}
			return nil
		})
		w.runAll(s)
		people := w.people()
		if len(people) != 5 || slices.Index(people, "Ohio3") != 4 || slices.Index(people, "Ohio2") != 3 {
			t.Errorf("participants were added in the order %q", people)
		}
	})
}

func TestWorkersAreBounded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		workers int
		want    []string
	}{
		{"two", 2, []string{"J1", "J2"}},
		{"as many as nobody said", 0, []string{"J1", "J2", "J3", "J4"}},
		{"more than enough", 9, []string{"J1", "J2", "J3", "J4", "J5"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				g := newGates()
				s := w.service(test.workers, map[string]jobs.Kind{"read": &lines{before: g.hold, reads: true}})
				for _, name := range []string{"J1", "J2", "J3", "J4", "J5"} {
					w.submit(s, "read", w.ohio, name)
				}
				r := w.run(s)
				g.check(t, "at first", test.want...)
				g.open(t, "J2")
				g.open(t, "J2")
				want := slices.DeleteFunc(append(test.want, "J3", "J4", "J5"), func(name string) bool { return name == "J2" })
				slices.Sort(want)
				want = slices.Compact(want)
				g.check(t, "when one has ended", want[:min(len(test.want), 4)]...)
				r.end()
			})
		})
	}
}

// Nobody nudges the runner about what another process submits, nor when the database is back.
func TestRunnerLooksAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		other := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		looks := 0
		w.db.cause(func(op string, _ []string) error {
			if op == "list" {
				if looks++; looks < 6 {
					return errInside
				}
			}
			return nil
		})
		r := w.run(s)
		synctest.Wait()
		w.submit(other, "add", w.ohio, "A")
		began := time.Now()
		if got := w.awaitEnd(); got != "add completed" {
			t.Errorf("the job has %s", got)
		}
		if took := time.Since(began); took != 25*time.Second {
			t.Errorf("the runner looked again after %v", took) // one look at first, then one each 5 s
		}
		r.end()
	})
}

func TestRunWaitsForItsJobs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		free := make(chan struct{})
		s := w.service(2, map[string]jobs.Kind{"read": &lines{reads: true, before: func(context.Context, *jobs.Job, int) error {
			<-free // deaf to ctx
			return nil
		}}})
		job := w.submit(s, "read", w.ohio, "A")
		w.submit(s, "read", w.ohio, "B")
		r := w.run(s)
		synctest.Wait()
		r.stop()
		synctest.Wait()
		select {
		case <-r.ran:
			t.Fatal("Run leaves its jobs behind")
		default:
		}
		close(free)
		r.wait()
		if got := w.stored(job); got.State != jobs.InProgress {
			t.Errorf("the job is %s, want it handed over", got.State)
		}
	})
}

// Run returns at once while all its jobs wait for the database.
func TestRunEndsDuringABackoff(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"take", "begin", "finish"} {
		t.Run(op, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.service(2, map[string]jobs.Kind{"add": &lines{}})
				job := w.submit(s, "add", w.ohio, "A")
				w.submit(s, "add", w.iowa, "B")
				w.db.cause(func(o string, _ []string) error {
					if o == op {
						return fault.New(fault.Unavailable, "", "away")
					}
					return nil
				})
				r := w.run(s)
				time.Sleep(time.Hour) // of the bubble: the backoff is at its longest
				synctest.Wait()
				began := time.Now()
				r.end()
				if took := time.Since(began); took != 0 {
					t.Errorf("Run returned after %v", took)
				}
				w.db.cause(nil)
				if got := w.stored(job); !got.State.Unfinished() {
					t.Errorf("the job is %s", got.State)
				}
				w.runAll(s)
				if got := w.people(); len(got) != 2 {
					t.Errorf("participants %q", got)
				}
			})
		})
	}
}

// A writer who waits behind somebody else's long transaction when the server stops has met no
// bad record: nothing is logged as failed.
func TestRunEndsWhileARecordWaitsInLine(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		job := w.submit(s, "add", w.ohio, "A")
		free, answered := make(chan struct{}), make(chan error, 1)
		w.db.cause(func(op string, _ []string) error {
			if op == "begin" {
				<-free
			}
			return nil
		})
		go func() { // is waited for below
			_, err := w.registry.Apply(t.Context(), w.study.ID, addition(job, "LONG"))
			answered <- err
		}()
		synctest.Wait()
		r := w.run(s)
		synctest.Wait()
		r.end()
		if log := w.log.String(); strings.Contains(log, "cannot be written") {
			t.Errorf("the log blames the record:\n%s", log)
		}
		close(free)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		w.runAll(s)
		if got := w.output(s, job); got != "A added\n" {
			t.Errorf("output %q", got)
		}
	})
}
