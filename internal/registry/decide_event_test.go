package registry

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/internal/audit"
)

// An event holds exactly what differed, old and new, in the order of the change.
func TestEvents(t *testing.T) {
	t.Parallel()
	type fields = []audit.FieldChange
	event := func(action audit.Action, changes ...audit.FieldChange) audit.Event {
		return audit.Event{Action: action, Identifier: "A", Fields: changes}
	}
	tests := []struct {
		name  string
		study func(*Study)
		given []Change
		do    Change
		want  []audit.Event
	}{
		{"add", nil, nil, oc("A", ohio, with(City, "Ames"), with(FirstName, " Ann "), with(LastName, ""), with(Email, "a@x.org")),
			[]audit.Event{event(audit.ParticipantAdded, fields{
				{Field: "participantIdentifier", New: "A"}, {Field: "site", New: "OHIO"}, {Field: "firstName", New: "Ann"},
				{Field: "email", New: "a@x.org"}, {Field: "city", New: "Ames"},
			}...)}},
		{"add at study level", nil, nil, oc("A", StudyLevel),
			[]audit.Event{event(audit.ParticipantAdded, audit.FieldChange{Field: "participantIdentifier", New: "A"})}},
		{"add and register", nil, nil, oc("A", ohio, registers),
			[]audit.Event{
				event(audit.ParticipantAdded, fields{{Field: "participantIdentifier", New: "A"}, {Field: "site", New: "OHIO"}}...),
				event(audit.ParticipateRegistered, audit.FieldChange{Field: "participateStatus", New: "Created"}),
			}},
		{"register alone", nil, []Change{oc("A", ohio)}, oc("a", ohio, registers),
			[]audit.Event{event(audit.ParticipateRegistered, audit.FieldChange{Field: "participateStatus", New: "Created"})}},
		{"update and clear", nil, []Change{oc("A", ohio, with(City, "Ames"), with(FirstName, "Ann"), with(LastName, "Lee"))},
			oc("a", ohio, with(City, ""), with(FirstName, "Anna"), with(LastName, "Lee"), with(State, "")),
			[]audit.Event{event(audit.ParticipantUpdated, fields{
				{Field: "firstName", Old: "Ann", New: "Anna"}, {Field: "city", Old: "Ames"},
			}...)}},
		{"nothing differs", nil, []Change{oc("A", ohio, with(City, "Ames"), registers)}, oc("A", ohio, with(City, " Ames "), registers), nil},
		{"move", nil, []Change{oc("A", StudyLevel)}, oc("A", iowa, with(City, "Ames")),
			[]audit.Event{event(audit.ParticipantMoved, fields{{Field: "site", New: "IOWA"}, {Field: "city", New: "Ames"}}...)}},
		{"move between sites", nil, []Change{oc("A", ohio)}, mdh("A", at(iowa)),
			[]audit.Event{event(audit.ParticipantMoved, audit.FieldChange{Field: "site", Old: "OHIO", New: "IOWA"})}},
		{"rename", nil, []Change{mdh("B")}, mdh("A", known(1)),
			[]audit.Event{event(audit.ParticipantUpdated, audit.FieldChange{Field: "participantIdentifier", Old: "B", New: "A"})}},
		{"custom fields, invitation, export", nil, []Change{mdh("A", custom("Visits", "1"), custom("Notes", "n"))},
			mdh("A", custom("visits", "2"), custom("NOTES", ""), custom("Smoker", "TRUE"), custom("Weight", ""), invited(InvitationPending), excluded(true)),
			[]audit.Event{event(audit.ParticipantUpdated, fields{
				{Field: "customFields.Notes", Old: "n"}, {Field: "customFields.Smoker", New: "true"}, {Field: "customFields.Visits", Old: "1", New: "2"},
				{Field: "invitationStatus", New: "pending"}, {Field: "excludeFromExport", Old: "false", New: "true"},
			}...)}},
		{"secondary identifier", nil, []Change{mdh("A")}, mdh("A", custom(SecondaryIdentifierField, "S")),
			[]audit.Event{event(audit.ParticipantUpdated, audit.FieldChange{Field: "secondaryIdentifier", New: "S"})}},
		{"withdraw", nil, []Change{oc("A", ohio)}, act(Withdraw, "A"),
			[]audit.Event{event(audit.ParticipantWithdrawn, audit.FieldChange{Field: "withdrawDate", New: "2026-06-24T09:30:00.123456Z"})}},
		{"remove", nil, []Change{oc("A", ohio)}, act(Remove, "A"),
			[]audit.Event{event(audit.ParticipantRemoved, audit.FieldChange{Field: "status", Old: "available", New: "removed"})}},
		{"restore", nil, []Change{oc("A", ohio), act(Remove, "A")}, act(Restore, "A"),
			[]audit.Event{event(audit.ParticipantRestored, audit.FieldChange{Field: "status", Old: "removed", New: "available"})}},
		{"lock", nil, []Change{oc("A", ohio)}, act(Lock, "A"),
			[]audit.Event{event(audit.ParticipantLocked, audit.FieldChange{Field: "status", Old: "available", New: "locked"})}},
		{"unlock", nil, []Change{oc("A", ohio), act(Lock, "A")}, act(Unlock, "A"),
			[]audit.Event{event(audit.ParticipantUnlocked, audit.FieldChange{Field: "status", Old: "locked", New: "available"})}},
		{"refused", capped(0), nil, oc("A", ohio), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			study := juno()
			if test.study != nil {
				test.study(study)
			}
			w := newWorld(t, study)
			w.must(test.given...)
			seen := len(w.events)
			r := w.do(test.do)
			for i := range test.want {
				test.want[i].At, test.want[i].Origin, test.want[i].Participant = w.now, test.do.Origin, r.Participant.ID
			}
			if diff := cmp.Diff(test.want, w.events[seen:], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// Deletion leaves one event that it happened, and no value of the person, not even of what the
// same batch did before.
func TestEventsOfADeletedPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.must(oc("OLD-ONE", ohio, with(Email, "old@x.org")))
	out := w.decide(Group{Changes: []Change{
		oc("NEW-ONE", ohio, with(Email, "new@x.org"), registers),
		oc("OLD-ONE", ohio, with(Email, "older@x.org"), registers),
		act(Delete, "NEW-ONE"), act(Delete, "OLD-ONE"), oc("STAYS", ohio),
	}})
	var actions []audit.Action
	for _, e := range out.Events {
		if e.Participant == (ID{}) || (e.Identifier == "") == (e.Identifier == "STAYS") {
			t.Errorf("event %+v, want who it is about by the id alone", e)
		}
		actions = append(actions, e.Action)
	}
	want := []audit.Action{
		audit.ParticipantAdded, audit.ParticipateRegistered, audit.ParticipantUpdated, audit.ParticipateRegistered,
		audit.ParticipantDeleted, audit.ParticipantDeleted, audit.ParticipantAdded,
	}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if len(out.Writes) != 1 || len(out.Deleted) != 2 || len(out.Codes) != 0 || len(out.Claimed) != 0 || len(out.Released) != 1 {
		t.Errorf("%d writes, %d deleted, %d codes, %d claimed, %d released; want 1, 2, 0, 0, 1",
			len(out.Writes), len(out.Deleted), len(out.Codes), len(out.Claimed), len(out.Released))
	}
	text, err := json.Marshal(out.Events)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"NEW-ONE", "OLD-ONE", "x.org"} {
		if bytes.Contains(text, []byte(value)) {
			t.Errorf("%q is left in the events: %s", value, text)
		}
	}
	w.take(out)
}

// No event ever holds an access code, sealed or open, or its fingerprint.
func TestEventsHoldNoAccessCode(t *testing.T) {
	t.Parallel()
	book := newCodeBook(t, 1)
	codes := book.Draw(1)
	open, err := book.Open(codes[0].Sealed)
	if err != nil {
		t.Fatal(err)
	}
	groups := []Group{{Changes: []Change{oc("A", ohio, registers)}}}
	w := newWorld(t, juno())
	before := NewBefore(w.now, w.drawSeed(), &w.counters, codes)
	ask := FirstAsk(groups, codes)
	before.Learn(ask, w.load(ask))
	out := Decide(w.study, before, groups)
	if out.Missing != nil || len(out.Codes) != 1 {
		t.Fatalf("answer %+v, want a code given out", out)
	}
	for _, e := range out.Events {
		for _, f := range e.Fields {
			for _, secret := range []string{open, string(codes[0].Sealed), string(codes[0].Fingerprint[:])} {
				if f.Old == secret || f.New == secret {
					t.Errorf("%s holds the access code", f.Field)
				}
			}
		}
	}
}

// Who changed a record, and when, is on the record.
func TestRecordsKnowTheirWriters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno(enrolling))
	p := w.must(oc("A", ohio))
	if p.CreatedBy != "ada" || p.UpdatedBy != "ada" || !p.CreatedAt.Equal(w.now) || !p.UpdatedAt.Equal(w.now) ||
		!p.Enrolled || !p.EnrolledAt.Equal(w.now) || p.Study != junoID || p.Site != ohio || p.Status != StatusAvailable {
		t.Errorf("made %+v", p)
	}
	w.now = w.now.Add(1e9)
	edit := oc("A", ohio, with(City, "Ames"))
	edit.Origin.Actor = "bea"
	p = w.must(edit)
	if p.CreatedBy != "ada" || p.UpdatedBy != "bea" || !p.CreatedAt.Equal(juneMorning) || !p.UpdatedAt.Equal(w.now) || !p.EnrolledAt.Equal(juneMorning) {
		t.Errorf("edited %+v", p)
	}
	idle := oc("A", ohio)
	idle.Origin.Actor = "cyd"
	if p = w.must(idle); p.UpdatedBy != "bea" {
		t.Errorf("updated by %s after a change that changed nothing, want bea", p.UpdatedBy)
	}
	if newWorld(t, juno()).must(oc("A", ohio)).Enrolled {
		t.Error("enrolled, though the study does not enrol on create")
	}
}

// Each result shows the participant as it was after its own change.
func TestResultsOfOneBatchStandForThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	results := w.apply(Group{Changes: []Change{
		oc("A", ohio, with(City, "Ames")), oc("A", ohio, with(City, "Adel"), registers), oc("A", ohio), act(Remove, "A"), act(Delete, "A"),
	}})[0]
	want := []struct {
		done Done
		city string
		code bool
		is   ParticipantStatus
	}{
		{Added, "Ames", false, StatusAvailable}, {Updated, "Adel", true, StatusAvailable}, {Unchanged, "Adel", true, StatusAvailable},
		{Updated, "Adel", true, StatusRemoved}, {Deleted, "Adel", true, StatusRemoved},
	}
	for i, want := range want {
		r := results[i]
		if r.Err != nil || r.Done != want.done || r.Participant.Details[City] != want.city ||
			(r.Participant.AccessCode != nil) != want.code || r.Participant.Status != want.is {
			t.Errorf("result %d is %d, %+v; want %+v", i+1, r.Done, r.Participant, want)
		}
	}
}
