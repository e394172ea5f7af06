package httpx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"

	"rollcall/internal/fault"
)

// HandlerFunc answers a request or says why it cannot. It writes no error answers itself.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Renderer writes an error in the words of one edge: its status, its headers, its body.
// Retry-After is already set. Err is never nil, and its cause must not be shown.
type Renderer func(w http.ResponseWriter, r *http.Request, err *fault.Error)

// StatusClientGone is what is logged and counted for a client that hung up before its answer.
const StatusClientGone = 499

// stoppingRetrySeconds is what a request cut by a shutdown is told to wait: about a restart.
const stoppingRetrySeconds = 10

// Cut wraps the error of an answer that was begun and cannot be finished. [Adapt] then breaks
// the connection, so that the client cannot take the part it has for the whole. It returns
// nil for a nil error.
func Cut(err error) error {
	if err == nil {
		return nil
	}
	return &cutError{err}
}

type cutError struct{ err error }

func (e *cutError) Error() string { return "answer cut short: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

// Adapt makes handlers of functions that return errors. It alone turns an error into an answer:
//
//   - an error is rendered by render; one that nobody classified is fault.Internal;
//   - an error after the answer has begun is only noted in the access record, and if it is a
//     [Cut] the connection is broken as well;
//   - a client that hung up, or stopped taking the answer, counts as [StatusClientGone], not as a failure of ours;
//   - a panic is fault.Internal with its stack in the access record; once the answer has begun
//     it breaks the connection. http.ErrAbortHandler passes through.
//
// Details go to the access record that [Front] writes, and nowhere else.
func Adapt(render Renderer) func(HandlerFunc) http.Handler {
	return func(h HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ex, w, r := exchangeOf(w, r)
			panicked, err := call(ex, h, w, r)
			if err != nil {
				answer(ex, render, w, r, err, panicked)
			}
		})
	}
}

// call runs the handler and turns a panic into an error.
func call(ex *exchange, h HandlerFunc, w http.ResponseWriter, r *http.Request) (panicked bool, err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler { //nolint:errorlint // a panic value is compared as it is, as net/http does
			panic(v)
		}
		ex.stack = string(debug.Stack())
		panicked, err = true, fault.Wrap(fault.Internal, fmt.Errorf("panic: %v", v), "internal error")
	}()
	return false, h(w, r)
}

func answer(ex *exchange, render Renderer, w http.ResponseWriter, r *http.Request, err error, panicked bool) {
	ex.err = err
	var cut *cutError
	if ex.writer.wrote {
		ex.late, ex.hungUp = true, ex.writer.gone || hungUp(r.Context(), err)
		if panicked || errors.As(err, &cut) {
			panic(http.ErrAbortHandler)
		}
		return
	}
	if hungUp(r.Context(), err) {
		ex.hungUp = true
		w.WriteHeader(StatusClientGone) // lest net/http say 200 to a client that closed one half only
		return
	}
	e := fault.As(err)
	if stopping(r.Context(), err) {
		e = fault.Wrap(fault.Unavailable, err, "the server is stopping")
		e.RetryAfterSeconds = stoppingRetrySeconds
	}
	clearEntity(w.Header())
	if e.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	render(w, r, e)
}

// hungUp reports whether err only says that the client went away.
func hungUp(ctx context.Context, err error) bool {
	if !errors.Is(ctx.Err(), context.Canceled) || stopping(ctx, err) {
		return false
	}
	return errors.Is(err, context.Canceled) || fault.HasCode(err, CodeBodyBroken)
}

// stopping reports whether err only says that Serve ended the requests that were left.
func stopping(ctx context.Context, err error) bool {
	return errors.Is(context.Cause(ctx), errStopping) && errors.Is(err, context.Canceled)
}

// clearEntity drops what a handler had said about the answer that it did not give.
func clearEntity(h http.Header) {
	for _, name := range []string{
		"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition",
		"Etag", "Last-Modified", "Location", "Accept-Ranges",
	} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
}
