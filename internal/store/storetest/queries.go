package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/registry"
)

// ask puts a query to the bed's study.
func (b *bed) ask(q registry.Query) *registry.Page {
	b.Helper()
	page, err := b.Query(b.ctx, b.study.ID, &q)
	b.must(err)
	return page
}

// finds fails unless a query finds the participants with these numbers, in this order, on one
// page, and counts them.
func (b *bed) finds(what string, q registry.Query, want ...int64) {
	b.Helper()
	q.Limit = 1000
	page := b.ask(q)
	b.same(what, want, seqs(page.Participants))
	b.same(what+": total", len(want), page.Total)
}

// peopleWith are plain participants who each have one of the values of the details.
func (b *bed) peopleWith(fields []registry.Field, values ...string) []*registry.Participant {
	people := b.people(len(values))
	for i, p := range people {
		for _, f := range fields {
			p.Details[f] = values[i]
		}
	}
	return people
}

// peopleWithCustom are plain participants who each have one of the values of a custom field.
func (b *bed) peopleWithCustom(name string, values ...string) []*registry.Participant {
	people := b.people(len(values))
	for i, p := range people {
		if values[i] != "" {
			p.Custom = map[string]string{name: values[i]}
		}
	}
	return people
}

func byCustom(name string, t registry.FieldType) registry.Sort {
	return registry.Sort{Key: registry.ByCustom, Custom: registry.CustomField{Name: name, Type: t}}
}

// sorts fails unless the sort puts the participants in these orders, ascending and descending.
func (b *bed) sorts(s registry.Sort, ascending, descending []int64) {
	b.Helper()
	b.finds("ascending", registry.Query{Sort: s}, ascending...)
	s.Descending = true
	b.finds("descending", registry.Query{Sort: s}, descending...)
}

var queryLaws = []law{
	{"a query for anybody finds participants as they were written, in order of creation", func(b *bed) {
		full, removed, withdrawn := fullPerson(b, 7), b.person(3), b.person(5)
		removed.Status, withdrawn.WithdrawnAt = registry.StatusRemoved, now
		b.add(full, removed, withdrawn, b.person(1))
		page := b.ask(registry.Query{Limit: 10})
		b.same("page", &registry.Page{Total: 3, Participants: []*registry.Participant{b.person(1), withdrawn, full}}, page)
		b.sorts(registry.Sort{}, []int64{1, 5, 7}, []int64{7, 5, 1})
	}},
	{"a removed participant is found by nothing, and again once restored", func(b *bed) {
		p := fullPerson(b, 1)
		p.Status = registry.StatusRemoved
		b.add(p)
		queries := map[string]registry.Query{
			"anybody": {}, "text": {Text: p.Identifier}, "site": {Site: &b.south},
			"filter": {Filters: []registry.Filter{{Field: registry.City, Value: p.Details[registry.City]}}},
		}
		for name, q := range queries {
			b.finds(name, q)
		}
		p.Status = registry.StatusAvailable
		b.must(b.write(updating(p)))
		for name, q := range queries {
			b.finds(name, q, 1)
		}
	}},
	{"every detail sorts by its folded text, with ties by creation and those without it last", func(b *bed) {
		b.add(b.peopleWith(registry.Fields(), "b", "", "B", "a", "Ä", "ä", "", "\u1e9e", "10", "9")...)
		for _, f := range registry.Fields() {
			b.Log(f) // shown where it fails
			b.sorts(registry.Sort{Key: registry.ByField, Field: f},
				[]int64{9, 10, 4, 1, 3, 8, 5, 6, 2, 7}, []int64{5, 6, 8, 1, 3, 4, 10, 9, 2, 7})
		}
	}},
	{"identifiers sort by their folded text", func(b *bed) {
		people := b.people(4)
		for i, identifier := range []string{"b", "Ä", "C", "a"} {
			people[i].Identifier = identifier
		}
		b.add(people...)
		b.sorts(registry.Sort{Key: registry.ByIdentifier}, []int64{4, 1, 3, 2}, []int64{2, 3, 1, 4})
	}},
	{"invitation status and enrolment date sort, with ties by creation and those without last", func(b *bed) {
		people := b.people(6)
		people[0].Invitation, people[0].EnrolledAt = registry.InvitationPending, now
		people[2].Invitation, people[2].EnrolledAt = registry.InvitationApproved, now.Add(-time.Microsecond)
		people[4].Invitation, people[4].EnrolledAt = registry.InvitationPending, now
		people[5].EnrolledAt = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)
		b.add(people...)
		b.sorts(registry.Sort{Key: registry.ByInvitation}, []int64{3, 1, 5, 2, 4, 6}, []int64{1, 5, 3, 2, 4, 6})
		b.sorts(registry.Sort{Key: registry.ByEnrolled}, []int64{6, 3, 1, 5, 2, 4}, []int64{1, 5, 3, 6, 2, 4})
	}},
	{"custom numbers sort by value, with ties by creation and those without last", func(b *bed) {
		b.add(b.peopleWithCustom("Dose", "10", "9", "", "-1", "9", "", "100")...)
		for _, t := range []registry.FieldType{registry.IntegerField, registry.DecimalField} {
			b.sorts(byCustom("Dose", t), []int64{4, 2, 5, 1, 7, 3, 6}, []int64{7, 1, 2, 5, 4, 3, 6})
		}
	}},
	{"custom decimals sort by value in whatever notation", func(b *bed) {
		b.add(b.peopleWithCustom("Dose", "1.50", "+2", ".5", "1e3", "-2.5E-1", "1.5", "9007199254740993", "9007199254740992")...)
		b.sorts(byCustom("Dose", registry.DecimalField), []int64{5, 3, 1, 6, 2, 4, 8, 7}, []int64{7, 8, 4, 2, 1, 6, 3, 5})
	}},
	{"custom texts, dates and booleans sort folded", func(b *bed) {
		b.add(b.peopleWithCustom("X", "10", "9", "b", "", "A", "Ö", "ö")...)
		for _, t := range []registry.FieldType{registry.TextField, registry.BooleanField, registry.DateField} {
			b.sorts(byCustom("X", t), []int64{1, 2, 5, 3, 6, 7, 4}, []int64{6, 7, 3, 5, 2, 1, 4})
		}
	}},
	{"the secondary identifier sorts and is filtered as the custom field of that name", func(b *bed) {
		b.add(b.peopleWith([]registry.Field{registry.SecondaryID}, "b", "", "A")...)
		b.sorts(byCustom("SecondaryIdentifier", registry.TextField), []int64{3, 1, 2}, []int64{1, 3, 2})
		for _, name := range []string{"SecondaryIdentifier", "secondaryidentifier"} {
			b.finds(name, registry.Query{Filters: []registry.Filter{{Custom: name, Value: "a"}}}, 3)
			b.finds(name+" unset", registry.Query{Filters: []registry.Filter{{Custom: name}}}, 2)
		}
	}},
	{"every detail is filtered by the whole folded value, and by none where it is not set", func(b *bed) {
		b.add(b.peopleWith(registry.Fields(), "Größe 1", "größe 12", "", "GRÖẞE 1", "%", "_", "1")...)
		for _, f := range registry.Fields() {
			for value, want := range map[string][]int64{
				"gröSSe 1": nil, "GRÖßE 1": {1, 4}, "größe": nil, "": {3}, "%": {5}, "_": {6}, "1": {7},
			} {
				b.finds(fmt.Sprintf("%s is %q", f, value), registry.Query{Filters: []registry.Filter{{Field: f, Value: value}}}, want...)
			}
		}
	}},
	{"a phone is filtered in its stored form and found in both dialects' forms", func(b *bed) {
		b.add(b.peopleWith([]registry.Field{registry.MobilePhone}, "+1 5557778888", "+32 470123456", "5557778888")...)
		filter := registry.MyDataHelps().FilterDetail(registry.MobilePhone, "(555) 777-8888")
		b.finds("filter", registry.Query{Filters: []registry.Filter{filter}}, 1)
		b.finds("stored", registry.Query{Text: "+1 5557778888"}, 1)
		b.finds("of MyDataHelps", registry.Query{Text: "+3247"}, 2)
		b.finds("national", registry.Query{Text: "5557778888"}, 1, 3)
	}},
	{"custom fields are filtered by name, whatever the name holds", func(b *bed) {
		names := []string{"Dose", "dose", `qu"ote`, `back\slash`, "a.b", "$", "[0]", "A & <B>", "Größe", "two words", "#"}
		for i, name := range names {
			p := b.person(int64(i) + 1)
			p.Custom = map[string]string{name: "Value", "other": "else"}
			b.add(p)
		}
		for i, name := range names {
			seq := int64(i) + 1
			b.finds(name, registry.Query{Filters: []registry.Filter{{Custom: name, Value: "vALUE"}}}, seq)
			first := b.ask(registry.Query{Limit: 1, Sort: byCustom(name, registry.TextField)}).Participants[0].Seq
			b.same("first by "+name, seq, first)
		}
		b.finds("another field's value", registry.Query{Filters: []registry.Filter{{Custom: "Dose", Value: "else"}}})
	}},
	{"custom fields that are not set are found by nothing", func(b *bed) {
		people := b.people(4)
		people[1].Custom = map[string]string{"A": "x"}
		people[2].Custom = map[string]string{"A": "", "B": "x"}
		b.add(people...)
		b.finds("A", registry.Query{Filters: []registry.Filter{{Custom: "A"}}}, 1, 3, 4)
		b.finds("both", registry.Query{Filters: []registry.Filter{{Custom: "A"}, {Custom: "B", Value: "X"}}}, 3)
	}},
	{"text is found within identifier and demographics, folded", func(b *bed) {
		for i, f := range registry.Fields() {
			p := b.person(int64(i) + 1)
			p.Details[f] = "vorher Straẞe nachher"
			b.add(p)
		}
		shown := slices.DeleteFunc(registry.Fields(), func(f registry.Field) bool {
			return f == registry.SecondaryID || f == registry.Country || f == registry.HospitalNumber
		})
		var want []int64
		for _, f := range shown {
			want = append(want, int64(f)+1)
		}
		b.finds("within", registry.Query{Text: "STRAßE"}, want...)
		b.finds("begin", registry.Query{Text: "VOR"}, want...)
		b.finds("identifier", registry.Query{Text: "p-0003"}, 3)
		b.finds("nobody", registry.Query{Text: "strasse"})
	}},
	{"text is looked for in custom fields only where that is asked, the secondary identifier among them", func(b *bed) {
		people := b.people(3)
		people[0].Custom = map[string]string{"Note": "in Ülm", "Dose": "5"}
		people[1].Details[registry.SecondaryID] = "ülm-2"
		people[2].Details[registry.City] = "Ülm"
		b.add(people...)
		b.finds("plain", registry.Query{Text: "ülM"}, 3)
		b.finds("custom too", registry.Query{Text: "ülM", TextInCustom: true}, 1, 2, 3)
	}},
	{"what is special to databases is text like any other", func(b *bed) {
		texts := []string{"100%", "a_b", `it's`, `"quoted"`, `back\slash`, "[x]", "*", "?", "$1", ":n", "--", "/+", "a\nb", "𝔘", "e\u0301"}
		b.add(b.peopleWith([]registry.Field{registry.LastName}, texts...)...)
		for i, text := range texts {
			b.finds(text, registry.Query{Text: strings.ToUpper(text)}, int64(i)+1)
			b.finds(text+" as a filter", registry.Query{Filters: []registry.Filter{{Field: registry.LastName, Value: text}}}, int64(i)+1)
		}
		b.finds("no wildcard", registry.Query{Text: "a%b"})
	}},
	{"no text is found across two values", func(b *bed) {
		p := b.person(1)
		p.Identifier = "ab"
		p.Details[registry.FirstName], p.Details[registry.MiddleName], p.Details[registry.LastName] = "cd", "ef", "gh"
		p.Custom = map[string]string{"A": "ij", "B": "kl"}
		p.Details[registry.SecondaryID] = "mn"
		b.add(p)
		for _, text := range []string{"abcd", "ab cd", "ab\ncd", "cdef", "cd\nef", "gh\n", "ij\nkl", "kl\nmn", "ab,cd"} {
			b.finds(fmt.Sprintf("%q", text), registry.Query{Text: text, TextInCustom: true})
		}
	}},
	{"what changes is found as it is now, and no longer as it was", func(b *bed) {
		p := b.person(1)
		p.Details[registry.City], p.Custom = "Ulm", map[string]string{"Note": "old"}
		b.add(p)
		q := copyOf(p)
		q.Identifier, q.Custom = "renamed", map[string]string{"Note": "new"}
		q.Details[registry.City] = "Bern"
		b.must(b.write(updating(q)))
		for _, text := range []string{p.Identifier, "ulm", "old"} {
			b.finds("was "+text, registry.Query{Text: text, TextInCustom: true})
		}
		for _, text := range []string{"RENAMED", "bern", "new"} {
			b.finds("is "+text, registry.Query{Text: text, TextInCustom: true}, 1)
		}
		b.must(b.write(withCounted(b, &registry.Outcome{Deleted: []registry.ID{p.ID}}, -1)))
		b.finds("deleted", registry.Query{Text: "bern"})
	}},
}
