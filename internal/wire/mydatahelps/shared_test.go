package mydatahelps

import (
	"fmt"
	"net/http"
	"testing"

	"rollcall/internal/registry"
)

// TestParticipantsOfOpenClinicaAreSeenHere has a participant written under the promises of
// OpenClinica's dialect and read on this one's wire, field by field.
func TestParticipantsOfOpenClinicaAreSeenHere(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		fields := []struct {
			field        registry.Field
			stored, wire string // "" on the wire: kept and not shown
		}{
			{registry.FirstName, "Ann", "Ann"}, {registry.MiddleName, "M.", "M."}, {registry.LastName, "O'Neil-Ünal", "O'Neil-Ünal"},
			{registry.Email, "Ann.ONeil@example.org", "Ann.ONeil@example.org"}, {registry.MobilePhone, "+1 5557778888", "5557778888"},
			{registry.Street1, "1 Main St", "1 Main St"}, {registry.Street2, "Apt 2", "Apt 2"}, {registry.City, "Ames", "Ames"},
			{registry.State, "IA", "IA"}, {registry.PostalCode, "50010", "50010"}, {registry.DateOfBirth, "1990-02-28", "1990-02-28"},
			{registry.Country, "US", ""}, {registry.HospitalNumber, "H-7", ""}, {registry.SecondaryID, "S-7", ""},
		}
		c := registry.Change{Profile: registry.OpenClinica(), Identifier: "OC-1"}
		boston, _ := w.study("S_JUNO").SiteByCode("boston")
		c.Place = registry.At(boston.ID)
		covered := map[registry.Field]bool{}
		for _, f := range fields {
			c.Edits.Set(f.field, f.stored)
			covered[f.field] = true
		}
		for _, f := range registry.OpenClinica().Order {
			if !covered[f] {
				t.Errorf("OpenClinica writes %s, which this test leaves out", f)
			}
		}
		w.change("S_JUNO", c)

		var seen person
		w.ask(http.StatusOK, "GET", juno+"/oc-1", "", &seen)
		shownCount := 0
		for _, f := range fields {
			if f.wire != "" {
				shownCount++
			}
			if got := seen.Demographics[f.field.String()]; got != f.wire {
				t.Errorf("%s: %q here, want %q", f.field, got, f.wire)
			}
		}
		if len(seen.Demographics) != shownCount || seen.InstitutionCode != "BOSTON" || seen.ParticipantIdentifier != "OC-1" {
			t.Errorf("read: %+v", seen)
		}
		// Sent back as it is, it changes nothing and loses nothing that is not shown.
		answer := w.send(myapp, "GET", juno+"/OC-1", "", "")
		if got := w.put(answer.Body.String()); got.ActionTaken != "none" {
			t.Errorf("sent back: %s, want none", got.ActionTaken)
		}
		w.put(`{"participantIdentifier":"OC-1","secondaryIdentifier":null,"demographics":{"country":"DE","firstName":"Anna"}}`)
		if d := w.everybody("S_JUNO")[0].Details; d[registry.SecondaryID] != "S-7" || d[registry.Country] != "US" || d[registry.FirstName] != "Anna" {
			t.Errorf("after an edit here: %v", d)
		}
	})
}

// TestParticipantsOfThisDialectAreSeenByOpenClinica has a participant written on this wire and
// read in the stored form, which is OpenClinica's.
func TestParticipantsOfThisDialectAreSeenByOpenClinica(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.put(`{"participantIdentifier":"MDH-1","institutionCode":"Boston","demographics":{"firstName":"Ann","middleName":"M.","lastName":"Lee",
		"email":"ann@example.org","mobilePhone":"5557778888","street1":"1 Main St","street2":"Apt 2","city":"Ames","state":"IA",
		"postalCode":"50010","dateOfBirth":"1990-02-28"}}`)
		p := w.everybody("S_JUNO")[0]
		want := map[registry.Field]string{
			registry.FirstName: "Ann", registry.MiddleName: "M.", registry.LastName: "Lee", registry.Email: "ann@example.org",
			registry.MobilePhone: "+1 5557778888", registry.Street1: "1 Main St", registry.Street2: "Apt 2", registry.City: "Ames",
			registry.State: "IA", registry.PostalCode: "50010", registry.DateOfBirth: "1990-02-28",
		}
		for _, f := range registry.OpenClinica().Order {
			if p.Details[f] != want[f] {
				t.Errorf("%s: %q for OpenClinica, want %q", f, p.Details[f], want[f])
			}
		}
		if code := w.study("S_JUNO").SiteCode(p.Site); code != "BOSTON" || p.Identifier != "MDH-1" {
			t.Errorf("%s at %s", p.Identifier, code)
		}
		// The same identifier, in any case, is the same participant there.
		c := registry.Change{Profile: registry.OpenClinica(), Identifier: "mdh-1", Place: registry.At(p.Site)}
		c.Edits.Set(registry.City, "Boone")
		if again := w.change("S_JUNO", c); again.ID != p.ID {
			t.Errorf("OpenClinica made a twin: %s", again.Identifier)
		}
		// Withdrawn here is no longer counted there.
		w.ask(http.StatusOK, "POST", juno+"/MDH-1/withdraw", "", nil)
		if p = w.everybody("S_JUNO")[0]; !p.Withdrawn() || p.Listed() {
			t.Errorf("withdrawn here, but listed there")
		}
	})
}

func TestPhoneNumbersInBothForms(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		tests := []struct{ sent, stored, wire string }{
			{"5557778888", "+1 5557778888", "5557778888"}, {"(555) 777-8889", "+1 5557778889", "5557778889"},
			{"+1 555.777.8890", "+1 5557778890", "5557778890"}, {"+442079460000", "+44 2079460000", "+442079460000"},
			{"+49 30 1234567", "+49 301234567", "+49301234567"}, {"+353 861234567", "+353 861234567", "+353861234567"},
		}
		for i, test := range tests {
			got := w.put(fmt.Sprintf(`{"participantIdentifier":"T-%d","demographics":{"mobilePhone":%q}}`, i, test.sent))
			if wire := got.Result.Demographics["mobilePhone"]; wire != test.wire {
				t.Errorf("%s: %q on the wire, want %q", test.sent, wire, test.wire)
			}
			if stored := w.everybody("S_JUNO")[i].Details[registry.MobilePhone]; stored != test.stored {
				t.Errorf("%s: %q stored, want %q", test.sent, stored, test.stored)
			}
		}
	})
}
