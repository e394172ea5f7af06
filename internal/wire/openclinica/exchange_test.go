package openclinica

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/store/enginetest"
)

var update = flag.Bool("update", false, "write the responses of the recorded exchanges anew")

// A recorded exchange is a file of sections, "-- act --", "-- request --" and "-- response --",
// each up to the next, after a comment. Each file is played on a world of its own.
//
// An act has one line for each thing that is done, see world.act. A request is written as on
// the wire, except that these headers are for the test: "As: USER" signs in, "Upload: NAME"
// makes the body a file of that name in a multipart form, "Pad-To: N" adds spaces to the body.
// "{job}" is the uuid of the last job, "{job 1}" that of the first; "{token USER}" is a token.
// In responses what differs from run to run is masked; the clock moves a second with each
// request.
type section struct{ name, text string }

var sectionLine = regexp.MustCompile(`(?m)^-- (act|request|response) --\n`)

// parseExchanges takes a file apart into its comment and its sections.
func parseExchanges(text string) (comment string, sections []section) {
	marks := sectionLine.FindAllStringSubmatchIndex(text, -1)
	if len(marks) == 0 {
		return text, nil
	}
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		sections = append(sections, section{text[m[2]:m[3]], text[m[1]:end]})
	}
	return text[:marks[0][0]], sections
}

func formatExchanges(comment string, sections []section) string {
	var b strings.Builder
	b.WriteString(comment)
	for _, s := range sections {
		fmt.Fprintf(&b, "-- %s --\n%s", s.name, s.text)
	}
	return b.String()
}

func exchangeFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "exchanges", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded exchanges: %v", err)
	}
	return files
}

func readExchanges(t *testing.T, file string) (comment string, sections []section) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parseExchanges(string(text))
}

// TestExchanges plays every recorded exchange against the real handlers on each engine, which
// have to answer the same, and holds each answer to the API description too. The responses are
// written anew with the answers of the first engine.
func TestExchanges(t *testing.T) {
	t.Parallel()
	for _, file := range exchangeFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			comment, want := readExchanges(t, file)
			if *update {
				want = play(t, engines.SQLite(), want)
				if err := os.WriteFile(file, []byte(formatExchanges(comment, want)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
				got := play(t, engine, want)
				if diff := cmp.Diff(formatExchanges("", want), formatExchanges("", got)); diff != "" {
					t.Errorf("%s (-recorded +answered):\n%s", file, diff)
				}
			})
		})
	}
}

// play plays the acts and requests, and answers the sections with the responses as they are.
func play(t *testing.T, engine enginetest.Engine, sections []section) []section {
	t.Helper()
	w := newWorldOn(t, engine)
	spec := loadSpec(t)
	var got []section
	var issued []string // uuids of the jobs so far
	for _, s := range sections {
		switch s.name {
		case "act":
			for line := range strings.Lines(s.text) {
				if line = strings.TrimSpace(line); line != "" {
					w.act(line)
				}
			}
			got = append(got, s)
		case "request":
			w.advance(time.Second)
			r, body := w.request(s.text, issued)
			answer := w.answer(r)
			if job, ok := strings.CutPrefix(answer.Body.String(), "job uuid: "); ok {
				issued = append(issued, job)
			}
			spec.check(t, r, body, answer)
			got = append(got, s, section{"response", recordResponse(answer)})
		}
	}
	return got
}

var placeholder = regexp.MustCompile(`\{(job|token)(?: (\w+))?\}`)

// request makes the request that a section writes down, and its body once more.
func (w *world) request(text string, issued []string) (*http.Request, []byte) {
	w.t.Helper()
	text = placeholder.ReplaceAllStringFunc(text, func(match string) string {
		m := placeholder.FindStringSubmatch(match)
		if m[1] == "token" {
			return w.token(m[2])
		}
		if n, err := strconv.Atoi(m[2]); err == nil {
			return issued[n-1]
		}
		return issued[len(issued)-1]
	})
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, path, found := strings.Cut(lines[0], " ")
	if !found {
		w.t.Fatalf("not a request line: %q", lines[0])
	}
	header := http.Header{}
	for _, line := range lines[1:] {
		name, value, found := strings.Cut(line, ": ")
		if !found {
			w.t.Fatalf("not a header: %q", line)
		}
		header.Add(name, value)
	}
	body = w.testHeaders(header, body)
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header = header
	return r, []byte(body)
}

// testHeaders takes the headers that are for the test out and does what they say.
func (w *world) testHeaders(header http.Header, body string) string {
	w.t.Helper()
	if name := header.Get("Upload"); name != "" {
		var contentType string
		contentType, body = form(name, body)
		header.Set("Content-Type", contentType)
	} else {
		body = strings.TrimSuffix(body, "\n")
	}
	if user := header.Get("As"); user != "" {
		header.Set("Authorization", "Bearer "+w.token(user))
	}
	if pad := header.Get("Pad-To"); pad != "" {
		n, err := strconv.Atoi(pad)
		if err != nil {
			w.t.Fatal(err)
		}
		body += strings.Repeat(" ", n-len(body))
	}
	for _, name := range []string{"As", "Upload", "Pad-To"} {
		header.Del(name)
	}
	return body
}

// recordedHeaders are the headers of a response that are written down.
var recordedHeaders = []string{"Allow", "Content-Disposition", "Content-Type", "Retry-After", "Www-Authenticate"}

func recordResponse(answer *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %s\n", answer.Code, http.StatusText(answer.Code))
	for _, name := range recordedHeaders {
		for _, value := range answer.Header().Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	if body := mask(answer.Body.String()); body != "" {
		b.WriteString("\n" + body)
		if !strings.HasSuffix(body, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// masks replace what differs from run to run.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "<token>"},
	{regexp.MustCompile(`"accessCode":"[2-9A-Za-z]{9}"`), `"accessCode":"<access code>"`},
	{regexp.MustCompile(`,[2-9A-Za-z]{9},(Created|Inactive)\n`), ",<access code>,$1\n"},
}

func mask(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.with)
	}
	return text
}

// documentedCodes are the codes of the vendor's pages and of the decisions, by endpoint. Every
// one of them has a recorded exchange, or a recorded log line for those of records.
var documentedCodes = map[string][]string{
	"participants": {
		"studyNotExist", "studyNotAvailable", "siteNotExist", "siteNotAvailable", "noRoleSetUp", "noSufficientPrivileges",
		"participateNotEnabled", "missingParticipantIdData", "participantIDContainsUnsupportedHTMLCharacter",
		"participantIDLongerThan30Characters", "participantsEnrollmentCapReached", "invalidPhoneNumber",
		"invalidEmailAddress", "emailAddressTooLong", "firstNameTooLong", "lastNameTooLong", "middleNameTooLong",
		"streetAddress1TooLong", "streetAddress2TooLong", "cityTooLong", "stateTooLong", "countryTooLong",
		"postalCodeTooLong", "secondaryIdTooLong", "hospitalNumberTooLong", "phoneNumberTooLong", "invalidFullDob",
		"participantIDAlreadyExists", "participantIDNotAvailable", "participantNotFound", "participantIDGenerationFailed",
		"studyLevelParticipantNotAllowed", "malformedRequest", "emailAddressNotUnique", "phoneNumberNotUnique",
		"unauthorized", "requestTooLarge",
	},
	"participants/bulk": {
		"studyNotExist", "studyNotAvailable", "invalidSiteIdentifier", "siteNotAvailable", "noRoleSetUp",
		"noSufficientPrivileges", "participateInactive", "participateInActive", "notSupportedFileFormat",
		"bulkUploadNotSupportSystemGeneratedSetting", "missingParticipantID", "multipleParticipantIdHeaders",
		"multipleFirstNameHeaders", "multipleLastNameHeaders", "multipleMiddleNameHeaders",
		"multipleEmailAddressHeaders", "multipleMobilePhoneHeaders", "multipleIdentifierHeaders", "unauthorized",
	},
	"bulk log": {
		"missingParticipantIdData", "participantIDContainsUnsupportedHTMLCharacter", "participantIDLongerThan30Characters",
		"participantsEnrollmentCapReached", "firstNameTooLong", "lastNameTooLong", "middleNameTooLong",
		"secondaryIdTooLong", "emailAddressTooLong", "invalidEmailAddress", "mobileNumberTooLong", "invalidMobileNumber",
		"participantIDAlreadyExists", "participantIDNotAvailable", "participantNotFound", "participantIDGenerationFailed",
		"malformedRecord", "emailAddressNotUnique", "mobileNumberNotUnique",
	},
	"extract": {
		"studyNotExist", "siteNotExist", "noRoleSetUp", "noSufficientPrivileges", "participateInActive",
		"invalidPageNumberParameter", "invalidPageSizeParameter", "unauthorized",
	},
	"list": {"studyNotExist", "invalidSiteIdentifier", "noRoleSetUp", "noSufficientPrivileges", "unauthorized"},
	"participant": {
		"studyNotExist", "siteNotExist", "noRoleSetUp", "noSufficientPrivileges", "participateInActive",
		"missingParticipantIdData", "participantNotFound", "participantIDNotAvailable", "unauthorized",
	},
	"jobs":         {"studyNotExist", "siteNotExist", "noRoleSetUp", "unauthorized"},
	"job":          {"invalidUuid", "noSufficientPrivileges", "unauthorized"},
	"downloadFile": {"invalidUuid", "noSufficientPrivileges", "jobInProgress", "noLogFileFound", "unauthorized"},
	"token":        {"unauthorized", "tooManyRequests", "malformedRequest"},
}

// endpointOf names the endpoint of a request line as documentedCodes does.
func endpointOf(requestLine string) string {
	method, path, _ := strings.Cut(requestLine, " ")
	path, _, _ = strings.Cut(path, "?")
	for _, known := range []struct{ method, suffix, name string }{
		{"POST", "/participants", "participants"}, {"POST", "/participants/bulk", "participants/bulk"},
		{"POST", "/extractParticipantsInfo", "extract"}, {"POST", "/extractPartcipantsInfo", "extract"},
		{"GET", "/participants", "list"}, {"GET", "/participant", "participant"}, {"GET", "/jobs", "jobs"},
		{"GET", "/downloadFile", "downloadFile"}, {"POST", "/oauth/token", "token"},
	} {
		if method == known.method && strings.HasSuffix(path, known.suffix) {
			return known.name
		}
	}
	if strings.Contains(path, "/jobs/") {
		return "job"
	}
	return path
}

var recordedCode = regexp.MustCompile(`errorCode\.(\w+)`)

func TestEveryDocumentedCodeIsRecorded(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, file := range exchangeFiles(t) {
		endpoint := ""
		_, sections := readExchanges(t, file)
		for _, s := range sections {
			if s.name == "request" {
				line, _, _ := strings.Cut(s.text, "\n")
				endpoint = endpointOf(line)
				continue
			}
			for _, m := range recordedCode.FindAllStringSubmatch(s.text, -1) {
				if s.name == "response" && strings.Contains(s.text, bulkLogHeader) {
					seen["bulk log "+m[1]] = true
				} else {
					seen[endpoint+" "+m[1]] = true
				}
			}
		}
	}
	var missing []string
	for endpoint, codes := range documentedCodes {
		for _, code := range codes {
			if !seen[endpoint+" "+code] {
				missing = append(missing, endpoint+" "+code)
			}
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("%d documented codes have no recorded exchange:\n%s", len(missing), strings.Join(missing, "\n"))
	}
}

func TestExchangeFilesReadAsWritten(t *testing.T) {
	t.Parallel()
	const text = "A comment.\n-- act --\nrun jobs\n-- request --\nGET /x\n\n-- response --\n200 OK\n"
	comment, sections := parseExchanges(text)
	want := []section{{"act", "run jobs\n"}, {"request", "GET /x\n\n"}, {"response", "200 OK\n"}}
	if diff := cmp.Diff(want, sections, cmp.AllowUnexported(section{})); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	if got := formatExchanges(comment, sections); got != text {
		t.Errorf("written again: %q, want %q", got, text)
	}
}
