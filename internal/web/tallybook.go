package web

import (
	"context"
	"fmt"
	"sync"

	"rollcall/internal/registry"
)

// tallyBook remembers how the participants of each study were counted last, until something
// changes in the study.
type tallyBook struct {
	overview Overview

	mu     sync.Mutex
	counts map[registry.StudyID]*tallyEntry
}

// tallyEntry is one study's last count. Whoever counts holds the turn, so that of all who ask
// after a change one counts.
type tallyEntry struct {
	turn chan struct{}

	mu   sync.Mutex
	last *registry.Tally
}

func newTallyBook(o Overview) *tallyBook {
	return &tallyBook{overview: o, counts: map[registry.StudyID]*tallyEntry{}}
}

func (b *tallyBook) entry(study registry.StudyID) *tallyEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.counts[study]
	if !ok {
		e = &tallyEntry{turn: make(chan struct{}, 1)}
		b.counts[study] = e
	}
	return e
}

func (e *tallyEntry) remembered() *registry.Tally {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// known answers the count of a study if there is one that is still right; nil if not.
func (b *tallyBook) known(ctx context.Context, study registry.StudyID) (*registry.Tally, error) {
	version, err := b.overview.TallyVersion(ctx, study)
	if err != nil {
		return nil, fmt.Errorf("read the version of the numbers: %w", err)
	}
	if last := b.entry(study).remembered(); last != nil && last.Version == version {
		return last, nil
	}
	return nil, nil
}

// count answers the count of a study, and counts if there is none that is still right.
func (b *tallyBook) count(ctx context.Context, study registry.StudyID) (*registry.Tally, error) {
	e := b.entry(study)
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the numbers: %w", ctx.Err())
	}
	if last, err := b.known(ctx, study); last != nil || err != nil {
		return last, err
	}
	tally, err := b.overview.Tally(ctx, study)
	if err != nil {
		return nil, fmt.Errorf("count participants: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = tally
	return tally, nil
}
