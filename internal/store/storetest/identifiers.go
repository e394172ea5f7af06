package storetest

import (
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

var identifierLaws = []law{
	{"an identifier is found without regard to case, in every script", func(b *bed) {
		spellings := [][2]string{
			{"Juno-001", "JUNO-001"},
			{"GRÖẞE", "größe"},            // capital sharp s folds to the small one
			{"ΣΊΣΥΦΟΣ", "σίσυφος"},        // three sigmas are one letter
			{"Ѳёдоръ", "ѲЁДОРЪ"},          // Cyrillic
			{"K-1", "\u212a-1"},           // the Kelvin sign
			{"long s", "long \u017f"},     // the long s
			{"ᏣᎳᎩ", "\uabb3\uab83\uab79"}, // Cherokee folds to capitals
		}
		for i, s := range spellings {
			p := b.person(int64(i) + 1)
			p.Identifier = s[0]
			b.add(p)
			for _, as := range s {
				if got := b.byIdentifier(as); got == nil || got.ID != p.ID {
					b.Errorf("%q does not find %q but %v", as, s[0], got)
				}
			}
		}
	}},
	{"different letters stay different", func(b *bed) {
		for i, identifier := range []string{"é", "e\u0301", "e", "ß", "ss", "i", "ı", "İ"} {
			p := b.person(int64(i) + 1)
			p.Identifier = identifier
			b.add(p)
			b.same(identifier, p, b.byIdentifier(identifier))
		}
	}},
	{"an identifier in use is a conflict and nothing is written", func(b *bed) {
		b.add(b.person(1))
		twin := b.person(2)
		twin.Identifier = "p-0001"
		b.wantKind(b.write(b.adding(b.person(3), twin)), fault.Conflict)
		b.same("participants", []int64{1}, seqs(b.list()))
		b.same("counters", int64(1), b.counters(b.study.ID).LastSeq)
	}},
	{"an OID, an id or a sequence number in use is a conflict", func(b *bed) {
		b.add(b.person(1))
		for name, spoil := range map[string]func(p *registry.Participant){
			"OID": func(p *registry.Participant) { p.OID = b.person(1).OID },
			"id":  func(p *registry.Participant) { p.ID = b.person(1).ID },
			"seq": func(p *registry.Participant) { p.Seq = 1 },
		} {
			twin := b.person(2)
			spoil(twin)
			if err := b.write(b.adding(twin)); err == nil || fault.KindOf(err) != fault.Conflict {
				b.Errorf("%s: %v, want a conflict", name, err)
			}
		}
		b.same("participants", []int64{1}, seqs(b.list()))
	}},
	{"a rename to an identifier in use is a conflict", func(b *bed) {
		b.add(b.people(2)...)
		renamed := b.person(2)
		renamed.Identifier = "P-0001"
		b.wantKind(b.write(updating(renamed)), fault.Conflict)
		b.same("second", b.person(2), b.byID(renamed.ID))
	}},
	{"each study has identifiers, OIDs and sequence numbers of its own", func(b *bed) {
		here, there := b.person(1), personOf(b.other.ID, 1)
		b.add(here)
		b.must(b.inStudy(b.other.ID, func(tx registry.Tx) error {
			return tx.Write(b.ctx, now, remembered(&registry.Outcome{
				Writes:   []registry.Write{{Participant: there, New: true}},
				Counters: &registry.Counters{LastSeq: 1, Counted: 1},
			}))
		}))
		got, err := b.ParticipantByIdentifier(b.ctx, b.other.ID, there.Identifier)
		b.must(err)
		b.same("there", there, got)
		b.same("here", here, b.byIdentifier(here.Identifier))
	}},
	{"a rename frees the old identifier and takes the new", func(b *bed) {
		b.add(b.person(1))
		renamed := b.person(1)
		renamed.Identifier = "Q-1"
		b.must(b.write(updating(renamed)))
		b.same("new", renamed, b.byIdentifier("q-1"))
		if p := b.byIdentifier("P-0001"); p != nil {
			b.Errorf("the old identifier still finds %+v", p)
		}
		successor := b.person(2)
		successor.Identifier = "P-0001"
		b.add(successor)
	}},
	{"a change of case alone is a rename", func(b *bed) {
		b.add(b.person(1))
		renamed := b.person(1)
		renamed.Identifier = "p-0001"
		b.must(b.write(updating(renamed)))
		b.same("participant", renamed, b.byIdentifier("P-0001"))
	}},
	{"identifiers can change hands in a circle within one batch", func(b *bed) {
		people := b.people(3)
		b.add(people...)
		turned := []*registry.Participant{copyOf(people[0]), copyOf(people[1]), copyOf(people[2])}
		for i, p := range turned {
			p.Identifier = people[(i+1)%3].Identifier
		}
		b.must(b.write(updating(turned...)))
		b.same("list", turned, b.list())
		for _, p := range turned {
			b.same(p.Identifier, p, b.byIdentifier(p.Identifier))
		}
	}},
	{"an identifier given up is taken by a new participant of the same batch", func(b *bed) {
		b.add(b.person(1))
		renamed, fresh := b.person(1), b.person(2)
		renamed.Identifier, fresh.Identifier = "Q-1", "P-0001"
		out := b.adding(fresh)
		out.Writes = append(out.Writes, registry.Write{Participant: renamed})
		b.must(b.write(out))
		b.same("list", []*registry.Participant{renamed, fresh}, b.list())
	}},
	{"the identifier of somebody deleted is taken in the same batch", func(b *bed) {
		gone := b.person(1)
		b.add(gone)
		fresh := b.person(2)
		fresh.Identifier, fresh.OID = gone.Identifier, gone.OID
		out := b.adding(fresh)
		out.Deleted = []registry.ID{gone.ID}
		out.Counters.Counted--
		b.must(b.write(out))
		b.same("list", []*registry.Participant{fresh}, b.list())
	}},
}
