package access

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestAddressKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, addr, same string
		equal            bool
	}{
		{"ports do not matter", "192.0.2.1:1000", "192.0.2.1:2000", true},
		{"nor whether there is one", "192.0.2.1:1000", "192.0.2.1", true},
		{"neighbours in IPv4 differ", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 in IPv6 is IPv4", "192.0.2.1", "[::ffff:192.0.2.1]:80", true},
		{"two IPv4 in IPv6 differ", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"one /64", "2001:db8:1:2::1", "[2001:db8:1:2:ffff::9]:443", true},
		{"another /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"zones do not matter", "fe80::1%eth0", "fe80::1%eth1", true},
		{"what cannot be read shares a key", "@", "", true},
		{"IPv6 zero is not IPv4 zero", "::", "0.0.0.0", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := addressKey(test.addr) == addressKey(test.same); got != test.equal {
				t.Errorf("%v and %v: equal %v, want %v", addressKey(test.addr), addressKey(test.same), got, test.equal)
			}
		})
	}
}

// attempt makes one attempt on the throttle and tells how long the address has to wait.
func attempt(t *testing.T, th *throttle, addr string, now time.Time, fails bool) time.Duration {
	t.Helper()
	a, err := th.enter(t.Context(), addr, now)
	if err != nil {
		t.Fatal(err)
	}
	defer th.leave(a)
	wait := th.wait(a, now)
	if wait == 0 && fails {
		th.remember(a, append(slices.Clone(a.failures), now), now)
	}
	return wait
}

func TestThrottleWindowSlides(t *testing.T) {
	t.Parallel()
	th, start := newThrottle(), newClock().now()
	steps := []struct {
		at   time.Duration
		want time.Duration
	}{
		{0, 0},
		{40 * time.Second, 0},
		{41 * time.Second, 19 * time.Second},
		{59 * time.Second, time.Second},
		{60 * time.Second, 0}, // the failure at 0 is past; this one is the second with that at 40
		{61 * time.Second, 39 * time.Second},
		{100 * time.Second, 0},
	}
	for _, step := range steps {
		if got := attempt(t, th, "192.0.2.1", start.Add(step.at), true); got != step.want {
			t.Errorf("at %v: wait %v, want %v", step.at, got, step.want)
		}
	}
}

func TestThrottleForgets(t *testing.T) {
	t.Parallel()
	th, start := newThrottle(), newClock().now()
	for i := range 100 {
		attempt(t, th, fmt.Sprintf("192.0.2.%d", i), start, true)
	}
	attempt(t, th, "198.51.100.1", start, false)
	if len(th.known) != 100 || th.failed.Len() != 100 {
		t.Fatalf("%d addresses known, %d with failures, want 100 of each: successes are not kept",
			len(th.known), th.failed.Len())
	}
	attempt(t, th, "198.51.100.1", start.Add(failureWindow), false)
	if len(th.known) != 0 || th.failed.Len() != 0 {
		t.Errorf("%d addresses known, %d with failures after the window, want none", len(th.known), th.failed.Len())
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), newClock().now()
	nth := func(i int) string { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String() }
	for i := range maxAddresses + 10 {
		attempt(t, th, nth(i), now, true)
		attempt(t, th, nth(i), now, true)
	}
	if len(th.known) != maxAddresses || th.failed.Len() != maxAddresses {
		t.Errorf("%d addresses known, %d with failures, want %d", len(th.known), th.failed.Len(), maxAddresses)
	}
	if got := attempt(t, th, nth(maxAddresses), now, false); got != failureWindow {
		t.Errorf("a recent address waits %v, want %v: the oldest is the one to forget", got, failureWindow)
	}
}

func TestThrottleTakesTurns(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), newClock().now()
	first, err := th.enter(t.Context(), "192.0.2.1", now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := th.enter(ctx, "192.0.2.1", now); !errors.Is(err, context.Canceled) {
		t.Errorf("a second attempt while the first is under way = %v, want to wait until cancelled", err)
	}
	if _, err := th.enter(t.Context(), "192.0.2.2", now); err != nil {
		t.Errorf("another address has to wait: %v", err)
	}
	th.leave(first)
	if _, ok := th.known[first.key]; ok {
		t.Error("an address without failures is kept after its last attempt")
	}
}

// TestThrottleFollowsTheDatabase: what other processes remember replaces what this one does, as
// far as it matters now.
func TestThrottleFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	ago := func(all ...time.Duration) (times []time.Time) {
		for _, d := range all {
			times = append(times, now.Add(-d))
		}
		return times
	}
	tests := []struct {
		name     string
		failures []time.Time
		want     time.Duration
	}{
		{"none", nil, 0},
		{"one", ago(time.Second), 0},
		{"two", ago(20*time.Second, time.Second), 40 * time.Second},
		{"one of two is past", ago(failureWindow, time.Second), 0},
		{"the last two count", ago(50*time.Second, 30*time.Second, 10*time.Second), 30 * time.Second},
		{"a clock that is ahead", ago(0, -5*time.Second), failureWindow},
		{"a clock that is wrong", ago(-failureWindow, -24*time.Hour), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			th := newThrottle()
			a, err := th.enter(t.Context(), "192.0.2.1", now)
			if err != nil {
				t.Fatal(err)
			}
			th.remember(a, ago(2*time.Second, time.Second), now)
			th.remember(a, test.failures, now)
			if got := th.wait(a, now); got != test.want {
				t.Errorf("wait %v, want %v", got, test.want)
			}
			th.leave(a)
			if kept := len(th.known) == 1; kept != (len(recent(test.failures, now)) > 0) || th.failed.Len() != len(th.known) {
				t.Errorf("%d addresses are known, %d with failures", len(th.known), th.failed.Len())
			}
		})
	}
}
