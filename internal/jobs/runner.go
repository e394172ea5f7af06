package jobs

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// lookAgain is how often the runner looks for jobs that nobody nudged it about: those that
// another node has submitted, has left or has died over.
const lookAgain = 5 * time.Second

// Run runs jobs until ctx ends, first those that an earlier process left unfinished. When it
// returns, every job has stopped at a committed cursor, and any node may take it.
func (s *Service) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	workers.Go(func() { s.keepHouse(ctx) })
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		if err := s.startWork(ctx, &workers); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "looking for jobs", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-tick.C:
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
		if s.heldElsewhere(job) {
			blocked[s.laneOf(job)] = true
		}
	}
	for _, job := range unfinished {
		at := s.laneOf(job)
		if at.writes && blocked[at] || s.heldElsewhere(job) {
			continue
		}
		blocked[at] = true
		if !s.occupy(job, at) {
			continue
		}
		workers.Go(func() {
			defer s.nudge()
			defer s.vacate(job)
			s.work(ctx, job)
		})
	}
	return nil
}

// heldElsewhere tells whether another node works on the job.
func (s *Service) heldElsewhere(job *Job) bool { return job.Held && job.Node != s.Node }

func (s *Service) laneOf(job *Job) lane {
	kind, ok := s.Kinds[job.Kind]
	return lane{study: job.Study, site: job.Site, writes: ok && kind.Writes()}
}

// isNext tells whether the job is the oldest unfinished one of its lane.
func (s *Service) isNext(ctx context.Context, job *Job) (bool, error) {
	at := s.laneOf(job)
	if !at.writes {
		return true, nil
	}
	unfinished, err := s.Store.UnfinishedJobs(ctx)
	if err != nil {
		return false, fmt.Errorf("list unfinished jobs: %w", err)
	}
	for _, other := range unfinished {
		if s.laneOf(other) == at {
			return other.ID == job.ID, nil
		}
	}
	return true, nil // it has gone; its work will find out
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

// vacate gives back what occupy took.
func (s *Service) vacate(job *Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, job.ID)
}
