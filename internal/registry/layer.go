package registry

import "rollcall/internal/audit"

// layer is a picture of the registry that changes are decided on: what Before knows, and above
// it what the batch has decided so far. An all-or-nothing group is decided on a layer of its
// own, which is dropped if one of its changes fails, and settled into the one below if not.
type layer struct {
	below *layer // nil for the batch's own layer
	base  *Before

	byKey  map[string]*Participant // nil value: given up or erased
	byID   map[ID]*Participant
	oids   map[string]bool
	claims map[Claim]ID // zero value: released

	counters  Counters
	nextCode  int
	written   []ID // in order of first write
	isNew     map[ID]bool
	deleted   []ID
	codes     map[Fingerprint]ID
	events    []audit.Event
	revisited []ID // looked at again, without a change
	invited   []ID // newly added, to be invited
}

// newLayer has room for what so many changes decide: growing a map costs more than filling it.
func newLayer(base *Before, below *layer, changes int) *layer {
	l := &layer{
		below: below, base: base,
		byKey: make(map[string]*Participant, changes), byID: make(map[ID]*Participant, changes),
		oids: make(map[string]bool, changes), claims: make(map[Claim]ID, len(contacts)*changes),
		isNew: make(map[ID]bool, changes), codes: map[Fingerprint]ID{},
		written: make([]ID, 0, changes), events: make([]audit.Event, 0, changes),
	}
	from := &base.Counters
	if below != nil {
		from, l.nextCode = &below.counters, below.nextCode
	}
	l.counters = Counters{LastSeq: from.LastSeq, Counted: from.Counted, Numbered: map[SiteID]int64{}}
	for site, n := range from.Numbered {
		l.counters.Numbered[site] = n
	}
	return l
}

// The look-ups go down the layers to what Before knows; known is false where that is silent.

func (l *layer) participantByKey(key string) (p *Participant, known bool) {
	for at := l; at != nil; at = at.below {
		if p, known = at.byKey[key]; known {
			return p, true
		}
	}
	p, known = l.base.byKey[key]
	return p, known
}

func (l *layer) participantByID(id ID) (p *Participant, known bool) {
	for at := l; at != nil; at = at.below {
		if p, known = at.byID[id]; known {
			return p, true
		}
	}
	p, known = l.base.byID[id]
	return p, known
}

func (l *layer) oidTaken(oid string) (taken, known bool) {
	for at := l; at != nil; at = at.below {
		if taken, known = at.oids[oid]; known {
			return taken, true
		}
	}
	taken, known = l.base.oids[oid]
	return taken, known
}

func (l *layer) claimHolder(c Claim) (holder ID, known bool) {
	for at := l; at != nil; at = at.below {
		if holder, known = at.claims[c]; known {
			return holder, true
		}
	}
	holder, known = l.base.claims[c]
	return holder, known
}

// put makes p the newest state of its participant.
func (l *layer) put(p *Participant, isNew bool) {
	if _, again := l.byID[p.ID]; !again {
		l.written = append(l.written, p.ID)
		l.isNew[p.ID] = isNew
	}
	l.byID[p.ID] = p
	l.byKey[Fold(p.Identifier)] = p
}

// erase makes the participant unknown from here on.
func (l *layer) erase(p *Participant) {
	l.byID[p.ID] = nil
	l.byKey[Fold(p.Identifier)] = nil
	l.oids[p.OID] = false
	l.deleted = append(l.deleted, p.ID)
}

// freshCode hands out the next drawn access code that is unused.
func (l *layer) freshCode(id ID) (FreshCode, bool) {
	for l.nextCode < len(l.base.Codes) {
		code := l.base.Codes[l.nextCode]
		l.nextCode++
		if !l.base.taken[code.Fingerprint] {
			l.codes[code.Fingerprint] = id
			return code, true
		}
	}
	return FreshCode{}, false
}

// untouched tells whether nothing has been decided on the layer.
func (l *layer) untouched() bool {
	return len(l.byKey)+len(l.byID)+len(l.oids)+len(l.claims)+len(l.codes)+len(l.events)+len(l.revisited) == 0
}

// settle writes this layer into the one below.
func (l *layer) settle() {
	b := l.below
	if b.untouched() { // as where the group is the whole batch
		below := b.below
		*b = *l
		b.below = below
		return
	}
	for _, id := range l.written {
		if _, again := b.byID[id]; !again {
			b.written = append(b.written, id)
			b.isNew[id] = l.isNew[id]
		}
	}
	for key, p := range l.byKey {
		b.byKey[key] = p
	}
	for id, p := range l.byID {
		b.byID[id] = p
	}
	for oid, taken := range l.oids {
		b.oids[oid] = taken
	}
	for claim, holder := range l.claims {
		b.claims[claim] = holder
	}
	for print, id := range l.codes {
		b.codes[print] = id
	}
	b.deleted = append(b.deleted, l.deleted...)
	b.events = append(b.events, l.events...)
	b.revisited = append(b.revisited, l.revisited...)
	b.invited = append(b.invited, l.invited...)
	b.counters, b.nextCode = l.counters, l.nextCode
}
