package access

import "rollcall/internal/registry"

// The operations that only the browser asks about. Reading participants is parted in two there:
// that somebody is in the study, which everybody with a role may see, and who that is.
const (
	BrowseParticipants Operation = "browse participants"       // identifier, place, status and dates
	ReadContacts       Operation = "read contact data"         // details, custom fields and segments too
	ReadAccessCodes    Operation = "read access codes"         // one at a time, each reading remembered
	RemoveParticipants Operation = "remove participants"       // remove and restore, withdraw
	LockParticipants   Operation = "lock participants"         // lock and unlock
	DeleteParticipants Operation = "delete participants"       // for ever
	ReadStudyActivity  Operation = "read the study's activity" // who did what, without values
	ReadAudit          Operation = "read the audit trail"      // of the study; values are for who reads contact data
	ReadRoles          Operation = "read who has which role"
	DeleteJobs         Operation = "delete jobs of others" // everybody may delete their own
)

// browserAllowance is the part of allowanceOf that is about [browserOperations]. Access codes
// follow OpenClinica's extract: they are handed to participants by their own site.
func browserAllowance(op Operation) allowance {
	studyWriters := []Role{DataManager, DataEntryPerson, DataSpecialist}
	siteWriters := []Role{CRC, Investigator}
	switch op {
	case BrowseParticipants, ReadStudyActivity:
		return allowance{StudyRoles(), SiteRoles()}
	case ReadContacts, RemoveParticipants:
		return allowance{studyWriters, siteWriters}
	case ReadAccessCodes:
		return allowance{nil, siteWriters}
	case LockParticipants, DeleteParticipants, DeleteJobs, ReadRoles:
		return allowance{[]Role{DataManager}, nil}
	case ReadAudit:
		return allowance{[]Role{DataManager, Monitor}, nil}
	default:
		return allowance{}
	}
}

// browserOperations lists the operations above.
func browserOperations() []Operation {
	return []Operation{
		BrowseParticipants, ReadContacts, ReadAccessCodes, RemoveParticipants, LockParticipants, DeleteParticipants, ReadStudyActivity, DeleteJobs, ReadAudit, ReadRoles,
	}
}

// Places says where in a study somebody may do something.
type Places struct {
	Whole bool             // in the study as a whole: at every site and at study level
	Sites []*registry.Site // where else; every site of the study, if Whole
}

// None tells whether there is no such place.
func (p Places) None() bool { return !p.Whole && len(p.Sites) == 0 }

// Has tells whether the place is among them.
func (p Places) Has(site registry.SiteID) bool {
	if p.Whole {
		return true
	}
	for _, s := range p.Sites {
		if s.ID == site {
			return true
		}
	}
	return false
}

// Places tells where in the study the principal may do the operation, by [Principal.Check].
func (p *Principal) Places(op Operation, study *registry.Study) Places {
	_, err := p.Check(op, study.ID, registry.StudyLevel)
	places := Places{Whole: err == nil}
	for i := range study.Sites {
		if _, err := p.Check(op, study.ID, study.Sites[i].ID); err == nil {
			places.Sites = append(places.Sites, &study.Sites[i])
		}
	}
	return places
}

// HoldsAnyRole tells whether the principal holds a role in the study or at a site of it.
func (p *Principal) HoldsAnyRole(study registry.StudyID) bool {
	for _, g := range p.Grants {
		if g.Study == study {
			return true
		}
	}
	return false
}
