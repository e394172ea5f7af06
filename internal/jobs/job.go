// Package jobs owns background work: a job is a row, its work is done in chunks, and each
// chunk's participants, audit events, output text and cursor commit together. A crash at any
// point therefore resumes at the next record: none twice, none lost, none unlogged.
//
// The package owns the machinery: submitting, running, resuming, progress, output and the
// stored uploads. What a job does is a [Kind], which the dialect that offers it provides; the
// package knows no wire format and no rule about participants.
//
// It declares the [Store] that it needs.
package jobs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// State is where a job stands.
type State string

// The states of a job.
const (
	Queued     State = "queued"
	InProgress State = "in progress"
	Completed  State = "completed"
	Failed     State = "failed"
)

// Unfinished tells whether there is still work to do.
func (s State) Unfinished() bool { return s == Queued || s == InProgress }

// The codes of the store's own faults about jobs.
const (
	Unknown    fault.Code = "jobUnknown"    // there is no such job, or it was deleted
	NotRunning fault.Code = "jobNotRunning" // the job is not, or no longer, in the state that this needs
	StepTaken  fault.Code = "jobStepTaken"  // the step has been committed before, or one before it has not
)

// Job is one piece of background work.
type Job struct {
	ID          uuid.UUID
	Study       registry.StudyID
	Site        registry.SiteID
	Kind        string
	State       State
	SubmittedBy string // user or service account
	Role        string
	Dialect     string
	RequestID   string
	SourceFile  string // name of the file as uploaded
	Upload      string // key of the stored file, "" where there is none
	Size        int64  // of the stored file in bytes
	Params      []byte // the kind's own JSON
	Parts       int    // steps that have committed
	Cursor      []byte // where to go on; the kind's own format
	Rows        int64  // records or rows done
	Failed      int64  // records among them that failed
	Error       string // why it failed
	CreatedAt   time.Time
	UpdatedAt   time.Time
	StartedAt   time.Time // zero until started
	CompletedAt time.Time // zero until completed or failed
}

// JobFilter says which jobs of a study to list.
type JobFilter struct {
	Study       registry.StudyID
	Site        *registry.SiteID // nil: every site and the study level
	SubmittedBy string           // "": everybody
}

// Store keeps jobs. A job's progress is written by registry.Tx.SaveStep, in the transaction
// of the work itself. A job that does not exist or was deleted is fault.NotFound with Unknown.
type Store interface {
	// CreateJob stores a new job and remembers the events of its study with it.
	CreateJob(ctx context.Context, job *Job, events []audit.Event) error

	// Job finds a job by its id.
	Job(ctx context.Context, id uuid.UUID) (*Job, error)

	// Jobs lists jobs, newest first, without deleted ones.
	Jobs(ctx context.Context, filter JobFilter) ([]*Job, error)

	// UnfinishedJobs lists every job that is queued or in progress, oldest first.
	UnfinishedJobs(ctx context.Context) ([]*Job, error)

	// StartJob puts a queued job in progress; one in progress stays so, with its first start.
	// fault.Conflict with NotRunning if the job has ended.
	StartJob(ctx context.Context, study registry.StudyID, id uuid.UUID, at time.Time) error

	// FinishJob ends a job that is queued or in progress as Completed or Failed.
	// fault.Conflict with NotRunning if it has ended already.
	FinishJob(ctx context.Context, study registry.StudyID, id uuid.UUID, state State, errText string, at time.Time) error

	// DeleteJob removes a job and its output and remembers the events.
	DeleteJob(ctx context.Context, study registry.StudyID, id uuid.UUID, at time.Time, events []audit.Event) error

	// OutputParts reads up to limit parts of the job's output, after the first `from` ones.
	// Steps without output are no part.
	OutputParts(ctx context.Context, study registry.StudyID, id uuid.UUID, from, limit int) ([][]byte, error)
}
