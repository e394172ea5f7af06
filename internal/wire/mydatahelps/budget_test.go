package mydatahelps

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBudgetIsOfOneHourAndOneCaller(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 4, 9, 59, 0, 500_000_000, time.UTC)
	b := newBudget(2, func() time.Time { return now })
	ann, bob := payer{"account", "ann"}, payer{"account", "bob"}
	steps := []struct {
		name             string
		after            time.Duration
		who              payer
		remaining, reset int
		ok               bool
	}{
		{"first", 0, ann, 1, 60, true},
		{"second", 0, ann, 0, 60, true},
		{"third is too many", time.Second, ann, 0, 59, false},
		{"another has its own", 0, bob, 1, 59, true},
		{"a user of the same name too", 0, payer{"user", "ann"}, 1, 59, true},
		{"the last moment of the hour", 58*time.Second + 400*time.Millisecond, ann, 0, 1, false},
		{"the next hour", 100 * time.Millisecond, ann, 1, 3600, true},
		{"and not more than it", 30 * time.Minute, ann, 0, 1800, true},
		{"", 0, ann, 0, 1800, false},
	}
	for _, s := range steps {
		now = now.Add(s.after)
		if remaining, reset, ok := b.take(s.who); remaining != s.remaining || reset != s.reset || ok != s.ok {
			t.Errorf("%s: %d left, whole in %d s, %t; want %d, %d, %t", s.name, remaining, reset, ok, s.remaining, s.reset, s.ok)
		}
	}
	if got := newBudget(0, time.Now).limit; got != DefaultRateLimit {
		t.Errorf("no limit given: %d, want %d", got, DefaultRateLimit)
	}
}

func TestBudgetMemoryIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 4, 9, 0, 0, 0, time.UTC)
	b := newBudget(1000, func() time.Time { return now })
	for i := range maxAddresses + 500 {
		b.take(payer{addressPayer, strconv.Itoa(i)})
	}
	b.take(payer{"account", "ann"})
	if len(b.used) != maxAddresses+2 { // those of their own, the shared one, the account
		t.Errorf("%d budgets are kept, want %d", len(b.used), maxAddresses+2)
	}
	if remaining, _, _ := b.take(payer{addressPayer, "late"}); remaining != 1000-501 {
		t.Errorf("late addresses share a budget: %d left, want %d", remaining, 1000-501)
	}
	now = now.Add(time.Hour)
	b.take(payer{"account", "ann"})
	if len(b.used) != 1 {
		t.Errorf("%d budgets are kept in a new hour, want 1", len(b.used))
	}
}

func TestAddressesOfOneHostShareABudget(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, remote, want string }{
		{"IPv4", "192.0.2.1:4711", "192.0.2.1"},
		{"IPv4 within IPv6", "[::ffff:192.0.2.1]:4711", "::ffff:192.0.2.1"},
		{"IPv6", "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"},
		{"IPv6 with a zone", "[fe80::1%eth0]:4711", "fe80::/64"},
		{"a socket", "@", "@"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.remote
			if got := addressOf(r); got != (payer{addressPayer, test.want}) {
				t.Errorf("%v, want %s", got, test.want)
			}
		})
	}
}

// TestBudgetUsedUp sends more requests than there are, at once, and counts those that were let
// through.
func TestBudgetUsedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.RateLimit = 10 })
	token := w.token(myapp)
	var through, refused atomic.Int32
	var clients sync.WaitGroup
	for range 30 {
		clients.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, juno+"/nobody", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			switch answer := w.answer(r); answer.Code {
			case http.StatusNotFound:
				through.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
				h := answer.Header()
				if h.Get("Retry-After") != "3300" || h.Get("RateLimit-Reset") != "3300" || h.Get("RateLimit-Remaining") != "0" {
					t.Errorf("429 with %v", h)
				}
			default:
				t.Errorf("%s", statusAndBody(answer))
			}
		})
	}
	clients.Wait()
	if through.Load() != 10 || refused.Load() != 20 {
		t.Errorf("%d let through and %d refused, want 10 and 20", through.Load(), refused.Load())
	}
	for name, path := range map[string]string{"an unknown address": Prefix + "/nothing", "another endpoint": juno} {
		if answer := w.send(myapp, "GET", path, "", ""); answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %s", name, statusAndBody(answer))
		}
	}
	if answer := w.send(other, "GET", ceres, "", ""); answer.Code != http.StatusOK {
		t.Errorf("another account: %s", statusAndBody(answer))
	}
	w.advance(55 * time.Minute)
	if answer := w.send(myapp, "GET", juno, "", ""); answer.Code != http.StatusOK {
		t.Errorf("in the next hour: %s", statusAndBody(answer))
	}
}

// TestBudgetOfThoseWithoutAToken is their address's: it holds at the token endpoint too.
func TestBudgetOfThoseWithoutAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.RateLimit = 3 })
	for i, want := range []int{401, 400, 401, 429} {
		method, path := http.MethodGet, juno
		if i == 1 {
			method, path = http.MethodPost, TokenPath
		}
		answer := w.send("", method, path, "", "")
		if answer.Code != want {
			t.Errorf("request %d: %s, want %d", i+1, statusAndBody(answer), want)
		}
		if got, want := answer.Header().Get("RateLimit-Remaining"), fmt.Sprint(max(2-i, 0)); got != want {
			t.Errorf("request %d: %s left, want %s", i+1, got, want)
		}
	}
	answer := w.send("", "POST", TokenPath, "application/x-www-form-urlencoded", tokenForm(w.assertion(myapp, nil)).Encode())
	if answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") != "3300" {
		t.Errorf("token endpoint: %s %v", statusAndBody(answer), answer.Header())
	}
}
