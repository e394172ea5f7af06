package storetest

import (
	"context"
	"sync"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// take has a node take the job for so long.
func (b *bed) take(j *jobs.Job, who string, lease time.Duration) *jobs.Job {
	b.Helper()
	taken, err := b.TakeJob(b.ctx, j.Study, j.ID, who, lease, now)
	b.must(err)
	return taken
}

// refused fails unless the node may not take the job now.
func (b *bed) refused(j *jobs.Job, who string) {
	b.Helper()
	_, err := b.TakeJob(b.ctx, j.Study, j.ID, who, time.Hour, now)
	b.wantCode(err, fault.Conflict, jobs.HeldElsewhere)
}

// fenced fails unless the job's lease counts for nothing, and changes nothing.
func (b *bed) fenced(j *jobs.Job) {
	b.Helper()
	before := b.readJob(j.ID)
	step := stepOf(j, before.Parts)
	step.Output = []byte("late")
	out := b.adding(b.person(77))
	b.wantCode(b.in(func(tx registry.Tx) error {
		b.must(tx.Write(b.ctx, now, remembered(out)))
		return tx.SaveStep(b.ctx, step)
	}), fault.Conflict, jobs.LeaseLost)
	b.wantCode(b.RenewJob(b.ctx, j.Study, j.ID, j.Lease, time.Hour), fault.Conflict, jobs.LeaseLost)
	b.must(b.ReleaseJob(b.ctx, j.Study, j.ID, j.Lease))
	end := jobs.Ending{State: jobs.Completed, At: now}
	b.wantCode(b.FinishJob(b.ctx, j.Study, j.ID, j.Lease, end), fault.Conflict, jobs.LeaseLost)
	b.same("job", before, b.readJob(j.ID))
	b.same("participants", 0, len(b.list()))
}

var leaseLaws = []law{
	{"who takes a job starts it once, with a greater token each time", func(b *bed) {
		want := b.job(1)
		b.create(want)
		for n := range 3 {
			at := now.Add(time.Duration(n) * time.Hour)
			got, err := b.TakeJob(b.ctx, want.Study, want.ID, node, time.Hour, at)
			b.must(err)
			want.State, want.StartedAt, want.UpdatedAt = jobs.InProgress, now, at
			want.Lease, want.Node, want.Held = int64(n+1), node, true
			b.same("taken", want, got)
			b.same("job", want, b.readJob(want.ID))
		}
		list, err := b.UnfinishedJobs(b.ctx)
		b.must(err)
		b.same("unfinished", []*jobs.Job{want}, list)
	}},
	{"what a new job says of its lease is not kept", func(b *bed) {
		j := b.job(1)
		j.Lease, j.Node, j.Held, j.Output = 7, "node-7", true, "outputs/7"
		b.create(j)
		b.same("job", b.job(1), b.readJob(j.ID))
	}},
	{"another node is refused while the lease is alive", func(b *bed) {
		j := b.job(1)
		b.create(j)
		held := b.take(j, node, time.Hour)
		elsewhere := b.another()
		_, err := elsewhere.TakeJob(b.ctx, j.Study, j.ID, "node-2", time.Hour, now.Add(48*time.Hour)) // by another clock
		b.wantCode(err, fault.Conflict, jobs.HeldElsewhere)
		b.same("job", held, b.readJob(j.ID))
		b.must(b.save(stepOf(held, 0)))
	}},
	{"another node takes the job when the lease has run out, and the first is fenced", func(b *bed) {
		j := b.job(1)
		b.create(j)
		first := b.take(j, node, 0)
		b.same("held", false, first.Held || b.readJob(j.ID).Held)
		second := b.take(j, "node-2", time.Hour)
		b.same("token", first.Lease+1, second.Lease)
		b.same("node", "node-2", second.Node)
		b.fenced(first)
		b.refused(j, node)
		b.must(b.save(stepOf(second, 0)))
	}},
	{"a lease that has run out counts until another node takes the job", func(b *bed) {
		j := b.job(1)
		b.create(j)
		held := b.take(j, node, 0)
		b.must(b.save(stepOf(held, 0)))
		b.must(b.RenewJob(b.ctx, j.Study, j.ID, held.Lease, time.Hour))
		b.refused(j, "node-2")
		b.must(b.RenewJob(b.ctx, j.Study, j.ID, held.Lease, 0))
		b.finish(held, jobs.Completed)
	}},
	{"the same node takes the job at any time, and its older token is void", func(b *bed) {
		j := b.job(1)
		b.create(j)
		first := b.take(j, node, time.Hour)
		second := b.take(j, node, time.Hour)
		b.fenced(first)
		b.same("held", true, b.readJob(j.ID).Held)
		b.finish(second, jobs.Completed)
	}},
	{"a renewed lease lives on, and nothing else changes", func(b *bed) {
		j := b.job(1)
		b.create(j)
		held := b.take(j, node, time.Hour)
		b.must(b.RenewJob(b.ctx, j.Study, j.ID, held.Lease, 2*time.Hour))
		b.same("job", held, b.readJob(j.ID))
		b.refused(j, "node-2")
	}},
	{"a queued job has no lease to renew", func(b *bed) {
		b.create(b.job(1))
		b.wantCode(b.RenewJob(b.ctx, b.study.ID, b.job(1).ID, 0, time.Hour), fault.Conflict, jobs.NotRunning)
	}},
	{"a released job can be taken by anybody, at its cursor", func(b *bed) {
		j := b.job(1)
		b.create(j)
		first := b.take(j, node, time.Hour)
		b.must(b.save(stepOf(first, 0)))
		b.must(b.ReleaseJob(b.ctx, j.Study, j.ID, first.Lease))
		got := b.readJob(j.ID)
		b.same("state", jobs.InProgress, got.State)
		b.same("held", false, got.Held)
		second := b.take(j, "node-2", time.Hour)
		b.same("cursor", []byte{1}, second.Cursor)
		b.fenced(first)
	}},
	{"a job that was never taken ends under token 0, one that was not", func(b *bed) {
		fresh, taken := b.job(1), b.job(2)
		b.create(fresh, taken)
		b.take(taken, node, 0)
		end := jobs.Ending{State: jobs.Failed, At: now}
		b.wantCode(b.FinishJob(b.ctx, fresh.Study, fresh.ID, 1, end), fault.Conflict, jobs.LeaseLost)
		b.must(b.FinishJob(b.ctx, fresh.Study, fresh.ID, 0, end))
		b.wantCode(b.FinishJob(b.ctx, taken.Study, taken.ID, 0, end), fault.Conflict, jobs.LeaseLost)
	}},
	{"a step says first that the job is not running, then that the lease is lost, then that it is taken", func(b *bed) {
		j := b.job(1)
		b.create(j)
		b.start(j)
		stale := stepOf(j, 5)
		stale.Lease--
		b.wantCode(b.save(stale), fault.Conflict, jobs.LeaseLost)
		b.wantCode(b.save(stepOf(j, 5)), fault.Conflict, jobs.StepTaken)
		b.finish(j, jobs.Completed)
		b.wantCode(b.save(stale), fault.Conflict, jobs.NotRunning)
	}},
	{"of nodes that want a job at the same time one gets it", func(b *bed) {
		j := b.job(1)
		b.create(j)
		nodes := []string{"node-1", "node-2", "node-3", "node-4"}
		errs := make([]error, len(nodes))
		var all sync.WaitGroup
		for i, who := range nodes {
			engine := b.another()
			all.Go(func() {
				_, errs[i] = engine.TakeJob(context.WithoutCancel(b.ctx), j.Study, j.ID, who, time.Hour, now)
			})
		}
		all.Wait()
		took := 0
		for _, err := range errs {
			if err == nil {
				took++
				continue
			}
			b.wantCode(err, fault.Conflict, jobs.HeldElsewhere)
		}
		b.same("took it", 1, took)
		b.same("token", int64(1), b.readJob(j.ID).Lease)
	}},
}
