package storetest

import (
	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
)

var repeatLaws = []law{
	{"a submitter has one job under a key in a study, whoever asks and however often", repeatsJobs},
}

func repeatsJobs(b *bed) {
	keyed := func(n byte, key string) *jobs.Job {
		j := b.job(n)
		j.RepeatKey = key
		return j
	}
	first := keyed(1, "key")
	b.create(first)
	again := keyed(2, "key")
	b.wantCode(b.CreateJob(b.ctx, again, []audit.Event{{Action: audit.BulkSubmitted}}), fault.Conflict, jobs.Repeated)
	b.wantCode(b.another().CreateJob(b.ctx, again, nil), fault.Conflict, jobs.Repeated)
	if events := b.events(b.study.ID); len(events) > 0 {
		b.Fatalf("a refused job has left %d events", len(events))
	}
	found, err := b.RepeatedJob(b.ctx, b.study.ID, "clara", "key")
	b.must(err)
	b.same("the first", b.readJob(first.ID), found)
	if found.RepeatKey != "key" {
		b.Fatalf("its key is %q", found.RepeatKey)
	}
	others := keyed(3, "key")
	others.SubmittedBy = "dana"
	elsewhere := keyed(4, "key")
	elsewhere.Study, elsewhere.Site = b.other.ID, 0
	b.create(others, elsewhere, keyed(5, "Key"), keyed(6, ""), keyed(7, "")) // none of them repeats anything
	for _, who := range []struct{ by, key string }{{"clara", "none"}, {"clara", ""}, {"nobody", "key"}} {
		_, err := b.RepeatedJob(b.ctx, b.study.ID, who.by, who.key)
		b.wantCode(err, fault.NotFound, jobs.Unknown)
	}
	b.must(b.DeleteJob(b.ctx, b.study.ID, first.ID, now, nil))
	again.ID = uuid.UUID{0: 9}
	b.create(again)
}
