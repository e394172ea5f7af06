package httpx

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// exchange is what one request and its answer gather on their way, for the access record and
// the metrics. It belongs to the request's goroutine; the actor alone may come from another.
type exchange struct {
	requestID string
	route     string // the pattern of the innermost Mux that matched; empty for none
	writer    *responseWriter
	err       error  // what the handler returned
	stack     string // where it panicked
	late      bool   // err came after the answer had begun
	hungUp    bool   // the client went away

	mu    sync.Mutex
	actor string
}

type exchangeKey struct{}

func exchangeIn(ctx context.Context) *exchange {
	ex, _ := ctx.Value(exchangeKey{}).(*exchange)
	return ex
}

// exchangeOf returns the exchange of a request. Without a Front before it, as in a dialect's
// own tests, it starts one that ends unlogged.
func exchangeOf(w http.ResponseWriter, r *http.Request) (*exchange, http.ResponseWriter, *http.Request) {
	if ex := exchangeIn(r.Context()); ex != nil {
		return ex, w, r
	}
	ex := &exchange{writer: &responseWriter{ResponseWriter: w}}
	return ex, ex.writer, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, ex))
}

// RequestID returns the id of the request that ctx belongs to; empty outside a request.
func RequestID(ctx context.Context) string {
	if ex := exchangeIn(ctx); ex != nil {
		return ex.requestID
	}
	return ""
}

// SetActor names who makes the request, for its access record: a user name or the name of a
// service account, never a participant.
func SetActor(ctx context.Context, name string) {
	if ex := exchangeIn(ctx); ex != nil {
		ex.mu.Lock()
		defer ex.mu.Unlock()
		ex.actor = name
	}
}

func (ex *exchange) actorName() string {
	ex.mu.Lock()
	defer ex.mu.Unlock()
	return ex.actor
}

// RemoteHost returns the address of the client without its port: the peer's, or what a trusted
// proxy says of its client, see [Proxies].
func RemoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

const maxRequestID = 64 // characters

// validRequestID reports whether a client's request id may enter logs and audit events.
func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
