package registry

import (
	"context"

	"rollcall/internal/audit"
)

// Rehearsal is a run of batches that are decided and never written: each sees what those before
// it would have written. It is for one study and one goroutine, and is used up by a batch that
// failed.
type Rehearsal struct {
	// Keeps tells whether an identifier, folded, comes again later in the run: only of those does
	// the rehearsal remember what would have become, so that memory stays flat. Nil: all may.
	Keeps func(key string) bool

	// Changed is, of the batch that was decided last, what each of its changes would change. It is
	// there when the batch's Step is asked.
	Changed [][]audit.FieldChange

	lastSeq, counted int64 // by how much the study's counters would have grown
	numbered         map[SiteID]int64
	people           map[string]*Participant
	claims           map[Claim]ID // where contacts are unique
}

// rehearse decides a batch, saves the step of its job, and writes nothing else.
func (s *Service) rehearse(ctx context.Context, id StudyID, b *Batch) ([]Result, error) {
	registrations := 0
	for i := range b.Changes {
		if b.Changes[i].Register {
			registrations++
		}
	}
	seed, codes := drawSeed(), s.codes.Draw(registrations)
	var study *Study
	var out *Outcome
	var was *Counters
	err := s.store.InStudy(ctx, id, func(ctx context.Context, tx Tx) (err error) {
		now := s.Now()
		if study, err = tx.Study(ctx); err != nil {
			return err
		}
		if was, err = tx.Counters(ctx); err != nil {
			return err
		}
		if out, err = s.decide(ctx, tx, now, seed, codes, []Group{b.Group}, b.Rehearsal); err != nil {
			return err
		}
		b.Rehearsal.Changed = changedBy(out.Results[0], out.Events)
		return saveSteps(ctx, tx, now, []*Batch{b}, out.Results)
	})
	if err != nil {
		return nil, err
	}
	b.Rehearsal.take(study, was, out)
	return out.Results[0], nil
}

// changedBy finds what each change would change by the events that tell of it: those of a change
// follow each other, and a registration is the last of them.
func changedBy(results []Result, events []audit.Event) [][]audit.FieldChange {
	changed := make([][]audit.FieldChange, len(results))
	for i, r := range results {
		if r.Err != nil || (r.Done != Added && r.Done != Updated) {
			continue
		}
		for begun := false; len(events) > 0 && events[0].Participant == r.Participant.ID; begun = true {
			last := events[0].Action == audit.ParticipateRegistered
			if begun && !last {
				break // the next change of the same participant
			}
			changed[i] = append(changed[i], events[0].Fields...)
			events = events[1:]
			if last {
				break
			}
		}
	}
	return changed
}

// count adds what would have been counted before.
func (r *Rehearsal) count(c *Counters) {
	if r == nil {
		return
	}
	c.LastSeq += r.lastSeq
	c.Counted += r.counted
	if c.Numbered == nil {
		c.Numbered = map[SiteID]int64{}
	}
	for site, n := range r.numbered {
		c.Numbered[site] += n
	}
}

// recall puts what would have been written before in the place of what is stored.
func (r *Rehearsal) recall(b *Before) {
	if r == nil {
		return
	}
	for key := range b.byKey {
		if p := r.people[key]; p != nil {
			b.byKey[key], b.byID[p.ID] = p, p
		}
	}
	for claim := range b.claims {
		if holder, known := r.claims[claim]; known {
			b.claims[claim] = holder
		}
	}
}

// take remembers what a batch would have written.
func (r *Rehearsal) take(study *Study, was *Counters, out *Outcome) {
	if r.people == nil {
		r.people, r.claims, r.numbered = map[string]*Participant{}, map[Claim]ID{}, map[SiteID]int64{}
	}
	r.lastSeq, r.counted = out.Counters.LastSeq-was.LastSeq, out.Counters.Counted-was.Counted
	for site, n := range out.Counters.Numbered {
		r.numbered[site] = n - was.Numbered[site]
	}
	for _, w := range out.Writes {
		if key := Fold(w.Participant.Identifier); r.Keeps == nil || r.Keeps(key) {
			r.people[key] = w.Participant
		}
	}
	if !study.UniqueContacts {
		return
	}
	for _, claim := range out.Released {
		r.claims[claim] = ID{}
	}
	for claim, holder := range out.Claimed {
		r.claims[claim] = holder
	}
}
