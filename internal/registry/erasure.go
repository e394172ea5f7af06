package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// Scrubber copies a job's output, all of it or a part that begins and ends between two lines,
// without the erased participants, and tells whether any of them was in it. Each kind of job
// has its own format. Where it takes somebody out, what it writes is shorter than what it read:
// an output that changed while it was copied is known by its size. Errors are those of reading
// and writing.
type Scrubber func(kind string, to io.Writer, from io.Reader, erased []ErasedName) (found bool, err error)

// WithScrubber has the service take erased participants out of job outputs, and remember them
// for those outputs that are in files.
func WithScrubber(scrub Scrubber) Option { return func(s *Service) { s.scrub = scrub } }

// Erased holds a token when this process has erased somebody since the last look, who may still
// have to be taken out of the files of jobs.
func (s *Service) Erased() <-chan struct{} { return s.erased }

func (s *Service) tellErased() {
	select {
	case s.erased <- struct{}{}:
	default:
	}
}

// erasedBy lists those whom the outcome erases, if anybody wants to know: once by each
// identifier that they ever had.
func (s *Service) erasedBy(ctx context.Context, tx Tx, out *Outcome) ([]ErasedName, error) {
	if len(out.Deleted) == 0 || s.scrub == nil {
		return nil, nil
	}
	former, err := tx.Identifiers(ctx, out.Deleted)
	if err != nil {
		return nil, fmt.Errorf("read former identifiers: %w", err)
	}
	var erased []ErasedName
	for _, group := range out.Results {
		for _, r := range group {
			if r.Done != Deleted {
				continue
			}
			p := r.Participant
			erased = append(erased, ErasedName{p.Identifier, p.OID})
			for _, identifier := range former[p.ID] {
				if Fold(identifier) != Fold(p.Identifier) {
					erased = append(erased, ErasedName{identifier, p.OID})
				}
			}
		}
	}
	return erased, nil
}

// forget takes erased participants out of the outputs of jobs that are in the database, and has
// them remembered for those that are in files.
func (s *Service) forget(ctx context.Context, tx Tx, e *Erasure) error {
	var failed error
	err := tx.RewriteOutputs(ctx, func(kind string, part []byte) []byte {
		var without bytes.Buffer
		found, err := s.scrub(kind, &without, bytes.NewReader(part), e.People)
		if err != nil {
			failed = err
		}
		if err != nil || !found {
			return part
		}
		return without.Bytes()
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("take erased participants out of job outputs: %w", err)
	}
	if err := tx.RememberErasure(ctx, e); err != nil {
		return fmt.Errorf("remember who was erased: %w", err)
	}
	return nil
}
