package registry

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"rollcall/internal/audit"
)

var (
	inAmes    = uuid.UUID{1}
	withdrawn = uuid.UUID{2}
)

// sampleRules are two segments: who lives in Ames, and who has withdrawn.
func sampleRules() []Rule {
	return []Rule{
		{Segment: inAmes, Holds: func(_ *Study, p *Participant, _ time.Time) bool { return p.Details[City] == "Ames" }},
		{Segment: withdrawn, Holds: func(_ *Study, p *Participant, _ time.Time) bool { return p.Withdrawn() }},
	}
}

func TestMemberships(t *testing.T) {
	t.Parallel()
	type row struct {
		identifier string
		segment    uuid.UUID
		member     bool
	}
	given := []Change{oc("OLD", ohio, with(City, "Ames")), oc("GONE", ohio)}
	tests := []struct {
		name   string
		groups []Group
		want   []row
	}{
		{"a new one belongs or is not mentioned", []Group{{Changes: []Change{oc("A", ohio, with(City, "Ames")), oc("B", ohio)}}},
			[]row{{"A", inAmes, true}}},
		{"an update tells all", []Group{{Changes: []Change{oc("OLD", ohio, with(City, "Adel"))}}},
			[]row{{"OLD", inAmes, false}, {"OLD", withdrawn, false}}},
		{"the last state counts", []Group{{Changes: []Change{oc("A", ohio), oc("A", ohio, with(City, "Ames")), act(Withdraw, "A")}}},
			[]row{{"A", inAmes, true}, {"A", withdrawn, true}}},
		{"nothing differs", []Group{{Changes: []Change{oc("OLD", ohio)}}}, nil},
		{"looked at again", []Group{{Changes: []Change{act(Revisit, "OLD")}}},
			[]row{{"OLD", inAmes, true}, {"OLD", withdrawn, false}}},
		{"looked at again in a group", []Group{group(act(Revisit, "OLD"))},
			[]row{{"OLD", inAmes, true}, {"OLD", withdrawn, false}}},
		{"looked at again and again", []Group{group(act(Revisit, "OLD")), {Changes: []Change{act(Revisit, "", known(1)), oc("OLD", ohio, with(State, "IA"))}}},
			[]row{{"OLD", inAmes, true}, {"OLD", withdrawn, false}}},
		{"looked at again, but gone", []Group{{Changes: []Change{act(Delete, "GONE"), act(Revisit, "GONE")}}, group(act(Revisit, "NEVER"))}, nil},
		{"in a group that fails", []Group{group(oc("A", ohio, with(City, "Ames")), act(Revisit, "OLD"), oc("B", nowAt))}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, juno())
			w.rules = sampleRules()
			w.must(given...)
			out := w.decide(test.groups...)
			w.take(out)
			var got []row
			for _, m := range out.Memberships {
				got = append(got, row{w.people[m.Participant].Identifier, m.Segment, m.Member})
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("memberships (-want +got):\n%s", diff)
			}
		})
	}
}

// Looking again is no change: it takes no number, and nothing is remembered.
func TestRevisitChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	p := w.must(oc("A", ohio))
	before := w.state()
	if r := w.do(act(Revisit, "A")); r.Err != nil || r.Done != Unchanged || r.Participant != p {
		t.Errorf("answer %+v, want the participant as it is", r)
	}
	if r := w.do(act(Revisit, "B")); r != (Result{}) {
		t.Errorf("answer %+v for nobody, want neither a participant nor a fault", r)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("the world differs (-before +after):\n%s", diff)
	}
}

func invite(c *Change) { c.Invite = true }

func ifNew(f Field, value string) func(*Change) {
	return func(c *Change) { c.IfNew.Set(f, value) }
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		do     Change
		count  int
		status InvitationStatus
	}{
		{"a new one", mdh("A", invite), 1, InvitationPending},
		{"a new one with a status", mdh("A", invite, invited(InvitationApproved)), 1, InvitationApproved},
		{"a new one uninvited", mdh("A", invited(InvitationDeclined)), 0, InvitationDeclined},
		{"somebody known", mdh("OLD", invite, with(City, "Ames")), 0, InvitationNotSet},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, juno())
			w.must(mdh("OLD"))
			out := w.decide(Group{Changes: []Change{test.do}})
			r := out.Results[0][0]
			if r.Err != nil || len(out.Invited) != test.count || r.Participant.Invitation != test.status {
				t.Fatalf("%d invited, answer %+v; want %d and %q", len(out.Invited), r, test.count, test.status)
			}
			if test.count == 1 && out.Invited[0] != r.Participant.ID {
				t.Error("somebody else is invited")
			}
			told := 0
			for _, f := range out.Events[0].Fields {
				if f == (audit.FieldChange{Field: "invitationStatus", New: string(test.status)}) {
					told++
				}
			}
			if want := min(1, len(test.status)); told != want {
				t.Errorf("the event tells %d times of the status, want %d: %+v", told, want, out.Events[0])
			}
		})
	}
}

func TestNobodyGoneIsInvited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	out := w.decide(
		Group{Changes: []Change{mdh("A", invite), mdh("B", invite), act(Delete, "A")}},
		group(mdh("C", invite), mdh("D", at(nowAt))),
		group(mdh("E", invite)),
	)
	want := []ID{out.Results[0][1].Participant.ID, out.Results[2][0].Participant.ID}
	if !slices.Equal(out.Invited, want) {
		t.Errorf("%d are invited, want B and E alone", len(out.Invited))
	}
}

func TestDetailsForTheNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	add := mdh("A", with(FirstName, "Ann"), ifNew(FirstName, "Nobody"), ifNew(LastName, "Lee"), ifNew(Email, "a@x.org"))
	p := w.must(add)
	if p.Details[FirstName] != "Ann" || p.Details[LastName] != "Lee" || w.holderOf(ClaimOn(EmailContact, "a@x.org")) != "A" {
		t.Errorf("added %q, want what is given, then what is for the new", p.Details)
	}
	p = w.must(mdh("A", ifNew(FirstName, "Other"), with(City, "Ames")))
	if p.Details[FirstName] != "Ann" {
		t.Errorf("updated %q: a detail for the new is not for the known", p.Details)
	}
	if p = w.must(mdh("B", with(FirstName, ""), ifNew(FirstName, "Bo"))); p.Details[FirstName] != "" {
		t.Errorf("added %q, though the name was given as empty", p.Details)
	}
	if r := w.do(mdh("C", ifNew(Email, "A@x.org"))); r.Err == nil || r.Err.Code != ContactTaken {
		t.Errorf("answer %+v, want the e-mail taken", r)
	}
	if r := w.do(mdh("C", ifNew(Email, "bad"))); r.Err == nil || r.Err.Code != Malformed {
		t.Errorf("answer %+v, want the e-mail malformed", r)
	}
}

// A look answers the participant as it is at that point of the batch, and changes nothing: not
// even its segments are looked at again.
func TestLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.rules = sampleRules()
	p := w.must(oc("A", ohio, with(City, "Ames")))
	out := w.decide(group(act(Look, "A"), act(Look, "NEVER")), Group{Changes: []Change{act(Delete, "A"), act(Look, "", known(1))}})
	for i, want := range [][]*Participant{{p, nil}, {p, nil}} {
		for j, r := range out.Results[i] {
			if r.Err != nil || (r.Participant == nil) != (want[j] == nil) || (want[j] != nil && r.Participant.ID != p.ID) {
				t.Errorf("group %d, change %d: %+v", i, j, r)
			}
		}
	}
	if only := w.decide(Group{Changes: []Change{act(Look, "A")}}); !only.changesNothing() {
		t.Errorf("a look alone writes %+v", only)
	}
}
