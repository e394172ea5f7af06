package storetest

import (
	"time"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

var auditSearchLaws = []law{
	{"a search of the audit trail finds what has everything that it asks for, newest first", searchesEvents},
	{"the numbers of a study's events are checked against the last one given", numbersEvents},
}

func searchesEvents(b *bed) {
	one, two := b.person(1), b.person(2)
	first := b.adding(one, two)
	first.Events = []audit.Event{event(one, audit.ParticipantAdded), event(two, audit.ParticipantAdded, change("city", "", "a"), change("state", "", "b"))}
	b.must(b.write(first))
	later := now.Add(time.Hour)
	dana := event(one, audit.ParticipantLocked)
	dana.Origin.Actor = "dana"
	b.must(b.RecordEvents(b.ctx, b.study.ID, later, []audit.Event{dana, {Action: audit.StudyChanged, Identifier: "S_ONE"}}))
	b.must(b.RecordEvents(b.ctx, b.other.ID, later, []audit.Event{{Action: audit.StudyChanged, Identifier: "S_TWO"}}))
	for name, test := range map[string]struct {
		search audit.Search
		want   []int64
	}{
		"everything":            {audit.Search{}, []int64{5, 4, 2, 1}},
		"a page":                {audit.Search{Before: 5, Limit: 2}, []int64{4, 2}},
		"an actor":              {audit.Search{Actor: "dana"}, []int64{4}},
		"another actor's case":  {audit.Search{Actor: "DANA"}, nil},
		"an action":             {audit.Search{Action: audit.ParticipantAdded}, []int64{2, 1}},
		"a participant":         {audit.Search{Participant: &one.ID}, []int64{4, 1}},
		"an identifier":         {audit.Search{Identifier: "S_ONE"}, []int64{5}},
		"from a time on":        {audit.Search{From: later}, []int64{5, 4}},
		"before a time":         {audit.Search{To: later}, []int64{2, 1}},
		"several":               {audit.Search{Actor: "clara", Participant: &two.ID, From: now, To: later, Action: audit.ParticipantAdded}, []int64{2}},
		"several that none has": {audit.Search{Actor: "dana", Participant: &two.ID}, nil},
	} {
		if test.search.Limit == 0 {
			test.search.Limit = 10
		}
		got, err := b.SearchEvents(b.ctx, b.study.ID, test.search)
		b.must(err)
		b.same(name, test.want, numbersOf(got))
	}
}

func numbersEvents(b *bed) {
	check := func() audit.Numbering {
		n, err := b.CheckNumbering(b.ctx, b.study.ID)
		b.must(err)
		return n
	}
	b.same("of nothing", audit.Numbering{}, check())
	p := b.person(1)
	out := b.adding(p)
	out.Events = []audit.Event{event(p, audit.ParticipantAdded, change("city", "", "a"), change("state", "", "b")), event(p, audit.ParticipantLocked)}
	b.must(b.write(out))
	b.must(b.RecordEvents(b.ctx, b.other.ID, now, []audit.Event{{Action: audit.StudyChanged}}))
	b.must(b.RecordEvents(b.ctx, b.study.ID, now, []audit.Event{{Action: audit.StudyChanged}}))
	n := check()
	b.same("of three events", audit.Numbering{Events: 3, Last: 4}, n)
	if !n.Whole() {
		b.Fatal("they are whole")
	}
	_, err := b.CheckNumbering(b.ctx, 987654)
	b.wantKind(err, fault.NotFound)
}
