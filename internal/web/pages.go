package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// dialect is what audit events say that a change came through.
const dialect = "web"

// Overview is what pages need of a storage engine beside the services.
type Overview interface {
	// ParticipantEvents reads the events about one participant, newest first, up to limit from
	// before a number on; 0 begins with the newest.
	ParticipantEvents(ctx context.Context, study registry.StudyID, id registry.ID, before int64, limit int) ([]audit.Event, error)

	// RecentEvents reads up to limit of the last events of a study, newest first; with sites
	// those about participants who are at one of them now.
	RecentEvents(ctx context.Context, study registry.StudyID, sites []registry.SiteID, limit int) ([]audit.Event, error)

	// SearchEvents reads the events of a study that a search asks for, newest first.
	SearchEvents(ctx context.Context, study registry.StudyID, s audit.Search) ([]audit.Event, error)

	// CheckNumbering looks at the numbers of all events of a study.
	CheckNumbering(ctx context.Context, study registry.StudyID) (audit.Numbering, error)

	// TallyVersion reads what the Version of a tally would be now. It is cheap.
	TallyVersion(ctx context.Context, study registry.StudyID) (int64, error)

	// Tally counts a study's participants. It looks at all of them.
	Tally(ctx context.Context, study registry.StudyID) (*registry.Tally, error)
}

// Sessions keep browsers signed in; [access.Sessions] are.
type Sessions interface {
	Begin(ctx context.Context, username, password, remoteAddr string) (token string, err error)
	Holder(ctx context.Context, token string) (*access.Principal, error)
	End(ctx context.Context, token string) error
}

// JobFiles knows the bulk files and extracts that the interface's jobs work with: those of the
// OpenClinica dialect, see openclinica.Files.
type JobFiles interface {
	CheckBulk(file io.Reader, study *registry.Study, register bool) (ignored []string, err error)
	BulkJob(study *registry.Study, register, preview bool, ignored []string, source string) (kind string, params []byte, err error)
	ExtractJob(register bool) (kind string, params []byte, err error)
	Describe(study *registry.Study, job *jobs.Job) (jobs.Description, bool)
	Records(file io.ReadSeeker, each func(row int, cells []string) bool) (header, names []string, err error)
}

// Config is what [New] needs.
type Config struct {
	Registry *registry.Service
	Jobs     *jobs.Service
	Files    JobFiles
	Sessions Sessions
	Overview Overview
	People   People
	Now      func() time.Time

	Secure   bool     // browsers reach this server over TLS alone: cookies say so
	Origins  []string // under which browsers reach it where a proxy tells another host, such as https://rollcall.example.org
	Language string   // of readers whose browser asks for none that there is; "": English
	APIs     []APIFile
	Demo     bool // the sign-in page tells how to sign in to the demo
}

// Pages serves the browser interface.
type Pages struct {
	Config
	templates *templates
	static    *staticFiles
	origins   *http.CrossOriginProtection
	tallies   *tallyBook
	apis      []apiDoc
}

// New makes the pages: it reads the texts and templates that the program carries.
func New(c Config) (*Pages, error) {
	if c.Registry == nil || c.Jobs == nil || c.Files == nil || c.People == nil || c.Sessions == nil || c.Overview == nil || c.Now == nil {
		return nil, errors.New("web: the services, the overview and the clock are required")
	}
	texts, err := readCatalogue()
	if err != nil {
		return nil, err
	}
	if c.Language == "" {
		c.Language = English
	}
	if !texts.has(c.Language) {
		return nil, fault.New(fault.Invalid, "", "there are no texts in the language %q", c.Language).
			WithHint("languages: %s", texts.list())
	}
	static, err := readStatic()
	if err != nil {
		return nil, err
	}
	p := &Pages{Config: c, static: static, origins: http.NewCrossOriginProtection(), tallies: newTallyBook(c.Overview)}
	if p.templates, err = parseTemplates(texts, static); err != nil {
		return nil, err
	}
	for _, file := range c.APIs {
		doc, err := readAPI(file)
		if err != nil {
			return nil, err
		}
		p.apis = append(p.apis, doc)
	}
	for _, origin := range c.Origins {
		if err := p.origins.AddTrustedOrigin(origin); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "%q is not an origin", origin)
		}
	}
	return p, nil
}

// route is one of the interface's addresses. Op is what somebody has to be allowed at some place
// of the study to be let in; "" for the addresses outside of a study.
type route struct {
	pattern string
	op      access.Operation
	handle  func(v *visit, w http.ResponseWriter) error
	streams bool // the handler reads the request's body itself
}

// routes lists the addresses for which somebody has to be signed in. What a handler does at one
// place of the study, or to one participant, it asks about itself.
func (p *Pages) routes() []route {
	const (
		study       = "/studies/{study}"
		people      = study + "/participants"
		participant = people + "/{participant}"
		job         = study + "/jobs/{job}"
	)
	return []route{
		{"GET /{$}", "", p.start, false},
		{"GET /studies", "", p.listStudies, false},
		{"GET /api-docs", "", p.showAPIs, false},
		{"GET " + study, access.BrowseParticipants, p.home, false},
		{"GET " + study + "/numbers", access.BrowseParticipants, p.homeNumbers, false},
		{"GET " + people, access.BrowseParticipants, p.listParticipants, false},
		{"GET " + study + "/participants.csv", access.BrowseParticipants, p.downloadParticipants, false},
		{"GET " + people + "/new", access.WriteParticipants, p.newParticipant, false},
		{"POST " + people, access.WriteParticipants, p.addParticipant, false},
		{"POST " + people + "/selected", access.WriteParticipants, p.actOnSelected, false},
		{"GET " + participant, access.BrowseParticipants, p.showParticipant, false},
		{"GET " + participant + "/timeline", access.BrowseParticipants, p.moreTimeline, false},
		{"GET " + participant + "/edit", access.ReadContacts, p.editParticipant, false},
		{"POST " + participant + "/edit", access.ReadContacts, p.saveParticipant, false},
		{"POST " + participant + "/access-code", access.ReadAccessCodes, p.showAccessCode, false},
		{"GET " + participant + "/{act}", access.BrowseParticipants, p.askAct, false},
		{"POST " + participant + "/{act}", access.BrowseParticipants, p.doAct, false},
		{"GET " + study + "/upload", access.WriteParticipants, p.showUpload, false},
		{"POST " + study + "/upload", access.WriteParticipants, p.upload, true},
		{"GET " + study + "/extract", access.Extract, p.showExtract, false},
		{"POST " + study + "/extract", access.Extract, p.extract, false},
		{"GET " + study + "/jobs", access.ReadJobs, p.listJobs, false},
		{"GET " + job, access.ReadJobs, p.showJob, false},
		{"GET " + job + "/file.csv", access.ReadJobs, p.downloadJob, false},
		{"GET " + job + "/failed.csv", access.ReadContacts, p.downloadFailed, false},
		{"POST " + job + "/run", access.WriteParticipants, p.runJob, false},
		{"POST " + job + "/delete", access.ReadJobs, p.deleteJob, false},
		{"GET " + study + "/audit", access.ReadAudit, p.showAudit, false},
		{"GET " + study + "/settings", access.BrowseParticipants, p.showSettings, false},
	}
}

// Mount adds the interface's routes to a mux of its own, whose renderer is [Pages.RenderFault].
func (p *Pages) Mount(mux *httpx.Mux) {
	open := func(pattern string, h httpx.HandlerFunc) { mux.Route(pattern, p.guarded(h)) }
	open("GET /sign-in", p.showSignIn)
	open("POST /sign-in", p.signIn)
	open("POST /sign-out", p.signOut)
	open("POST /preferences", p.prefer)
	open("GET /static/{file}", p.serveStatic)
	for _, r := range p.routes() {
		open(r.pattern, func(w http.ResponseWriter, req *http.Request) error {
			v, err := p.visit(req, &r)
			if err != nil {
				return err
			}
			return r.handle(v, w)
		})
	}
}

// Addresses are the patterns under which a server hands requests to the interface's mux.
func Addresses() []string {
	return []string{"/{$}", "/sign-in", "/sign-out", "/preferences", "/api-docs", "/static/", "/studies/"}
}

// guarded gives every answer its security headers, and refuses writes that come from pages of
// other servers.
func (p *Pages) guarded(h httpx.HandlerFunc) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		setSecurityHeaders(w.Header())
		if err := p.origins.Check(r); err != nil {
			refused := fault.Wrap(fault.Forbidden, err, "the request came from a page of another server")
			refused.Code = foreignOrigin
			return refused
		}
		return h(w, r)
	}
}
