package registry

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

// ruleCase is one line of a table of rules: in the sample study, after what was given, a
// change is answered so.
type ruleCase struct {
	name  string
	study func(*Study) // how the study differs from the sample; nil if it does not
	given []Change     // made before, each in a batch of its own; they must work
	later func(*Study) // what becomes of the study after that; nil if nothing
	do    Change       // the change that the case is about
	group []Change     // or the all-or-nothing group; do is then empty

	code  fault.Code // the code of the fault; "" if the change works
	kind  fault.Kind // its kind
	field string     // the field at fault
	index int        // its place in the group
	done  Done       // what became of the change that works; of the last one of a group
}

// ruleCases are the tables of all rules, each in the file of its rule.
func ruleCases() []ruleCase {
	return slices.Concat(
		orderCases(), identifierCases(), limitCases(), formCases(), customCases(),
		placeCases(), capCases(), generationCases(), claimCases(), groupCases(), actionCases(),
	)
}

func (c *ruleCase) groups() []Group {
	if c.group != nil {
		return []Group{group(c.group...)}
	}
	return []Group{{Changes: []Change{c.do}}}
}

func TestDecideRules(t *testing.T) {
	t.Parallel()
	for _, c := range ruleCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			study := juno()
			if c.study != nil {
				c.study(study)
			}
			w := newWorld(t, study)
			w.must(c.given...)
			if c.later != nil {
				c.later(study)
			}
			before := w.state()
			results := w.apply(c.groups()...)[0]
			c.check(t, results)
			if results[0].Err == nil && c.done != Unchanged {
				if cmp.Equal(before, w.state()) {
					t.Error("the change works, but nothing is different")
				}
				return
			}
			if diff := cmp.Diff(before, w.state()); diff != "" {
				t.Errorf("the change leaves a trace (-before +after):\n%s", diff)
			}
		})
	}
}

func (c *ruleCase) check(t *testing.T, results []Result) {
	t.Helper()
	for _, r := range results {
		if c.code == "" {
			if r.Err != nil || r.Participant == nil {
				t.Fatalf("answer %+v, want it to work", r)
			}
			continue
		}
		if r.Err == nil {
			t.Fatalf("it works (%d), want fault %s", r.Done, c.code)
		}
		got := ruleCase{code: r.Err.Code, kind: r.Err.Kind, field: r.Err.Field, index: r.Err.Index}
		if got.code != c.code || got.kind != c.kind || got.field != c.field || got.index != c.index {
			t.Errorf("fault %s, kind %s, field %q, index %d; want %s, %s, %q, %d",
				got.code, got.kind, got.field, got.index, c.code, c.kind, c.field, c.index)
		}
		if r.Err.Message == "" || r.Participant != nil || r.Done != Unchanged {
			t.Errorf("fault without a message, or with a participant: %+v", r)
		}
	}
	if last := results[len(results)-1]; c.code == "" && last.Done != c.done {
		t.Errorf("done %d, want %d", last.Done, c.done)
	}
}

func TestEveryRecordCodeHasACase(t *testing.T) {
	t.Parallel()
	seen := map[fault.Code]bool{}
	names := map[string]bool{}
	for _, c := range ruleCases() {
		seen[c.code] = true
		if names[c.name] {
			t.Errorf("two cases are named %q", c.name)
		}
		names[c.name] = true
	}
	delete(seen, "")
	for _, code := range RecordCodes() {
		if !seen[code] {
			t.Errorf("no case answers %s", code)
		}
		delete(seen, code)
	}
	for code := range seen {
		t.Errorf("a case answers %s, which is not in RecordCodes", code)
	}
}

// orderCases break two rules at once: the earlier check of decisions, OpenClinica 2 and 17,
// is the answer.
func orderCases() []ruleCase {
	long, bad := repeat("é", 36), with(Email, "no address")
	locked := all(studyIs(Locked), withoutModule)
	return []ruleCase{
		{name: "order: study before its site", study: all(locked, siteIs(ohio, Frozen)), do: oc("", ohio, registers), code: StudyNotAvailable, kind: fault.Conflict},
		{name: "order: study before an unknown site", study: locked, do: oc("", nowAt, registers), code: StudyNotAvailable, kind: fault.Conflict},
		{name: "order: unknown site before Participate", study: withoutModule, do: oc("", nowAt, registers), code: SiteUnknown, kind: fault.Invalid, field: SiteField},
		{name: "order: site before Participate", study: all(withoutModule, siteIs(ohio, Design)), do: oc("", ohio, registers), code: SiteNotAvailable, kind: fault.Conflict},
		{name: "order: Participate before the identifier", study: withoutModule, do: oc("", ohio, registers), code: ParticipateInactive, kind: fault.Conflict},
		{name: "order: Participate before study level", study: withoutModule, do: oc("A", StudyLevel, registers), code: ParticipateInactive, kind: fault.Conflict},
		{name: "order: study level before the identifier", do: oc("", StudyLevel, with(FirstName, "Ann")), code: StudyLevelContact, kind: fault.Invalid},
		{name: "order: identifier before names", do: oc("a<b", ohio, with(FirstName, long)), code: ForbiddenChars, kind: fault.Invalid, field: "participantIdentifier"},
		{name: "order: first name before last", do: oc("A", ohio, with(LastName, long), with(FirstName, long)), code: TooLong, kind: fault.Invalid, field: "firstName"},
		{name: "order: last name before middle", do: oc("A", ohio, with(MiddleName, long), with(LastName, long)), code: TooLong, kind: fault.Invalid, field: "lastName"},
		{name: "order: middle name before secondary id", do: oc("A", ohio, with(SecondaryID, long), with(MiddleName, long)), code: TooLong, kind: fault.Invalid, field: "middleName"},
		{name: "order: secondary id before email", do: oc("A", ohio, bad, with(SecondaryID, long)), code: TooLong, kind: fault.Invalid, field: "secondaryIdentifier"},
		{name: "order: email before phone", do: oc("A", ohio, with(MobilePhone, "1"), bad), code: Malformed, kind: fault.Invalid, field: "email"},
		{name: "order: phone before street 1", do: oc("A", ohio, with(Street1, repeat("s", 156)), with(MobilePhone, "1")), code: Malformed, kind: fault.Invalid, field: "mobilePhone"},
		{name: "order: street 1 before street 2", do: oc("A", ohio, with(Street2, repeat("s", 156)), with(Street1, repeat("s", 156))), code: TooLong, kind: fault.Invalid, field: "street1"},
		{name: "order: street 2 before country", do: oc("A", ohio, with(Country, repeat("s", 156)), with(Street2, repeat("s", 156))), code: TooLong, kind: fault.Invalid, field: "street2"},
		{name: "order: country before city", do: oc("A", ohio, with(City, repeat("s", 156)), with(Country, repeat("s", 156))), code: TooLong, kind: fault.Invalid, field: "country"},
		{name: "order: city before state", do: oc("A", ohio, with(State, repeat("s", 156)), with(City, repeat("s", 156))), code: TooLong, kind: fault.Invalid, field: "city"},
		{name: "order: state before postal code", do: oc("A", ohio, with(PostalCode, long), with(State, repeat("s", 156))), code: TooLong, kind: fault.Invalid, field: "state"},
		{name: "order: postal code before birth", do: oc("A", ohio, with(DateOfBirth, "x"), with(PostalCode, long)), code: TooLong, kind: fault.Invalid, field: "postalCode"},
		{name: "order: birth before hospital number", do: oc("A", ohio, with(HospitalNumber, long), with(DateOfBirth, "x")), code: Malformed, kind: fault.Invalid, field: "dateOfBirth"},
		{name: "order: too long before malformed", do: oc("A", ohio, with(MobilePhone, repeat("x", 18))), code: TooLong, kind: fault.Invalid, field: "mobilePhone"},
		{name: "order: fields before the cap", study: capped(0), do: oc("A", ohio, bad), code: Malformed, kind: fault.Invalid, field: "email"},
		{name: "order: details before custom fields", do: mdh("A", custom("None", "1"), bad), code: Malformed, kind: fault.Invalid, field: "email"},
		{name: "order: other site before locked", given: []Change{oc("A", iowa), act(Lock, "A")}, do: oc("A", ohio), code: IdentifierElsewhere, kind: fault.Conflict, field: IdentifierField},
		{name: "order: cap before claims", study: all(capped(1), uniqueContacts), given: []Change{oc("A", ohio, with(Email, "a@x.org"))}, do: oc("B", ohio, with(Email, "a@x.org")), code: CapReached, kind: fault.Conflict},
	}
}
