package registry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// staffWrite is what staff write about a participant.
func staffWrite(identifier string, details ...func(*Change)) Change {
	return act(Upsert, identifier, details...)
}

// TestStaffWrite: what staff may write, and what they may not.
func TestStaffWrite(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		given []Change
		do    Change
		done  Done
		code  fault.Code
		field string
	}{
		{name: "every kind of field", given: []Change{staffWrite("A")}, done: Updated,
			do: staffWrite("A", with(FirstName, " Ada "), with(HospitalNumber, "H-1"), with(Gender, "f"), with(TimeZone, "UTC"), custom("Visits", "7"))},
		{name: "contact data at study level", do: staffWrite("A", with(Email, "a@b.cd")), done: Added},
		{name: "another site", given: []Change{staffWrite("A", at(ohio))}, do: staffWrite("A", at(iowa)), done: Updated},
		{name: "no way back to the study level", given: []Change{staffWrite("A", at(ohio))}, do: staffWrite("A", at(StudyLevel)), code: StaysAtSite, field: SiteField},
		{name: "a contact that two share", given: []Change{staffWrite("A", with(Email, "a@b.cd"))}, do: staffWrite("B", with(Email, "a@b.cd")), done: Added},
		{name: "what OpenClinica cannot say", do: staffWrite("A", with(FirstName, strings.Repeat("x", 36))), code: TooLong, field: FirstName.String()},
		{name: "an identifier that OpenClinica cannot say", do: staffWrite("<A>"), code: ForbiddenChars, field: IdentifierField},
		{name: "an identifier with a mark that shows nothing", do: staffWrite("A\x01"), code: ForbiddenChars, field: IdentifierField},
		{name: "somebody withdrawn", given: []Change{staffWrite("A"), act(Withdraw, "A")}, do: staffWrite("A", with(City, "x")), code: ParticipantNotAvailable, field: IdentifierField},
		{name: "a phone in another form", given: []Change{staffWrite("A", with(MobilePhone, "+1 5557778888"))}, do: staffWrite("A", with(MobilePhone, "(555) 777-8888")), done: Unchanged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, juno())
			w.must(test.given...)
			r := w.do(test.do)
			switch {
			case test.code == "" && (r.Err != nil || r.Done != test.done):
				t.Errorf("%+v, want %v", r, test.done)
			case test.code != "" && (r.Err == nil || r.Err.Code != test.code || r.Err.Field != test.field):
				t.Errorf("%+v, want %s in %q", r.Err, test.code, test.field)
			}
		})
	}
}

// TestStaffInvite: staff invite people who are there, once, and not those who have come.
func TestStaffInvite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		was, is InvitationStatus
		invited int
	}{
		{InvitationNotSet, InvitationPending, 1},
		{InvitationDeclined, InvitationPending, 1},
		{InvitationPending, InvitationPending, 0},
		{InvitationApproved, InvitationApproved, 0},
	} {
		w := newWorld(t, juno())
		w.must(mdh("A", invited(test.was)))
		out := w.decide(Group{Changes: []Change{staffWrite("A", invite)}})
		r := out.Results[0][0]
		if r.Err != nil || len(out.Invited) != test.invited || r.Participant.Invitation != test.is {
			t.Errorf("%q: %d invited, %+v", test.was, len(out.Invited), r)
			continue
		}
		if test.invited == 0 {
			continue
		}
		want := []audit.FieldChange{{Field: "invitationStatus", Old: string(test.was), New: string(test.is)}}
		if diff := cmp.Diff(want, out.Events[0].Fields); diff != "" {
			t.Errorf("%q: event (-want +got):\n%s", test.was, diff)
		}
	}
}

// TestStaffEnroll: staff mark that somebody has enrolled; nobody undoes it.
func TestStaffEnroll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.must(staffWrite("A"), staffWrite("B"), act(Withdraw, "B"), staffWrite("C"), act(Lock, "C"), staffWrite("D"), act(Remove, "D"))
	p := w.must(act(Enroll, "A"))
	if !p.Enrolled || p.EnrolledAt.IsZero() || p.EnrolledAt != p.UpdatedAt {
		t.Errorf("enrolled %v at %v", p.Enrolled, p.EnrolledAt)
	}
	if r := w.do(act(Enroll, "A")); r.Err != nil || r.Done != Unchanged {
		t.Errorf("again: %+v", r)
	}
	for _, gone := range []string{"B", "C", "D"} {
		if r := w.do(act(Enroll, gone)); r.Err == nil || r.Err.Code != ParticipantNotAvailable {
			t.Errorf("%s: %+v", gone, r)
		}
	}
}

// TestFieldFaults: a form learns of everything that is wrong with it, in order.
func TestFieldFaults(t *testing.T) {
	t.Parallel()
	c := staffWrite("A<B", with(Email, "no"), with(FirstName, strings.Repeat("x", 40)), with(City, "Ames"), with(DateOfBirth, "2026-02-30"),
		custom("Visits", "many"), custom("Smoker", "true"), custom("NoSuch", "x"))
	var got []string
	for _, f := range FieldFaults(juno(), &c) {
		got = append(got, string(f.Code)+" "+f.Field)
	}
	want := []string{
		"forbiddenChars participantIdentifier", "tooLong firstName", "malformed dateOfBirth", "malformed email", "malformed customFields.Visits",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	for _, nameless := range []Change{staffWrite(""), staffWrite(" \t")} {
		if faults := FieldFaults(juno(), &nameless); len(faults) != 1 || faults[0].Code != IdentifierMissing {
			t.Errorf("without an identifier: %v", faults)
		}
		generating := juno()
		generating.IDMethod = GeneratedIDs
		nameless.ID = ID{1}
		if faults := append(FieldFaults(juno(), &nameless), FieldFaults(generating, &Change{Profile: Staff()})...); len(faults) > 0 {
			t.Errorf("that need none: %v", faults)
		}
	}
	good := staffWrite("A", with(Email, ""), custom("Visits", " 7 "))
	if faults := FieldFaults(juno(), &good); len(faults) > 0 {
		t.Errorf("of a good change: %v", faults)
	}
}
