package mydatahelps

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
)

// DefaultRateLimit is how many requests an hour an account has where nothing else is said.
const DefaultRateLimit = 1_000_000

// budgetWindow is what a budget is for; windows begin with the hour.
const budgetWindow = time.Hour

// maxAddresses is how many addresses have a budget of their own at a time, so that memory stays
// bounded whoever calls. All others share one.
const maxAddresses = 100_000

// payer is whose budget a request is counted against.
type payer struct {
	kind string // "account", "user" or "address"
	name string
}

const addressPayer = "address"

func accountOf(caller *access.Principal) payer {
	if caller.Service {
		return payer{"account", caller.Name}
	}
	return payer{"user", caller.Name}
}

// addressOf is the payer of a request without a caller: its peer's address, or the /64 that a
// host of IPv6 has to itself.
func addressOf(r *http.Request) payer {
	host := httpx.RemoteHost(r)
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && !ip.Is4In6() {
		if network, err := ip.WithZone("").Prefix(64); err == nil {
			host = network.String()
		}
	}
	return payer{addressPayer, host}
}

// budget counts requests in windows of an hour. It is safe for concurrent use.
type budget struct {
	limit int
	now   func() time.Time

	mu        sync.Mutex
	window    time.Time // when the running window began
	used      map[payer]int
	addresses int // how many payers of used are addresses
}

func newBudget(limit int, now func() time.Time) *budget {
	if limit <= 0 {
		limit = DefaultRateLimit
	}
	return &budget{limit: limit, now: now}
}

// take counts one request. It answers how many are left, in how many seconds the budget is
// whole again, and whether there was one left for this request.
func (b *budget) take(who payer) (remaining, reset int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if window := now.Truncate(budgetWindow); !window.Equal(b.window) {
		b.window, b.used, b.addresses = window, map[payer]int{}, 0
	}
	if _, known := b.used[who]; !known && who.kind == addressPayer {
		if b.addresses >= maxAddresses {
			who.name = "" // the one that is shared
		} else {
			b.addresses++
		}
	}
	if ok = b.used[who] < b.limit; ok {
		b.used[who]++
	}
	reset = int(math.Ceil(b.window.Add(budgetWindow).Sub(now).Seconds()))
	return b.limit - b.used[who], reset, ok
}

// charge counts a request and tells the client how its budget stands, on every answer
// (decisions, MyDataHelps 12). It answers fault TooMany if the budget is used up.
func (b *budget) charge(w http.ResponseWriter, who payer) *fault.Error {
	remaining, reset, ok := b.take(who)
	h := w.Header()
	h.Set("RateLimit-Limit", strconv.Itoa(b.limit))
	h.Set("RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("RateLimit-Reset", strconv.Itoa(reset))
	if ok {
		return nil
	}
	err := fault.New(fault.TooMany, budgetSpent, "the budget of %d requests an hour is used up", b.limit)
	err.RetryAfterSeconds = reset
	return err
}

// setRetryAfter is for answers that [httpx.Adapt] does not make.
func setRetryAfter(w http.ResponseWriter, err *fault.Error) {
	if err.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(err.RetryAfterSeconds))
	}
}
