package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"rollcall/internal/config"
)

func (w *world) request(method, path string) *http.Request {
	return httptest.NewRequestWithContext(w.Context(), method, path, http.NoBody)
}

// TestSignInAndOut: a session begins with a new token in a cookie that scripts cannot read, and is
// over for good when it is ended.
func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		answer := w.send("", "POST", "/sign-in", formOf("username", " DANA ", "password", config.DemoPassword, "back", peoplePath+"?q=x"))
		if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != peoplePath+"?q=x" {
			t.Fatalf("%d to %s", answer.Code, answer.Header().Get("Location"))
		}
		cookie := answer.Result().Cookies()[0]
		if cookie.Name != sessionCookie || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.MaxAge != 0 || cookie.Secure {
			t.Errorf("cookie %+v", cookie)
		}
		with := func(method, path string) *httptest.ResponseRecorder {
			r := w.request(method, path)
			r.AddCookie(cookie)
			r.Header.Set("Accept", "text/html")
			return w.answer(r)
		}
		if answer := with("GET", "/studies"); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "dana") {
			t.Fatalf("signed in: %d", answer.Code)
		}
		w.advance(29 * time.Minute)
		if answer := with("GET", "/studies"); answer.Code != http.StatusOK {
			t.Errorf("after a pause: %d", answer.Code)
		}
		if answer := with("POST", "/sign-out"); answer.Code != http.StatusSeeOther || answer.Result().Cookies()[0].MaxAge >= 0 {
			t.Errorf("signed out: %d", answer.Code)
		}
		if answer := with("GET", "/studies"); answer.Code != http.StatusSeeOther {
			t.Errorf("after signing out: %d", answer.Code)
		}
	})
}

// TestSignInFails: nobody learns whether the user or the password is wrong, and too many attempts
// are told to wait.
func TestSignInFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var pages []string
	for _, user := range []string{"dana", "nobody"} {
		answer := w.send("", "POST", "/sign-in", formOf("username", user, "password", "wrong"))
		if answer.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", user, answer.Code)
		}
		pages = append(pages, strings.ReplaceAll(answer.Body.String(), `value="`+user+`"`, ""))
	}
	if pages[0] != pages[1] || !strings.Contains(pages[0], "The user name or the password is wrong.") {
		t.Errorf("a known and an unknown user differ:\n%s\n%s", pages[0], pages[1])
	}
	answer := w.send("", "POST", "/sign-in", formOf("username", "dana", "password", config.DemoPassword))
	if answer.Code != http.StatusTooManyRequests || !strings.Contains(answer.Body.String(), "Try again in 60 seconds") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// TestBackIsHere: signing in leads nowhere but to this server.
func TestBackIsHere(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/studies?x=1": "/studies?x=1", "": "/", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "/a\r\nSet-Cookie: x": "/", "studies": "/", "/\t/evil": "/",
	} {
		if got := localPath(path, "/"); got != want {
			t.Errorf("%q leads to %q", path, got)
		}
	}
}

// TestForeignWrites: a write from another server's page is refused, whoever's browser it is.
func TestForeignWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Origins = []string{"https://rollcall.example.org"} })
	p := w.seed(person{identifier: "B-1", site: "BOSTON"})[0]
	for _, test := range []struct {
		name, site, origin string
		want               int
	}{
		{"another site's page", "cross-site", "", http.StatusForbidden},
		{"a sister host's page", "same-site", "", http.StatusForbidden},
		{"an old browser's, from elsewhere", "", "https://evil.example", http.StatusForbidden},
		{"our own", "same-origin", "", http.StatusSeeOther},
		{"our own, in an old browser", "", "http://example.com", http.StatusSeeOther},
		{"our own, through a proxy with another name", "cross-site", "https://rollcall.example.org", http.StatusSeeOther},
		{"a program's", "", "", http.StatusSeeOther},
	} {
		r := w.request("POST", w.pathOf(p)+"/remove")
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: w.session("dana")})
		r.Header.Set("Accept", "text/html")
		if test.site != "" {
			r.Header.Set("Sec-Fetch-Site", test.site)
		}
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		if answer := w.answer(r); answer.Code != test.want {
			t.Errorf("%s: %d, want %d", test.name, answer.Code, test.want)
		}
		if removed := w.find("B-1").Status == "removed"; removed != (test.want == http.StatusSeeOther) {
			t.Errorf("%s: removed is %v", test.name, removed)
		}
		w.post("dana", w.pathOf(p)+"/restore")
	}
}

// inlined is what the content policy forbids to stand within a page.
var inlined = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(>|[^>]*[^>]>[^<])|javascript:|hx-on|hx-vals=.js`)

// TestHeaders: every answer carries the policies, and no page holds what they forbid.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := w.town()
	for _, path := range []string{"/sign-in", "/studies", junoPath, peoplePath, w.pathOf(people[0]), w.pathOf(people[0]) + "/edit", peoplePath + "/new", w.pathOf(people[0]) + "/delete", "/nowhere/at/all"} {
		answer := w.send("dana", "GET", path, nil)
		h := answer.Header()
		if path != "/nowhere/at/all" && (!strings.Contains(h.Get("Content-Security-Policy"), "script-src 'self'") || strings.Contains(h.Get("Content-Security-Policy"), "unsafe")) {
			t.Errorf("%s: policy %q", path, h.Get("Content-Security-Policy"))
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", path, h)
		}
		if found := inlined.FindString(answer.Body.String()); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
	}
}

// TestSecureCookies: over TLS, cookies never travel without.
func TestSecureCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Secure = true })
	answer := w.send("", "POST", "/sign-in", formOf("username", "dana", "password", config.DemoPassword))
	if c := answer.Result().Cookies()[0]; !c.Secure || c.Name != secureSessionCookie {
		t.Errorf("%+v", c)
	}
	answer = w.send("", "POST", "/preferences", formOf("theme", "dark", "language", "de", "back", "//evil.example"))
	for _, c := range answer.Result().Cookies() {
		if !c.Secure || !c.HttpOnly {
			t.Errorf("%+v", c)
		}
	}
	if len(answer.Result().Cookies()) != 2 || answer.Header().Get("Location") != "/" {
		t.Errorf("%v to %s", answer.Result().Cookies(), answer.Header().Get("Location"))
	}
}

// TestStaticFiles: browsers keep a file for good under the address that pages give, and ask again
// under any other.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address, err := w.pages.static.address("rollcall.css")
	w.must(err)
	for path, want := range map[string]string{address: "public, max-age=31536000, immutable", "/static/rollcall.css": "no-cache", "/static/rollcall.css?v=old": "no-cache"} {
		answer := w.send("", "GET", path, nil)
		if answer.Code != http.StatusOK || answer.Header().Get("Cache-Control") != want || answer.Header().Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("%s: %d %v", path, answer.Code, answer.Header())
		}
	}
	r := w.request("GET", "/static/rollcall.css")
	r.Header.Set("If-None-Match", `"`+w.pages.static.version["rollcall.css"]+`"`)
	if answer := w.answer(r); answer.Code != http.StatusNotModified {
		t.Errorf("known already: %d", answer.Code)
	}
	for _, path := range []string{"/static/nothing.css", "/static/..%2Fpages.go", "/static/"} {
		if answer := w.send("", "GET", path, nil); answer.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}
