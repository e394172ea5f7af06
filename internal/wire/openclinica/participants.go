package openclinica

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// maxJSON is the greatest size of a JSON body in bytes; the documented fields need a few
// thousand.
const maxJSON = 1 << 20

// wireFields are the 14 contact fields of the request body (spec "participants", Participant
// Contact Fields). The secondary ID has two names; secondaryId wins.
var wireFields = [...]struct {
	name  string
	field registry.Field
}{
	{"firstName", registry.FirstName},
	{"lastName", registry.LastName},
	{"middleName", registry.MiddleName},
	{"emailAddress", registry.Email},
	{"phoneNumber", registry.MobilePhone},
	{"identifier", registry.SecondaryID},
	{"secondaryId", registry.SecondaryID},
	{"streetAddress1", registry.Street1},
	{"streetAddress2", registry.Street2},
	{"country", registry.Country},
	{"city", registry.City},
	{"state", registry.State},
	{"postalCode", registry.PostalCode},
	{"fullDob", registry.DateOfBirth},
	{"hospitalNumber", registry.HospitalNumber},
}

// participantAnswer is the body of a successful add or update.
type participantAnswer struct {
	SubjectKey        string `json:"subjectKey"`
	SubjectOID        string `json:"subjectOid"`
	Status            string `json:"status"`
	ParticipateStatus string `json:"participateStatus"`
}

// AppendJSON implements httpx.JSONAppender.
func (a participantAnswer) AppendJSON(to []byte) []byte {
	to = httpx.AppendJSONString(append(to, `{"subjectKey":`...), a.SubjectKey)
	to = httpx.AppendJSONString(append(to, `,"subjectOid":`...), a.SubjectOID)
	to = httpx.AppendJSONString(append(to, `,"status":`...), a.Status)
	to = httpx.AppendJSONString(append(to, `,"participateStatus":`...), a.ParticipateStatus)
	return append(to, '}')
}

// postParticipant adds or updates one participant, at a site or at study level:
//
//	POST /clinicaldata/studies/{study}/sites/{site}/participants?register=y|n
//	POST /clinicaldata/studies/{study}/participants
//
// Spec "participants": "add a new Participant to a study site, update an existing Participant's
// contact information, or register a Participant".
func (a *API) postParticipant(w http.ResponseWriter, r *http.Request) error {
	op := access.WriteParticipants
	if r.PathValue("site") == "" {
		op = access.WriteStudyLevel
	}
	v, err := a.open(r, op, true)
	if err != nil {
		return err
	}
	change := registry.Change{
		Profile:  registry.OpenClinica(),
		Origin:   v.origin(r),
		Place:    registry.At(v.siteID()),
		Register: yes(r.URL.Query().Get("register")),
	}
	if change.Register {
		if ferr := registry.CheckParticipate(v.study); ferr != nil {
			return ferr
		}
	}
	if err := readParticipant(r, &change); err != nil {
		return err
	}
	results, err := a.registry.Apply(r.Context(), v.study.ID, change)
	if err != nil {
		return err
	}
	if ferr := results[0].Err; ferr != nil {
		return ferr
	}
	p := results[0].Participant
	return httpx.WriteJSON(w, http.StatusOK, participantAnswer{
		SubjectKey: p.Identifier, SubjectOID: p.OID, Status: statusName(p),
		ParticipateStatus: string(p.ParticipateNow()),
	})
}

// readParticipant reads the request body into the change: absent or null leaves a field as it
// is, "" clears it, unknown keys are ignored (decisions, OpenClinica 4 and 17).
func readParticipant(r *http.Request, change *registry.Change) error {
	body, err := io.ReadAll(httpx.Body(r, maxJSON))
	if err != nil {
		return bodyFault(err)
	}
	var sent sentFields
	if !sent.read(body) {
		return fault.New(fault.Invalid, requestMalformed, "the body is not a JSON object")
	}
	for i, value := range sent {
		switch {
		case value.wrong:
			return fault.New(fault.Invalid, requestMalformed, "the value has to be a string").In(bodyKey(i))
		case i == 0:
			change.Identifier = value.text
		case value.given:
			change.Edits.Set(wireFields[i-1].field, value.text)
		}
	}
	return nil
}

// sentField is the value of one key; it is neither given nor wrong if absent or null.
type sentField struct {
	text         string
	given, wrong bool
}

// sentFields are the values of a body's subjectKey and then of the keys of wireFields.
type sentFields [1 + len(wireFields)]sentField

// bodyKey is the key of one of the sentFields.
func bodyKey(i int) string {
	if i == 0 {
		return "subjectKey"
	}
	return wireFields[i-1].name
}

// named finds the field with a key; nil if the key means nothing here.
func (s *sentFields) named(key string) *sentField {
	for i := range s {
		if key == bodyKey(i) {
			return &s[i]
		}
	}
	return nil
}

// read reads a body, which has to be a JSON object in UTF-8, in one pass and to its end. Of a
// key that comes twice the last one counts, and half a surrogate pair is U+FFFD.
func (s *sentFields) read(body []byte) (ok bool) {
	if !utf8.Valid(body) {
		return false
	}
	tokens := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := tokens.ReadToken(); err != nil || token.Kind() != jsontext.KindBeginObject {
		return false
	}
	for {
		key, err := tokens.ReadToken()
		if err != nil {
			return false
		}
		if key.Kind() == jsontext.KindEndObject {
			_, err = tokens.ReadToken()
			return errors.Is(err, io.EOF)
		}
		if field := s.named(key.String()); field == nil {
			err = tokens.SkipValue()
		} else {
			err = field.read(tokens)
		}
		if err != nil {
			return false
		}
	}
}

// read reads the value, in place of one that was read before.
func (f *sentField) read(tokens *jsontext.Decoder) error {
	*f = sentField{}
	switch tokens.PeekKind() {
	case jsontext.KindNull:
		return tokens.SkipValue()
	case jsontext.KindString:
		token, err := tokens.ReadToken()
		if err == nil {
			f.text, f.given = token.String(), true
		}
		return err
	default:
		f.wrong = true
		return tokens.SkipValue()
	}
}

// bodyFault makes a client's fault of a body that could not be read to its end.
func bodyFault(err error) error {
	if e := fault.As(err); e.Kind != fault.Internal {
		return e
	}
	return fault.Wrap(fault.Invalid, err, "the body could not be read")
}

// statusName is the original's enumeration name of a participant's status. A withdrawn
// participant looks removed here (decisions, Both).
func statusName(p *registry.Participant) string {
	if p.Withdrawn() {
		return "REMOVED"
	}
	return strings.ToUpper(string(p.Status))
}
