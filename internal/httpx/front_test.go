package httpx

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, sent, want string }{
		{"none", "", "made-1"},
		{"valid", "Ab.9_-", "Ab.9_-"},
		{"64 characters", strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{"65 characters", strings.Repeat("a", 65), "made-1"},
		{"a space", "a b", "made-1"},
		{"a line break", "a\nb", "made-1"},
		{"not ASCII", "é", "made-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			var inside string
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["X-Request-Id"] = []string{tc.sent}
			rec, _ := h.do(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				inside = RequestID(r.Context())
			}), r)
			got := []string{inside, rec.Header().Get("X-Request-Id"), h.record(t)["requestId"].(string)}
			if diff := cmp.Diff([]string{tc.want, tc.want, tc.want}, got); diff != "" {
				t.Errorf("context, answer, log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutsideARequest(t *testing.T) {
	t.Parallel()
	SetActor(context.Background(), "nobody") // does nothing
	if got := RequestID(t.Context()); got != "" {
		t.Errorf("RequestID = %q, want none", got)
	}
}

func TestAccessRecord(t *testing.T) {
	t.Parallel()
	h := newHarness()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h.front.Now = func() time.Time { now = now.Add(time.Second); return now }
	mux := NewMux(RenderMessage)
	mux.Route("POST /people/{id}", func(w http.ResponseWriter, r *http.Request) error {
		SetActor(r.Context(), "dana")
		now = now.Add(10 * time.Second)
		return WriteJSON(w, http.StatusAccepted, r.PathValue("id"))
	})
	r := httptest.NewRequest("POST", "//people/ann?email=ann@example.org", strings.NewReader("body-of-ann"))
	r.RemoteAddr = "192.0.2.7:1234"
	h.do(mux, r)

	text := h.log.String()
	got := h.record(t)
	if got["duration"].(float64) < float64(10*time.Second) {
		t.Errorf("duration = %v, want 10 s or more", got["duration"])
	}
	delete(got, "duration")
	delete(got, "time")
	want := map[string]any{
		"level": "INFO", "msg": "request", "method": "POST", "route": "POST /people/{id}", "status": 202., "bytes": 5.,
		"requestId": "made-1", "remoteHost": "192.0.2.7", "actor": "dana",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("access record (-want +got):\n%s", diff)
	}
	if strings.Contains(text, "ann") {
		t.Errorf("the access record holds a value of the request: %s", text)
	}
}

func TestAccessRecordOfOddRequests(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, method string
		next         http.HandlerFunc
		want         map[string]any
	}{
		{"nothing written", "GET", func(http.ResponseWriter, *http.Request) {}, map[string]any{"status": 200., "route": "unmatched"}},
		{"made-up method", "ANNSMITH", func(http.ResponseWriter, *http.Request) {}, map[string]any{"method": "other"}},
		{"panic outside of Adapt", "GET", func(http.ResponseWriter, *http.Request) { panic("boom") },
			map[string]any{"status": 500., "aborted": true, "level": "ERROR"}},
		{"answered twice", "GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(400) },
			map[string]any{"status": 201., "answeredTwice": true}},
		{"announced first", "GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(204) },
			map[string]any{"status": 204., "answeredTwice": nil}},
		{"flushed only", "GET", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, map[string]any{"status": 200.}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			h.do(tc.next, httptest.NewRequest(tc.method, "/x", nil))
			got := h.record(t)
			for key, want := range tc.want {
				if got[key] != want {
					t.Errorf("logged %s = %v, want %v", key, got[key], want)
				}
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, set, want string
	}{
		{"by default", "", "no-store"},
		{"a handler's own", "public, max-age=60", "public, max-age=60"},
	} {
		h := newHarness()
		rec, _ := h.do(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tc.set != "" {
				w.Header().Set("Cache-Control", tc.set)
			}
		}), httptest.NewRequest("GET", "/", nil))
		if got := rec.Header().Get("Cache-Control"); got != tc.want {
			t.Errorf("%s: Cache-Control = %q, want %q", tc.name, got, tc.want)
		}
		if got := rec.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options = %q, want nosniff", tc.name, got)
		}
	}
}

func TestRemoteHost(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:443": "2001:db8::1", "@": "@"} {
		if got := RemoteHost(&http.Request{RemoteAddr: addr}); got != want {
			t.Errorf("RemoteHost of %q = %q, want %q", addr, got, want)
		}
	}
}
