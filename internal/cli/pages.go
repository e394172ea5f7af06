package cli

import (
	"net/url"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/web"
	"rollcall/internal/wire/mydatahelps"
	"rollcall/internal/wire/openclinica"
)

// pagesFlags say how the browser interface behaves.
type pagesFlags struct {
	SessionIdle     time.Duration `default:"30m" help:"After how long without a request a browser is signed out."`
	SessionLifetime time.Duration `default:"12h" help:"How long a browser stays signed in at most."`
	Language        string        `default:"en" placeholder:"LANGUAGE" help:"The language of pages for readers whose browser asks for none that there is: en or de."`
}

// Where programs get the descriptions of the APIs.
const (
	openClinicaFile = "/openapi/openclinica.yaml"
	myDataHelpsFile = "/openapi/mydatahelps.yaml"
)

// newPages makes the browser interface of a server.
func newPages(s *server) (*web.Pages, error) {
	c := s.command
	sessions, err := access.NewSessions(access.SessionConfig{
		Access: s.access, Store: s.store, Now: s.con.now, Idle: c.SessionIdle, Lifetime: c.SessionLifetime,
	})
	if err != nil {
		return nil, err
	}
	conf := web.Config{
		Registry: s.registry, Jobs: s.jobs, Files: openclinica.Files{}, Sessions: sessions, Overview: s.store, People: s.access, Now: s.con.now,
		Secure: c.scheme() == "https", Language: c.Language, Demo: c.Demo,
		APIs: []web.APIFile{{Address: openClinicaFile, Text: openclinica.OpenAPI()}, {Address: myDataHelpsFile, Text: mydatahelps.OpenAPI()}},
	}
	if public, err := url.Parse(c.PublicURL); err == nil && public.Host != "" {
		conf.Secure = public.Scheme == "https"
		conf.Origins = []string{public.Scheme + "://" + public.Host}
	}
	return web.New(conf)
}
