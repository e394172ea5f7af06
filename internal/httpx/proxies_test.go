package httpx

import (
	"net/http"
	"strings"
	"testing"
)

func TestClientBehindProxies(t *testing.T) {
	t.Parallel()
	trusted, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, peer string
		headers    []string
		want       string
	}{
		{"no proxy", "203.0.113.9:7", nil, "203.0.113.9:7"},
		{"somebody who claims to be one", "203.0.113.9:7", []string{"198.51.100.1"}, "203.0.113.9:7"},
		{"a proxy", "10.1.2.3:7", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a proxy by its one address", "192.0.2.1:7", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a neighbour of that address", "192.0.2.2:7", []string{"198.51.100.1"}, "192.0.2.2:7"},
		{"what the client made up", "10.1.2.3:7", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.1.2.3:7", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"two headers", "10.1.2.3:7", []string{"1.1.1.1, 198.51.100.1", "10.9.9.9"}, "198.51.100.1"},
		{"nothing but proxies", "10.1.2.3:7", []string{"10.7.7.7, 10.9.9.9"}, "10.7.7.7"},
		{"no header", "10.1.2.3:7", nil, "10.1.2.3:7"},
		{"no address", "10.1.2.3:7", []string{"198.51.100.1, unknown"}, "10.1.2.3:7"},
		{"no address before one", "10.1.2.3:7", []string{"unknown, 10.9.9.9"}, "10.9.9.9"},
		{"with a port", "10.1.2.3:7", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6", "[2001:db8::1]:7", []string{"2001:db9::5"}, "2001:db9::5"},
		{"IPv6 with a port", "[2001:db8::1]:7", []string{"[2001:db9::5]:80"}, "2001:db9::5"},
		{"IPv4 in IPv6", "[::ffff:10.1.2.3]:7", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"a Unix socket", "@", []string{"198.51.100.1"}, "@"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{forwardedFor: c.headers}}
		if got := trusted.client(r); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	r := &http.Request{RemoteAddr: "10.1.2.3:7", Header: http.Header{forwardedFor: {"198.51.100.1"}}}
	if got := Proxies(nil).client(r); got != r.RemoteAddr {
		t.Errorf("without trusted proxies %q is believed", got)
	}
}

func TestParseProxiesRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "proxy.example.org", "10.0.0.0/33", "10.0.0.1:80"} {
		if _, err := ParseProxies([]string{"10.0.0.1", text}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
