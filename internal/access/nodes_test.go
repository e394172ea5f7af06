package access_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/store/sqlite"
)

// nodes are two processes on one database; their clock stands still unless it is moved.
type nodes struct {
	dbs      [2]*sqlite.DB
	services [2]*access.Service
	now      atomic.Int64 // microseconds
}

const claraPassword = "battery staple"

func openNodes(t *testing.T) *nodes {
	t.Helper()
	n := &nodes{}
	n.now.Store(time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC).UnixMicro())
	path := filepath.Join(t.TempDir(), "rollcall.db")
	for i := range n.dbs {
		db, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		n.dbs[i] = db
		n.services[i], err = access.New(access.Config{Store: db, SigningKey: make([]byte, access.SigningKeySize), Now: n.clock})
		if err != nil {
			t.Fatal(err)
		}
	}
	hash, err := access.HashPassword(claraPassword)
	if err != nil {
		t.Fatal(err)
	}
	err = n.dbs[0].Define(t.Context(), func(ctx context.Context, tx config.Tx) error {
		return tx.PutUser(ctx, &access.User{Username: "clara", PasswordHash: hash})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *nodes) clock() time.Time { return time.UnixMicro(n.now.Load()) }

func (n *nodes) advance(d time.Duration) { n.now.Add(d.Microseconds()) }

func (n *nodes) signIn(t *testing.T, node int, password, address string) error {
	t.Helper()
	_, err := n.services[node].SignIn(t.Context(), "clara", password, address)
	return err
}

// TestFailuresCountInAllProcesses one after the other.
func TestFailuresCountInAllProcesses(t *testing.T) {
	t.Parallel()
	n := openNodes(t)
	const here = "192.0.2.1:4711"
	for node := range n.services {
		if err := n.signIn(t, node, "wrong", here); !fault.HasCode(err, access.SignInFailed) {
			t.Fatalf("node %d: %v, want %s", node, err, access.SignInFailed)
		}
		n.advance(10 * time.Second)
	}
	for node := range n.services {
		err := n.signIn(t, node, claraPassword, here)
		if !fault.HasCode(err, access.SignInThrottled) || fault.As(err).RetryAfterSeconds != 40 {
			t.Errorf("node %d: %v, want %s for 40 s", node, err, access.SignInThrottled)
		}
		if err := n.signIn(t, node, claraPassword, "192.0.2.2:4711"); err != nil {
			t.Errorf("node %d, another address: %v", node, err)
		}
	}
	n.advance(40 * time.Second) // the first failure is past, the second is not
	for node := range n.services {
		if err := n.signIn(t, node, claraPassword, here); err != nil {
			t.Errorf("node %d, after a minute: %v", node, err)
		}
	}
	if err := n.signIn(t, 0, "wrong", here); !fault.HasCode(err, access.SignInFailed) {
		t.Errorf("the third failure: %v, want %s", err, access.SignInFailed)
	}
	if err := n.signIn(t, 1, claraPassword, here); !fault.HasCode(err, access.SignInThrottled) {
		t.Errorf("after the third failure: %v, want %s: a success clears none", err, access.SignInThrottled)
	}
}

// TestFailuresHoldAgainstManyProcesses: attempts at once on two processes get no more tries
// than on one.
func TestFailuresHoldAgainstManyProcesses(t *testing.T) {
	t.Parallel()
	n := openNodes(t)
	var failed, throttled atomic.Int32
	var group sync.WaitGroup
	for i := range 24 {
		group.Go(func() {
			err := n.signIn(t, i%2, "wrong", fmt.Sprintf("[2001:db8::%d:%d]:9", i%2, i)) // one /64
			switch {
			case fault.HasCode(err, access.SignInFailed):
				failed.Add(1)
			case fault.HasCode(err, access.SignInThrottled):
				throttled.Add(1)
			default:
				t.Errorf("attempt %d: %v", i, err)
			}
		})
	}
	group.Wait()
	if failed.Load() != 2 || throttled.Load() != 22 {
		t.Errorf("%d passwords were tried and %d attempts throttled, want 2 and 22", failed.Load(), throttled.Load())
	}
}

// TestManySignInsOfOneAddress: right passwords are all let in, whichever process has the turn.
func TestManySignInsOfOneAddress(t *testing.T) {
	t.Parallel()
	n := openNodes(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if err := n.signIn(t, i%2, claraPassword, "192.0.2.1"); err != nil {
				t.Errorf("attempt %d: %v", i, err)
			}
		})
	}
	group.Wait()
}

// TestBudgetHoldsInAllProcesses: requests at once on two processes; as small limits go, every
// one is admitted that may be, and no other.
func TestBudgetHoldsInAllProcesses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ limit, requests, least int64 }{
		{20, 60, 20},
		{199, 260, 199},
		{2000, 2600, 1980}, // what the other process has set aside and does not use, at most a block
	} {
		t.Run(fmt.Sprint(test.limit), func(t *testing.T) {
			t.Parallel()
			n := openNodes(t)
			var admitted atomic.Int64
			var group sync.WaitGroup
			for node, db := range n.dbs {
				budget := access.NewBudget(db, test.limit, n.clock)
				who := access.PayerOf(&access.Principal{Name: "app", Service: true})
				for worker := range 4 {
					group.Go(func() {
						for i := int64(2*worker + node); i < test.requests; i += 8 {
							s, err := budget.Spend(t.Context(), who)
							if err != nil {
								t.Error(err)
								return
							}
							if s.Admitted {
								admitted.Add(1)
							}
							if s.Remaining < 0 || s.Remaining >= test.limit {
								t.Errorf("%d of %d are left", s.Remaining, test.limit)
							}
						}
					})
				}
			}
			group.Wait()
			if got := admitted.Load(); got > test.limit || got < test.least {
				t.Errorf("%d of %d requests were admitted, want %d to %d", got, test.requests, test.least, test.limit)
			}
		})
	}
}

// TestBudgetOutlivesItsProcess, and does not outlive its hour.
func TestBudgetOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	n := openNodes(t)
	who := access.PayerAt("192.0.2.1")
	spend := func(b *access.Budget) access.Standing {
		t.Helper()
		s, err := b.Spend(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for range 3 {
		spend(access.NewBudget(n.dbs[0], 5, n.clock))
	}
	b := access.NewBudget(n.dbs[1], 5, n.clock)
	if s := spend(b); s.Remaining != 1 || !s.Admitted {
		t.Errorf("in another process: %+v, want 1 left", s)
	}
	spend(b)
	if s := spend(access.NewBudget(n.dbs[0], 5, n.clock)); s.Remaining != 0 || s.Admitted {
		t.Errorf("used up: %+v", s)
	}
	n.advance(55 * time.Minute)
	if s := spend(b); s.Remaining != 4 || !s.Admitted {
		t.Errorf("in the next hour: %+v, want 4 left", s)
	}
}
