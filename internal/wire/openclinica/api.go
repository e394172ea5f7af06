package openclinica

import (
	"context"
	"net/http"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// dialect is this dialect's name in audit events and jobs.
const dialect = "openclinica"

// The kinds of jobs that this dialect offers, by the names that the original's job lists show.
const (
	BulkAddKind = "BULK_ADD_PARTICIPANTS"
	ExtractKind = "ACCESS_CODE"
)

// Authenticator tells who calls.
type Authenticator interface {
	// Authenticate answers whose bearer token this is; fault Unauthenticated if nobody's.
	Authenticate(ctx context.Context, bearer string) (*access.Principal, error)

	// SignIn answers a bearer token for a user name and password. It answers fault
	// Unauthenticated if they are wrong and TooMany while the address is throttled.
	SignIn(ctx context.Context, username, password, remoteAddr string) (token string, err error)
}

// API serves the dialect.
type API struct {
	registry *registry.Service
	jobs     *jobs.Service
	auth     Authenticator
}

// New makes the dialect's API.
func New(reg *registry.Service, js *jobs.Service, auth Authenticator) *API {
	return &API{registry: reg, jobs: js, auth: auth}
}

// Prefixes are the paths under which the original is reached, depending on how its server is
// set up.
func Prefixes() []string { return []string{"/pages/auth/api", "/OpenClinica/pages/auth/api"} }

// TokenPath is where a user name and password are exchanged for a token.
const TokenPath = "/user-service/api/oauth/token"

// route is one of the dialect's addresses, below each of [Prefixes].
type route struct {
	method, path string
	page         endpoint
	handle       httpx.HandlerFunc
}

func (a *API) routes() []route {
	const (
		study = "/clinicaldata/studies/{study}"
		site  = study + "/sites/{site}"
	)
	return []route{
		{"POST", study + "/participants", single, a.postParticipant},
		{"POST", site + "/participants", single, a.postParticipant},
		{"POST", site + "/participants/bulk", bulk, a.postBulk},
		{"POST", site + "/participants/extractParticipantsInfo", extract, a.postExtract},
		{"POST", site + "/participants/extractPartcipantsInfo", extract, a.postExtract}, // sic: spec 16.5, sample
		{"GET", study + "/participants", listing, a.listParticipants},
		{"GET", site + "/participants", listing, a.listParticipants},
		{"GET", site + "/participant", extract, a.getParticipant},
		{"GET", "/studies/{study}/jobs", extract, a.listJobs},
		{"GET", "/studies/{study}/sites/{site}/jobs", extract, a.listJobs},
		{"GET", "/jobs/{job}", files, a.getJob},
		{"DELETE", "/jobs/{job}", files, a.deleteJob},
		{"GET", "/jobs/{job}/downloadFile", files, a.downloadFile},
	}
}

// Mount adds the dialect's routes to the mux.
func (a *API) Mount(mux *httpx.Mux) {
	for _, r := range a.routes() {
		for _, prefix := range Prefixes() {
			mux.Handle(r.method+" "+prefix+r.path, httpx.Adapt(r.page.render)(r.handle))
		}
	}
	mux.Handle("POST "+TokenPath, httpx.Adapt(files.render)(a.postToken))
}

// RenderUnknown answers a request for which the dialect has no route, or no such method.
func RenderUnknown(w http.ResponseWriter, r *http.Request, err *fault.Error) { files.render(w, r, err) }

// visit is a request that may do what it asks: who calls, under which role, and where.
type visit struct {
	caller *access.Principal
	role   access.Role
	study  *registry.Study
	site   *registry.Site // nil at study level
}

// siteID is the place of the visit.
func (v *visit) siteID() registry.SiteID {
	if v.site == nil {
		return registry.StudyLevel
	}
	return v.site.ID
}

// origin is the visit as audit events remember it.
func (v *visit) origin(r *http.Request) audit.Origin {
	return audit.Origin{
		Actor: v.caller.Name, Role: string(v.role), Dialect: dialect,
		RequestID: httpx.RequestID(r.Context()),
	}
}

// caller tells who calls, by the bearer token.
func (a *API) caller(ctx context.Context, r *http.Request) (*access.Principal, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, fault.New(fault.Unauthenticated, "", "a bearer token is needed")
	}
	caller, err := a.auth.Authenticate(ctx, strings.TrimSpace(token))
	if err != nil {
		return nil, err
	}
	httpx.SetActor(ctx, caller.Name)
	return caller, nil
}

// open admits a request to the study and site of its path, checking in the order of
// decisions, OpenClinica 2: study, site, both available if it writes, site of this study, role.
func (a *API) open(r *http.Request, op access.Operation, writes bool) (*visit, error) {
	ctx := registry.WithMoment(r.Context())
	caller, err := a.caller(ctx, r)
	if err != nil {
		return nil, err
	}
	catalog, err := a.registry.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	v := &visit{caller: caller}
	if v.study, err = catalog.Study(r.PathValue("study")); err != nil {
		return nil, err
	}
	if oid := r.PathValue("site"); oid != "" {
		if v.site, err = catalog.Site(oid); err != nil {
			return nil, err
		}
	}
	if writes {
		if ferr := registry.CheckWritable(v.study, v.site); ferr != nil {
			return nil, ferr
		}
	}
	if v.site != nil && v.site.Study != v.study.ID {
		return nil, fault.New(fault.NotFound, registry.SiteUnknown, "the study has no such site")
	}
	if v.role, err = caller.Check(op, v.study.ID, v.siteID()); err != nil {
		return nil, err
	}
	return v, nil
}

// yes reads a y/n parameter: anything but y or yes is no (decisions, OpenClinica 17).
func yes(text string) bool {
	text = strings.TrimSpace(text)
	return strings.EqualFold(text, "y") || strings.EqualFold(text, "yes")
}
