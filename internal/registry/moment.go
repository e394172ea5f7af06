package registry

import "context"

// Moment lets one look at the database answer two questions of a request: who may do what, and
// which studies there are. Both are read for every request, so that a change is seen by all
// requests that begin after it, whichever process made it. Read together they cost half.
//
// A moment belongs to one goroutine.
type Moment struct {
	catalog int64
	known   bool
}

type momentKey struct{}

// WithMoment makes a context for the questions with which a request begins. What a store tells
// with it is as new as the context, or newer.
func WithMoment(ctx context.Context) context.Context {
	return context.WithValue(ctx, momentKey{}, &Moment{})
}

// MomentOf is the moment of a context; nil if it has none.
func MomentOf(ctx context.Context) *Moment {
	m, _ := ctx.Value(momentKey{}).(*Moment)
	return m
}

// Keep remembers the catalog's version that a store has read on the way. A nil moment forgets it.
func (m *Moment) Keep(catalog int64) {
	if m != nil {
		m.catalog, m.known = catalog, true
	}
}

// Catalog answers the version that is kept, once: whoever asks again wants to know what it is by
// then.
func (m *Moment) Catalog() (version int64, known bool) {
	if m == nil || !m.known {
		return 0, false
	}
	m.known = false
	return m.catalog, true
}
