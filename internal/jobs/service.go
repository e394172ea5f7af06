package jobs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// Config is what a [Service] is made of.
type Config struct {
	Store    Store
	Registry *registry.Service
	Files    Files
	Kinds    map[string]Kind
	Scrub    registry.Scrubber // takes erased participants out of outputs; nil: nobody is ever erased
	Node     string            // who this is among the nodes on one store, over restarts too; "": somebody new
	Logger   *slog.Logger
	Workers  int // how many jobs run at the same time; 0 means 4
	Observer Observer
}

// Observer is told what the runner does, for metrics. All methods are cheap.
type Observer interface {
	RowsDone(kind string, done, failed int64)
	JobEnded(kind string, state State)
}

// Service takes jobs in, runs them and answers for them.
type Service struct {
	Config
	wake chan struct{} // holds a token when there may be work

	mu      sync.Mutex
	running map[uuid.UUID]lane
}

// lane is what jobs queue up in: writing jobs of one site follow each other.
type lane struct {
	study  registry.StudyID
	site   registry.SiteID
	writes bool
}

// NewService makes a service; [Service.Run] makes it work.
func NewService(c Config) *Service {
	if c.Workers <= 0 {
		c.Workers = 4
	}
	if c.Node == "" {
		c.Node = uuid.NewString()
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	return &Service{Config: c, wake: make(chan struct{}, 1), running: map[uuid.UUID]lane{}}
}

type nobody struct{}

func (nobody) RowsDone(string, int64, int64) {}
func (nobody) JobEnded(string, State)        {}

// SaveUpload stores an uploaded file durably, for a job that [Service.Submit] is about to be
// given. If none is, the caller removes it with [Service.DropUpload].
func (s *Service) SaveUpload(ctx context.Context, r io.Reader) (key string, size int64, err error) {
	return s.Files.Save(ctx, UploadFolder, r)
}

// OpenUpload opens a stored upload.
func (s *Service) OpenUpload(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	return s.Files.Open(ctx, key)
}

// DropUpload deletes an upload that no job was made for. What cannot be deleted now is swept
// later.
func (s *Service) DropUpload(ctx context.Context, key string) { s.drop(ctx, key) }

// dropTime is how long deleting a file may go on, even after its caller has left.
const dropTime = 10 * time.Second

// drop deletes a file that nobody needs any more.
func (s *Service) drop(ctx context.Context, key string) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	if err := s.Files.Remove(within, key); err != nil {
		s.Logger.WarnContext(ctx, "file not removed", "key", key, "error", err)
	}
}

// Submit makes the job durable and has it run. The job gets its ID, state and times here.
func (s *Service) Submit(ctx context.Context, job *Job, events ...audit.Event) error {
	if _, ok := s.Kinds[job.Kind]; !ok {
		return fault.New(fault.Internal, "", "no such kind of job: %s", job.Kind)
	}
	job.ID = uuid.New()
	job.State = Queued
	job.CreatedAt = s.Registry.Now()
	job.UpdatedAt = job.CreatedAt
	if err := s.Store.CreateJob(ctx, job, events); err != nil {
		return fmt.Errorf("create job: %w", err)
	}
	s.nudge()
	return nil
}

// Job finds a job by its uuid; fault NotFound with code [Unknown] if there is none or it was
// deleted.
func (s *Service) Job(ctx context.Context, id uuid.UUID) (*Job, error) { return s.Store.Job(ctx, id) }

// Repeated finds the job of a request that has come before; fault NotFound with code [Unknown] if
// it has not, or if its job was deleted.
func (s *Service) Repeated(ctx context.Context, study registry.StudyID, submittedBy, key string) (*Job, error) {
	return s.Store.RepeatedJob(ctx, study, submittedBy, key)
}

// Jobs lists jobs, newest first, without deleted ones.
func (s *Service) Jobs(ctx context.Context, filter JobFilter) ([]*Job, error) {
	return s.Store.Jobs(ctx, filter)
}

// Delete deletes a job and its output. A job that is running stops at its next chunk; what it
// has written stays.
func (s *Service) Delete(ctx context.Context, job *Job, events ...audit.Event) error {
	stored, err := s.Store.Job(ctx, job.ID) // its output may be another by now
	if err != nil {
		return fmt.Errorf("delete job: %w", err)
	}
	if err := s.Store.DeleteJob(ctx, job.Study, job.ID, s.Registry.Now(), events); err != nil {
		return fmt.Errorf("delete job: %w", err)
	}
	for _, key := range []string{stored.Upload, stored.Output} {
		if key != "" {
			s.drop(ctx, key)
		}
	}
	return nil
}

// nudge has the runner look for work.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
