package registry

import (
	"testing"

	"rollcall/internal/fault"
)

// actionCases are the actions on a record, and what they leave possible.
func actionCases() []ruleCase {
	a := oc("A", ohio, registers)
	var cases []ruleCase
	add := func(state string, given []Change, action Action, done Done, code fault.Code) {
		c := ruleCase{
			name: "act: " + actionNames[action] + " when " + state, given: append([]Change{a}, given...),
			do: act(action, "a"), code: code, done: done,
		}
		if code != "" {
			c.kind = fault.Conflict
		}
		if code == ParticipantNotAvailable {
			c.field = IdentifierField
		}
		cases = append(cases, c)
	}
	locked, removed, withdrawn := []Change{act(Lock, "A")}, []Change{act(Remove, "A")}, []Change{act(Withdraw, "A")}
	add("available", nil, Remove, Updated, "")
	add("available", nil, Restore, Unchanged, "")
	add("available", nil, Lock, Updated, "")
	add("available", nil, Unlock, Unchanged, "")
	add("available", nil, Withdraw, Updated, "")
	add("available", nil, Delete, Deleted, "")
	add("locked", locked, Remove, Updated, "")
	add("locked", locked, Restore, 0, ActionNotPossible)
	add("locked", locked, Lock, Unchanged, "")
	add("locked", locked, Unlock, Updated, "")
	add("locked", locked, Withdraw, 0, ParticipantNotAvailable)
	add("locked", locked, Delete, Deleted, "")
	add("removed", removed, Remove, Unchanged, "")
	add("removed", removed, Restore, Updated, "")
	add("removed", removed, Lock, 0, ActionNotPossible)
	add("removed", removed, Unlock, 0, ActionNotPossible)
	add("removed", removed, Withdraw, Updated, "")
	add("removed", removed, Delete, Deleted, "")
	add("withdrawn", withdrawn, Withdraw, Unchanged, "")
	add("withdrawn", withdrawn, Remove, Updated, "")
	add("withdrawn", withdrawn, Delete, Deleted, "")
	add("of no kind that exists", nil, Action(99), 0, ActionNotPossible)

	unavailable := func(name string, do Change, given ...Change) ruleCase {
		return ruleCase{name: name, given: append([]Change{a}, given...), do: do, code: ParticipantNotAvailable, kind: fault.Conflict, field: IdentifierField}
	}
	unknown := func(name string, do Change, given ...Change) ruleCase {
		return ruleCase{name: name, given: append([]Change{a}, given...), do: do, code: ParticipantUnknown, kind: fault.NotFound, field: IdentifierField}
	}
	works := func(name string, done Done, do Change, given ...Change) ruleCase {
		return ruleCase{name: name, given: append([]Change{a}, given...), do: do, done: done}
	}
	return append(cases,
		unknown("act: nobody", act(Remove, "B")),
		unknown("act: no name", act(Delete, "")),
		unknown("act: by an id that is unknown", act(Withdraw, "", known(9))),
		unknown("act: deleted before", act(Delete, "A"), act(Delete, "A")),
		unknown("act: removed, through MyDataHelps", act(Withdraw, "A", through(MyDataHelps())), removed...),
		unknown("act: delete of a removed one through MyDataHelps", act(Delete, "A", through(MyDataHelps())), removed...),
		works("act: by id", Deleted, act(Delete, "", known(1))),

		unavailable("write: removed", oc("A", ohio, with(City, "Ames")), removed...),
		unavailable("write: removed, nothing differs", oc("A", ohio), removed...),
		unavailable("write: locked", oc("A", ohio), locked...),
		unavailable("write: locked, through MyDataHelps", mdh("A"), locked...),
		unavailable("write: withdrawn", oc("A", ohio), withdrawn...),
		unavailable("write: withdrawn, legacy", legacy("A", ohio), withdrawn...),
		works("write: withdrawn, through MyDataHelps", Updated, mdh("A", with(City, "Ames")), withdrawn...),
		works("write: restored", Updated, oc("A", ohio, with(City, "Ames")), act(Remove, "A"), act(Restore, "A")),
		works("write: unlocked", Updated, oc("A", ohio, with(City, "Ames")), act(Lock, "A"), act(Unlock, "A")),
		works("write: deleted, then made anew", Added, oc("A", ohio), act(Delete, "A")),

		works("register: again", Unchanged, a),
		works("register: somebody known", Updated, oc("B", ohio, registers), oc("B", ohio)),
		works("register: with a move", Updated, oc("B", ohio, registers), oc("B", StudyLevel)),
		works("invitation: set", Updated, mdh("A", invited(InvitationPending))),
		works("invitation: the same", Unchanged, mdh("A", invited(InvitationPending)), mdh("A", invited(InvitationPending))),
		works("invitation: cleared", Updated, mdh("A", invited(InvitationNotSet)), mdh("A", invited(InvitationPending))),
		works("export: excluded", Updated, mdh("A", excluded(true))),
		works("export: the same", Unchanged, mdh("A", excluded(false))),
		works("export: shown again", Updated, mdh("A", excluded(false)), mdh("A", excluded(true))),
	)
}

var actionNames = map[Action]string{
	Upsert: "upsert", Remove: "remove", Restore: "restore", Lock: "lock", Unlock: "unlock",
	Withdraw: "withdraw", Delete: "delete", Action(99): "an action",
}

// Signed records behave as available ones; no change makes them, so the store has to.
func TestSignedRecords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		do   Change
		done Done
		code fault.Code
	}{
		{do: oc("A", ohio, with(City, "Ames")), done: Updated},
		{do: mdh("A", with(City, "Ames")), done: Updated},
		{do: act(Remove, "A"), done: Updated},
		{do: act(Lock, "A"), done: Updated},
		{do: act(Withdraw, "A"), done: Updated},
		{do: act(Restore, "A"), code: ActionNotPossible},
		{do: act(Unlock, "A"), code: ActionNotPossible},
	}
	for _, test := range tests {
		w := newWorld(t, juno())
		w.must(oc("A", ohio)).Status = StatusSigned
		if r := w.do(test.do); r.Done != test.done || (r.Err == nil) != (test.code == "") || (r.Err != nil && r.Err.Code != test.code) {
			t.Errorf("%s of a signed record: %+v, want %d or fault %q", actionNames[test.do.Action], r, test.done, test.code)
		}
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	first := w.must(oc("A", ohio, registers))
	if first.Participate != ParticipateCreated || first.AccessCode == nil || len(w.codes) != 1 {
		t.Fatalf("%+v with %d codes, want status Created and one code", first, len(w.codes))
	}
	again := w.must(oc("A", ohio, registers, with(City, "Ames")))
	if string(again.AccessCode) != string(first.AccessCode) || again.Participate != ParticipateCreated || len(w.codes) != 1 {
		t.Errorf("registered again: %+v, want the same code", again)
	}
	w.people[first.ID].Participate = ParticipateActive
	if still := w.must(oc("A", ohio, registers, with(City, "Adel"))); still.Participate != ParticipateActive {
		t.Errorf("status %s after a repeat, want Active", still.Participate)
	}
	w.must(act(Delete, "A"))
	if len(w.codes) != 0 {
		t.Errorf("%d codes are kept after deletion", len(w.codes))
	}
}

// Codes that turn out to be taken are not given out: Decide asks for more.
func TestRegisterAsksForCodes(t *testing.T) {
	t.Parallel()
	groups := []Group{{Changes: []Change{oc("A", ohio, registers), oc("B", ohio, registers)}}}
	w := newWorld(t, juno())
	codes := w.drawCodes(2)
	w.codes[codes[0].Fingerprint] = ID{1}
	before := NewBefore(w.now, w.drawSeed(), &w.counters, codes)
	ask := FirstAsk(groups, codes)
	before.Learn(ask, w.load(ask))
	out := Decide(w.study, before, groups)
	if out.Missing == nil || out.Missing.Codes != 1 || len(out.Writes) != 0 {
		t.Fatalf("answer %+v, want one more code asked for", out)
	}
	before.Codes = append(before.Codes, w.drawCodes(1)...)
	out = Decide(w.study, before, groups)
	if out.Missing != nil || len(out.Codes) != 2 {
		t.Fatalf("answer %+v, want two codes given out", out)
	}
	if _, given := out.Codes[codes[0].Fingerprint]; given {
		t.Error("a code that is taken is given out")
	}
	for print, id := range out.Codes {
		for _, write := range out.Writes {
			if p := write.Participant; p.ID == id && string(p.AccessCode[len("sealed"):]) != string(print[:4]) {
				t.Errorf("%s has the code of another fingerprint", p.Identifier)
			}
		}
	}
}

func TestWithdrawal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.must(oc("A", ohio, registers))
	p := w.must(act(Withdraw, "A", through(MyDataHelps())))
	if !p.WithdrawnAt.Equal(juneMorning) || p.Counts() || p.Listed() || p.ParticipateNow() != ParticipateStopped {
		t.Errorf("%+v, want it withdrawn now and Participate Inactive", p)
	}
	w.now = w.now.Add(1e9)
	p = w.must(act(Withdraw, "A"), mdh("A", with(City, "Ames")))
	if !p.WithdrawnAt.Equal(juneMorning) || !p.UpdatedAt.Equal(w.now) {
		t.Errorf("%+v, want the day of withdrawal kept after an edit", p)
	}
	w.must(act(Remove, "A"))
	p = w.must(act(Restore, "A"))
	if !p.Withdrawn() || p.Counts() {
		t.Errorf("%+v, want it withdrawn still after it was restored", p)
	}
}
