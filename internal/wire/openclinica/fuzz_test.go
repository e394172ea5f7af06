package openclinica

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// checkFault holds that an error is the client's and has a word of the vendor.
func checkFault(t *testing.T, e endpoint, err error) {
	t.Helper()
	f := fault.As(err)
	if f.Kind == fault.Internal {
		t.Fatalf("internal error: %v", err)
	}
	if code := e.errorCode(f); !codeForm.MatchString(code) || code == "errorCode.internalError" {
		t.Fatalf("%v is %s", err, code)
	}
}

// FuzzBulkHeader reads whole bulk files: the header, and a change of each record.
func FuzzBulkHeader(f *testing.F) {
	for _, seed := range []string{
		"", "ParticipantID\nP\n", "\xef\xbb\xbfparticipantid ,FirstName,\tidentifier,x\r\nP,A,B,C,\r\n,,\r\n", "a,b\n",
		"ParticipantID,phoneNumber,mobileNumber\n", "\"ParticipantID\",\"a\nb\"\n\"P\n", "ParticipantID,,\nP\n", "ParticipantID\x00\n",
		"\u200bParticipantID\u200b,firstName\nP,\u200b\n", "PARTICİPANTID\n", strings.Repeat("a,", 40_000) + "ParticipantID\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		reader := bytes.NewReader(file)
		cols, at, err := readHeader(reader)
		if err != nil {
			checkFault(t, bulk, err)
			return
		}
		if cols.identifier < 0 || cols.identifier >= cols.needed || cols.needed > cols.width {
			t.Fatalf("columns do not fit together: %+v", cols)
		}
		if _, err := reader.Seek(at.Offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		for records := newRecordReader(reader, at); ; {
			rec, err := records.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rec.Blank || rec.Err != nil {
				continue
			}
			sent := cols.sent(rec.Cells)
			var change registry.Change
			if ferr := cols.change(rec.Cells, &change); ferr != nil {
				checkFault(t, bulk, ferr)
				continue
			}
			if strings.TrimSpace(change.Identifier) != sent || !utf8.ValidString(sent) {
				t.Fatalf("the log would say %q, the change %q", sent, change.Identifier)
			}
			for _, field := range registry.Fields() {
				if value, given := change.Edits.Get(field); given && strings.TrimSpace(value) == "" {
					t.Fatalf("an empty cell sets %s", field)
				}
			}
		}
	})
}

// FuzzUploadForm reads the form that carries a bulk file.
func FuzzUploadForm(f *testing.F) {
	_, whole := form("people.csv", "ParticipantID\nP\n")
	for _, seed := range []string{
		"", whole, whole[:len(whole)/2], strings.Replace(whole, "people.csv", `C:\x\..\p\x00.csv`, 1),
		strings.Replace(whole, `name="file"`, `name="other"`, 1), strings.ReplaceAll(whole, "\r\n", "\n"),
		"--" + uploadBoundary + "--\r\n", strings.Replace(whole, `filename="people.csv"`, "filename*=UTF-8''%ff.csv", 1),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		part, err := filePart(multipart.NewReader(bytes.NewReader(body), uploadBoundary))
		if err != nil {
			checkFault(t, bulk, err)
			return
		}
		name := sourceName(part.FileName())
		if !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\x00\n") && name != "/" || utf8.RuneCountInString(name) > maxSourceName {
			t.Fatalf("source name %q", name)
		}
		if _, err := io.Copy(io.Discard, &uploadReader{part: part}); err != nil {
			checkFault(t, bulk, err)
		}
	})
}

// FuzzParticipantBody reads the JSON body of an add or update.
func FuzzParticipantBody(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"subjectKey":"P-1","firstName":null,"lastName":""}`, `{"subjectKey":1}`, `{"a":{"b":[1]}}`,
		`{"identifier":"a","secondaryId":"b"}`, `{"subjectKey":"\ud800"}`, "{\"subjectKey\":\"\xff\"}", `{"subjectKey":"P"}{}`,
		` {"subjectKey" : "P" } `, `{"subjectKey":"a","subjectKey":"b"}`, `{"SUBJECTKEY":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		change := registry.Change{}
		if err := readParticipant(r, &change); err != nil {
			checkFault(t, single, err)
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil || !utf8.Valid(body) {
			t.Fatalf("a body that is no JSON object was taken: %v", err)
		}
		if key, _ := object["subjectKey"].(string); key != change.Identifier {
			t.Fatalf("identifier %q, sent %q", change.Identifier, key)
		}
		for _, w := range wireFields {
			_, given := change.Edits.Get(w.field)
			if sent := object[w.name] != nil; sent && !given {
				t.Fatalf("%s was sent and not set", w.name)
			}
		}
	})
}

// FuzzAccept reads the Accept header: plain text wins only if it is asked for.
func FuzzAccept(f *testing.F) {
	for _, seed := range []string{
		"", "text/plain", "*/*", "text/*;q=0.3, application/json;q=0.2", "text/plain;q=NaN", "text/plain;q=-1", "a/b;c=\"d,e\", text/plain",
		",,,", "text/plain;q=1e400", "TEXT/PLAIN; Q=1", "application/json;q=0, */*",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		plain := prefersPlainText([]string{accept})
		if lower := strings.ToLower(accept); plain && !strings.Contains(lower, "text/") && !strings.Contains(lower, "*/*") {
			t.Fatalf("%q is taken to prefer plain text", accept)
		}
		if !strings.Contains(accept, `"`) && prefersPlainText([]string{accept, "application/json;q=1"}) {
			t.Fatalf("%q with JSON at its best is taken to prefer plain text", accept)
		}
	})
}

var errBroken = errors.New("broken")

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errBroken }

func TestBrokenBodiesAreTheClients(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", brokenBody{})
	err := readParticipant(r, &registry.Change{})
	if fault.KindOf(err) != fault.Invalid || !errors.Is(err, errBroken) {
		t.Errorf("error %v, want fault.Invalid around the cause", err)
	}
	checkFault(t, single, err)
}
