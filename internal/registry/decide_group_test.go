package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

// groupCases are the rules of all-or-nothing groups (decisions, MyDataHelps 5 and 10).
func groupCases() []ruleCase {
	mail := with(Email, "a@x.org")
	twice := func(name string, index int, given []Change, changes ...Change) ruleCase {
		return ruleCase{name: name, given: given, group: changes, code: NamedTwice, kind: fault.Invalid, field: IdentifierField, index: index}
	}
	a := []Change{mdh("A", with(Email, "a@x.org"))}
	return []ruleCase{
		twice("group: new participant named twice", 2, nil, mdh("A"), mdh("a")),
		twice("group: new participant named twice, add only", 3, nil, mdh("A", addOnly), mdh("B", addOnly), mdh("A", addOnly)),
		twice("group: known participant named twice", 2, a, mdh("A"), mdh("A", with(City, "Ames"))),
		twice("group: named by id and by identifier", 2, a, mdh("", known(1)), mdh("A")),
		twice("group: named by identifier and by id", 2, a, mdh("A"), mdh("", known(1))),
		twice("group: named by its new identifier", 2, a, mdh("B", known(1)), mdh("b")),
		{name: "group: the identifier that was given up", given: a, group: []Change{mdh("B", known(1)), mdh("A")}, done: Added},
		{name: "group: two generated ones", group: []Change{mdh("", mail), mdh("", with(Email, "b@x.org"))}, done: Added},
		{name: "group: twins", group: []Change{mdh("A", mail), mdh("B", mail)}, code: ContactTaken, kind: fault.Conflict, field: "email", index: 2},
		{name: "group: an email given up earlier", given: a, group: []Change{mdh("A", with(Email, "")), mdh("B", mail)}, done: Added},
		{name: "group: an email given up later", given: a, group: []Change{mdh("B", mail), mdh("A", with(Email, ""))}, code: ContactTaken, kind: fault.Conflict, field: "email", index: 1},
		{name: "group: existing identifier, add only", given: a, group: []Change{mdh("B", addOnly), mdh("A", addOnly)}, code: IdentifierTaken, kind: fault.Conflict, field: IdentifierField, index: 2},
		{name: "group: the cap", study: capped(2), given: a, group: []Change{mdh("B"), mdh("C")}, code: CapReached, kind: fault.Conflict, index: 2},
		{name: "group: removed within it makes room", study: capped(2), given: a, group: []Change{mdh("B"), act(Remove, "A"), mdh("C")}, done: Added},
		{name: "group: nothing differs", given: a, group: []Change{mdh("A")}, done: Unchanged},
		{name: "group: deleted, then made anew", given: a, group: []Change{act(Delete, "A"), mdh("A", mail)}, done: Added},
	}
}

// A group that fails leaves nothing behind: neither in the store nor for the groups after it.
func TestFailedGroupLeavesNothing(t *testing.T) {
	t.Parallel()
	given := []Change{
		oc("OLD", ohio, with(Email, "old@x.org")), oc("GONE", ohio, with(Email, "gone@x.org")),
	}
	failing := group(
		oc("NEW", ohio, with(Email, "new@x.org"), registers),
		oc("OLD", ohio, with(Email, "other@x.org"), registers),
		act(Delete, "GONE"),
		oc("NO", nowAt),
	)
	after := Group{Changes: []Change{
		oc("NEW", ohio, with(Email, "gone@x.org")), mdh("M", with(Email, "new@x.org")),
		oc("OLD", ohio, registers), oc("GONE", ohio, with(City, "Ames")),
	}}
	with, without := newWorld(t, juno()), newWorld(t, juno())
	for _, w := range []*world{with, without} {
		w.must(given...)
	}
	results := with.apply(failing, after)
	without.drawn += 2 // the codes that the failing group would have used
	wanted := without.apply(after)
	for _, r := range results[0] {
		if r.Err == nil || r.Err.Code != SiteUnknown || r.Err.Index != 4 || r.Participant != nil {
			t.Errorf("answer %+v, want the fault of change 4", r)
		}
	}
	ignore := cmp.FilterPath(func(p cmp.Path) bool {
		name := p.Last().String()
		return name == ".ID" || name == ".LinkID" || name == ".AccessCode"
	}, cmp.Ignore())
	if diff := cmp.Diff(wanted[0], results[1], ignore, cmp.AllowUnexported(fault.Error{})); diff != "" {
		t.Errorf("the group after it is answered otherwise (-without +with):\n%s", diff)
	}
	if diff := cmp.Diff(without.counters, with.counters); diff != "" {
		t.Errorf("counters (-without +with):\n%s", diff)
	}
	if len(with.events) != len(without.events) || len(with.claims) != len(without.claims) || len(with.codes) != 1 {
		t.Errorf("%d events, %d claims, %d codes; want %d, %d, 1",
			len(with.events), len(with.claims), len(with.codes), len(without.events), len(without.claims))
	}
}

func TestEachGroupGivesOutItsOwnCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.apply(
		group(oc("A", ohio, registers), oc("X", nowAt)), // fails, and gives its code back
		group(oc("B", ohio, registers), oc("C", ohio, registers)),
		group(oc("D", ohio, registers)),
		Group{Changes: []Change{oc("E", ohio, registers)}},
	)
	if len(w.people) != 4 || len(w.codes) != 4 { // the world proves that the codes differ
		t.Errorf("%d people, %d codes; want 4 of each", len(w.people), len(w.codes))
	}
}

// Groups of one batch see those before them, through their layers.
func TestGroupsSeeThoseBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	results := w.apply(
		group(mdh("A", with(Email, "a@x.org")), oc("R", ohio, registers)),
		group(mdh("A", with(City, "Ames")), oc("R", ohio, registers)),
		Group{Changes: []Change{mdh("a", with(Email, "")), oc("r", ohio, registers)}},
		group(mdh("B", with(Email, "a@x.org")), act(Delete, "R")),
		group(oc("R", ohio, registers)),
	)
	want := [][]Done{{Added, Added}, {Updated, Unchanged}, {Updated, Unchanged}, {Added, Deleted}, {Added}}
	for i := range want {
		for j := range want[i] {
			if r := results[i][j]; r.Err != nil || r.Done != want[i][j] {
				t.Errorf("group %d, change %d: %+v, want %d", i+1, j+1, r, want[i][j])
			}
		}
	}
	if p := w.find("A"); p.Seq != 1 || p.Details[City] != "Ames" {
		t.Errorf("A is %+v, want one participant with all that was written", p)
	}
	if len(w.codes) != 1 {
		t.Errorf("%d access codes are kept, want that of the second R alone", len(w.codes))
	}
}
