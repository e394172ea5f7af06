package cli

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAudiences(t *testing.T) {
	t.Parallel()
	const token = "/identityserver/connect/token"
	vendor := []string{"https://designer.mydatahelps.org" + token, "https://mydatahelps.org" + token}
	here := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	tests := []struct {
		name    string
		command serveCommand
		bound   []net.Addr
		want    []string
	}{
		{"plain", serveCommand{}, []net.Addr{here}, append(vendor[:2:2],
			"http://127.0.0.1:8080"+token, "http://localhost:8080"+token, "http://127.0.0.1:8080"+token)},
		{"public address and TLS", serveCommand{PublicURL: "https://rollcall.example.org/r", TLSCert: "c", TLSKey: "k"},
			[]net.Addr{&net.TCPAddr{IP: net.IPv6loopback, Port: 8443}}, append(vendor[:2:2],
				"https://rollcall.example.org/r"+token,
				"https://127.0.0.1:8443"+token, "https://localhost:8443"+token, "https://[::1]:8443"+token)},
		{"given", serveCommand{TokenAudience: []string{"https://a.example.org/t", "https://b.example.org/t"}, PublicURL: "https://c.example.org"},
			[]net.Addr{here}, []string{"https://a.example.org/t", "https://b.example.org/t"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := append(test.command.audiences(), test.command.boundAudiences(test.bound)...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("audiences (-want +got):\n%s", diff)
			}
		})
	}
}
