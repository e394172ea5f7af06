package registry

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// Decide answers what becomes of the changes: per change the participant as it then is or a
// domain error, and what is to be written. It holds every rule about participants but who may
// do what. It is pure: the same study, facts and changes give the same outcome, and it changes
// none of them.
//
// The changes are decided in order, each seeing those before it. Where Decide would have to
// know more than before holds, the outcome says what in Missing, and nothing else of it
// counts: load that, and decide again.
func Decide(study *Study, before *Before, groups []Group) *Outcome {
	d := &decision{
		study:  study,
		before: before,
		ask:    newAsking(0),
		random: rand.New(rand.NewChaCha8(before.Seed)),
	}
	changes := 0 // on the batch's own layer
	for i := range groups {
		if !groups[i].AllOrNothing {
			changes += len(groups[i].Changes)
		}
	}
	d.layer = newLayer(before, nil, changes)
	out := &Outcome{Results: make([][]Result, len(groups))}
	for i := range groups {
		out.Results[i] = d.group(&groups[i])
	}
	if !d.ask.empty() {
		return &Outcome{Missing: &d.ask.Ask}
	}
	d.layer.writeInto(out)
	out.Memberships = d.memberships()
	return out
}

// decision is the state of one run of Decide.
type decision struct {
	study  *Study
	before *Before
	layer  *layer
	ask    *asking
	random *rand.Rand
	nth    uint64 // the change that is being decided, counted over the batch
}

// group decides one group, on a layer of its own if it is all or nothing.
func (d *decision) group(g *Group) []Result {
	results := make([]Result, len(g.Changes))
	if !g.AllOrNothing {
		for i := range g.Changes {
			results[i] = d.change(&g.Changes[i])
		}
		return results
	}
	below := d.layer
	d.layer = newLayer(d.before, below, len(g.Changes))
	defer func() { d.layer = below }()
	touched := make(map[ID]bool, len(g.Changes))
	for i := range g.Changes {
		var r Result
		if p := d.named(&g.Changes[i]); p != nil && touched[p.ID] {
			r.Err = fault.New(fault.Invalid, NamedTwice, "the same participant is named twice in one request").In(IdentifierField)
		} else {
			r = d.change(&g.Changes[i])
		}
		if r.Err != nil {
			failed := Result{Err: r.Err.At(i + 1)}
			for j := range results {
				results[j] = failed
			}
			return results
		}
		if r.Participant != nil { // a Look or a Revisit may find nobody
			touched[r.Participant.ID] = true
		}
		results[i] = r
	}
	d.layer.settle()
	return results
}

func (d *decision) change(c *Change) Result {
	d.nth++
	switch c.Action {
	case Upsert:
		return d.upsert(c)
	case Revisit:
		return d.revisit(c)
	case Look:
		return Result{Participant: d.find(c.ID, c.Identifier)}
	default:
		return d.act(c)
	}
}

// named is the participant whom a change names as things stand; nil if it names none.
func (d *decision) named(c *Change) *Participant {
	identifier, ferr := c.Profile.identifier(c.Identifier)
	if c.ID == (ID{}) && (ferr != nil || identifier == "") {
		return nil
	}
	return d.find(c.ID, identifier)
}

// find looks a change's participant up by its ID, else by the identifier; nil if there is none.
func (d *decision) find(id ID, identifier string) *Participant {
	if id != (ID{}) {
		p, known := d.layer.participantByID(id)
		if !known {
			d.ask.id(id)
		}
		return p
	}
	key := Fold(identifier)
	p, known := d.layer.participantByKey(key)
	if !known {
		d.ask.identifier(key)
	}
	return p
}

// event remembers what a change did.
func (d *decision) event(c *Change, p *Participant, action audit.Action, fields []audit.FieldChange) {
	d.layer.events = append(d.layer.events, audit.Event{
		At: d.before.Now, Origin: c.Origin, Action: action,
		Participant: p.ID, Identifier: p.Identifier, Fields: fields,
	})
}

// save puts a participant's new state and keeps the count against the cap.
func (d *decision) save(c *Change, was, now *Participant) {
	now.UpdatedAt, now.UpdatedBy = d.before.Now, c.Origin.Actor
	d.layer.put(now, was == nil)
	counted := was != nil && was.Counts()
	switch {
	case now.Counts() && !counted:
		d.layer.counters.Counted++
	case !now.Counts() && counted:
		d.layer.counters.Counted--
	}
}

// newID makes a UUIDv7. The 32 bits after the milliseconds count the study's participants, so
// that the order of IDs is the order of creation; 42 random bits tell studies apart.
func (d *decision) newID() ID {
	var id ID
	ms := uint64(d.before.Now.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	seq := uint64(uint32(d.layer.counters.LastSeq))
	high, low := seq>>20, seq&(1<<20-1)
	id[6], id[7] = 0x70|byte(high>>8), byte(high)
	binary.BigEndian.PutUint64(id[8:], 0b10<<62|low<<42|d.random.Uint64N(1<<42))
	return id
}

// newLinkID makes a random UUIDv4.
func (d *decision) newLinkID() ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], d.random.Uint64())
	binary.BigEndian.PutUint64(id[8:], d.random.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// writeInto gathers what the layer has decided.
func (l *layer) writeInto(out *Outcome) {
	out.Writes = make([]Write, 0, len(l.written))
	for _, id := range l.written {
		if p := l.byID[id]; p != nil {
			out.Writes = append(out.Writes, Write{Participant: p, New: l.isNew[id]})
		}
	}
	out.Claimed = make(map[Claim]ID, len(l.claims))
	for claim, holder := range l.claims {
		if before := l.base.claims[claim]; before == holder {
			continue
		} else if before != (ID{}) {
			out.Released = append(out.Released, claim)
		}
		if holder != (ID{}) {
			out.Claimed[claim] = holder
		}
	}
	slices.SortFunc(out.Released, func(a, b Claim) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
	})
	out.Codes = l.codes
	maps.DeleteFunc(out.Codes, func(_ Fingerprint, id ID) bool { return slices.Contains(l.deleted, id) })
	out.Counters = &l.counters
	out.Deleted = l.deleted
	out.Events = l.events
	out.Invited = slices.DeleteFunc(l.invited, func(id ID) bool { return slices.Contains(l.deleted, id) })
	if len(l.deleted) == 0 {
		return
	}
	for i := range out.Events {
		if e := &out.Events[i]; slices.Contains(l.deleted, e.Participant) {
			e.Fields, e.Identifier = nil, ""
		}
	}
}
