package storetest

import (
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// setCounters writes counters and nothing else.
func (b *bed) setCounters(c *registry.Counters) {
	b.Helper()
	b.must(b.in(func(tx registry.Tx) error {
		return tx.Write(b.ctx, now, &registry.Outcome{Counters: c})
	}))
}

var counterLaws = []law{
	{"a new study counts from nothing", func(b *bed) {
		b.same("counters", &registry.Counters{}, b.counters(b.study.ID))
		if b.counters(b.study.ID).Numbered == nil {
			b.Error("Numbered is nil, so nobody can count in it")
		}
	}},
	{"counters read back as written, each site's and the study level's", func(b *bed) {
		b.add(b.people(3)...)
		want := &registry.Counters{LastSeq: 9, Counted: 3, Numbered: map[registry.SiteID]int64{registry.StudyLevel: 4, b.north: 1 << 40}}
		b.setCounters(want)
		want.State = 3 // as many events
		b.same("counters", want, b.counters(b.study.ID))
		want.Numbered[b.north]++
		want.Numbered[b.south] = 1
		b.setCounters(want)
		b.same("counters, later", want, b.counters(b.study.ID))
		b.same("the other study's", &registry.Counters{}, b.counters(b.other.ID))
	}},
	{"an outcome without counters leaves them", func(b *bed) {
		want := &registry.Counters{LastSeq: 7, Numbered: map[registry.SiteID]int64{b.north: 2}}
		b.setCounters(want)
		b.must(b.write(&registry.Outcome{}))
		b.same("counters", want, b.counters(b.study.ID))
	}},
	{"counting within a transaction goes on from what it wrote", func(b *bed) {
		b.must(b.in(func(tx registry.Tx) error {
			for range 3 {
				c, err := tx.Counters(b.ctx)
				if err != nil {
					return err
				}
				c.LastSeq++
				c.Numbered[b.north] += 2
				if err := tx.Write(b.ctx, now, &registry.Outcome{Counters: c}); err != nil {
					return err
				}
			}
			return nil
		}))
		b.same("counters", &registry.Counters{LastSeq: 3, Numbered: map[registry.SiteID]int64{b.north: 6}}, b.counters(b.study.ID))
	}},
	{"counters that are not kept are not written", func(b *bed) {
		err := b.in(func(tx registry.Tx) error {
			if err := tx.Write(b.ctx, now, &registry.Outcome{Counters: &registry.Counters{LastSeq: 5}}); err != nil {
				return err
			}
			return errOurs
		})
		if err == nil {
			b.Fatal("no error")
		}
		b.same("counters", &registry.Counters{}, b.counters(b.study.ID))
	}},
	{"an unknown study has no counters", func(b *bed) {
		err := b.inStudy(987654, func(tx registry.Tx) error {
			_, err := tx.Counters(b.ctx)
			return err
		})
		b.wantCode(err, fault.NotFound, registry.StudyUnknown)
	}},
}
