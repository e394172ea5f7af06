package registry

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"rollcall/internal/fault"
)

const (
	// commitTimeout bounds one shared transaction. It is not the callers' patience: it only
	// keeps a stuck engine from holding every writer of a study for ever.
	commitTimeout = 2 * time.Minute

	// maxCommit is about how many changes share one transaction.
	maxCommit = 2000
)

// queue is group commit for one study: batches that wait while a transaction runs go into the
// next one together. It has no goroutine of its own: the caller at the head of the line runs
// the transaction for those behind it, then hands the lead on.
type queue struct {
	commit func(ctx context.Context, batches []*Batch) ([][]Result, error)

	mu      sync.Mutex
	leading bool // whether some caller runs a transaction
	waiting []*ticket
}

// ticket is one caller's place in the line.
type ticket struct {
	batch *Batch
	lead  chan struct{} // closed when the caller has to lead
	done  chan struct{} // closed when results and err are set

	results []Result
	err     error
}

// do queues the batch and answers when it is durable or has failed. A caller who gives up
// while its batch waits takes it out of the line; once it is being written, the caller waits
// for what becomes of it.
func (q *queue) do(ctx context.Context, batch *Batch) ([]Result, error) {
	t := &ticket{batch: batch, lead: make(chan struct{}), done: make(chan struct{})}
	q.mu.Lock()
	q.waiting = append(q.waiting, t)
	if !q.leading {
		q.leading = true
		close(t.lead)
	}
	q.mu.Unlock()

	select {
	case <-t.lead:
		q.run(ctx)
	case <-t.done:
	case <-ctx.Done():
		if q.leave(t) {
			return nil, ctx.Err()
		}
		select { // too late to leave: it leads, or is being written
		case <-t.lead:
			q.run(ctx)
		case <-t.done:
		}
	}
	<-t.done
	return t.results, t.err
}

// leave takes a ticket out of the line; false if it leads or is being written already.
func (q *queue) leave(t *ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-t.lead:
		return false
	default:
	}
	i := slices.Index(q.waiting, t)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// run writes the head of the line in one transaction and hands the lead to the next in line.
// The transaction outlives the leader's own request: others depend on it.
func (q *queue) run(ctx context.Context) {
	tickets := q.take()
	defer q.handOn()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	defer func() {
		for _, t := range tickets {
			close(t.done)
		}
	}()
	if err := q.together(ctx, tickets); err == nil || len(tickets) == 1 || ctx.Err() != nil || !blamesBatch(err) {
		return
	}
	// Nobody has been answered yet: each is tried alone, so that one poisoned batch fails for
	// itself.
	for _, t := range tickets {
		_ = q.together(ctx, []*ticket{t})
	}
}

// blamesBatch tells whether a failure may be the fault of one batch. Where there is no room or
// no database, every batch would fail alike, and trying each would only add to the load.
func blamesBatch(err error) bool {
	kind := fault.KindOf(err)
	return kind != fault.StorageFull && kind != fault.Unavailable
}

// together writes the tickets' batches in one transaction.
func (q *queue) together(ctx context.Context, tickets []*ticket) error {
	batches := make([]*Batch, len(tickets))
	for i, t := range tickets {
		batches[i] = t.batch
	}
	results, err := q.survive(ctx, batches)
	for i, t := range tickets {
		t.err = err
		if err == nil {
			t.results = results[i]
		}
	}
	return err
}

// survive commits and turns a panic into an error: one batch's panic is not the others' fault,
// nor the leader's.
func (q *queue) survive(ctx context.Context, batches []*Batch) (results [][]Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			// What was panicked with may hold personal values; its type and the place do not.
			results, err = nil, fmt.Errorf("panic of type %T while writing a batch\n%s", v, debug.Stack())
		}
	}()
	return q.commit(ctx, batches)
}

// take takes the head of the line, the leader's own ticket first.
func (q *queue) take() []*ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, changes := 0, 0
	for n < len(q.waiting) && (n == 0 || changes+len(q.waiting[n].batch.Changes) <= maxCommit) {
		changes += len(q.waiting[n].batch.Changes)
		n++
	}
	tickets := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return tickets
}

// busy tells whether there is anybody in the line, or at its head.
func (q *queue) busy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.leading
}

func (q *queue) handOn() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.leading = false
		return
	}
	close(q.waiting[0].lead)
}
