package storetest

import (
	"bytes"
	"context"
	"sync"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// together runs fn n times at once and answers its errors.
func together(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = fn(i) })
	}
	group.Wait()
	return errs
}

// addNext adds one participant with the next sequence number, as registry does.
func addNext(ctx context.Context, e Engine, study registry.StudyID) error {
	return e.InStudy(ctx, study, func(ctx context.Context, tx registry.Tx) error {
		c, err := tx.Counters(ctx)
		if err != nil {
			return err
		}
		c.LastSeq++
		c.Counted++
		c.Numbered[registry.StudyLevel]++
		p := personOf(study, c.LastSeq)
		return tx.Write(ctx, now, &registry.Outcome{
			Writes:   []registry.Write{{Participant: p, New: true}},
			Counters: c,
			Events:   []audit.Event{event(p, audit.ParticipantAdded, change("city", "", "Ulm"))},
		})
	})
}

var concurrencyLaws = []law{
	{"a transaction has its study to itself, among threads and processes", func(b *bed) {
		engines := []Engine{b.Engine, b.another()}
		for _, err := range together(8, func(i int) error {
			for range 10 {
				if err := addNext(b.ctx, engines[i%2], b.study.ID); err != nil {
					return err
				}
			}
			return nil
		}) {
			b.must(err)
		}
		var want []int64
		for seq := range int64(80) {
			want = append(want, seq+1)
		}
		b.same("participants", want, seqs(b.list()))
		b.same("events", want, eventSeqs(b.events(b.study.ID)))
		b.same("counters", &registry.Counters{LastSeq: 80, Counted: 80, State: 80, Numbered: map[registry.SiteID]int64{0: 80}}, b.counters(b.study.ID))
	}},
	{"of many who claim one contact at once exactly one wins", func(b *bed) {
		b.add(b.people(8)...)
		engines := []Engine{b.Engine, b.another()}
		errs := together(8, func(i int) error {
			return engines[i%2].InStudy(b.ctx, b.study.ID, func(ctx context.Context, tx registry.Tx) error {
				return tx.Write(ctx, now, &registry.Outcome{
					Claimed: map[registry.Claim]registry.ID{emailOf("a@b.c"): idOf(b.study.ID, int64(i)+1)},
				})
			})
		})
		winner := -1
		for i, err := range errs {
			switch {
			case err != nil:
				b.wantKind(err, fault.Conflict)
			case winner >= 0:
				b.Fatalf("%d and %d have both won", winner, i)
			default:
				winner = i
			}
		}
		if winner < 0 {
			b.Fatal("nobody has won")
		}
		b.same("holder", idOf(b.study.ID, int64(winner)+1), b.holder(emailOf("a@b.c")))
	}},
	{"readers see the state before a transaction until it commits, then all of it", func(b *bed) {
		b.add(b.people(2)...)
		changed := b.people(2)
		for _, p := range changed {
			p.Details[registry.City] = "Ulm"
		}
		elsewhere := b.another()
		read := func(e Engine) []*registry.Participant {
			list, err := e.Participants(b.ctx, b.study.ID, nil, 0, 10)
			b.must(err)
			return list
		}
		b.must(b.in(func(tx registry.Tx) error {
			if err := tx.Write(b.ctx, now, remembered(updating(changed...))); err != nil {
				return err
			}
			b.same("before the commit", b.people(2), read(b.Engine))
			b.same("before the commit, elsewhere", b.people(2), read(elsewhere))
			return nil
		}))
		b.same("after the commit", changed, read(b.Engine))
		b.same("after the commit, elsewhere", changed, read(elsewhere))
	}},
	{"lists read while others write are whole", func(b *bed) {
		b.add(b.people(20)...)
		cities := []string{"Ulm", "Aue", "Bern"}
		stop := make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				list, err := b.Participants(b.ctx, b.study.ID, nil, 0, 100)
				if err != nil || len(list) != 20 {
					b.Errorf("%d participants, %v", len(list), err)
					return
				}
				for _, p := range list {
					if p.Details[registry.City] != list[0].Details[registry.City] {
						b.Errorf("half a batch: %q and %q", list[0].Details[registry.City], p.Details[registry.City])
						return
					}
				}
			}
		})
		for i := range 30 {
			people := b.people(20)
			for _, p := range people {
				p.Details[registry.City] = cities[i%len(cities)]
			}
			b.must(b.write(updating(people...)))
		}
		close(stop)
		group.Wait()
	}},
	{"every process gets the same server key, made once", func(b *bed) {
		engines := []Engine{b.Engine, b.another()}
		keys := make([][]byte, 8)
		for _, err := range together(8, func(i int) (err error) {
			keys[i], err = engines[i%2].ServerKey(b.ctx, "sealing", 64)
			return err
		}) {
			b.must(err)
		}
		for i, key := range keys {
			if len(key) != 64 || !bytes.Equal(key, keys[0]) || bytes.Equal(key, make([]byte, 64)) {
				b.Errorf("key %d is of %d bytes and unlike the first", i, len(key))
			}
		}
		other, err := b.ServerKey(b.ctx, "signing", 64)
		b.must(err)
		if bytes.Equal(other, keys[0]) {
			b.Error("keys of two names are the same")
		}
		if _, err := b.ServerKey(b.ctx, "signing", 32); err == nil {
			b.Error("a key is given out with another size than it has")
		}
	}},
}
