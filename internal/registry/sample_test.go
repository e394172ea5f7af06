package registry

import (
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
)

// The sample study, its sites and its clock. Nothing in it is from life.
const (
	junoID StudyID = 1
	ohio   SiteID  = 10
	iowa   SiteID  = 11
	nowAt  SiteID  = 99 // a site that the study does not have
)

var juneMorning = time.Date(2026, 6, 24, 9, 30, 0, 123456000, time.UTC)

// juno is a study with two sites, manual identifiers and a field of each type.
func juno(differs ...func(*Study)) *Study {
	s := &Study{
		ID: junoID, OID: "S_JUNO(PROD)", GUID: uuid.MustParse("0f0e4c6a-2f1c-4e6b-9b1f-0a5b7c3d2e1f"),
		Identifier: "JUNO", Name: "Juno", Status: Available, Participate: true,
		IDMethod: ManualIDs, IdentifierPrefix: "JN", BulkContract: BulkCurrent,
		Sites: []Site{
			{ID: ohio, Study: junoID, OID: "S_OHIO", Code: "OHIO", Name: "Ohio", Status: Available},
			{ID: iowa, Study: junoID, OID: "S_IOWA", Code: "IOWA", Name: "Iowa", Status: Available},
		},
		CustomFields: []CustomField{
			{"Notes", TextField}, {"Visits", IntegerField}, {"Weight", DecimalField},
			{"Smoker", BooleanField}, {"Diagnosed", DateField}, {SecondaryIdentifierField, TextField},
		},
	}
	for _, differ := range differs {
		differ(s)
	}
	return s
}

// What sets a study apart from juno.

func capped(n int) func(*Study) { return func(s *Study) { s.Cap, s.EnforceCap = n, true } }

func siteCapped(n int, at SiteID) func(*Study) {
	return func(s *Study) {
		s.Cap = n
		site, _ := s.Site(at)
		site.EnforceCap = true
	}
}

func generated(template string) func(*Study) {
	return func(s *Study) { s.IDMethod, s.IDTemplate = GeneratedIDs, template }
}

func studyIs(status Status) func(*Study) { return func(s *Study) { s.Status = status } }

func siteIs(at SiteID, status Status) func(*Study) {
	return func(s *Study) {
		site, _ := s.Site(at)
		site.Status = status
	}
}

func uniqueContacts(s *Study) { s.UniqueContacts = true }
func enrolling(s *Study)      { s.EnrollOnCreate = true }
func withoutModule(s *Study)  { s.Participate = false }
func all(fs ...func(*Study)) func(*Study) {
	return func(s *Study) {
		for _, f := range fs {
			f(s)
		}
	}
}

// Changes. origin is who makes them.

func origin(dialect string) audit.Origin {
	return audit.Origin{Actor: "ada", Role: "data manager", Dialect: dialect, RequestID: "r-1", Reason: "visit"}
}

// oc is an upsert through OpenClinica at a site, or at StudyLevel.
func oc(identifier string, at SiteID, details ...func(*Change)) Change {
	return changed(Change{
		Profile: OpenClinica(), Origin: origin("openclinica"), Identifier: identifier, Place: At(at),
	}, details)
}

// legacy is an upsert through OpenClinica's older bulk page.
func legacy(identifier string, at SiteID, details ...func(*Change)) Change {
	c := oc(identifier, at, details...)
	c.Profile = OpenClinicaLegacy()
	return c
}

// mdh is an upsert through MyDataHelps, without a place unless details give one.
func mdh(identifier string, details ...func(*Change)) Change {
	return changed(Change{
		Profile: MyDataHelps(), Origin: origin("mydatahelps"), Identifier: identifier,
	}, details)
}

// act is an action of staff on a participant's record.
func act(action Action, identifier string, details ...func(*Change)) Change {
	return changed(Change{
		Action: action, Profile: Staff(), Origin: origin("web"), Identifier: identifier,
	}, details)
}

func changed(c Change, details []func(*Change)) Change {
	for _, detail := range details {
		detail(&c)
	}
	return c
}

func with(f Field, value string) func(*Change) { return func(c *Change) { c.Edits.Set(f, value) } }
func at(site SiteID) func(*Change)             { return func(c *Change) { c.Place = At(site) } }
func through(p *Profile) func(*Change)         { return func(c *Change) { c.Profile = p } }
func custom(name, value string) func(*Change) {
	return func(c *Change) {
		if c.Custom == nil {
			c.Custom = map[string]string{}
		}
		c.Custom[name] = value
	}
}
func registers(c *Change) { c.Register = true }
func addOnly(c *Change)   { c.AddOnly = true }
func invited(s InvitationStatus) func(*Change) {
	return func(c *Change) { c.Invitation = &s }
}
func excluded(yes bool) func(*Change) {
	return func(c *Change) { c.ExcludeFromExport = &yes }
}

// known makes a change find its participant by the internal identity that the world gave the
// n-th participant, counted from 1.
func known(n int64) func(*Change) { return func(c *Change) { c.ID = ID{0: 0xff, 15: byte(n)} } }

// group is an all-or-nothing group.
func group(changes ...Change) Group { return Group{Changes: changes, AllOrNothing: true} }
