package storetest

import (
	"sync/atomic"
	"time"
)

// hour is the window of most tests.
var hour = now.Truncate(time.Hour)

// spending is an answer of SpendBudget.
type spending struct{ Granted, Spent int64 }

func (b *bed) spend(e Engine, payer string, window time.Time, want, limit int64) spending {
	b.Helper()
	granted, spent, err := e.SpendBudget(b.ctx, payer, window, want, limit)
	b.must(err)
	return spending{granted, spent}
}

var budgetLaws = []law{
	{"as much is granted as is wanted and left", func(b *bed) {
		elsewhere := b.another()
		for _, step := range []struct {
			name        string
			e           Engine
			want, limit int64
			got         spending
		}{
			{"a look at what was never spent", b, 0, 10, spending{0, 0}},
			{"the first", b, 1, 10, spending{1, 1}},
			{"more, elsewhere", elsewhere, 5, 10, spending{5, 6}},
			{"a look", b, 0, 10, spending{0, 6}},
			{"less than nothing", b, -3, 10, spending{0, 6}},
			{"more than is left", b, 5, 10, spending{4, 10}},
			{"when nothing is left", elsewhere, 1, 10, spending{0, 10}},
			{"a raised limit", b, 1000, 1_000_000, spending{1000, 1010}},
			{"a lowered limit", b, 1, 500, spending{0, 1010}},
			{"no limit at all", b, 1, 0, spending{0, 1010}},
			{"a great limit", b, 1 << 40, 1 << 62, spending{1 << 40, 1<<40 + 1010}},
		} {
			b.same(step.name, step.got, b.spend(step.e, "p", hour, step.want, step.limit))
		}
	}},
	{"payers are told apart by every character", func(b *bed) {
		for _, payer := range []string{
			"account:app", "user:app", "account:App", "account:app ", "account:é", "account:e\u0301", "address:", "", "1", "01", "1.0", "%", "_",
		} {
			b.same(payer, spending{1, 1}, b.spend(b, payer, hour, 1, 1))
			b.same(payer+" again", spending{0, 1}, b.spend(b, payer, hour, 1, 1))
		}
	}},
	{"a new window begins anew, for its payer alone", func(b *bed) {
		b.spend(b, "p", hour, 10, 10)
		b.spend(b, "q", hour, 10, 10)
		b.same("the next window", spending{3, 3}, b.spend(b, "p", hour.Add(time.Hour), 3, 10))
		b.same("another payer", spending{0, 10}, b.spend(b, "q", hour, 1, 10))
		b.same("windows are told apart to the microsecond", spending{1, 1}, b.spend(b, "p", hour.Add(time.Hour+time.Microsecond), 1, 10))
	}},
	{"a window before the latest counts as the latest", func(b *bed) {
		b.spend(b, "p", hour.Add(time.Hour), 8, 10)
		b.same("the window before", spending{2, 10}, b.spend(b, "p", hour, 5, 10))
		b.same("the latest", spending{0, 10}, b.spend(b, "p", hour.Add(time.Hour), 5, 10))
	}},
	{"a look into a new window begins nothing", func(b *bed) {
		b.spend(b, "p", hour, 8, 10)
		b.same("the look", spending{0, 0}, b.spend(b, "p", hour.Add(time.Hour), 0, 10))
		b.same("the window of before", spending{2, 10}, b.spend(b, "p", hour, 5, 10))
	}},
	{"who begins a window makes those of more than an hour before be forgotten", func(b *bed) {
		b.spend(b, "p", hour, 8, 10)
		b.spend(b, "q", hour.Add(time.Hour), 1, 10)
		b.same("an hour ago", spending{1, 9}, b.spend(b, "p", hour, 1, 10))
		b.spend(b, "q", hour.Add(time.Hour+time.Microsecond), 0, 10)
		b.same("a look", spending{1, 10}, b.spend(b, "p", hour, 1, 10))
		b.spend(b, "q", hour.Add(time.Hour+time.Microsecond), 1, 10)
		b.same("more than an hour ago", spending{1, 1}, b.spend(b, "p", hour, 1, 10))
	}},
	{"budgets outlive a restart", func(b *bed) {
		b.spend(b, "p", hour, 8, 10)
		b.reopen()
		b.same("after it", spending{2, 10}, b.spend(b, "p", hour, 5, 10))
	}},
	{"no more than the limit is granted to many at once, among threads and processes", func(b *bed) {
		const limit = 100
		engines := []Engine{b.Engine, b.another()}
		var granted, most atomic.Int64
		for _, err := range together(40, func(i int) error {
			got, spent, err := engines[i%2].SpendBudget(b.ctx, "p", hour, 7, limit)
			granted.Add(got)
			if got > 7 || spent < got {
				b.Errorf("%d of 7 are granted, %d are spent with them", got, spent)
			}
			if spent == limit {
				most.Add(got)
			}
			return err
		}) {
			b.must(err)
		}
		b.same("granted", int64(limit), granted.Load())
		b.same("granted to the last", int64(limit%7), most.Load())
		b.same("spent", spending{0, limit}, b.spend(b, "p", hour, 0, limit))
	}},
	{"many payers at once do not hold each other up, nor mix", func(b *bed) {
		engines := []Engine{b.Engine, b.another()}
		payers := []string{"p", "q", "r", "s"}
		for _, err := range together(16, func(i int) error {
			for n := range 3 { // every other one moves on to the next window, which forgets the old
				window := hour.Add(time.Duration(n) * 2 * time.Hour)
				if _, _, err := engines[i%2].SpendBudget(b.ctx, payers[i%4], window, 1, 1000); err != nil {
					return err
				}
			}
			return nil
		}) {
			b.must(err)
		}
		for _, payer := range payers {
			if got := b.spend(b, payer, hour.Add(4*time.Hour), 0, 1000).Spent; got < 4 || got > 12 {
				b.Errorf("%s has spent %d, want 4 in the last window and at most 12", payer, got)
			}
		}
	}},
	{"spending changes no version", func(b *bed) {
		before := b.accessVersion()
		b.spend(b, "p", hour, 1, 10)
		b.same("version", before, b.accessVersion())
	}},
}
