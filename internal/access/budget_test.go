package access

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

// ledger counts budgets as a database does, and how often it is asked. A gate that is not nil
// holds it up.
type ledger struct {
	Store
	gate chan struct{}

	mu    sync.Mutex
	spent map[string]int64 // by payer and window
	asked int
	err   error
}

func newLedger() *ledger { return &ledger{spent: map[string]int64{}} }

func (l *ledger) SpendBudget(ctx context.Context, payer string, window time.Time, want, limit int64) (int64, int64, error) {
	if l.gate != nil {
		select {
		case <-l.gate:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.err != nil {
		return 0, 0, l.err
	}
	key := payer + " " + window.String()
	granted := min(want, max(0, limit-l.spent[key]))
	l.spent[key] += granted
	return granted, l.spent[key], nil
}

func account(name string) Payer { return PayerOf(&Principal{Name: name, Service: true}) }

func mustSpend(t *testing.T, b *Budget, who Payer) Standing {
	t.Helper()
	s, err := b.Spend(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBudgetIsOfOneHourAndOnePayer(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 4, 9, 59, 0, 500_000_000, time.FixedZone("", 3600))
	b := NewBudget(newLedger(), 2, func() time.Time { return now })
	ann, bob := account("ann"), account("bob")
	steps := []struct {
		name      string
		after     time.Duration
		who       Payer
		remaining int64
		reset     time.Duration
		admitted  bool
	}{
		{"first", 0, ann, 1, 59500 * time.Millisecond, true},
		{"second", 0, ann, 0, 59500 * time.Millisecond, true},
		{"third is too many", time.Second, ann, 0, 58500 * time.Millisecond, false},
		{"another has its own", 0, bob, 1, 58500 * time.Millisecond, true},
		{"a user of the same name too", 0, PayerOf(&Principal{Name: "ann"}), 1, 58500 * time.Millisecond, true},
		{"the last moment of the hour", 58*time.Second + 400*time.Millisecond, ann, 0, 100 * time.Millisecond, false},
		{"the next hour", 100 * time.Millisecond, ann, 1, time.Hour, true},
		{"and not more than it", 30 * time.Minute, ann, 0, 30 * time.Minute, true},
		{"that is used up", 0, ann, 0, 30 * time.Minute, false},
	}
	for _, s := range steps {
		now = now.Add(s.after)
		want := Standing{Admitted: s.admitted, Limit: 2, Remaining: s.remaining, Reset: s.reset}
		if diff := cmp.Diff(want, mustSpend(t, b, s.who)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
}

// TestBudgetIsExactOnOneProcess whatever its blocks are, and asks the database as rarely as it
// may.
func TestBudgetIsExactOnOneProcess(t *testing.T) {
	t.Parallel()
	tests := []struct {
		limit int64
		asked int // until the budget is used up, at most
	}{{1, 1}, {10, 10}, {199, 199}, {1000, 500}, {250_000, 1000}}
	for _, test := range tests {
		t.Run(strconv.FormatInt(test.limit, 10), func(t *testing.T) {
			t.Parallel()
			store := newLedger()
			b := NewBudget(store, test.limit, newClock().now)
			for n := range test.limit + 5 {
				s := mustSpend(t, b, account("app"))
				if want := max(0, test.limit-n-1); s.Remaining != want || s.Admitted != (n < test.limit) {
					t.Fatalf("request %d: %d left, admitted %v; want %d", n+1, s.Remaining, s.Admitted, want)
				}
			}
			if store.asked > test.asked {
				t.Errorf("the database was asked %d times, want %d at most", store.asked, test.asked)
			}
		})
	}
}

func TestBudgetOfAMillionIsCheap(t *testing.T) {
	t.Parallel()
	store := newLedger()
	b := NewBudget(store, 1_000_000, newClock().now)
	for range 10_000 {
		mustSpend(t, b, account("app"))
	}
	if store.asked != 10 {
		t.Errorf("10,000 requests asked the database %d times, want 10", store.asked)
	}
}

// TestBudgetSharesOneAsk: however many requests of a payer come while the database is asked, it
// is asked once; other payers and the end of a request do not wait for it.
func TestBudgetSharesOneAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newLedger()
		store.gate = make(chan struct{})
		b := NewBudget(store, 100_000, newClock().now)
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if s, err := b.Spend(t.Context(), account("app")); err != nil || !s.Admitted {
					t.Errorf("Spend = %+v, %v", s, err)
				}
			})
		}
		synctest.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Spend(gone, account("app")); !errors.Is(err, context.Canceled) {
			t.Errorf("who goes while the database is asked gets %v", err)
		}
		group.Go(func() {
			if _, err := b.Spend(t.Context(), account("other")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		store.gate <- struct{}{} // of app and other, in any order
		store.gate <- struct{}{}
		group.Wait()
		if store.asked != 2 {
			t.Errorf("the database was asked %d times, want once for each payer", store.asked)
		}
	})
}

func TestBudgetWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	store := newLedger()
	store.err = errors.New("away")
	b := NewBudget(store, 10, newClock().now)
	for range 20 {
		if _, err := b.Spend(t.Context(), account("app")); !errors.Is(err, store.err) {
			t.Fatalf("Spend = %v, want %v", err, store.err)
		}
	}
	store.err = nil
	if s := mustSpend(t, b, account("app")); s.Remaining != 9 {
		t.Errorf("%d left afterwards, want 9: what was not admitted is not counted", s.Remaining)
	}
}

func TestBudgetMemoryIsBounded(t *testing.T) {
	t.Parallel()
	clock, store := newClock(), newLedger()
	b := NewBudget(store, 1000, clock.now)
	nth := func(i int) Payer { return Payer{addressPayer, strconv.Itoa(i)} }
	for i := range maxPayingAddresses + 500 {
		mustSpend(t, b, nth(i))
	}
	mustSpend(t, b, account("ann"))
	if want := maxPayingAddresses + 2; len(b.purses) != want || len(store.spent) != want { // those of their own, the shared one, the account
		t.Errorf("%d budgets are kept and %d stored, want %d", len(b.purses), len(store.spent), want)
	}
	if s := mustSpend(t, b, nth(-1)); s.Remaining != 1000-501 {
		t.Errorf("late addresses share a budget: %d left, want %d", s.Remaining, 1000-501)
	}
	if s := mustSpend(t, b, nth(1)); s.Remaining != 998 {
		t.Errorf("an early address: %d left, want 998", s.Remaining)
	}
	clock.advance(time.Hour)
	mustSpend(t, b, account("ann"))
	if len(b.purses) != 1 {
		t.Errorf("%d budgets are kept in a new hour, want 1", len(b.purses))
	}
}

func TestPayers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		who  Payer
		want string
	}{
		{"service account", account("MyDataHelps.1.app"), "account:MyDataHelps.1.app"},
		{"user", PayerOf(&Principal{Name: "Dana"}), "user:Dana"},
		{"account named as an address's payer", account("address:192.0.2.1/32"), "account:address:192.0.2.1/32"},
		{"IPv4", PayerAt("192.0.2.1:4711"), "address:192.0.2.1/32"},
		{"IPv4 without a port", PayerAt("192.0.2.1"), "address:192.0.2.1/32"},
		{"IPv4 within IPv6", PayerAt("[::ffff:192.0.2.1]:4711"), "address:192.0.2.1/32"},
		{"IPv6", PayerAt("[2001:db8:1:2:3:4:5:6]:4711"), "address:2001:db8:1:2::/64"},
		{"IPv6 with a zone", PayerAt("fe80::1%eth0"), "address:fe80::/64"},
		{"a socket", PayerAt("@"), "address:unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.who.text(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestBudgetOnAFullDisk: requests are admitted and counted here while there is no room to count
// them, and never more than the limit.
func TestBudgetOnAFullDisk(t *testing.T) {
	t.Parallel()
	l := newLedger()
	b := NewBudget(l, 5, func() time.Time { return time.Unix(1_800_000_000, 0) })
	mustSpend(t, b, account("ann"))
	l.err = fault.New(fault.StorageFull, "", "full")
	for n := range 6 {
		if s := mustSpend(t, b, account("ann")); s.Admitted != (n < 4) || s.Remaining != max(0, int64(3-n)) {
			t.Errorf("request %d: %+v", n+2, s)
		}
	}
}
