package httpx

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"rollcall/internal/fault"
)

// DefaultStall is how long a client may neither send nor take a byte that we wait for.
const DefaultStall = 30 * time.Second

// requestIDHeader carries the request id both ways.
const requestIDHeader = "X-Request-Id"

// Front is what every request passes before its route is sought: it gives the request its id,
// its plain path, its deadlines and the default security headers, and writes the one access
// record and the metrics when the request ends.
type Front struct {
	Log   *slog.Logger     // required; one record per request
	Now   func() time.Time // required; deadlines come from it as well, so it must run with the world
	NewID func() string    // required; makes a request id of at most 64 of [A-Za-z0-9._-]

	Metrics *Metrics      // nil: nothing is counted
	Stall   time.Duration // 0: DefaultStall
	Proxies Proxies       // whose word about their clients' addresses is believed
}

// Wrap puts the front before next. Every read of the request's body and every write of the
// answer gets a deadline of its own, so that a stalled client is dropped in finite time and a
// slow, steady one never.
func (f Front) Wrap(next http.Handler) http.Handler {
	if f.Stall == 0 {
		f.Stall = DefaultStall
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := f.Now()
		r = f.fromClient(r)
		ex := &exchange{requestID: f.requestID(r)}
		line := newDeadlines(w, r, f.Now, f.Stall)
		ex.writer = &responseWriter{ResponseWriter: w, line: line}

		h := w.Header()
		h.Set(requestIDHeader, ex.requestID)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")

		finished := false
		defer func() { // panics pass through: net/http drops the connection
			f.record(r, ex, start, f.Now(), finished)
		}()
		in := r.WithContext(context.WithValue(r.Context(), exchangeKey{}, ex))
		in.Body = line.guard(r.Body)
		next.ServeHTTP(ex.writer, normalise(in))
		line.beforeFlush() // net/http still has to send what it has buffered
		finished = true
	})
}

// fromClient is the request with the address of the client, not that of a trusted proxy.
func (f Front) fromClient(r *http.Request) *http.Request {
	client := f.Proxies.client(r)
	if client == r.RemoteAddr {
		return r
	}
	from := *r
	from.RemoteAddr = client
	return &from
}

func (f Front) requestID(r *http.Request) string {
	if id := r.Header.Get(requestIDHeader); validRequestID(id) {
		return id
	}
	return f.NewID()
}

// record writes the access record. It names the route's pattern, never the path or the query:
// those hold identifiers and addresses of people.
func (f Front) record(r *http.Request, ex *exchange, start, end time.Time, finished bool) {
	took := end.Sub(start)
	method, route, status := methodName(r.Method), ex.route, ex.status(finished)
	if route == "" {
		route = unmatched
	}
	if f.Metrics != nil {
		f.Metrics.observe(route, method, status, took)
	}
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	ctx, log := context.WithoutCancel(r.Context()), f.Log.Handler()
	if !log.Enabled(ctx, level) {
		return
	}
	record := slog.NewRecord(end, level, "request", 0) // by hand: the logger would look for its caller
	record.AddAttrs(
		slog.String("method", method),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Int64("bytes", ex.writer.bytes),
		slog.Duration("duration", took),
		slog.String("requestId", ex.requestID),
		slog.String("remoteHost", RemoteHost(r)),
	)
	if actor := ex.actorName(); actor != "" {
		record.AddAttrs(slog.String("actor", actor))
	}
	record.AddAttrs(ex.troubles(finished)...)
	_ = log.Handle(ctx, record) // a log that cannot be written has nobody to tell, as in slog
}

// status is what the access record and the metrics say: the status sent, or what befell it.
func (ex *exchange) status(finished bool) int {
	switch {
	case ex.hungUp:
		return StatusClientGone
	case ex.writer.status != 0:
		return ex.writer.status
	case finished:
		return http.StatusOK // net/http's answer for a handler that wrote nothing
	default:
		return http.StatusInternalServerError
	}
}

// troubles tells what went wrong. The text of an error is logged only if it is our own trouble:
// the causes of a client's errors may quote what the client sent.
func (ex *exchange) troubles(finished bool) []slog.Attr {
	var attrs []slog.Attr
	if !finished {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	if ex.writer.twice {
		attrs = append(attrs, slog.Bool("answeredTwice", true))
	}
	if ex.err == nil {
		return attrs
	}
	e := fault.As(ex.err)
	attrs = append(attrs, slog.String("fault", e.Kind.String()))
	if e.Code != "" {
		attrs = append(attrs, slog.String("code", string(e.Code)))
	}
	if e.Field != "" {
		attrs = append(attrs, slog.String("field", e.Field))
	}
	if ex.late {
		attrs = append(attrs, slog.Bool("afterAnswer", true))
	}
	if Status(e.Kind) >= 500 && !ex.hungUp {
		attrs = append(attrs, slog.String("error", ex.err.Error()))
	}
	if ex.stack != "" {
		attrs = append(attrs, slog.String("stack", ex.stack))
	}
	return attrs
}

// methodName keeps a made-up method out of logs and label values.
func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "other"
}
