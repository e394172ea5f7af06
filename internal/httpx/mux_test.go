package httpx

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

// renderPlain is a second dialect's renderer.
func renderPlain(w http.ResponseWriter, _ *http.Request, err *fault.Error) {
	w.WriteHeader(StatusOf(err))
	_, _ = io.WriteString(w, "plain:"+string(err.Code))
}

func newTestMux() *Mux {
	says := func(s string) HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) error {
			_, err := io.WriteString(w, s+" "+r.PathValue("rest"))
			return err
		}
	}
	inner := NewMux(renderPlain)
	inner.Route("GET /pages", says("inner root"))
	inner.Route("POST /pages/{id}", says("inner"))
	outer := NewMux(RenderMessage)
	outer.Handle("/pages/", inner)
	outer.Route("GET /one", says("one"))
	outer.Route("PUT /one", says("one"))
	outer.Route("GET /static/{rest...}", says("static"))
	outer.Route("GET /exact/{$}", says("exact"))
	return outer
}

func TestMux(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, method, path, wantBody, wantRoute, wantAllow string
		wantStatus                                         int
	}{
		{name: "known", method: "GET", path: "/one", wantStatus: 200, wantBody: "one ", wantRoute: "GET /one"},
		{name: "known, untidy", method: "GET", path: "//one//", wantStatus: 200, wantBody: "one ", wantRoute: "GET /one"},
		{name: "unknown", method: "GET", path: "/two", wantStatus: 404, wantBody: `{"message":"no such address"}`, wantRoute: "unmatched"},
		{
			name: "wrong method", method: "DELETE", path: "/one", wantStatus: 405, wantAllow: "GET, HEAD, PUT", wantRoute: "unmatched",
			wantBody: `{"message":"this address does not take that method","hint":"it takes GET, HEAD, PUT"}`,
		},
		{name: "subtree", method: "GET", path: "/static/a/b", wantStatus: 200, wantBody: "static a/b", wantRoute: "GET /static/{rest...}"},
		{name: "subtree's root", method: "GET", path: "/static/", wantStatus: 200, wantBody: "static ", wantRoute: "GET /static/{rest...}"},
		{name: "subtree's root, bare", method: "GET", path: "/static", wantStatus: 200, wantBody: "static ", wantRoute: "GET /static/{rest...}"},
		{name: "exact slash", method: "GET", path: "/exact", wantStatus: 200, wantBody: "exact ", wantRoute: "GET /exact/{$}"},
		{name: "mounted", method: "POST", path: "/pages/x/", wantStatus: 200, wantBody: "inner ", wantRoute: "POST /pages/{id}"},
		{name: "mounted root", method: "GET", path: "/pages/", wantStatus: 200, wantBody: "inner root ", wantRoute: "GET /pages"},
		{name: "mounted, unknown", method: "GET", path: "/pages/x/y", wantStatus: 404, wantBody: "plain:noRoute", wantRoute: "unmatched"},
		{name: "mounted, wrong method", method: "GET", path: "/pages/x", wantStatus: 405, wantBody: "plain:methodNotAllowed", wantAllow: "POST", wantRoute: "unmatched"},
		{name: "connect", method: "CONNECT", path: "/static", wantStatus: 405, wantAllow: "GET, HEAD", wantRoute: "unmatched",
			wantBody: `{"message":"this address does not take that method","hint":"it takes GET, HEAD"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			r := httptest.NewRequest("GET", "/", nil)
			r.Method, r.URL = tc.method, requestTo(t, tc.path).URL
			rec, panicked := h.do(newTestMux(), r)
			if panicked != nil {
				t.Fatal(panicked)
			}
			got := []any{rec.Code, rec.Body.String(), rec.Header().Get("Allow"), h.record(t)["route"]}
			want := []any{tc.wantStatus, tc.wantBody, tc.wantAllow, tc.wantRoute}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("status, body, allow, route (-want +got):\n%s", diff)
			}
		})
	}
}
