package mydatahelps

import (
	"net/http"
	"strconv"
	"strings"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// The codes of faults that only this dialect knows.
const (
	notServiceAccount  fault.Code = "notServiceAccount"  // Forbidden: a user calls
	budgetSpent        fault.Code = "budgetSpent"        // TooMany
	badParameter       fault.Code = "badParameter"       // (field) Invalid: a query parameter
	badBody            fault.Code = "badBody"            // Invalid: not JSON, or not the JSON that is wanted
	tooManyItems       fault.Code = "tooManyItems"       // Invalid: a bulk of too many participants
	segmentUnknown     fault.Code = "segmentUnknown"     // (field) NotFound
	fieldNotFilterable fault.Code = "fieldNotFilterable" // (field) Invalid: nothing to filter or sort by

	// The token endpoint's.
	grantUnsupported fault.Code = "grantUnsupported"
	scopeInvalid     fault.Code = "scopeInvalid"
	clientInvalid    fault.Code = "clientInvalid"
	formInvalid      fault.Code = "formInvalid"
)

// words says faults in the vendor's words where the registry's own are others: study and site
// are project and institution here.
var words = map[fault.Code]string{
	registry.StudyUnknown:            "there is no such project",
	registry.StudyNotAvailable:       "the project takes no changes now",
	registry.SiteUnknown:             "the project has no institution of that code",
	registry.SiteNotAvailable:        "the institution takes no changes now",
	registry.UnknownField:            "the project defines no such field",
	registry.StaysAtSite:             "a participant of an institution cannot be left without one",
	registry.IdentifierMissing:       "is missing; give it, or the e-mail address of somebody new",
	registry.IdentifierTaken:         "is already in use",
	registry.ParticipantNotAvailable: "the participant is locked and takes no changes",
	registry.StudyLevelContact:       "a participant without an institution takes no contact data",
}

// errorBody is the one form of an error. Clients read message; errors says the same for
// programs (decisions, MyDataHelps 1).
type errorBody struct {
	Message string      `json:"message"`
	Errors  []itemError `json:"errors,omitempty"`
}

// itemError is what is wrong with one item of a request, or with the one item there is.
type itemError struct {
	Index   int    `json:"index"` // from 0
	Field   string `json:"field"`
	Message string `json:"message"`
}

// render is the dialect's renderer of errors.
func render(w http.ResponseWriter, _ *http.Request, err *fault.Error) {
	if err.Kind == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	_ = httpx.WriteJSON(w, httpx.StatusOf(err), describe(err)) // the client may be gone; there is nobody else to tell
}

// describe writes an error down: what is wrong, and where, as one sentence and as data.
func describe(err *fault.Error) errorBody {
	text, field := sentence(err), wireField(err.Field)
	body := errorBody{Message: text}
	switch {
	case err.Index > 0:
		body.Message = place(err.Index-1, field) + ": " + text
	case field == "" || err.Kind != fault.Invalid && err.Kind != fault.Conflict:
		return body
	default:
		body.Message = field + ": " + text
	}
	body.Errors = []itemError{{Index: max(err.Index-1, 0), Field: field, Message: text}}
	return body
}

// sentence is what is wrong, in the vendor's words.
func sentence(err *fault.Error) string {
	text, ok := words[err.Code]
	if !ok {
		text = err.Message
	}
	if text == "" {
		text = err.Kind.String()
	}
	if err.Hint != "" {
		text += "; " + err.Hint
	}
	return text
}

// place names an item of a bulk and its field, as in participants[3].demographics.email.
func place(index int, field string) string {
	text := "participants[" + strconv.Itoa(index) + "]"
	if field != "" {
		text += "." + field
	}
	return text
}

// wireField writes the registry's name of a field as the wire does (decisions, MyDataHelps 10).
func wireField(name string) string {
	if f, ok := registry.FieldByName(name); ok && f != registry.SecondaryID {
		return "demographics." + name
	}
	if name == registry.SiteField {
		return "institutionCode"
	}
	return name
}

// refusal is the fault of a change as its sender should read it. Who sent only an id is not
// told about an identifier. A name that the study does not define was made up by the client
// and is repeated only if it looks like a name: it may be anything, and faults are logged.
func refusal(c *registry.Change, err *fault.Error) *fault.Error {
	switch {
	case err.Field == registry.IdentifierField && c.Identifier == "" && c.ID != (registry.ID{}):
		return err.In("id")
	case err.Code == registry.UnknownField:
		if name, ok := strings.CutPrefix(err.Field, registry.CustomFieldsName+"."); ok && !isFieldName(name) {
			return err.In(registry.CustomFieldsName)
		}
	}
	return err
}

// isFieldName tells whether text could be the name of a custom field.
func isFieldName(text string) bool {
	const longest = 64
	for i := range len(text) {
		c := text[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return text != "" && len(text) <= longest
}
