package storetest

import (
	"context"
	"fmt"

	"rollcall/internal/registry"
)

var loadLaws = []law{
	{"who asks nothing learns nothing", func(b *bed) {
		b.add(b.people(2)...)
		b.same("known", &registry.Known{}, b.load(&registry.Ask{}))
	}},
	{"only what is asked is answered, and what does not exist is left out", func(b *bed) {
		b.add(b.people(5)...)
		known := b.load(&registry.Ask{
			Identifiers: []string{"p-0002", "p-0099"},
			IDs:         []registry.ID{b.person(4).ID, {9}},
			OIDs:        []string{"SS_P0003", "SS_NONE"},
		})
		b.same("participants", []int64{2, 4}, sortedSeqs(known.Participants))
		b.same("OIDs", []string{"SS_P0003"}, known.OIDs)
	}},
	{"who is asked for twice comes once", func(b *bed) {
		p := b.person(1)
		b.add(p)
		known := b.load(&registry.Ask{Identifiers: []string{"p-0001", "p-0001"}, IDs: []registry.ID{p.ID, p.ID}})
		b.same("participants", []int64{1}, seqs(known.Participants))
	}},
	{"ten thousand are asked for at once", func(b *bed) {
		people := b.people(1200)
		b.add(people...)
		ask := &registry.Ask{}
		for i := range 10_000 {
			ask.Identifiers = append(ask.Identifiers, fmt.Sprintf("p-%04d", i))
			ask.IDs = append(ask.IDs, idOf(b.study.ID, int64(i)))
			ask.OIDs = append(ask.OIDs, fmt.Sprintf("SS_P%04d", i))
			ask.Claims = append(ask.Claims, emailOf(fmt.Sprint(i)), phoneOf(fmt.Sprint(i)))
			ask.Fingerprints = append(ask.Fingerprints, registry.Fingerprint{byte(i), byte(i >> 8)})
		}
		known := b.load(ask)
		if len(known.Participants) != 1200 || len(known.OIDs) != 1200 || len(known.Claims) != 0 || len(known.Fingerprints) != 0 {
			b.Errorf("%d participants, %d OIDs, %d claims, %d codes; want 1200, 1200, 0, 0",
				len(known.Participants), len(known.OIDs), len(known.Claims), len(known.Fingerprints))
		}
	}},
	{"a transaction sees what it has written itself", func(b *bed) {
		p := b.person(1)
		out := b.adding(p)
		b.must(b.in(func(tx registry.Tx) error {
			if err := tx.Write(b.ctx, now, remembered(out)); err != nil {
				return err
			}
			known, err := tx.Load(b.ctx, &registry.Ask{IDs: []registry.ID{p.ID}, OIDs: []string{p.OID}})
			if err != nil {
				return err
			}
			b.same("participants", []*registry.Participant{p}, known.Participants)
			b.same("OIDs", []string{p.OID}, known.OIDs)
			counters, err := tx.Counters(b.ctx)
			if err != nil {
				return err
			}
			b.same("last", int64(1), counters.LastSeq)
			return nil
		}))
	}},
	{"nothing of another study is known", func(b *bed) {
		p := b.person(1)
		out := b.adding(p)
		out.Claimed = map[registry.Claim]registry.ID{emailOf("a@b.c"): p.ID}
		b.must(b.write(out))
		b.must(b.InStudy(b.ctx, b.other.ID, func(ctx context.Context, tx registry.Tx) error {
			known, err := tx.Load(ctx, &registry.Ask{
				Identifiers: []string{"p-0001"}, IDs: []registry.ID{p.ID}, OIDs: []string{p.OID}, Claims: []registry.Claim{emailOf("a@b.c")},
			})
			if err != nil {
				return err
			}
			b.same("known", &registry.Known{}, known)
			return nil
		}))
	}},
	{"what is loaded belongs to the caller", func(b *bed) {
		b.add(b.person(1))
		ask := &registry.Ask{IDs: []registry.ID{b.person(1).ID}}
		b.must(b.in(func(tx registry.Tx) error {
			first, err := tx.Load(b.ctx, ask)
			if err != nil {
				return err
			}
			p := first.Participants[0]
			p.Identifier, p.Site = "CHANGED", b.south // as Decide would, then written
			if err := tx.Write(b.ctx, now, remembered(updating(p))); err != nil {
				return err
			}
			again, err := tx.Load(b.ctx, ask)
			if err != nil {
				return err
			}
			b.same("written", p, again.Participants[0])
			return nil
		}))
		if p := b.byIdentifier("changed"); p == nil || p.Site != b.south {
			b.Errorf("found %+v", p)
		}
	}},
}
