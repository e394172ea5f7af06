package openclinica

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

func endpoints() []endpoint { return []endpoint{single, bulk, extract, listing, files} }

// rendered is how the endpoint renders the fault.
func rendered(t *testing.T, e endpoint, err *fault.Error, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
	r.Header.Set("Accept", accept)
	r.SetPathValue("study", "S_X")
	w := httptest.NewRecorder()
	e.render(w, r, err)
	return w
}

var codeForm = regexp.MustCompile(`^errorCode\.[a-z][A-Za-z0-9]+$`)

func TestRenderingCoversEveryKind(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints() {
		for _, kind := range fault.Kinds() {
			answer := rendered(t, e, fault.New(kind, "", "why"), "")
			if want := httpx.Status(kind); answer.Code != want {
				t.Errorf("%s, %s: status %d, want %d", e.name, kind, answer.Code, want)
			}
			var body errorBody
			if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || !codeForm.MatchString(body.Message) {
				t.Errorf("%s, %s: body %q: %v", e.name, kind, answer.Body, err)
			}
			if got := body.Message == "errorCode.internalError"; got != (kind == fault.Internal) {
				t.Errorf("%s, %s: message %s", e.name, kind, body.Message)
			}
			if got := answer.Header().Get("WWW-Authenticate") == "Bearer"; got != (kind == fault.Unauthenticated) {
				t.Errorf("%s, %s: WWW-Authenticate %q", e.name, kind, answer.Header().Get("WWW-Authenticate"))
			}
		}
	}
}

// recordFaults lists every code that Decide can answer to this dialect, with every field that
// can carry it.
func recordFaults() []*fault.Error {
	var order []string
	for _, f := range registry.OpenClinica().Order {
		order = append(order, f.String())
	}
	contacts := []string{registry.Email.String(), registry.MobilePhone.String()}
	fields := map[fault.Code][]string{
		registry.TooLong:        append([]string{registry.IdentifierField}, order...),
		registry.TextMalformed:  append([]string{registry.IdentifierField}, order...),
		registry.Malformed:      append([]string{registry.DateOfBirth.String()}, contacts...),
		registry.ForbiddenChars: {registry.IdentifierField},
		registry.ContactTaken:   contacts,
		registry.ContactFixed:   contacts,
		registry.UnknownField:   {registry.CustomFieldsName + ".X"},
	}
	var faults []*fault.Error
	for _, code := range append(registry.RecordCodes(), registry.RecordMalformed) {
		err := fault.New(fault.Conflict, code, "why")
		if fields[code] == nil {
			faults = append(faults, err)
		}
		for _, field := range fields[code] {
			faults = append(faults, err.In(field))
		}
	}
	return faults
}

func TestEveryRecordCodeHasAVendorWord(t *testing.T) {
	t.Parallel()
	for _, e := range []endpoint{single, bulk} {
		for _, err := range recordFaults() {
			if word, ok := e.word(err); !ok || word == "" {
				t.Errorf("%s has no word for %s of %q", e.name, err.Code, err.Field)
			}
			if status := e.status(err); status != http.StatusBadRequest {
				t.Errorf("%s, %s of %q: status %d, want 400", e.name, err.Code, err.Field, status)
			}
			if code := e.errorCode(err); strings.Contains(code, "phoneNumber") && e.name == bulk.name {
				t.Errorf("%s says %s; its page says mobileNumber", e.name, code)
			}
		}
	}
}

func TestEveryAccessCodeHasAWord(t *testing.T) {
	t.Parallel()
	want := map[fault.Code]string{ // what their kind says is enough for the others
		access.NoRole: "errorCode.noRoleSetUp", access.RoleNotAllowed: "errorCode.noSufficientPrivileges",
	}
	for _, e := range endpoints() {
		for _, code := range access.Codes() {
			for _, kind := range fault.Kinds()[1:] { // without Internal
				got := e.errorCode(fault.New(kind, code, "why"))
				if word := want[code]; got == "errorCode.internalError" || !codeForm.MatchString(got) || (word != "" && got != word) {
					t.Errorf("%s, %s, %s: %s, want %s", e.name, kind, code, got, word)
				}
			}
		}
	}
}

func TestJobCodesHaveWords(t *testing.T) {
	t.Parallel()
	for code, want := range map[fault.Code]string{
		jobs.Unknown: "errorCode.invalidUuid", jobRunning: "errorCode.jobInProgress",
		jobForeign: "errorCode.noSufficientPrivileges", nothingToDownload: "errorCode.noLogFileFound",
	} {
		if got := files.errorCode(fault.New(fault.Conflict, code, "why")); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

// leaks are words that only the inside of the server uses.
var leaks = []string{
	"sql", ".go:", "goroutine", "panic", "select ", "insert ", "rollcall.db", "database is", "constraint",
	"job_output", "audit_", "server_keys", "study_id",
}

func checkNoLeak(t *testing.T, where, text string) {
	t.Helper()
	for _, leak := range leaks {
		if strings.Contains(strings.ToLower(text), leak) {
			t.Errorf("%s: the answer holds %q:\n%s", where, leak, text)
		}
	}
}

func TestErrorsLeakNothing(t *testing.T) {
	t.Parallel()
	cause := errors.New("sql: SELECT identifier FROM participants: constraint study_id failed at store.go:12 goroutine 7")
	for _, e := range endpoints() {
		for _, kind := range fault.Kinds() {
			for _, accept := range []string{"", "text/plain"} {
				answer := rendered(t, e, fault.Wrap(kind, cause, "sql panic in store.go:12"), accept)
				checkNoLeak(t, e.name+", "+kind.String(), answer.Body.String())
			}
		}
	}
	for _, file := range exchangeFiles(t) {
		_, sections := readExchanges(t, file)
		for _, s := range sections {
			if s.name == "response" {
				checkNoLeak(t, file, s.text)
			}
		}
	}
}

// requests has one request for each route that reaches the database.
func (w *world) requests() []*httptest.ResponseRecorder {
	w.t.Helper()
	contentType, body := form("people.csv", "ParticipantID\nP\n")
	var answers []*httptest.ResponseRecorder
	for _, r := range w.api.routes() {
		path := strings.NewReplacer("{study}", "S_JUNO(PROD)", "{site}", "S_BOSTON(PROD)", "{job}", uuid.Nil.String()).Replace(r.path)
		sent, as := `{"subjectKey":"P"}`, jsonType
		if strings.HasSuffix(path, "/bulk") {
			sent, as = body, contentType
		}
		answers = append(answers, w.send("carla", r.method, Prefixes()[0]+path, as, sent))
	}
	return answers
}

func TestFailuresOfTheDatabaseLeakNothing(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.token("carla")
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		for i, answer := range w.requests() {
			if answer.Code < 500 {
				t.Errorf("%s: %d without a database", w.api.routes()[i].path, answer.Code)
			}
			checkNoLeak(t, w.api.routes()[i].path, answer.Body.String())
		}
		if left := w.storedUploads(); len(left) > 0 {
			t.Errorf("uploads were left behind: %v", left)
		}
	})
}

func TestPanicsLeakNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := New(nil, nil, w.access)
	mux := httpx.NewMux(RenderUnknown)
	broken.Mount(mux)
	w.handler, w.api = mux, broken
	for i, answer := range w.requests() {
		if got := errorAnswer(answer); got != "500 internalError" {
			t.Errorf("%s: %s, want 500 internalError", broken.routes()[i].path, got)
		}
		checkNoLeak(t, broken.routes()[i].path, answer.Body.String())
	}
}
