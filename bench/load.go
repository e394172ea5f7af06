package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// measures are what one run found, by name: rates in units of a second, other times in
// milliseconds but for seconds, memory in MB.
type measures map[string]float64

// The names of measures.
const (
	rate    = "rate"
	p50     = "p50"
	p99     = "p99"
	slowest = "slowest"
	seconds = "seconds"
	peak    = "peak MB"
	tenths  = "last tenth of first"
	spread  = "last page of first"
)

// load is requests over several connections, each of which sends one at a time.
type load struct {
	address     string
	connections int
	period      time.Duration
	most        int64 // requests, 0: as many as fit
	request     func(to []byte, i int) []byte
	check       func(body []byte) error // of an answer that is 200; nil: none
}

// run answers the rate and the quantiles of latency. Any answer but 200 is an error.
func (l *load) run(ctx context.Context) (measures, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([][]time.Duration, l.connections)
	var sent atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for i := range l.connections {
		group.Go(func() {
			var err error
			if took[i], err = l.connection(ctx, began, &sent); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	elapsed := time.Since(began)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return latencies(slices.Concat(took...), elapsed)
}

func (l *load) connection(ctx context.Context, began time.Time, sent *atomic.Int64) (took []time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := dial(ctx, l.address)
	if err != nil {
		return nil, err
	}
	var request []byte
	for now := began; now.Sub(began) < l.period || len(took) == 0; {
		i := sent.Add(1)
		if l.most > 0 && i > l.most {
			break
		}
		request = l.request(request[:0], int(i-1))
		start := time.Now()
		status, err := conn.do(request)
		now = time.Now()
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("%s: %d %.500s", firstLine(request), status, conn.body)
		}
		took = append(took, now.Sub(start))
		if l.check != nil {
			if err := l.check(conn.body); err != nil {
				return nil, fmt.Errorf("%s: %w", firstLine(request), err)
			}
		}
	}
	return took, nil
}

// firstLine names a request in an error without the token in it.
func firstLine(request []byte) []byte {
	line, _, _ := bytes.Cut(request, []byte(" HTTP/1.1\r\n"))
	return line
}

// latencies are the measures of requests that took so long each and all together.
func latencies(took []time.Duration, elapsed time.Duration) (measures, error) {
	if len(took) == 0 {
		return nil, errors.New("nothing was measured")
	}
	slices.Sort(took)
	quantile := func(q float64) float64 {
		return milliseconds(took[int(math.Ceil(q*float64(len(took))))-1])
	}
	return measures{
		rate: float64(len(took)) / elapsed.Seconds(), p50: quantile(0.5), p99: quantile(0.99), slowest: quantile(1),
	}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// per is the measures of so many things that took so long.
func per(things int, elapsed time.Duration) measures {
	return measures{rate: float64(things) / elapsed.Seconds(), seconds: elapsed.Seconds()}
}
