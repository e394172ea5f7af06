package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/wire/openclinica"
)

// answers is a server that gives one answer after the other, the last one again and again.
func answers(t *testing.T, handlers ...http.HandlerFunc) *client {
	t.Helper()
	next := make(chan http.HandlerFunc, len(handlers))
	for _, h := range handlers[:len(handlers)-1] {
		next <- h
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case h := <-next:
			h(w, r)
		default:
			handlers[len(handlers)-1](w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return &client{base: srv.URL, http: srv.Client(), token: "old", user: "dana", password: "correct-horse"}
}

func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	const done = `{"status":"COMPLETED","rows":3,"failed":1,"progress":1}`
	finished := remoteJob{Status: "COMPLETED", Rows: 3, Failed: 1, Progress: 1}
	for _, test := range []struct {
		name    string
		answers []http.HandlerFunc
		want    remoteJob
		failure string
	}{
		{
			name:    "until it has ended",
			answers: []http.HandlerFunc{says(200, `{"status":"IN_PROGRESS","rows":1}`), says(200, done)},
			want:    finished,
		},
		{
			name:    "while the server is away",
			answers: []http.HandlerFunc{says(503, `{"message":"x"}`), says(429, ""), says(200, done)},
			want:    finished,
		},
		{
			name:    "with a token that has expired",
			answers: []http.HandlerFunc{says(401, `{"message":"errorCode.unauthorized"}`), says(200, "new"), says(200, done)},
			want:    finished,
		},
		{
			name:    "not when the job is gone",
			answers: []http.HandlerFunc{says(404, `{"message":"errorCode.invalidUuid"}`)},
			failure: "errorCode.invalidUuid",
		},
		{
			name:    "not when the password no longer holds",
			answers: []http.HandlerFunc{says(401, ""), says(401, "")},
			failure: "does not take the user name or the password",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := answers(t, test.answers...).follow(t.Context(), "5f0c", func(remoteJob) {})
			if test.failure != "" {
				if err == nil || !strings.Contains(err.Error(), test.failure) {
					t.Fatalf("error %v, want %q", err, test.failure)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A download that is cut leaves no half a file, and not a passing one either.
func TestDownloadIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	c := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
	})
	dir := t.TempDir()
	path := filepath.Join(dir, "people.log.csv")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.download(t.Context(), "5f0c", path); err == nil {
		t.Fatal("a cut download is no error")
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "before" {
		t.Errorf("the file holds %q, %v; want what it held before", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestRequestsCarryTheToken(t *testing.T) {
	t.Parallel()
	var path, authorization string
	c := answers(t, func(_ http.ResponseWriter, r *http.Request) {
		path, authorization = r.URL.EscapedPath(), r.Header.Get("Authorization")
	})
	if _, err := c.call(t.Context(), http.MethodGet, sitePath("S_JUNO(TEST)", "a/b c"), nil, nil); err != nil {
		t.Fatal(err)
	}
	want := openclinica.Prefixes()[0] + "/clinicaldata/studies/S_JUNO%28TEST%29/sites/a%2Fb%20c/participants"
	if diff := cmp.Diff(want, path); diff != "" {
		t.Error(diff)
	}
	if authorization != "Bearer old" {
		t.Errorf("Authorization: %q", authorization)
	}
}

func TestProgressSpeaksNowAndThen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := newProgress(&console{Stdio: Stdio{Err: &out}, now: func() time.Time { return now }})
	for range 25 {
		now = now.Add(time.Second)
		p.show("sending", float64(now.Unix())/25, ", so far")
	}
	p.end()
	if diff := cmp.Diff("sending  40 %, so far\nsending  80 %, so far\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestProgressBar(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{w: &out, now: func() time.Time { return now }, bar: true}
	p.show("sending", 0.5, "")
	p.show("sending", 2, "") // never past the end
	p.end()
	want := "\r\x1b[Ksending   [###############...............]  50 %" +
		"\r\x1b[Ksending   [##############################] 100 %" + "\r\x1b[K"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  error
		code int
		want string
	}{
		{"a file", wrong("x.yaml: bad").withHint("look"), exitWrong, "rollcall: x.yaml: bad\nhint: look\n"},
		{"work", failed("no"), exitFailed, "rollcall: no\n"},
		{"a failure within", errors.Join(errors.New("a"), failed("b")), exitFailed, "rollcall: b\n"},
		{"interrupted", context.Canceled, exitFailed, "rollcall: interrupted\n"},
		{"unforeseen", errors.New("oops"), exitFailed, "rollcall: oops\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			con := &console{Stdio: Stdio{Err: &out}}
			if code := con.fail(test.err); code != test.code {
				t.Errorf("code %d, want %d", code, test.code)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A server that refuses before it reads is heard, however large the file.
func TestRefusalOfALargeFileIsHeard(t *testing.T) {
	t.Parallel()
	c := answers(t, says(400, `{"message":"errorCode.studyNotExist"}`))
	c.http.Transport.(*http.Transport).ExpectContinueTimeout = dialTimeout
	const size = 64 << 20
	file := io.LimitReader(zeros{}, size)
	bar := newProgress(&console{Stdio: Stdio{Err: io.Discard}, now: time.Now})
	_, err := (&importCommand{File: "people.csv"}).upload(t.Context(), c, file, size, bar)
	f := (*failure)(nil)
	if !errors.As(err, &f) || !strings.Contains(f.what, "errorCode.studyNotExist") || f.hint == "" {
		t.Errorf("upload: %v, want the server's refusal with a hint", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
