package access

import (
	"slices"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// Operation is something that a role may or may not do at a place.
type Operation string

// The operations that roles are asked about.
const (
	WriteParticipants Operation = "write participants"             // at a site, or at study level
	WriteStudyLevel   Operation = "write study-level participants" // site users never may
	ListParticipants  Operation = "list participants"
	ReadParticipant   Operation = "read a participant"
	Extract           Operation = "extract participant information"
	ReadJobs          Operation = "read jobs"
)

// allowance names the roles that may do an operation: those held in the study as a whole and
// those held at the very site. Roles held at a site count at no other place.
type allowance struct{ study, site []Role }

// allowanceOf is the only place that says who may do what. The columns are the roles held in
// the study and the roles held at the site (decisions, OpenClinica 5 and 6; reference,
// OpenClinica "Allowed roles" and 4).
func allowanceOf(op Operation) allowance {
	studyWriters := []Role{DataManager, DataEntryPerson, DataSpecialist}
	siteWriters := []Role{CRC, Investigator}
	switch op {
	case WriteParticipants:
		return allowance{studyWriters, siteWriters}
	case WriteStudyLevel:
		return allowance{studyWriters, nil}
	case ListParticipants:
		return allowance{studyWriters, siteWriters}
	case ReadParticipant:
		return allowance{studyWriters, siteWriters}
	case Extract:
		return allowance{nil, siteWriters}
	case ReadJobs:
		return allowance{StudyRoles(), SiteRoles()}
	default:
		return browserAllowance(op)
	}
}

// Operations lists every operation, for tests that prove a table total.
func Operations() []Operation {
	return append([]Operation{
		WriteParticipants, WriteStudyLevel, ListParticipants, ReadParticipant, Extract, ReadJobs,
	}, browserOperations()...)
}

// Principal is somebody whom [Service.Authenticate] has believed, with what they hold now.
type Principal struct {
	Name    string // user name or service account name
	Service bool   // a service account, which holds studies and no grants

	Grants  []Grant            // of a user
	Studies []registry.StudyID // of a service account: those it may administer
}

// Check tells whether the principal may do the operation at the place: at a site of the study,
// or, with registry.StudyLevel, in the study as a whole. It answers the role that allows it,
// one held at the site before one held in the study. Otherwise it answers [fault.Forbidden]:
// with [NoRole] if no role is held in the study nor at this site, as a user of another site
// gets, and with [RoleNotAllowed] if none of those held is enough.
func (p *Principal) Check(op Operation, study registry.StudyID, site registry.SiteID) (Role, error) {
	allowed := allowanceOf(op)
	var viaStudy, viaSite Role
	holds := false
	for _, g := range p.Grants {
		switch {
		case g.Study != study:
		case g.Site == registry.StudyLevel:
			holds = true
			if viaStudy == "" && slices.Contains(allowed.study, g.Role) {
				viaStudy = g.Role
			}
		case g.Site == site:
			holds = true
			if viaSite == "" && slices.Contains(allowed.site, g.Role) {
				viaSite = g.Role
			}
		}
	}
	switch {
	case viaSite != "":
		return viaSite, nil
	case viaStudy != "":
		return viaStudy, nil
	case holds:
		return "", fault.New(fault.Forbidden, RoleNotAllowed, "your role may not %s here", op)
	default:
		return "", fault.New(fault.Forbidden, NoRole, "you have no role here")
	}
}

// HoldsSiteRole tells whether the principal holds, at this very site, a role that may read its
// participants. Only then does OpenClinica's read of one participant show personal details
// (reference, OpenClinica 4).
func (p *Principal) HoldsSiteRole(study registry.StudyID, site registry.SiteID) bool {
	if site == registry.StudyLevel {
		return false
	}
	allowed := allowanceOf(ReadParticipant).site
	return slices.ContainsFunc(p.Grants, func(g Grant) bool {
		return g.Study == study && g.Site == site && slices.Contains(allowed, g.Role)
	})
}

// Administers tells whether the principal is a service account that may administer the study.
func (p *Principal) Administers(study registry.StudyID) bool {
	return p.Service && slices.Contains(p.Studies, study)
}
