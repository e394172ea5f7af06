package httpx

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"rollcall/internal/fault"
)

// forwardedFor is the header in which proxies tell, in order, on whose behalf they ask.
const forwardedFor = "X-Forwarded-For"

// Proxies are the addresses whose word about their clients is believed.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks, such as 10.0.0.7 and 10.0.0.0/8.
func ParseProxies(texts []string) (Proxies, error) {
	var all Proxies
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); single == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "", "%q is neither an address nor a network", text).
				WithHint("write it like 10.0.0.7 or 10.0.0.0/8")
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

func (p Proxies) trust(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(known netip.Prefix) bool { return known.Contains(addr) })
}

// client is the address of the client behind the trusted proxies that the request came through:
// the last one they name that is no trusted proxy itself. What stands before it could be made
// up. Not through a trusted proxy, it is the peer's.
func (p Proxies) client(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if len(p) == 0 || err != nil || !p.trust(peer.Addr()) {
		return r.RemoteAddr
	}
	named := strings.Split(strings.Join(r.Header.Values(forwardedFor), ","), ",")
	client := r.RemoteAddr
	for _, text := range slices.Backward(named) {
		text = strings.TrimSpace(text)
		addr, err := netip.ParseAddr(text)
		if withPort, portErr := netip.ParseAddrPort(text); portErr == nil {
			addr, err = withPort.Addr(), nil
		}
		if err != nil {
			return client // not an address: believe no further
		}
		client = addr.Unmap().String()
		if !p.trust(addr) {
			return client
		}
	}
	return client
}
