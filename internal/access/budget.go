package access

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rollcall/internal/fault"
)

// budgetWindow is what a budget is for; windows begin with the hour.
const budgetWindow = time.Hour

// maxBlock is how many requests are set aside at a time at most: what one write to the database
// is enough for, and what a process that dies may take with it.
const maxBlock = 1000

// maxPayingAddresses is how many addresses have a budget of their own at a time, so that memory
// and the database stay bounded whoever calls. All others share one.
const maxPayingAddresses = 100_000

// Payer is whose budget a request is counted against.
type Payer struct{ kind, name string }

const addressPayer = "address"

// PayerOf is the payer of a caller's requests. A user and a service account of the same name
// are two payers.
func PayerOf(caller *Principal) Payer {
	if caller.Service {
		return Payer{"account", caller.Name}
	}
	return Payer{"user", caller.Name}
}

// PayerAt is the payer of requests without a caller: their address, with or without a port, or
// the /64 that a host of IPv6 has to itself.
func PayerAt(remoteAddr string) Payer {
	return Payer{addressPayer, addressText(addressKey(remoteAddr))}
}

// text is what the database knows the payer as. No kind has a colon, so no two payers share it.
func (p Payer) text() string { return p.kind + ":" + p.name }

// Standing is how a payer's budget stands after a request.
type Standing struct {
	Admitted  bool          // whether there was one left for the request
	Limit     int64         // requests an hour
	Remaining int64         // requests that are left, as far as is known here
	Reset     time.Duration // until the budget is whole again
}

// Budget admits so many requests an hour of each payer, counted by all processes on one
// database. It sets requests aside there in blocks, a hundredth of what is left and 1,000 at
// most: a small limit is exact, and a big one costs one write for many requests. What a process
// has set aside and does not use is lost to the others until the hour is over. It is safe for
// concurrent use.
type Budget struct {
	store Store
	limit int64
	now   func() time.Time

	mu        sync.Mutex
	window    time.Time // when the running window began
	purses    map[Payer]*purse
	addresses int // how many payers of purses are addresses
}

// purse is what a payer has here in one window.
type purse struct {
	payer  Payer
	window time.Time
	turn   chan struct{} // holds one token while somebody has the fields below

	spent int64 // counted in the database when last asked
	left  int64 // of the last block
}

// NewBudget makes a budget of limit requests an hour, which is above 0.
func NewBudget(store Store, limit int64, now func() time.Time) *Budget {
	return &Budget{store: store, limit: limit, now: now}
}

// Spend counts one request. A payer whose budget is used up is told so by [Standing.Admitted].
// It answers an error only if the database has to be asked and does not answer.
func (b *Budget) Spend(ctx context.Context, who Payer) (Standing, error) {
	p, reset := b.purse(who)
	select { // those who come while the database is asked share its answer
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return Standing{}, fmt.Errorf("wait for the request budget: %w", ctx.Err())
	}
	if p.left == 0 && p.spent < b.limit {
		if err := b.fill(ctx, p); err != nil {
			return Standing{}, err
		}
	}
	admitted := p.left > 0
	if admitted {
		p.left--
	}
	return Standing{
		Admitted: admitted, Limit: b.limit, Remaining: max(0, b.limit-p.spent) + p.left, Reset: reset,
	}, nil
}

// fill sets another block aside. Only the holder of the purse's turn may. While the database has
// no room for the count, the block is counted here alone: a full disk stops no reads.
func (b *Budget) fill(ctx context.Context, p *purse) error {
	want := min(max((b.limit-p.spent)/100, 1), maxBlock)
	granted, spent, err := b.store.SpendBudget(ctx, p.payer.text(), p.window, want, b.limit)
	if err != nil && fault.KindOf(err) == fault.StorageFull {
		granted, spent, err = want, p.spent+want, nil
	}
	if err != nil {
		return fmt.Errorf("spend from the request budget: %w", err)
	}
	p.left, p.spent = granted, spent
	return nil
}

// purse finds the payer's purse of the running window, and how long that window runs.
func (b *Budget) purse(who Payer) (*purse, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if window := now.UTC().Truncate(budgetWindow); !window.Equal(b.window) {
		b.window, b.purses, b.addresses = window, map[Payer]*purse{}, 0
	}
	reset := b.window.Add(budgetWindow).Sub(now)
	if p, known := b.purses[who]; known {
		return p, reset
	}
	if who.kind == addressPayer {
		if b.addresses >= maxPayingAddresses {
			who.name = "" // the one that is shared
		} else {
			b.addresses++
		}
	}
	p, known := b.purses[who]
	if !known {
		p = &purse{payer: who, window: b.window, turn: make(chan struct{}, 1)}
		b.purses[who] = p
	}
	return p, reset
}
