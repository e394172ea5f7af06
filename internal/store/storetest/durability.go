package storetest

import (
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/registry"
)

var durabilityLaws = []law{
	{"everything is there after closing and opening again", func(b *bed) {
		p := fullPerson(b, 1)
		out := b.claiming([]*registry.Participant{p}, emailOf("a@b.c"))
		out.Codes = map[registry.Fingerprint]registry.ID{codeNo(1): p.ID}
		out.Events = []audit.Event{event(p, audit.ParticipantAdded, change("city", "", "Ulm"))}
		out.Counters.Numbered[b.south] = 3
		b.must(b.write(out))
		running := b.job(1)
		b.create(running)
		b.start(running)
		step := stepOf(running, 0)
		step.Output = []byte("line")
		b.must(b.save(step))
		b.define(func(tx config.Tx) error { return tx.PutUser(b.ctx, b.user()) })
		key, err := b.ServerKey(b.ctx, "sealing", 32)
		b.must(err)
		counters, events, job, versions := b.counters(b.study.ID), b.events(b.study.ID), b.readJob(b.job(1).ID), [2]int64{b.version(), b.accessVersion()}

		b.reopen()
		b.same("participant", p, b.byIdentifier(p.Identifier))
		b.same("claim", p.ID, b.holder(emailOf("a@b.c")))
		b.same("codes", []int{1}, b.taken(b.study.ID))
		b.same("counters", counters, b.counters(b.study.ID))
		b.same("events", events, b.events(b.study.ID))
		b.same("job", job, b.readJob(b.job(1).ID))
		b.same("output", []string{"line"}, b.output(b.job(1)))
		b.same("studies", []*registry.Study{b.study, b.other}, b.catalog().Studies())
		b.same("versions", versions, [2]int64{b.version(), b.accessVersion()})
		if _, found := b.directory().User("clara"); !found {
			b.Error("the user is gone")
		}
		again, err := b.ServerKey(b.ctx, "sealing", 32)
		b.must(err)
		b.same("key", key, again)
		b.must(b.Ready(b.ctx))
	}},
	{"numbers go on where they were after opening again", func(b *bed) {
		for range 3 {
			b.must(addNext(b.ctx, b.Engine, b.study.ID))
			b.reopen()
		}
		b.same("participants", []int64{1, 2, 3}, seqs(b.list()))
		b.same("events", []int64{1, 2, 3}, eventSeqs(b.events(b.study.ID)))
	}},
	{"ids of studies, sites and people are never given out again", func(b *bed) {
		first := fullStudy()
		b.putStudy(first)
		b.reopen()
		second := fullStudy()
		second.OID, second.GUID[0], second.Sites[0].OID, second.Sites[1].OID = "S_3", 3, "S_31", "S_32"
		b.putStudy(second)
		if second.ID <= first.ID || second.Sites[0].ID <= first.Sites[1].ID {
			b.Errorf("study %d after %d, site %d after %d", second.ID, first.ID, second.Sites[0].ID, first.Sites[1].ID)
		}
	}},
	{"a closed database answers errors and can be closed again", func(b *bed) {
		b.must(b.Close())
		if _, err := b.CatalogVersion(b.ctx); err == nil {
			b.Error("it still reads")
		}
		if err := b.write(&registry.Outcome{}); err == nil {
			b.Error("it still writes")
		}
		b.must(b.Close())
		b.Engine = b.another()
	}},
	{"what is committed is seen by other processes at once", func(b *bed) {
		elsewhere := b.another()
		b.add(b.person(1))
		got, err := elsewhere.ParticipantByID(b.ctx, b.study.ID, b.person(1).ID)
		b.must(err)
		b.same("participant", b.person(1), got)
		b.must(b.Close()) // one process ending leaves the other at work
		b.Engine = elsewhere
		b.add(b.person(2))
		b.same("participants", []int64{1, 2}, seqs(b.list()))
	}},
}
