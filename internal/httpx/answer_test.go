package httpx

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

func TestStatusIsTotal(t *testing.T) {
	t.Parallel()
	want := map[fault.Kind]int{
		fault.Invalid: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404,
		fault.Conflict: 409, fault.TooLarge: 413, fault.TooMany: 429, fault.Internal: 500,
		fault.Unavailable: 503, fault.StorageFull: 507,
	}
	for _, kind := range fault.Kinds() {
		if want[kind] == 0 {
			t.Errorf("kind %q has no status in this test: decide one", kind)
		}
		if got := Status(kind); got != want[kind] {
			t.Errorf("Status(%q) = %d, want %d", kind, got, want[kind])
		}
	}
	if got := Status(fault.Kind(250)); got != 500 {
		t.Errorf("status of an unknown kind = %d, want 500", got)
	}
}

func TestStatusOfKnowsHTTPsOwnFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  *fault.Error
		want int
	}{
		{"wrong method", fault.New(fault.Invalid, CodeMethodNotAllowed, "x"), 405},
		{"stalled body", fault.New(fault.Invalid, CodeBodyStalled, "x"), 408},
		{"broken body", fault.New(fault.Invalid, CodeBodyBroken, "x"), 400},
		{"body too large", fault.New(fault.TooLarge, CodeBodyTooLarge, "x"), 413},
	} {
		if got := StatusOf(tc.err); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	if err := WriteJSON(rec, http.StatusCreated, map[string]string{"a": "<b>&é"}); err != nil {
		t.Fatal(err)
	}
	if rec.Code != 201 {
		t.Errorf("status = %d, want 201", rec.Code)
	}
	if diff := cmp.Diff(`{"a":"<b>&é"}`, rec.Body.String()); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	want := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Content-Length": {"14"}}
	if diff := cmp.Diff(want, rec.Header()); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func TestWriteJSONOfWhatCannotBeEncodedWritesNothing(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	if err := WriteJSON(rec, 200, make(chan int)); err == nil {
		t.Error("no error")
	}
	if len(rec.Header()) != 0 || rec.Body.Len() != 0 {
		t.Errorf("wrote %v %q", rec.Header(), rec.Body)
	}
}
