package registry

import (
	"testing"

	"rollcall/internal/fault"
)

func TestFieldNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"": true, IdentifierField: true, SiteField: true, CustomFieldsName: true}
	for i, f := range Fields() {
		if int(f) != i || seen[f.String()] {
			t.Errorf("field %d is %d, %q; want its own name", i, f, f)
		}
		seen[f.String()] = true
		if found, ok := FieldByName(f.String()); !ok || found != f {
			t.Errorf("%q finds %v, %v", f, found, ok)
		}
	}
	if f, ok := FieldByName("Email"); ok {
		t.Errorf("%v is found by a name in another case", f)
	}
}

func TestWhoCountsAndIsListed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status         ParticipantStatus
		withdrawn      bool
		counts, listed bool
	}{
		{StatusAvailable, false, true, true}, {StatusSigned, false, true, true},
		{StatusLocked, false, true, false}, {StatusRemoved, false, false, false},
		{StatusAvailable, true, false, false}, {StatusSigned, true, false, false},
		{StatusLocked, true, false, false}, {StatusRemoved, true, false, false},
	}
	for _, test := range tests {
		p := &Participant{Status: test.status}
		if test.withdrawn {
			p.WithdrawnAt = juneMorning
		}
		if p.Counts() != test.counts || p.Listed() != test.listed {
			t.Errorf("%+v: counts %v, listed %v", test, p.Counts(), p.Listed())
		}
		for _, status := range []ParticipateStatus{NotRegistered, ParticipateCreated, ParticipateInvited, ParticipateActive, ParticipateStopped} {
			p.Participate = status
			want := status
			if !test.counts && status != NotRegistered {
				want = ParticipateStopped
			}
			if got := p.ParticipateNow(); got != want {
				t.Errorf("%+v: Participate %q shows as %q, want %q", test, status, got, want)
			}
		}
	}
}

func TestEdits(t *testing.T) {
	t.Parallel()
	var e Edits
	if _, given := e.Get(Email); given || !e.Empty() {
		t.Error("the zero value gives a field")
	}
	e.Set(UnsubscribedFromSms, "")
	e.Set(FirstName, "Ann")
	for _, f := range Fields() {
		want := f == UnsubscribedFromSms || f == FirstName
		if _, given := e.Get(f); given != want {
			t.Errorf("%s is given: %v, want %v", f, given, want)
		}
	}
	if value, _ := e.Get(FirstName); value != "Ann" || e.Empty() {
		t.Errorf("first name %q, empty %v", value, e.Empty())
	}
}

// Every field that a dialect writes has a limit, and a hint if it has a form.
func TestProfilesAreComplete(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, p := range []*Profile{OpenClinica(), OpenClinicaLegacy(), MyDataHelps(), Staff()} {
		if names[p.Name] || p.identifierLimit == 0 {
			t.Errorf("profile %q is named like another, or takes no identifier", p.Name)
		}
		names[p.Name] = true
		written := map[Field]bool{}
		for _, f := range p.Order {
			if written[f] || p.Limit(f) <= 0 {
				t.Errorf("%s: %s comes twice, or has no limit", p.Name, f)
			}
			written[f] = true
			if p.forms[f] != nil && formHints[f] == "" {
				t.Errorf("%s: nothing to say about a malformed %s", p.Name, f)
			}
		}
		for _, f := range Fields() {
			if !written[f] && (p.Limit(f) != 0 || p.forms[f] != nil) {
				t.Errorf("%s: %s has a limit or a form, but is not written", p.Name, f)
			}
		}
	}
}

// What one dialect may write is long enough for the other to show: the widest limit of each
// shared field is MyDataHelps'.
func TestMyDataHelpsIsNoNarrower(t *testing.T) {
	t.Parallel()
	for _, f := range OpenClinica().Order {
		if f == Country || f == HospitalNumber {
			continue // not shown by MyDataHelps
		}
		if oc, mdh := OpenClinica().Limit(f), MyDataHelps().Limit(f); mdh < oc {
			t.Errorf("%s: %d through MyDataHelps, %d through OpenClinica", f, mdh, oc)
		}
	}
}

// What is stored is in its stored form: writing it again through its dialect changes nothing.
func FuzzForms(f *testing.F) {
	for _, seed := range []string{"a@x.org", "+1 5557778888", "2020-02-29", "-04:00", "TRUE", "m", " x ", "+05:30:00", "4:0:00:0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range []*Profile{OpenClinica(), OpenClinicaLegacy(), MyDataHelps()} {
			for _, field := range p.Order {
				stored, ferr := p.value(field, text)
				if ferr != nil {
					if stored != "" || ferr.Kind != fault.Invalid || ferr.Field != field.String() {
						t.Fatalf("%s, %s: %q is refused as %q, %v", p.Name, field, text, stored, ferr)
					}
					continue
				}
				if again, ferr := p.value(field, stored); ferr != nil || again != stored {
					t.Fatalf("%s, %s: %q is stored as %q, and that as %q, %v", p.Name, field, text, stored, again, ferr)
				}
			}
		}
		for _, kind := range FieldTypes() {
			stored, ferr := customForm(CustomField{"F", kind}, text)
			if again, second := customForm(CustomField{"F", kind}, stored); ferr == nil && (second != nil || again != stored) {
				t.Fatalf("%s: %q is stored as %q, and that as %q, %v", kind, text, stored, again, second)
			}
		}
	})
}

func TestCustomValue(t *testing.T) {
	t.Parallel()
	p := &Participant{Custom: map[string]string{"Notes": "n"}}
	p.Details[SecondaryID] = "S"
	for name, want := range map[string]string{"Notes": "n", "Visits": "", "secondaryIDENTIFIER": "S"} {
		if got := p.CustomValue(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := (&Participant{}).CustomValue("Notes"); got != "" {
		t.Errorf("Notes is %q where nothing is set", got)
	}
}
