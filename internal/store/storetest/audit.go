package storetest

import (
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
	"rollcall/internal/store/trail"
)

// event is an event about a participant with so many field changes.
func event(p *registry.Participant, action audit.Action, fields ...audit.FieldChange) audit.Event {
	return audit.Event{
		Origin: audit.Origin{Actor: "clara", Role: "data manager", Dialect: "web", RequestID: "r-1", Reason: "because"},
		Action: action, Participant: p.ID, Identifier: p.Identifier, Fields: fields,
	}
}

func change(field, from, to string) audit.FieldChange {
	return audit.FieldChange{Field: field, Old: from, New: to}
}

// eventSeqs lists the numbers of records.
func eventSeqs(records []trail.Record) []int64 {
	var all []int64
	for _, r := range records {
		all = append(all, r.Seq)
	}
	return all
}

var auditLaws = []law{
	{"an event reads back as written, with the time of its batch", func(b *bed) {
		p := b.person(1)
		full := event(p, audit.ParticipantAdded, change("email", "", "a@b.c"), change("Shoe size", "42", "43"))
		bare := audit.Event{Action: audit.UserChanged}
		out := b.adding(p)
		out.Events = []audit.Event{full, bare}
		b.must(b.write(out))
		full.Seq, full.At = 1, now
		bare.Seq, bare.At = 3, now
		got := b.events(b.study.ID)
		if len(got) != 2 {
			b.Fatalf("%d events, want 2", len(got))
		}
		b.same("full", full, got[0].Event)
		b.same("bare", bare, got[1].Event)
		if got[0].Study != b.study.ID || got[0].Erased {
			b.Errorf("study %d, erased %v", got[0].Study, got[0].Erased)
		}
	}},
	{"events are numbered without gaps, one for each field change", func(b *bed) {
		p := b.person(1)
		c := change("city", "a", "b")
		out := b.adding(p)
		out.Events = []audit.Event{event(p, audit.ParticipantAdded, c, c, c), event(p, audit.ParticipantUpdated)}
		b.must(b.write(out))
		b.must(b.write(&registry.Outcome{Events: []audit.Event{event(p, audit.ParticipantUpdated, c)}}))
		b.must(b.RecordEvents(b.ctx, b.study.ID, now, []audit.Event{event(p, audit.AccessCodeRead), event(p, audit.AccessCodeRead, c, c)}))
		b.must(b.RecordEvents(b.ctx, b.study.ID, now, []audit.Event{event(p, audit.AccessCodeRead)}))
		b.same("numbers", []int64{1, 4, 5, 6, 7, 9}, eventSeqs(b.events(b.study.ID)))
	}},
	{"many events are written at once, in order", func(b *bed) {
		p := b.person(1)
		out := b.adding(p)
		var want []int64
		for i := range int64(1500) {
			out.Events = append(out.Events, event(p, audit.ParticipantUpdated, change("city", "", "x"), change("state", "", "y")))
			want = append(want, 2*i+1)
		}
		b.must(b.write(out))
		b.same("numbers", want, eventSeqs(b.events(b.study.ID)))
	}},
	{"each study and the deployment number their own events", func(b *bed) {
		e := []audit.Event{{Action: audit.UserChanged, Identifier: "x"}}
		for _, study := range []registry.StudyID{b.study.ID, 0, b.other.ID, b.study.ID, 0} {
			b.must(b.RecordEvents(b.ctx, study, now, e))
		}
		b.same("one", []int64{1, 2}, eventSeqs(b.events(b.study.ID)))
		b.same("two", []int64{1}, eventSeqs(b.events(b.other.ID)))
		b.same("deployment", []int64{1, 2}, eventSeqs(b.events(0)))
	}},
	{"a change that is undone takes no number", func(b *bed) {
		p := b.person(1)
		err := b.in(func(tx registry.Tx) error {
			out := &registry.Outcome{Events: []audit.Event{event(p, audit.ParticipantUpdated)}}
			if err := tx.Write(b.ctx, now, remembered(out)); err != nil {
				return err
			}
			return errOurs
		})
		if err == nil {
			b.Fatal("no error")
		}
		b.must(b.RecordEvents(b.ctx, b.study.ID, now, []audit.Event{event(p, audit.AccessCodeRead)}))
		b.same("numbers", []int64{1}, eventSeqs(b.events(b.study.ID)))
	}},
	{"the whole trail is read in the order of commits, page by page", func(b *bed) {
		want := []registry.StudyID{b.other.ID, b.study.ID, 0, b.study.ID, b.other.ID, 0, b.study.ID}
		for i, study := range want {
			// The clock may go back; the order of commits does not.
			b.must(b.RecordEvents(b.ctx, study, now.Add(-time.Duration(i)*time.Hour), []audit.Event{{Action: audit.StudyChanged}}))
		}
		var got []registry.StudyID
		for after := int64(0); ; {
			page, err := b.AuditEvents(b.ctx, trail.Filter{After: after, Limit: 3})
			b.must(err)
			if len(page) > 3 {
				b.Fatalf("a page of %d", len(page))
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				got = append(got, r.Study)
			}
			after = page[len(page)-1].Position
		}
		b.same("studies", want, got)
	}},
	{"one study's trail is read page by page", func(b *bed) {
		for i := range 7 {
			b.must(b.RecordEvents(b.ctx, b.other.ID, now, []audit.Event{{Action: audit.StudyChanged}}))
			b.must(b.RecordEvents(b.ctx, b.study.ID, now, []audit.Event{{Action: audit.StudyChanged, Fields: make([]audit.FieldChange, i)}}))
		}
		var got []int64
		for after := int64(0); ; {
			page, err := b.AuditEvents(b.ctx, trail.Filter{Study: &b.study.ID, After: after, Limit: 2})
			b.must(err)
			if len(page) == 0 {
				break
			}
			got = append(got, eventSeqs(page)...)
			after = page[len(page)-1].Position
		}
		b.same("numbers", []int64{1, 2, 3, 5, 8, 12, 17}, got)
	}},
	{"events of an unknown study are refused", func(b *bed) {
		err := b.RecordEvents(b.ctx, 987654, now, []audit.Event{{Action: audit.StudyChanged}})
		b.wantCode(err, fault.NotFound, registry.StudyUnknown)
		b.same("events", []trail.Record(nil), b.events(987654))
	}},
}

var erasureLaws = []law{
	{"who is deleted is gone, and the others stay", func(b *bed) {
		people := b.people(3)
		b.add(people...)
		b.must(b.write(withCounted(b, &registry.Outcome{Deleted: []registry.ID{people[1].ID}}, -1)))
		b.same("list", []*registry.Participant{people[0], people[2]}, b.list())
		if p := b.byIdentifier(people[1].Identifier); p != nil {
			b.Errorf("still found: %+v", p)
		}
	}},
	{"the events of who is deleted stay with their numbers, without a personal value", func(b *bed) {
		gone, stays := b.person(1), b.person(2)
		out := b.adding(gone, stays)
		out.Events = []audit.Event{
			event(gone, audit.ParticipantAdded, change("email", "", "secret-1"), change("city", "secret-2", "")),
			event(stays, audit.ParticipantAdded, change("email", "", "kept")),
			event(gone, audit.AccessCodeRead),
		}
		b.must(b.write(out))
		before := b.events(b.study.ID)
		// The batch that deletes tells of it, and of a change before.
		out = withCounted(b, &registry.Outcome{Deleted: []registry.ID{gone.ID}}, -1)
		out.Events = []audit.Event{
			event(gone, audit.ParticipantUpdated, change("city", "", "secret-3")),
			event(gone, audit.ParticipantDeleted),
		}
		b.must(b.write(out))
		got := b.events(b.study.ID)
		b.same("numbers", []int64{1, 3, 4, 5, 6}, eventSeqs(got))
		b.same("the other's event", before[1], got[1])
		for i, r := range got {
			if i == 1 {
				continue
			}
			if !r.Erased || r.Identifier != "" || r.Participant != gone.ID || r.Origin.Actor != "clara" {
				b.Errorf("event %d: %+v", r.Seq, r)
			}
			for _, f := range r.Fields {
				if f.Old != "" || f.New != "" {
					b.Errorf("event %d still says %+v", r.Seq, f)
				}
			}
		}
		b.same("fields that changed", []audit.FieldChange{change("email", "", ""), change("city", "", "")}, got[0].Fields)
		if got[4].Action != audit.ParticipantDeleted {
			b.Errorf("last action %q", got[4].Action)
		}
	}},
	{"deleting nobody changes nothing", func(b *bed) {
		p := b.person(1)
		b.add(p)
		b.must(b.write(&registry.Outcome{Deleted: []registry.ID{{9}}}))
		b.same("list", []*registry.Participant{p}, b.list())
	}},
	{"deleting touches nobody of another study who has the same id", func(b *bed) {
		here := b.person(1)
		there := personOf(b.other.ID, 1)
		there.ID = here.ID
		b.add(here)
		b.must(b.inStudy(b.other.ID, func(tx registry.Tx) error {
			return tx.Write(b.ctx, now, &registry.Outcome{
				Writes:   []registry.Write{{Participant: there, New: true}},
				Counters: &registry.Counters{LastSeq: 1, Counted: 1},
				Events:   []audit.Event{event(there, audit.ParticipantAdded, change("city", "", "Ulm"))},
			})
		}))
		b.must(b.write(withCounted(b, &registry.Outcome{Deleted: []registry.ID{here.ID}}, -1)))
		got, err := b.ParticipantByID(b.ctx, b.other.ID, there.ID)
		b.must(err)
		b.same("there", there, got)
		if e := b.events(b.other.ID)[0]; e.Erased || e.Identifier != there.Identifier {
			b.Errorf("the other's event: %+v", e)
		}
	}},
	{"events about no participant outlive every deletion", func(b *bed) {
		b.add(b.person(1))
		e := audit.Event{Action: audit.BulkSubmitted, Identifier: "S_ONE", Participant: uuid.Nil}
		b.must(b.RecordEvents(b.ctx, b.study.ID, now, []audit.Event{e}))
		b.must(b.write(withCounted(b, &registry.Outcome{Deleted: []registry.ID{b.person(1).ID, {}}}, -1)))
		if got := b.events(b.study.ID)[1]; got.Erased || got.Identifier != "S_ONE" {
			b.Errorf("%+v", got)
		}
	}},
	{"what is remembered of somebody after the deletion holds no personal value", func(b *bed) {
		gone, stays := b.person(1), b.person(2)
		out := b.adding(gone, stays)
		out.Events = []audit.Event{event(gone, audit.ParticipantAdded), event(stays, audit.ParticipantAdded)}
		b.must(b.write(out))
		b.must(b.write(withCounted(b, &registry.Outcome{
			Deleted: []registry.ID{gone.ID}, Events: []audit.Event{event(gone, audit.ParticipantDeleted)},
		}, -1)))
		late := []audit.Event{event(gone, audit.AccessCodeRead, change("city", "Ulm", "")), event(stays, audit.AccessCodeRead, change("city", "Ulm", ""))}
		b.must(b.RecordEvents(b.ctx, b.study.ID, now, late))
		b.must(b.write(&registry.Outcome{Events: late}))
		got := b.events(b.study.ID)
		b.same("events", 7, len(got))
		for _, r := range got[3:] {
			if r.Participant == gone.ID && (!r.Erased || r.Identifier != "" || r.Fields[0].Old != "" || r.Origin.Actor != "clara") {
				b.Errorf("of the deleted: %+v", r)
			}
			if r.Participant == stays.ID && (r.Erased || r.Identifier != stays.Identifier || r.Fields[0].Old != "Ulm") {
				b.Errorf("of the other: %+v", r)
			}
		}
	}},
	{"every identifier that a participant had is known until the deletion", func(b *bed) {
		p, other := b.person(1), b.person(2)
		out := b.adding(p, other)
		out.Events = []audit.Event{event(p, audit.ParticipantAdded), event(other, audit.ParticipantAdded)}
		b.must(b.write(out))
		renamed := copyOf(p)
		renamed.Identifier = "NEW"
		out = updating(renamed)
		out.Events = []audit.Event{event(renamed, audit.ParticipantUpdated), event(renamed, audit.AccessCodeRead)}
		b.must(b.write(out))
		read := func() (known map[registry.ID][]string) {
			b.must(b.in(func(tx registry.Tx) (err error) {
				known, err = tx.Identifiers(b.ctx, []registry.ID{p.ID, {99}})
				return err
			}))
			return known
		}
		b.same("identifiers", map[registry.ID][]string{p.ID: {"NEW", p.Identifier}}, read())
		b.must(b.write(withCounted(b, &registry.Outcome{Deleted: []registry.ID{p.ID}}, -1)))
		b.same("identifiers, later", map[registry.ID][]string(nil), read())
	}},
}
