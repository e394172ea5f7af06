package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/registry"
)

var (
	smokers = registry.Segment{ID: uuid.UUID{1}, Name: "Smokers", Rule: "true"}
	adults  = registry.Segment{ID: uuid.UUID{2}, Name: "Adults", Rule: "false"}
)

// withSegments defines the two segments in the bed's study, adults first.
func (b *bed) withSegments() {
	b.Helper()
	b.study.Segments = []registry.Segment{adults, smokers}
	b.putStudy(b.study)
}

// member writes at a time that people belong to a segment, or do not.
func (b *bed) member(at time.Time, s registry.Segment, member bool, people ...*registry.Participant) {
	b.Helper()
	out := &registry.Outcome{}
	for _, p := range people {
		out.Memberships = append(out.Memberships, registry.Membership{Segment: s.ID, Participant: p.ID, Member: member})
	}
	b.must(b.in(func(tx registry.Tx) error { return tx.Write(b.ctx, at, out) }))
}

func (b *bed) segmentsOf(p *registry.Participant) []registry.SegmentMember {
	b.Helper()
	members, err := b.SegmentsOf(b.ctx, p.Study, p.ID)
	b.must(err)
	return members
}

func later(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }

var segmentLaws = []law{
	{"members are found in their segment, each with the date of joining", func(b *bed) {
		b.withSegments()
		people := b.people(5)
		b.add(people...)
		b.member(later(1), smokers, true, people[3], people[0])
		b.member(later(2), smokers, true, people[2])
		b.member(later(3), adults, true, people[1])
		page := b.ask(registry.Query{Segment: &smokers.ID, Limit: 10})
		b.same("page", &registry.Page{
			Total: 3, Participants: []*registry.Participant{people[0], people[2], people[3]},
			AddedAt: []time.Time{later(1), later(2), later(1)},
		}, page)
		back := b.ask(registry.Query{Segment: &smokers.ID, Limit: 1, Offset: 1, Sort: registry.Sort{Descending: true}})
		b.same("second from the end", &registry.Page{Total: 3, Participants: people[2:3], AddedAt: []time.Time{later(2)}}, back)
		if got := b.ask(registry.Query{Limit: 10}); got.AddedAt != nil {
			b.Errorf("dates %v without a segment", got.AddedAt)
		}
	}},
	{"a participant's segments come in the study's order, with their dates", func(b *bed) {
		b.withSegments()
		people := b.people(2)
		b.add(people...)
		b.member(later(1), smokers, true, people[0])
		b.member(later(2), adults, true, people[0])
		b.same("segments", []registry.SegmentMember{{Segment: adults.ID, AddedAt: later(2)}, {Segment: smokers.ID, AddedAt: later(1)}}, b.segmentsOf(people[0]))
		b.same("none", []registry.SegmentMember(nil), b.segmentsOf(people[1]))
		b.same("of nobody", []registry.SegmentMember(nil), b.segmentsOf(b.person(99)))
	}},
	{"who is written again as a member keeps the date; who left and comes back has a new one", func(b *bed) {
		b.withSegments()
		p := b.person(1)
		b.add(p)
		for i, step := range []struct {
			member bool
			want   []registry.SegmentMember
		}{
			{true, []registry.SegmentMember{{Segment: smokers.ID, AddedAt: later(0)}}},
			{true, []registry.SegmentMember{{Segment: smokers.ID, AddedAt: later(0)}}},
			{false, nil},
			{false, nil},
			{true, []registry.SegmentMember{{Segment: smokers.ID, AddedAt: later(4)}}},
		} {
			b.member(later(i), smokers, step.member, p)
			b.same("step", step.want, b.segmentsOf(p))
		}
	}},
	{"thousands join and leave in one batch, and nobody else with them", func(b *bed) {
		b.withSegments()
		people := b.people(1500)
		b.add(people...)
		b.member(later(1), smokers, true, people...)
		b.member(later(1), adults, true, people...)
		b.member(later(2), smokers, false, people[:1499]...)
		b.same("smokers", []int64{1500}, seqs(b.ask(registry.Query{Segment: &smokers.ID, Limit: 9}).Participants))
		b.same("adults", 1500, b.ask(registry.Query{Segment: &adults.ID}).Total)
	}},
	{"membership commits with its change or not at all", func(b *bed) {
		b.withSegments()
		p := b.person(1)
		out := b.adding(p)
		out.Memberships = []registry.Membership{{Segment: smokers.ID, Participant: p.ID, Member: true}}
		err := b.in(func(tx registry.Tx) error {
			b.must(tx.Write(b.ctx, now, remembered(out)))
			return errOurs
		})
		if err == nil {
			b.Fatal("no error")
		}
		b.same("undone", 0, b.ask(registry.Query{Segment: &smokers.ID}).Total)
		b.must(b.write(out))
		b.same("committed", 1, b.ask(registry.Query{Segment: &smokers.ID}).Total)
	}},
	{"who is deleted is no member any more, and neither is who takes the identifier", func(b *bed) {
		b.withSegments()
		people := b.people(2)
		b.add(people...)
		b.member(now, smokers, true, people...)
		b.must(b.write(withCounted(b, &registry.Outcome{Deleted: []registry.ID{people[0].ID}}, -1)))
		again := b.person(3)
		again.Identifier, again.OID = people[0].Identifier, people[0].OID
		b.add(again)
		b.same("members", []int64{2}, seqs(b.ask(registry.Query{Segment: &smokers.ID, Limit: 9}).Participants))
		b.same("of the deleted", []registry.SegmentMember(nil), b.segmentsOf(people[0]))
	}},
	{"a removed member is not found, and has the date once restored", func(b *bed) {
		b.withSegments()
		p := b.person(1)
		b.add(p)
		b.member(later(1), smokers, true, p)
		hidden := copyOf(p)
		hidden.Status = registry.StatusRemoved
		b.must(b.write(withCounted(b, updating(hidden), -1)))
		b.finds("hidden", registry.Query{Segment: &smokers.ID})
		b.must(b.write(withCounted(b, updating(p), 1)))
		b.same("restored", []time.Time{later(1)}, b.ask(registry.Query{Segment: &smokers.ID, Limit: 1}).AddedAt)
	}},
	{"a segment that is taken out of the study loses its members, others keep theirs", func(b *bed) {
		b.withSegments()
		p := b.person(1)
		b.add(p)
		b.member(later(1), smokers, true, p)
		b.member(later(1), adults, true, p)
		b.study.Segments = []registry.Segment{{ID: smokers.ID, Name: "New", Rule: "1 == 1"}}
		b.putStudy(b.study)
		b.same("left", []registry.SegmentMember{{Segment: smokers.ID, AddedAt: later(1)}}, b.segmentsOf(p))
		b.withSegments()
		b.same("defined again", []registry.SegmentMember{{Segment: smokers.ID, AddedAt: later(1)}}, b.segmentsOf(p))
	}},
	{"the same segment of two studies are two", func(b *bed) {
		b.withSegments()
		b.other.Segments = slices.Clone(b.study.Segments)
		b.putStudy(b.other)
		here, there := b.person(1), personOf(b.other.ID, 1)
		there.ID = here.ID
		b.add(here)
		b.must(b.inStudy(b.other.ID, func(tx registry.Tx) error {
			return tx.Write(b.ctx, later(5), remembered(&registry.Outcome{
				Writes:      []registry.Write{{Participant: there, New: true}},
				Memberships: []registry.Membership{{Segment: smokers.ID, Participant: there.ID, Member: true}},
				Counters:    &registry.Counters{LastSeq: 1, Counted: 1},
			}))
		}))
		b.same("here", []registry.SegmentMember(nil), b.segmentsOf(here))
		b.finds("found here", registry.Query{Segment: &smokers.ID})
		b.member(now, smokers, false, here)
		b.study.Segments = nil
		b.putStudy(b.study)
		b.same("there", []registry.SegmentMember{{Segment: smokers.ID, AddedAt: later(5)}}, b.segmentsOf(there))
	}},
	{"inviting somebody again, or erasing who was invited, is no fault", func(b *bed) {
		p := b.person(1)
		out := b.adding(p)
		out.Invited = []registry.ID{p.ID}
		b.must(b.write(out))
		b.must(b.write(&registry.Outcome{Invited: []registry.ID{p.ID}, Events: []audit.Event{event(p, audit.ParticipantUpdated)}}))
		b.must(b.write(withCounted(b, &registry.Outcome{Deleted: []registry.ID{p.ID}}, -1)))
	}},
	{"segments can be defined and filled by another process", func(b *bed) {
		elsewhere := b.another()
		b.study.Segments = []registry.Segment{smokers}
		b.must(elsewhere.Define(b.ctx, putting(b.study)))
		p := b.person(1)
		b.add(p)
		b.must(elsewhere.InStudy(b.ctx, b.study.ID, memberOf(p)))
		b.finds("found", registry.Query{Segment: &smokers.ID}, 1)
		b.define(func(tx config.Tx) error { return tx.PutStudy(b.ctx, b.study) })
		b.finds("found after the same definition", registry.Query{Segment: &smokers.ID}, 1)
	}},
}

// memberOf is the function for InStudy that makes the participant a smoker.
func memberOf(p *registry.Participant) func(context.Context, registry.Tx) error {
	return func(ctx context.Context, tx registry.Tx) error {
		return tx.Write(ctx, now, remembered(&registry.Outcome{
			Memberships: []registry.Membership{{Segment: smokers.ID, Participant: p.ID, Member: true}},
		}))
	}
}
