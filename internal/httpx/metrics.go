package httpx

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// unmatched is the route of a request that no Mux knows.
const unmatched = "unmatched"

// Metrics counts and times requests by route, method and class of status. Its label values are
// bounded: patterns, known methods, classes.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics registers rollcall_http_requests_total and rollcall_http_request_duration_seconds.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_http_requests_total",
			Help: "Requests by route, method and class of status; 499 is a client that hung up.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rollcall_http_request_duration_seconds",
			Help:    "Time from a request's headers to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"route", "method"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register HTTP metrics: %w", err)
		}
	}
	return m, nil
}

func (m *Metrics) observe(route, method string, status int, took time.Duration) {
	if _, path, ok := strings.Cut(route, " "); ok {
		route = strings.TrimSpace(path) // the method has a label of its own
	}
	m.requests.WithLabelValues(route, method, statusClass(status)).Inc()
	m.seconds.WithLabelValues(route, method).Observe(took.Seconds())
}

func statusClass(status int) string {
	if status == StatusClientGone {
		return strconv.Itoa(status) // neither our failure nor a wrong request
	}
	return strconv.Itoa(status/100) + "xx"
}
