package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// binary is the program, which is built once for all tests.
var binary string

// TestMain builds the program. It also is the server that does nothing, which starts this very test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == floorCommand {
		os.Exit(floorMain(os.Args[2:]))
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	folder, err := os.MkdirTemp("", "rollcall-bench-test-")
	if err == nil {
		defer os.RemoveAll(folder)
		binary = filepath.Join(folder, "rollcall")
		err = build(context.Background(), binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build Rollcall:", err)
		return 1
	}
	return m.Run()
}

// TestRun measures every operation on both engines with a small registry, and looks at the report.
func TestRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results.json")
	o, err := parse([]string{"-binary", binary, "-people", "1000", "-rounds", "1", "-period", "20ms", "-json", file}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	want := operations(newWorld(o, 1000))
	if len(r.Sizes) != 1 || len(r.Sizes[0].Operations) != len(want) {
		t.Fatalf("%d sizes, want 1 with %d operations", len(r.Sizes), len(want))
	}
	for _, op := range r.Sizes[0].Operations {
		if len(op.Bars) == 0 || !strings.Contains(out.String(), op.Name) {
			t.Errorf("%s: %d bars, or not in the table", op.Name, len(op.Bars))
		}
		for _, name := range []string{ourSQLite, ourPostgres} {
			e := op.entry(name)
			if e == nil || len(e.Found) != 1 || e.Median[p50]+e.Median[rate] <= 0 {
				t.Errorf("%s: %s was not measured: %+v", op.Name, name, e)
			}
		}
	}
}

// TestStop has the benchmark stopped while it prepares, and looks for what is left.
func TestStop(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	progress := writerFunc(func(line []byte) {
		if bytes.Contains(line, []byte("round 1")) {
			stop()
		}
	})
	folder := t.TempDir()
	o, err := parse([]string{"-binary", binary, "-people", "1000", "-engines", "sqlite", "-period", "1h"}, progress)
	if err != nil {
		t.Fatal(err)
	}
	o.dir = folder
	if err := run(ctx, o, io.Discard); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("it ends with %v, want that it was stopped", err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		args  []string
		sizes []int // nil: refused
	}{
		{"as it is", nil, []int{100_000}},
		{"sizes", []string{"-people", "2000,1000"}, []int{1000, 2000}},
		{"a curve", []string{"-curve"}, []int{10_000, 100_000, 1_000_000}},
		{"too small", []string{"-people", "10"}, nil},
		{"no number", []string{"-people", "many"}, nil},
		{"another engine", []string{"-engines", "oracle"}, nil},
		{"another peer", []string{"-peer", "oracle"}, nil},
		{"no rounds", []string{"-rounds", "0"}, nil},
		{"a word", []string{"quickly"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, err := parse(test.args, io.Discard)
			if test.sizes == nil {
				if err == nil {
					t.Fatal("taken, want an error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.sizes, o.people); diff != "" {
				t.Errorf("sizes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	rounds := func(values ...float64) (all []measures) {
		for _, v := range values {
			all = append(all, measures{rate: v})
		}
		return all
	}
	entries := func() []*entryReport {
		return []*entryReport{
			{Name: "ours", Ours: true, Median: measures{}, Found: rounds(10, 20, 90)},
			{Name: "raw", Median: measures{}, Found: rounds(20, 20, 100)},
			{Name: "floor", Median: measures{}, Found: rounds(100, 10, 100)},
		}
	}
	tests := []struct {
		name string
		bar  bar
		want []verdict
	}{
		{"by itself", atLeast(20, "ours", rate), []verdict{{"ours, rate: at least 20", 20, true}}},
		{"too much", atMost(19, "ours", rate), []verdict{{"ours, rate: at most 19", 20, false}}},
		{"round by round", atLeast(0.9, "ours", rate, "raw"), []verdict{{"ours, rate: at least 0.9 of raw", 0.9, true}}},
		{"the lesser", atLeast(1, "ours", rate, "raw", "floor"), []verdict{{"ours, rate: at least 1 of the lesser of raw and floor", 0.9, false}}},
		{"nobody to compare with", atLeast(1, "ours", rate, "peer"), nil},
		{"not measured", atLeast(1, "theirs", rate), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &operationReport{Entries: entries()}
			r.judge([]bar{test.bar})
			if diff := cmp.Diff(test.want, r.Bars); diff != "" {
				t.Errorf("bars (-want +got):\n%s", diff)
			}
			if got := r.entry("raw").Ratios["ours"]; got != 0.9 {
				t.Errorf("the ratio to raw is %g, want 0.9", got)
			}
		})
	}
}

func TestTenths(t *testing.T) {
	t.Parallel()
	second := time.Second
	tests := []struct {
		name  string
		steps []step
		want  float64
	}{
		{"an even pace", []step{{}, {50, 5 * second}, {100, 10 * second}}, 1},
		{"slower at the end", []step{{}, {10, second}, {90, 9 * second}, {100, 11 * second}}, 0.5},
		{"at once", []step{{}, {100, 10 * second}}, 1},
	}
	for _, test := range tests {
		if got := tenthsOf(test.steps, 100); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", test.name, got, test.want)
		}
	}
}

func TestCurve(t *testing.T) {
	t.Parallel()
	size := func(people int, linear, square float64) *sizeReport {
		entry := func(cost float64) []*entryReport {
			return []*entryReport{{Name: "raw", Median: measures{seconds: 1}}, {Name: "ours", Ours: true, Median: measures{seconds: cost}}}
		}
		return &sizeReport{People: people, Operations: []*operationReport{{Name: "linear", Entries: entry(linear)}, {Name: "square", Entries: entry(square)}}}
	}
	got := curveOf([]*sizeReport{size(10_000, 1, 1), size(100_000, 10, 100)})
	want := []growth{
		{Operation: "linear", Entry: "ours", Measure: seconds, Costs: []float64{1, 10}, Factor: 10, Allowed: 12.5, Met: true},
		{Operation: "square", Entry: "ours", Measure: seconds, Costs: []float64{1, 100}, Factor: 100, Allowed: 12.5},
	}
	nearly := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })
	if diff := cmp.Diff(want, got, nearly); diff != "" {
		t.Errorf("growth (-want +got):\n%s", diff)
	}
}

// TestPeopleDiffer: what has to be unique is.
func TestPeopleDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := range 50_000 {
		p := personNumber(n)
		for _, value := range []string{p.identifier(), p.email(), p.phone()} {
			if seen[value] {
				t.Fatalf("person %d has %s too", n, value)
			}
			seen[value] = true
		}
	}
	if text := personNumber(7).appendProject(nil); !json.Valid(text) {
		t.Errorf("no JSON: %s", text)
	}
}
