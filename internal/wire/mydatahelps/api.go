package mydatahelps

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// dialect is this dialect's name in audit events, and serviceRole what its callers are there.
const (
	dialect     = "mydatahelps"
	serviceRole = "service account"
)

// Prefix is the path below which the API is reached, and TokenPath where a service account's
// assertion is exchanged for a token.
const (
	Prefix    = "/api/v1/administration"
	TokenPath = "/identityserver/connect/token"
)

// Authenticator tells who calls.
type Authenticator interface {
	// Authenticate answers whose bearer token this is; fault Unauthenticated if nobody's.
	Authenticate(ctx context.Context, bearer string) (*access.Principal, error)

	// SignInService answers a bearer token for the service account that signed the assertion,
	// and how long it is good for. It answers fault Unauthenticated for whatever is wrong with
	// the assertion.
	SignInService(ctx context.Context, assertion string) (token string, expiresIn time.Duration, err error)
}

// Config is what [New] needs.
type Config struct {
	Registry  *registry.Service
	Auth      Authenticator
	Store     access.Store     // counts requests for all processes
	Now       func() time.Time // the clock of the request budget
	RateLimit int              // requests an hour for each account; 0 means DefaultRateLimit
}

// API serves the dialect.
type API struct {
	registry *registry.Service
	auth     Authenticator
	budget   *access.Budget
}

// New makes the dialect's API.
func New(c Config) *API {
	return &API{registry: c.Registry, auth: c.Auth, budget: newBudget(c)}
}

// handler answers a request that has been admitted to a project.
type handler func(http.ResponseWriter, *http.Request, *visit) error

// route is one endpoint: its path, below [Prefix], is also its path in openapi.yaml.
type route struct {
	method, path string
	handler      handler
}

func (a *API) routes() []route {
	const (
		people = "/projects/{project}/participants"
		person = people + "/{participant}"
	)
	return []route{
		{"GET", people, a.listParticipants},
		{"PUT", people, a.putParticipant},
		{"POST", people, a.postParticipants},
		{"GET", person, a.getParticipant},
		{"DELETE", person, a.deleteParticipant},
		{"POST", person + "/withdraw", a.withdrawParticipant},
		{"GET", person + "/segments", a.listSegments},
	}
}

// Mount adds the dialect's routes to the mux, whose renderer should be [API.RenderUnknown].
func (a *API) Mount(mux *httpx.Mux) {
	for _, route := range a.routes() {
		mux.Handle(route.method+" "+Prefix+route.path, httpx.Adapt(render)(func(w http.ResponseWriter, r *http.Request) error {
			v, err := a.open(w, r)
			if err != nil {
				return err
			}
			return route.handler(w, r, v)
		}))
	}
	mux.Handle("POST "+TokenPath, httpx.Adapt(renderToken)(a.postToken))
}

// visit is a request that may do what it asks: who calls, and in which project.
type visit struct {
	caller *access.Principal
	study  *registry.Study
	params params
}

// origin is the visit as audit events remember it.
func (v *visit) origin(r *http.Request) audit.Origin {
	return audit.Origin{
		Actor: v.caller.Name, Role: serviceRole, Dialect: dialect,
		RequestID: httpx.RequestID(r.Context()),
	}
}

// open admits a request to the project of its path. A malformed GUID and an unknown project
// are not found; a project that exists is forbidden to those it is not granted to (decisions,
// MyDataHelps 10).
func (a *API) open(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v := &visit{}
	var err error
	ctx := registry.WithMoment(r.Context())
	if v.caller, err = a.admit(ctx, w, r); err != nil {
		return nil, err
	}
	if !v.caller.Service {
		return nil, fault.New(fault.Forbidden, notServiceAccount, "only service accounts may use this API")
	}
	unknown := fault.New(fault.NotFound, registry.StudyUnknown, "there is no such project")
	guid, ok := parseGUID(r.PathValue("project"))
	if !ok {
		return nil, unknown
	}
	catalog, err := a.registry.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	if v.study, err = catalog.StudyByGUID(guid); err != nil {
		return nil, err
	}
	if !v.caller.Administers(v.study.ID) {
		return nil, fault.New(fault.Forbidden, access.NoRole, "the service account may not administer this project")
	}
	var ferr *fault.Error
	if v.params, ferr = parseParams(r.URL.RawQuery); ferr != nil {
		return nil, ferr
	}
	return v, nil
}

// admit tells who calls, by the bearer token, and counts the request against the caller's
// budget; one without a caller counts against its address.
func (a *API) admit(ctx context.Context, w http.ResponseWriter, r *http.Request) (*access.Principal, error) {
	caller, err := a.caller(ctx, r)
	who := addressOf(r)
	if err == nil {
		httpx.SetActor(ctx, caller.Name)
		who = access.PayerOf(caller)
	}
	if refused := a.charge(ctx, w, who); refused != nil {
		return nil, refused
	}
	return caller, err
}

func (a *API) caller(ctx context.Context, r *http.Request) (*access.Principal, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, fault.New(fault.Unauthenticated, access.TokenInvalid, "a bearer token is needed")
	}
	return a.auth.Authenticate(ctx, strings.TrimSpace(token))
}

// RenderUnknown answers a request for which the dialect has no route, or no such method. Such
// a request counts against the budget like any other.
func (a *API) RenderUnknown(w http.ResponseWriter, r *http.Request, err *fault.Error) {
	if _, denied := a.admit(r.Context(), w, r); denied != nil && fault.KindOf(denied) == fault.TooMany {
		err = fault.As(denied)
		setRetryAfter(w, err)
	}
	render(w, r, err)
}

// target is which participant a path names: by identifier, or with queryByID=true by the
// internal ID. Decisions, MyDataHelps 7: everywhere.
type target struct {
	id         registry.ID
	identifier string
}

func (v *visit) target(r *http.Request) (target, *fault.Error) {
	text := r.PathValue("participant")
	byID, ferr := v.params.boolean("queryByID", false)
	if ferr != nil {
		return target{}, ferr
	}
	if !utf8.ValidString(text) {
		return target{}, fault.New(fault.Invalid, registry.TextMalformed, "is not valid text").In(registry.IdentifierField)
	}
	if !byID {
		return target{identifier: strings.TrimSpace(text)}, nil
	}
	id, ok := parseGUID(text)
	if !ok || id == (registry.ID{}) {
		return target{}, participantUnknown()
	}
	return target{id: id}, nil
}

// find reads the participant whom the path names. A removed one does not exist here
// (decisions, Both).
func (a *API) find(r *http.Request, v *visit) (*registry.Participant, error) {
	t, ferr := v.target(r)
	if ferr != nil {
		return nil, ferr
	}
	var p *registry.Participant
	var err error
	if t.id != (registry.ID{}) {
		p, err = a.registry.FindByID(r.Context(), v.study.ID, t.id)
	} else {
		p, err = a.registry.Find(r.Context(), v.study.ID, t.identifier)
	}
	if err != nil {
		return nil, err
	}
	if p.Status == registry.StatusRemoved {
		return nil, participantUnknown()
	}
	return p, nil
}

func participantUnknown() *fault.Error {
	return fault.New(fault.NotFound, registry.ParticipantUnknown, "there is no such participant").In(registry.IdentifierField)
}

// parseGUID reads a GUID in its usual form, in either case.
func parseGUID(text string) (uuid.UUID, bool) {
	const usual = len("6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11")
	if len(text) != usual {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}
