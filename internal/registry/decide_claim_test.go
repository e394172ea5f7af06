package registry

import (
	"testing"

	"rollcall/internal/fault"
)

// claimCases are the rules of unique contacts. OpenClinica claims a contact that is free and
// never fails for one that is not; MyDataHelps must win it (architecture, Contacts).
func claimCases() []ruleCase {
	mail, phone := with(Email, "a@x.org"), with(MobilePhone, "+1 5557778888")
	taken := func(name, field string, study func(*Study), do Change, given ...Change) ruleCase {
		return ruleCase{name: name, study: study, given: given, do: do, code: ContactTaken, kind: fault.Conflict, field: field}
	}
	works := func(name string, study func(*Study), done Done, do Change, given ...Change) ruleCase {
		return ruleCase{name: name, study: study, given: given, do: do, done: done}
	}
	fixed := func(name, field string, do Change, given ...Change) ruleCase {
		return ruleCase{name: name, study: enrolling, given: given, do: do, code: ContactFixed, kind: fault.Conflict, field: field}
	}
	a, b := mdh("A", mail, phone), mdh("B")
	twin := oc("T", ohio, mail, phone)
	return []ruleCase{
		taken("claim: email of another", "email", nil, mdh("B", mail), a),
		taken("claim: phone of another", "mobilePhone", nil, mdh("B", phone), a),
		taken("claim: email before phone", "email", nil, mdh("B", mail, phone), a),
		taken("claim: email in other case", "email", nil, mdh("B", with(Email, "A@X.ORG")), a),
		taken("claim: phone in another form", "mobilePhone", nil, mdh("B", with(MobilePhone, "(555) 777-8888")), a),
		taken("claim: phone of the legacy bulk", "mobilePhone", nil, mdh("B", phone), legacy("A", ohio, with(MobilePhone, "5557778888"))),
		taken("claim: email that OpenClinica claimed", "email", nil, mdh("B", mail), oc("A", ohio, mail)),
		taken("claim: by an update", "email", nil, mdh("B", mail), a, b),
		taken("claim: email of a removed person", "email", nil, mdh("B", mail), a, act(Remove, "A")),
		taken("claim: email of a withdrawn person", "email", nil, mdh("B", mail), a, act(Withdraw, "A")),
		taken("claim: unique study, OpenClinica", "email", uniqueContacts, oc("B", ohio, mail), a),
		taken("claim: unique study, legacy phone", "mobilePhone", uniqueContacts, legacy("B", ohio, with(MobilePhone, "5557778888")), a),
		works("claim: free", nil, Added, mdh("B", with(Email, "b@x.org")), a),
		works("claim: phone of another country", nil, Added, mdh("B", with(MobilePhone, "+445557778888")), a),
		works("claim: one's own again", nil, Unchanged, mdh("A", mail, phone), a),
		works("claim: one's own in other case", nil, Updated, mdh("A", with(Email, "A@x.org")), a),
		works("claim: OpenClinica never fails", nil, Added, twin, a),
		works("claim: given up by an edit", nil, Added, mdh("B", mail), a, mdh("A", with(Email, ""))),
		works("claim: given up by deletion", nil, Added, mdh("B", mail, phone), a, act(Delete, "A")),
		works("claim: lost to a twin, still edited", nil, Updated, mdh("T", mail, phone, with(City, "Ames")), a, twin),
		works("claim: lost to a twin, other case", nil, Updated, mdh("T", with(Email, "A@X.org")), a, twin),
		taken("claim: lost to a twin, then changed to another's", "email", nil, mdh("T", with(Email, "b@x.org")), a, twin, mdh("B", with(Email, "b@x.org"))),
		works("claim: free after the holder went, the twin holds none", nil, Added, mdh("B", mail), a, twin, act(Delete, "A")),

		fixed("fixed: another email", "email", mdh("A", with(Email, "b@x.org")), a),
		fixed("fixed: no email", "email", mdh("A", with(Email, "")), a),
		fixed("fixed: another phone", "mobilePhone", mdh("A", with(MobilePhone, "5557778889")), a),
		works("fixed: a first email", enrolling, Updated, mdh("B", mail), b),
		works("fixed: other case", enrolling, Updated, mdh("A", with(Email, "A@x.org")), a),
		works("fixed: the phone in another form", enrolling, Unchanged, mdh("A", with(MobilePhone, "5557778888")), a),
		works("fixed: not through OpenClinica", enrolling, Updated, oc("A", ohio, with(Email, "b@x.org")), oc("A", ohio, mail)),
		works("fixed: not before enrolment", nil, Updated, mdh("A", with(Email, "b@x.org")), a),
	}
}

func TestClaimsGoToWhoHoldsTheContact(t *testing.T) {
	t.Parallel()
	mail := ClaimOn(EmailContact, "a@x.org")
	phone := ClaimOn(PhoneContact, "+1 5557778888")
	tests := []struct {
		name        string
		changes     []Change
		mail, phone string // who holds it in the end
	}{
		{"OpenClinica claims what is free", []Change{oc("A", ohio, with(Email, "A@x.org"), with(MobilePhone, "+1 5557778888"))}, "A", "A"},
		{"the legacy bulk too", []Change{legacy("A", ohio, with(MobilePhone, "5557778888"))}, "", "A"},
		{"the first one keeps it", []Change{oc("A", ohio, with(Email, "a@x.org")), oc("B", ohio, with(Email, "A@X.ORG"))}, "A", ""},
		{"clearing gives it up", []Change{oc("A", ohio, with(Email, "a@x.org")), oc("A", ohio, with(Email, ""))}, "", ""},
		{"changing gives it up", []Change{oc("A", ohio, with(Email, "a@x.org")), oc("A", ohio, with(Email, "b@x.org"))}, "", ""},
		{"changing case keeps it", []Change{mdh("A", with(Email, "a@x.org")), mdh("A", with(Email, "A@x.org"))}, "A", ""},
		{"a twin does not give up the holder's", []Change{mdh("A", with(Email, "a@x.org")), oc("B", ohio, with(Email, "a@x.org")), oc("B", ohio, with(Email, ""))}, "A", ""},
		{"a deleted twin neither", []Change{mdh("A", with(Email, "a@x.org")), oc("B", ohio, with(Email, "a@x.org")), act(Delete, "B")}, "A", ""},
		{"given up, then taken by another", []Change{mdh("A", with(Email, "a@x.org")), mdh("A", with(Email, "")), mdh("B", with(Email, "a@x.org"))}, "B", ""},
		{"given up and taken back", []Change{mdh("A", with(Email, "a@x.org")), mdh("A", with(Email, "b@x.org")), mdh("A", with(Email, "a@x.org"))}, "A", ""},
		{"the phone in another form keeps it", []Change{legacy("A", ohio, with(MobilePhone, "5557778888")), oc("A", ohio, with(MobilePhone, "+1 5557778888"))}, "", "A"},
		{"removal keeps it", []Change{mdh("A", with(Email, "a@x.org")), act(Remove, "A")}, "A", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			alone, together := newWorld(t, juno()), newWorld(t, juno())
			alone.must(test.changes...)
			for i, r := range together.apply(Group{Changes: test.changes})[0] {
				if r.Err != nil {
					t.Fatalf("change %d of a batch: %v", i+1, r.Err)
				}
			}
			for _, w := range []*world{alone, together} {
				if got := w.holderOf(mail); got != test.mail {
					t.Errorf("%q holds the email, want %q", got, test.mail)
				}
				if got := w.holderOf(phone); got != test.phone {
					t.Errorf("%q holds the phone, want %q", got, test.phone)
				}
			}
		})
	}
}

// holderOf is the identifier of who holds the claim, "" if nobody does.
func (w *world) holderOf(claim Claim) string {
	if p := w.people[w.claims[claim]]; p != nil {
		return p.Identifier
	}
	return ""
}

func TestContactsSwapWithinOneGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.must(mdh("A", with(Email, "a@x.org")), mdh("B", with(Email, "b@x.org")), mdh("C"))
	r := w.apply(group(mdh("A", with(Email, "")), mdh("B", with(Email, "a@x.org")), mdh("C", with(Email, "b@x.org"))))[0]
	if r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	if a, b := w.holderOf(ClaimOn(EmailContact, "a@x.org")), w.holderOf(ClaimOn(EmailContact, "b@x.org")); a != "B" || b != "C" {
		t.Errorf("a@x.org belongs to %q, b@x.org to %q; want B and C", a, b)
	}
}

func TestMyDataHelpsKeepsThePhonesFormOfOpenClinica(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.must(legacy("A", ohio, with(MobilePhone, "5557778888")))
	if p := w.must(mdh("A", with(MobilePhone, "555-777-8888"), with(City, "Ames"))); p.Details[MobilePhone] != "5557778888" {
		t.Errorf("phone %q, want it as OpenClinica wrote it", p.Details[MobilePhone])
	}
	if p := w.must(oc("A", ohio, with(MobilePhone, "+1 5557778888"))); p.Details[MobilePhone] != "+1 5557778888" {
		t.Errorf("phone %q, want it as OpenClinica wrote it last", p.Details[MobilePhone])
	}
}
