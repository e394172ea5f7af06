package jobs

import (
	"errors"
	"fmt"
	"io"
	"time"

	"rollcall/internal/fault"
)

// publishAgain is after how long a file that no job has become the owner of is given up: it
// must not be swept while it is about to be the job's. The next try makes another.
const publishAgain = sweepAge / 6

// published is a file that holds a job's whole output; an empty key says that there is none.
type published struct {
	key  string
	size int64
	at   time.Time // when it was begun; zero: not yet
}

// end finishes the job and drops its upload. While the end cannot be stored it is tried again,
// and a job whose end was not stored when the shift ends stays unfinished: the next one ends it.
func (w *shift) end(state State, why string) {
	var file published
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := w.finish(&file, state, why)
		if err == nil {
			break
		}
		if w.isOver(err) {
			return
		}
		w.log.WarnContext(w.ctx, "job not ended", "error", err)
		if !pause(w.ctx, backoff) {
			w.isOver(err)
			return
		}
	}
	w.taken = false // an ended job has no lease
	w.Observer.JobEnded(w.job.Kind, state)
	w.log.InfoContext(w.ctx, "job ended", "state", state, "rows", w.job.Rows, "failed", w.job.Failed)
	if w.job.Upload != "" {
		w.drop(w.ctx, w.job.Upload)
	}
}

// finish puts the output into a file, unless an earlier try has done so, and stores the end.
func (w *shift) finish(file *published, state State, why string) error {
	if file.at.IsZero() || w.Registry.Now().Sub(file.at) > publishAgain {
		fresh, err := w.publish()
		if err != nil {
			return err
		}
		*file = fresh
	}
	job := w.job
	err := w.Store.FinishJob(w.ctx, job.Study, job.ID, job.Lease, Ending{
		State: state, Error: why, Output: file.key, Size: file.size, At: w.Registry.Now(),
	})
	if err == nil {
		return nil
	}
	switch fault.As(err).Code {
	case NotRunning:
		return w.endedBefore(file, state)
	case LeaseLost, OutputChanged, Unknown: // nothing was written: the file is nobody's
		if file.key != "" {
			w.drop(w.ctx, file.key)
		}
		*file = published{}
	default: // after other errors it may be the job's all the same
	}
	return fmt.Errorf("finish job: %w", err)
}

// endedBefore tells whether it was this shift that ended the job, by a try that seemed to fail.
// A file that another try has made is not needed.
func (w *shift) endedBefore(file *published, state State) error {
	stored, err := w.Store.Job(w.ctx, w.job.ID)
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if file.key != "" && stored.Output != file.key {
		w.drop(w.ctx, file.key)
	}
	if stored.Lease == w.job.Lease && stored.State == state {
		return nil
	}
	return fault.New(fault.Conflict, NotRunning, "the job has ended")
}

// publish puts the job's output into a file, if there is any.
func (w *shift) publish() (published, error) {
	file := published{at: w.Registry.Now()}
	output := w.partsOf(w.ctx, w.job)
	first, err := output.next()
	if errors.Is(err, io.EOF) {
		return file, nil
	}
	if err != nil {
		return published{}, err
	}
	output.rest = first
	if file.key, file.size, err = w.Files.Save(w.ctx, OutputFolder, output); err != nil {
		return published{}, fmt.Errorf("store job output: %w", err)
	}
	return file, nil
}
