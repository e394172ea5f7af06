package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

// harness is a front whose access records can be read.
type harness struct {
	log   bytes.Buffer
	front Front
}

func newHarness() *harness {
	h := &harness{}
	h.front = Front{
		Log:   slog.New(slog.NewJSONHandler(&h.log, nil)),
		Now:   time.Now,
		NewID: func() string { return "made-1" },
	}
	return h
}

// do sends one request through the front; it hands back a panic that came through.
func (h *harness) do(next http.Handler, r *http.Request) (rec *httptest.ResponseRecorder, panicked any) {
	rec = httptest.NewRecorder()
	defer func() { panicked = recover() }()
	h.front.Wrap(next).ServeHTTP(rec, r)
	return rec, nil
}

// record returns the one access record; it fails the test if there is not exactly one.
func (h *harness) record(t *testing.T) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(h.log.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d access records, want 1:\n%s", len(lines), h.log.String())
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatalf("access record %q: %v", lines[0], err)
	}
	return got
}

func TestAdaptRendersErrors(t *testing.T) {
	t.Parallel()
	busy := fault.New(fault.TooMany, "", "slow down")
	busy.RetryAfterSeconds = 7
	for _, tc := range []struct {
		name, wantBody, wantRetry string
		err                       error
		wantStatus                int
		wantLogged                map[string]any // of the keys named; nil for one that must be absent
	}{
		{
			name: "a fault", err: fault.Wrap(fault.Invalid, errors.New("got ann@example.org"), "wrong").In("email"),
			wantStatus: 400, wantBody: `{"message":"wrong"}`,
			wantLogged: map[string]any{"level": "INFO", "fault": "invalid", "field": "email", "error": nil},
		},
		{
			name: "a wrapped fault", err: fmt.Errorf("add: %w", fault.New(fault.Conflict, "taken", "in use").WithHint("choose another")),
			wantStatus: 409, wantBody: `{"message":"in use","hint":"choose another"}`,
			wantLogged: map[string]any{"fault": "conflict", "code": "taken"},
		},
		{
			name: "an unclassified error", err: errors.New("disk on fire"),
			wantStatus: 500, wantBody: `{"message":"internal error"}`,
			wantLogged: map[string]any{"level": "ERROR", "fault": "internal", "error": "disk on fire", "stack": nil},
		},
		{
			name: "retry after", err: busy,
			wantStatus: 429, wantBody: `{"message":"slow down"}`, wantRetry: "7",
			wantLogged: map[string]any{"fault": "too many"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			next := Adapt(RenderMessage)(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Disposition", "attachment") // of the answer that never came
				return tc.err
			})
			rec, _ := h.do(next, httptest.NewRequest("POST", "/x", nil))
			if rec.Code != tc.wantStatus || rec.Body.String() != tc.wantBody {
				t.Errorf("answer = %d %s, want %d %s", rec.Code, rec.Body, tc.wantStatus, tc.wantBody)
			}
			if got := rec.Header().Get("Retry-After"); got != tc.wantRetry {
				t.Errorf("Retry-After = %q, want %q", got, tc.wantRetry)
			}
			if got := rec.Header().Get("Content-Disposition"); got != "" {
				t.Errorf("the failed answer's Content-Disposition %q stayed", got)
			}
			got := h.record(t)
			for key, want := range tc.wantLogged {
				if got[key] != want {
					t.Errorf("logged %s = %v, want %v", key, got[key], want)
				}
			}
		})
	}
}

func TestAdaptOnlyNotesAnErrorAfterTheAnswer(t *testing.T) {
	t.Parallel()
	h := newHarness()
	rec, panicked := h.do(Adapt(RenderMessage)(func(w http.ResponseWriter, _ *http.Request) error {
		if err := WriteJSON(w, http.StatusCreated, "done"); err != nil {
			return err
		}
		return errors.New("too late")
	}), httptest.NewRequest("POST", "/x", nil))
	if panicked != nil || rec.Code != 201 || rec.Body.String() != `"done"` {
		t.Errorf("answer = %d %s (panic %v), want the first one alone", rec.Code, rec.Body, panicked)
	}
	got := h.record(t)
	want := map[string]any{"status": 201., "afterAnswer": true, "error": "too late", "bytes": 6.}
	for key, w := range want {
		if got[key] != w {
			t.Errorf("logged %s = %v, want %v", key, got[key], w)
		}
	}
}

func TestAdaptBreaksTheConnectionOfACutAnswer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func() error
	}{
		{"cut", func() error { return fmt.Errorf("extract: %w", Cut(errors.New("database away"))) }},
		{"panic", func() error { panic("boom") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			_, panicked := h.do(Adapt(RenderMessage)(func(w http.ResponseWriter, _ *http.Request) error {
				if _, err := w.Write([]byte("half a")); err != nil {
					return err
				}
				return tc.end()
			}), httptest.NewRequest("GET", "/x", nil))
			if panicked != http.ErrAbortHandler {
				t.Errorf("panic = %v, want http.ErrAbortHandler", panicked)
			}
			got := h.record(t)
			if got["aborted"] != true || got["afterAnswer"] != true || got["status"] != 200. {
				t.Errorf("record = %v", got)
			}
		})
	}
	if Cut(nil) != nil {
		t.Error("Cut(nil) is an error")
	}
}

func TestAdaptRecoversPanics(t *testing.T) {
	t.Parallel()
	h := newHarness()
	rec, panicked := h.do(Adapt(RenderMessage)(func(http.ResponseWriter, *http.Request) error {
		panic("boom")
	}), httptest.NewRequest("GET", "/x", nil))
	if panicked != nil || rec.Code != 500 || rec.Body.String() != `{"message":"internal error"}` {
		t.Errorf("answer = %d %s (panic %v)", rec.Code, rec.Body, panicked)
	}
	got := h.record(t)
	if stack, _ := got["stack"].(string); !strings.Contains(stack, "TestAdaptRecoversPanics") {
		t.Errorf("stack = %q, want the handler in it", stack)
	}
	if text, _ := got["error"].(string); !strings.Contains(text, "boom") {
		t.Errorf("error = %q, want the panic's value in it", text)
	}
}

func TestAdaptPassesErrAbortHandler(t *testing.T) {
	t.Parallel()
	h := newHarness()
	_, panicked := h.do(Adapt(RenderMessage)(func(http.ResponseWriter, *http.Request) error {
		panic(http.ErrAbortHandler)
	}), httptest.NewRequest("GET", "/x", nil))
	if panicked != http.ErrAbortHandler {
		t.Errorf("panic = %v, want http.ErrAbortHandler", panicked)
	}
	if got := h.record(t); got["aborted"] != true || got["stack"] != nil {
		t.Errorf("record = %v", got)
	}
}

func TestAdaptTellsHangUpsFromFailures(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	stopped, end := context.WithCancelCause(t.Context())
	end(errStopping)
	broken := fault.New(fault.Invalid, CodeBodyBroken, "cut off")
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"client gone", gone, fmt.Errorf("query: %w", context.Canceled), 499},
		{"client gone, classified below", gone, fault.Wrap(fault.Unavailable, context.Canceled, "database away"), 499},
		{"client gone in its body", gone, broken, 499},
		{"body broken, client waits", t.Context(), broken, 400},
		{"client gone, but it was wrong first", gone, fault.New(fault.Invalid, "", "wrong"), 400},
		{"cancelled by ourselves", t.Context(), context.Canceled, 500},
		{"server stopping", stopped, fmt.Errorf("query: %w", context.Canceled), 503},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			rec, _ := h.do(Adapt(RenderMessage)(func(http.ResponseWriter, *http.Request) error {
				return tc.err
			}), httptest.NewRequestWithContext(tc.ctx, "GET", "/x", nil))
			if rec.Code != tc.want {
				t.Errorf("status = %d, want %d", rec.Code, tc.want)
			}
			got := h.record(t)
			if got["status"] != float64(tc.want) {
				t.Errorf("logged status = %v, want %d", got["status"], tc.want)
			}
			if wantRetry := tc.want == 503; (rec.Header().Get("Retry-After") != "") != wantRetry {
				t.Errorf("Retry-After = %q", rec.Header().Get("Retry-After"))
			}
		})
	}
}

func TestAdaptWorksWithoutAFront(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	Adapt(RenderMessage)(func(w http.ResponseWriter, r *http.Request) error {
		SetActor(r.Context(), "dana")
		if err := WriteJSON(w, 200, "done"); err != nil {
			return err
		}
		return errors.New("late")
	}).ServeHTTP(rec, httptest.NewRequest("GET", "/x", nil))
	if diff := cmp.Diff(`"done"`, rec.Body.String()); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}
