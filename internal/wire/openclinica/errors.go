package openclinica

import (
	"net/http"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// The codes of faults that only this dialect knows.
const (
	requestMalformed    fault.Code = "requestMalformed"   // JSON or multipart that cannot be read
	fileNotSupported    fault.Code = "fileNotSupported"   // not a CSV file
	columnMissing       fault.Code = "columnMissing"      // no ParticipantID column
	columnRepeated      fault.Code = "columnRepeated"     // (field) a column twice
	generatedNotInBulk  fault.Code = "generatedNotInBulk" // legacy contract on a study with generated identifiers
	badPageNumber       fault.Code = "badPageNumber"
	badPageSize         fault.Code = "badPageSize"
	jobRunning          fault.Code = "jobRunning"
	keyReused           fault.Code = "keyReused"  // an Idempotency-Key that stands for another request
	jobForeign          fault.Code = "jobForeign" // somebody else's job
	nothingToDownload   fault.Code = "nothingToDownload"
	legacyNoParticipate fault.Code = "legacyNoParticipate" // the legacy page spells it differently
)

// endpoint is a group of endpoints that share one of the vendor's pages and so one set of
// error codes (decisions, OpenClinica 3).
type endpoint struct {
	name  string
	words map[fault.Code]string // this page's own words, where they differ from the common ones
	files bool                  // job files: plain HTTP statuses and no OIDs in params
}

var (
	single = endpoint{name: "participants", words: map[fault.Code]string{
		registry.ParticipateInactive: "participateNotEnabled",
	}}
	bulk = endpoint{name: "participants/bulk", words: map[fault.Code]string{
		registry.SiteUnknown:         "invalidSiteIdentifier",
		registry.ParticipateInactive: "participateInactive",
		registry.TextMalformed:       "malformedRecord",
	}}
	extract = endpoint{name: "extractParticipantsInfo", words: map[fault.Code]string{
		registry.ParticipateInactive: "participateInActive",
	}}
	listing = endpoint{name: "list of participants", words: map[fault.Code]string{
		registry.SiteUnknown: "invalidSiteIdentifier",
	}}
	files = endpoint{name: "job files and tokens", files: true}
)

// commonWords says most faults in the vendor's words.
var commonWords = map[fault.Code]string{
	registry.StudyUnknown:            "studyNotExist",
	registry.StudyNotAvailable:       "studyNotAvailable",
	registry.SiteUnknown:             "siteNotExist",
	registry.SiteNotAvailable:        "siteNotAvailable",
	registry.ParticipateInactive:     "participateNotEnabled",
	registry.StudyLevelContact:       "studyLevelParticipantNotAllowed",
	registry.IdentifierMissing:       "missingParticipantIdData",
	registry.IdentifierTaken:         "participantIDAlreadyExists",
	registry.IdentifierElsewhere:     "participantIDAlreadyExists",
	registry.StaysAtSite:             "participantIDAlreadyExists",
	registry.NamedTwice:              "participantIDAlreadyExists",
	registry.GenerationFailed:        "participantIDGenerationFailed",
	registry.ForbiddenChars:          "participantIDContainsUnsupportedHTMLCharacter",
	registry.TextMalformed:           "malformedRequest",
	registry.UnknownField:            "malformedRequest",
	registry.ParticipantUnknown:      "participantNotFound",
	registry.ParticipantNotAvailable: "participantIDNotAvailable",
	registry.ActionNotPossible:       "participantIDNotAvailable",
	registry.CapReached:              "participantsEnrollmentCapReached",
	registry.RecordMalformed:         "malformedRecord",
	access.NoRole:                    "noRoleSetUp",
	access.RoleNotAllowed:            "noSufficientPrivileges",
	jobs.Unknown:                     "invalidUuid",
	jobs.NotRunning:                  "invalidUuid",
	jobs.Repeated:                    "idempotencyKeyReused", // the job of the first was deleted meanwhile
	keyReused:                        "idempotencyKeyReused",
	requestMalformed:                 "malformedRequest",
	fileNotSupported:                 "notSupportedFileFormat",
	columnMissing:                    "missingParticipantID",
	generatedNotInBulk:               "bulkUploadNotSupportSystemGeneratedSetting",
	badPageNumber:                    "invalidPageNumberParameter",
	badPageSize:                      "invalidPageSizeParameter",
	jobRunning:                       "jobInProgress",
	jobForeign:                       "noSufficientPrivileges",
	nothingToDownload:                "noLogFileFound",
	legacyNoParticipate:              "participateInActive",
	httpx.CodeMethodNotAllowed:       "methodNotAllowed", // raised by the mux alone, whose answers have plain HTTP statuses
}

// fieldWords says faults of one field in the vendor's words. The bulk pages call the phone
// number a mobile number.
var fieldWords = map[fault.Code]map[string]string{
	registry.TooLong: {
		registry.IdentifierField:         "participantIDLongerThan30Characters",
		registry.FirstName.String():      "firstNameTooLong",
		registry.LastName.String():       "lastNameTooLong",
		registry.MiddleName.String():     "middleNameTooLong",
		registry.SecondaryID.String():    "secondaryIdTooLong",
		registry.Email.String():          "emailAddressTooLong",
		registry.MobilePhone.String():    "phoneNumberTooLong",
		registry.Street1.String():        "streetAddress1TooLong",
		registry.Street2.String():        "streetAddress2TooLong",
		registry.Country.String():        "countryTooLong",
		registry.City.String():           "cityTooLong",
		registry.State.String():          "stateTooLong",
		registry.PostalCode.String():     "postalCodeTooLong",
		registry.DateOfBirth.String():    "invalidFullDob",
		registry.HospitalNumber.String(): "hospitalNumberTooLong",
	},
	registry.Malformed: {
		registry.Email.String():       "invalidEmailAddress",
		registry.MobilePhone.String(): "invalidPhoneNumber",
		registry.DateOfBirth.String(): "invalidFullDob",
	},
	registry.ContactTaken: {
		registry.Email.String():       "emailAddressNotUnique",
		registry.MobilePhone.String(): "phoneNumberNotUnique",
	},
	registry.ContactFixed: {
		registry.Email.String():       "emailAddressNotUnique",
		registry.MobilePhone.String(): "phoneNumberNotUnique",
	},
	columnRepeated: {
		registry.IdentifierField:      "multipleParticipantIdHeaders",
		registry.FirstName.String():   "multipleFirstNameHeaders",
		registry.LastName.String():    "multipleLastNameHeaders",
		registry.MiddleName.String():  "multipleMiddleNameHeaders",
		registry.Email.String():       "multipleEmailAddressHeaders",
		registry.MobilePhone.String(): "multipleMobilePhoneHeaders",
		registry.SecondaryID.String(): "multipleIdentifierHeaders",
	},
}

// kindWords is what is left to say where a fault has no code of its own.
var kindWords = map[fault.Kind]string{
	fault.Internal:        "internalError",
	fault.Invalid:         "malformedRequest",
	fault.Unauthenticated: "unauthorized",
	fault.Forbidden:       "noSufficientPrivileges",
	fault.NotFound:        "notFound",
	fault.Conflict:        "conflict",
	fault.TooLarge:        "requestTooLarge",
	fault.TooMany:         "tooManyRequests",
	fault.StorageFull:     "storageFull",
	fault.Unavailable:     "serviceUnavailable",
}

// errorCode says a fault in the words of the endpoint's page.
func (e endpoint) errorCode(err *fault.Error) string {
	word, ok := e.word(err)
	if !ok {
		word = kindWords[err.Kind]
	}
	return "errorCode." + word
}

// word finds the vendor's word for a fault that is the client's business; ok is false where
// the kind of trouble is all there is to say.
func (e endpoint) word(err *fault.Error) (word string, ok bool) {
	if word, ok = e.words[err.Code]; !ok {
		word, ok = fieldWords[err.Code][err.Field]
	}
	if !ok {
		word, ok = commonWords[err.Code]
	}
	if err.Field == registry.MobilePhone.String() && e.name == bulk.name {
		word = strings.NewReplacer("phoneNumber", "mobileNumber", "PhoneNumber", "MobileNumber").Replace(word)
	}
	return word, ok
}

// status is the HTTP status of a fault: 400 for every business error, as the original does,
// but plain HTTP statuses for job files (decisions, OpenClinica 1 and 13).
func (e endpoint) status(err *fault.Error) int {
	switch err.Kind {
	default:
	case fault.Invalid, fault.Forbidden, fault.NotFound, fault.Conflict:
		if _, ok := e.word(err); ok && !e.files {
			return http.StatusBadRequest
		}
	}
	return httpx.StatusOf(err)
}

// errorBody is the original's ParameterizedErrorVM.
type errorBody struct {
	Message string      `json:"message"`
	Params  errorParams `json:"params"`
}

type errorParams struct {
	SiteOID  *string `json:"siteOid"`
	StudyOID *string `json:"studyOid"`
}

// render is the dialect's one renderer of errors.
func (e endpoint) render(w http.ResponseWriter, r *http.Request, err *fault.Error) {
	code, status := e.errorCode(err), e.status(err)
	if err.Kind == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if prefersPlainText(r.Header.Values("Accept")) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(code)) // the client may be gone; there is nobody else to tell
		return
	}
	body := errorBody{Message: code}
	if !e.files {
		body.Params = errorParams{SiteOID: pathValue(r, "site"), StudyOID: pathValue(r, "study")}
	}
	_ = httpx.WriteJSON(w, status, body) // as above
}

// pathValue is a part of the path, decoded once, in the case sent; nil if the path has none.
func pathValue(r *http.Request, name string) *string {
	if v := r.PathValue(name); v != "" {
		return &v
	}
	return nil
}
