package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// outputParts is how many parts of a job's output are read at a time; a part is the output of
// one chunk, so memory stays flat.
const outputParts = 4

// WriteOutput writes the job's output, its log or extract, to w, without those who have been
// erased. It answers fault NotFound if the job was deleted meanwhile, and Unavailable if it ended
// meanwhile: what has been written is then not all of it.
func (s *Service) WriteOutput(ctx context.Context, job *Job, w io.Writer) error {
	for missed := ""; ; {
		// Whoever is erased between these two is either still pending or out of the file.
		erasures, err := s.pending(ctx)
		if err != nil {
			return err
		}
		stored, err := s.Store.Job(ctx, job.ID)
		if err != nil {
			return fmt.Errorf("read job: %w", err)
		}
		if stored.Output == "" {
			return s.writeParts(ctx, stored, w)
		}
		file, err := s.Files.Open(ctx, stored.Output)
		if err != nil && fault.KindOf(err) == fault.NotFound && missed != stored.Output {
			missed = stored.Output // another has just taken its place, or it is lost
			continue
		}
		if err != nil {
			return fmt.Errorf("open job output: %w", err)
		}
		return s.sendFile(stored, w, file, erasedFrom(stored, erasures))
	}
}

// sendFile writes the file without the erased, and closes it.
func (s *Service) sendFile(job *Job, w io.Writer, file io.ReadCloser, erased []registry.ErasedName) error {
	defer func() { _ = file.Close() }() // opened to read: closing cannot lose anything
	var err error
	if len(erased) > 0 {
		_, err = s.Scrub(job.Kind, w, file, erased)
	} else {
		_, err = io.Copy(w, file)
	}
	if err != nil {
		return fmt.Errorf("send job output: %w", err)
	}
	return nil
}

// writeParts writes an output that is in the database: that of a job that has not ended, or
// ended before outputs were put into files. Nobody who was erased is in it.
func (s *Service) writeParts(ctx context.Context, job *Job, w io.Writer) error {
	parts := s.partsOf(ctx, job)
	for {
		part, err := parts.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("send job output: %w", err)
		}
	}
	stored, err := s.Store.Job(ctx, job.ID)
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if stored.Output != "" {
		return fault.New(fault.Unavailable, "", "the job ended while its output was read")
	}
	return nil
}

// parts reads the output of a job from the database, a few parts at a time.
type parts struct {
	ctx  context.Context // of the call that reads: Read has no other way to get one
	from Store
	job  *Job
	seen int
	some [][]byte // read and not yet given out
	last bool     // there are no more in the database
	rest []byte   // of the part that Read is giving out
}

func (s *Service) partsOf(ctx context.Context, job *Job) *parts {
	return &parts{ctx: ctx, from: s.Store, job: job}
}

// next answers the next part; io.EOF after the last.
func (p *parts) next() ([]byte, error) {
	if len(p.some) == 0 && !p.last {
		var err error
		p.some, err = p.from.OutputParts(p.ctx, p.job.Study, p.job.ID, p.seen, outputParts)
		if err != nil {
			return nil, fmt.Errorf("read job output: %w", err)
		}
		p.seen += len(p.some)
		p.last = len(p.some) < outputParts
	}
	if len(p.some) == 0 {
		return nil, io.EOF
	}
	part := p.some[0]
	p.some = p.some[1:]
	return part, nil
}

// Read implements io.Reader.
func (p *parts) Read(to []byte) (int, error) {
	for len(p.rest) == 0 {
		var err error
		if p.rest, err = p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
