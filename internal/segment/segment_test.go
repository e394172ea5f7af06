package segment

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/registry"
)

func study() *registry.Study {
	return &registry.Study{
		ID: 1, Sites: []registry.Site{{ID: 7, Study: 1, Code: "BOSTON"}},
		CustomFields: []registry.CustomField{
			{Name: "Smoker", Type: registry.IntegerField}, {Name: "Dose", Type: registry.DecimalField},
			{Name: "Consented", Type: registry.BooleanField}, {Name: "Surgery", Type: registry.DateField},
			{Name: "Note", Type: registry.TextField}, {Name: "SecondaryIdentifier", Type: registry.TextField},
		},
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	full := &registry.Participant{
		Identifier: "JUNO-1", Site: 7, Enrolled: true, EnrolledAt: now.AddDate(0, -1, 0), CreatedAt: now.AddDate(0, -2, 0),
		Invitation: registry.InvitationApproved,
		Custom:     map[string]string{"Smoker": "0", "Dose": "1.5", "Consented": "true", "Surgery": "2026-01-31", "Note": "x"},
	}
	full.Details[registry.DateOfBirth] = "1992-02-29"
	full.Details[registry.City] = "Ghent"
	full.Details[registry.MobilePhone] = "+1 5557778888"
	full.Details[registry.SecondaryID] = "S-9"
	bare := &registry.Participant{Identifier: "bare", CreatedAt: now}
	tests := []struct {
		rule       string
		full, bare bool
	}{
		{`age < 35`, true, false},
		{`age == 34`, true, false}, // born on 29 February: 34 on 1 March
		{`age >= 0 || enrolled`, true, false},
		{`identifier.startsWith("JUNO-")`, true, false},
		{`site == "BOSTON"`, true, false},
		{`site == ""`, false, true},
		{`enrolled && !withdrawn`, true, false},
		{`invitationStatus == "approved"`, true, false},
		{`enrollmentDate > now - duration("1000h")`, true, false},
		{`insertedDate < now`, true, false},
		{`withdrawDate < now`, false, false},
		{`demographics.city == "Ghent"`, true, false},
		{`has(demographics.city)`, true, false},
		{`!has(demographics.city)`, false, true},
		{`demographics.mobilePhone == "5557778888"`, true, false},
		{`customFields.Smoker == 0`, true, false},
		{`has(customFields.Smoker)`, true, false},
		{`!has(customFields.Smoker) || customFields.Smoker > 1`, false, true},
		{`customFields.Dose > 1.0`, true, false},
		{`customFields.Consented`, true, false},
		{`customFields.Surgery < timestamp("2026-02-01T00:00:00Z")`, true, false},
		{`customFields.Note.matches("^x$")`, true, false},
		{`customFields.SecondaryIdentifier == "S-9"`, true, false},
		{`now.getFullYear() == 2026`, true, true},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			rule, err := compile(study(), registry.Segment{ID: uuid.New(), Rule: test.rule})
			if err != nil {
				t.Fatal(err)
			}
			if got := rule.Holds(study(), full, now); got != test.full {
				t.Errorf("full: got %v, want %v", got, test.full)
			}
			if got := rule.Holds(study(), bare, now); got != test.bare {
				t.Errorf("bare: got %v, want %v", got, test.bare)
			}
		})
	}
}

func TestBirthdays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		born, today string
		want        int64
	}{
		{"2000-06-15", "2026-06-14", 25}, {"2000-06-15", "2026-06-15", 26},
		{"2000-02-29", "2026-02-28", 25}, {"2000-02-29", "2026-03-01", 26}, {"2000-02-29", "2028-02-29", 28},
	}
	for _, test := range tests {
		today, err := time.Parse(time.DateOnly, test.today)
		if err != nil {
			t.Fatal(err)
		}
		p := &registry.Participant{}
		p.Details[registry.DateOfBirth] = test.born
		if got, _ := (&person{participant: p, now: today}).age(); got != test.want {
			t.Errorf("born %s, on %s: got %v, want %d", test.born, test.today, got, test.want)
		}
	}
}

func TestBadRulesSayWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule         string
		line, column int
	}{
		{`age <`, 1, 6},
		{"age < 35 &&\n  customFields.Smokes == 1", 2, 15},
		{`demographics.nam == "x"`, 1, 13},
		{`customFields.Smoker == "yes"`, 1, 21},
		{`age + 1`, 1, 1},
		{`shoeSize > 3`, 1, 1},
	}
	for _, test := range tests {
		_, err := compile(study(), registry.Segment{Rule: test.rule})
		wrong, ok := err.(*RuleError)
		if !ok {
			t.Errorf("%s: got %v, want a RuleError", test.rule, err)
			continue
		}
		if wrong.Line != test.line || wrong.Column != test.column {
			t.Errorf("%s: got %v, want line %d, column %d", test.rule, wrong, test.line, test.column)
		}
	}
}

func TestCostlyRuleIsRefused(t *testing.T) {
	t.Parallel()
	list := `[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]`
	rule := list + `.all(a, ` + list + `.all(b, ` + list + `.all(c, ` + list + `.all(d, a + b + c + d > 0))))`
	if _, err := compile(study(), registry.Segment{Rule: rule}); err == nil {
		t.Error("got no error")
	}
}

func TestDated(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]bool{
		`age < 3`: true, `enrollmentDate < now`: true, `identifier == "age"`: false, `enrolled`: false,
	} {
		got, err := compile(study(), registry.Segment{Rule: rule})
		if err != nil {
			t.Fatal(err)
		}
		if got.Dated != want {
			t.Errorf("%s: got %v, want %v", rule, got.Dated, want)
		}
	}
}

func BenchmarkRule(b *testing.B) {
	rule, err := compile(study(), registry.Segment{Rule: `age < 35 && customFields.Smoker == 0`})
	if err != nil {
		b.Fatal(err)
	}
	p := &registry.Participant{Custom: map[string]string{"Smoker": "0"}}
	p.Details[registry.DateOfBirth] = "2000-01-01"
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	st := study()
	for b.Loop() {
		rule.Holds(st, p, now)
	}
}
