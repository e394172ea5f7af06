// Package access owns who may do what where: users and service accounts, their roles in
// studies and sites, passwords, tokens and the throttle on signing in. It knows no wire
// dialect and no storage engine; it declares the [Store] that it needs.
package access

import "rollcall/internal/registry"

// Role is what a user is in a study or at a site, in the field's words.
type Role string

// The roles. Data manager, data entry person and data specialist are roles in a study; CRC
// and investigator are roles at a site; monitor and viewer can be either.
const (
	DataManager     Role = "data manager"
	DataEntryPerson Role = "data entry person"
	DataSpecialist  Role = "data specialist"
	CRC             Role = "crc"
	Investigator    Role = "investigator"
	Monitor         Role = "monitor"
	Viewer          Role = "viewer"
)

// StudyRoles lists the roles that can be held in a study as a whole.
func StudyRoles() []Role {
	return []Role{DataManager, DataEntryPerson, DataSpecialist, Monitor, Viewer}
}

// SiteRoles lists the roles that can be held at one site.
func SiteRoles() []Role { return []Role{CRC, Investigator, Monitor, Viewer} }

// Grant is one role of a user: in a study as a whole (Site is registry.StudyLevel) or at one
// of its sites.
type Grant struct {
	Study registry.StudyID
	Site  registry.SiteID
	Role  Role
}

// User is a person who signs in with a password.
type User struct {
	ID           int64
	Username     string // unique without regard to case
	PasswordHash string // see [HashPassword]
	Grants       []Grant
}

// ServiceAccount is a program that signs in with a signed assertion.
type ServiceAccount struct {
	ID      int64
	Name    string // unique, with regard to case, as JWT issuers are
	Studies []registry.StudyID
	Keys    []string // RSA public keys in PEM form
}
