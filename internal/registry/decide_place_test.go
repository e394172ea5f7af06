package registry

import (
	"testing"

	"rollcall/internal/fault"
)

// placeCases are the rules of sites and the study level (decisions, OpenClinica 6, and "Both").
func placeCases() []ruleCase {
	var cases []ruleCase
	for _, status := range Statuses() {
		if status == Available {
			continue
		}
		cases = append(cases,
			ruleCase{name: "place: add in a study that is " + string(status), study: studyIs(status), do: mdh("A"), code: StudyNotAvailable, kind: fault.Conflict},
			ruleCase{name: "place: update in a study that is " + string(status), given: []Change{oc("A", ohio)}, later: studyIs(status), do: oc("A", ohio), code: StudyNotAvailable, kind: fault.Conflict},
			ruleCase{name: "place: act in a study that is " + string(status), given: []Change{oc("A", ohio)}, later: studyIs(status), do: act(Remove, "A"), code: StudyNotAvailable, kind: fault.Conflict},
			ruleCase{name: "place: add at a site that is " + string(status), study: siteIs(ohio, status), do: oc("A", ohio), code: SiteNotAvailable, kind: fault.Conflict},
			ruleCase{name: "place: update at a site that is " + string(status), given: []Change{oc("A", ohio)}, later: siteIs(ohio, status), do: mdh("A", with(City, "Ames")), code: SiteNotAvailable, kind: fault.Conflict},
			ruleCase{name: "place: act at a site that is " + string(status), given: []Change{oc("A", ohio)}, later: siteIs(ohio, status), do: act(Withdraw, "A", through(MyDataHelps())), code: SiteNotAvailable, kind: fault.Conflict},
			ruleCase{name: "place: another site is " + string(status), study: siteIs(iowa, status), do: oc("A", ohio), done: Added},
			ruleCase{name: "place: move away from a site that is " + string(status), given: []Change{oc("A", ohio)}, later: siteIs(ohio, status), do: mdh("A", at(iowa)), code: SiteNotAvailable, kind: fault.Conflict},
		)
	}
	bare := func(name string, do Change) ruleCase {
		return ruleCase{name: name, do: do, code: StudyLevelContact, kind: fault.Invalid}
	}
	there := []Change{oc("A", ohio)}
	level := []Change{oc("A", StudyLevel)}
	return append(cases,
		ruleCase{name: "place: add at study level", do: oc("A", StudyLevel), done: Added},
		ruleCase{name: "place: repeat at study level", given: level, do: oc("a", StudyLevel), done: Unchanged},
		bare("place: registration at study level", oc("A", StudyLevel, registers)),
		bare("place: a name at study level", oc("A", StudyLevel, with(FirstName, "Ann"))),
		bare("place: a secondary id at study level", oc("A", StudyLevel, with(SecondaryID, "S"))),
		bare("place: an invalid email at study level", oc("A", StudyLevel, with(Email, "x"))),
		ruleCase{name: "place: blank contact data at study level", do: oc("A", StudyLevel, with(Email, " "), with(City, "")), done: Added},
		ruleCase{name: "place: MyDataHelps writes contact data at study level", do: mdh("A", with(Email, "a@x.org")), done: Added},
		ruleCase{name: "place: unknown site", do: oc("A", nowAt), code: SiteUnknown, kind: fault.Invalid, field: SiteField},
		ruleCase{name: "place: unknown site through MyDataHelps", given: there, do: mdh("A", at(nowAt)), code: SiteUnknown, kind: fault.Invalid, field: SiteField},
		ruleCase{name: "place: from study level to a site", given: level, do: oc("A", ohio, with(FirstName, "Ann")), done: Updated},
		ruleCase{name: "place: from study level to a site through MyDataHelps", given: level, do: mdh("A", at(ohio)), done: Updated},
		ruleCase{name: "place: to another site through OpenClinica", given: there, do: oc("a", iowa), code: IdentifierElsewhere, kind: fault.Conflict, field: IdentifierField},
		ruleCase{name: "place: to study level through OpenClinica", given: there, do: oc("A", StudyLevel), code: IdentifierElsewhere, kind: fault.Conflict, field: IdentifierField},
		ruleCase{name: "place: to another site through MyDataHelps", given: there, do: mdh("A", at(iowa)), done: Updated},
		ruleCase{name: "place: to study level through MyDataHelps", given: there, do: mdh("A", at(StudyLevel)), code: StaysAtSite, kind: fault.Invalid, field: SiteField},
		ruleCase{name: "place: none given", given: there, do: mdh("A"), done: Unchanged},
		ruleCase{name: "place: where it is", given: there, do: mdh("A", at(ohio)), done: Unchanged},
	)
}

// capCases are the enrollment cap (decisions, OpenClinica 3 and 17).
func capCases() []ruleCase {
	full := func(name string, study func(*Study), do Change, given ...Change) ruleCase {
		return ruleCase{name: name, study: study, given: given, do: do, code: CapReached, kind: fault.Conflict}
	}
	a, b := oc("A", ohio), oc("B", iowa)
	return []ruleCase{
		full("cap: reached", capped(2), oc("C", ohio), a, b),
		full("cap: of none", capped(0), oc("A", ohio)),
		full("cap: reached through MyDataHelps", capped(1), mdh("C"), a),
		full("cap: counts the study level", capped(1), oc("C", StudyLevel), oc("A", StudyLevel)),
		full("cap: locked people count", capped(1), oc("C", ohio), a, act(Lock, "A")),
		full("cap: a restored person counts", capped(2), oc("D", ohio), a, act(Remove, "A"), b, oc("C", ohio), act(Restore, "A")),
		full("cap: of a site counts the whole study", siteCapped(1, ohio), oc("C", ohio), b),
		{name: "cap: one place left", study: capped(2), given: []Change{a}, do: oc("C", ohio), done: Added},
		{name: "cap: not enforced", study: func(s *Study) { s.Cap = 1 }, given: []Change{a}, do: b, done: Added},
		{name: "cap: of a site does not limit others", study: siteCapped(1, ohio), given: []Change{a}, do: b, done: Added},
		{name: "cap: of a site does not limit the study level", study: siteCapped(1, ohio), given: []Change{a}, do: oc("C", StudyLevel), done: Added},
		{name: "cap: updates work", study: capped(1), given: []Change{a}, do: oc("a", ohio, with(City, "Ames"), registers), done: Updated},
		{name: "cap: a move is not a create", study: capped(1), given: []Change{oc("A", StudyLevel)}, do: oc("A", ohio), done: Updated},
		{name: "cap: withdrawn people do not count", study: capped(1), given: []Change{a, act(Withdraw, "A")}, do: b, done: Added},
		{name: "cap: removed people do not count", study: capped(1), given: []Change{a, act(Remove, "A")}, do: b, done: Added},
		{name: "cap: deleted people do not count", study: capped(1), given: []Change{a, act(Delete, "A")}, do: b, done: Added},
		{name: "cap: restoring works when it is reached", study: capped(1), given: []Change{a, act(Remove, "A"), b}, do: act(Restore, "A"), done: Updated},
	}
}

func TestCapWithinOneBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno(capped(2)))
	results := w.apply(
		Group{Changes: []Change{oc("A", ohio), oc("B", ohio), oc("C", ohio), oc("a", ohio, with(City, "Ames"))}},
		Group{Changes: []Change{act(Remove, "B"), oc("D", ohio), oc("E", ohio)}},
	)
	var got []fault.Code
	for _, r := range append(results[0], results[1]...) {
		code := fault.Code("")
		if r.Err != nil {
			code = r.Err.Code
		}
		got = append(got, code)
	}
	want := []fault.Code{"", "", CapReached, "", "", "", CapReached}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("codes %q, want %q", got, want)
		}
	}
}
