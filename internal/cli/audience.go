package cli

import (
	"net"
	"net/url"

	"rollcall/internal/wire/mydatahelps"
)

// vendorHosts are where clients written for the original send their assertions (reference,
// MyDataHelps 1). They go on naming it as their audience when they are pointed here.
var vendorHosts = []string{"https://designer.mydatahelps.org", "https://mydatahelps.org"}

// audiences are what assertions may name as their audience, as far as it is known before the
// server listens: exactly what is given, or else the vendor's and the public address.
func (c *serveCommand) audiences() []string {
	if len(c.TokenAudience) > 0 {
		return c.TokenAudience
	}
	hosts := vendorHosts
	if c.PublicURL != "" {
		hosts = append(hosts[:len(hosts):len(hosts)], c.PublicURL)
	}
	all := make([]string, len(hosts))
	for i, host := range hosts {
		all[i] = host + mydatahelps.TokenPath
	}
	return all
}

// boundAudiences are those by which a client on this machine or its network reaches the bound
// addresses; none if the command line says which there are.
func (c *serveCommand) boundAudiences(addrs []net.Addr) []string {
	if len(c.TokenAudience) > 0 {
		return nil
	}
	var all []string
	for _, addr := range addrs {
		host, port, err := net.SplitHostPort(addr.String())
		if err != nil {
			continue
		}
		for _, name := range []string{"127.0.0.1", "localhost", host} {
			base := url.URL{Scheme: c.scheme(), Host: net.JoinHostPort(name, port), Path: mydatahelps.TokenPath}
			all = append(all, base.String())
		}
	}
	return all
}

// checkAudiences refuses what no client can name as its audience.
func (c *serveCommand) checkAudiences() error {
	for _, audience := range c.TokenAudience {
		if u, err := url.Parse(audience); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return wrong("--token-audience is not the address of a token endpoint").
				withHint("write it like https://rollcall.example.org%s", mydatahelps.TokenPath)
		}
	}
	return nil
}

func (c *serveCommand) scheme() string {
	if c.TLSCert != "" {
		return "https"
	}
	return "http"
}
