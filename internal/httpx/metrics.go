package httpx

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
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

	mu    sync.RWMutex
	known map[labels]series // what has been counted already, found without making label values
}

// labels are what tells series apart, as the front has them.
type labels struct{ route, method, class string }

type series struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

// NewMetrics registers rollcall_http_requests_total and rollcall_http_request_duration_seconds.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		known: map[labels]series{},
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
	s := m.series(labels{route, method, statusClass(status)})
	s.requests.Inc()
	s.seconds.Observe(took.Seconds())
}

func (m *Metrics) series(l labels) series {
	m.mu.RLock()
	s, ok := m.known[l]
	m.mu.RUnlock()
	if ok {
		return s
	}
	route := l.route
	if _, path, ok := strings.Cut(route, " "); ok {
		route = strings.TrimSpace(path) // the method has a label of its own
	}
	s = series{m.requests.WithLabelValues(route, l.method, l.class), m.seconds.WithLabelValues(route, l.method)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[l] = s
	return s
}

func statusClass(status int) string {
	switch {
	case status == StatusClientGone:
		return strconv.Itoa(status) // neither our failure nor a wrong request
	case status >= 200 && status < 300:
		return "2xx" // almost all
	}
	return strconv.Itoa(status/100) + "xx"
}
