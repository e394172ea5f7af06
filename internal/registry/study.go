package registry

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"rollcall/internal/fault"
)

// StudyID is the internal number of a study, unique in the deployment.
type StudyID int64

// SiteID is the internal number of a site, unique in the deployment. StudyLevel (zero) stands
// for "no site".
type SiteID int64

// StudyLevel is the place of a participant who belongs to the study but to no site.
const StudyLevel SiteID = 0

// Status is the status of a study or a site. Only Available ones take writes; all can be read.
type Status string

// The statuses of a study or site, in OpenClinica's words.
const (
	Available Status = "available"
	Locked    Status = "locked"
	Frozen    Status = "frozen"
	Design    Status = "design"
)

// Statuses lists every study and site status.
func Statuses() []Status { return []Status{Available, Locked, Frozen, Design} }

// IDMethod says where participant identifiers come from.
type IDMethod string

// The two participant ID methods of OpenClinica's study settings.
const (
	ManualIDs    IDMethod = "manual"
	GeneratedIDs IDMethod = "system-generated"
)

// BulkContract names which of OpenClinica's two bulk pages a study serves.
type BulkContract string

// The two documented contracts of participants/bulk (spec pages of 2023 and before).
const (
	BulkCurrent BulkContract = "current"
	BulkLegacy  BulkContract = "legacy"
)

// Study is a clinical study with its settings and sites. It is read-only once loaded.
type Study struct {
	ID         StudyID
	OID        string // OpenClinica's study OID, unique without regard to case
	GUID       uuid.UUID
	Identifier string // protocol identifier; part of file names
	Name       string
	Status     Status

	Participate bool // whether the Participate module is active

	IDMethod         IDMethod
	IDTemplate       string // for GeneratedIDs, see [ParseIDTemplate]
	IdentifierPrefix string // MyDataHelps identifiers are PREFIX-0000-0000

	Cap        int  // expected total enrollment; counts the whole study
	EnforceCap bool // whether Cap limits the whole study; a site may enforce it for itself alone

	EnrollOnCreate bool
	UniqueContacts bool // e-mail and mobile phone are unique in the study through every dialect
	BulkContract   BulkContract

	Sites        []Site // in order of creation
	CustomFields []CustomField
	Segments     []Segment

	// RulesVersion grows whenever the store is given other segments, or other fields or site
	// codes, on which their rules may depend. The store sets it.
	RulesVersion int64
}

// FieldType is the type of a custom field's values.
type FieldType string

// The types of custom fields.
const (
	TextField    FieldType = "text"
	IntegerField FieldType = "integer"
	DecimalField FieldType = "decimal"
	BooleanField FieldType = "boolean"
	DateField    FieldType = "date"
)

// FieldTypes lists every type a custom field can have.
func FieldTypes() []FieldType {
	return []FieldType{TextField, IntegerField, DecimalField, BooleanField, DateField}
}

// CustomField is a study's own field. Its name is unique in the study without regard to case.
type CustomField struct {
	Name string
	Type FieldType
}

// Segment is a named group of participants, made by a rule. Its ID is unique in the study.
type Segment struct {
	ID   uuid.UUID
	Name string
	Rule string // a CEL expression over the participant
}

// Site is a place of a study where participants are seen.
type Site struct {
	ID         SiteID
	Study      StudyID
	OID        string // unique in the deployment without regard to case
	Code       string // OpenClinica's unique identifier of the site, MyDataHelps' institutionCode
	Name       string
	Status     Status
	EnforceCap bool // the study's cap limits this site even where the study does not enforce it
}

// Site returns the study's site with the id.
func (s *Study) Site(id SiteID) (*Site, bool) {
	for i := range s.Sites {
		if s.Sites[i].ID == id {
			return &s.Sites[i], true
		}
	}
	return nil, false
}

// SiteByCode returns the study's site whose code is the given one, without regard to case.
func (s *Study) SiteByCode(code string) (*Site, bool) {
	key := Fold(code)
	for i := range s.Sites {
		if Fold(s.Sites[i].Code) == key {
			return &s.Sites[i], true
		}
	}
	return nil, false
}

// SiteCode returns the code of the site, "" at study level.
func (s *Study) SiteCode(id SiteID) string {
	if site, ok := s.Site(id); ok {
		return site.Code
	}
	return ""
}

// SiteIdentifier is what the ID template's ${siteId} stands for: the site's code, or the
// study's identifier at study level.
func (s *Study) SiteIdentifier(id SiteID) string {
	if site, ok := s.Site(id); ok {
		return site.Code
	}
	return s.Identifier
}

// CheckWritable tells whether the study, and the site unless it is StudyLevel, take writes
// now. Both are checked before the site is known to belong to the study, as OpenClinica does
// (decisions, OpenClinica 2); site may therefore be of another study.
func CheckWritable(study *Study, site *Site) *fault.Error {
	if study.Status != Available {
		return fault.New(fault.Conflict, StudyNotAvailable, "the study is %s and takes no changes", study.Status)
	}
	if site != nil && site.Status != Available {
		return fault.New(fault.Conflict, SiteNotAvailable, "the site is %s and takes no changes", site.Status)
	}
	return nil
}

// CheckParticipate tells whether participants of the study can be registered for Participate.
func CheckParticipate(study *Study) *fault.Error {
	if !study.Participate {
		return fault.New(fault.Conflict, ParticipateInactive, "the Participate module is not active for this study")
	}
	return nil
}

// Catalog is one consistent picture of every study and site. It is immutable.
type Catalog struct {
	Version int64 // changes whenever a study or site does

	byOID  map[string]*Study
	byGUID map[uuid.UUID]*Study
	byID   map[StudyID]*Study
	sites  map[string]*Site
}

// NewCatalog makes a catalog of the studies.
func NewCatalog(version int64, studies []*Study) *Catalog {
	c := &Catalog{
		Version: version,
		byOID:   make(map[string]*Study, len(studies)),
		byGUID:  make(map[uuid.UUID]*Study, len(studies)),
		byID:    make(map[StudyID]*Study, len(studies)),
		sites:   map[string]*Site{},
	}
	for _, s := range studies {
		c.byOID[Fold(s.OID)] = s
		c.byGUID[s.GUID] = s
		c.byID[s.ID] = s
		for i := range s.Sites {
			c.sites[Fold(s.Sites[i].OID)] = &s.Sites[i]
		}
	}
	return c
}

// Studies lists the studies in order of creation.
func (c *Catalog) Studies() []*Study {
	return slices.SortedFunc(maps.Values(c.byID), func(a, b *Study) int { return int(a.ID - b.ID) })
}

// Study finds a study by its OID without regard to case.
func (c *Catalog) Study(oid string) (*Study, error) {
	if s, ok := c.byOID[Fold(oid)]; ok {
		return s, nil
	}
	return nil, fault.New(fault.NotFound, StudyUnknown, "there is no such study")
}

// StudyByGUID finds a study by the GUID that MyDataHelps calls projectId.
func (c *Catalog) StudyByGUID(guid uuid.UUID) (*Study, error) {
	if s, ok := c.byGUID[guid]; ok {
		return s, nil
	}
	return nil, fault.New(fault.NotFound, StudyUnknown, "there is no such study")
}

// StudyByID finds a study by its internal number.
func (c *Catalog) StudyByID(id StudyID) (*Study, bool) {
	s, ok := c.byID[id]
	return s, ok
}

// Site finds a site of any study by its OID without regard to case.
func (c *Catalog) Site(oid string) (*Site, error) {
	if s, ok := c.sites[Fold(oid)]; ok {
		return s, nil
	}
	return nil, fault.New(fault.NotFound, SiteUnknown, "there is no such site")
}

// SiteByID finds a site by its internal number.
func (c *Catalog) SiteByID(study StudyID, id SiteID) (*Site, bool) {
	s, ok := c.byID[study]
	if !ok {
		return nil, false
	}
	return s.Site(id)
}

// hasNUL reports whether s holds a character that text must not: NUL.
func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }
