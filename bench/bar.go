package main

import (
	"fmt"
	"math"
	"strings"
)

// bar is what is demanded of a measure, or of its ratio to those of others.
type bar struct {
	of, measure string
	than        []string // the least of theirs counts; none: the measure counts by itself
	limit       float64
	most        bool // the limit is an upper one
}

func atLeast(limit float64, of, measure string, than ...string) bar {
	return bar{of: of, measure: measure, than: than, limit: limit}
}

func atMost(limit float64, of, measure string) bar {
	return bar{of: of, measure: measure, limit: limit, most: true}
}

// verdict is what became of a bar.
type verdict struct {
	Bar   string  `json:"bar"`
	Value float64 `json:"value"` // the median of the rounds
	Met   bool    `json:"met"`
}

// judge answers false for a bar whose contestants were not all measured.
func (b bar) judge(r *operationReport) (verdict, bool) {
	ours := r.entry(b.of)
	if ours == nil {
		return verdict{}, false
	}
	values := make([]float64, len(ours.Found))
	for round, found := range ours.Found {
		values[round] = found[b.measure]
		least := math.Inf(1)
		for _, name := range b.than {
			other := r.entry(name)
			if other == nil {
				return verdict{}, false
			}
			least = min(least, other.Found[round][b.measure])
		}
		if len(b.than) > 0 {
			values[round] /= least
		}
	}
	v := verdict{Bar: b.String(), Value: median(values)}
	v.Met = v.Value >= b.limit
	if b.most {
		v.Met = v.Value <= b.limit
	}
	return v, true
}

func (b bar) String() string {
	how := "at least"
	if b.most {
		how = "at most"
	}
	text := fmt.Sprintf("%s, %s: %s %g", b.of, b.measure, how, b.limit)
	switch len(b.than) {
	case 0:
		return text
	case 1:
		return text + " of " + b.than[0]
	default:
		return text + " of the lesser of " + strings.Join(b.than, " and ")
	}
}
