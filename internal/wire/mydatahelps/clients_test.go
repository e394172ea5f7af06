package mydatahelps

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// client does over a real connection what the clients of the reference do. It follows no
// redirect of a POST, sends the headers that the script sends, and no more.
type client struct {
	t      *testing.T
	base   string
	header http.Header
}

func newClient(t *testing.T) (*world, *client) {
	t.Helper()
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	c := &client{t: t, base: server.URL, header: http.Header{}}
	response := c.do(http.MethodPost, TokenPath, tokenForm(w.assertion(myapp, nil)).Encode(),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	var in struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"` // java maps an int
	}
	c.decode(response, &in)
	if response.status != http.StatusOK || in.AccessToken == "" || in.ExpiresIn < 3600 {
		t.Fatalf("sign in: %d %s", response.status, response.body)
	}
	c.header.Set("Authorization", "Bearer "+in.AccessToken)
	c.header.Set("Accept", "application/json")
	c.header.Set("Content-Type", "application/json; charset=utf-8") // on GET too
	return w, c
}

type response struct {
	status int
	header http.Header
	body   []byte
}

func (c *client) do(method, path, body string, header http.Header) response {
	c.t.Helper()
	ctx, stop := context.WithTimeout(c.t.Context(), time.Minute)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = header
	noRedirect := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := noRedirect.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response{answer.StatusCode, answer.Header, text}
}

func (c *client) decode(r response, out any) {
	c.t.Helper()
	if err := json.Unmarshal(r.body, out); err != nil {
		c.t.Fatalf("%d: %v in %q", r.status, err, r.body)
	}
}

func (c *client) page(query url.Values) page {
	c.t.Helper()
	r := c.do(http.MethodGet, "//api/v1/administration/projects/"+junoGUID+"/participants?"+query.Encode(), "", c.header)
	var p page
	c.decode(r, &p)
	if r.status != http.StatusOK {
		c.t.Fatalf("list: %d %s", r.status, r.body)
	}
	return p
}

// TestClientsReadEverybody pages as the two known ways of paging do.
func TestClientsReadEverybody(t *testing.T) {
	t.Parallel()
	w, c := newClient(t)
	const people = 437
	items := make([]string, people)
	for i := range items {
		items[i] = fmt.Sprintf(`{"participantIdentifier":"P-%d","customFields":{"Note":%d}}`, i, i%2)
	}
	w.ask(http.StatusOK, "POST", juno, `{"participants":[`+strings.Join(items, ",")+`]}`, nil)

	// sensorfabric: until as many as totalParticipants have come, or a page is empty.
	seen := map[string]bool{}
	for number := 0; ; number++ {
		p := c.page(url.Values{"pageNumber": {fmt.Sprint(number)}, "pageSize": {"100"}, "query": {""}})
		if p.PageNumber != number {
			t.Errorf("page %d says it is %d", number, p.PageNumber)
		}
		for _, one := range p.Participants {
			seen[one.ParticipantIdentifier] = true
		}
		if len(p.Participants) == 0 || len(seen) >= p.TotalParticipants {
			break
		}
	}
	if len(seen) != people {
		t.Errorf("sensorfabric sees %d, want %d", len(seen), people)
	}

	// ETH: a page shorter than asked for is the last; no Accept.
	c.header.Del("Accept")
	read := 0
	for number := 0; ; number++ {
		p := c.page(url.Values{"pageNumber": {fmt.Sprint(number)}, "pageSize": {"200"}})
		read += len(p.Participants)
		if len(p.Participants) < 200 {
			break
		}
	}
	if read != people {
		t.Errorf("ETH sees %d, want %d", read, people)
	}

	// mdh-ema-generic: one page of 200, with a filter; custom fields are indexed blindly.
	p := c.page(url.Values{"customField.Note": {"1"}, "pageSize": {"200"}})
	if len(p.Participants) != 200 || p.TotalParticipants != people/2 {
		t.Errorf("%d of %d with a filter", len(p.Participants), p.TotalParticipants)
	}
	for _, one := range p.Participants {
		if smoker, ok := one.CustomFields["Smoker"]; !ok || smoker != "" {
			t.Fatalf("customFields of %s: %v; unset ones are empty texts", one.ParticipantIdentifier, one.CustomFields)
		}
	}
}

// TestNodeReadsTheBodyBeforeTheStatus has every kind of failure parse as JSON, and its budget's
// headers as integers, as the iOS SDK needs them.
func TestNodeReadsTheBodyBeforeTheStatus(t *testing.T) {
	t.Parallel()
	_, c := newClient(t)
	for _, path := range []string{
		juno + "/nobody", juno + "/nobody/segments", Prefix + "/projects/x/participants", Prefix + "/projects/" + foreignGUID + "/participants",
		juno + "?pageSize=0", Prefix + "/nowhere", juno + "/a/b/c", juno,
	} {
		r := c.do(http.MethodGet, path, "", c.header)
		var body map[string]any
		c.decode(r, &body)
		if r.status != http.StatusOK && body["message"] == "" {
			t.Errorf("%s: %s has no message", path, r.body)
		}
		for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} {
			var n int
			if _, err := fmt.Sscan(r.header.Get(name), &n); err != nil {
				t.Errorf("%s: %s is %q", path, name, r.header.Get(name))
			}
		}
	}
	r := c.do(http.MethodGet, juno, "", http.Header{"Authorization": {"Bearer x"}})
	var body map[string]any
	c.decode(r, &body)
	if r.status != http.StatusUnauthorized || r.header.Get("RateLimit-Limit") == "" {
		t.Errorf("bad token: %d %v", r.status, r.header)
	}
}

// TestTokensAreReused has a token work for 55 minutes, as sensorfabric keeps it, and be refused
// when its hour is over.
func TestTokensAreReused(t *testing.T) {
	t.Parallel()
	w, c := newClient(t)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 200}, {55 * time.Minute, 200}, {4*time.Minute + 59*time.Second, 200}, {2 * time.Second, 401}} {
		w.advance(step.after)
		if r := c.do(http.MethodGet, juno, "", c.header); r.status != step.want {
			t.Errorf("after %s more: %d, want %d", step.after, r.status, step.want)
		}
	}
}

// TestAssertionsOfRealClients has every known form of assertion taken, and each only once.
func TestAssertionsOfRealClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	exp := func(ahead time.Duration) func(map[string]any) {
		return func(claims map[string]any) { claims["exp"] = w.clock().Add(ahead).Unix() }
	}
	tests := []struct {
		name   string
		change func(map[string]any)
		want   int
	}{
		{"python: a fraction", nil, 200},
		{"java: 5 s", exp(5 * time.Second), 200},
		{"node: 200 s and iat", func(claims map[string]any) {
			claims["exp"], claims["iat"] = w.clock().Unix()+200, w.clock().Unix()
		}, 200},
		{"sensorfabric: 1 h", exp(time.Hour), 200},
		{"over", exp(-time.Minute), 400},
		{"more than a day ahead", exp(25 * time.Hour), 400},
		{"milliseconds, as the vendor's page says", func(claims map[string]any) { claims["exp"] = w.clock().Add(time.Minute).UnixMilli() }, 400},
		{"another audience", func(claims map[string]any) { claims["aud"] = "https://example.org/token" }, 400},
		{"no jti", func(claims map[string]any) { delete(claims, "jti") }, 400},
		{"iss is not sub", func(claims map[string]any) { claims["iss"] = other }, 400},
	}
	for _, test := range tests {
		form := tokenForm(w.assertion(myapp, test.change)).Encode()
		answer := w.send("", "POST", TokenPath, "application/x-www-form-urlencoded", form)
		if answer.Code != test.want {
			t.Errorf("%s: %s, want %d", test.name, statusAndBody(answer), test.want)
		}
		if test.want != http.StatusOK && !strings.Contains(answer.Body.String(), `"error":"invalid_client"`) {
			t.Errorf("%s: %s, want invalid_client", test.name, answer.Body)
		}
		if answer.Code != http.StatusOK {
			continue
		}
		if again := w.send("", "POST", TokenPath, "application/x-www-form-urlencoded", form); again.Code != http.StatusBadRequest {
			t.Errorf("%s, once more: %s, want 400", test.name, statusAndBody(again))
		}
		if h := answer.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
			t.Errorf("%s: the answer may be cached: %v", test.name, h)
		}
	}
}
