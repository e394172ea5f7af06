package storetest

import (
	"time"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

var overviewLaws = []law{
	{"a participant's events come newest first, in pages, and nobody else's with them", participantEvents},
	{"recent events are the last ones, of the sites asked for alone", recentEvents},
	{"a tally counts everybody once, by what they are alike in", tallies},
	{"a tally's version changes with whatever is remembered", tallyVersions},
}

func participantEvents(b *bed) {
	one, two := b.person(1), b.person(2)
	out := b.adding(one, two)
	out.Events = []audit.Event{
		event(one, audit.ParticipantAdded, change("city", "", "a"), change("state", "", "b")), event(two, audit.ParticipantAdded),
		event(one, audit.ParticipantUpdated, change("city", "a", "c")), {Action: audit.StudyChanged}, event(one, audit.ParticipantLocked),
	}
	b.must(b.write(out))
	all, err := b.ParticipantEvents(b.ctx, b.study.ID, one.ID, 0, 10)
	b.must(err)
	b.same("numbers", []int64{6, 4, 1}, numbersOf(all))
	want := out.Events[2]
	want.Seq, want.At = 4, now
	b.same("the middle one", want, all[1])
	page, err := b.ParticipantEvents(b.ctx, b.study.ID, one.ID, 6, 1)
	b.must(err)
	b.same("a page", []int64{4}, numbersOf(page))
	for name, read := range map[string]func() ([]audit.Event, error){
		"no limit":      func() ([]audit.Event, error) { return b.ParticipantEvents(b.ctx, b.study.ID, one.ID, 0, 0) },
		"before all":    func() ([]audit.Event, error) { return b.ParticipantEvents(b.ctx, b.study.ID, one.ID, 1, 9) },
		"another study": func() ([]audit.Event, error) { return b.ParticipantEvents(b.ctx, b.other.ID, one.ID, 0, 9) },
		"nobody": func() ([]audit.Event, error) {
			return b.ParticipantEvents(b.ctx, b.study.ID, idOf(b.study.ID, 99), 0, 9)
		},
	} {
		got, err := read()
		b.must(err)
		if len(got) > 0 {
			b.Errorf("%s: %d events", name, len(got))
		}
	}
}

func numbersOf(events []audit.Event) []int64 {
	var all []int64
	for i := range events {
		all = append(all, events[i].Seq)
	}
	return all
}

func recentEvents(b *bed) {
	people := b.people(3)
	people[0].Site, people[1].Site = b.north, b.south // and one at study level
	out := b.adding(people...)
	for _, p := range people {
		out.Events = append(out.Events, event(p, audit.ParticipantAdded))
	}
	out.Events = append(out.Events, audit.Event{Action: audit.StudyChanged})
	b.must(b.write(out))
	for _, test := range []struct {
		name  string
		sites []registry.SiteID
		limit int
		want  []int64
	}{
		{"everything", nil, 10, []int64{4, 3, 2, 1}},
		{"no more than asked for", nil, 2, []int64{4, 3}},
		{"one site", []registry.SiteID{b.south}, 10, []int64{2}},
		{"two sites", []registry.SiteID{b.south, b.north}, 10, []int64{2, 1}},
		{"study level", []registry.SiteID{registry.StudyLevel}, 10, []int64{3}},
		{"no site", []registry.SiteID{}, 10, nil},
	} {
		got, err := b.RecentEvents(b.ctx, b.study.ID, test.sites, test.limit)
		b.must(err)
		b.same(test.name, test.want, numbersOf(got))
	}
}

func tallies(b *bed) {
	midnight := now.Truncate(24 * time.Hour)
	people := b.people(6)
	for i, p := range people {
		p.Site = b.north
		p.Enrolled, p.EnrolledAt = true, midnight.Add(time.Duration(i)*8*time.Hour) // three a day
	}
	people[2].Status = registry.StatusRemoved
	people[3].WithdrawnAt = now
	people[4].Site, people[4].Participate = b.south, registry.ParticipateCreated
	people[5].Enrolled, people[5].EnrolledAt = false, time.Time{}
	b.add(people...)
	tally, err := b.Tally(b.ctx, b.study.ID)
	b.must(err)
	b.same("groups", []registry.TallyGroup{
		{Site: b.north, Status: registry.StatusAvailable, Count: 1},
		{Site: b.north, Status: registry.StatusAvailable, Enrolled: true, Count: 2},
		{Site: b.north, Status: registry.StatusAvailable, Withdrawn: true, Enrolled: true, Count: 1},
		{Site: b.north, Status: registry.StatusRemoved, Enrolled: true, Count: 1},
		{Site: b.south, Status: registry.StatusAvailable, Enrolled: true, Participate: registry.ParticipateCreated, Count: 1},
	}, tally.Groups)
	b.same("days", []registry.TallyDay{
		{Site: b.north, Day: midnight, Count: 2},
		{Site: b.north, Day: midnight.Add(24 * time.Hour), Count: 1},
		{Site: b.south, Day: midnight.Add(24 * time.Hour), Count: 1},
	}, tally.Days)
	empty, err := b.Tally(b.ctx, b.other.ID)
	b.must(err)
	b.same("nobody", &registry.Tally{}, empty)
}

func tallyVersions(b *bed) {
	version := func() int64 {
		v, err := b.TallyVersion(b.ctx, b.study.ID)
		b.must(err)
		tally, err := b.Tally(b.ctx, b.study.ID)
		b.must(err)
		b.same("the version of a tally", v, tally.Version)
		return v
	}
	before := version()
	p := b.person(1)
	out := b.adding(p)
	out.Events = []audit.Event{event(p, audit.ParticipantAdded, change("city", "", "a"))}
	b.must(b.write(out))
	if after := version(); after <= before {
		b.Errorf("version %d after %d", after, before)
	}
	_, err := b.TallyVersion(b.ctx, 987654)
	b.wantKind(err, fault.NotFound)
	_, err = b.Tally(b.ctx, 987654)
	b.wantKind(err, fault.NotFound)
}
