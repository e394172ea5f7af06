package mydatahelps

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
// the wire, except that these headers are for the test: "As: NAME" signs a service account or
// a user in, "Limit: yes" records the budget's headers, "Pad-To: N" adds spaces to the body,
// "Sign: ACCOUNT" adds a fresh assertion to a form. "{juno}" and "{ceres}" are projects' GUIDs,
// "{id NAME}" is the id of the participant of Juno with that identifier. In responses what
// differs from run to run is masked; the clock moves a second with each request.
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

// TestExchanges plays every recorded exchange against the real handlers on each engine, which
// have to answer the same, and holds each answer to the API description too. The responses are
// written anew with the answers of the first engine.
func TestExchanges(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "exchanges", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded exchanges: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			comment, want := parseExchanges(string(text))
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
	w := newWorldOn(t, engine, func(c *Config) { c.RateLimit = 100 })
	spec := loadSpec(t)
	var got []section
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
			r, body, headers := w.request(s.text)
			answer := w.answer(r)
			spec.check(t, r, body, answer)
			got = append(got, s, section{"response", recordResponse(answer, headers)})
		}
	}
	return got
}

var idPlaceholder = regexp.MustCompile(`\{id ([^}]+)\}`)

// request makes the request that a section writes down. It answers the body once more and
// which headers of the answer are recorded.
func (w *world) request(text string) (r *http.Request, body []byte, headers []string) {
	w.t.Helper()
	text = idPlaceholder.ReplaceAllStringFunc(text, func(match string) string {
		p, err := w.registry.Find(w.t.Context(), w.study("S_JUNO").ID, idPlaceholder.FindStringSubmatch(match)[1])
		if err != nil {
			w.t.Fatalf("%s: %v", match, err)
		}
		return p.ID.String()
	})
	text = strings.NewReplacer("{juno}", junoGUID, "{ceres}", ceresGUID, "{locked}", lockedGUID, "{foreign}", foreignGUID).Replace(text)
	head, content, _ := strings.Cut(text, "\n\n")
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
	content = w.testHeaders(header, strings.TrimSuffix(content, "\n"))
	headers = recordedHeaders
	if header.Get("Limit") != "" {
		headers = append(slices.Clone(headers), "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
		header.Del("Limit")
	}
	r = httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(content))
	r.Header = header
	return r, []byte(content), headers
}

// testHeaders takes the headers that are for the test out and does what they say.
func (w *world) testHeaders(header http.Header, body string) string {
	w.t.Helper()
	if name := header.Get("As"); name != "" {
		header.Set("Authorization", "Bearer "+w.token(name))
	}
	if name := header.Get("Sign"); name != "" {
		body += "&client_assertion=" + w.assertion(name, nil)
	}
	if pad := header.Get("Pad-To"); pad != "" {
		n, err := strconv.Atoi(pad)
		if err != nil {
			w.t.Fatal(err)
		}
		body += strings.Repeat(" ", n-len(body))
	}
	for _, name := range []string{"As", "Sign", "Pad-To"} {
		header.Del(name)
	}
	return body
}

// recordedHeaders are the headers of a response that are always written down.
var recordedHeaders = []string{"Allow", "Content-Type", "Retry-After", "Www-Authenticate"}

func recordResponse(answer *httptest.ResponseRecorder, headers []string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %s\n", answer.Code, http.StatusText(answer.Code))
	for _, name := range headers {
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

// masks replace what differs from run to run: internal ids, which are of version 7, link
// identifiers, tokens and generated identifiers.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "<id>"},
	{regexp.MustCompile(`"linkIdentifier":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"`), `"linkIdentifier":"<link>"`},
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "<token>"},
	{regexp.MustCompile(`(JUNO|CERES)-\d{4}-\d{4}`), "$1-<generated>"},
}

func mask(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.with)
	}
	return text
}

func TestExchangeFilesReadAsWritten(t *testing.T) {
	t.Parallel()
	const text = "A comment.\n-- act --\nadvance 1h\n-- request --\nGET /x\n\n-- response --\n200 OK\n"
	comment, sections := parseExchanges(text)
	want := []section{{"act", "advance 1h\n"}, {"request", "GET /x\n\n"}, {"response", "200 OK\n"}}
	if diff := cmp.Diff(want, sections, cmp.AllowUnexported(section{})); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	if got := formatExchanges(comment, sections); got != text {
		t.Errorf("written again: %q, want %q", got, text)
	}
}
