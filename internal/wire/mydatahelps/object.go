package mydatahelps

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"rollcall/internal/registry"
)

// wireDate is how dates are written: three digits of fraction, always an offset, which is what
// every known client reads (reference, MyDataHelps 2). Segments' dates have a Z instead.
const (
	wireDate    = "2006-01-02T15:04:05.000-07:00"
	segmentDate = "2006-01-02T15:04:05.000Z"
)

// wireParticipant is the participant object (spec "Participant Object"; decisions,
// MyDataHelps 2), its keys in the order of the vendor's sample.
type wireParticipant struct {
	ID                    string   `json:"id"`
	Enrolled              bool     `json:"enrolled"`
	InvitationStatus      *string  `json:"invitationStatus"`
	InsertedDate          string   `json:"insertedDate"`
	EnrollmentDate        *string  `json:"enrollmentDate"`
	WithdrawDate          *string  `json:"withdrawDate"`
	ParticipantIdentifier string   `json:"participantIdentifier"`
	SecondaryIdentifier   optional `json:"secondaryIdentifier,omitzero"`
	LinkIdentifier        string   `json:"linkIdentifier"`
	Demographics          members  `json:"demographics"`
	CustomFields          members  `json:"customFields"`
	ExcludeFromExport     bool     `json:"excludeFromExport"`
	InstitutionCode       string   `json:"institutionCode"`
	AddedToSegmentDate    *string  `json:"addedToSegmentDate,omitempty"`
	AccountEmail          *string  `json:"accountEmail"`
	AccountMobilePhone    *string  `json:"accountMobilePhone"`
	ViewRecordLink        *string  `json:"viewParticipantRecordLink"` // always null: there is no such page
}

// demographics are the demographic fields in the order in which they are written: the vendor's
// sample's, then those that it leaves out.
var demographics = []struct {
	name  string
	field registry.Field
}{
	{"email", registry.Email},
	{"firstName", registry.FirstName},
	{"middleName", registry.MiddleName},
	{"lastName", registry.LastName},
	{"dateOfBirth", registry.DateOfBirth},
	{"preferredLanguage", registry.PreferredLanguage},
	{"gender", registry.Gender},
	{"utcOffset", registry.UTCOffset},
	{"street1", registry.Street1},
	{"street2", registry.Street2},
	{"city", registry.City},
	{"state", registry.State},
	{"postalCode", registry.PostalCode},
	{"mobilePhone", registry.MobilePhone},
	{"timeZone", registry.TimeZone},
	{"unsubscribedFromEmails", registry.UnsubscribedFromEmails},
	{"unsubscribedFromSms", registry.UnsubscribedFromSms},
}

// demographicByName finds a demographic field by its name without regard to case. DOB is what
// the query page calls the date of birth (spec "Query Participants", demographicField).
func demographicByName(name string) (registry.Field, bool) {
	if strings.EqualFold(name, "DOB") {
		return registry.DateOfBirth, true
	}
	for _, d := range demographics {
		if strings.EqualFold(name, d.name) {
			return d.field, true
		}
	}
	return 0, false
}

// participantObject writes a participant down as the wire shows it.
func participantObject(study *registry.Study, p *registry.Participant) wireParticipant {
	object := wireParticipant{
		ID:                    p.ID.String(),
		Enrolled:              p.Enrolled,
		InvitationStatus:      orNull(string(p.Invitation)),
		InsertedDate:          p.CreatedAt.UTC().Format(wireDate),
		EnrollmentDate:        dateOrNull(p.EnrolledAt),
		WithdrawDate:          dateOrNull(p.WithdrawnAt),
		ParticipantIdentifier: p.Identifier,
		LinkIdentifier:        p.LinkID.String(),
		Demographics:          make(members, 0, len(demographics)),
		CustomFields:          make(members, 0, len(study.CustomFields)),
		ExcludeFromExport:     p.ExcludeFromExport,
		InstitutionCode:       study.SiteCode(p.Site),
	}
	for _, d := range demographics {
		if value := shown(p, d.field); value != "" {
			object.Demographics = append(object.Demographics, member{d.name, value})
		}
	}
	for _, field := range study.CustomFields {
		object.CustomFields = append(object.CustomFields, member{field.Name, p.CustomValue(field.Name)})
	}
	if _, defined := study.CustomField(registry.SecondaryIdentifierField); defined {
		object.SecondaryIdentifier = optional{present: true, value: orNull(p.Details[registry.SecondaryID])}
	}
	if p.Enrolled { // only then is there an account, and the contacts are its
		object.AccountEmail = orNull(p.Details[registry.Email])
		object.AccountMobilePhone = orNull(shown(p, registry.MobilePhone))
	}
	return object
}

// shown is a detail as the wire shows it.
func shown(p *registry.Participant, f registry.Field) string {
	if f == registry.MobilePhone {
		return registry.PhoneForMyDataHelps(p.Details[f])
	}
	return p.Details[f]
}

// dateOrNull writes a time; nil for the zero time.
func dateOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(wireDate)
	return &text
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// optional is a key that may be absent, null or a string.
type optional struct {
	present bool
	value   *string
}

// IsZero tells whether the key is absent.
func (o optional) IsZero() bool { return !o.present }

// MarshalJSON implements json.Marshaler.
func (o optional) MarshalJSON() ([]byte, error) {
	if o.value == nil {
		return []byte("null"), nil
	}
	return appendText(nil, *o.value)
}

// members is a JSON object of strings that keeps its order.
type members []member

type member struct{ name, value string }

// MarshalJSON implements json.Marshaler.
func (ms members) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	var err error
	for i, m := range ms {
		if i > 0 {
			text = append(text, ',')
		}
		if text, err = appendText(text, m.name); err != nil {
			return nil, err
		}
		if text, err = appendText(append(text, ':'), m.value); err != nil {
			return nil, err
		}
	}
	return append(text, '}'), nil
}

// appendText appends a JSON string without the escapes that only HTML needs.
func appendText(to []byte, text string) ([]byte, error) {
	b := bytes.NewBuffer(to)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
