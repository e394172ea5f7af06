package httpx

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body, want string
		max, declared    int64
		tooLarge         bool
	}{
		{name: "empty", body: "", max: 5, want: ""},
		{name: "below", body: "1234", max: 5, want: "1234"},
		{name: "exactly", body: "12345", max: 5, want: "12345"},
		{name: "one more", body: "123456", max: 5, want: "12345", tooLarge: true},
		{name: "much more", body: strings.Repeat("x", 100000), max: 5, want: "xxxxx", tooLarge: true},
		{name: "nothing allowed", body: "1", max: 0, want: "", tooLarge: true},
		{name: "nothing allowed, nothing sent", body: "", max: 0, want: ""},
		{name: "declared too large", body: "123456", declared: 6, max: 5, want: "", tooLarge: true},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "with its end": iotest.DataErrReader,
		} {
			t.Run(tc.name+", "+how, func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequest("POST", "/", io.NopCloser(wrap(strings.NewReader(tc.body))))
				r.ContentLength = -1
				if tc.declared > 0 {
					r.ContentLength = tc.declared
				}
				body := Body(r, tc.max)
				got, err := io.ReadAll(body)
				if diff := cmp.Diff(tc.want, string(got)); diff != "" {
					t.Errorf("body (-want +got):\n%s", diff)
				}
				if !tc.tooLarge {
					if err != nil {
						t.Errorf("error: %v", err)
					}
					return
				}
				if err == nil || fault.KindOf(err) != fault.TooLarge || !fault.HasCode(err, CodeBodyTooLarge) {
					t.Fatalf("error = %v, want %s", err, CodeBodyTooLarge)
				}
				if _, again := body.Read(make([]byte, 1)); !errors.Is(again, err) {
					t.Errorf("read again: %v, want the same error", again)
				}
			})
		}
	}
}

func TestBodyOfARequestWithoutOne(t *testing.T) {
	t.Parallel()
	body := Body(&http.Request{}, 1)
	if got, err := io.ReadAll(body); len(got) != 0 || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := body.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// A front must serve what knows no deadlines, such as a recorder, and turn what a body's
// reader says into the client's faults.
func TestBodyBehindAFront(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		err      error
		want     int
		wantCode fault.Code
	}{
		{"whole", io.EOF, 200, ""},
		{"ended early", io.ErrUnexpectedEOF, 400, CodeBodyBroken},
		{"bad framing", errors.New("invalid byte in chunk length"), 400, CodeBodyBroken},
		{"stalled", os.ErrDeadlineExceeded, 408, CodeBodyStalled},
		{"closed by ourselves", http.ErrBodyReadAfterClose, 500, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			sent := io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(tc.err))
			rec, _ := h.do(Adapt(RenderMessage)(func(_ http.ResponseWriter, r *http.Request) error {
				got, err := io.ReadAll(Body(r, 100))
				if string(got) != "abc" {
					t.Errorf("read %q, want abc", got)
				}
				if _, again := r.Body.Read(make([]byte, 1)); err != nil && !errors.Is(again, err) {
					t.Errorf("read again: %v, want the same error", again)
				}
				return err
			}), httptest.NewRequest("POST", "/", sent))
			if rec.Code != tc.want {
				t.Errorf("status = %d, want %d", rec.Code, tc.want)
			}
			if got, _ := h.record(t)["code"].(string); got != string(tc.wantCode) {
				t.Errorf("code = %q, want %q", got, tc.wantCode)
			}
		})
	}
}

// deadlineLog is a writer that remembers which deadlines it was given.
type deadlineLog struct {
	*httptest.ResponseRecorder
	calls []string
}

func (d *deadlineLog) SetReadDeadline(at time.Time) error  { return d.note("read", at) }
func (d *deadlineLog) SetWriteDeadline(at time.Time) error { return d.note("write", at) }

func (d *deadlineLog) note(what string, at time.Time) error {
	if at.IsZero() {
		d.calls = append(d.calls, what+" none")
	} else {
		d.calls = append(d.calls, what+" "+at.Format("04:05"))
	}
	return nil
}

// Each read and each piece written has a deadline of its own, 30 s from then by default, and
// none is left between them.
func TestDeadlinesRoll(t *testing.T) {
	t.Parallel()
	h := newHarness()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h.front.Now = func() time.Time { return now }
	w := &deadlineLog{ResponseRecorder: httptest.NewRecorder()}
	h.front.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := make([]byte, 3)
		for range 2 { // "abc", then the end
			_, _ = r.Body.Read(p)
			now = now.Add(5 * time.Second)
		}
		_, _ = w.Write(make([]byte, writePiece+1))
		now = now.Add(5 * time.Second)
	})).ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("abc")))
	want := []string{
		"read 00:30", "read none", "read 00:35", "read none",
		"write 00:40", "write none", "write 00:40", "write none", "write 00:45",
	}
	if diff := cmp.Diff(want, w.calls); diff != "" {
		t.Errorf("deadlines (-want +got):\n%s", diff)
	}
}

// While a body is left unread, net/http waits for it before it answers: that wait has a
// deadline too, except after a stall, whose deadline stays passed.
func TestDeadlinesOfAnUnreadBody(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		body io.Reader
		read bool
		want []string
	}{
		{"unread", strings.NewReader("abc"), false, []string{"read 00:30", "write 01:00", "read none", "write none", "read 00:30", "write 01:00"}},
		{"stalled", iotest.ErrReader(os.ErrDeadlineExceeded), true, []string{"read 00:30", "write 00:30", "write none", "write 00:30"}},
		{"none", http.NoBody, true, []string{"write 00:30", "write none", "write 00:30"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			h.front.Now = func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
			w := &deadlineLog{ResponseRecorder: httptest.NewRecorder()}
			h.front.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tc.read {
					_, _ = r.Body.Read(make([]byte, 3))
				}
				_, _ = w.Write([]byte("x"))
			})).ServeHTTP(w, httptest.NewRequest("POST", "/", tc.body))
			if diff := cmp.Diff(tc.want, w.calls); diff != "" {
				t.Errorf("deadlines (-want +got):\n%s", diff)
			}
		})
	}
}
