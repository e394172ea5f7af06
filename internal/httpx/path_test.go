package httpx

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// requestTo is a request as net/http's server makes it from a request line.
func requestTo(t *testing.T, target string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatalf("request target %q: %v", target, err)
	}
	return &http.Request{Method: "GET", URL: u, Host: "example.org", Header: http.Header{}, Body: http.NoBody}
}

func TestNormalisePath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, wantEscaped, wantPath string }{
		{"plain", "/api/v1/x", "/api/v1/x", "/api/v1/x"},
		{"root", "/", "/", "/"},
		{"only slashes", "///", "/", "/"},
		{"doubled at the start", "//api/v1/x", "/api/v1/x", "/api/v1/x"},
		{"doubled inside", "/api//v1///x", "/api/v1/x", "/api/v1/x"},
		{"trailing", "/api/v1/", "/api/v1", "/api/v1"},
		{"doubled and trailing", "/api/v1//", "/api/v1", "/api/v1"},
		{"escaped brackets", "/studies/S_JUNO%28TEST%29/sites", "/studies/S_JUNO%28TEST%29/sites", "/studies/S_JUNO(TEST)/sites"},
		{"doubled before an escape", "/studies//%28a%29//b", "/studies/%28a%29/b", "/studies/(a)/b"},
		{"escaped slash", "/a/b%2Fc/d", "/a/b%2Fc/d", "/a/b/c/d"},
		{"escaped slash beside a doubled one", "//a/b%2F/c/", "/a/b%2F/c", "/a/b//c"},
		{"escaped percent", "//a/%2528", "/a/%2528", "/a/%28"},
		{"lower-case escape", "//a%2fb", "/a%2fb", "/a/b"},
		{"escaped slash beside a raw byte", "//a%2Fé", "/a%2F%C3%A9", "/a/é"},
		{"dot segments", "/a/./b/../c", "/a/c", "/a/c"},
		{"escaped dots stay", "//a/%2e%2e/c", "/a/%2e%2e/c", "/a/../c"},
		{"space", "//a/b%20c", "/a/b%20c", "/a/b c"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in := requestTo(t, tc.in+"?q=//x/")
			before := *in.URL
			var got *url.URL
			NormalisePath(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL })).ServeHTTP(nil, in)
			want := []string{tc.wantEscaped, tc.wantPath, "q=//x/"}
			if diff := cmp.Diff(want, []string{got.EscapedPath(), got.Path, got.RawQuery}); diff != "" {
				t.Errorf("escaped, path, query (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, *in.URL); diff != "" {
				t.Errorf("the incoming request was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestNormalisePathLeavesWhatIsNoPath(t *testing.T) {
	t.Parallel()
	for _, u := range []*url.URL{{Path: "*"}, {Path: ""}, {Host: "example.org:443"}} {
		r := &http.Request{URL: u}
		if got := normalise(r); got != r {
			t.Errorf("%q became %q", u, got.URL)
		}
	}
}

// What a wildcard captures has been decoded exactly once, and the mux never redirects.
func TestWildcardsAreDecodedOnce(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"//studies/S_JUNO%28TEST%29//jobs/": "S_JUNO(TEST)",
		"/studies/S_JUNO(TEST)/jobs":        "S_JUNO(TEST)",
		"/studies/a%2Fb/jobs":               "a/b",
		"/studies//a%2F%2Fb/jobs":           "a//b",
		"/studies/%2528/jobs":               "%28",
		"/studies/%2528//jobs":              "%28",
		"/studies/%E4%B8%AD//jobs":          "中",
		"/studies/a+b/jobs":                 "a+b",
	} {
		mux := NewMux(RenderMessage)
		var got string
		mux.Route("GET /studies/{study}/jobs", func(_ http.ResponseWriter, r *http.Request) error {
			got = r.PathValue("study")
			return nil
		})
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, requestTo(t, in))
		if rec.Code != 200 || got != want {
			t.Errorf("%s: %d, study %q, want 200, %q", in, rec.Code, got, want)
		}
	}
}

func FuzzNormalisePath(f *testing.F) {
	for _, seed := range []string{
		"//api/v1/x", "/S_JUNO%28TEST%29/", "/a%2Fb//c", "/%2528", "/a/../..//b", "/%2e%2e//", "/é%2F", "/\"%2f<", "/a%00b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		r := &http.Request{Method: "GET", URL: u, Host: "example.org", Header: http.Header{}, Body: http.NoBody}
		got := normalise(r)
		escaped := got.URL.EscapedPath()
		if escaped != path.Clean(escaped) || strings.Contains(escaped, "//") {
			t.Errorf("%q became %q, which is not plain", target, escaped)
		}
		if decoded, err := url.PathUnescape(escaped); err != nil || decoded != got.URL.Path {
			t.Errorf("%q: escaped %q and path %q differ (%v)", target, escaped, got.URL.Path, err)
		}
		if again := normalise(got); again != got {
			t.Errorf("%q: once %q, twice %q", target, escaped, again.URL.EscapedPath())
		}
		raw, _, _ := strings.Cut(target, "?")
		if want := segments(t, path.Clean(raw)); !cmp.Equal(want, segments(t, escaped)) {
			t.Errorf("%q: segments %q, want %q", target, segments(t, escaped), want)
		}
		mux := NewMux(RenderMessage)
		mux.Handle("/{rest...}", http.NotFoundHandler())
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, r)
		if rec.Code != http.StatusNotFound {
			t.Errorf("%q: status %d, want the handler's 404", target, rec.Code)
		}
	})
}

func segments(t *testing.T, escaped string) []string {
	t.Helper()
	parts := strings.Split(escaped, "/")
	for i, part := range parts {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			t.Fatalf("segment %q: %v", part, err)
		}
		parts[i] = decoded
	}
	return parts
}

// What is plain at a glance is plain when looked at.
func TestPlainAtAGlance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(/|//|\.|[a~_-]|%2F|[a-c]{3}| |é){0,8}`).Draw(t, "path")
		if !isPlain(text) {
			return
		}
		if u := (&url.URL{Path: text}); u.EscapedPath() != text || path.Clean(text) != text {
			t.Errorf("%q is %q when escaped, %q when cleaned", text, u.EscapedPath(), path.Clean(text))
		}
	})
	for text, want := range map[string]bool{"/api/v1/x-1_Y.z": true, "/": false, "": false, "/a/": false, "/a/../b": false, "/a/.b": false, "a": false} {
		if got := isPlain(text); got != want {
			t.Errorf("isPlain(%q) = %t", text, got)
		}
	}
}
