package relational

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/registry"
)

// detailColumns names the column of each detail.
var detailColumns = [registry.FieldCount]string{
	registry.FirstName:              "first_name",
	registry.MiddleName:             "middle_name",
	registry.LastName:               "last_name",
	registry.SecondaryID:            "secondary_id",
	registry.Email:                  "email",
	registry.MobilePhone:            "mobile_phone",
	registry.Street1:                "street1",
	registry.Street2:                "street2",
	registry.Country:                "country",
	registry.City:                   "city",
	registry.State:                  "state",
	registry.PostalCode:             "postal_code",
	registry.DateOfBirth:            "date_of_birth",
	registry.HospitalNumber:         "hospital_number",
	registry.Gender:                 "gender",
	registry.PreferredLanguage:      "preferred_language",
	registry.TimeZone:               "time_zone",
	registry.UTCOffset:              "utc_offset",
	registry.UnsubscribedFromEmails: "unsubscribed_from_emails",
	registry.UnsubscribedFromSms:    "unsubscribed_from_sms",
}

// placeColumns are those that an index holds. They change seldom, and are written only then.
var placeColumns = []string{"identifier", "identifier_key", "oid", "site_id"}

// stateColumns are all the others that can change; stateValues lists their values in order.
var stateColumns = append(append([]string{"status"}, detailColumns[:]...),
	"custom", "participate", "access_code", "invitation", "enrolled", "enrolled_at", "withdrawn_at",
	"exclude_from_export", "link_id", "created_at", "created_by", "updated_at", "updated_by")

// blankColumns are those that most participants have nothing in.
var blankColumns = append(append([]string{}, detailColumns[:]...),
	"custom", "participate", "access_code", "invitation", "enrolled", "enrolled_at", "withdrawn_at", "exclude_from_export")

// participantColumns are the columns of a participant in the order in which they are read and
// written.
var participantColumns = append(append([]string{"study_id", "seq", "id"}, placeColumns...), stateColumns...)

var selectParticipant = "SELECT " + strings.Join(participantColumns, ", ") + " FROM participants"

// placeValues are the values of placeColumns.
func placeValues(args []any, p *registry.Participant) []any {
	return append(args, p.Identifier, registry.Fold(p.Identifier), p.OID, int64(p.Site))
}

// stateValues are the values of stateColumns.
func (db *DB) stateValues(args []any, p *registry.Participant) []any {
	args = append(args, string(p.Status))
	for i := range p.Details {
		args = append(args, p.Details[i])
	}
	return append(args,
		db.encodeCustom(p.Custom), string(p.Participate), nullBytes(p.AccessCode), string(p.Invitation),
		p.Enrolled, nullTime(p.EnrolledAt), nullTime(p.WithdrawnAt), p.ExcludeFromExport, p.LinkID,
		p.CreatedAt.UnixMicro(), p.CreatedBy, p.UpdatedAt.UnixMicro(), p.UpdatedBy)
}

// participantValues are the values of participantColumns.
func (db *DB) participantValues(args []any, p *registry.Participant) []any {
	args = append(args, int64(p.Study), p.Seq, p.ID)
	return db.stateValues(placeValues(args, p), p)
}

// scanParticipant reads a row of participantColumns.
func (db *DB) scanParticipant(row scanner) (*registry.Participant, error) {
	p := &registry.Participant{}
	var (
		key, custom          string
		enrolled, withdrawn  sql.NullInt64
		created, updated     int64
		accessCode           []byte
		destinations         [64]any
		dest                 = destinations[:0]
		participate, invited string
	)
	dest = append(dest, (*int64)(&p.Study), &p.Seq, &p.ID, &p.Identifier, &key, &p.OID, (*int64)(&p.Site), (*string)(&p.Status))
	for i := range p.Details {
		dest = append(dest, &p.Details[i])
	}
	dest = append(dest, &custom, &participate, &accessCode, &invited,
		&p.Enrolled, &enrolled, &withdrawn, &p.ExcludeFromExport, &p.LinkID,
		&created, &p.CreatedBy, &updated, &p.UpdatedBy)
	if err := row.Scan(dest...); err != nil {
		return nil, err
	}
	var err error
	if p.Custom, err = db.decodeCustom(custom); err != nil {
		return nil, err
	}
	p.Participate, p.Invitation = registry.ParticipateStatus(participate), registry.InvitationStatus(invited)
	p.AccessCode = accessCode
	p.EnrolledAt, p.WithdrawnAt = timeOrZero(enrolled), timeOrZero(withdrawn)
	p.CreatedAt, p.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return p, nil
}

// encodeCustom writes custom field values as a JSON object with its keys in order.
func (db *DB) encodeCustom(values map[string]string) string {
	if len(values) == 0 {
		return ""
	}
	size := len("{}")
	names := make([]string, 0, len(values))
	for name, value := range values {
		names = append(names, name)
		size += len(name) + len(value) + len(`"":"",`)
	}
	slices.Sort(names)
	text := append(make([]byte, 0, size), '{')
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(appendJSON(text, db.engine.Inner(name)), ':')
		text = appendJSON(text, db.engine.Inner(values[name]))
	}
	return string(append(text, '}'))
}

func (db *DB) decodeCustom(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	if values, ok := db.splitCustom(text); ok {
		return values, nil
	}
	var inner map[string]string
	if err := json.Unmarshal([]byte(text), &inner); err != nil {
		return nil, fmt.Errorf("decode custom fields: %w", err)
	}
	values := make(map[string]string, len(inner))
	for name, value := range inner {
		values[db.engine.Outer(name)] = db.engine.Outer(value)
	}
	return values, nil
}

// splitCustom is decodeCustom for an object as encodeCustom writes it, if it needs no escapes:
// almost every one. It is asked for every row that is read.
func (db *DB) splitCustom(text string) (map[string]string, bool) {
	values := make(map[string]string, strings.Count(text, `":"`))
	ok := eachMember(text, func(name, value string) { values[db.engine.Outer(name)] = db.engine.Outer(value) })
	return values, ok
}

// eachMember calls with the members of an object as encodeCustom writes it, and tells whether it
// could: it takes no escapes.
func eachMember(text string, with func(name, value string)) bool {
	if len(text) < 2 || text[0] != '{' || strings.IndexByte(text, '\\') >= 0 {
		return false
	}
	for rest := text[1:]; ; rest = rest[1:] {
		name, after, ok := cutQuoted(rest)
		if !ok || after == "" || after[0] != ':' {
			return false
		}
		value, after, ok := cutQuoted(after[1:])
		if !ok {
			return false
		}
		with(name, value)
		if after == "}" {
			return true
		}
		if rest = after; rest == "" || rest[0] != ',' {
			return false
		}
	}
}

// cutQuoted cuts a text in quotes, without escapes, off the beginning of s.
func cutQuoted(s string) (text, after string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	return strings.Cut(s[1:], `"`)
}

// nullUUID binds NULL for the zero UUID.
func nullUUID(id uuid.UUID) any {
	if id == uuid.Nil {
		return nil
	}
	return id
}

func nullBytes(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// nullTime stores a time, NULL for the zero time.
func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func timeOrZero(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.Int64).UTC()
}
