package mydatahelps

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// wireDate is how dates are written: three digits of fraction, always an offset, which is what
// every known client reads (reference, MyDataHelps 2). Segments' dates have a Z instead.
const (
	wireDate    = "2006-01-02T15:04:05.000-07:00"
	segmentDate = "2006-01-02T15:04:05.000Z"
)

// wireParticipant is a participant as the wire shows it (spec "Participant Object"; decisions,
// MyDataHelps 2). It writes itself: every read and every change answers with it.
type wireParticipant struct {
	study   *registry.Study
	of      *registry.Participant
	addedAt time.Time // to the segment that was asked for; zero: none was
}

var _ httpx.JSONAppender = wireParticipant{}

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

// participantObject is the participant as the wire shows it.
func participantObject(study *registry.Study, p *registry.Participant) wireParticipant {
	return wireParticipant{study: study, of: p}
}

// AppendJSON implements httpx.JSONAppender. The keys are in the order of the vendor's sample.
func (o wireParticipant) AppendJSON(to []byte) []byte {
	p := o.of
	to = appendGUID(append(to, `{"id":`...), p.ID)
	to = strconv.AppendBool(append(to, `,"enrolled":`...), p.Enrolled)
	to = appendTextOrNull(append(to, `,"invitationStatus":`...), string(p.Invitation))
	to = appendDate(append(to, `,"insertedDate":`...), p.CreatedAt)
	to = appendDateOrNull(append(to, `,"enrollmentDate":`...), p.EnrolledAt)
	to = appendDateOrNull(append(to, `,"withdrawDate":`...), p.WithdrawnAt)
	to = httpx.AppendJSONString(append(to, `,"participantIdentifier":`...), p.Identifier)
	if _, defined := o.study.CustomField(registry.SecondaryIdentifierField); defined {
		to = appendTextOrNull(append(to, `,"secondaryIdentifier":`...), p.Details[registry.SecondaryID])
	}
	to = appendGUID(append(to, `,"linkIdentifier":`...), p.LinkID)
	to = o.appendDemographics(append(to, `,"demographics":{`...))
	to = o.appendCustomFields(append(to, `},"customFields":{`...))
	to = strconv.AppendBool(append(to, `},"excludeFromExport":`...), p.ExcludeFromExport)
	to = httpx.AppendJSONString(append(to, `,"institutionCode":`...), o.study.SiteCode(p.Site))
	if !o.addedAt.IsZero() {
		to = appendDate(append(to, `,"addedToSegmentDate":`...), o.addedAt)
	}
	email, phone := "", ""
	if p.Enrolled { // only then is there an account, and the contacts are its
		email, phone = p.Details[registry.Email], shown(p, registry.MobilePhone)
	}
	to = appendTextOrNull(append(to, `,"accountEmail":`...), email)
	to = appendTextOrNull(append(to, `,"accountMobilePhone":`...), phone)
	return append(to, `,"viewParticipantRecordLink":null}`...) // there is no such page
}

func (o wireParticipant) appendDemographics(to []byte) []byte {
	begun := len(to)
	for _, d := range demographics {
		if value := shown(o.of, d.field); value != "" {
			to = appendMember(to, begun, d.name, value)
		}
	}
	return to
}

func (o wireParticipant) appendCustomFields(to []byte) []byte {
	begun := len(to)
	for i := range o.study.CustomFields {
		name := o.study.CustomFields[i].Name
		to = appendMember(to, begun, name, o.of.CustomValue(name))
	}
	return to
}

// appendMember appends a key and its text to the object whose members begin at begun.
func appendMember(to []byte, begun int, name, value string) []byte {
	if len(to) > begun {
		to = append(to, ',')
	}
	return httpx.AppendJSONString(append(httpx.AppendJSONString(to, name), ':'), value)
}

// shown is a detail as the wire shows it.
func shown(p *registry.Participant, f registry.Field) string {
	if f == registry.MobilePhone {
		return registry.PhoneForMyDataHelps(p.Details[f])
	}
	return p.Details[f]
}

func appendGUID(to []byte, id uuid.UUID) []byte {
	to = hex.AppendEncode(append(to, '"'), id[:4])
	for _, part := range [][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		to = hex.AppendEncode(append(to, '-'), part)
	}
	return append(to, '"')
}

func appendDate(to []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(to, '"'), wireDate), '"')
}

func appendDateOrNull(to []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(to, "null"...)
	}
	return appendDate(to, t)
}

func appendTextOrNull(to []byte, text string) []byte {
	if text == "" {
		return append(to, "null"...)
	}
	return httpx.AppendJSONString(to, text)
}
