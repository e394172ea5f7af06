package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// withFile is a job whose output is a file of that key.
func (b *bed) withFile(n byte, key string) *jobs.Job {
	b.Helper()
	j := b.job(n)
	b.withOutput(j, "line\n")
	b.must(b.FinishJob(b.ctx, j.Study, j.ID, j.Lease, jobs.Ending{State: jobs.Completed, Output: key, Size: 5, At: now}))
	return j
}

var outputFileLaws = []law{
	{"a job that ends with a file has no parts any more", func(b *bed) {
		j, other := b.job(1), b.job(2)
		b.withOutput(j, "a", "b\x00\xff\n", "c")
		b.withOutput(other, "d")
		end := jobs.Ending{State: jobs.Failed, Error: "why", Output: "outputs/1", Size: 6, At: now.Add(time.Hour)}
		b.must(b.FinishJob(b.ctx, j.Study, j.ID, j.Lease, end))
		got := b.readJob(j.ID)
		b.same("output", "outputs/1", got.Output)
		b.same("parts", 3, got.Parts)
		b.same("state", jobs.Failed, got.State)
		b.same("held", false, got.Held)
		b.same("output in parts", []string(nil), b.output(j))
		b.same("another's", []string{"d"}, b.output(other))
		b.reopen()
		b.same("later", got, b.readJob(j.ID))
	}},
	{"a job that ends without a file keeps its parts", func(b *bed) {
		j := b.job(1)
		b.withOutput(j, "a", "b")
		b.finish(j, jobs.Completed)
		b.same("output", []string{"a", "b"}, b.output(j))
		b.same("key", "", b.readJob(j.ID).Output)
	}},
	{"a file that is not what the parts are does not end the job", func(b *bed) {
		j := b.job(1)
		b.withOutput(j, "1,ANN\n", "2,BOB\n")
		end := jobs.Ending{State: jobs.Completed, Output: "outputs/1", Size: 12, At: now}
		b.must(b.rewrite(without("ANN"))) // after the file was made
		before := b.readJob(j.ID)
		b.wantCode(b.FinishJob(b.ctx, j.Study, j.ID, j.Lease, end), fault.Conflict, jobs.OutputChanged)
		b.same("job", before, b.readJob(j.ID))
		b.same("output", []string{"1,\n", "2,BOB\n"}, b.output(j))
		stale := j.Lease - 1
		b.wantCode(b.FinishJob(b.ctx, j.Study, j.ID, stale, end), fault.Conflict, jobs.LeaseLost)
		end.Size = 9
		b.must(b.FinishJob(b.ctx, j.Study, j.ID, j.Lease, end))
		end.Size = 77
		b.wantCode(b.FinishJob(b.ctx, j.Study, j.ID, j.Lease, end), fault.Conflict, jobs.NotRunning)
	}},
	{"an output in a file is not offered to be rewritten", func(b *bed) {
		b.withFile(1, "outputs/1")
		b.must(b.rewrite(func(_ string, part []byte) []byte {
			b.Errorf("offered %q", part)
			return part
		}))
	}},
	{"an output is replaced by whoever knows the present one", func(b *bed) {
		j := b.withFile(1, "outputs/1")
		for _, c := range []struct {
			old, new string
			want     bool
			now      string
		}{
			{"outputs/9", "outputs/2", false, "outputs/1"},
			{"outputs/1", "outputs/2", true, "outputs/2"},
			{"outputs/1", "outputs/3", false, "outputs/2"},
			{"outputs/2", "outputs/1", true, "outputs/1"},
		} {
			got, err := b.ReplaceOutput(b.ctx, j.Study, j.ID, c.old, c.new)
			b.must(err)
			b.same(fmt.Sprint(c), c.want, got)
			b.same(fmt.Sprint(c, " output"), c.now, b.readJob(j.ID).Output)
		}
		for _, study := range []registry.StudyID{b.other.ID, 987654} {
			got, err := b.ReplaceOutput(b.ctx, study, j.ID, "outputs/1", "outputs/4")
			b.must(err)
			b.same("in another study", false, got)
		}
		got, err := b.ReplaceOutput(b.ctx, j.Study, uuid.UUID{9}, "outputs/1", "outputs/4")
		b.must(err)
		b.same("of an unknown job", false, got)
	}},
	{"files in use are uploads of unfinished jobs and outputs of all", func(b *bed) {
		queued, going, done := b.job(1), b.job(2), b.job(3)
		queued.Upload, going.Upload, done.Upload = "uploads/1", "uploads/2", "uploads/3"
		going.Study, going.Site = b.other.ID, b.other.Sites[0].ID
		b.create(queued, going)
		b.start(going)
		b.withOutput(done, "line\n")
		b.must(b.FinishJob(b.ctx, done.Study, done.ID, done.Lease, jobs.Ending{State: jobs.Failed, Output: "outputs/3", Size: 5, At: now}))
		gone := b.withFile(4, "outputs/4")
		b.must(b.DeleteJob(b.ctx, gone.Study, gone.ID, now, nil))
		asked := []string{"uploads/1", "uploads/2", "uploads/3", "outputs/3", "outputs/4", "outputs/1", "UPLOADS/1", ""}
		got, err := b.FilesInUse(b.ctx, asked)
		b.must(err)
		want := map[string]bool{"uploads/1": true, "uploads/2": true, "outputs/3": true}
		b.same("in use", want, got)
		many := append([]string{}, asked...)
		for i := range 2500 {
			many = append(many, fmt.Sprintf("outputs/x%d", i))
		}
		got, err = b.FilesInUse(b.ctx, append(many, "uploads/2"))
		b.must(err)
		b.same("of many", want, got)
		got, err = b.FilesInUse(b.ctx, nil)
		b.must(err)
		b.same("of none", map[string]bool{}, got)
	}},
}

// erasure is one of the bed's study; n makes it unlike others.
func (b *bed) erasure(n byte, at time.Time) *registry.Erasure {
	return &registry.Erasure{
		ID: uuid.UUID{0: n, 15: 1}, Study: b.study.ID, At: at,
		People: []registry.ErasedName{{Identifier: fmt.Sprintf("P-%04d", n), OID: fmt.Sprintf("SS_P%04d", n)}},
	}
}

func (b *bed) remember(all ...*registry.Erasure) {
	b.Helper()
	for _, e := range all {
		b.must(b.inStudy(e.Study, func(tx registry.Tx) error { return tx.RememberErasure(b.ctx, e) }))
	}
}

func (b *bed) wantErasures(what string, want ...*registry.Erasure) {
	b.Helper()
	got, err := b.Erasures(b.ctx)
	b.must(err)
	var list []*registry.Erasure
	for i := range got {
		list = append(list, &got[i])
	}
	b.same(what, want, list)
}

var rememberedLaws = []law{
	{"erasures of all studies are remembered until they end, oldest first", func(b *bed) {
		first, second, third := b.erasure(3, now), b.erasure(2, now.Add(time.Microsecond)), b.erasure(1, now.Add(time.Hour))
		second.Study = b.other.ID
		third.People = []registry.ErasedName{
			{Identifier: `Łódź "1", <b>\`, OID: ""}, {Identifier: "P-0001", OID: "SS_1"}, {Identifier: "", OID: "SS_ü"},
			{Identifier: strings.Repeat("i", 300), OID: "SS_1"},
		}
		b.remember(third, first, second)
		b.wantErasures("remembered", first, second, third)
		b.reopen()
		b.wantErasures("remembered, later", first, second, third)
		b.must(b.EndErasure(b.ctx, first.Study, first.ID))
		b.must(b.EndErasure(b.ctx, first.Study, first.ID)) // again
		b.must(b.EndErasure(b.ctx, b.study.ID, second.ID)) // another study's
		b.wantErasures("left", second, third)
		b.must(b.EndErasure(b.ctx, b.other.ID, second.ID))
		b.must(b.EndErasure(b.ctx, third.Study, third.ID))
		b.wantErasures("none left")
	}},
	{"an erasure is remembered with its transaction or not at all", func(b *bed) {
		b.add(b.person(1))
		out := withCounted(b, &registry.Outcome{Deleted: []registry.ID{b.person(1).ID}}, -1)
		erase := func(then error) error {
			return b.in(func(tx registry.Tx) error {
				b.must(tx.Write(b.ctx, now, remembered(out)))
				b.must(tx.RememberErasure(b.ctx, b.erasure(1, now)))
				return then
			})
		}
		if err := erase(errOurs); err == nil {
			b.Fatal("no error")
		}
		b.wantErasures("undone")
		b.same("participants", 1, len(b.list()))
		b.must(erase(nil))
		b.wantErasures("done", b.erasure(1, now))
	}},
	{"an erasure belongs to the study of its transaction", func(b *bed) {
		err := b.inStudy(b.other.ID, func(tx registry.Tx) error { return tx.RememberErasure(b.ctx, b.erasure(1, now)) })
		if err == nil {
			b.Error("no error")
		}
		b.wantErasures("none")
	}},
}
