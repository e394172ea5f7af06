package access

import (
	"container/list"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The limits on failing to sign in (decisions, OpenClinica 16).
const (
	maxFailures   = 2
	failureWindow = time.Minute
)

// maxAddresses is how many addresses with failures are remembered. An attacker who commands
// more has the oldest forgotten, which is worth little and keeps memory flat.
const maxAddresses = 10_000

// throttle is what this process knows of failures to sign in per address: never more than the
// database, and enough to refuse most attempts without asking it. Attempts from one address take
// turns here first, so that of one process one at a time asks for the address's turn there.
type throttle struct {
	mu     sync.Mutex
	known  map[netip.Prefix]*address
	failed *list.List // of *address: those with failures, the longest ago remembered first
}

// address is one client address, or one IPv6 /64, from which a client can pick at will.
type address struct {
	key      netip.Prefix
	turn     chan struct{} // holds one token while an attempt is under way
	inUse    int           // attempts under way or waiting for their turn
	failures []time.Time   // the last ones, oldest first, at most maxFailures
	element  *list.Element // in throttle.failed; nil without failures
}

func newThrottle() *throttle {
	return &throttle{known: map[netip.Prefix]*address{}, failed: list.New()}
}

// text is what the database knows the address as.
func (a *address) text() string { return addressText(a.key) }

// addressText writes a key of [addressKey] down.
func addressText(key netip.Prefix) string {
	if !key.IsValid() {
		return "unknown"
	}
	return key.String()
}

// addressKey groups a remote address, with or without a port. All that cannot be read, such as
// the peer of a Unix socket, shares one key.
func addressKey(remoteAddr string) netip.Prefix {
	addr, err := netip.ParseAddr(remoteAddr)
	if err != nil {
		withPort, err := netip.ParseAddrPort(remoteAddr)
		if err != nil {
			return netip.Prefix{}
		}
		addr = withPort.Addr()
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// enter waits for the address's turn. Whoever gets an address must leave it.
func (t *throttle) enter(ctx context.Context, remoteAddr string, now time.Time) (*address, error) {
	a := t.take(addressKey(remoteAddr), now)
	select {
	case a.turn <- struct{}{}:
		return a, nil
	case <-ctx.Done():
		t.drop(a)
		return nil, fmt.Errorf("wait to sign in: %w", ctx.Err())
	}
}

// leave gives the turn to the next.
func (t *throttle) leave(a *address) {
	<-a.turn
	t.drop(a)
}

// wait is how long the address has to wait until it may try again; 0 if it may try now. Only
// the holder of the turn asks.
func (t *throttle) wait(a *address, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return waitAfter(a.failures, now)
}

// waitAfter is how long to wait after the last failures, at most maxFailures.
func waitAfter(failures []time.Time, now time.Time) time.Duration {
	if len(failures) < maxFailures {
		return 0
	}
	return max(0, failures[0].Add(failureWindow).Sub(now))
}

// remember replaces the failures of the address by those that the database remembers, as far as
// they matter now. Only the holder of the turn may.
func (t *throttle) remember(a *address, failures []time.Time, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a.failures = recent(failures, now)
	switch {
	case len(a.failures) == 0 && a.element != nil:
		t.forget(a.element)
	case len(a.failures) > 0 && a.element == nil:
		a.element = t.failed.PushBack(a)
	case len(a.failures) > 0:
		t.failed.MoveToBack(a.element)
	}
	for t.failed.Len() > maxAddresses {
		t.forget(t.failed.Front())
	}
}

// recall answers the failures of an address that are known here.
func (t *throttle) recall(a *address) []time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(a.failures)
}

// recent picks the failures that matter now, at most maxFailures. Another process's clock may
// be ahead of ours, but one that is a window ahead is wrong and is not followed.
func recent(failures []time.Time, now time.Time) []time.Time {
	var matter []time.Time
	for _, at := range failures {
		if now.Sub(at).Abs() < failureWindow {
			matter = append(matter, at)
		}
	}
	return matter[max(0, len(matter)-maxFailures):]
}

func (t *throttle) take(key netip.Prefix, now time.Time) *address {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	a, ok := t.known[key]
	if !ok {
		a = &address{key: key, turn: make(chan struct{}, 1)}
		t.known[key] = a
	}
	a.inUse++
	return a
}

func (t *throttle) drop(a *address) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a.inUse--
	if a.inUse == 0 && a.element == nil {
		delete(t.known, a.key)
	}
}

// expire forgets the failures of addresses whose last one is past the window. They stand in the
// order in which they were remembered, so it stops at the first that is not; another that was
// remembered late is forgotten within a window of it.
func (t *throttle) expire(now time.Time) {
	for e := t.failed.Front(); e != nil; e = t.failed.Front() {
		failures := e.Value.(*address).failures
		if now.Sub(failures[len(failures)-1]) < failureWindow {
			return
		}
		t.forget(e)
	}
}

// forget clears an address's failures, and the address unless somebody uses it.
func (t *throttle) forget(e *list.Element) {
	a := e.Value.(*address)
	t.failed.Remove(e)
	a.element, a.failures = nil, nil
	if a.inUse == 0 {
		delete(t.known, a.key)
	}
}
