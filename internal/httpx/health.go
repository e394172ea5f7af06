package httpx

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rollcall/internal/fault"
)

// readyTimeout bounds a readiness check: a prober that waits longer has given up anyway.
const readyTimeout = 5 * time.Second

// Health answers for the process itself.
type Health struct {
	// Check says whether requests can be served. The message of a *fault.Error reaches the
	// caller, nothing else of an error does.
	Check    func(context.Context) error
	Stopping <-chan struct{}     // closed once the server shuts down; nil for never
	Metrics  prometheus.Gatherer // what /metrics shows
}

// Mount adds GET /healthz (alive: always 200), GET /readyz (503 while Check fails or the server
// stops) and GET /metrics (Prometheus).
func (h Health) Mount(m *Mux) {
	m.Route("GET /healthz", h.alive)
	m.Route("GET /readyz", h.ready)
	m.Handle("GET /metrics", promhttp.HandlerFor(h.Metrics, promhttp.HandlerOpts{}))
}

func (h Health) alive(w http.ResponseWriter, _ *http.Request) error {
	return WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (h Health) ready(w http.ResponseWriter, r *http.Request) error {
	select {
	case <-h.Stopping:
		return fault.New(fault.Unavailable, "", "the server is stopping")
	default:
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := h.Check(ctx); err != nil {
		return notReady(err)
	}
	return WriteJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// notReady makes any failed check a 503, whatever its kind.
func notReady(err error) error {
	message, after := "not ready", 0
	var e *fault.Error
	if errors.As(err, &e) && e.Message != "" {
		message, after = e.Message, e.RetryAfterSeconds
	}
	out := fault.Wrap(fault.Unavailable, err, "%s", message)
	out.RetryAfterSeconds = after
	return out
}
