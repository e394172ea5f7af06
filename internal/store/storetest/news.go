package storetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/registry"
)

// newsLaws are about queries after changes, which an engine may answer from what it remembers.
var newsLaws = []law{
	{"a change without its audit event is refused, and so is adding somebody without any", func(b *bed) {
		p := b.person(1)
		b.add(p)
		for name, out := range map[string]*registry.Outcome{
			"add": b.adding(b.person(2)), "update": updating(p), "delete": {Deleted: []registry.ID{p.ID}},
			"update of another": {Writes: updating(p).Writes, Events: []audit.Event{{Action: audit.ParticipantUpdated, Participant: uuid.UUID{1}}}},
		} {
			if err := b.in(func(tx registry.Tx) error { return tx.Write(b.ctx, now, out) }); err == nil {
				b.Errorf("%s: no error", name)
			}
		}
		b.finds("left", registry.Query{Text: "p-"}, 1)
	}},
	{"what another process writes is found at once", func(b *bed) {
		elsewhere := &bed{T: b.T, Engine: b.another(), ctx: b.ctx, study: b.study, north: b.north, south: b.south}
		people := b.people(3)
		b.add(people...)
		byCity := registry.Sort{Key: registry.ByField, Field: registry.City}
		city := func(name string) registry.Query {
			return registry.Query{Filters: []registry.Filter{{Field: registry.City, Value: name}}}
		}
		b.finds("everybody", registry.Query{Sort: byCity}, 1, 2, 3)
		b.finds("nobody in Ulm", city("Ulm"))

		moved := copyOf(people[1])
		moved.Details[registry.City] = "Ulm"
		b.must(elsewhere.write(updating(moved)))
		b.finds("in Ulm", city("ulm"), 2)
		b.finds("by city", registry.Query{Sort: byCity}, 2, 1, 3)
		fourth := b.person(4)
		fourth.Details[registry.City] = "Aalen"
		elsewhere.add(fourth)
		b.finds("by city, with the fourth", registry.Query{Sort: byCity}, 4, 2, 1, 3)
		b.must(elsewhere.write(withCounted(elsewhere, &registry.Outcome{Deleted: []registry.ID{people[0].ID}}, -1)))
		b.finds("by city, without the first", registry.Query{Sort: byCity}, 4, 2, 3)
		hidden := copyOf(moved)
		hidden.Status = registry.StatusRemoved
		b.must(elsewhere.write(withCounted(elsewhere, updating(hidden), -1)))
		b.finds("in Ulm, hidden", city("Ulm"))
		b.finds("hidden", registry.Query{Status: registry.StatusRemoved}, 2)
	}},
	{"members are found as another process makes them, with a change of their own or without", func(b *bed) {
		b.withSegments()
		elsewhere := &bed{T: b.T, Engine: b.another(), ctx: b.ctx, study: b.study, north: b.north, south: b.south}
		people := b.people(4)
		b.add(people...)
		smoking := registry.Query{Segment: &smokers.ID}
		b.finds("nobody", smoking)
		elsewhere.member(later(1), smokers, true, people[0], people[2])
		b.finds("two", smoking, 1, 3)
		out := updating(copyOf(people[3]), copyOf(people[0]))
		out.Memberships = []registry.Membership{
			{Segment: smokers.ID, Participant: people[3].ID, Member: true},
			{Segment: smokers.ID, Participant: people[0].ID},
		}
		b.must(elsewhere.write(out))
		b.finds("others", smoking, 3, 4)
		fifth := b.person(5)
		out = b.adding(fifth)
		out.Memberships = []registry.Membership{{Segment: smokers.ID, Participant: fifth.ID, Member: true}}
		b.must(elsewhere.write(out))
		b.finds("a new one too", smoking, 3, 4, 5)
		b.study.Segments = b.study.Segments[:1]
		elsewhere.define(func(tx config.Tx) error { return tx.PutStudy(b.ctx, b.study) })
		b.withSegments()
		b.finds("defined anew", smoking)
	}},
	{"how participants stand can be asked for", func(b *bed) {
		people := b.people(5)
		people[0].Invitation = registry.InvitationPending
		people[1].Enrolled, people[1].EnrolledAt = true, now
		people[2].Participate = registry.ParticipateCreated
		people[3].WithdrawnAt, people[3].Participate = now, registry.ParticipateCreated
		people[4].Status = registry.StatusLocked
		b.add(people...)
		yes, no := true, false
		pending, none := registry.InvitationPending, registry.InvitationNotSet
		created, stopped := registry.ParticipateCreated, registry.ParticipateStopped
		for name, ask := range map[string]struct {
			query registry.Query
			want  []int64
		}{
			"locked":        {registry.Query{Status: registry.StatusLocked}, []int64{5}},
			"available":     {registry.Query{Status: registry.StatusAvailable}, []int64{1, 2, 3, 4}},
			"removed":       {registry.Query{Status: registry.StatusRemoved}, nil},
			"pending":       {registry.Query{Invitation: &pending}, []int64{1}},
			"not set":       {registry.Query{Invitation: &none}, []int64{2, 3, 4, 5}},
			"enrolled":      {registry.Query{Enrolled: &yes}, []int64{2}},
			"not enrolled":  {registry.Query{Enrolled: &no}, []int64{1, 3, 4, 5}},
			"withdrawn":     {registry.Query{Withdrawn: &yes}, []int64{4}},
			"not withdrawn": {registry.Query{Withdrawn: &no}, []int64{1, 2, 3, 5}},
			"registered":    {registry.Query{Participate: &created}, []int64{3}},
			"inactive":      {registry.Query{Participate: &stopped}, []int64{4}},
			"both":          {registry.Query{Enrolled: &no, Status: registry.StatusLocked}, []int64{5}},
		} {
			b.finds(name, ask.query, ask.want...)
		}
	}},
	{"after more changes than anybody follows, all who ask at once are answered", func(b *bed) {
		b.add(b.people(50)...)
		b.finds("at first", registry.Query{Text: "p-0007"}, 7)
		events := make([]audit.Event, 20_500)
		for i := range events {
			events[i] = audit.Event{Action: audit.ParticipantUpdated}
			binary.BigEndian.PutUint64(events[i].Participant[:], uint64(i)+1<<40)
		}
		b.must(b.RecordEvents(b.ctx, b.study.ID, now, events))
		ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		var group sync.WaitGroup
		for range 32 { // more than there are connections
			group.Go(func() {
				page, err := b.Query(ctx, b.study.ID, &registry.Query{Text: "p-00", Limit: 10})
				if err != nil || page.Total != 50 {
					b.Errorf("%+v, %v", page, err)
				}
			})
		}
		group.Wait()
	}},
	{"texts with whatever characters are found, and come back as they were", func(b *bed) {
		texts := []string{"a\x00b", "a\x01b", "a\x02b", "\x02", "a\x03\x04b", "a\u00ffb", "plain"}
		b.add(b.peopleWith([]registry.Field{registry.City}, texts...)...)
		for i, text := range texts {
			b.finds(fmt.Sprintf("%q", text), registry.Query{Filters: []registry.Filter{{Field: registry.City, Value: text}}}, int64(i)+1)
		}
	}},
	{"who gives up while much is new costs nobody else an answer", func(b *bed) {
		b.add(b.person(1))
		b.finds("at first", registry.Query{Text: "p-"}, 1)
		for n := int64(2); n <= 30; n++ {
			b.add(b.person(n))
			ctx, cancel := context.WithTimeout(b.ctx, time.Duration(n%5)*100*time.Microsecond)
			_, _ = b.Query(ctx, b.study.ID, &registry.Query{Text: "p-", Limit: 10}) // it may have been in time
			cancel()
			b.same("found", int(n), b.ask(registry.Query{Text: "p-", Limit: 1}).Total)
		}
	}},
	{"while others write, every answer is one that held", func(b *bed) {
		const writes = 40
		b.add(b.person(1))
		writer := &bed{T: b.T, Engine: b.another(), ctx: b.ctx, study: b.study, north: b.north, south: b.south}
		ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				for last := 0; last < writes-1; {
					page, err := b.Query(ctx, b.study.ID, &registry.Query{
						Filters: []registry.Filter{{Field: registry.City, Value: "ulm"}}, Limit: 10, Sort: registry.Sort{Key: registry.ByIdentifier},
					})
					if err != nil || page.Total != len(page.Participants) || page.Total > 1 {
						b.Errorf("%d of %+v: %v", len(page.Participants), page, err)
						return
					}
					if page.Total == 0 {
						continue
					}
					seq := int(page.Participants[0].Seq)
					if seq < last || page.Participants[0].Details[registry.City] != "Ulm" {
						b.Errorf("participant %d after %d: %s", seq, last, fmt.Sprint(page.Participants[0].Details))
						return
					}
					last = seq
				}
			})
		}
		for n := int64(2); n < writes; n++ { // each adds one to Ulm and takes the one before out of it
			out := writer.adding(writer.person(n))
			out.Writes[0].Participant.Details[registry.City] = "Ulm"
			if n > 2 {
				out.Writes = append(out.Writes, updating(writer.person(n-1)).Writes...)
			}
			out.Events = []audit.Event{{Action: audit.ParticipantAdded, Participant: out.Writes[0].Participant.ID}}
			b.must(writer.write(out))
		}
		group.Wait()
	}},
}
