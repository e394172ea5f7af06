package jobs

import (
	"context"
	"io"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// Kind is one kind of background work.
type Kind interface {
	// Start prepares the job's work from its cursor on; a nil cursor is the beginning. The
	// upload is nil for a job that has none; it belongs to the runner.
	Start(ctx context.Context, job *Job, upload io.ReadSeeker) (Task, error)

	// Writes tells whether the work changes participants. Jobs that do are run in the order
	// of their submission within one site; others run beside them.
	Writes() bool
}

// Task is one job's work under way.
type Task interface {
	// Next prepares the next chunk of at most limit records; io.EOF when there are no more.
	// The chunk's cursor is where to go on once it has committed.
	Next(ctx context.Context, limit int) (*Chunk, error)
}

// Chunk is a piece of a job's work that commits as a whole.
type Chunk struct {
	Changes []registry.Change
	AsOf    int64                    // see [registry.Group]
	Looks   func() []registry.Change // see [registry.Group]
	Events  []audit.Event            // to be remembered with it, beside those of the changes

	// Rehearsal, if not nil, has the changes decided and not written, see registry.Batch.
	Rehearsal *registry.Rehearsal

	Rows   int64  // how many records or rows it covers
	Cursor []byte // where to go on after it

	// Output makes the text that the chunk adds to the job's output, and counts the records
	// that failed. It is given one result for each change, or none of a group that was not decided
	// because nothing has changed since AsOf, and has no effects.
	Output func(results []registry.Result) (text []byte, failed int64)
}
