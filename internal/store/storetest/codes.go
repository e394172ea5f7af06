package storetest

import (
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// codeNo makes a fingerprint of a number.
func codeNo(n byte) registry.Fingerprint { return registry.Fingerprint{0: n, 15: 0xff} }

// coding adds a participant who has the access code.
func (b *bed) coding(p *registry.Participant, code registry.Fingerprint) *registry.Outcome {
	b.Helper()
	out := b.adding(p)
	out.Codes = map[registry.Fingerprint]registry.ID{code: p.ID}
	return out
}

// taken lists which of the codes 0 to 9 are taken, as a transaction of the study sees it.
func (b *bed) taken(study registry.StudyID) []int {
	b.Helper()
	ask := &registry.Ask{}
	for n := range 10 {
		ask.Fingerprints = append(ask.Fingerprints, codeNo(byte(n)))
	}
	var taken []int
	b.must(b.inStudy(study, func(tx registry.Tx) error {
		known, err := tx.Load(b.ctx, ask)
		if err != nil {
			return err
		}
		for n := range 10 {
			if known.Fingerprints[codeNo(byte(n))] {
				taken = append(taken, n)
			}
		}
		return nil
	}))
	return taken
}

var codeLaws = []law{
	{"a code that is given out is taken in the whole deployment", func(b *bed) {
		b.must(b.write(b.coding(b.person(1), codeNo(3))))
		b.same("in its study", []int{3}, b.taken(b.study.ID))
		b.same("in another study", []int{3}, b.taken(b.other.ID))
	}},
	{"a code that is taken is a conflict, in another study too", func(b *bed) {
		b.must(b.write(b.coding(b.person(1), codeNo(3))))
		b.wantKind(b.write(b.coding(b.person(2), codeNo(3))), fault.Conflict)
		there := personOf(b.other.ID, 1)
		err := b.inStudy(b.other.ID, func(tx registry.Tx) error {
			return tx.Write(b.ctx, now, remembered(&registry.Outcome{
				Writes: []registry.Write{{Participant: there, New: true}},
				Codes:  map[registry.Fingerprint]registry.ID{codeNo(3): there.ID},
			}))
		})
		b.wantKind(err, fault.Conflict)
		b.same("participants", []int64{1}, seqs(b.list()))
	}},
	{"many codes are given out at once", func(b *bed) {
		out := b.adding(b.people(9)...)
		out.Codes = map[registry.Fingerprint]registry.ID{}
		for n, p := range b.people(9) {
			out.Codes[codeNo(byte(n))] = p.ID
		}
		b.must(b.write(out))
		b.same("taken", []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, b.taken(b.study.ID))
	}},
	{"the code of somebody deleted is free", func(b *bed) {
		gone := b.person(1)
		b.must(b.write(b.coding(gone, codeNo(3))))
		b.must(b.write(withCounted(b, &registry.Outcome{Deleted: []registry.ID{gone.ID}}, -1)))
		b.same("taken", []int(nil), b.taken(b.study.ID))
		b.must(b.write(b.coding(b.person(2), codeNo(3))))
	}},
}
