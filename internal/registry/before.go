package registry

import (
	"maps"
	"slices"
	"time"
)

// Before is what Decide may know: the facts that were loaded under the study's lock, the time
// and a seed. It is all that Decide's answer depends on besides the study and the changes.
type Before struct {
	Now      time.Time // UTC, to the microsecond
	Seed     [32]byte  // from a cryptographic source; Decide draws all its randomness from it
	Counters Counters
	Rules    []Rule      // of the study's segments
	Codes    []FreshCode // access codes to give out, drawn beforehand

	// What is known. A key that is present with a nil or zero value is known to be free; an
	// absent key is not known, and Decide asks for it.
	byKey  map[string]*Participant
	byID   map[ID]*Participant
	oids   map[string]bool
	claims map[Claim]ID
	taken  map[Fingerprint]bool
}

// NewBefore makes a Before that knows nothing yet.
func NewBefore(now time.Time, seed [32]byte, counters *Counters, codes []FreshCode) *Before {
	b := &Before{
		Now: now, Seed: seed, Codes: codes,
		byKey: map[string]*Participant{}, byID: map[ID]*Participant{},
		oids: map[string]bool{}, claims: map[Claim]ID{}, taken: map[Fingerprint]bool{},
	}
	b.Counters = *counters
	b.Counters.Numbered = maps.Clone(counters.Numbered)
	return b
}

// Learn adds what is known about what was asked: whatever was asked and is not in known does
// not exist, or is free.
func (b *Before) Learn(ask *Ask, known *Known) {
	b.makeRoom(ask)
	for _, key := range ask.Identifiers {
		if _, ok := b.byKey[key]; !ok {
			b.byKey[key] = nil
		}
	}
	for _, id := range ask.IDs {
		if _, ok := b.byID[id]; !ok {
			b.byID[id] = nil
		}
	}
	for _, p := range known.Participants {
		b.byKey[Fold(p.Identifier)] = p
		b.byID[p.ID] = p
	}
	for _, oid := range ask.OIDs {
		b.oids[oid] = false
	}
	for _, oid := range known.OIDs {
		b.oids[oid] = true
	}
	for _, claim := range ask.Claims {
		b.claims[claim] = known.Claims[claim]
	}
	for _, print := range ask.Fingerprints {
		b.taken[print] = known.Fingerprints[print]
	}
}

// makeRoom has the maps that are still empty be large enough from the start: growing a map costs
// more than filling it.
func (b *Before) makeRoom(ask *Ask) {
	if len(b.byKey) == 0 {
		b.byKey = make(map[string]*Participant, len(ask.Identifiers)+len(ask.IDs))
	}
	if len(b.byID) == 0 {
		b.byID = make(map[ID]*Participant, len(ask.IDs))
	}
	if len(b.oids) == 0 {
		b.oids = make(map[string]bool, len(ask.OIDs))
	}
	if len(b.claims) == 0 {
		b.claims = make(map[Claim]ID, len(ask.Claims))
	}
}

// FirstAsk names what Decide will want to know about the changes at least, so that the usual
// batch needs one round of queries.
func FirstAsk(groups []Group, codes []FreshCode) *Ask {
	changes := 0
	for _, g := range groups {
		changes += len(g.Changes)
	}
	ask := newAsking(changes)
	for _, g := range groups {
		for i := range g.Changes {
			ask.change(&g.Changes[i])
		}
	}
	for _, code := range codes {
		ask.Fingerprints = append(ask.Fingerprints, code.Fingerprint)
	}
	return &ask.Ask
}

// asking gathers an Ask without repeats.
type asking struct {
	Ask
	ids               map[ID]bool
	identifiers, oids map[string]bool
	claims            map[Claim]bool
}

// newAsking has room for the questions of so many changes.
func newAsking(changes int) *asking {
	return &asking{
		ids: map[ID]bool{}, identifiers: make(map[string]bool, changes), oids: make(map[string]bool, changes),
		claims: make(map[Claim]bool, len(contacts)*changes),
	}
}

func (a *asking) change(c *Change) {
	if c.ID != (ID{}) {
		a.id(c.ID)
	}
	if identifier, ferr := c.Profile.identifier(c.Identifier); ferr == nil && identifier != "" {
		a.identifier(Fold(identifier))
		if c.Action == Upsert {
			a.oid(oidBase(identifier))
		}
	}
	for _, contact := range contacts {
		text, given := c.Edits.Get(contact.field)
		if !given || text == "" || !slices.Contains(c.Profile.Order, contact.field) {
			continue
		}
		if value, ferr := c.Profile.value(contact.field, text); ferr == nil && value != "" {
			a.claim(ClaimOn(contact.kind, value))
		}
	}
}

// once appends a question that has not been asked yet.
func once[K comparable](seen map[K]bool, list []K, key K) []K {
	if seen[key] {
		return list
	}
	seen[key] = true
	return append(list, key)
}

func (a *asking) id(id ID) { a.IDs = once(a.ids, a.IDs, id) }

func (a *asking) identifier(key string) { a.Identifiers = once(a.identifiers, a.Identifiers, key) }

func (a *asking) oid(oid string) { a.OIDs = once(a.oids, a.OIDs, oid) }

func (a *asking) claim(c Claim) { a.Claims = once(a.claims, a.Claims, c) }

// contacts are the two details that can be claimed.
var contacts = [...]struct {
	field Field
	kind  ContactKind
}{{Email, EmailContact}, {MobilePhone, PhoneContact}}

// ClaimOn is the claim on a contact's stored value.
func ClaimOn(kind ContactKind, value string) Claim {
	if kind == PhoneContact {
		return Claim{Kind: kind, Key: phoneKey(value)}
	}
	return Claim{Kind: kind, Key: Fold(value)}
}
