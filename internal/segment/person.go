package segment

import (
	"errors"
	"time"

	"cel.dev/cel-go/cel"

	"rollcall/internal/registry"
)

// errUnset ends the evaluation of a rule that needs a value which the participant lacks.
var errUnset = errors.New("the value is not set")

// person is one participant as rules see it. Values that are not set are absent.
type person struct {
	study       *registry.Study
	participant *registry.Participant
	now         time.Time
}

// Parent implements cel.Activation.
func (*person) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (p *person) ResolveName(name string) (any, bool) {
	switch name {
	case "age":
		return p.age()
	case "identifier":
		return p.participant.Identifier, true
	case "site":
		return p.study.SiteCode(p.participant.Site), true
	case "enrolled":
		return p.participant.Enrolled, true
	case "withdrawn":
		return p.participant.Withdrawn(), true
	case "invitationStatus":
		return string(p.participant.Invitation), true
	case "enrollmentDate":
		return date(p.participant.EnrolledAt)
	case "insertedDate":
		return date(p.participant.CreatedAt)
	case "withdrawDate":
		return date(p.participant.WithdrawnAt)
	case "now":
		return p.now, true
	case "demographics", "customFields":
		return p, true
	}
	return nil, false
}

func date(t time.Time) (any, bool) { return t, !t.IsZero() }

// age is in whole years today, by the calendar in UTC.
func (p *person) age() (any, bool) {
	born, err := time.Parse(time.DateOnly, p.participant.Details[registry.DateOfBirth])
	if err != nil {
		return nil, false
	}
	now := p.now.UTC()
	years := now.Year() - born.Year()
	if now.Month() < born.Month() || (now.Month() == born.Month() && now.Day() < born.Day()) {
		years--
	}
	return int64(years), true
}

// detail is one of the demographics as it is on the wire.
func (p *person) detail(f registry.Field) (any, bool) {
	value := p.participant.Details[f]
	if f == registry.MobilePhone {
		value = registry.PhoneForMyDataHelps(value)
	}
	return value, value != ""
}

// custom is one custom field in its declared type.
func (p *person) custom(field registry.CustomField) (any, bool) {
	text := p.participant.CustomValue(field.Name)
	if text == "" {
		return nil, false
	}
	return typed(field.Type, text)
}
