package storetest

import (
	"runtime"
	"slices"
	"time"

	"rollcall/internal/access"
)

// longTurn is a limit that no law reaches. One of 0 is over at once.
const longTurn = time.Hour

// begin begins a sign-in at the time; turn 0 if somebody else has the turn.
func (b *bed) begin(e Engine, address string, limit time.Duration, at time.Time) (int64, []time.Time) {
	b.Helper()
	turn, failures, err := e.BeginSignIn(b.ctx, address, limit, at)
	b.must(err)
	if turn < 0 || turn == 0 && len(failures) > 0 {
		b.Fatalf("turn %d with failures %v", turn, failures)
	}
	return turn, failures
}

// turnOf takes a turn that has to be free, and leaves it.
func (b *bed) turnOf(e Engine, address string, limit time.Duration, at time.Time) int64 {
	b.Helper()
	turn, _ := b.begin(e, address, limit, at)
	if turn == 0 {
		b.Fatalf("somebody has the turn of %q", address)
	}
	return turn
}

func (b *bed) wantHeld(e Engine, address string) {
	b.Helper()
	if turn, _ := b.begin(e, address, longTurn, now); turn != 0 {
		b.Fatalf("two have the turn of %q", address)
	}
}

// end ends a sign-in at the time of most tests.
func (b *bed) end(e Engine, address string, turn int64, failures ...time.Time) {
	b.Helper()
	b.must(e.EndSignIn(b.ctx, address, turn, failures, now))
}

// failuresOf reads what is remembered of an address whose turn is free.
func (b *bed) failuresOf(e Engine, address string, at time.Time) []time.Time {
	b.Helper()
	turn, failures := b.begin(e, address, longTurn, at)
	if turn == 0 {
		b.Fatalf("somebody has the turn of %q", address)
	}
	b.must(e.EndSignIn(b.ctx, address, turn, failures, at))
	return failures
}

var (
	oneFailure  = []time.Time{now.Add(-time.Second)}
	twoFailures = []time.Time{now.Add(-30 * time.Second), now.Add(-time.Microsecond)}
)

var signInLaws = []law{
	{"a turn is somebody's until it ends, in all processes", func(b *bed) {
		elsewhere := b.another()
		turn := b.turnOf(b, "a", longTurn, now)
		b.wantHeld(b, "a")
		b.wantHeld(elsewhere, "a")
		b.turnOf(elsewhere, "b", longTurn, now)
		b.end(b, "a", turn)
		b.turnOf(elsewhere, "a", longTurn, now)
		b.wantHeld(b, "a")
	}},
	{"failures are remembered in their order, to the microsecond, in all processes", func(b *bed) {
		elsewhere := b.another()
		turn, failures := b.begin(b, "a", longTurn, now)
		b.same("at first", []time.Time(nil), failures)
		b.end(b, "a", turn, twoFailures...)
		b.same("elsewhere", twoFailures, b.failuresOf(elsewhere, "a", now))
		b.same("once more", twoFailures, b.failuresOf(b, "a", now))
		b.reopen()
		b.same("after a restart", twoFailures, b.failuresOf(b, "a", now))
	}},
	{"failures replace those of before, and none of them forget the address", func(b *bed) {
		b.end(b, "a", b.turnOf(b, "a", longTurn, now), twoFailures...)
		b.end(b, "a", b.turnOf(b, "a", longTurn, now), oneFailure...)
		b.same("replaced", oneFailure, b.failuresOf(b, "a", now))
		many := slices.Repeat(oneFailure, 50)
		b.end(b, "a", b.turnOf(b, "a", longTurn, now), many...)
		b.same("many, and the same again and again", many, b.failuresOf(b, "a", now))
		b.end(b, "a", b.turnOf(b, "a", longTurn, now))
		b.same("forgotten", []time.Time(nil), b.failuresOf(b, "a", now))
	}},
	{"a turn is void after its limit, and keeps what was remembered", func(b *bed) {
		elsewhere := b.another()
		b.end(b, "a", b.turnOf(b, "a", longTurn, now), oneFailure...)
		b.turnOf(b, "a", 0, now)
		turn, failures := b.begin(elsewhere, "a", longTurn, now)
		if turn == 0 {
			b.Fatal("a void turn is in the way")
		}
		b.same("failures", oneFailure, failures)
		b.wantHeld(b, "a")
	}},
	{"the end of a void turn changes nothing", func(b *bed) {
		b.end(b, "a", b.turnOf(b, "a", longTurn, now), oneFailure...)
		void := b.turnOf(b, "a", 0, now)
		b.end(b, "a", void, twoFailures...)
		b.same("after its limit", oneFailure, b.failuresOf(b, "a", now))
		b.end(b, "a", void)
		b.same("after its limit, without failures", oneFailure, b.failuresOf(b, "a", now))

		turn := b.turnOf(b, "a", longTurn, now)
		b.end(b, "a", void, twoFailures...)
		b.wantHeld(b, "a")
		b.end(b, "a", turn, oneFailure...)
		b.end(b, "a", turn, twoFailures...)
		b.same("ended twice", oneFailure, b.failuresOf(b, "a", now))
	}},
	{"the end of what was never a turn changes nothing", func(b *bed) {
		turn := b.turnOf(b, "a", longTurn, now)
		for _, wrong := range []int64{0, -1, turn - 1, turn + 1} {
			b.end(b, "a", wrong, twoFailures...)
		}
		b.end(b, "b", turn, twoFailures...)
		b.wantHeld(b, "a")
		b.same("another address", []time.Time(nil), b.failuresOf(b, "b", now))
		b.end(b, "a", turn)
		b.end(b, "a", 0, twoFailures...)
		b.same("the address", []time.Time(nil), b.failuresOf(b, "a", now))
	}},
	{"no two turns of an address have one number, forgotten or not", func(b *bed) {
		seen := map[int64]bool{}
		for i := range 50 {
			turn := b.turnOf(b, "a", []time.Duration{0, longTurn}[i%2], now)
			if seen[turn] {
				b.Fatalf("turn %d twice", turn)
			}
			seen[turn] = true
			b.end(b, "a", turn)
		}
	}},
	{"addresses are told apart by every character", func(b *bed) {
		for _, address := range []string{
			"a", "A", "a ", " a", "é", "e\u0301", "", "1", "01", "1.0", "192.0.2.1/32", "192.0.2.11/32", "2001:db8::/64", "%", "_",
		} {
			turn, failures := b.begin(b, address, longTurn, now)
			if turn == 0 || len(failures) > 0 {
				b.Errorf("%q was taken for another", address)
			}
			b.wantHeld(b, address)
			b.end(b, address, turn, oneFailure...)
		}
	}},
	{"an address is remembered for as long as was agreed, to the microsecond", func(b *bed) {
		b.end(b, "a", b.turnOf(b, "a", longTurn, now.Add(-time.Minute)), oneFailure...) // touched last when it ended
		b.end(b, "b", b.turnOf(b, "b", longTurn, now), oneFailure...)
		gone := now.Add(access.SignInMemory)
		b.turnOf(b, "c", longTurn, gone.Add(-time.Microsecond))
		b.same("a microsecond before", oneFailure, b.failuresOf(b, "a", now))
		b.same("the address itself, then", []time.Time(nil), b.failuresOf(b, "a", gone))
		b.same("another, then", []time.Time(nil), b.failuresOf(b, "b", now))
	}},
	{"a turn that somebody has is not forgotten", func(b *bed) {
		b.turnOf(b, "a", longTurn, now)
		b.turnOf(b, "b", longTurn, now.Add(2*access.SignInMemory))
		b.wantHeld(b, "a")
	}},
	{"of many who begin at once one has the turn, among threads and processes", func(b *bed) {
		engines := []Engine{b.Engine, b.another()}
		turns := make([]int64, 32)
		for _, err := range together(len(turns), func(i int) (err error) {
			turns[i], _, err = engines[i%2].BeginSignIn(b.ctx, "a", longTurn, now)
			return err
		}) {
			b.must(err)
		}
		won := 0
		for _, turn := range turns {
			if turn != 0 {
				won++
			}
		}
		b.same("winners", 1, won)
	}},
	{"no failure is lost among threads and processes that take turns", func(b *bed) {
		engines := []Engine{b.Engine, b.another()}
		for _, err := range together(6, func(i int) error {
			for done := 0; done < 3; {
				turn, failures, err := engines[i%2].BeginSignIn(b.ctx, "a", longTurn, now)
				if err != nil {
					return err
				}
				if turn == 0 {
					runtime.Gosched()
					continue
				}
				failures = append(failures, now.Add(time.Duration(3*i+done)*time.Second))
				if err := engines[i%2].EndSignIn(b.ctx, "a", turn, failures, now); err != nil {
					return err
				}
				done++
			}
			return nil
		}) {
			b.must(err)
		}
		got := b.failuresOf(b, "a", now)
		slices.SortFunc(got, time.Time.Compare)
		var want []time.Time
		for i := range 18 {
			want = append(want, now.Add(time.Duration(i)*time.Second))
		}
		b.same("failures", want, got)
	}},
	{"signing in changes no version", func(b *bed) {
		before := b.accessVersion()
		b.end(b, "a", b.turnOf(b, "a", longTurn, now), oneFailure...)
		b.same("version", before, b.accessVersion())
	}},
}
