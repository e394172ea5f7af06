package mydatahelps

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/store/enginetest"
)

// TestBudgetUsedUp sends more requests than there are, at once, and counts those that were let
// through.
func TestBudgetUsedUp(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWorldOn(t, engine, func(c *Config) { c.RateLimit = 10 })
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
	})
}

// TestBudgetOfThoseWithoutAToken is their address's: it holds at the token endpoint too.
func TestBudgetOfThoseWithoutAToken(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWorldOn(t, engine, func(c *Config) { c.RateLimit = 3 })
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
	})
}

// TestBudgetWithoutDatabase: whom the database cannot count is told to come back, however it
// was asked; what was set aside before is good for as long as it lasts.
func TestBudgetWithoutDatabase(t *testing.T) {
	t.Parallel()
	away := &awayStore{}
	w := newWorld(t, func(c *Config) {
		away.Store, c.Store = c.Store, away
		c.RateLimit = 200 // blocks of two
	})
	if answer := w.send(other, "GET", ceres, "", ""); answer.Code != http.StatusOK {
		t.Fatalf("before: %s", statusAndBody(answer))
	}
	away.gone.Store(true)
	for i, want := range []int{200, 503, 503} {
		answer := w.send(other, "GET", ceres, "", "")
		if answer.Code != want || (want == 503) != (answer.Header().Get("Retry-After") == "5") {
			t.Errorf("request %d: %s %v, want %d", i+1, statusAndBody(answer), answer.Header(), want)
		}
	}
	away.gone.Store(false)
	answer := w.send(other, "GET", ceres, "", "")
	if left := answer.Header().Get("RateLimit-Remaining"); answer.Code != http.StatusOK || left != "197" {
		t.Errorf("afterwards: %s, %s left, want 197: what was not admitted is not counted", statusAndBody(answer), left)
	}
}

// awayStore cannot count requests while it is gone.
type awayStore struct {
	access.Store
	gone atomic.Bool
}

func (s *awayStore) SpendBudget(ctx context.Context, payer string, window time.Time, want, limit int64) (int64, int64, error) {
	if s.gone.Load() {
		err := fault.New(fault.Unavailable, "", "the database is not available")
		err.RetryAfterSeconds = 5
		return 0, 0, err
	}
	return s.Store.SpendBudget(ctx, payer, window, want, limit)
}
