package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRehearsalSeesItself: each batch of a rehearsal sees what those before it would have written,
// the cap, the numbering and the claims included.
func TestRehearsalSeesItself(t *testing.T) {
	t.Parallel()
	study := juno(uniqueContacts)
	study.Cap, study.EnforceCap = 3, true
	w := newWorld(t, study)
	w.must(oc("A", ohio, with(City, "Ames")))
	r := &Rehearsal{}
	rehearse := func(changes ...Change) []Result {
		t.Helper()
		counters := w.counters
		was := &counters
		before := NewBefore(juneMorning, w.drawSeed(), was, w.drawCodes(len(changes)))
		r.count(&before.Counters)
		groups := []Group{{Changes: changes}}
		for ask := FirstAsk(groups, before.Codes); ; {
			before.Learn(ask, w.load(ask))
			r.recall(before)
			out := Decide(study, before, groups)
			if out.Missing == nil {
				r.Changed = changedBy(out.Results[0], out.Events)
				r.take(study, was, out)
				return out.Results[0]
			}
			ask = out.Missing
		}
	}
	codes := func(results []Result) (all []string) {
		for _, r := range results {
			if r.Err != nil {
				all = append(all, string(r.Err.Code))
			} else {
				all = append(all, []string{"unchanged", "added", "updated", "deleted"}[r.Done])
			}
		}
		return all
	}
	for i, step := range []struct {
		changes []Change
		want    []string
		changed [][]string
	}{
		{[]Change{oc("A", ohio, with(City, "Ames")), oc("B", ohio, with(Email, "b@x.yz"), registers), oc("B", ohio, with(City, "Elsewhere"))},
			[]string{"unchanged", "added", "updated"}, [][]string{nil, {"participantIdentifier", "site", "email", "participateStatus"}, {"city"}}},
		{[]Change{oc("b", ohio, with(City, "Elsewhere")), oc("C", ohio, with(Email, "B@x.yz")), oc("C", ohio), oc("D", ohio)},
			[]string{"unchanged", "contactTaken", "added", "capReached"}, [][]string{nil, nil, {"participantIdentifier", "site"}, nil}},
	} {
		if diff := cmp.Diff(step.want, codes(rehearse(step.changes...))); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
		var names [][]string
		for _, fields := range r.Changed {
			var each []string
			for _, f := range fields {
				each = append(each, f.Field)
			}
			names = append(names, each)
		}
		if diff := cmp.Diff(step.changed, names); diff != "" {
			t.Errorf("step %d changes (-want +got):\n%s", i, diff)
		}
	}
	if w.find("B") != nil {
		t.Error("somebody was written")
	}
}

// TestRehearsalForgets remembers only of those who come again.
func TestRehearsalForgets(t *testing.T) {
	t.Parallel()
	r := &Rehearsal{Keeps: func(key string) bool { return key == Fold("A") }}
	r.take(juno(), &Counters{}, &Outcome{Counters: &Counters{LastSeq: 2, Counted: 2}, Writes: []Write{
		{Participant: &Participant{ID: ID{1}, Identifier: "A"}}, {Participant: &Participant{ID: ID{2}, Identifier: "B"}},
	}, Claimed: map[Claim]ID{{EmailContact, "a@b.cd"}: {1}}})
	if len(r.people) != 1 || len(r.claims) != 0 {
		t.Errorf("%d people, %d claims", len(r.people), len(r.claims))
	}
	var c Counters
	if r.count(&c); c.LastSeq != 2 || c.Counted != 2 {
		t.Errorf("%+v", c)
	}
}
