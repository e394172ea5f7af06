package storetest

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// job is a queued job of the bed's study; n makes it unlike others and its time later.
func (b *bed) job(n byte) *jobs.Job {
	at := now.Add(time.Duration(n) * time.Second)
	return &jobs.Job{
		ID: uuid.UUID{0: n, 15: 1}, Study: b.study.ID, Site: b.north, Kind: "bulk", State: jobs.Queued,
		SubmittedBy: "clara", CreatedAt: at, UpdatedAt: at,
	}
}

func (b *bed) create(all ...*jobs.Job) {
	b.Helper()
	for _, j := range all {
		b.must(b.CreateJob(b.ctx, j, nil))
	}
}

func (b *bed) readJob(id uuid.UUID) *jobs.Job {
	b.Helper()
	j, err := b.Job(b.ctx, id)
	b.must(err)
	return j
}

// node is who works on jobs, unless a law needs several.
const node = "node-1"

// start has the node take the job. The lease is the job's from then on.
func (b *bed) start(j *jobs.Job) {
	b.Helper()
	taken, err := b.TakeJob(b.ctx, j.Study, j.ID, node, time.Hour, now)
	b.must(err)
	j.Lease = taken.Lease
}

// finish ends the job without an output in a file.
func (b *bed) finish(j *jobs.Job, state jobs.State) {
	b.Helper()
	b.must(b.FinishJob(b.ctx, j.Study, j.ID, j.Lease, jobs.Ending{State: state, At: now}))
}

func (b *bed) save(step *registry.JobStep) error {
	return b.inStudy(step.Study, func(tx registry.Tx) error { return tx.SaveStep(b.ctx, step) })
}

func (b *bed) output(j *jobs.Job) []string {
	b.Helper()
	parts, err := b.OutputParts(b.ctx, j.Study, j.ID, 0, 1000)
	b.must(err)
	var all []string
	for _, p := range parts {
		all = append(all, string(p))
	}
	return all
}

func names(list []*jobs.Job) []byte {
	var all []byte
	for _, j := range list {
		all = append(all, j.ID[0])
	}
	return all
}

var jobLaws = []law{
	{"a job reads back as created, with its events", func(b *bed) {
		want := &jobs.Job{
			ID: uuid.UUID{1, 2, 3}, Study: b.study.ID, Site: b.south, Kind: "extract", State: jobs.Queued,
			SubmittedBy: "clara", Role: "data manager", Dialect: "openclinica", RequestID: "r-1",
			SourceFile: "Überliste.csv", Upload: "up/1", Size: 1 << 40, Params: []byte(`{"x":"\u0000"}`),
			CreatedAt: now, UpdatedAt: now,
		}
		b.must(b.CreateJob(b.ctx, want, []audit.Event{{Action: audit.BulkSubmitted, Identifier: "S_ONE"}}))
		b.same("job", want, b.readJob(want.ID))
		if e := b.events(b.study.ID); len(e) != 1 || e[0].Action != audit.BulkSubmitted || !e[0].At.Equal(now) {
			b.Errorf("events %+v", e)
		}
	}},
	{"what a job has not is not set", func(b *bed) {
		want := b.job(1)
		b.create(want)
		got := b.readJob(want.ID)
		b.same("job", want, got)
		if got.Params != nil || got.Cursor != nil || !got.StartedAt.IsZero() || !got.CompletedAt.IsZero() {
			b.Errorf("%+v", got)
		}
	}},
	{"an id in use is a conflict, an unknown study not found, and no event remains", func(b *bed) {
		b.create(b.job(1))
		events := []audit.Event{{Action: audit.BulkSubmitted}}
		b.wantKind(b.CreateJob(b.ctx, b.job(1), events), fault.Conflict)
		lost := b.job(2)
		lost.Study = 987654
		b.wantCode(b.CreateJob(b.ctx, lost, events), fault.NotFound, registry.StudyUnknown)
		b.same("events", 0, len(b.events(b.study.ID)))
	}},
	{"an unknown job is not found", func(b *bed) {
		b.create(b.job(1))
		id := uuid.UUID{9}
		_, err := b.Job(b.ctx, id)
		b.wantCode(err, fault.NotFound, jobs.Unknown)
		end := jobs.Ending{State: jobs.Completed, At: now}
		_, err = b.TakeJob(b.ctx, b.study.ID, id, node, time.Hour, now)
		b.wantCode(err, fault.NotFound, jobs.Unknown)
		b.wantCode(b.RenewJob(b.ctx, b.study.ID, id, 0, time.Hour), fault.NotFound, jobs.Unknown)
		b.must(b.ReleaseJob(b.ctx, b.study.ID, id, 0))
		b.wantCode(b.FinishJob(b.ctx, b.study.ID, id, 0, end), fault.NotFound, jobs.Unknown)
		b.wantCode(b.DeleteJob(b.ctx, b.study.ID, id, now, nil), fault.NotFound, jobs.Unknown)
		_, err = b.TakeJob(b.ctx, b.other.ID, b.job(1).ID, node, time.Hour, now)
		b.wantCode(err, fault.NotFound, jobs.Unknown)
		b.wantCode(b.FinishJob(b.ctx, b.other.ID, b.job(1).ID, 0, end), fault.NotFound, jobs.Unknown)
	}},
	{"jobs are listed newest first, by study, site and submitter", func(b *bed) {
		all := []*jobs.Job{b.job(1), b.job(3), b.job(2), b.job(4), b.job(5)}
		all[1].Site = b.south
		all[2].SubmittedBy = "emil"
		all[3].Study, all[3].Site = b.other.ID, b.other.Sites[0].ID
		all[4].Site = registry.StudyLevel
		b.create(all...)
		level := registry.StudyLevel
		for name, c := range map[string]struct {
			filter jobs.JobFilter
			want   []byte
		}{
			"study":         {jobs.JobFilter{Study: b.study.ID}, []byte{5, 3, 2, 1}},
			"site":          {jobs.JobFilter{Study: b.study.ID, Site: &b.north}, []byte{2, 1}},
			"study level":   {jobs.JobFilter{Study: b.study.ID, Site: &level}, []byte{5}},
			"submitter":     {jobs.JobFilter{Study: b.study.ID, SubmittedBy: "clara"}, []byte{5, 3, 1}},
			"both":          {jobs.JobFilter{Study: b.study.ID, Site: &b.north, SubmittedBy: "emil"}, []byte{2}},
			"nobody's":      {jobs.JobFilter{Study: b.study.ID, SubmittedBy: "Clara"}, nil},
			"other study":   {jobs.JobFilter{Study: b.other.ID}, []byte{4}},
			"wrong site":    {jobs.JobFilter{Study: b.other.ID, Site: &b.north}, nil},
			"unknown study": {jobs.JobFilter{Study: 987654}, nil},
		} {
			got, err := b.Jobs(b.ctx, c.filter)
			b.must(err)
			b.same(name, c.want, names(got))
		}
	}},
	{"unfinished jobs of all studies are listed oldest first", func(b *bed) {
		for n := byte(5); n > 0; n-- {
			j := b.job(n)
			if n == 4 {
				j.Study = b.other.ID
			}
			b.create(j)
		}
		b.start(b.job(2))
		third := b.job(3)
		b.start(third)
		b.finish(third, jobs.Completed)
		b.must(b.DeleteJob(b.ctx, b.study.ID, b.job(5).ID, now, nil))
		got, err := b.UnfinishedJobs(b.ctx)
		b.must(err)
		b.same("unfinished", []byte{1, 2, 4}, names(got))
	}},
	{"a job ends once, as completed or failed", func(b *bed) {
		for n, state := range []jobs.State{jobs.Completed, jobs.Failed} {
			want := b.job(byte(n + 1))
			b.create(want)
			b.start(want)
			end := jobs.Ending{State: state, Error: "why", At: now.Add(time.Hour)}
			b.must(b.FinishJob(b.ctx, want.Study, want.ID, want.Lease, end))
			want.State, want.Error, want.StartedAt, want.UpdatedAt, want.CompletedAt = state, "why", now, end.At, end.At
			want.Node = node
			b.same("job", want, b.readJob(want.ID))
			again := jobs.Ending{State: jobs.Failed, Error: "again", At: now}
			b.wantCode(b.FinishJob(b.ctx, want.Study, want.ID, want.Lease, again), fault.Conflict, jobs.NotRunning)
			_, err := b.TakeJob(b.ctx, want.Study, want.ID, node, time.Hour, now)
			b.wantCode(err, fault.Conflict, jobs.NotRunning)
			b.wantCode(b.RenewJob(b.ctx, want.Study, want.ID, want.Lease, time.Hour), fault.Conflict, jobs.NotRunning)
			b.must(b.ReleaseJob(b.ctx, want.Study, want.ID, want.Lease))
			b.same("job, later", want, b.readJob(want.ID))
		}
	}},
	{"a queued job can fail before it starts", func(b *bed) {
		b.create(b.job(1))
		b.finish(b.job(1), jobs.Failed)
		b.same("state", jobs.Failed, b.readJob(b.job(1).ID).State)
	}},
	{"a job cannot be finished as anything else", func(b *bed) {
		b.create(b.job(1))
		for _, state := range []jobs.State{jobs.Queued, jobs.InProgress, "nonsense"} {
			if err := b.FinishJob(b.ctx, b.study.ID, b.job(1).ID, 0, jobs.Ending{State: state, At: now}); err == nil {
				b.Errorf("%q is taken", state)
			}
		}
		b.same("state", jobs.Queued, b.readJob(b.job(1).ID).State)
	}},
	{"a deleted job is gone with its output, and its events remain", func(b *bed) {
		j := b.job(1)
		b.create(j)
		b.start(j)
		step := stepOf(j, 0)
		step.Output = []byte("line")
		b.must(b.save(step))
		b.must(b.DeleteJob(b.ctx, j.Study, j.ID, now, []audit.Event{{Action: audit.JobDeleted}}))
		_, err := b.Job(b.ctx, j.ID)
		b.wantCode(err, fault.NotFound, jobs.Unknown)
		b.same("output", []string(nil), b.output(j))
		b.same("events", 1, len(b.events(b.study.ID)))
		b.wantCode(b.DeleteJob(b.ctx, j.Study, j.ID, now, []audit.Event{{Action: audit.JobDeleted}}), fault.NotFound, jobs.Unknown)
		b.same("events, later", 1, len(b.events(b.study.ID)))
		b.wantCode(b.FinishJob(b.ctx, j.Study, j.ID, j.Lease, jobs.Ending{State: jobs.Failed, At: now}), fault.NotFound, jobs.Unknown)
		list, err := b.Jobs(b.ctx, jobs.JobFilter{Study: b.study.ID})
		b.must(err)
		b.same("list", []byte(nil), names(list))
	}},
}

var stepLaws = []law{
	{"steps move the job on and add to its output", func(b *bed) {
		want := b.job(1)
		b.create(want)
		b.start(want)
		for part := range 4 {
			step := stepOf(want, part)
			step.At = now.Add(time.Duration(part) * time.Minute)
			step.Output = fmt.Appendf(nil, "part %d\x00\xff\n", part)
			b.must(b.save(step))
		}
		want.State, want.StartedAt, want.UpdatedAt = jobs.InProgress, now, now.Add(3*time.Minute)
		want.Node, want.Held = node, true
		want.Parts, want.Cursor, want.Rows, want.Failed = 4, []byte{4}, 40, 3
		b.same("job", want, b.readJob(want.ID))
		b.same("output", []string{"part 0\x00\xff\n", "part 1\x00\xff\n", "part 2\x00\xff\n", "part 3\x00\xff\n"}, b.output(want))
	}},
	{"steps without output add no part", func(b *bed) {
		j := b.job(1)
		b.create(j)
		b.start(j)
		for part := range 5 {
			step := stepOf(j, part)
			if part%2 == 1 {
				step.Output = fmt.Appendf(nil, "%d", part)
			}
			b.must(b.save(step))
		}
		b.same("output", []string{"1", "3"}, b.output(j))
		b.same("parts", 5, b.readJob(j.ID).Parts)
		rest, err := b.OutputParts(b.ctx, j.Study, j.ID, 1, 10)
		b.must(err)
		b.same("rest", [][]byte{[]byte("3")}, rest)
		first, err := b.OutputParts(b.ctx, j.Study, j.ID, 0, 1)
		b.must(err)
		b.same("first", [][]byte{[]byte("1")}, first)
		none, err := b.OutputParts(b.ctx, j.Study, j.ID, 2, 10)
		b.must(err)
		b.same("past the end", 0, len(none))
	}},
	{"a step commits once: one too early or again is a conflict", func(b *bed) {
		j := b.job(1)
		b.create(j)
		b.start(j)
		b.must(b.save(stepOf(j, 0)))
		for _, part := range []int{0, 2} {
			step := stepOf(j, part)
			step.Output = []byte("wrong")
			b.wantCode(b.save(step), fault.Conflict, jobs.StepTaken)
		}
		b.same("parts", 1, b.readJob(j.ID).Parts)
		b.same("output", []string(nil), b.output(j))
	}},
	{"only a running job takes steps", func(b *bed) {
		queued, done, gone := b.job(1), b.job(2), b.job(3)
		b.create(queued, done, gone)
		b.finish(done, jobs.Completed)
		b.must(b.DeleteJob(b.ctx, gone.Study, gone.ID, now, nil))
		for _, j := range []*jobs.Job{queued, done, gone, b.job(9)} {
			b.wantCode(b.save(stepOf(j, 0)), fault.Conflict, jobs.NotRunning)
		}
	}},
	{"a step commits with its batch or not at all", func(b *bed) {
		j := b.job(1)
		b.create(j)
		b.start(j)
		step := stepOf(j, 0)
		step.Output = []byte("line")
		both := func(then error) error {
			out := b.adding(b.person(1))
			return b.in(func(tx registry.Tx) error {
				if err := tx.Write(b.ctx, now, remembered(out)); err != nil {
					return err
				}
				if err := tx.SaveStep(b.ctx, step); err != nil {
					return err
				}
				return then
			})
		}
		if err := both(errOurs); err == nil {
			b.Fatal("no error")
		}
		b.same("parts", 0, b.readJob(j.ID).Parts)
		b.same("participants", 0, len(b.list()))
		b.must(both(nil))
		b.same("parts, then", 1, b.readJob(j.ID).Parts)
		b.same("participants, then", 1, len(b.list()))
		b.wantKind(both(nil), fault.Conflict)
	}},
	{"the batch of a job that was deleted meanwhile is not written", func(b *bed) {
		j := b.job(1)
		b.create(j)
		b.start(j)
		b.must(b.DeleteJob(b.ctx, j.Study, j.ID, now, nil))
		out := b.adding(b.person(1))
		err := b.in(func(tx registry.Tx) error {
			if err := tx.Write(b.ctx, now, remembered(out)); err != nil {
				return err
			}
			return tx.SaveStep(b.ctx, stepOf(j, 0))
		})
		b.wantKind(err, fault.Conflict)
		b.same("participants", 0, len(b.list()))
	}},
	{"a step belongs to the study of its transaction", func(b *bed) {
		j := b.job(1)
		b.create(j)
		b.start(j)
		err := b.inStudy(b.other.ID, func(tx registry.Tx) error { return tx.SaveStep(b.ctx, stepOf(j, 0)) })
		if err == nil {
			b.Error("no error")
		}
		b.same("parts", 0, b.readJob(j.ID).Parts)
	}},
}
