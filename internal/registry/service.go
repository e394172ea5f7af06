package registry

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// Service is the one way in to the registry for every dialect, job, page and command.
type Service struct {
	store Store
	codes *CodeBook
	rules RuleBook
	scrub Scrubber
	clock func() time.Time

	erased chan struct{} // see Erased

	catalog atomic.Pointer[Catalog]
	reading chan struct{} // holds one token while somebody reads the catalog

	queuesMu sync.Mutex
	queues   map[StudyID]*queue
}

// Option sets what a service can do without.
type Option func(*Service)

// WithRules has the service keep the memberships of segments by the rule book.
func WithRules(book RuleBook) Option { return func(s *Service) { s.rules = book } }

// NewService makes a service on a store. The code book seals access codes; the clock is asked
// once for each transaction.
func NewService(store Store, codes *CodeBook, clock func() time.Time, options ...Option) *Service {
	s := &Service{
		store: store, codes: codes, clock: clock, rules: noRules{}, queues: map[StudyID]*queue{},
		erased: make(chan struct{}, 1), reading: make(chan struct{}, 1),
	}
	for _, option := range options {
		option(s)
	}
	return s
}

// Now is the registry's time: UTC, to the microsecond.
func (s *Service) Now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Catalog answers every study and site as they are now. It reads them again only when they
// have changed; however many ask at once after a change, one reads.
func (s *Service) Catalog(ctx context.Context) (*Catalog, error) {
	version, err := s.store.CatalogVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("read catalog version: %w", err)
	}
	if c := s.catalog.Load(); c != nil && c.Version == version {
		return c, nil
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the catalog: %w", ctx.Err())
	}
	if c := s.catalog.Load(); c != nil && c.Version == version {
		return c, nil
	}
	catalog, err := s.store.Catalog(ctx)
	if err != nil {
		return nil, fmt.Errorf("read catalog: %w", err)
	}
	s.catalog.Store(catalog)
	return catalog, nil
}

// Batch is what one caller wants written in one go.
type Batch struct {
	Group

	// Events are remembered with the batch, whatever its changes do: reads of access codes,
	// for example.
	Events []audit.Event

	// Step, if not nil, is asked for the progress of the job that the batch belongs to, once
	// its results are known. The progress commits with the batch. It may be asked again, and
	// must have no effects.
	Step func(results []Result) *JobStep

	// Rehearsal, if not nil, has the batch decided and not written: what is answered is what
	// would become of it. Its Step is saved all the same, its Events are not looked at.
	Rehearsal *Rehearsal
}

// Apply makes the changes in order and answers one result for each. It returns when what was
// written is durable. An error means that nothing of the batch was written.
func (s *Service) Apply(ctx context.Context, study StudyID, changes ...Change) ([]Result, error) {
	return s.ApplyBatch(ctx, study, &Batch{Group: Group{Changes: changes}})
}

// ApplyBatch makes one batch. Batches of one study that are asked for at the same time share
// a transaction, so that durability costs little under load; each still stands for itself: an
// error of one never fails another.
func (s *Service) ApplyBatch(ctx context.Context, study StudyID, batch *Batch) ([]Result, error) {
	if batch.Rehearsal != nil {
		return s.rehearse(ctx, study, batch)
	}
	return s.queueOf(study).do(ctx, batch)
}

// Busy tells whether somebody is writing to the study in this process, or waits for it.
func (s *Service) Busy(study StudyID) bool { return s.queueOf(study).busy() }

func (s *Service) queueOf(study StudyID) *queue {
	s.queuesMu.Lock()
	defer s.queuesMu.Unlock()
	q, ok := s.queues[study]
	if !ok {
		q = &queue{commit: func(ctx context.Context, batches []*Batch) ([][]Result, error) {
			return s.commit(ctx, study, batches)
		}}
		s.queues[study] = q
	}
	return q
}

// decideRounds bounds how often Decide may ask for more. Each round that asks makes something
// known, and the identifiers it asks for are bounded by the tries of generation.
const decideRounds = 64

// commit decides and writes batches in one transaction.
func (s *Service) commit(ctx context.Context, id StudyID, batches []*Batch) ([][]Result, error) {
	groups := make([]Group, len(batches))
	registrations := 0
	for i, b := range batches {
		groups[i] = b.Group
		for j := range b.Changes {
			if b.Changes[j].Register {
				registrations++
			}
		}
	}
	seed := drawSeed()
	codes := s.codes.Draw(registrations)
	var results [][]Result
	var erased []ErasedName
	err := s.store.InStudy(ctx, id, func(ctx context.Context, tx Tx) error {
		now := s.Now()
		out, err := s.decide(ctx, tx, now, seed, codes, groups, nil)
		if err != nil {
			return err
		}
		for _, b := range batches {
			out.Events = append(out.Events, b.Events...)
		}
		for i := range out.Events {
			out.Events[i].At = now
		}
		if erased, err = s.erasedBy(ctx, tx, out); err != nil {
			return err
		}
		if !out.changesNothing() {
			if err := tx.Write(ctx, now, out); err != nil {
				return fmt.Errorf("write changes: %w", err)
			}
		}
		results = out.Results
		if err := saveSteps(ctx, tx, now, batches, results); err != nil {
			return err
		}
		if len(erased) == 0 {
			return nil
		}
		return s.forget(ctx, tx, &Erasure{ID: out.Deleted[0], Study: id, At: now, People: erased}) // in the steps just saved too
	})
	if err == nil && len(erased) > 0 {
		s.tellErased()
	}
	return results, err
}

// drawSeed draws what Decide draws all its randomness from.
func drawSeed() (seed [32]byte) {
	rand.Read(seed[:]) // never fails: crypto/rand ends the program rather than return short
	return seed
}

func (s *Service) decide(
	ctx context.Context, tx Tx, now time.Time, seed [32]byte, codes []FreshCode, groups []Group, r *Rehearsal,
) (*Outcome, error) {
	study, err := tx.Study(ctx)
	if err != nil {
		return nil, fmt.Errorf("read study: %w", err)
	}
	counters, err := tx.Counters(ctx)
	if err != nil {
		return nil, fmt.Errorf("read counters: %w", err)
	}
	if settled(groups, counters) {
		return &Outcome{Results: [][]Result{nil}}, nil
	}
	before := NewBefore(now, seed, counters, codes)
	r.count(&before.Counters)
	if before.Rules, err = s.rules.Rules(study); err != nil {
		return nil, fmt.Errorf("make segment rules ready: %w", err)
	}
	ask := FirstAsk(groups, codes)
	for range decideRounds {
		if !ask.empty() {
			known, err := tx.Load(ctx, ask)
			if err != nil {
				return nil, fmt.Errorf("load participants: %w", err)
			}
			before.Learn(ask, known)
			r.recall(before)
		}
		out := Decide(study, before, groups)
		if out.Missing == nil {
			return out, nil
		}
		ask = out.Missing
		fresh := s.codes.Draw(ask.Codes)
		ask.Codes = 0
		before.Codes = append(before.Codes, fresh...)
		for _, code := range fresh {
			ask.Fingerprints = append(ask.Fingerprints, code.Fingerprint)
		}
	}
	return nil, fault.New(fault.Internal, "", "the batch could not be decided")
}

func saveSteps(ctx context.Context, tx Tx, now time.Time, batches []*Batch, results [][]Result) error {
	for i, b := range batches {
		if b.Step == nil {
			continue
		}
		step := b.Step(results[i])
		step.At = now
		if err := tx.SaveStep(ctx, step); err != nil {
			return fmt.Errorf("save job progress: %w", err)
		}
	}
	return nil
}

// Find finds a participant by identifier without regard to case; fault ParticipantUnknown if
// there is none.
func (s *Service) Find(ctx context.Context, study StudyID, identifier string) (*Participant, error) {
	p, err := s.store.ParticipantByIdentifier(ctx, study, identifier)
	if err != nil {
		return nil, fmt.Errorf("find participant: %w", err)
	}
	if p == nil {
		return nil, unknownParticipant().Err
	}
	return p, nil
}

// FindByID finds a participant by its internal identity; fault ParticipantUnknown if there is
// none.
func (s *Service) FindByID(ctx context.Context, study StudyID, id ID) (*Participant, error) {
	p, err := s.store.ParticipantByID(ctx, study, id)
	if err != nil {
		return nil, fmt.Errorf("find participant: %w", err)
	}
	if p == nil {
		return nil, unknownParticipant().Err
	}
	return p, nil
}

// Contacts lists up to limit contacts of a site in order of creation from the one after afterSeq.
func (s *Service) Contacts(ctx context.Context, study StudyID, site SiteID, afterSeq int64, limit int) (*ContactList, error) {
	list, err := s.store.Contacts(ctx, study, site, afterSeq, limit)
	if err != nil {
		return nil, fmt.Errorf("list contacts: %w", err)
	}
	return list, nil
}

// Participants lists up to limit participants in order of creation from the one after
// afterSeq; a nil site means the whole study.
func (s *Service) Participants(ctx context.Context, study StudyID, site *SiteID, afterSeq int64, limit int) ([]*Participant, error) {
	page, err := s.store.Participants(ctx, study, site, afterSeq, limit)
	if err != nil {
		return nil, fmt.Errorf("list participants: %w", err)
	}
	return page, nil
}

// Query finds participants.
func (s *Service) Query(ctx context.Context, study StudyID, q *Query) (*Page, error) {
	page, err := s.store.Query(ctx, study, q)
	if err != nil {
		return nil, fmt.Errorf("query participants: %w", err)
	}
	return page, nil
}

// SegmentsOf lists the segments that a participant belongs to, in the study's order.
func (s *Service) SegmentsOf(ctx context.Context, study StudyID, id ID) ([]SegmentMember, error) {
	members, err := s.store.SegmentsOf(ctx, study, id)
	if err != nil {
		return nil, fmt.Errorf("list a participant's segments: %w", err)
	}
	return members, nil
}

// AccessCode reveals an access code, "" if there is none. The caller has its
// reading remembered as [audit.AccessCodeRead] before it shows the code to anybody.
func (s *Service) AccessCode(code SealedCode) (string, error) { return s.codes.Open(code) }
