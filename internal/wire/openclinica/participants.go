package openclinica

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

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
var wireFields = []struct {
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
	var object map[string]json.RawMessage
	if !utf8.Valid(body) || json.Unmarshal(body, &object) != nil || object == nil {
		return fault.New(fault.Invalid, requestMalformed, "the body is not a JSON object")
	}
	key, _, ferr := text(object, "subjectKey")
	if ferr != nil {
		return ferr
	}
	change.Identifier = key
	for _, f := range wireFields {
		value, given, ferr := text(object, f.name)
		if ferr != nil {
			return ferr
		}
		if given {
			change.Edits.Set(f.field, value)
		}
	}
	return nil
}

// text reads one key whose value has to be a string.
func text(object map[string]json.RawMessage, key string) (value string, given bool, ferr *fault.Error) {
	raw, ok := object[key]
	if !ok || string(raw) == "null" {
		return "", false, nil
	}
	if json.Unmarshal(raw, &value) != nil {
		return "", false, fault.New(fault.Invalid, requestMalformed, "the value has to be a string").In(key)
	}
	return value, true, nil
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
