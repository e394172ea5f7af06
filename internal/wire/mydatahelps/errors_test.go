package mydatahelps

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// kindStatus is the status of every kind of fault (decisions, MyDataHelps 1).
var kindStatus = map[fault.Kind]int{
	fault.Internal:        500,
	fault.Invalid:         400,
	fault.Unauthenticated: 401,
	fault.Forbidden:       403,
	fault.NotFound:        404,
	fault.Conflict:        409,
	fault.TooLarge:        413,
	fault.TooMany:         429,
	fault.StorageFull:     507,
	fault.Unavailable:     503,
}

func rendered(r httpx.Renderer, err *fault.Error) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	r(answer, httptest.NewRequest(http.MethodGet, "/", nil), err)
	return answer
}

// TestEveryKindIsRendered proves both renderers total: each kind has its status and a body that
// says something, in JSON.
func TestEveryKindIsRendered(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			want, known := kindStatus[kind]
			if !known {
				t.Fatalf("kind %s has no status", kind)
			}
			answer := rendered(render, &fault.Error{Kind: kind})
			var body struct{ Message string }
			if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || body.Message == "" || answer.Code != want {
				t.Errorf("answer: %d %s (%v), want %d with a message", answer.Code, answer.Body, err, want)
			}
			if got := answer.Header().Get("WWW-Authenticate") != ""; got != (kind == fault.Unauthenticated) {
				t.Errorf("WWW-Authenticate: %t", got)
			}
			if kind == fault.Unauthenticated {
				want = http.StatusBadRequest
			}
			answer = rendered(renderToken, &fault.Error{Kind: kind})
			var token map[string]string
			if err := json.Unmarshal(answer.Body.Bytes(), &token); err != nil || answer.Code != want {
				t.Errorf("token endpoint: %d %s (%v), want %d", answer.Code, answer.Body, err, want)
			}
			if token["error"] == "" || token["error_description"] == "" {
				t.Errorf("token endpoint: %s, want error and error_description", answer.Body)
			}
		})
	}
}

// codeKinds is what sort of trouble each of the registry's codes is to this dialect's clients
// (decisions, MyDataHelps 1, 4, 5 and 10).
var codeKinds = map[fault.Code]fault.Kind{
	registry.StudyNotAvailable:       fault.Conflict,
	registry.SiteUnknown:             fault.Invalid,
	registry.SiteNotAvailable:        fault.Conflict,
	registry.IdentifierMissing:       fault.Invalid,
	registry.IdentifierTaken:         fault.Conflict,
	registry.GenerationFailed:        fault.Conflict,
	registry.TooLong:                 fault.Invalid,
	registry.Malformed:               fault.Invalid,
	registry.ForbiddenChars:          fault.Invalid,
	registry.UnknownField:            fault.Invalid,
	registry.TextMalformed:           fault.Invalid,
	registry.ContactTaken:            fault.Conflict,
	registry.ContactFixed:            fault.Conflict,
	registry.NamedTwice:              fault.Invalid,
	registry.StaysAtSite:             fault.Invalid,
	registry.ParticipantUnknown:      fault.NotFound,
	registry.ParticipantNotAvailable: fault.Conflict,
	registry.CapReached:              fault.Conflict,
	// Raised for OpenClinica's clients or staff alone.
	registry.ParticipateInactive: fault.Conflict,
	registry.StudyLevelContact:   fault.Invalid,
	registry.IdentifierElsewhere: fault.Conflict,
	registry.ActionNotPossible:   fault.Conflict,
}

// TestEveryCodeIsRendered proves that each code of the registry has been thought of here, and
// that none is told in another dialect's words or as the server's failure.
func TestEveryCodeIsRendered(t *testing.T) {
	t.Parallel()
	for _, code := range registry.RecordCodes() {
		kind, known := codeKinds[code]
		if !known {
			t.Errorf("%s: nobody has said what this dialect answers", code)
			continue
		}
		answer := rendered(render, fault.New(kind, code, "").In(registry.IdentifierField))
		var body errorBody
		if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || body.Message == "" {
			t.Errorf("%s: %s (%v)", code, answer.Body, err)
		}
		if answer.Code != kindStatus[kind] || answer.Code >= 500 {
			t.Errorf("%s: status %d, want %d", code, answer.Code, kindStatus[kind])
		}
	}
	for code, text := range words {
		for _, foreign := range []string{"study", "site"} {
			if slices.Contains(strings.Fields(text), foreign) {
				t.Errorf("%s says %q, which is not this dialect's word: %s", code, foreign, text)
			}
		}
	}
}

func TestErrorsNameIndexAndField(t *testing.T) {
	t.Parallel()
	bad := fault.New(fault.Invalid, registry.Malformed, "is wrong")
	tests := []struct {
		name string
		err  *fault.Error
		want errorBody
	}{
		{"a detail", bad.In("email"), errorBody{"demographics.email: is wrong", []itemError{{0, "demographics.email", "is wrong"}}}},
		{"the identifier", bad.In("participantIdentifier"), errorBody{"participantIdentifier: is wrong", []itemError{{0, "participantIdentifier", "is wrong"}}}},
		{"the secondary identifier", bad.In("secondaryIdentifier"), errorBody{"secondaryIdentifier: is wrong", []itemError{{0, "secondaryIdentifier", "is wrong"}}}},
		{"the site", bad.In("site"), errorBody{"institutionCode: is wrong", []itemError{{0, "institutionCode", "is wrong"}}}},
		{"a custom field", bad.In("customFields.Smoker"), errorBody{"customFields.Smoker: is wrong", []itemError{{0, "customFields.Smoker", "is wrong"}}}},
		{"an item of a bulk", bad.In("email").At(3), errorBody{"participants[2].demographics.email: is wrong", []itemError{{2, "demographics.email", "is wrong"}}}},
		{"an item as a whole", bad.At(1), errorBody{"participants[0]: is wrong", []itemError{{0, "", "is wrong"}}}},
		{"the request as a whole", bad, errorBody{"is wrong", nil}},
		{"what is not found", fault.New(fault.NotFound, "", "is not there").In("email"), errorBody{"is not there", nil}},
		{"a hint", bad.WithHint("do better"), errorBody{"is wrong; do better", nil}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, describe(test.err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryDetailHasItsPlaceOnTheWire holds the table of demographics to the registry: a field
// that is neither in it nor known to be kept back would be lost silently.
func TestEveryDetailHasItsPlaceOnTheWire(t *testing.T) {
	t.Parallel()
	known := map[registry.Field]bool{
		registry.SecondaryID: true,                                // at the top level
		registry.Country:     true, registry.HospitalNumber: true, // kept and not shown (decisions, Both)
	}
	for _, d := range demographics {
		if known[d.field] {
			t.Errorf("%s is there twice", d.name)
		}
		if known[d.field] = true; d.name != d.field.String() {
			t.Errorf("%s is written %s on the wire, but wireField takes the name for the same", d.field, d.name)
		}
	}
	for _, f := range registry.Fields() {
		if !known[f] {
			t.Errorf("%s has no place on the wire", f)
		}
	}
	for _, f := range registry.MyDataHelps().Order {
		if _, ok := demographicByName(f.String()); !ok && f != registry.SecondaryID {
			t.Errorf("the profile writes %s, but the wire does not", f)
		}
	}
}

// TestNothingLeaks proves that neither the cause of an error nor a personal value comes out,
// in answers or in the log.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	const secret = "pq: password=hunter2 at 10.0.0.7"
	for _, kind := range fault.Kinds() {
		for name, r := range map[string]httpx.Renderer{"render": render, "renderToken": renderToken} {
			err := fault.Wrap(kind, errors.New(secret), "something went wrong")
			if body := rendered(r, err).Body.String(); strings.Contains(body, "hunter2") {
				t.Errorf("%s of kind %s: %s", name, kind, body)
			}
			unclassified := fault.As(fmt.Errorf("read: %w", errors.New(secret)))
			if body := rendered(r, unclassified).Body.String(); strings.Contains(body, "hunter2") {
				t.Errorf("%s of an error that nobody classified: %s", name, body)
			}
		}
	}

	inWorlds(t, func(t *testing.T, w *world) {
		personal := []string{"Wilhelmina", "wilhelmina@example.org", "5550001111", "Secretpath-1", "Privatekey"}
		w.put(`{"participantIdentifier":"Secretpath-1","demographics":{"firstName":"Wilhelmina","email":"wilhelmina@example.org","mobilePhone":"5550001111"}}`)
		for _, request := range []struct{ method, path, body string }{
			{"GET", juno + "/Secretpath-1", ""},
			{"GET", juno + "?query=Wilhelmina&demographicField.Email=wilhelmina@example.org", ""},
			{"PUT", juno, `{"participantIdentifier":"X","demographics":{"email":"wilhelmina@example.org"}}`},
			{"PUT", juno, `{"participantIdentifier":"X","customFields":{"wilhelmina@example.org":"Privatekey value"}}`},
			{"GET", juno + "?customField.wilhelmina@example.org=1", ""},
			{"PUT", juno, `{"participantIdentifier":"X","demographics":{"mobilePhone":"5550001111 Privatekey"}}`},
			{"PUT", juno, `{"Wilhelmina": `},
			{"DELETE", juno + "/Secretpath-1", ""},
		} {
			w.send(myapp, request.method, request.path, "application/json", request.body)
		}
		log := w.log.String()
		if strings.Count(log, "\n") < 8 {
			t.Fatalf("the log has too few records to tell anything:\n%s", log)
		}
		for _, value := range append(personal, w.token(myapp)) {
			if strings.Contains(log, value) {
				t.Errorf("the log holds %q:\n%s", value, log)
			}
		}
	})
}

func TestFailuresOfTheDatabaseAreNotTheClients(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.token(myapp)
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, request := range []struct{ method, path, body string }{
			{"GET", juno, ""}, {"PUT", juno, `{"participantIdentifier":"X"}`}, {"GET", juno + "/X", ""},
		} {
			answer := w.send(myapp, request.method, request.path, "application/json", request.body)
			if answer.Code < 500 || strings.Contains(answer.Body.String(), "sql") {
				t.Errorf("%s %s: %s, want a 5xx that says nothing", request.method, request.path, statusAndBody(answer))
			}
			if answer.Header().Get("RateLimit-Limit") == "" {
				t.Errorf("%s %s: no budget told", request.method, request.path)
			}
		}
	})
}
