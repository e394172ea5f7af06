package httpx

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// NormalisePath gives next the request under its plain path: doubled slashes are one, dot
// segments are resolved, a trailing slash is gone. Escapes stay as they are, so that %2F stays
// inside its segment and what a route's wildcard captures has been decoded exactly once.
func NormalisePath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, normalise(r))
	})
}

// normalise returns r itself if its path is plain already. It works on the escaped path, as
// http.ServeMux does: collapsing the decoded one would merge "a%2F/b" into other segments.
func normalise(r *http.Request) *http.Request {
	if r.URL.RawPath == "" && isPlain(r.URL.Path) {
		return r
	}
	escaped := escapedPath(r.URL)
	if !strings.HasPrefix(escaped, "/") {
		return r // "OPTIONS *", CONNECT: no path to speak of
	}
	plain := path.Clean(escaped)
	if plain == escaped && r.URL.EscapedPath() == plain {
		return r
	}
	return withPath(r, plain)
}

// isPlain tells of most paths, at a glance, that they need no escapes, no cleaning and no decoding.
func isPlain(path string) bool {
	if len(path) < 2 || path[0] != '/' {
		return false
	}
	before := byte(0)
	for i := range len(path) {
		c := path[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '/', c == '.':
			if before == '/' {
				return false // doubled, or a dot segment perhaps
			}
		default:
			return false
		}
		before = c
	}
	return before != '/'
}

// withPath returns a copy of r with another escaped path; r itself if that does not decode.
func withPath(r *http.Request, escaped string) *http.Request {
	decoded, err := url.PathUnescape(escaped)
	if err != nil {
		return r // net/http has refused such a request line; only a hand-made URL comes here
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.URL = new(url.URL)
	*r2.URL = *r.URL
	r2.URL.Path, r2.URL.RawPath = decoded, ""
	if r2.URL.EscapedPath() != escaped {
		r2.URL.RawPath = escaped
	}
	return r2
}

// escapedPath is u.EscapedPath, but true to what was sent: that method forgets all escapes of
// a path that also holds a byte which should have been one ("%2Fé" becomes "/%C3%A9").
func escapedPath(u *url.URL) string {
	if u.RawPath == "" {
		return u.EscapedPath()
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(u.RawPath) {
		if c := u.RawPath[i]; plainInPath(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// plainInPath reports whether net/url takes c as it is in a raw path.
func plainInPath(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-_.~!$&'()*+,;=:@[]/%", c) >= 0
}
