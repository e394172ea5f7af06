package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"rollcall/internal/fault"
)

const (
	// leaseTime is how long a job stays with a node that is not heard of any more.
	leaseTime = 15 * time.Second

	// renewEach is how often a lease is renewed, and how long that may take.
	renewEach = leaseTime / 3

	// releaseTimeout bounds how long a node that stops tries to give up a lease.
	releaseTimeout = 3 * time.Second
)

// shift is one node's work on one job, from taking the job until letting go of it. The lease is
// renewed meanwhile by a goroutine of its own.
type shift struct {
	*Service

	ctx   context.Context // ends with the server, or when the job is another node's
	quit  context.CancelCauseFunc
	job   *Job // as last read or written; its Lease is the token that we know of
	taken bool // whether the lease is ours
	next  bool // whether the job is known to be the next of its lane
	limit int  // how many records the next chunk may hold

	suspect int // how many records are still written one by one, since one of them may fail a chunk

	log   *slog.Logger
	beats sync.WaitGroup
}

// errDone ends the context of a shift that is over.
var errDone = errors.New("the shift is over")

func (s *Service) newShift(ctx context.Context, job *Job) *shift {
	w := &shift{Service: s, job: job, limit: chunkRows, log: s.Logger.With("job", job.ID, "kind", job.Kind)}
	w.ctx, w.quit = context.WithCancelCause(ctx)
	return w
}

// take makes the job this node's if it is not yet, and reads it as it is stored.
func (w *shift) take() error {
	var err error
	if w.taken {
		err = w.read()
	} else {
		err = w.lease()
	}
	if err != nil || w.next {
		return err
	}
	// Another node's clock may have put a job before this one after the runner looked. Whoever
	// comes later sees that this one is held.
	w.next, err = w.isNext(w.ctx, w.job)
	if err == nil && !w.next {
		err = errNotNext
	}
	return err
}

var errNotNext = fault.New(fault.Conflict, HeldElsewhere, "another job comes first")

// read reads the job again.
func (w *shift) read() error {
	stored, err := w.Store.Job(w.ctx, w.job.ID)
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if stored.Lease != w.job.Lease {
		return fault.New(fault.Conflict, LeaseLost, "another node has taken the job")
	}
	*w.job = *stored
	return nil
}

// lease takes the job, and has the lease renewed from then on.
func (w *shift) lease() error {
	job, err := w.Store.TakeJob(w.ctx, w.job.Study, w.job.ID, w.Node, leaseTime, w.Registry.Now())
	if err != nil {
		return fmt.Errorf("take job: %w", err)
	}
	*w.job, w.taken = *job, true
	w.beats.Go(func() { w.beat(*job) })
	return nil
}

// beat renews the lease of the job, as it was taken, until the shift is over. A lease that is
// lost ends the shift; while the database is away nobody else can take the job.
func (w *shift) beat(job Job) {
	tick := time.NewTicker(renewEach)
	defer tick.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(w.ctx, renewEach)
		err := w.Store.RenewJob(ctx, job.Study, job.ID, job.Lease, leaseTime)
		cancel()
		switch {
		case fault.HasCode(err, LeaseLost), fault.HasCode(err, Unknown):
			w.quit(err)
			return
		case fault.HasCode(err, NotRunning):
			return // the end that was just stored
		case err != nil && w.ctx.Err() == nil:
			w.log.WarnContext(w.ctx, "lease not renewed", "error", err)
		}
	}
}

// isOver tells whether there is nothing left to do for this node after the error, and says why.
func (w *shift) isOver(err error) bool {
	if cause := context.Cause(w.ctx); cause != nil {
		if f := fault.As(cause); f.Code != LeaseLost && f.Code != Unknown {
			w.log.InfoContext(w.ctx, "job handed over", "rows", w.job.Rows)
			return true
		}
		err = cause
	}
	switch fault.As(err).Code {
	case NotRunning, Unknown, HeldElsewhere:
	case LeaseLost:
		w.log.InfoContext(w.ctx, "another node has taken the job", "rows", w.job.Rows)
	default:
		return false
	}
	return true
}

// leave ends the shift, and the lease if there is work left.
func (w *shift) leave() {
	w.quit(errDone)
	w.beats.Wait()
	if !w.taken {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), releaseTimeout)
	defer cancel()
	if err := w.Store.ReleaseJob(ctx, w.job.Study, w.job.ID, w.job.Lease); err != nil {
		w.log.WarnContext(ctx, "lease not released; it runs out by itself", "error", err)
	}
}
