package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/internal/fault"
)

// line is a queue whose commits the test lets go one by one. Its tests run in a bubble, where
// synctest.Wait returns when every caller waits for something.
type line struct {
	queue
	enter chan struct{}                                     // each commit takes one to go on
	write func(ctx context.Context, batches []string) error // what a commit does; nil if it works
	seen  [][]string                                        // the batches of each commit
	ended sync.WaitGroup
}

func newLine() *line {
	l := &line{enter: make(chan struct{})}
	l.commit = func(ctx context.Context, batches []*Batch) ([][]Result, error) {
		names := make([]string, len(batches))
		results := make([][]Result, len(batches))
		for i, b := range batches {
			names[i] = b.Changes[0].Identifier
			results[i] = []Result{{Participant: &Participant{Identifier: names[i]}}}
		}
		l.seen = append(l.seen, names) // one commit at a time: the race detector would tell
		<-l.enter
		if l.write != nil {
			if err := l.write(ctx, names); err != nil {
				return nil, err
			}
		}
		return results, nil
	}
	return l
}

// caller is one caller's answer, once it has one.
type caller struct {
	name     string
	results  []Result
	err      error
	panicked any
	done     bool
}

// call queues a batch of n changes from a goroutine of its own, and returns when it waits.
func (l *line) call(ctx context.Context, name string, n int) *caller {
	c := &caller{name: name}
	batch := &Batch{Group: Group{Changes: make([]Change, n)}}
	batch.Changes[0].Identifier = name
	l.ended.Go(func() {
		defer func() { c.panicked, c.done = recover(), true }()
		c.results, c.err = l.do(ctx, batch)
	})
	synctest.Wait()
	return c
}

// calls queues one batch for each name.
func (l *line) calls(ctx context.Context, names ...string) []*caller {
	var callers []*caller
	for _, name := range names {
		callers = append(callers, l.call(ctx, name, 1))
	}
	return callers
}

// release lets everything go that waits to be written, and waits for the end.
func (l *line) release() {
	close(l.enter)
	l.ended.Wait()
}

// answered checks that the callers have their own results.
func answered(t *testing.T, callers ...*caller) {
	t.Helper()
	for _, c := range callers {
		if c.err != nil || c.panicked != nil || len(c.results) != 1 || c.results[0].Participant.Identifier != c.name {
			t.Errorf("%s is answered %+v, %v; want its own result", c.name, c.results, c.err)
		}
	}
}

func (l *line) committed(t *testing.T, want ...[]string) {
	t.Helper()
	if !slices.EqualFunc(l.seen, want, slices.Equal) {
		t.Errorf("commits of %q, want %q", l.seen, want)
	}
}

func TestWaitingBatchesShareACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		callers := l.calls(t.Context(), "a", "b", "c", "d")
		l.committed(t, []string{"a"})
		l.enter <- struct{}{}
		synctest.Wait()
		if !callers[0].done || callers[1].done {
			t.Error("the first caller waits for the others, or they are answered before they are written")
		}
		callers = append(callers, l.calls(t.Context(), "e", "f")...)
		l.release()
		l.committed(t, []string{"a"}, []string{"b", "c", "d"}, []string{"e", "f"})
		answered(t, callers...)
		if l.leading || len(l.waiting) != 0 {
			t.Error("the line is not at rest when all are answered")
		}
	})
}

func TestPoisonedBatchFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		poison := errors.New("poison")
		l.write = func(_ context.Context, batches []string) error {
			if slices.Contains(batches, "bad") {
				return poison
			}
			return nil
		}
		callers := l.calls(t.Context(), "a", "b", "bad", "c")
		l.release()
		l.committed(t, []string{"a"}, []string{"b", "bad", "c"}, []string{"b"}, []string{"bad"}, []string{"c"})
		answered(t, callers[0], callers[1], callers[3])
		if bad := callers[2]; !errors.Is(bad.err, poison) || bad.results != nil {
			t.Errorf("the poisoned batch is answered %v, %v", bad.results, bad.err)
		}
	})
}

// Where there is no room or no database, trying each batch alone would only add to the load.
func TestFailuresOfTheStoreAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.StorageFull, fault.Unavailable} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLine()
				failure := fmt.Errorf("commit: %w", fault.New(kind, "", "away"))
				l.write = func(_ context.Context, batches []string) error {
					if len(batches) > 1 {
						return failure
					}
					return nil
				}
				callers := l.calls(t.Context(), "a", "b", "c")
				l.release()
				l.committed(t, []string{"a"}, []string{"b", "c"})
				answered(t, callers[0])
				for _, c := range callers[1:] {
					if !errors.Is(c.err, failure) || c.results != nil {
						t.Errorf("%s is answered %v, %v; want the failure", c.name, c.results, c.err)
					}
				}
				later := l.call(t.Context(), "d", 1)
				l.ended.Wait()
				answered(t, later)
			})
		})
	}
}

func TestStuckCommitTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		l.write = func(ctx context.Context, batches []string) error {
			if len(batches) == 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		start := time.Now()
		callers := l.calls(t.Context(), "a", "b", "c")
		l.release()
		l.committed(t, []string{"a"}, []string{"b", "c"})
		if waited := time.Since(start); waited != commitTimeout {
			t.Errorf("the callers waited %v, want %v", waited, commitTimeout)
		}
		for _, c := range callers[1:] {
			if !errors.Is(c.err, context.DeadlineExceeded) {
				t.Errorf("%s is answered %v, want the deadline", c.name, c.err)
			}
		}
	})
}

func TestCallerWhoGivesUpLeavesTheLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		ctx, cancel := context.WithCancel(t.Context())
		a := l.call(t.Context(), "a", 1)
		gone := l.call(ctx, "gone", 1)
		b := l.call(t.Context(), "b", 1)
		cancel()
		synctest.Wait()
		if !gone.done || !errors.Is(gone.err, context.Canceled) {
			t.Fatalf("answered %v, want it to leave at once", gone.err)
		}
		l.release()
		l.committed(t, []string{"a"}, []string{"b"})
		answered(t, a, b)
	})
}

// A batch that is being written is answered, whatever its caller's patience: that of the
// leader, and that of those who share its commit.
func TestCancelledWhileWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		l.write = func(ctx context.Context, _ []string) error { return ctx.Err() }
		ctx, cancel := context.WithCancel(t.Context())
		a := l.call(t.Context(), "a", 1)
		leader, follower, other := l.call(ctx, "leader", 1), l.call(ctx, "follower", 1), l.call(t.Context(), "other", 1)
		l.enter <- struct{}{}
		synctest.Wait() // the second commit is on its way
		cancel()
		synctest.Wait()
		if leader.done || follower.done {
			t.Error("answered before it is known what became of the batch")
		}
		l.release()
		l.committed(t, []string{"a"}, []string{"leader", "follower", "other"})
		answered(t, a, leader, follower, other)
	})
}

// However the hand-on and the cancelling meet, nobody is stuck behind a caller who gives up.
func TestLeadIsNeverLost(t *testing.T) {
	t.Parallel()
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			l := newLine()
			ctx, cancel := context.WithCancel(t.Context())
			a := l.call(t.Context(), "a", 1)
			gone := l.call(ctx, "gone", 1)
			b := l.call(t.Context(), "b", 1)
			go cancel()
			l.release()
			answered(t, a, b)
			if gone.err == nil {
				answered(t, gone)
			} else if !errors.Is(gone.err, context.Canceled) {
				t.Errorf("answered %v, want a result or that it was cancelled", gone.err)
			}
		})
	}
}

// A batch that panics fails for itself: neither the caller who leads nor the others do.
func TestPanickingBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		l.write = func(_ context.Context, batches []string) error {
			if slices.Contains(batches, "poisoned") {
				panic("a defect")
			}
			return nil
		}
		callers := l.calls(t.Context(), "a", "leader", "poisoned", "c")
		l.release()
		answered(t, callers[0], callers[1], callers[3])
		poisoned := callers[2]
		if poisoned.err == nil || poisoned.results != nil || fault.KindOf(poisoned.err) != fault.Internal {
			t.Errorf("the poisoned batch is answered %v, %v; want an internal fault", poisoned.results, poisoned.err)
		}
		if text := fmt.Sprint(poisoned.err); strings.Contains(text, "a defect") {
			t.Errorf("the error tells what was panicked with: %s", text)
		}
		later := l.call(t.Context(), "later", 1)
		l.ended.Wait()
		answered(t, later)
	})
}

func TestCommitsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		callers := []*caller{
			l.call(t.Context(), "a", 1),
			l.call(t.Context(), "most", maxCommit-1), l.call(t.Context(), "one", 1), l.call(t.Context(), "next", 1),
			l.call(t.Context(), "huge", maxCommit+1), l.call(t.Context(), "last", 1),
		}
		l.release()
		l.committed(t, []string{"a"}, []string{"most", "one"}, []string{"next"}, []string{"huge"}, []string{"last"})
		answered(t, callers...)
	})
}

// The line is busy from its first caller to the answer of its last.
func TestQueueIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		if l.busy() {
			t.Error("busy without a caller")
		}
		l.call(t.Context(), "A", 1)
		l.call(t.Context(), "B", 1)
		for _, what := range []string{"while A is written", "while B is"} {
			if !l.busy() {
				t.Errorf("not busy %s", what)
			}
			l.enter <- struct{}{}
			synctest.Wait()
		}
		if l.busy() {
			t.Error("busy when all have been answered")
		}
		l.ended.Wait()
	})
}
