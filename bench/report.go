package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// report is all that was found; it is also what the JSON file holds.
type report struct {
	Started time.Time     `json:"started"`
	Machine machine       `json:"machine"`
	Rounds  int           `json:"rounds"`
	Sizes   []*sizeReport `json:"sizes"`
	Curve   []growth      `json:"curve,omitempty"`
}

type machine struct {
	System     string `json:"system"`
	Processors int    `json:"processors"`
	Go         string `json:"go"`
	Commit     string `json:"commit"`
}

func thisMachine(ctx context.Context) machine {
	commit, err := command(ctx, "git", "describe", "--always", "--dirty")
	if err != nil {
		commit = "" // not in a repository
	}
	return machine{runtime.GOOS + "/" + runtime.GOARCH, runtime.NumCPU(), runtime.Version(), commit}
}

// sizeReport is what was found with registries of one size.
type sizeReport struct {
	People     int                `json:"people"`
	Operations []*operationReport `json:"operations"`
}

type operationReport struct {
	Name    string         `json:"name"`
	Entries []*entryReport `json:"entries"`
	Bars    []verdict      `json:"bars"`
}

type entryReport struct {
	Name   string     `json:"name"`
	Ours   bool       `json:"ours"`
	Median measures   `json:"median"`
	Found  []measures `json:"rounds"`

	// Ratios are how our rates compare with this baseline's, by our entries' names: the medians of
	// the rounds.
	Ratios map[string]float64 `json:"ratios,omitempty"`
}

func newOperationReport(op *operation) *operationReport {
	r := &operationReport{Name: op.name}
	for _, e := range op.turns() {
		r.Entries = append(r.Entries, &entryReport{Name: e.name, Ours: e.ours, Median: measures{}})
	}
	return r
}

// entry is the one with the name, nil if it was not measured.
func (r *operationReport) entry(name string) *entryReport {
	for _, e := range r.Entries {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// judge works out the medians, and which bars are met.
func (r *operationReport) judge(bars []bar) {
	for _, e := range r.Entries {
		for name := range e.Found[0] {
			var values []float64
			for _, found := range e.Found {
				values = append(values, found[name])
			}
			e.Median[name] = median(values)
		}
	}
	for _, e := range r.Entries {
		if e.Ours {
			r.compare(e)
		}
	}
	for _, b := range bars {
		if v, ok := b.judge(r); ok {
			r.Bars = append(r.Bars, v)
		}
	}
}

// compare works out the ratios of our rates to those of the baselines.
func (r *operationReport) compare(ours *entryReport) {
	for _, e := range r.Entries {
		if e.Ours {
			continue
		}
		ratios := make([]float64, len(e.Found))
		for round, found := range e.Found {
			ratios[round] = ours.Found[round][rate] / found[rate]
		}
		if e.Ratios == nil {
			e.Ratios = map[string]float64{}
		}
		e.Ratios[ours.Name] = median(ratios)
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// columns are the measures in the order of the printed table, with their units.
var columns = []struct{ measure, title string }{
	{rate, "per second"}, {seconds, "seconds"}, {p50, "p50 ms"}, {p99, "p99 ms"}, {slowest, "slowest ms"},
	{peak, "peak MB"}, {tenths, "last/first tenth"}, {spread, "last/first page"},
}

// print writes the tables of one size.
func (s *sizeReport) print(to io.Writer) {
	fmt.Fprintf(to, "\n%d people; medians of the rounds\n\n", s.People)
	met, all := 0, 0
	for _, op := range s.Operations {
		op.print(to)
		for _, v := range op.Bars {
			all++
			if v.Met {
				met++
			}
		}
	}
	fmt.Fprintf(to, "%d of %d bars are met. They are meant for 1,000,000 people and three rounds on a quiet machine.\n", met, all)
}

// print writes one operation's table, with the measures that it has, and its bars.
func (r *operationReport) print(to io.Writer) {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	has := func(name string) bool {
		return slices.ContainsFunc(r.Entries, func(e *entryReport) bool { _, ok := e.Median[name]; return ok })
	}
	fmt.Fprint(table, r.Name)
	for _, c := range columns {
		if has(c.measure) {
			fmt.Fprint(table, "\t", c.title)
		}
	}
	fmt.Fprintln(table)
	for _, e := range r.Entries {
		fmt.Fprint(table, "  ", e.Name)
		for _, c := range columns {
			if has(c.measure) {
				fmt.Fprint(table, "\t", shown(e.Median, c.measure))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(e.Ratios)) {
			fmt.Fprintf(table, "\t%s is %.2f of it", name, e.Ratios[name])
		}
		fmt.Fprintln(table)
	}
	table.Flush() //nolint:errcheck // the terminal is gone: nobody is left to tell
	for _, v := range r.Bars {
		fmt.Fprintf(to, "  %s  %s: %.2f\n", word(v.Met), v.Bar, v.Value)
	}
	fmt.Fprintln(to)
}

func word(met bool) string {
	if met {
		return "met    "
	}
	return "NOT MET"
}

func shown(found measures, name string) string {
	value, ok := found[name]
	switch {
	case !ok:
		return ""
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}

// growth tells how a cost grows with the size of the registry.
type growth struct {
	Operation string    `json:"operation"`
	Entry     string    `json:"entry"`
	Measure   string    `json:"measure"`
	Costs     []float64 `json:"costs"`  // at each size
	Factor    float64   `json:"factor"` // from the least size to the greatest
	Allowed   float64   `json:"allowed"`
	Met       bool      `json:"met"`
}

// curveOf compares how our costs grow with n log n: those of the whole registry where an operation
// has them, else those of a request.
func curveOf(sizes []*sizeReport) []growth {
	if len(sizes) < 2 {
		return nil
	}
	first, last := sizes[0], sizes[len(sizes)-1]
	nLogN := func(n int) float64 { return float64(n) * math.Log(float64(n)) }
	var all []growth
	for i, op := range first.Operations {
		for j, e := range op.Entries {
			measure := seconds
			if e.Median[seconds] == 0 {
				measure = p50
			}
			if !e.Ours {
				continue
			}
			g := growth{Operation: op.Name, Entry: e.Name, Measure: measure, Allowed: nLogN(last.People) / nLogN(first.People)}
			for _, s := range sizes {
				g.Costs = append(g.Costs, s.Operations[i].Entries[j].Median[measure])
			}
			g.Factor = g.Costs[len(g.Costs)-1] / g.Costs[0]
			g.Met = g.Factor <= g.Allowed
			all = append(all, g)
		}
	}
	return all
}

// printCurve writes how costs grow, if there are several sizes.
func (r *report) printCurve(to io.Writer) {
	if len(r.Curve) == 0 {
		return
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\nhow costs grow\t")
	for _, s := range r.Sizes {
		fmt.Fprintf(table, "\t%d", s.People)
	}
	fmt.Fprintln(table, "\tfactor\tn log n")
	for _, g := range r.Curve {
		fmt.Fprintf(table, "%s, %s\t%s", g.Operation, g.Entry, g.Measure)
		for _, cost := range g.Costs {
			fmt.Fprintf(table, "\t%.2f", cost)
		}
		fmt.Fprintf(table, "\t%.1f\t%.1f\t%s\n", g.Factor, g.Allowed, word(g.Met))
	}
	table.Flush() //nolint:errcheck // the terminal is gone: nobody is left to tell
}
