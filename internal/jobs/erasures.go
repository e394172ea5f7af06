package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// clockSkew is by how much the clocks of nodes may differ.
const clockSkew = time.Minute

// erasedFrom lists those of the erasures who may be in the job's output. Whoever was erased before
// the job was made is not in it: who is called so there is somebody else, who was given an
// identifier that had become free.
func erasedFrom(job *Job, erasures []registry.Erasure) []registry.ErasedName {
	var people []registry.ErasedName
	for _, e := range erasures {
		if e.Study == job.Study && !job.CreatedAt.After(e.At.Add(clockSkew)) {
			people = append(people, e.People...)
		}
	}
	return people
}

// pending lists the erasures that may not have reached all files of jobs yet.
func (s *Service) pending(ctx context.Context) ([]registry.Erasure, error) {
	if s.Scrub == nil {
		return nil, nil
	}
	all, err := s.Store.Erasures(ctx)
	if err != nil {
		return nil, fmt.Errorf("list erasures: %w", err)
	}
	return all, nil
}

// erase takes those who were erased out of the files of jobs that have ended. What cannot be
// done now is done at the next look; until then readers leave them out.
func (s *Service) erase(ctx context.Context) {
	if s.Scrub == nil {
		return
	}
	if err := survive(func() error { return s.eraseAll(ctx) }); err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "erased participants still in files", "error", err)
	}
}

func (s *Service) eraseAll(ctx context.Context) error {
	all, err := s.Store.Erasures(ctx)
	if err != nil {
		return fmt.Errorf("list erasures: %w", err)
	}
	var studies []registry.StudyID
	for _, e := range all {
		if !slices.Contains(studies, e.Study) {
			studies = append(studies, e.Study)
		}
	}
	var failed error
	for _, study := range studies {
		if err := s.eraseStudy(ctx, study, all); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		for _, e := range all {
			if e.Study != study {
				continue
			}
			if err := s.Store.EndErasure(ctx, study, e.ID); err != nil {
				failed = errors.Join(failed, fmt.Errorf("end erasure: %w", err))
			}
		}
	}
	return failed
}

// eraseStudy takes people out of the files of all jobs of their study; a file that cannot be read
// does not hold up the others. A job that ends meanwhile puts nobody into its file who was erased
// before: see Ending.Size.
func (s *Service) eraseStudy(ctx context.Context, study registry.StudyID, erasures []registry.Erasure) error {
	list, err := s.Store.Jobs(ctx, JobFilter{Study: study})
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	var failed error
	for _, job := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		people := erasedFrom(job, erasures)
		if len(people) == 0 {
			continue
		}
		err := survive(func() error { return s.eraseOutput(ctx, job, people) })
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("job %s: %w", job.ID, err))
		}
	}
	return failed
}

// eraseOutput takes people out of a job's file. Another node that does the same is no trouble:
// whose file comes second is thrown away, and what is there then is looked through again.
func (s *Service) eraseOutput(ctx context.Context, job *Job, people []registry.ErasedName) error {
	for job.Output != "" {
		clean, err := s.withoutPeople(ctx, job, people)
		gone := err != nil && fault.KindOf(err) == fault.NotFound
		if err != nil && !gone {
			return err
		}
		if !gone && clean == job.Output {
			return nil
		}
		if !gone {
			replaced, err := s.Store.ReplaceOutput(ctx, job.Study, job.ID, job.Output, clean)
			if err != nil {
				return fmt.Errorf("replace job output: %w", err) // it may have happened: the file is left to be swept
			}
			if replaced {
				s.drop(ctx, job.Output)
				return nil
			}
			s.drop(ctx, clean)
		}
		was := job.Output
		job, err = s.Store.Job(ctx, job.ID)
		if fault.HasCode(err, Unknown) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read job: %w", err)
		}
		if gone && job.Output == was {
			s.Logger.ErrorContext(ctx, "a job's output is gone", "job", job.ID, "key", was)
			return nil
		}
	}
	return nil
}

// withoutPeople answers the key of a file without the people: a new one, or the job's own if
// none of them is in it.
func (s *Service) withoutPeople(ctx context.Context, job *Job, people []registry.ErasedName) (key string, err error) {
	file, err := s.Files.Open(ctx, job.Output)
	if err != nil {
		return "", fmt.Errorf("open job output: %w", err)
	}
	defer func() { _ = file.Close() }() // opened to read: closing cannot lose anything
	found, err := s.Scrub(job.Kind, io.Discard, file, people)
	if err != nil {
		return "", fmt.Errorf("look through job output: %w", err)
	}
	if !found {
		return job.Output, nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("look through job output: %w", err)
	}
	reader, writer := io.Pipe()
	scrubbed := make(chan struct{})
	go func() { // ends when reader is closed, if not before; is waited for below
		defer close(scrubbed)
		writer.CloseWithError(survive(func() error {
			_, err := s.Scrub(job.Kind, writer, file, people)
			return err
		}))
	}()
	key, _, err = s.Files.Save(ctx, OutputFolder, reader)
	_ = reader.Close() // always nil
	<-scrubbed
	if err != nil {
		return "", fmt.Errorf("store job output: %w", err)
	}
	return key, nil
}
