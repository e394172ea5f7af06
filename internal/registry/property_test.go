package registry

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// The world of the properties is small, so that changes meet.

func drawStudy(t *rapid.T) *Study {
	s := juno()
	s.Cap = rapid.IntRange(0, 6).Draw(t, "cap")
	s.EnforceCap = rapid.Bool().Draw(t, "enforced")
	s.Sites[0].EnforceCap = rapid.Bool().Draw(t, "enforced at Ohio")
	s.UniqueContacts = rapid.Bool().Draw(t, "unique contacts")
	s.EnrollOnCreate = rapid.Bool().Draw(t, "enrols on create")
	if rapid.Bool().Draw(t, "generates") {
		s.IDMethod, s.IDTemplate = GeneratedIDs, "a${siteParticipantCount+1}"
	}
	return s
}

// drawChange draws one change. Those of MyDataHelps always name somebody: what its prefix
// generates is random, and batches could not be compared.
func drawChange(t *rapid.T) Change {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	action := rapid.SampledFrom([]Action{Upsert, Upsert, Upsert, Upsert, Upsert, Upsert, Remove, Restore, Lock, Unlock, Withdraw, Delete}).Draw(t, "action")
	c := act(action, pick("identifier", "a1", "A1", "a2", "A3", "ſ", "S", "a<", "Ж", "ж"))
	if action != Upsert {
		return c
	}
	c.Profile = rapid.SampledFrom([]*Profile{OpenClinica(), OpenClinicaLegacy(), MyDataHelps()}).Draw(t, "profile")
	c.Place = Place{
		Given: c.Profile != MyDataHelps() || rapid.Bool().Draw(t, "placed"),
		Site:  rapid.SampledFrom([]SiteID{ohio, ohio, iowa, StudyLevel, nowAt}).Draw(t, "site"),
	}
	if !c.Place.Given {
		c.Place.Site = StudyLevel
	}
	if c.Profile == MyDataHelps() {
		c.AddOnly = rapid.Bool().Draw(t, "add only")
		if rapid.Bool().Draw(t, "by id") {
			known(rapid.Int64Range(1, 4).Draw(t, "id"))(&c)
		}
		if name := pick("custom field", "", "", "Visits", "smoker", "None", SecondaryIdentifierField); name != "" {
			c.Custom = map[string]string{name: pick("custom value", "", "1", "true")}
		}
	} else {
		c.Register = rapid.Bool().Draw(t, "registers")
		if rapid.Bool().Draw(t, "unnamed") {
			c.Identifier = ""
		}
	}
	for _, f := range []Field{Email, MobilePhone, City} {
		if rapid.Bool().Draw(t, f.String()) {
			c.Edits.Set(f, pick("value", "", "a@x.org", "A@X.org", "b@x.org", "+1 5557778888", "5557778888"))
		}
	}
	return c
}

func drawGroups(t *rapid.T) []Group {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Group {
		return Group{
			Changes:      rapid.SliceOfN(rapid.Custom(drawChange), 1, 5).Draw(t, "changes"),
			AllOrNothing: rapid.Bool().Draw(t, "all or nothing"),
		}
	}), 1, 8).Draw(t, "groups")
}

// Whatever is asked, in whatever batches, the world keeps its laws (see [world.take]), and
// everything that is written is remembered.
func TestAnyBatchKeepsTheLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, drawStudy(t))
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			out := w.decide(drawGroups(t)...)
			checkEvents(t, w, out)
			w.take(out)
		}
	})
}

func checkEvents(t *rapid.T, w *world, out *Outcome) {
	written, remembered := map[ID]bool{}, map[ID]bool{}
	for _, write := range out.Writes {
		if written[write.Participant.ID] {
			t.Fatalf("%s is written twice", write.Participant.Identifier)
		}
		written[write.Participant.ID] = true
	}
	for _, id := range out.Deleted {
		if written[id] {
			t.Fatal("a deleted participant is written")
		}
		written[id] = true
	}
	for _, e := range out.Events {
		remembered[e.Participant] = true
		if !written[e.Participant] || !e.At.Equal(w.now) || e.Origin.Actor != "ada" {
			t.Fatalf("event %+v, though nothing was written of its participant, or without its origin", e)
		}
		for _, f := range e.Fields {
			if f.Old == f.New {
				t.Fatalf("event %+v tells of a field that did not change", e)
			}
		}
	}
	for id := range written {
		if !remembered[id] {
			t.Fatalf("%v is written, and no event tells of it", id)
		}
	}
}

// A change that fails, or finds nothing different, leaves no trace; one that adds does not
// exceed the cap; a group that is all or nothing is just that.
func TestAnyChangeAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, drawStudy(t))
		for i, g := range separate(drawGroups(t)) {
			before := w.state()
			results := w.apply(g)[0]
			idle := true
			for _, r := range results {
				if idle = idle && r.Done == Unchanged; r.Done == Added {
					checkCapKept(t, w, r.Participant)
				}
				if (r.Err == nil) != (results[0].Err == nil) {
					t.Fatalf("group %d fails in part", i)
				}
				if r.Err != nil && !slices.Contains(RecordCodes(), r.Err.Code) {
					t.Fatalf("fault %v is not in RecordCodes", r.Err)
				}
			}
			if diff := cmp.Diff(before, w.state()); idle != (diff == "") {
				t.Fatalf("group %d answers %+v, and leaves (-before +after):\n%s", i, results, diff)
			}
		}
	})
}

func checkCapKept(t *rapid.T, w *world, p *Participant) {
	site, ok := w.study.Site(p.Site)
	if w.study.EnforceCap || (ok && site.EnforceCap) {
		if w.counters.Counted > int64(w.study.Cap) {
			t.Fatalf("%s is added, and %d count of at most %d", p.Identifier, w.counters.Counted, w.study.Cap)
		}
	}
}

// separate makes a group of its own of every change that does not need its group.
func separate(groups []Group) []Group {
	var alone []Group
	for _, g := range groups {
		if g.AllOrNothing {
			alone = append(alone, g)
			continue
		}
		for _, c := range g.Changes {
			alone = append(alone, Group{Changes: []Change{c}})
		}
	}
	return alone
}

// Changes that share a batch come to the same as one after the other.
func TestOneBatchIsManyBatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		study := drawStudy(t)
		together, apart := newWorld(t, study), newWorld(t, study)
		first, groups := Group{Changes: rapid.SliceOfN(rapid.Custom(drawChange), 0, 5).Draw(t, "given")}, drawGroups(t)
		for _, w := range []*world{together, apart} {
			w.apply(first)
		}
		seen := len(together.events)
		var batch, single []Result
		for _, results := range together.apply(together.pinned(groups)...) {
			batch = append(batch, results...)
		}
		for _, g := range separate(apart.pinned(groups)) {
			single = append(single, apart.apply(g)[0]...)
		}
		options := cmp.Options{
			cmpopts.IgnoreFields(Participant{}, "ID", "LinkID", "AccessCode"),
			cmpopts.IgnoreFields(audit.Event{}, "Participant"),
			cmp.AllowUnexported(fault.Error{}), cmpopts.EquateEmpty(),
		}
		if diff := cmp.Diff(single, batch, options); diff != "" {
			t.Fatalf("answers (-apart +together):\n%s", diff)
		}
		if diff := cmp.Diff(apart.bySeq(), together.bySeq(), options); diff != "" {
			t.Fatalf("participants (-apart +together):\n%s", diff)
		}
		if diff := cmp.Diff(apart.state().Counters, together.state().Counters); diff != "" {
			t.Fatalf("counters (-apart +together):\n%s", diff)
		}
		if diff := cmp.Diff(apart.holders(), together.holders()); diff != "" {
			t.Fatalf("claims (-apart +together):\n%s", diff)
		}
		deleted := slices.ContainsFunc(together.events, func(e audit.Event) bool { return e.Action == audit.ParticipantDeleted })
		if diff := cmp.Diff(apart.events[seen:], together.events[seen:], options); diff != "" && !deleted {
			t.Fatalf("events (-apart +together):\n%s", diff)
		}
	})
}

// pinned fills in the identities that [known] stands for as of now; those of nobody stay so.
func (w *world) pinned(groups []Group) []Group {
	groups = w.resolved(groups)
	for _, g := range groups {
		for i := range g.Changes {
			if g.Changes[i].ID[0] == 0xff {
				g.Changes[i].ID[0] = 0xfe
			}
		}
	}
	return groups
}

// bySeq lists the participants in order of creation.
func (w *world) bySeq() []*Participant {
	people := make([]*Participant, 0, len(w.people))
	for _, p := range w.people {
		people = append(people, p)
	}
	slices.SortFunc(people, func(a, b *Participant) int { return int(a.Seq - b.Seq) })
	return people
}

// holders tells who holds each claim, and who has a code, by identifier.
func (w *world) holders() map[string]string {
	held := map[string]string{}
	for claim := range w.claims {
		held[fmt.Sprint(claim)] = w.holderOf(claim)
	}
	for _, id := range w.codes {
		held["code of "+w.people[id].Identifier] = w.people[id].Identifier
	}
	return held
}

// FuzzDecide feeds any text to every field, under every profile and action.
func FuzzDecide(f *testing.F) {
	f.Add("A-1", "a@x.org", "${siteId}-${siteParticipantCount+1}", "Visits", uint32(0))
	f.Add("\xff", "+1 5557778888", "${helper.random(3)}", "none", uint32(12345))
	f.Add("", "\x00", "${", "SecondaryIdentifier", uint32(99999))
	f.Add("ſK", "2020-02-29", "x", "smoker", uint32(0xffffffff))
	f.Fuzz(func(t *testing.T, identifier, value, template, field string, choice uint32) {
		pick := func(n int) int {
			i := int(choice) % n
			choice /= uint32(n)
			return i
		}
		study := juno()
		if _, err := ParseIDTemplate(template); err == nil && pick(2) == 1 {
			study.IDMethod, study.IDTemplate = GeneratedIDs, template
		}
		profiles := []*Profile{OpenClinica(), OpenClinicaLegacy(), MyDataHelps(), Staff()}
		c := oc(identifier, []SiteID{ohio, iowa, StudyLevel, nowAt}[pick(4)], with(Field(pick(int(FieldCount))), value))
		c.Profile, c.Register = profiles[pick(len(profiles))], pick(2) == 1
		second := mdh(value, custom(field, value), with(Email, identifier))
		third := act([]Action{Remove, Restore, Lock, Unlock, Withdraw, Delete}[pick(6)], identifier)

		w := newWorld(t, study)
		for _, results := range w.apply(Group{Changes: []Change{c, second}}, group(second, third, c), Group{Changes: []Change{third, c}}) {
			for _, r := range results {
				if (r.Err == nil) == (r.Participant == nil) {
					t.Fatalf("answer %+v, want a participant or a fault", r)
				}
				if r.Err != nil && r.Err.Kind == fault.Internal {
					t.Fatalf("an internal fault: %v", r.Err)
				}
			}
		}
	})
}
