package mydatahelps

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
)

// DefaultRateLimit is how many requests an hour an account has where nothing else is said.
const DefaultRateLimit = 1_000_000

// newBudget makes the request budget of a configuration.
func newBudget(c Config) *access.Budget {
	limit := c.RateLimit
	if limit <= 0 {
		limit = DefaultRateLimit
	}
	return access.NewBudget(c.Store, int64(limit), c.Now)
}

// addressOf is the payer of a request without a caller.
func addressOf(r *http.Request) access.Payer { return access.PayerAt(httpx.RemoteHost(r)) }

// charge counts a request and tells the client how its budget stands, on every answer
// (decisions, MyDataHelps 12), unless the database does not say. It answers fault TooMany if
// the budget is used up.
func (a *API) charge(ctx context.Context, w http.ResponseWriter, who access.Payer) error {
	s, err := a.budget.Spend(ctx, who)
	if err != nil {
		return err
	}
	reset := wholeSeconds(s.Reset)
	h := w.Header()
	h.Set("RateLimit-Limit", strconv.FormatInt(s.Limit, 10))
	h.Set("RateLimit-Remaining", strconv.FormatInt(s.Remaining, 10))
	h.Set("RateLimit-Reset", strconv.Itoa(reset))
	if s.Admitted {
		return nil
	}
	over := fault.New(fault.TooMany, budgetSpent, "the budget of %d requests an hour is used up", s.Limit)
	over.RetryAfterSeconds = reset
	return over
}

// wholeSeconds is never less than d.
func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// setRetryAfter is for answers that [httpx.Adapt] does not make.
func setRetryAfter(w http.ResponseWriter, err *fault.Error) {
	if err.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(err.RetryAfterSeconds))
	}
}
