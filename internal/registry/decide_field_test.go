package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// email is an address of n characters.
func email(n int) string { return repeat("a", n-len("@x.org")) + "@x.org" }

// identifierCases are the rules of the identifier's text, and which participant it finds.
func identifierCases() []ruleCase {
	missing := ruleCase{code: IdentifierMissing, kind: fault.Invalid, field: IdentifierField}
	bad := func(name string, do Change, code fault.Code) ruleCase {
		return ruleCase{name: name, do: do, code: code, kind: fault.Invalid, field: IdentifierField}
	}
	named := func(name string, c ruleCase, do Change) ruleCase {
		c.name, c.do = name, do
		return c
	}
	taken := fault.Conflict
	return []ruleCase{
		named("identifier: missing through OpenClinica", missing, oc("", ohio)),
		named("identifier: blank through OpenClinica", missing, oc(" \t\u00a0", ohio)),
		named("identifier: missing through MyDataHelps", missing, mdh("")),
		named("identifier: missing with an empty email", missing, mdh("", with(Email, ""))),
		{name: "identifier: 30 characters through OpenClinica", do: oc(repeat("É", 30), ohio), done: Added},
		bad("identifier: 31 characters through OpenClinica", oc(repeat("É", 31), ohio), TooLong),
		{name: "identifier: 30 characters and space around", do: oc("  "+repeat("x", 30)+"\t", ohio), done: Added},
		{name: "identifier: 100 characters through MyDataHelps", do: mdh(repeat("É", 100)), done: Added},
		bad("identifier: 101 characters through MyDataHelps", mdh(repeat("É", 101)), TooLong),
		bad("identifier: < through OpenClinica", oc("a<b", ohio), ForbiddenChars),
		bad("identifier: > through the legacy bulk", legacy("a>b", ohio), ForbiddenChars),
		{name: "identifier: < through MyDataHelps", do: mdh("a<b"), done: Added},
		bad("identifier: tab through MyDataHelps", mdh("a\tb"), ForbiddenChars),
		bad("identifier: DEL through MyDataHelps", mdh("a\x7fb"), ForbiddenChars),
		bad("identifier: C1 control through MyDataHelps", mdh("a\u0085b"), ForbiddenChars),
		{name: "identifier: tab inside through OpenClinica", do: oc("a\tb", ohio), done: Added},
		bad("identifier: NUL", oc("a\x00b", ohio), TextMalformed),
		bad("identifier: not UTF-8", mdh("a\xffb"), TextMalformed),

		{name: "identity: the same identifier updates", given: []Change{oc("A-1", ohio)}, do: oc("A-1", ohio, with(FirstName, "Ann")), done: Updated},
		{name: "identity: nothing differs", given: []Change{oc("A-1", ohio, with(FirstName, "Ann"))}, do: oc("A-1", ohio, with(FirstName, " Ann ")), done: Unchanged},
		{name: "identity: other case is the same", given: []Change{oc("A-1", ohio)}, do: oc("a-1", ohio), done: Unchanged},
		{name: "identity: long s is s", given: []Change{oc("Sos", ohio)}, do: oc("ſoſ", ohio), done: Unchanged},
		{name: "identity: Kelvin sign is k", given: []Change{oc("k1", ohio)}, do: oc("\u212a1", ohio), done: Unchanged},
		{name: "identity: final sigma is sigma", given: []Change{oc("Σ", ohio)}, do: oc("ς", ohio), done: Unchanged},
		{name: "identity: sharp s is not ss", given: []Change{oc("strasse", ohio)}, do: oc("straße", ohio), done: Added},
		{name: "identity: composed is not decomposed", given: []Change{oc("é", ohio)}, do: oc("e\u0301", ohio), done: Added},
		{name: "identity: dialects share it", given: []Change{oc("A-1", ohio)}, do: mdh("a-1", with(Gender, "f")), done: Updated},
		{name: "identity: add only", given: []Change{oc("A-1", ohio)}, do: mdh("a-1", addOnly), code: IdentifierTaken, kind: taken, field: IdentifierField},
		{name: "identity: add only by id", given: []Change{mdh("A")}, do: mdh("", known(1), addOnly), code: IdentifierTaken, kind: taken, field: IdentifierField},
		{name: "identity: id that is unknown", do: mdh("", known(1)), code: ParticipantUnknown, kind: fault.NotFound, field: IdentifierField},
		{name: "identity: id finds", given: []Change{mdh("A")}, do: mdh("", known(1), with(City, "Ames")), done: Updated},
		{name: "identity: id and its own identifier", given: []Change{mdh("A")}, do: mdh("a", known(1)), done: Unchanged},
		{name: "identity: rename", given: []Change{mdh("A")}, do: mdh("B", known(1)), done: Updated},
		{name: "identity: rename to one in use", given: []Change{mdh("A"), mdh("B")}, do: mdh("b", known(1)), code: IdentifierTaken, kind: taken, field: IdentifierField},
		{name: "identity: rename to a removed one's", given: []Change{mdh("A"), mdh("B"), act(Remove, "B")}, do: mdh("B", known(1)), code: IdentifierTaken, kind: taken, field: IdentifierField},
		{name: "identity: removed is taken in MyDataHelps", given: []Change{mdh("A"), act(Remove, "A")}, do: mdh("A"), code: IdentifierTaken, kind: taken, field: IdentifierField},
		{name: "identity: removed is unknown by id", given: []Change{mdh("A"), act(Remove, "A")}, do: mdh("", known(1)), code: ParticipantUnknown, kind: fault.NotFound, field: IdentifierField},
		{name: "identity: too long for OpenClinica, made by MyDataHelps", given: []Change{mdh(repeat("x", 31), at(ohio))}, do: oc(repeat("x", 31), ohio), code: TooLong, kind: fault.Invalid, field: IdentifierField},
	}
}

// limitCases are one case within and one beyond each length limit of each dialect; the limits
// are written out here a second time on purpose.
func limitCases() []ruleCase {
	openClinica := map[Field]int{
		FirstName: 35, LastName: 35, MiddleName: 35, SecondaryID: 35, Street1: 155, Street2: 155,
		Country: 155, City: 155, State: 155, PostalCode: 35, HospitalNumber: 35,
	}
	myDataHelps := map[Field]int{
		SecondaryID: 255, FirstName: 255, MiddleName: 255, LastName: 255, PreferredLanguage: 255,
		Street1: 255, Street2: 255, City: 255, State: 255, PostalCode: 255, TimeZone: 255,
	}
	var cases []ruleCase
	limit := func(name string, c Change, f Field, within, beyond string) {
		name = fmt.Sprintf("limit: %s of %s", f, name)
		ok, long := c, c
		ok.Edits.Set(f, within)
		long.Edits.Set(f, beyond)
		cases = append(cases,
			ruleCase{name: name + " within", do: ok, done: Added},
			ruleCase{name: name + " beyond", do: long, code: TooLong, kind: fault.Invalid, field: f.String()})
	}
	for f, n := range openClinica {
		limit("OpenClinica", oc("A", ohio), f, repeat("é", n), repeat("é", n+1))
		limit("the legacy bulk", legacy("A", ohio), f, repeat("é", n), repeat("é", n+1))
	}
	for f, n := range myDataHelps {
		limit("MyDataHelps", mdh("A"), f, repeat("é", n), repeat("é", n+1))
	}
	limit("OpenClinica", oc("A", ohio), Email, email(255), email(256))
	limit("the legacy bulk", legacy("A", ohio), Email, email(255), email(256))
	limit("MyDataHelps", mdh("A"), Email, email(255), email(256))
	limit("OpenClinica", oc("A", ohio), MobilePhone, "+123 456789012345", "+123 4567890123456")
	limit("the legacy bulk", legacy("A", ohio), MobilePhone, "123456789012345", "1234567890123456")
	limit("MyDataHelps", mdh("A"), MobilePhone, "+1 (555) 777 - 8888"+repeat(" ", 21), "+1 (555) 777 - 8888"+repeat(" ", 22))
	limit("OpenClinica", oc("A", ohio), FirstName, "  "+repeat("é", 35)+"  ", repeat("é", 34)+"  xx")
	cases[len(cases)-2].name += " (trimmed)"
	cases[len(cases)-1].name += " (trimmed)"
	return cases
}

// formCases are the forms of values.
func formCases() []ruleCase {
	var cases []ruleCase
	add := func(c Change, f Field, good, bad []string) {
		for i, value := range append(good, bad...) {
			do := c
			do.Edits.Set(f, value)
			rule := ruleCase{name: fmt.Sprintf("form: %s of %s %q", f, c.Profile.Name, value), do: do, done: Added}
			if i >= len(good) {
				rule = ruleCase{name: rule.name, do: do, code: Malformed, kind: fault.Invalid, field: f.String()}
			}
			cases = append(cases, rule)
		}
	}
	phones := []string{"+1 5557778888", "+1 1", "+123 12345678901"}
	notPhones := []string{
		"5557778888", "+1", "+ 1", "+1 ", "+1  1", "+1234 1", "1 5557778888", "+1 555-777", "++1 1", "+1 555 777", "+1 ٣",
	}
	addresses := []string{"a@x.org", "A.b+c_d@sub.x-y.org", "'x'@1.2", "a@X.ORG", " a@x.org "}
	notAddresses := []string{
		"a", "a@x", "@x.org", "a@", "a@.org", "a@x.", "a.@x.org", ".a@x.org", "a..b@x.org", "a@-x.org",
		"a@x-.org", "a b@x.org", "a@x.org,b@x.org", "é@x.org", "a@é.org", "a@x.org\n.y", "<a@x.org>", "a@@x.org",
	}
	dates := []string{"1980-02-29", "2026-01-01", "0001-01-01"}
	notDates := []string{"1981-02-29", "1980-2-9", "29-02-1980", "1980/02/29", "1980-13-01", "0", "1980-02-2x"}
	add(oc("A", ohio), MobilePhone, phones, notPhones)
	add(legacy("A", ohio), MobilePhone, []string{"5557778888", "1", "123456789012345"}, []string{"+15557778888", "555 777", "x", "٣"})
	add(mdh("A"), MobilePhone, []string{"5557778888", "+15557778888", "+44 20 7946 0018", "(555) 777-8888", "555.777.8888", "+1 5557778888"},
		[]string{"555777888", "15557778888", "+1", "+", "+1234567890123456", "x", "+44x", "5557778888x1", "٣٣٣٣٣٣٣٣٣٣"})
	add(oc("A", ohio), Email, addresses, notAddresses)
	add(mdh("A"), Email, addresses[:4], append(notAddresses, " a@x.org"))
	add(oc("A", ohio), DateOfBirth, dates, notDates)
	add(mdh("A"), DateOfBirth, dates, notDates)
	add(mdh("A"), Gender, []string{"M", "f", "O"}, []string{"X", "1"})
	add(mdh("A"), UTCOffset, []string{"-04:00:00", "05:30:00", "+05:30:00", "-04:00", "14:00", "-00:00"},
		[]string{"4", "4:00", "-04", "24:00:00", "14:00:01", "-04:60", "+-04:00", "04:00:60", "x", "04-00", "04:00:0"})
	add(mdh("A"), UnsubscribedFromEmails, []string{"true", "FALSE"}, []string{"yes", "1"})
	add(mdh("A"), UnsubscribedFromSms, []string{"True", "false"}, []string{"no", "t"})

	text := func(name string, do Change, field string) ruleCase {
		return ruleCase{name: name, do: do, code: TextMalformed, kind: fault.Invalid, field: field}
	}
	return append(cases,
		text("form: NUL in a name", oc("A", ohio, with(FirstName, "a\x00")), "firstName"),
		text("form: a city that is not UTF-8", mdh("A", with(City, "\xc3(")), "city"),
		text("form: an email that is not UTF-8", oc("A", ohio, with(Email, "a\xff@x.org")), "email"),
		ruleCase{name: "form: a field that the dialect does not write", given: []Change{oc("A", ohio)}, do: oc("A", ohio, with(Gender, "?")), done: Unchanged},
		ruleCase{name: "form: every field cleared", given: []Change{mdh("A")}, do: mdh("A", cleared), done: Unchanged},
	)
}

// cleared gives every field the empty value.
func cleared(c *Change) {
	for _, f := range Fields() {
		c.Edits.Set(f, "")
	}
}

func customCases() []ruleCase {
	var cases []ruleCase
	add := func(field string, good, bad []string) {
		for _, value := range good {
			cases = append(cases, ruleCase{name: fmt.Sprintf("custom: %s %q", field, value), do: mdh("A", custom(field, value)), done: Added})
		}
		for _, value := range bad {
			cases = append(cases, ruleCase{
				name: fmt.Sprintf("custom: %s %q", field, value), do: mdh("A", custom(field, value)),
				code: Malformed, kind: fault.Invalid, field: "customFields." + field,
			})
		}
	}
	add("Notes", []string{"any text", " ", repeat("x", 65536)}, nil)
	add("Visits", []string{"", "3", "-3", " +3 ", "9223372036854775807"}, []string{"3.0", "9223372036854775808", "x", " ", "0x1", "1_0"})
	add("Weight", []string{"", "71.5", "-1e3", " .5 "}, []string{"x", "NaN", "Inf", "-infinity", "0x1p-2", "1_0", "1e999", " ", "1,5"})
	add("Smoker", []string{"", "true", "FALSE"}, []string{"yes", "0"})
	add("Diagnosed", []string{"", "2020-02-29"}, []string{"2021-02-29", "2020-02-29T00:00:00Z"})
	fails := func(name string, do Change, code fault.Code, field string) ruleCase {
		return ruleCase{name: name, do: do, code: code, kind: fault.Invalid, field: field}
	}
	return append(cases,
		fails("custom: a field that is not defined", mdh("A", custom("Other", "")), UnknownField, "customFields.Other"),
		fails("custom: too long", mdh("A", custom("Notes", repeat("x", 65537))), TooLong, "customFields.Notes"),
		fails("custom: NUL", mdh("A", custom("notes", "\x00")), TextMalformed, "customFields.Notes"),
		fails("custom: not UTF-8", mdh("A", custom("Smoker", "\xff")), TextMalformed, "customFields.Smoker"),
		fails("custom: secondary identifier too long", mdh("A", custom("secondaryidentifier", repeat("é", 256))), TooLong, "secondaryIdentifier"),
		ruleCase{
			name: "alias: secondary identifier that the study does not define", study: secondaryIs(""), do: mdh("A", with(SecondaryID, "S")),
			code: UnknownField, kind: fault.Invalid, field: "secondaryIdentifier",
		},
		ruleCase{
			name: "alias: secondary identifier that is not of its type", study: secondaryIs(IntegerField), do: mdh("A", with(SecondaryID, "S")),
			code: Malformed, kind: fault.Invalid, field: "secondaryIdentifier",
		},
		ruleCase{
			name: "alias: secondary identifier in another form", study: secondaryIs(IntegerField),
			given: []Change{mdh("A", with(SecondaryID, " 07 "))}, do: mdh("A", with(SecondaryID, "7")), done: Unchanged,
		},
		ruleCase{
			name: "alias: clearing what is not shown touches nothing", study: secondaryIs(""),
			given: []Change{oc("A", ohio, with(SecondaryID, "S"))}, do: mdh("A", with(SecondaryID, "")), done: Unchanged,
		},
		ruleCase{name: "alias: not for OpenClinica", study: secondaryIs(""), do: oc("A", ohio, with(SecondaryID, "S")), done: Added},
		ruleCase{name: "custom: clearing what is not set", given: []Change{mdh("A")}, do: mdh("A", custom("Visits", "")), done: Unchanged},
		ruleCase{name: "custom: the same number in another form", given: []Change{mdh("A", custom("Visits", "3"))}, do: mdh("A", custom("VISITS", " +03 ")), done: Unchanged},
		ruleCase{name: "custom: secondary identifier is the detail", given: []Change{oc("A", ohio, with(SecondaryID, "S1"))}, do: mdh("A", custom(SecondaryIdentifierField, "S1")), done: Unchanged},
	)
}

// secondaryIs gives the custom field SecondaryIdentifier a type, or takes it away.
func secondaryIs(kind FieldType) func(*Study) {
	return func(s *Study) {
		s.CustomFields = slices.DeleteFunc(s.CustomFields, func(f CustomField) bool { return f.Name == SecondaryIdentifierField })
		if kind != "" {
			s.CustomFields = append(s.CustomFields, CustomField{SecondaryIdentifierField, kind})
		}
	}
}

func TestFiltersAreInStoredForm(t *testing.T) {
	t.Parallel()
	visits := CustomField{"Visits", IntegerField}
	tests := []struct{ got, want Filter }{
		{MyDataHelps().FilterDetail(MobilePhone, "(555) 777-8888"), Filter{Field: MobilePhone, Value: "+1 5557778888"}},
		{MyDataHelps().FilterDetail(Gender, "f"), Filter{Field: Gender, Value: "F"}},
		{MyDataHelps().FilterDetail(Email, "no address"), Filter{Field: Email, Value: "no address"}},
		{MyDataHelps().FilterDetail(City, ""), Filter{Field: City}},
		{FilterCustom(visits, " +07"), Filter{Custom: "Visits", Value: "7"}},
		{FilterCustom(visits, "many"), Filter{Custom: "Visits", Value: "many"}},
		{FilterCustom(visits, ""), Filter{Custom: "Visits"}},
	}
	for i, test := range tests {
		if test.got != test.want {
			t.Errorf("filter %d is %+v, want %+v", i+1, test.got, test.want)
		}
	}
}

func TestStoredForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change Change
		want   map[Field]string
		custom map[string]string
	}{
		{"OpenClinica trims", oc(" A ", ohio, with(FirstName, "\u2003Ann \n"), with(Email, " A@x.org")), map[Field]string{FirstName: "Ann", Email: "A@x.org"}, nil},
		{"MyDataHelps keeps space", mdh("A", with(FirstName, " Ann ")), map[Field]string{FirstName: " Ann "}, nil},
		{"legacy phone", legacy("A", ohio, with(MobilePhone, "5557778888")), map[Field]string{MobilePhone: "5557778888"}, nil},
		{"MyDataHelps phone", mdh("A", with(MobilePhone, " (555) 777-8888")), map[Field]string{MobilePhone: "+1 5557778888"}, nil},
		{"MyDataHelps words", mdh("A", with(Gender, "o"), with(UnsubscribedFromSms, "TRUE"), with(UTCOffset, "+05:30")), map[Field]string{Gender: "O", UnsubscribedFromSms: "true", UTCOffset: "05:30:00"}, nil},
		{"no offset has no sign", mdh("A", with(UTCOffset, "-00:00")), map[Field]string{UTCOffset: "00:00:00"}, nil},
		{"custom values", mdh("A", custom("SMOKER", " True "), custom("visits", "+007"), custom("WEIGHT", " 7.50 "), custom("notes", " x ")), nil, map[string]string{"Smoker": "true", "Visits": "7", "Weight": "7.50", "Notes": " x "}},
		{"custom secondary identifier", mdh("A", with(SecondaryID, "1"), custom("SECONDARYidentifier", "2")), map[Field]string{SecondaryID: "2"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newWorld(t, juno()).must(test.change)
			var want Details
			for f, value := range test.want {
				want[f] = value
			}
			if diff := cmp.Diff(want, p.Details); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
			if p.Identifier != "A" || !maps.Equal(test.custom, p.Custom) {
				t.Errorf("identifier %q, custom %v; want A, %v", p.Identifier, p.Custom, test.custom)
			}
		})
	}
}

func TestAbsentKeepsAndEmptyClears(t *testing.T) {
	t.Parallel()
	for _, profile := range []*Profile{OpenClinica(), OpenClinicaLegacy(), MyDataHelps()} {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, juno())
			w.must(mdh("A", at(ohio), with(FirstName, "Ann"), with(City, "Ames"), custom("Notes", "n"), custom("Visits", "1")))
			p := w.must(oc("A", ohio, through(profile), with(City, ""), custom("Visits", "")))
			if p.Details[FirstName] != "Ann" || p.Details[City] != "" || !maps.Equal(p.Custom, map[string]string{"Notes": "n"}) {
				t.Errorf("details %q, custom %v; want the city and the visits cleared alone", p.Details, p.Custom)
			}
		})
	}
}

func TestUpdateKeepsTheSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	first := w.must(oc("Juno-ſ1", ohio))
	for _, change := range []Change{oc("JUNO-S1", ohio, with(City, "Ames")), mdh("juno-s1", known(1), with(City, "Adel"))} {
		p := w.must(change)
		if p.Identifier != first.Identifier || p.OID != first.OID || p.ID != first.ID || p.Seq != 1 {
			t.Errorf("%q, %s after an update, want %q, %s", p.Identifier, p.OID, first.Identifier, first.OID)
		}
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	was := w.must(mdh("A", with(Email, "a@x.org")))
	results := w.apply(Group{Changes: []Change{mdh("B", known(1)), mdh("A"), mdh("b", with(City, "Ames"))}})[0]
	if now := results[0].Participant; now.ID != was.ID || now.Identifier != "B" || now.OID != was.OID {
		t.Errorf("renamed to %+v, want the same person under another identifier", now)
	}
	if other := results[1]; other.Done != Added || other.Participant.ID == was.ID {
		t.Errorf("the identifier that was given up is answered %+v, want a new participant", other)
	}
	if again := results[2]; again.Done != Updated || again.Participant.ID != was.ID {
		t.Errorf("the new identifier finds %+v, want the renamed participant", again)
	}
}
