package cli

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"rollcall/internal/jobs"
)

// jobMetrics counts what the job runner does. It is a [jobs.Observer].
type jobMetrics struct {
	records *prometheus.CounterVec
	ended   *prometheus.CounterVec
}

// newJobMetrics registers rollcall_job_records_total and rollcall_jobs_ended_total.
func newJobMetrics(reg prometheus.Registerer) (*jobMetrics, error) {
	m := &jobMetrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_job_records_total",
			Help: "Records or rows done by jobs, by kind of job and result (ok, failed).",
		}, []string{"kind", "result"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_jobs_ended_total",
			Help: "Jobs that ended, by kind and state (completed, failed).",
		}, []string{"kind", "state"}),
	}
	return m, register(reg, m.records, m.ended)
}

// RowsDone implements [jobs.Observer].RowsDone.
func (m *jobMetrics) RowsDone(kind string, done, failed int64) {
	m.records.WithLabelValues(kind, "ok").Add(float64(done - failed))
	m.records.WithLabelValues(kind, "failed").Add(float64(failed))
}

// JobEnded implements [jobs.Observer].JobEnded.
func (m *jobMetrics) JobEnded(kind string, state jobs.State) {
	m.ended.WithLabelValues(kind, string(state)).Inc()
}

// gaugeTimeout bounds what a scrape may ask of the database.
const gaugeTimeout = 2 * time.Second

// registerGauges registers what is measured when it is asked for: the Go runtime, the process,
// the build and how many jobs are unfinished.
func registerGauges(reg prometheus.Registerer, store jobs.Store) error {
	unfinished := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rollcall_jobs_unfinished",
		Help: "Jobs that are queued or in progress; NaN while the database is away.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), gaugeTimeout) // a scrape brings no context
		defer cancel()
		list, err := store.UnfinishedJobs(ctx)
		if err != nil {
			return math.NaN()
		}
		return float64(len(list))
	})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "rollcall_build_info",
		Help: "Always 1; the labels say which build this is.",
	}, []string{"version", "goversion"})
	b := readBuild()
	build.WithLabelValues(b.version, b.goVersion).Set(1)
	return register(reg, unfinished, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

func register(reg prometheus.Registerer, all ...prometheus.Collector) error {
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}
