package httpx

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"rollcall/internal/fault"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	close(stopped)
	full := fault.New(fault.StorageFull, "", "the disk is full")
	full.RetryAfterSeconds = 30
	for _, tc := range []struct {
		name, path, wantBody, wantRetry string
		check                           error
		stopping                        chan struct{}
		want                            int
	}{
		{name: "alive", path: "/healthz", want: 200, wantBody: `{"status":"ok"}`},
		{name: "alive though not ready", path: "/healthz", check: errors.New("x"), stopping: stopped, want: 200, wantBody: `{"status":"ok"}`},
		{name: "ready", path: "/readyz", want: 200, wantBody: `{"status":"ready"}`},
		{name: "not ready, reason for us alone", path: "/readyz", check: errors.New("dial 10.0.0.1"), want: 503, wantBody: `{"message":"not ready"}`},
		{name: "not ready, reason for all", path: "/readyz", check: full, want: 503, wantBody: `{"message":"the disk is full"}`, wantRetry: "30"},
		{name: "stopping", path: "/readyz", stopping: stopped, want: 503, wantBody: `{"message":"the server is stopping"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			mux := NewMux(RenderMessage)
			Health{
				Check: func(ctx context.Context) error {
					if _, ok := ctx.Deadline(); !ok {
						t.Error("the check has no deadline")
					}
					return tc.check
				},
				Stopping: tc.stopping,
				Metrics:  prometheus.NewRegistry(),
			}.Mount(mux)
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, httptest.NewRequest("GET", tc.path, nil))
			got := []any{rec.Code, rec.Body.String(), rec.Header().Get("Retry-After")}
			if diff := cmp.Diff([]any{tc.want, tc.wantBody, tc.wantRetry}, got); diff != "" {
				t.Errorf("status, body, retry (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	metrics, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewMetrics(reg); err == nil {
		t.Error("the same metrics twice in one registry: no error")
	}
	h := newHarness()
	h.front.Metrics = metrics
	mux := newTestMux()
	Health{Metrics: reg}.Mount(mux)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	mux.Route("GET /gone", Health{Check: func(ctx context.Context) error { return ctx.Err() }}.ready)

	for _, r := range []struct {
		ctx          context.Context
		method, path string
	}{
		{t.Context(), "GET", "/one"},
		{t.Context(), "GET", "//one/"},
		{t.Context(), "DELETE", "/one"},
		{t.Context(), "GET", "/nowhere/1"},
		{t.Context(), "GET", "/nowhere/2"},
		{t.Context(), "POST", "/pages/ann"},
		{t.Context(), "MADEUP", "/nowhere"},
		{gone, "GET", "/gone"},
	} {
		h.do(mux, httptest.NewRequestWithContext(r.ctx, r.method, r.path, nil))
	}
	rec, _ := h.do(mux, httptest.NewRequest("GET", "/metrics", nil))
	var got []string
	for line := range strings.Lines(rec.Body.String()) {
		if strings.HasPrefix(line, "rollcall_http_requests_total{") || strings.HasPrefix(line, `rollcall_http_request_duration_seconds_count{method="GET",route="/one"}`) {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{
		`rollcall_http_request_duration_seconds_count{method="GET",route="/one"} 2`,
		`rollcall_http_requests_total{method="DELETE",route="unmatched",status="4xx"} 1`,
		`rollcall_http_requests_total{method="GET",route="/gone",status="499"} 1`,
		`rollcall_http_requests_total{method="GET",route="/one",status="2xx"} 2`,
		`rollcall_http_requests_total{method="GET",route="unmatched",status="4xx"} 2`,
		`rollcall_http_requests_total{method="POST",route="/pages/{id}",status="2xx"} 1`,
		`rollcall_http_requests_total{method="other",route="unmatched",status="4xx"} 1`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestMetricsTimeRequests(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	metrics, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	metrics.observe("GET /slow", "GET", 200, 3*time.Second)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "rollcall_http_request_duration_seconds" {
			if got := f.GetMetric()[0].GetHistogram().GetSampleSum(); got != 3 {
				t.Errorf("seconds = %v, want 3", got)
			}
			return
		}
	}
	t.Error("no duration histogram")
}
