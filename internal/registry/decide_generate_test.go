package registry

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"rollcall/internal/fault"
)

const counterTemplate = "${siteId}-${siteParticipantCount+1}"

func generationCases() []ruleCase {
	const odd, blank SiteID = 20, 21 // sites whose codes make no identifier
	sites := func(s *Study) {
		s.Sites = append(s.Sites, Site{ID: odd, Code: "<", Status: Available}, Site{ID: blank, Code: " ", Status: Available})
	}
	failed := func(name, template string, do Change, given ...Change) ruleCase {
		return ruleCase{name: name, study: all(sites, generated(template)), given: given, do: do, code: GenerationFailed, kind: fault.Conflict}
	}
	return []ruleCase{
		{name: "generated: OpenClinica", study: generated(counterTemplate), do: oc(" ", ohio), done: Added},
		{name: "generated: unknown identifier", study: generated(counterTemplate), do: oc("A", ohio), code: ParticipantUnknown, kind: fault.NotFound, field: IdentifierField},
		{name: "generated: known identifier updates", study: generated(counterTemplate), given: []Change{oc("", ohio)}, do: oc("ohio-1", ohio, with(City, "Ames")), done: Updated},
		{name: "generated: MyDataHelps may name it", study: generated(counterTemplate), do: mdh("A"), done: Added},
		{name: "generated: MyDataHelps needs an email", study: generated(counterTemplate), do: mdh("", with(FirstName, "Ann")), code: IdentifierMissing, kind: fault.Invalid, field: IdentifierField},
		{name: "generated: MyDataHelps by prefix", do: mdh("", with(Email, "a@x.org")), done: Added},
		{name: "generated: cap", study: all(capped(0), generated(counterTemplate)), do: oc("", ohio), code: CapReached, kind: fault.Conflict},
		{name: "generated: at study level", study: generated(counterTemplate), do: oc("", StudyLevel), done: Added},
		failed("generated: always the same", "SAME", oc("", ohio), oc("", ohio)),
		failed("generated: too long", repeat("x", 30)+"${siteParticipantCount+1}", oc("", ohio)),
		failed("generated: forbidden character", "${siteId}", oc("", odd)),
		failed("generated: blank", "${siteId}", oc("", blank)),
		failed("generated: cannot be computed", "${1/siteParticipantCount}", oc("", ohio)),
	}
}

// A template that cannot be read is a defect of ours: the study file was to be checked.
func TestBrokenTemplate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno(generated("${")))
	if r := w.do(oc("", ohio)); r.Err == nil || r.Err.Kind != fault.Internal || len(w.people) != 0 {
		t.Errorf("answer %+v, want an internal fault", r)
	}
}

func TestGeneratedNumbersHaveNoGaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno(generated(counterTemplate)))
	bad := with(Email, "no address")
	results := w.apply(
		Group{Changes: []Change{oc("", ohio), oc("", ohio, bad), oc("", iowa), oc("", StudyLevel), oc("", ohio)}},
		group(oc("", ohio), oc("", iowa), oc("", ohio, bad)),
		group(oc("", ohio), oc("", iowa)),
	)
	results = append(results, w.apply(Group{Changes: []Change{oc("", iowa), oc("", ohio)}})...)
	var got []string
	for _, r := range slices.Concat(results...) {
		if r.Err == nil {
			got = append(got, r.Participant.Identifier)
		}
	}
	want := []string{"OHIO-1", "IOWA-1", "JUNO-1", "OHIO-2", "OHIO-3", "IOWA-2", "IOWA-3", "OHIO-4"}
	if !slices.Equal(got, want) {
		t.Errorf("generated %q, want %q", got, want)
	}
	for i, seq := int64(0), w.counters.LastSeq; i < seq; i++ {
		if !slices.ContainsFunc(slices.Concat(results...), func(r Result) bool { return r.Err == nil && r.Participant.Seq == i+1 }) {
			t.Errorf("nobody has the number %d", i+1)
		}
	}
}

// named adds people through MyDataHelps, which may choose identifiers in every study.
func named(w *world, format string, numbers ...int) {
	for _, n := range numbers {
		w.must(mdh(fmt.Sprintf(format, n)))
	}
}

func TestGeneratedIdentifierStepsOnAtCollisions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		taken []int
		want  string
	}{
		{"none", nil, "P1"},
		{"the first", []int{1}, "P2"},
		{"the first ten", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "P11"},
		{"the first eleven", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, juno(generated("P${siteParticipantCount+1}")))
			named(w, "p%d", test.taken...) // at study level: ohio's own count stays 0
			r := w.do(oc("", ohio))
			if test.want == "" {
				if r.Err == nil || r.Err.Code != GenerationFailed || w.counters.Numbered[ohio] != 0 {
					t.Fatalf("%+v, want GenerationFailed after 11 tries and no number used", r)
				}
				return
			}
			if r.Err != nil || r.Participant.Identifier != test.want {
				t.Fatalf("%+v, want %s", r, test.want)
			}
			if next := w.must(oc("", ohio)); next.Identifier != fmt.Sprintf("P%d", len(test.taken)+2) {
				t.Errorf("the next one is %s: the count did not go on from %s", next.Identifier, test.want)
			}
		})
	}
}

func TestPrefixedIdentifier(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno(generated(counterTemplate)))
	form := regexp.MustCompile(`^JN-\d{4}-\d{4}$`)
	seen := map[string]bool{}
	for i := range 20 {
		p := w.must(mdh("", with(Email, fmt.Sprintf("p%d@x.org", i))))
		if !form.MatchString(p.Identifier) || seen[p.Identifier] {
			t.Errorf("generated %q, want a new one of the form %s", p.Identifier, form)
		}
		seen[p.Identifier] = true
	}
}

// Many collisions at once cost few rounds, far from the bound of the service.
func TestRandomTemplatesAreDecidedInFewRounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno(generated("R${helper.random(4)}")))
	for n := range int64(3000) { // three of ten identifiers are taken
		p := &Participant{ID: ID{0: 1, 14: byte(n >> 8), 15: byte(n)}, Seq: n + 1, Identifier: fmt.Sprintf("R%d", 3*n), OID: fmt.Sprintf("SS_%d", n)}
		w.people[p.ID] = p
	}
	w.counters.LastSeq, w.counters.Counted = 3000, 3000
	var changes []Change
	for range 100 {
		changes = append(changes, oc("", ohio))
	}
	for _, r := range w.apply(Group{Changes: changes})[0] {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if w.rounds > generationTries+2 {
		t.Errorf("decided in %d rounds, want about one for each try", w.rounds)
	}
}

func TestIDsOfABatchAreInOrderOfCreation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.counters.LastSeq = 4090 // across what 12 bits hold
	var changes []Change
	for n := range 70 {
		changes = append(changes, mdh(fmt.Sprintf("P%d", n)))
	}
	var last ID
	for _, r := range w.apply(Group{Changes: changes})[0] {
		id, link := r.Participant.ID, r.Participant.LinkID
		if id.String() <= last.String() {
			t.Fatalf("%s comes after %s", id, last)
		}
		if id.Version() != 7 || link.Version() != 4 || id.Variant() != link.Variant() || id.Variant().String() != "RFC4122" {
			t.Fatalf("%s and %s, want a UUIDv7 and a UUIDv4", id, link)
		}
		if sec, nsec := id.Time().UnixTime(); sec != juneMorning.Unix() || nsec/1e6 != 123 {
			t.Fatalf("%s tells the time %d.%d, want %s", id, sec, nsec, juneMorning)
		}
		last = id
	}
}

func TestParticipantOIDs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		identifiers []string
		want        []string
	}{
		{"first 8 word characters", []string{"juno-005"}, []string{"SS_JUNO005"}},
		{"only 8", []string{"a_b-c123456789"}, []string{"SS_A_BC1234"}},
		{"short", []string{"x"}, []string{"SS_X"}},
		{"collision", []string{"PATIENT-1001", "PATIENT-1002", "PATIENT-1003"}, []string{"SS_PATIENT1", "SS_PATIENT1_2", "SS_PATIENT1_3"}},
		{"no word characters", []string{"--", "é", "Ж1"}, []string{"SS__1", "SS__2", "SS_1"}},
		{"an identifier like a suffixed OID", []string{"A_2", "a", "A-"}, []string{"SS_A_2", "SS_A", "SS_A_3"}},
		{"suffixed OID in use", []string{"A_3", "a", "A-"}, []string{"SS_A_3", "SS_A", "SS_A_3_1"}},
		{"suffixed OIDs in use", []string{"A_4", "A_4_1", "a", "A-"}, []string{"SS_A_4", "SS_A_4_1", "SS_A", "SS_A_4_2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			alone, together := newWorld(t, juno()), newWorld(t, juno())
			var changes []Change
			for _, identifier := range test.identifiers {
				changes = append(changes, mdh(identifier))
			}
			results := together.apply(Group{Changes: changes})[0]
			for i, want := range test.want {
				if one, batch := alone.must(changes[i]).OID, results[i].Participant.OID; one != want || batch != want {
					t.Errorf("OID of %q is %s alone and %s in a batch, want %s", test.identifiers[i], one, batch, want)
				}
			}
		})
	}
}

func TestOIDOfADeletedPersonIsFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, juno())
	w.must(mdh("A"))
	results := w.apply(
		Group{Changes: []Change{act(Delete, "A"), mdh("A")}},
		group(act(Delete, "A"), mdh("a")),
		group(act(Delete, "A"), mdh("A-")),
	)
	for i, r := range []Result{results[0][1], results[1][1], results[2][1]} {
		if r.Err != nil || r.Participant.OID != "SS_A" {
			t.Errorf("person %d is answered %+v, want the OID SS_A", i+1, r)
		}
	}
}
