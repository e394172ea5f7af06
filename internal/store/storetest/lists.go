package storetest

import "rollcall/internal/registry"

var listLaws = []law{
	{"participants come in order of creation, whatever the order of writing", func(b *bed) {
		b.add(b.person(5), b.person(2), b.person(9))
		b.add(b.person(3))
		b.same("order", []int64{2, 3, 5, 9}, seqs(b.list()))
	}},
	{"a page starts after the last one read and holds no more than its limit", func(b *bed) {
		b.add(b.people(10)...)
		var read []int64
		for after := int64(0); ; {
			page, err := b.Participants(b.ctx, b.study.ID, nil, after, 4)
			b.must(err)
			if len(page) > 4 {
				b.Fatalf("a page of %d", len(page))
			}
			if len(page) == 0 {
				break
			}
			read = append(read, seqs(page)...)
			after = page[len(page)-1].Seq
		}
		b.same("all pages", []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, read)
	}},
	{"a site's list holds its participants alone, the study level's those of no site", func(b *bed) {
		people := b.people(6)
		for i, p := range people {
			p.Site = []registry.SiteID{registry.StudyLevel, b.north, b.south}[i%3]
		}
		b.add(people...)
		level := registry.StudyLevel
		for name, c := range map[string]struct {
			site *registry.SiteID
			want []int64
		}{
			"study level": {&level, []int64{1, 4}},
			"north":       {&b.north, []int64{2, 5}},
			"south":       {&b.south, []int64{3, 6}},
			"everywhere":  {nil, []int64{1, 2, 3, 4, 5, 6}},
		} {
			got, err := b.Participants(b.ctx, b.study.ID, c.site, 0, 100)
			b.must(err)
			b.same(name, c.want, seqs(got))
			rest, err := b.Participants(b.ctx, b.study.ID, c.site, c.want[0], 1)
			b.must(err)
			b.same(name+", second page", c.want[1:2], seqs(rest))
		}
	}},
	{"contacts come in order of creation, a page at a time, with the state that they were read in", func(b *bed) {
		full, north, hidden, last := fullPerson(b, 1), b.person(2), b.person(3), b.person(4)
		full.Site, north.Site, hidden.Site, last.Site = b.south, b.north, b.south, b.south
		hidden.Status, last.WithdrawnAt = registry.StatusRemoved, now
		b.add(full, north, hidden, last)
		contact := func(p *registry.Participant) registry.Contact {
			return registry.Contact{
				ID: p.ID, Seq: p.Seq, Identifier: p.Identifier,
				FirstName: p.Details[registry.FirstName], LastName: p.Details[registry.LastName], Email: p.Details[registry.Email],
				MobilePhone: p.Details[registry.MobilePhone], SecondaryID: p.Details[registry.SecondaryID],
				Status: p.Status, Participate: p.Participate, AccessCode: p.AccessCode, Withdrawn: p.Withdrawn(),
			}
		}
		read := func(site registry.SiteID, after int64) *registry.ContactList {
			list, err := b.Contacts(b.ctx, b.study.ID, site, after, 2)
			b.must(err)
			return list
		}
		state := b.counters(b.study.ID).State
		b.same("first page", &registry.ContactList{Contacts: []registry.Contact{contact(full), contact(hidden)}, State: state}, read(b.south, 0))
		b.same("second page", &registry.ContactList{Contacts: []registry.Contact{contact(last)}, State: state}, read(b.south, 3))
		b.same("study level", &registry.ContactList{State: state}, read(registry.StudyLevel, 0))
		b.must(b.write(updating(north)))
		if now := read(b.south, 9).State; now <= state || now != b.counters(b.study.ID).State {
			b.Errorf("state %d after a change, it was %d", now, state)
		}
	}},
	{"who moves leaves one site's list and enters the other's", func(b *bed) {
		p := b.person(1)
		p.Site = b.north
		b.add(p)
		moved := copyOf(p)
		moved.Site = b.south
		b.must(b.write(updating(moved)))
		north, err := b.Participants(b.ctx, b.study.ID, &b.north, 0, 10)
		b.must(err)
		south, err := b.Participants(b.ctx, b.study.ID, &b.south, 0, 10)
		b.must(err)
		b.same("north", []int64(nil), seqs(north))
		b.same("south", []*registry.Participant{moved}, south)
	}},
	{"a list of nothing is empty", func(b *bed) {
		b.add(b.people(2)...)
		for name, read := range map[string]func() ([]*registry.Participant, error){
			"no limit left": func() ([]*registry.Participant, error) { return b.Participants(b.ctx, b.study.ID, nil, 0, 0) },
			"past the end":  func() ([]*registry.Participant, error) { return b.Participants(b.ctx, b.study.ID, nil, 2, 9) },
			"other study":   func() ([]*registry.Participant, error) { return b.Participants(b.ctx, b.other.ID, nil, 0, 9) },
			"unknown study": func() ([]*registry.Participant, error) { return b.Participants(b.ctx, 987654, nil, 0, 9) },
		} {
			got, err := read()
			b.must(err)
			if len(got) != 0 {
				b.Errorf("%s: %d participants", name, len(got))
			}
		}
	}},
}
