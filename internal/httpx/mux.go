package httpx

import (
	"net/http"
	"strings"

	"rollcall/internal/fault"
)

// Mux is an http.ServeMux whose unknown addresses and wrong methods are answered by the
// edge's own renderer, which names its routes to the access record, and which never redirects:
// a client of a third party's API does not follow a POST around. Patterns are http.ServeMux's;
// a pattern of a subtree ("/web/") takes "/web" as well.
//
// A Mux may be mounted in another; the innermost one answers for what it does not know.
type Mux struct {
	routes *http.ServeMux
	adapt  func(HandlerFunc) http.Handler
}

// NewMux makes a Mux that renders errors with render.
func NewMux(render Renderer) *Mux {
	return &Mux{routes: http.NewServeMux(), adapt: Adapt(render)}
}

// Handle adds a route. It panics on a pattern that is wrong or clashes, as http.ServeMux does.
func (m *Mux) Handle(pattern string, h http.Handler) { m.routes.Handle(pattern, entry{h}) }

// Route adds a route to a function that returns errors.
func (m *Mux) Route(pattern string, h HandlerFunc) { m.Handle(pattern, m.adapt(h)) }

// ServeHTTP finds the route under the request's plain path; see [NormalisePath].
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = normalise(r)
	try := passage{to: w}
	if m.routes.ServeHTTP(&try, r); try.through {
		return // asking for the route first would match every request twice
	}
	h, pattern := m.routes.Handler(r)
	if escaped := r.URL.EscapedPath(); wantsSlash(pattern, escaped) {
		r = withPath(r, escaped+"/")
		h, pattern = m.routes.Handler(r)
	}
	if ex := exchangeIn(r.Context()); ex != nil {
		ex.route = pattern
	}
	if pattern == "" {
		m.unmatched(h).ServeHTTP(w, r)
		return
	}
	m.routes.ServeHTTP(&passage{to: w}, r)
}

// passage goes through http.ServeMux in the place of the answer: a route that matches takes the
// answer from it, and what http.ServeMux answers by itself goes nowhere.
type passage struct {
	dryRun
	to      http.ResponseWriter
	through bool // a route has matched
}

// entry is a route's handler.
type entry struct{ http.Handler }

// ServeHTTP names the route and hands the answer on.
func (e entry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := w.(*passage)
	if !ok { // asked for by a Mux of somebody else
		e.Handler.ServeHTTP(w, r)
		return
	}
	p.through = true
	if ex := exchangeIn(r.Context()); ex != nil {
		ex.route = r.Pattern
	}
	e.Handler.ServeHTTP(p.to, r)
}

// wantsSlash reports whether http.ServeMux found the pattern only by adding a slash to the
// path, which it would answer by a redirect: the pattern then has a segment more.
func wantsSlash(pattern, escaped string) bool {
	return strings.Count(pattern, "/") > strings.Count(escaped, "/")
}

// unmatched answers what no route matches. Refusal is http.ServeMux's plain text answer; a dry
// run of it tells a wrong method from an unknown address.
func (m *Mux) unmatched(refusal http.Handler) http.Handler {
	return m.adapt(func(w http.ResponseWriter, r *http.Request) error {
		var dry dryRun
		refusal.ServeHTTP(&dry, r)
		if dry.status != http.StatusMethodNotAllowed {
			return fault.New(fault.NotFound, CodeNoRoute, "no such address")
		}
		allow := dry.Header().Get("Allow")
		w.Header().Set("Allow", allow)
		return fault.New(fault.Invalid, CodeMethodNotAllowed, "this address does not take that method").
			WithHint("it takes %s", allow)
	})
}

// dryRun keeps an answer's status and header and drops its body.
type dryRun struct {
	header http.Header
	status int
}

// Header is made when it is asked for: mostly it is not.
func (d *dryRun) Header() http.Header {
	if d.header == nil {
		d.header = http.Header{}
	}
	return d.header
}

func (d *dryRun) WriteHeader(status int)      { d.status = status }
func (d *dryRun) Write(p []byte) (int, error) { return len(p), nil }
