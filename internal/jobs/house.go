package jobs

import (
	"context"
	"fmt"
	"time"
)

// sweepAge is how old a file that no job needs must be before it is swept: its job may be about
// to be made, or about to end.
const sweepAge = time.Hour

// keepHouse takes erased participants out of the files of jobs, and removes files that nobody
// needs, until ctx ends. Every node does so; none is in another's way.
func (s *Service) keepHouse(ctx context.Context) {
	look, sweep := time.NewTicker(lookAgain), time.NewTicker(sweepAge)
	defer look.Stop()
	defer sweep.Stop()
	s.sweep(ctx)
	for {
		s.erase(ctx)
		select {
		case <-ctx.Done():
			return
		case <-s.Registry.Erased():
		case <-look.C:
		case <-sweep.C:
			s.sweep(ctx)
		}
	}
}

// sweep removes files that nobody needs; what cannot be removed is left for the next time.
func (s *Service) sweep(ctx context.Context) {
	if err := s.sweepFiles(ctx); err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "files not swept", "error", err)
	}
}

// sweepFiles removes files that no job needs: of uploads and outputs that a crash cut off, of
// jobs that ended or were deleted while their files could not be removed.
func (s *Service) sweepFiles(ctx context.Context) error {
	old, err := s.Files.Before(ctx, s.Registry.Now().Add(-sweepAge))
	if err != nil {
		return fmt.Errorf("list old files: %w", err)
	}
	if len(old) == 0 {
		return nil
	}
	needed, err := s.Store.FilesInUse(ctx, old)
	if err != nil {
		return fmt.Errorf("look for files in use: %w", err)
	}
	for _, key := range old {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !needed[key] {
			s.drop(ctx, key)
		}
	}
	return nil
}
