package registry

import (
	"time"

	"github.com/google/uuid"
)

// ID is the internal identity of a participant: a UUIDv7 that never changes and that
// MyDataHelps calls id.
type ID = uuid.UUID

// Field is one of the personal details that dialects read and write as text.
type Field uint8

// The details of a participant. The glossary holds each one's name in both dialects.
const (
	FirstName Field = iota
	MiddleName
	LastName
	SecondaryID
	Email
	MobilePhone // "+1 5557778888", see [ParsePhone]
	Street1
	Street2
	Country
	City
	State
	PostalCode
	DateOfBirth // YYYY-MM-DD
	HospitalNumber
	Gender // M, F, O
	PreferredLanguage
	TimeZone
	UTCOffset // -04:00:00
	UnsubscribedFromEmails
	UnsubscribedFromSms
	FieldCount // how many there are
)

// IdentifierField and the others below are the names of what is not a Field but can be at
// fault or change all the same.
const (
	IdentifierField  = "participantIdentifier"
	SiteField        = "site"
	CustomFieldsName = "customFields"
)

var fieldNames = [FieldCount]string{
	"firstName", "middleName", "lastName", "secondaryIdentifier", "email", "mobilePhone",
	"street1", "street2", "country", "city", "state", "postalCode", "dateOfBirth",
	"hospitalNumber", "gender", "preferredLanguage", "timeZone", "utcOffset",
	"unsubscribedFromEmails", "unsubscribedFromSms",
}

// String is the field's name in audit events and errors.
func (f Field) String() string { return fieldNames[f] }

// Fields lists every field in its order of declaration, which is also the order of columns.
func Fields() []Field {
	fields := make([]Field, FieldCount)
	for i := range fields {
		fields[i] = Field(i)
	}
	return fields
}

// FieldByName finds a field by its name.
func FieldByName(name string) (Field, bool) {
	for i, n := range fieldNames {
		if n == name {
			return Field(i), true
		}
	}
	return 0, false
}

// Details holds a participant's personal details by Field; "" is "not set".
type Details [FieldCount]string

// ParticipantStatus is where a participant's record stands.
type ParticipantStatus string

// The statuses of a participant's record. Withdrawal is not a status but a date.
const (
	StatusAvailable ParticipantStatus = "available"
	StatusSigned    ParticipantStatus = "signed"
	StatusLocked    ParticipantStatus = "locked"
	StatusRemoved   ParticipantStatus = "removed" // hidden, kept, restorable
)

// ParticipateStatus is where a participant stands with the Participate module.
type ParticipateStatus string

// The Participate statuses, as OpenClinica displays them; "" is "never registered".
const (
	NotRegistered      ParticipateStatus = ""
	ParticipateCreated ParticipateStatus = "Created"
	ParticipateInvited ParticipateStatus = "Invited"
	ParticipateActive  ParticipateStatus = "Active"
	ParticipateStopped ParticipateStatus = "Inactive"
)

// InvitationStatus is MyDataHelps' invitation status; "" is "not set".
type InvitationStatus string

// The invitation statuses of MyDataHelps' participant object.
const (
	InvitationNotSet     InvitationStatus = ""
	InvitationPending    InvitationStatus = "pending"
	InvitationDeclined   InvitationStatus = "declined"
	InvitationCancelled  InvitationStatus = "cancelled"
	InvitationApproved   InvitationStatus = "approved"
	InvitationNotInvited InvitationStatus = "notInvited"
)

// Participant is one person in one study.
type Participant struct {
	ID         ID
	Study      StudyID
	Seq        int64  // order of creation in the study, from 1
	Identifier string // as first written; unique in the study by [Fold]
	OID        string // "SS_...", unique in the study
	Site       SiteID
	Status     ParticipantStatus
	Details    Details
	Custom     map[string]string // custom field values by the defined name; nil where none is set

	Participate ParticipateStatus // as stored; see [Participant.ParticipateNow]
	AccessCode  SealedCode        // nil until registered

	Invitation        InvitationStatus
	Enrolled          bool
	EnrolledAt        time.Time // zero until enrolled
	WithdrawnAt       time.Time // zero unless withdrawn
	ExcludeFromExport bool
	LinkID            uuid.UUID // MyDataHelps' linkIdentifier

	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
	UpdatedBy string
}

// Withdrawn tells whether the participant has withdrawn from the study.
func (p *Participant) Withdrawn() bool { return !p.WithdrawnAt.IsZero() }

// Counts tells whether the participant counts against the enrollment cap.
func (p *Participant) Counts() bool { return p.Status != StatusRemoved && !p.Withdrawn() }

// Listed tells whether OpenClinica's extracts show the participant: available or signed, and
// not withdrawn.
func (p *Participant) Listed() bool { return listed(p.Status, p.Withdrawn()) }

func listed(status ParticipantStatus, withdrawn bool) bool {
	return (status == StatusAvailable || status == StatusSigned) && !withdrawn
}

// ParticipateNow is the Participate status to show: a registered participant who was removed
// or has withdrawn is Inactive.
func (p *Participant) ParticipateNow() ParticipateStatus {
	if p.Participate != NotRegistered && !p.Counts() {
		return ParticipateStopped
	}
	return p.Participate
}
