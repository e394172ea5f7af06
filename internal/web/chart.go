package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/registry"
)

// The size of the chart in its own units, and where its plot lies.
const (
	chartWidth, chartHeight               = 720.0, 240.0
	plotLeft, plotRight                   = 68.0, 708.0
	plotTop, plotBottom                   = 16.0, 204.0
	chartPoints                           = 240 // more days than this are drawn every so many
	chartLabels                           = 5
	dayLength               time.Duration = 24 * time.Hour
)

// chart is enrollment over time: how many had enrolled by the end of each day.
type chart struct {
	Line, Area   string // paths
	Across, Down []tick
	Cap          *tick // the enrollment cap, if it is within the plot
	Total        int
	From, To     string
	Months       []monthRow // the same as a table, for those who cannot see it

	Width, Height, Left, Right, Bottom float64
	LabelX, LabelY                     float64
}

// tick is a labelled place of an axis.
type tick struct {
	At     float64
	Text   string
	Anchor string // start, middle or end of the text is there
}

// monthRow is how many enrolled in a month.
type monthRow struct {
	Month      string
	New, Total int
}

// newChart draws the days, in order; nil if there are none. Days go by UTC.
func newChart(days []registry.TallyDay, now time.Time, limit int, f *frame) *chart {
	if len(days) == 0 {
		return nil
	}
	first, last := days[0].Day, now.UTC().Truncate(dayLength)
	if end := days[len(days)-1].Day; end.After(last) {
		last = end
	}
	if !last.After(first) {
		first = first.Add(-dayLength) // a line needs two points
	}
	c := &chart{
		From: f.day(first), To: f.day(last), Width: chartWidth, Height: chartHeight, Left: plotLeft, Right: plotRight, Bottom: plotBottom,
		LabelX: plotLeft - 8, LabelY: plotBottom + 26,
	}
	span := int(last.Sub(first)/dayLength) + 1
	sums := make([]int, span) // by the end of each day
	for _, d := range days {
		sums[int(d.Day.Sub(first)/dayLength)] += int(d.Count)
	}
	for i := 1; i < span; i++ {
		sums[i] += sums[i-1]
	}
	c.Total = sums[span-1]
	top := niceTop(c.Total)
	if limit > 0 && limit <= 2*c.Total {
		top = niceTop(max(c.Total, limit))
	}
	x := func(day int) float64 { return plotLeft + (plotRight-plotLeft)*float64(day)/float64(span-1) }
	y := func(n int) float64 { return plotBottom - (plotBottom-plotTop)*float64(n)/float64(top) }
	c.draw(sums, x, y)
	for i := range chartLabels {
		n := top * i / (chartLabels - 1)
		c.Down = append(c.Down, tick{At: round(y(n)), Text: f.words.short(n)})
	}
	c.Across = acrossTicks(first, span, x, f)
	if limit > 0 && limit <= top {
		c.Cap = &tick{At: round(y(limit)), Text: f.words.say("home.chart.cap", limit)}
	}
	c.Months = months(sums, first)
	return c
}

// draw makes the paths of the line and of the area below it.
func (c *chart) draw(sums []int, x func(int) float64, y func(int) float64) {
	step := max(1, (len(sums)+chartPoints-1)/chartPoints)
	var b strings.Builder
	for day := 0; ; day = min(day+step, len(sums)-1) {
		letter := "L"
		if day == 0 {
			letter = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", letter, x(day), y(sums[day]))
		if day == len(sums)-1 {
			break
		}
	}
	c.Line = b.String()
	c.Area = fmt.Sprintf("%sL%.1f %.1fL%.1f %.1fZ", c.Line, plotRight, plotBottom, plotLeft, plotBottom)
}

// acrossTicks labels some days, evenly spread, and each day once.
func acrossTicks(first time.Time, span int, x func(int) float64, f *frame) []tick {
	var ticks []tick
	seen := -1
	for i := range chartLabels {
		day := (span - 1) * i / (chartLabels - 1)
		if day == seen {
			continue
		}
		seen = day
		anchor := "middle"
		switch day {
		case 0:
			anchor = "start"
		case span - 1:
			anchor = "end"
		}
		ticks = append(ticks, tick{round(x(day)), f.day(first.Add(time.Duration(day) * dayLength)), anchor})
	}
	return ticks
}

// months sums up by month, the latest first.
func months(sums []int, first time.Time) []monthRow {
	var rows []monthRow
	before := 0
	for i, sum := range sums {
		day := first.Add(time.Duration(i) * dayLength)
		if i == len(sums)-1 || day.Add(dayLength).Month() != day.Month() {
			rows = append(rows, monthRow{Month: day.Format("2006-01"), New: sum - before, Total: sum})
			before = sum
		}
	}
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows
}

// niceTop is a round number at or above n that four divides, for the top of an axis.
func niceTop(n int) int {
	if n <= 4 {
		return 4
	}
	unit := int(math.Pow(10, math.Floor(math.Log10(float64(n)))))
	for _, factor := range []int{1, 2, 4, 6, 8, 10} {
		if top := factor * unit; top >= n && top%4 == 0 {
			return top
		}
	}
	return 20 * unit
}

// short writes a number for an axis: 250 000 is 250k.
func (w *words) short(n int) string {
	switch {
	case n >= 1_000_000 && n%100_000 == 0:
		return strconv.FormatFloat(float64(n)/1_000_000, 'f', -1, 64) + "M"
	case n >= 10_000 && n%100 == 0:
		return strconv.FormatFloat(float64(n)/1_000, 'f', -1, 64) + "k"
	}
	return w.number(int64(n))
}

func round(x float64) float64 { return math.Round(x*10) / 10 }
