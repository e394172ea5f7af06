package storetest

import (
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// claiming adds people and gives each the claims listed for them.
func (b *bed) claiming(people []*registry.Participant, claims ...registry.Claim) *registry.Outcome {
	b.Helper()
	out := b.adding(people...)
	out.Claimed = map[registry.Claim]registry.ID{}
	for i, c := range claims {
		out.Claimed[c] = people[i].ID
	}
	return out
}

// holder is who holds a claim; zero for nobody.
func (b *bed) holder(c registry.Claim) registry.ID {
	b.Helper()
	return b.load(&registry.Ask{Claims: []registry.Claim{c}}).Claims[c]
}

var claimLaws = []law{
	{"a claim is known with its holder, a free contact is not", func(b *bed) {
		people := b.people(2)
		b.must(b.write(b.claiming(people, emailOf("a@b.c"), phoneOf("+1 5"))))
		known := b.load(&registry.Ask{Claims: []registry.Claim{emailOf("a@b.c"), phoneOf("+1 5"), emailOf("free@b.c")}})
		b.same("claims", map[registry.Claim]registry.ID{emailOf("a@b.c"): people[0].ID, phoneOf("+1 5"): people[1].ID}, known.Claims)
	}},
	{"an e-mail address and a phone number of one text are two contacts", func(b *bed) {
		people := b.people(2)
		b.must(b.write(b.claiming(people, emailOf("same"), phoneOf("same"))))
		b.same("e-mail", people[0].ID, b.holder(emailOf("same")))
		b.same("phone", people[1].ID, b.holder(phoneOf("same")))
	}},
	{"a claim that another holds is a conflict and nothing is written", func(b *bed) {
		people := b.people(2)
		b.must(b.write(b.claiming(people[:1], emailOf("a@b.c"))))
		b.wantKind(b.write(b.claiming(people[1:], emailOf("a@b.c"))), fault.Conflict)
		b.same("participants", []int64{1}, seqs(b.list()))
		b.same("holder", people[0].ID, b.holder(emailOf("a@b.c")))
	}},
	{"one lost claim among many loses the batch", func(b *bed) {
		people := b.people(200)
		b.must(b.write(b.claiming(people[:1], emailOf("taken"))))
		out := b.adding(people[1:]...)
		out.Claimed = map[registry.Claim]registry.ID{emailOf("taken"): people[1].ID}
		for _, p := range people[1:] {
			out.Claimed[phoneOf(p.Identifier)] = p.ID
		}
		b.wantKind(b.write(out), fault.Conflict)
		b.same("participants", []int64{1}, seqs(b.list()))
		b.same("phone", registry.ID{}, b.holder(phoneOf(people[5].Identifier)))
	}},
	{"claiming what one holds already changes nothing", func(b *bed) {
		people := b.people(1)
		b.must(b.write(b.claiming(people, emailOf("a@b.c"))))
		b.must(b.write(&registry.Outcome{Claimed: map[registry.Claim]registry.ID{emailOf("a@b.c"): people[0].ID}}))
		b.same("holder", people[0].ID, b.holder(emailOf("a@b.c")))
	}},
	{"a released claim is free, and others stay", func(b *bed) {
		people := b.people(2)
		b.must(b.write(b.claiming(people, emailOf("a"), emailOf("b"))))
		b.must(b.write(&registry.Outcome{Released: []registry.Claim{emailOf("a"), emailOf("nobody's")}}))
		b.same("a", registry.ID{}, b.holder(emailOf("a")))
		b.same("b", people[1].ID, b.holder(emailOf("b")))
	}},
	{"claims can change hands crosswise within one batch", func(b *bed) {
		people := b.people(2)
		b.must(b.write(b.claiming(people, emailOf("a"), emailOf("b"))))
		b.must(b.write(&registry.Outcome{
			Released: []registry.Claim{emailOf("a"), emailOf("b")},
			Claimed:  map[registry.Claim]registry.ID{emailOf("a"): people[1].ID, emailOf("b"): people[0].ID},
		}))
		b.same("a", people[1].ID, b.holder(emailOf("a")))
		b.same("b", people[0].ID, b.holder(emailOf("b")))
	}},
	{"each study has claims of its own", func(b *bed) {
		b.must(b.write(b.claiming(b.people(1), emailOf("a"))))
		there := personOf(b.other.ID, 1)
		b.must(b.inStudy(b.other.ID, func(tx registry.Tx) error {
			return tx.Write(b.ctx, now, remembered(&registry.Outcome{
				Writes:   []registry.Write{{Participant: there, New: true}},
				Claimed:  map[registry.Claim]registry.ID{emailOf("a"): there.ID},
				Counters: &registry.Counters{LastSeq: 1, Counted: 1},
			}))
		}))
		b.same("here", b.person(1).ID, b.holder(emailOf("a")))
	}},
	{"the claims of somebody deleted are free, in the same batch too", func(b *bed) {
		people := b.people(2)
		b.must(b.write(b.claiming(people, emailOf("a"), emailOf("b"))))
		heir := b.person(3)
		out := b.claiming([]*registry.Participant{heir}, emailOf("a"))
		out.Deleted = []registry.ID{people[0].ID}
		out.Counters.Counted--
		b.must(b.write(out))
		b.same("a", heir.ID, b.holder(emailOf("a")))
		b.same("b", people[1].ID, b.holder(emailOf("b")))
	}},
}
