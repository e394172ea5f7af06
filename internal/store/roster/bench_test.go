package roster

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"rollcall/internal/registry"
)

// crowd is a roster of so many people, most of whose e-mail addresses are their own.
func crowd(b *testing.B, n int) *model {
	b.Helper()
	return newModel(rand.New(rand.NewPCG(1, 1)), n)
}

func BenchmarkPut(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	m := newModel(random, 1000)
	b.ReportAllocs()
	for b.Loop() {
		m.roster.Put(m.people[random.IntN(len(m.people))])
	}
}

// BenchmarkFind asks what has not been asked before; the benchmarks below it, what has.
func BenchmarkFind(b *testing.B) {
	m := crowd(b, 100_000)
	b.Run("text", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			m.roster.Find(&registry.Query{Text: fmt.Sprintf("one.%d@", 100_000+i*7919%900_000), Limit: 20})
		}
	})
	b.Run("text again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.roster.Find(&registry.Query{Text: "example.org", Limit: 20})
		}
	})
	b.Run("sorted page", func(b *testing.B) {
		b.ReportAllocs()
		sort := registry.Sort{Key: registry.ByField, Field: registry.Email, Descending: true}
		for i := 0; b.Loop(); i++ {
			m.roster.Find(&registry.Query{Sort: sort, Limit: 20, Offset: i % 50_000})
		}
	})
	b.Run("sorted page after a change", func(b *testing.B) {
		b.ReportAllocs()
		sort := registry.Sort{Key: registry.ByField, Field: registry.Email}
		for i := 0; b.Loop(); i++ {
			m.roster.Put(m.people[i%len(m.people)])
			m.roster.Find(&registry.Query{Sort: sort, Limit: 20, Offset: i % 50_000})
		}
	})
}

func BenchmarkOrder(b *testing.B) {
	m := crowd(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		m.roster.orders = map[orderKey]*keptOrder{}
		m.roster.Find(&registry.Query{Sort: registry.Sort{Key: registry.ByField, Field: registry.Email}, Limit: 20})
	}
}
