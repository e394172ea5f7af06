package registry

import (
	"strings"
	"time"
	"unicode/utf8"

	"rollcall/internal/fault"
)

// Profile is what one dialect promises about the fields it writes. The rules of Decide that
// differ between dialects differ only by it. Profiles are read-only.
type Profile struct {
	Name string

	// Order lists the fields that the dialect writes, in the order in which their faults are
	// reported: the first fault is the answer.
	Order []Field

	limits [FieldCount]int                         // in characters, inclusive
	forms  [FieldCount]func(string) (string, bool) // brings a value into its stored form; nil keeps it

	identifierLimit int    // in characters, inclusive
	identifierBars  string // characters that an identifier must not hold
	barsControls    bool   // identifiers must not hold control characters
	trims           bool   // leading and trailing space is not part of a value

	// Where identifiers come from when a change has none.
	prefixIdentifiers bool // PREFIX-0000-0000; otherwise the study's template, if it generates

	bareAtStudyLevel    bool // no contact data and no registration at study level
	strictWhenGenerated bool // an unknown identifier is an error where the study generates them
	movesBetweenSites   bool // a given place moves a participant from one site to another
	requiresClaims      bool // e-mail and mobile phone must be unclaimed by others
	fixesContacts       bool // e-mail and mobile phone of an enrolled participant stay as they are
	phonesByNumber      bool // a phone number that differs in form alone is no change
	writesWithdrawn     bool // a withdrawn participant can be updated
	hidesRemoved        bool // a removed participant does not exist
	invitesKnown        bool // an invitation is queued for somebody who is there already, too
	secondaryIsCustom   bool // the secondary identifier is an alias for a custom field of that name
}

// What may be written is OpenClinica's: spec "participants", Field Validation Rules, and
// decisions, OpenClinica 2, 4 and 17.
var openClinica = Profile{
	Name: "openclinica",
	Order: []Field{
		FirstName, LastName, MiddleName, SecondaryID, Email, MobilePhone, Street1, Street2,
		Country, City, State, PostalCode, DateOfBirth, HospitalNumber,
	},
	limits: [FieldCount]int{
		FirstName: 35, LastName: 35, MiddleName: 35, SecondaryID: 35, Email: 255, MobilePhone: phoneLimit,
		Street1: 155, Street2: 155, Country: 155, City: 155, State: 155, PostalCode: 35,
		DateOfBirth: 10, HospitalNumber: 35,
	},
	forms: [FieldCount]func(string) (string, bool){
		Email: emailForm, MobilePhone: openClinicaPhoneForm, DateOfBirth: dateForm,
	},
	identifierLimit:     30,
	identifierBars:      "<>",
	trims:               true,
	bareAtStudyLevel:    true,
	strictWhenGenerated: true,
}

// The older bulk page differs in the phone number alone: digits, 15 at most.
var openClinicaLegacy = func() Profile {
	p := openClinica
	p.Name = "openclinica legacy bulk"
	p.limits[MobilePhone] = 15
	p.forms[MobilePhone] = digitsForm
	return p
}()

// What may be written is MyDataHelps': spec "Participant Object", and decisions, "Both" and
// MyDataHelps 4 and 10.
var myDataHelps = Profile{
	Name: "mydatahelps",
	Order: []Field{
		SecondaryID, Email, FirstName, MiddleName, LastName, DateOfBirth, PreferredLanguage,
		Gender, Street1, Street2, City, State, PostalCode, MobilePhone, TimeZone, UTCOffset,
		UnsubscribedFromEmails, UnsubscribedFromSms,
	},
	limits: [FieldCount]int{
		SecondaryID: 255, Email: 255, FirstName: 255, MiddleName: 255, LastName: 255,
		DateOfBirth: 10, PreferredLanguage: 255, Gender: 1, Street1: 255, Street2: 255,
		City: 255, State: 255, PostalCode: 255, MobilePhone: 40, TimeZone: 255, UTCOffset: 10,
		UnsubscribedFromEmails: 5, UnsubscribedFromSms: 5,
	},
	forms: [FieldCount]func(string) (string, bool){
		Email: emailForm, MobilePhone: ParsePhone, DateOfBirth: dateForm, Gender: genderForm,
		UTCOffset: utcOffsetForm, UnsubscribedFromEmails: booleanForm, UnsubscribedFromSms: booleanForm,
	},
	identifierLimit:   100,
	barsControls:      true,
	prefixIdentifiers: true,
	movesBetweenSites: true,
	requiresClaims:    true,
	fixesContacts:     true,
	phonesByNumber:    true,
	writesWithdrawn:   true,
	hidesRemoved:      true,
	secondaryIsCustom: true,
}

// Staff write every field there is, within what OpenClinica documents for its own and MyDataHelps
// for the rest: what staff have written, a client of either API can send back. Unlike
// OpenClinica's clients they write at study level too, move people between sites and invite who
// is there already. A parent may answer for two children, so contacts need not be unclaimed.
var staff = Profile{
	Name: "staff",
	Order: []Field{
		FirstName, MiddleName, LastName, DateOfBirth, Gender, SecondaryID, HospitalNumber, Email, MobilePhone,
		PreferredLanguage, TimeZone, UTCOffset, Street1, Street2, PostalCode, City, State, Country,
		UnsubscribedFromEmails, UnsubscribedFromSms,
	},
	limits: [FieldCount]int{
		FirstName: 35, LastName: 35, MiddleName: 35, SecondaryID: 35, Email: 255, MobilePhone: 40,
		Street1: 155, Street2: 155, Country: 155, City: 155, State: 155, PostalCode: 35,
		DateOfBirth: 10, HospitalNumber: 35, Gender: 1, PreferredLanguage: 255, TimeZone: 255, UTCOffset: 10,
		UnsubscribedFromEmails: 5, UnsubscribedFromSms: 5,
	},
	forms: [FieldCount]func(string) (string, bool){
		Email: emailForm, MobilePhone: ParsePhone, DateOfBirth: dateForm, Gender: genderForm,
		UTCOffset: utcOffsetForm, UnsubscribedFromEmails: booleanForm, UnsubscribedFromSms: booleanForm,
	},
	identifierLimit:     30,
	identifierBars:      "<>",
	barsControls:        true,
	trims:               true,
	strictWhenGenerated: true,
	movesBetweenSites:   true,
	phonesByNumber:      true,
	invitesKnown:        true,
}

// OpenClinica is the profile of OpenClinica's single and current bulk endpoints.
func OpenClinica() *Profile { return &openClinica }

// OpenClinicaLegacy is the profile of OpenClinica's older bulk page.
func OpenClinicaLegacy() *Profile { return &openClinicaLegacy }

// MyDataHelps is the profile of MyDataHelps' participant administration API.
func MyDataHelps() *Profile { return &myDataHelps }

// Staff is the profile of changes that staff make, in the browser or on the command line.
func Staff() *Profile { return &staff }

// IdentifierLimit is the greatest length of an identifier in Unicode characters.
func (p *Profile) IdentifierLimit() int { return p.identifierLimit }

// Limit is the greatest length of the field's value in Unicode characters.
func (p *Profile) Limit(f Field) int { return p.limits[f] }

// identifier brings an identifier into the form in which it is stored, or says what is wrong.
// A blank one is not an error here. Space around it is never part of it: a dialect that trims
// could not name such a participant, and would make a twin (decisions, Both).
func (p *Profile) identifier(text string) (string, *fault.Error) {
	text = strings.TrimSpace(text)
	switch {
	case !utf8.ValidString(text) || hasNUL(text):
		return "", textMalformed(IdentifierField)
	case utf8.RuneCountInString(text) > p.identifierLimit:
		return "", tooLong(IdentifierField, p.identifierLimit)
	case p.identifierBars != "" && strings.ContainsAny(text, p.identifierBars),
		p.barsControls && strings.ContainsFunc(text, isControl):
		return "", fault.New(fault.Invalid, ForbiddenChars, "holds a character that an identifier must not hold").
			In(IdentifierField)
	}
	return text, nil
}

// edits brings the given values into their stored form, or names the first field at fault in
// the profile's order.
func (p *Profile) edits(e *Edits) (Edits, *fault.Error) {
	var out Edits
	if e.Empty() {
		return out, nil
	}
	for _, f := range p.Order {
		text, given := e.Get(f)
		if !given {
			continue
		}
		value, ferr := p.value(f, text)
		if ferr != nil {
			return out, ferr
		}
		out.Set(f, value)
	}
	return out, nil
}

// value brings one value into its stored form; "" stays "".
func (p *Profile) value(f Field, text string) (string, *fault.Error) {
	if p.trims {
		text = strings.TrimSpace(text)
	}
	switch {
	case !utf8.ValidString(text) || hasNUL(text):
		return "", textMalformed(f.String())
	case len(text) > p.limits[f] && utf8.RuneCountInString(text) > p.limits[f]:
		return "", tooLong(f.String(), p.limits[f])
	case text == "" || p.forms[f] == nil:
		return text, nil
	}
	value, ok := p.forms[f](text)
	if !ok {
		return "", fault.New(fault.Invalid, Malformed, "%s", formHints[f]).In(f.String())
	}
	return value, nil
}

var formHints = [FieldCount]string{
	Email:                  "is not a valid e-mail address",
	MobilePhone:            "is not a valid phone number",
	DateOfBirth:            "is not a date of the form YYYY-MM-DD",
	Gender:                 "is none of M, F and O",
	UTCOffset:              "is not a UTC offset of the form -04:00:00",
	UnsubscribedFromEmails: "is neither true nor false",
	UnsubscribedFromSms:    "is neither true nor false",
}

func tooLong(field string, limit int) *fault.Error {
	return fault.New(fault.Invalid, TooLong, "is longer than %d characters", limit).In(field)
}

func textMalformed(field string) *fault.Error {
	return fault.New(fault.Invalid, TextMalformed, "is not valid text").In(field)
}

func isControl(r rune) bool { return r < 0x20 || (r >= 0x7f && r < 0xa0) }

func dateForm(s string) (string, bool) {
	_, err := time.Parse(time.DateOnly, s)
	return s, err == nil
}

func genderForm(s string) (string, bool) {
	s = strings.ToUpper(s)
	return s, s == "M" || s == "F" || s == "O"
}

func booleanForm(s string) (string, bool) {
	s = strings.ToLower(s)
	return s, s == "true" || s == "false"
}

// utcOffsetForm accepts -04:00:00, 05:30:00, +05:30:00 and -04:00, and answers -04:00:00 and
// 05:30:00 (decisions, MyDataHelps 10).
func utcOffsetForm(s string) (string, bool) {
	sign := ""
	switch {
	case strings.HasPrefix(s, "-"):
		sign, s = "-", s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	if len(s) == len("04:00") {
		s += ":00"
	}
	t, err := time.Parse(time.TimeOnly, s)
	if err != nil || len(s) != len(time.TimeOnly) {
		return "", false
	}
	if sinceMidnight := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second; sinceMidnight > 14*time.Hour {
		return "", false
	}
	if s == "00:00:00" {
		sign = ""
	}
	return sign + s, true
}
