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
	LeaseLost  fault.Code = "jobLeaseLost"  // the lease is not, or no longer, the job's

	Repeated fault.Code = "jobRepeated" // the request has come before: there is a job with its repeat key

	HeldElsewhere fault.Code = "jobHeld"          // another node works on the job
	OutputChanged fault.Code = "jobOutputChanged" // somebody was taken out of the output since it was read
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
	Output      string // key of the file that holds the whole output; "" while it is in parts
	Lease       int64  // token of the last lease; 0 if no node has taken the job yet
	Node        string // who holds, or last held, the lease
	RepeatKey   string // under which SubmittedBy may send the same request again in this study; "": never
	Held        bool   // whether the lease is alive by the database's clock
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

// Ending is how a job ends.
type Ending struct {
	State  State  // Completed or Failed
	Error  string // why it failed
	Output string // key of the file that holds the whole output; "": the output stays in its parts
	Size   int64  // of that file in bytes
	At     time.Time
}

// Store keeps jobs. A job's progress is written by registry.Tx.SaveStep, in the transaction
// of the work itself. A job that does not exist, was deleted or is another study's is
// fault.NotFound with Unknown.
//
// Several nodes share the store. Each works on a job under a lease: whoever takes the job gets a
// new token, and who writes into it with an older one is refused. Leases run by the database's
// clock, which is the same for all.
type Store interface {
	// CreateJob stores a new job and remembers the events of its study with it. The job's Lease,
	// Node, Held and Output are the store's business and are not looked at. fault.Conflict with
	// Repeated, and nothing stored, if its submitter has a job with its RepeatKey in the study.
	CreateJob(ctx context.Context, job *Job, events []audit.Event) error

	// Job finds a job by its id.
	Job(ctx context.Context, id uuid.UUID) (*Job, error)

	// Jobs lists jobs, newest first, without deleted ones.
	Jobs(ctx context.Context, filter JobFilter) ([]*Job, error)

	// RepeatedJob finds the job that somebody has submitted in a study under a repeat key.
	RepeatedJob(ctx context.Context, study registry.StudyID, submittedBy, key string) (*Job, error)

	// UnfinishedJobs lists every job that is queued or in progress, oldest first.
	UnfinishedJobs(ctx context.Context) ([]*Job, error)

	LeaseStore
	OutputStore

	// DeleteJob removes a job and its output in parts and remembers the events.
	DeleteJob(ctx context.Context, study registry.StudyID, id uuid.UUID, at time.Time, events []audit.Event) error
}

// LeaseStore keeps who works on which job.
type LeaseStore interface {
	// TakeJob gives the node a lease on a job that is queued or in progress, and answers the job
	// as it then is: in progress, with its first start kept, updated at the time given, and with
	// a token greater by one. The lease is alive for as long as given; one of no length is dead
	// at once. The same node may take the job again at any time. fault.Conflict with
	// HeldElsewhere while another node's lease is alive, with NotRunning if the job has ended.
	TakeJob(ctx context.Context, study registry.StudyID, id uuid.UUID, node string, lease time.Duration, at time.Time) (*Job, error)

	// RenewJob makes the lease last as long as given from now on, even if it had run out.
	// fault.Conflict with NotRunning if the job is not in progress, else with LeaseLost if the
	// token is not the job's.
	RenewJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64, lease time.Duration) error

	// ReleaseJob ends the lease, so that any node may take the job; the token stays. A lease that
	// was lost, a job that has ended and one that is gone are no errors and change nothing.
	ReleaseJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64) error

	// FinishJob ends a job that is queued or in progress, and its lease. With an output, the parts
	// go, in the same transaction; it has the study to itself against others that rewrite
	// them. The token is that of the job's lease, alive or not; 0 for a job that was never
	// taken. fault.Conflict, looked at in this order: with NotRunning if the job has ended
	// already, with LeaseLost if the token is another, with OutputChanged if there is an output
	// whose size is not that of all parts together.
	FinishJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64, end Ending) error
}

// OutputStore keeps outputs of jobs in parts, the keys of the files that hold whole ones, and
// who is still to be taken out of those.
type OutputStore interface {
	// OutputParts reads up to limit parts of the job's output, after the first `from` ones.
	// Steps without output are no part. There is none of an output that is in a file.
	OutputParts(ctx context.Context, study registry.StudyID, id uuid.UUID, from, limit int) ([][]byte, error)

	// ReplaceOutput makes another file the job's output, if the old one is it now; false if not,
	// or if there is no such job. Neither key is empty.
	ReplaceOutput(ctx context.Context, study registry.StudyID, id uuid.UUID, old, new string) (bool, error)

	// Erasures lists what registry.Tx.RememberErasure has kept, of all studies, oldest first.
	Erasures(ctx context.Context) ([]registry.Erasure, error)

	// EndErasure forgets an erasure; a missing one is no error.
	EndErasure(ctx context.Context, study registry.StudyID, id uuid.UUID) error

	// FilesInUse tells which of the keys are the upload of a job that is queued or in progress,
	// or the output of any job: those are true in the answer, others are not in it.
	FilesInUse(ctx context.Context, keys []string) (map[string]bool, error)
}
