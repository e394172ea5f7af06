package storetest

import (
	"fmt"
	"sync"

	"github.com/google/uuid"

	"rollcall/internal/registry"
)

var pageLaws = []law{
	{"a site's query finds its participants alone, the study level's those of no site", func(b *bed) {
		people := b.people(6)
		for i, p := range people {
			p.Site = []registry.SiteID{registry.StudyLevel, b.north, b.south}[i%3]
		}
		b.add(people...)
		level := registry.StudyLevel
		b.finds("study level", registry.Query{Site: &level}, 1, 4)
		b.finds("north", registry.Query{Site: &b.north, Sort: registry.Sort{Descending: true}}, 5, 2)
		b.finds("with text", registry.Query{Site: &b.south, Text: "3"}, 3)
	}},
	{"pages cut the list, with the total on each; past the end there is nobody", func(b *bed) {
		b.add(b.people(10)...)
		for _, q := range []registry.Query{{}, {Text: "p-"}, {Site: new(registry.SiteID)}, {Sort: registry.Sort{Key: registry.ByIdentifier}}} {
			for offset, want := range map[int][]int64{0: {1, 2, 3, 4}, 4: {5, 6, 7, 8}, 6: {7, 8, 9, 10}, 8: {9, 10}, 10: nil, 1 << 40: nil} {
				q.Offset, q.Limit = offset, 4
				page := b.ask(q)
				b.same(fmt.Sprintf("offset %d", offset), want, seqs(page.Participants))
				b.same(fmt.Sprintf("total at %d", offset), 10, page.Total)
			}
			q.Offset, q.Limit = 0, 0
			b.same("without a page", &registry.Page{Total: 10}, b.ask(q))
		}
	}},
	{"a query that nobody matches, or in an unknown study, is empty", func(b *bed) {
		b.add(b.people(2)...)
		nobody := uuid.UUID{77}
		for name, q := range map[string]registry.Query{
			"text": {Text: "nobody"}, "segment": {Segment: &nobody}, "filter": {Filters: []registry.Filter{{Field: registry.City, Value: "x"}}},
		} {
			b.finds(name, q)
		}
		for _, study := range []registry.StudyID{b.other.ID, 987654} {
			page, err := b.Query(b.ctx, study, &registry.Query{Limit: 5})
			b.must(err)
			b.same("other study", &registry.Page{}, page)
		}
	}},
	{"a whole listing by pages, while others add, has everybody of before exactly once", func(b *bed) {
		b.add(b.people(50)...)
		var adding sync.WaitGroup
		var failed error
		adding.Go(func() { // ends by itself, and is waited for below
			for seq := int64(51); seq <= 80 && failed == nil; seq++ {
				failed = b.write(&registry.Outcome{Writes: []registry.Write{{Participant: b.person(seq), New: true}}})
			}
		})
		var read []int64
		for {
			page := b.ask(registry.Query{Offset: len(read), Limit: 7})
			if len(page.Participants) == 0 {
				break
			}
			if page.Total < len(read)+len(page.Participants) {
				b.Errorf("total %d after %d", page.Total, len(read))
			}
			read = append(read, seqs(page.Participants)...)
		}
		adding.Wait()
		b.must(failed)
		for i, seq := range read {
			if seq != int64(i)+1 {
				b.Fatalf("position %d holds %d: %v", i, seq, read)
			}
		}
		if len(read) < 50 {
			b.Errorf("%d read, want 50 and more", len(read))
		}
		b.must(b.write(&registry.Outcome{Counters: &registry.Counters{LastSeq: 80, Counted: 80}}))
	}},
}
