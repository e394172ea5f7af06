package jobs

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// lookAgain is how often the runner looks for jobs that nobody nudged it about.
const lookAgain = 15 * time.Second

// Run runs jobs until ctx ends, first those that an earlier process left unfinished. When it
// returns, every job has stopped at a committed cursor.
func (s *Service) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	s.sweep(ctx)
	tick, sweep := time.NewTicker(lookAgain), time.NewTicker(sweepAge)
	defer tick.Stop()
	defer sweep.Stop()
	for {
		if err := s.startWork(ctx, &workers); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "looking for jobs", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-tick.C:
		case <-sweep.C:
			s.sweep(ctx)
		}
	}
}

// startWork starts the oldest unfinished jobs whose lane is free, as far as there are workers.
func (s *Service) startWork(ctx context.Context, workers *sync.WaitGroup) error {
	unfinished, err := s.Store.UnfinishedJobs(ctx)
	if err != nil {
		return fmt.Errorf("list unfinished jobs: %w", err)
	}
	blocked := map[lane]bool{}
	for _, job := range unfinished {
		at := s.laneOf(job)
		if at.writes && blocked[at] {
			continue
		}
		blocked[at] = true
		if !s.occupy(job, at) {
			continue
		}
		workers.Go(func() {
			defer s.nudge()
			defer s.release(job)
			s.work(ctx, job)
		})
	}
	return nil
}

func (s *Service) laneOf(job *Job) lane {
	kind, ok := s.Kinds[job.Kind]
	return lane{study: job.Study, site: job.Site, writes: ok && kind.Writes()}
}

// occupy takes a worker and the lane for the job; false if either is taken.
func (s *Service) occupy(job *Job, at lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, already := s.running[job.ID]; already || len(s.running) >= s.Workers {
		return false
	}
	if at.writes {
		for _, taken := range s.running {
			if taken == at {
				return false
			}
		}
	}
	s.running[job.ID] = at
	return true
}

func (s *Service) release(job *Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, job.ID)
}

// sweep removes files that nobody needs; what cannot be removed is left for the next time.
func (s *Service) sweep(ctx context.Context) {
	if err := s.sweepUploads(ctx); err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "uploads not swept", "error", err)
	}
}

// sweepUploads removes files that no unfinished job needs: of uploads that a crash cut off,
// and of jobs that ended while their file could not be removed.
func (s *Service) sweepUploads(ctx context.Context) error {
	old, err := s.Uploads.Before(ctx, s.Registry.Now().Add(-sweepAge))
	if err != nil {
		return err
	}
	unfinished, err := s.Store.UnfinishedJobs(ctx)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, job := range unfinished {
		needed[job.Upload] = true
	}
	for _, key := range old {
		if !needed[key] {
			s.DropUpload(ctx, key)
		}
	}
	return nil
}
