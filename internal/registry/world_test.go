package registry

import (
	"encoding/binary"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// world plays the part of the store for Decide alone: it answers what Decide asks for and
// takes in what Decide answers. It stands for the laws of Load and Write in their shortest
// form, and fails the test where an outcome would break one.
type world struct {
	tb     tester
	study  *Study
	now    time.Time
	rules  []Rule
	rounds int // how often the last batch was decided

	people   map[ID]*Participant
	claims   map[Claim]ID
	codes    map[Fingerprint]ID
	counters Counters
	events   []audit.Event
	drawn    uint32 // how many codes and seeds were drawn
}

// tester is a test, a fuzz target or a property.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newWorld(tb tester, study *Study) *world {
	return &world{
		tb: tb, study: study, now: juneMorning,
		people: map[ID]*Participant{}, claims: map[Claim]ID{}, codes: map[Fingerprint]ID{},
		counters: Counters{Numbered: map[SiteID]int64{}},
	}
}

// load answers an Ask as a store does: exactly what was asked.
func (w *world) load(ask *Ask) *Known {
	known := &Known{Claims: map[Claim]ID{}, Fingerprints: map[Fingerprint]bool{}}
	for _, p := range w.people {
		if slices.Contains(ask.Identifiers, Fold(p.Identifier)) || slices.Contains(ask.IDs, p.ID) {
			known.Participants = append(known.Participants, p)
		}
		if slices.Contains(ask.OIDs, p.OID) {
			known.OIDs = append(known.OIDs, p.OID)
		}
	}
	for _, claim := range ask.Claims {
		if holder, ok := w.claims[claim]; ok {
			known.Claims[claim] = holder
		}
	}
	for _, print := range ask.Fingerprints {
		if _, ok := w.codes[print]; ok {
			known.Fingerprints[print] = true
		}
	}
	return known
}

// drawCodes draws n access codes that are not random but as good.
func (w *world) drawCodes(n int) []FreshCode {
	fresh := make([]FreshCode, n)
	for i := range fresh {
		w.drawn++
		fresh[i].Sealed = binary.BigEndian.AppendUint32(SealedCode("sealed"), w.drawn)
		binary.BigEndian.PutUint32(fresh[i].Fingerprint[:], w.drawn)
	}
	return fresh
}

// drawSeed draws a seed that is not random but unlike those before it.
func (w *world) drawSeed() (seed [32]byte) {
	w.drawn++
	binary.BigEndian.PutUint32(seed[:], w.drawn)
	return seed
}

// resolved fills in the identities that [known] stands for.
func (w *world) resolved(groups []Group) []Group {
	groups = cloneGroups(groups)
	for _, g := range groups {
		for i := range g.Changes {
			if c := &g.Changes[i]; c.ID[0] == 0xff {
				for _, p := range w.people {
					if p.Seq == int64(c.ID[15]) {
						c.ID = p.ID
					}
				}
			}
		}
	}
	return groups
}

// decide runs Decide as the service does, on inputs that it proves unchanged, and proves that
// deciding twice answers the same.
func (w *world) decide(groups ...Group) *Outcome {
	w.tb.Helper()
	groups = w.resolved(groups)
	registrations := 0
	for _, g := range groups {
		for i := range g.Changes {
			if g.Changes[i].Register {
				registrations++
			}
		}
	}
	codes := w.drawCodes(registrations)
	before := NewBefore(w.now, w.drawSeed(), &w.counters, codes)
	before.Rules = w.rules
	ask := FirstAsk(groups, codes)
	for w.rounds = 1; w.rounds <= decideRounds; w.rounds++ {
		before.Learn(ask, w.load(ask))
		out := w.decideTwice(before, groups)
		if out.Missing == nil {
			return out
		}
		ask = out.Missing
		if ask.empty() {
			w.tb.Fatal("Decide asked for nothing")
		}
		fresh := w.drawCodes(ask.Codes)
		before.Codes = append(before.Codes, fresh...)
		for _, code := range fresh {
			ask.Fingerprints = append(ask.Fingerprints, code.Fingerprint)
		}
	}
	w.tb.Fatalf("not decided in %d rounds", decideRounds)
	return nil
}

func (w *world) decideTwice(before *Before, groups []Group) *Outcome {
	w.tb.Helper()
	knew, asked := cloneBefore(before), cloneGroups(groups)
	out := Decide(w.study, before, groups)
	if !reflect.DeepEqual(knew, before) {
		w.tb.Fatal("Decide changed what was known")
	}
	if !reflect.DeepEqual(asked, groups) {
		w.tb.Fatal("Decide changed the changes")
	}
	again := Decide(w.study, before, groups)
	if diff := cmp.Diff(out, again, cmp.AllowUnexported(fault.Error{})); diff != "" {
		w.tb.Fatalf("deciding again differs (-first +second):\n%s", diff)
	}
	return out
}

func cloneBefore(b *Before) *Before {
	c := *b
	c.Counters.Numbered = maps.Clone(b.Counters.Numbered)
	c.Codes = slices.Clone(b.Codes)
	c.byKey, c.byID = clonePeople(b.byKey), clonePeople(b.byID)
	c.oids, c.claims, c.taken = maps.Clone(b.oids), maps.Clone(b.claims), maps.Clone(b.taken)
	return &c
}

func clonePeople[K comparable](people map[K]*Participant) map[K]*Participant {
	c := make(map[K]*Participant, len(people))
	for key, p := range people {
		c[key] = nil
		if p != nil {
			c[key] = cloneParticipant(p)
		}
	}
	return c
}

func cloneParticipant(p *Participant) *Participant {
	c := *p
	c.Custom, c.AccessCode = maps.Clone(p.Custom), slices.Clone(p.AccessCode)
	return &c
}

func cloneGroups(groups []Group) []Group {
	c := slices.Clone(groups)
	for i := range c {
		c[i].Changes = slices.Clone(c[i].Changes)
		for j := range c[i].Changes {
			c[i].Changes[j].Custom = maps.Clone(c[i].Changes[j].Custom)
		}
	}
	return c
}

// apply decides the groups in one batch and takes the outcome in.
func (w *world) apply(groups ...Group) [][]Result {
	w.tb.Helper()
	out := w.decide(groups...)
	w.take(out)
	return out.Results
}

// do makes one change in a batch of its own.
func (w *world) do(c Change) Result {
	w.tb.Helper()
	return w.apply(Group{Changes: []Change{c}})[0][0]
}

// must makes changes that have to work, each in a batch of its own, and answers the last
// participant.
func (w *world) must(changes ...Change) *Participant {
	w.tb.Helper()
	var p *Participant
	for i := range changes {
		r := w.do(changes[i])
		if r.Err != nil {
			w.tb.Fatalf("change %d: %v", i+1, r.Err)
		}
		p = r.Participant
	}
	return p
}

// take writes an outcome and holds it to the laws of Tx.Write.
func (w *world) take(out *Outcome) {
	w.tb.Helper()
	for _, id := range out.Deleted {
		delete(w.people, id)
		maps.DeleteFunc(w.codes, func(_ Fingerprint, holder ID) bool { return holder == id })
	}
	for _, write := range out.Writes {
		if _, exists := w.people[write.Participant.ID]; exists == write.New {
			w.tb.Fatalf("%s is written with New %v", write.Participant.Identifier, write.New)
		}
		w.people[write.Participant.ID] = write.Participant
	}
	for _, claim := range out.Released {
		if _, held := w.claims[claim]; !held {
			w.tb.Fatalf("claim %v is released, but nobody holds it", claim)
		}
		delete(w.claims, claim)
	}
	for claim, id := range out.Claimed {
		if _, held := w.claims[claim]; held {
			w.tb.Fatalf("claim %v is won, but somebody holds it", claim)
		}
		w.claims[claim] = id
	}
	for print, id := range out.Codes {
		if _, given := w.codes[print]; given {
			w.tb.Fatal("an access code is given out twice")
		}
		w.codes[print] = id
	}
	w.counters = *out.Counters
	w.events = append(w.events, out.Events...)
	w.checkLaws()
}

// checkLaws proves what is true of every registry at every time.
func (w *world) checkLaws() {
	w.tb.Helper()
	keys, oids, seqs, counted := map[string]bool{}, map[string]bool{}, map[int64]bool{}, int64(0)
	secrets := map[string]bool{}
	for _, p := range w.people {
		if keys[Fold(p.Identifier)] || oids[p.OID] || seqs[p.Seq] {
			w.tb.Fatalf("identifier %q, OID %q or number %d is given twice", p.Identifier, p.OID, p.Seq)
		}
		keys[Fold(p.Identifier)], oids[p.OID], seqs[p.Seq] = true, true, true
		if p.Counts() {
			counted++
		}
		if (p.Participate == NotRegistered) != (p.AccessCode == nil) {
			w.tb.Fatalf("%s: access code and Participate status %q do not go together", p.Identifier, p.Participate)
		}
		if secret := string(p.AccessCode); secret != "" {
			if secrets[secret] {
				w.tb.Fatalf("%s has the access code of another", p.Identifier)
			}
			secrets[secret] = true
		}
		if p.Custom != nil && len(p.Custom) == 0 {
			w.tb.Fatalf("%s: custom fields are empty, want nil", p.Identifier)
		}
	}
	if counted != w.counters.Counted {
		w.tb.Fatalf("Counted is %d, but %d participants count", w.counters.Counted, counted)
	}
	for claim, id := range w.claims {
		p := w.people[id]
		if p == nil {
			w.tb.Fatalf("claim %v is held by nobody who exists", claim)
		}
		if claim != ClaimOn(EmailContact, p.Details[Email]) && claim != ClaimOn(PhoneContact, p.Details[MobilePhone]) {
			w.tb.Fatalf("%s holds claim %v on a contact of somebody else", p.Identifier, claim)
		}
	}
	for _, id := range w.codes {
		if w.people[id] == nil {
			w.tb.Fatal("an access code is kept for nobody who exists")
		}
	}
}

// find is the participant with the identifier, nil if there is none.
func (w *world) find(identifier string) *Participant {
	for _, p := range w.people {
		if Fold(p.Identifier) == Fold(identifier) {
			return p
		}
	}
	return nil
}

// state is everything that a failed change must leave as it is.
type state struct {
	People   map[ID]Participant
	Claims   map[Claim]ID
	Codes    map[Fingerprint]ID
	Counters Counters
	Events   int
}

func (w *world) state() state {
	people := make(map[ID]Participant, len(w.people))
	for id, p := range w.people {
		people[id] = *cloneParticipant(p)
	}
	counters := w.counters
	counters.Numbered = maps.Clone(w.counters.Numbered)
	maps.DeleteFunc(counters.Numbered, func(_ SiteID, n int64) bool { return n == 0 })
	return state{people, maps.Clone(w.claims), maps.Clone(w.codes), counters, len(w.events)}
}
