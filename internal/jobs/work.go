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

// chunkRows is how many records one chunk holds: enough that a transaction's price is shared,
// few enough that single requests between two chunks hardly wait.
const chunkRows = 1000

// A job whose work fails is tried again from its cursor: for ever while the database is away
// or full, else as often as this before it is failed.
const (
	maxAttempts  = 3
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// work runs one job to its end, or until ctx ends.
func (s *Service) work(ctx context.Context, job *Job) {
	log := s.Logger.With("job", job.ID, "kind", job.Kind)
	attempts, backoff := 0, firstBackoff
	limit := chunkRows
	for {
		before := job.Parts
		err := survive(func() error { return s.attempt(ctx, job, &limit) })
		if job.Parts > before {
			attempts, backoff = 0, firstBackoff
		}
		if err == nil || fault.HasCode(err, NotRunning) {
			return
		}
		if ctx.Err() != nil {
			log.InfoContext(ctx, "job handed over", "rows", job.Rows)
			return
		}
		log.WarnContext(ctx, "job interrupted", "error", err, "rows", job.Rows)
		if kind := fault.KindOf(err); kind != fault.Unavailable && kind != fault.StorageFull {
			if attempts++; attempts >= maxAttempts {
				s.end(ctx, job, Failed, "the job could not go on: "+kind.String())
				return
			}
		}
		if !pause(ctx, backoff) {
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

// attempt reads the job as it is stored and does its work from the cursor on. A chunk that
// fails for a reason nobody foresaw lowers limit to 1, so that the next attempt finds the one
// record that cannot be written, and logs it as failed.
func (s *Service) attempt(ctx context.Context, job *Job, limit *int) error {
	stored, err := s.Store.Job(ctx, job.ID)
	if fault.HasCode(err, Unknown) {
		return fault.New(fault.Conflict, NotRunning, "the job was deleted")
	}
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	*job = *stored
	if job.State != Queued && job.State != InProgress {
		return nil
	}
	if job.State == Queued {
		if err := s.Store.StartJob(ctx, job.Study, job.ID, s.Registry.Now()); err != nil {
			return fmt.Errorf("start job: %w", err)
		}
		job.State = InProgress
	}
	task, release, err := s.open(ctx, job)
	if err != nil {
		return err
	}
	defer release()
	return s.chunks(ctx, job, task, limit)
}

// open starts the job's kind on its upload.
func (s *Service) open(ctx context.Context, job *Job) (task Task, release func(), err error) {
	kind, ok := s.Kinds[job.Kind]
	if !ok {
		return nil, nil, fault.New(fault.Internal, "", "no such kind of job: %s", job.Kind)
	}
	if job.Upload == "" {
		task, err = kind.Start(ctx, job, nil)
		return task, func() {}, err
	}
	upload, err := s.Uploads.Open(ctx, job.Upload)
	if err != nil {
		return nil, nil, err
	}
	release = func() { _ = upload.Close() } // opened to read: closing cannot lose anything
	if task, err = kind.Start(ctx, job, upload); err != nil {
		release()
		return nil, nil, err
	}
	return task, release, nil
}

// chunks commits chunk after chunk and ends the job after the last.
func (s *Service) chunks(ctx context.Context, job *Job, task Task, limit *int) error {
	for careful := 0; ctx.Err() == nil; careful++ {
		if careful >= chunkRows { // past the chunk that made us go one by one
			*limit = chunkRows
		}
		chunk, err := task.Next(ctx, *limit)
		if errors.Is(err, io.EOF) {
			s.end(ctx, job, Completed, "")
			return nil
		}
		if err != nil {
			return fmt.Errorf("prepare chunk: %w", err)
		}
		err = survive(func() error { return s.commit(ctx, job, chunk) })
		if len(chunk.Changes) == 1 && blamesRecord(err) && s.Kinds[job.Kind].Writes() {
			s.Logger.ErrorContext(ctx, "record cannot be written", "job", job.ID, "row", job.Rows+1, "error", err)
			err = s.commitFailed(ctx, job, chunk)
		}
		if err != nil {
			if mayBeOfOneRecord(err) {
				*limit = 1
			}
			return fmt.Errorf("commit chunk: %w", err)
		}
	}
	return ctx.Err()
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
		return f.Code != NotRunning && f.Code != StepTaken
	default:
		return false
	}
}

// commit writes one chunk with the job's progress.
func (s *Service) commit(ctx context.Context, job *Job, chunk *Chunk) error {
	return s.commitStep(ctx, job, chunk, &registry.Batch{
		Group:  registry.Group{Changes: chunk.Changes},
		Events: chunk.Events,
	}, nil)
}

// commitFailed logs a chunk's records as failed without writing them.
func (s *Service) commitFailed(ctx context.Context, job *Job, chunk *Chunk) error {
	results := make([]registry.Result, len(chunk.Changes))
	for i := range results {
		results[i].Err = fault.New(fault.Internal, "", "the record could not be written")
	}
	return s.commitStep(ctx, job, chunk, &registry.Batch{}, results)
}

// commitStep applies the batch. The log is made of the given results, if any, else of those
// of the batch.
func (s *Service) commitStep(ctx context.Context, job *Job, chunk *Chunk, batch *registry.Batch, given []registry.Result) error {
	var step *registry.JobStep
	batch.Step = func(results []registry.Result) *registry.JobStep {
		if given != nil {
			results = given
		}
		text, failed := chunk.Output(results)
		step = &registry.JobStep{
			Study: job.Study, Job: job.ID, Part: job.Parts, Cursor: chunk.Cursor,
			Rows: job.Rows + chunk.Rows, Failed: job.Failed + failed, Output: text,
		}
		return step
	}
	if _, err := s.Registry.ApplyBatch(ctx, job.Study, batch); err != nil {
		return err
	}
	s.Observer.RowsDone(job.Kind, step.Rows-job.Rows, step.Failed-job.Failed)
	job.Parts, job.Cursor, job.Rows, job.Failed = step.Part+1, step.Cursor, step.Rows, step.Failed
	return nil
}

// end finishes the job and drops its upload. While the end cannot be stored it is tried again,
// and a job whose end was not stored when ctx ends stays unfinished: the next run ends it.
func (s *Service) end(ctx context.Context, job *Job, state State, why string) {
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := s.Store.FinishJob(ctx, job.Study, job.ID, state, why, s.Registry.Now())
		if err == nil {
			break
		}
		s.Logger.WarnContext(ctx, "job not ended", "job", job.ID, "error", err)
		if fault.HasCode(err, NotRunning) || fault.HasCode(err, Unknown) || !pause(ctx, backoff) {
			return
		}
	}
	s.Observer.JobEnded(job.Kind, state)
	s.Logger.InfoContext(ctx, "job ended", "job", job.ID, "kind", job.Kind, "state", state,
		"rows", job.Rows, "failed", job.Failed)
	if job.Upload != "" {
		s.DropUpload(ctx, job.Upload)
	}
}
