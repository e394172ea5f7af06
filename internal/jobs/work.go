package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// A chunk holds chunkRows records: enough that a transaction's price is shared, few enough that
// single requests between two chunks hardly wait. While nobody else writes to the study, it grows
// to mostRows: the pages of indexes that people come into in no order are then written once for
// more of them.
const (
	chunkRows = 1000
	mostRows  = 4 * chunkRows
)

// A job whose work fails is tried again from its cursor: for ever while the database is away
// or full, else as often as this before it is failed.
const (
	maxAttempts  = 3
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// work runs one job to its end, or until ctx ends or another node has taken the job.
func (s *Service) work(ctx context.Context, job *Job) {
	w := s.newShift(ctx, job)
	defer w.leave()
	attempts, backoff := 0, firstBackoff
	for {
		before := job.Parts
		err := survive(w.attempt)
		if job.Parts > before {
			attempts, backoff = 0, firstBackoff
		}
		if err == nil || w.isOver(err) {
			return
		}
		w.log.WarnContext(ctx, "job interrupted", "error", err, "rows", job.Rows)
		if kind := fault.KindOf(err); kind != fault.Unavailable && kind != fault.StorageFull {
			if attempts++; attempts >= maxAttempts {
				w.end(Failed, "the job could not go on: "+kind.String())
				return
			}
		}
		if !pause(w.ctx, backoff) {
			w.isOver(err)
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// survive turns a panic into an error. One job's record must not end the server: it would do
// so again whenever the job is resumed.
func survive(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			// What was panicked with may hold personal values; its type and the place do not.
			err = fmt.Errorf("panic of type %T\n%s", v, debug.Stack())
		}
	}()
	return do()
}

// pause waits; false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// attempt takes the job, if that has not been done yet, and does its work from the cursor on. A
// chunk that fails for a reason nobody foresaw lowers the limit to 1, so that the next attempt
// finds the one record that cannot be written, and logs it as failed.
func (w *shift) attempt() error {
	if err := w.take(); err != nil {
		return err
	}
	if !w.job.State.Unfinished() {
		return nil
	}
	task, release, err := w.open()
	if err != nil {
		return err
	}
	defer release()
	return w.chunks(task)
}

// open starts the job's kind on its upload.
func (w *shift) open() (task Task, release func(), err error) {
	kind, ok := w.Kinds[w.job.Kind]
	if !ok {
		return nil, nil, fault.New(fault.Internal, "", "no such kind of job: %s", w.job.Kind)
	}
	if w.job.Upload == "" {
		task, err = kind.Start(w.ctx, w.job, nil)
		return task, func() {}, err
	}
	upload, err := w.Files.Open(w.ctx, w.job.Upload)
	if err != nil {
		return nil, nil, err
	}
	release = func() { _ = upload.Close() } // opened to read: closing cannot lose anything
	if task, err = kind.Start(w.ctx, w.job, upload); err != nil {
		release()
		return nil, nil, err
	}
	return task, release, nil
}

// chunks commits chunk after chunk and ends the job after the last.
func (w *shift) chunks(task Task) error {
	for w.ctx.Err() == nil {
		chunk, err := task.Next(w.ctx, w.limit)
		if errors.Is(err, io.EOF) {
			w.end(Completed, "")
			return nil
		}
		if err != nil {
			return fmt.Errorf("prepare chunk: %w", err)
		}
		err = survive(func() error { return w.commit(chunk) })
		if len(chunk.Changes) == 1 && blamesRecord(err) && w.Kinds[w.job.Kind].Writes() {
			w.log.ErrorContext(w.ctx, "record cannot be written", "row", w.job.Rows+1, "error", err)
			err = w.commitFailed(chunk)
		}
		if err != nil {
			if mayBeOfOneRecord(err) {
				w.suspect, w.limit = max(w.suspect, w.limit), 1
			}
			return fmt.Errorf("commit chunk: %w", err)
		}
		w.pace(chunk)
	}
	return w.ctx.Err()
}

// pace sets how many records the chunk after this one may hold.
func (w *shift) pace(done *Chunk) {
	if w.suspect > 0 { // within the chunk that made us go one by one
		if w.suspect--; w.suspect == 0 {
			w.limit = chunkRows
		}
		return
	}
	switch {
	case w.Registry.Busy(w.job.Study):
		w.limit = chunkRows
	case done.Rows >= int64(w.limit):
		w.limit = min(2*w.limit, mostRows)
	}
}

// blamesRecord tells whether a failure to write a single record may be that record's own. The
// end of a context is not: the server stops, or the database hangs.
func blamesRecord(err error) bool {
	return err != nil && mayBeOfOneRecord(err) &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// mayBeOfOneRecord tells whether one record of a chunk may have failed the whole: something
// nobody foresaw, or a clash with what is stored that Decide could not see. A clash of the job's
// own progress is neither.
func mayBeOfOneRecord(err error) bool {
	switch f := fault.As(err); f.Kind {
	case fault.Internal:
		return true
	case fault.Conflict:
		return f.Code != NotRunning && f.Code != StepTaken && f.Code != LeaseLost
	default:
		return false
	}
}

// commit writes one chunk with the job's progress.
func (w *shift) commit(chunk *Chunk) error {
	return w.commitStep(chunk, &registry.Batch{
		Group:  registry.Group{Changes: chunk.Changes, AsOf: chunk.AsOf, Looks: chunk.Looks},
		Events: chunk.Events, Rehearsal: chunk.Rehearsal,
	}, nil)
}

// commitFailed logs a chunk's records as failed without writing them.
func (w *shift) commitFailed(chunk *Chunk) error {
	results := make([]registry.Result, len(chunk.Changes))
	for i := range results {
		results[i].Err = fault.New(fault.Internal, "", "the record could not be written")
	}
	return w.commitStep(chunk, &registry.Batch{}, results)
}

// commitStep applies the batch. The log is made of the given results, if any, else of those
// of the batch.
func (w *shift) commitStep(chunk *Chunk, batch *registry.Batch, given []registry.Result) error {
	job := w.job
	var step *registry.JobStep
	batch.Step = func(results []registry.Result) *registry.JobStep {
		if given != nil {
			results = given
		}
		text, failed := chunk.Output(results)
		step = &registry.JobStep{
			Study: job.Study, Job: job.ID, Lease: job.Lease, Part: job.Parts, Cursor: chunk.Cursor,
			Rows: job.Rows + chunk.Rows, Failed: job.Failed + failed, Output: text,
		}
		return step
	}
	if _, err := w.Registry.ApplyBatch(w.ctx, job.Study, batch); err != nil {
		return err
	}
	w.Observer.RowsDone(job.Kind, step.Rows-job.Rows, step.Failed-job.Failed)
	job.Parts, job.Cursor, job.Rows, job.Failed = step.Part+1, step.Cursor, step.Rows, step.Failed
	return nil
}
