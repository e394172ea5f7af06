package jobs_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
)

// started lists the cursors that jobs of the kind were started at.
func (k *lines) started() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.starts)
}

// failing has one operation of the database fail.
func failing(op string, err error) func(string, []string) error {
	return func(o string, _ []string) error {
		if o == op {
			return err
		}
		return nil
	}
}

// A job goes to another node when its own has stopped or died, and not before.
func TestAnotherNodeTakesOver(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		killed bool
		within time.Duration
	}{
		{"its node stops", false, 5 * time.Second},
		{"its node is killed", true, 30 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.beside("node-2")
				g := newGates()
				first, second := &lines{size: 1, before: g.hold}, &lines{size: 1}
				s, other := w.service(1, map[string]jobs.Kind{"add": first}), b.service(1, map[string]jobs.Kind{"add": second})
				names := numbered("A", 4)
				job := w.submit(s, "add", w.ohio, names...)
				r := w.run(s)
				g.check(t, "at first", "A-0001")
				rb := b.run(other)
				g.open(t, "A-0001")
				time.Sleep(10 * time.Minute) // of the bubble
				if starts := second.started(); len(starts) > 0 {
					t.Errorf("a job is taken from a node that works on it, at %q", starts)
				}
				if test.killed {
					w.db.cause(failing("release", errInside))
				}
				r.end()
				stopped := time.Now()
				if got := w.awaitEnd(); got != "add completed" {
					t.Errorf("the job has %s", got)
				}
				if took := time.Since(stopped); took > test.within {
					t.Errorf("it was taken over after %v", took)
				}
				rb.end()
				b.checkDone(other, job, names...)
				if diff := cmp.Diff([]string{"1"}, second.started()); diff != "" {
					t.Errorf("started at (-want +got):\n%s", diff)
				}
				if got := w.stored(job); got.Node != "node-2" || got.Held {
					t.Errorf("the job was done by %s, held: %v", got.Node, got.Held)
				}
			})
		})
	}
}

// A node that starts again after it was killed goes on at once.
func TestNodeThatComesBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		g := newGates()
		s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 1, before: g.hold}})
		job := w.submit(s, "add", w.ohio, "A", "B")
		r := w.run(s)
		g.check(t, "at first", "A")
		g.open(t, "A")
		w.db.cause(failing("release", errInside))
		r.end()
		w.db.cause(nil)
		s = w.service(1, map[string]jobs.Kind{"add": &lines{}})
		if took := w.runAll(s); took != 0 {
			t.Errorf("took %v", took)
		}
		w.checkDone(s, job, "A", "B")
	})
}

// A node that was paused for so long that another has its job writes nothing when it wakes.
func TestPausedNodeIsFenced(t *testing.T) {
	t.Parallel()
	for _, notices := range []string{"when it writes", "when it renews its lease", "when it ends the job"} {
		t.Run(notices, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.beside("node-2")
				awake := make(chan struct{})
				pausedAt := 1
				if notices == "when it ends the job" {
					pausedAt = 4
				}
				first := &lines{size: 1, before: func(ctx context.Context, _ *jobs.Job, done int) error {
					if done != pausedAt {
						return nil
					}
					<-awake
					if notices == "when it renews its lease" {
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				}}
				s := w.service(1, map[string]jobs.Kind{"add": first})
				names := numbered("A", 4)
				job := w.submit(s, "add", w.ohio, names...)
				r := w.run(s)
				synctest.Wait()
				w.db.cause(failing("renew", fault.New(fault.Unavailable, "", "paused")))
				other := b.service(1, map[string]jobs.Kind{"add": &lines{size: 1}})
				rb := b.run(other)
				if got := w.awaitEnd(); got != "add completed" {
					t.Errorf("the job has %s", got)
				}
				w.db.cause(nil)
				close(awake)
				time.Sleep(time.Minute) // of the bubble
				r.end()
				rb.end()
				b.checkDone(other, job, names...)
				if w.stored(job).Node != "node-2" || len(w.ended) > 0 || len(w.outputs()) != 1 {
					t.Errorf("done by %s, %d more ends, outputs %q", w.stored(job).Node, len(w.ended), w.outputs())
				}
				if log := w.log.String(); strings.Contains(log, "interrupted") || strings.Contains(log, "ERROR") {
					t.Errorf("a lost lease is trouble:\n%s", log)
				}
			})
		})
	}
}

// A paused node that wakes while the other is still at work is refused too.
func TestNodeLosesItsJobToOneAtWork(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.beside("node-2")
		ga, gb := newGates(), newGates()
		s := w.service(1, map[string]jobs.Kind{"add": &lines{size: 1, before: ga.hold}})
		job := w.submit(s, "add", w.ohio, "A", "B", "C")
		r := w.run(s)
		ga.check(t, "at first", "A")
		w.db.cause(failing("renew", fault.New(fault.Unavailable, "", "paused")))
		other := b.service(1, map[string]jobs.Kind{"add": &lines{size: 1, before: gb.hold}})
		rb := b.run(other)
		time.Sleep(30 * time.Second) // of the bubble
		gb.check(t, "after the lease has run out", "A")
		ga.open(t, "A") // writes in vain
		if people := w.people(); len(people) > 0 {
			t.Errorf("participants %q", people)
		}
		if !strings.Contains(w.log.String(), "another node has taken the job") {
			t.Errorf("the log does not tell:\n%s", w.log)
		}
		w.db.cause(nil)
		time.Sleep(time.Minute) // of the bubble
		ga.check(t, "at the node that woke")
		for range 4 {
			gb.open(t, "A")
		}
		r.end()
		rb.end()
		b.checkDone(other, job, "A", "B", "C")
	})
}

// Writing jobs of one site follow each other whichever node does them.
func TestLanesAcrossNodes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.beside("node-2")
		ga, gb := newGates(), newGates()
		kinds := func(g *gates) map[string]jobs.Kind {
			return map[string]jobs.Kind{"add": &lines{before: g.hold}, "read": &lines{before: g.hold, reads: true}}
		}
		s, other := w.service(1, kinds(ga)), b.service(9, kinds(gb))
		w.submit(s, "add", w.ohio, "Ohio1")
		r := w.run(s)
		ga.check(t, "at first", "Ohio1")
		rb := b.run(other)
		b.submit(other, "add", w.ohio, "Ohio2")
		b.submit(other, "add", w.ohio, "Ohio3")
		b.submit(other, "add", w.iowa, "Iowa1")
		b.submit(other, "read", w.ohio, "Read1")
		gb.check(t, "beside", "Iowa1", "Read1")
		time.Sleep(time.Minute) // of the bubble
		gb.check(t, "a minute later", "Iowa1", "Read1")
		ga.open(t, "Ohio1")
		gb.check(t, "before its end", "Iowa1", "Read1")
		r.end() // hands it over
		time.Sleep(5 * time.Second)
		gb.check(t, "when it is handed over", "Iowa1", "Ohio1", "Read1")
		gb.open(t, "Ohio1")
		gb.check(t, "when it has ended", "Iowa1", "Ohio2", "Read1")
		rb.end()
	})
}

// A job that another node's clock puts before one that is just being taken comes first.
func TestJobOfAnEarlierClock(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(9, map[string]jobs.Kind{"add": &lines{}})
		second := w.submit(s, "add", w.ohio, "Second")
		first := w.job(s, "add", w.ohio, "First")
		first.ID, first.State, first.CreatedAt, first.UpdatedAt = uuid.New(), jobs.Queued, start.Add(-time.Hour), start
		takes := 0
		w.db.cause(func(op string, _ []string) error {
			if op == "take" {
				if takes++; takes == 1 {
					return w.db.Store.CreateJob(t.Context(), first, nil)
				}
			}
			return nil
		})
		w.runAll(s)
		if diff := cmp.Diff([]string{"First", "Second"}, w.people()); diff != "" {
			t.Errorf("participants (-want +got):\n%s", diff)
		}
		if got := w.stored(second); got.State != jobs.Completed || got.Lease != 2 {
			t.Errorf("the second is %s under lease %d, want it taken twice", got.State, got.Lease)
		}
	})
}
