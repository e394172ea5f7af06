package web

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/files"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/segment"
	"rollcall/internal/store"
	"rollcall/internal/store/enginetest"
	"rollcall/internal/store/trail"
	"rollcall/internal/wire/openclinica"
)

var engines = enginetest.Share()

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

const (
	junoOID    = "S_JUNO(TEST)"
	junoPath   = "/studies/S_JUNO%28TEST%29"
	peoplePath = junoPath + "/participants"
)

// world is the browser interface on a database of its own that holds the demo's studies and
// users. Its clock stands still unless it is moved.
type world struct {
	*testing.T
	db       store.Store
	registry *registry.Service
	jobs     *jobs.Service
	pages    *Pages
	handler  http.Handler
	log      *bytes.Buffer
	ended    chan struct{} // holds a token when a job has ended since the last look

	mu       sync.Mutex
	now      time.Time
	sessions map[string]string
}

// inWorlds runs a test in a world on each engine.
func inWorlds(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) { test(t, newWorldOn(t, engine)) })
}

func newWorld(t *testing.T, options ...func(*Config)) *world {
	t.Helper()
	return newWorldOn(t, engines.SQLite(), options...)
}

func newWorldOn(t *testing.T, engine enginetest.Engine, options ...func(*Config)) *world {
	t.Helper()
	w := &world{
		T: t, db: engine.Open(t), log: &bytes.Buffer{}, ended: make(chan struct{}, 1), now: time.Date(2026, time.March, 4, 9, 5, 0, 0, time.UTC), sessions: map[string]string{},
	}
	defs, err := config.Load([]config.File{config.Demo()})
	w.must(err)
	_, err = config.Apply(t.Context(), w.db, defs, config.Options{
		Now: w.clock, NewGUID: uuid.NewRandom, Origin: audit.Origin{Actor: "test", Dialect: "cli"},
	})
	w.must(err)
	codes, err := registry.NewCodeBook(w.key("access codes", registry.CodeKeySize))
	w.must(err)
	w.registry = registry.NewService(w.db, codes, w.clock, registry.WithRules(segment.NewBook()))
	place, err := files.Open(t.Context(), files.Config{Dir: t.TempDir()})
	w.must(err)
	logger := slog.New(httpx.NewRedactingHandler(slog.NewJSONHandler(w.log, nil)))
	w.jobs = jobs.NewService(jobs.Config{
		Store: w.db, Registry: w.registry, Files: place, Logger: logger, Scrub: openclinica.Scrub, Observer: jobsHeard{w.ended},
		Kinds: map[string]jobs.Kind{
			openclinica.BulkAddKind: openclinica.BulkAdd{}, openclinica.BulkPreviewKind: openclinica.BulkPreview{Registry: w.registry},
			openclinica.ExtractKind: openclinica.Extractor{Registry: w.registry},
		},
	})
	users, err := access.New(access.Config{Store: w.db, SigningKey: w.key("tokens", access.SigningKeySize), Now: w.clock})
	w.must(err)
	sessions, err := access.NewSessions(access.SessionConfig{Access: users, Store: w.db, Now: w.clock})
	w.must(err)
	conf := Config{Registry: w.registry, Jobs: w.jobs, Files: openclinica.Files{}, Sessions: sessions, Overview: w.db, People: users, Now: w.clock}
	for _, option := range options {
		option(&conf)
	}
	w.pages, err = New(conf)
	w.must(err)
	mux := httpx.NewMux(w.pages.RenderFault)
	w.pages.Mount(mux)
	// Deadlines come from the front's clock, so it runs with the world's.
	w.handler = httpx.Front{Log: logger, Now: time.Now, NewID: uuid.NewString}.Wrap(mux)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) key(name string, size int) []byte {
	w.Helper()
	key, err := w.db.ServerKey(w.Context(), name, size)
	w.must(err)
	return key
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	if d > access.DefaultSessionIdle {
		clear(w.sessions) // everybody signs in again
	}
}

// session is the token of a user's session.
func (w *world) session(user string) string {
	w.Helper()
	if token, ok := w.sessions[user]; ok {
		return token
	}
	token, err := w.pages.Sessions.Begin(w.Context(), user, config.DemoPassword, "192.0.2.1:1")
	w.must(err)
	w.sessions[user] = token
	return token
}

// jobsHeard tells a world that a job has ended.
type jobsHeard struct{ ended chan<- struct{} }

func (jobsHeard) RowsDone(string, int64, int64) {}

func (h jobsHeard) JobEnded(string, jobs.State) {
	select {
	case h.ended <- struct{}{}:
	default:
	}
}

// runJobs runs jobs until none is unfinished.
func (w *world) runJobs() {
	w.Helper()
	ctx, stop := context.WithTimeout(w.Context(), time.Minute)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- w.jobs.Run(ctx) }() // ends with ctx, and is waited for below
	for {
		unfinished, err := w.db.UnfinishedJobs(ctx)
		w.must(err)
		if len(unfinished) == 0 {
			break
		}
		select {
		case <-w.ended:
		case <-ctx.Done():
			w.Fatalf("%d jobs did not end\n%s", len(unfinished), w.log)
		}
	}
	stop()
	w.must(<-ran)
}

// send has the interface answer a request of a user's browser, "" for nobody's. A form that is
// not nil is posted.
func (w *world) send(user, method, path string, form url.Values) *httptest.ResponseRecorder {
	w.Helper()
	r := httptest.NewRequestWithContext(w.Context(), method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r.Header.Set("Accept", "text/html")
	if user != "" {
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: w.session(user)})
	}
	return w.answer(r)
}

func (w *world) answer(r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

// get fetches a page, which there has to be, and answers its text.
func (w *world) get(user, path string) string {
	w.Helper()
	answer := w.send(user, "GET", path, nil)
	if answer.Code != http.StatusOK {
		w.Fatalf("GET %s as %s: %d\n%s", path, user, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// post sends a form that has to be taken, and answers where it leads.
func (w *world) post(user, path string, pairs ...string) string {
	w.Helper()
	answer := w.send(user, "POST", path, formOf(pairs...))
	if answer.Code != http.StatusSeeOther {
		w.Fatalf("POST %s as %s: %d\n%s", path, user, answer.Code, answer.Body)
	}
	return answer.Header().Get("Location")
}

func formOf(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

func (w *world) study(oid string) *registry.Study {
	w.Helper()
	catalog, err := w.registry.Catalog(w.Context())
	w.must(err)
	study, err := catalog.Study(oid)
	w.must(err)
	return study
}

// person is what seed makes of somebody; site is a code of Juno's.
type person struct {
	identifier, site, first, last, email string
	register                             bool
	custom                               map[string]string
}

// seed adds people to Juno.
func (w *world) seed(people ...person) []*registry.Participant {
	w.Helper()
	study := w.study(junoOID)
	changes := make([]registry.Change, len(people))
	for i, p := range people {
		c := registry.Change{
			Profile: registry.Staff(), Identifier: p.identifier, Register: p.register, Custom: p.custom,
			Origin: audit.Origin{Actor: "seed", Role: "data manager", Dialect: "cli"},
		}
		site := registry.StudyLevel
		if s, ok := study.SiteByCode(p.site); ok && p.site != "" {
			site = s.ID
		}
		c.Place = registry.At(site)
		for f, value := range map[registry.Field]string{registry.FirstName: p.first, registry.LastName: p.last, registry.Email: p.email} {
			if value != "" {
				c.Edits.Set(f, value)
			}
		}
		changes[i] = c
	}
	results, err := w.registry.Apply(w.Context(), study.ID, changes...)
	w.must(err)
	made := make([]*registry.Participant, len(results))
	for i, r := range results {
		if r.Err != nil {
			w.Fatalf("%s: %v", people[i].identifier, r.Err)
		}
		made[i] = r.Participant
	}
	return made
}

// find finds somebody of Juno.
func (w *world) find(identifier string) *registry.Participant {
	w.Helper()
	p, err := w.registry.Find(w.Context(), w.study(junoOID).ID, identifier)
	w.must(err)
	return p
}

func (w *world) pathOf(p *registry.Participant) string { return participantURL(w.study(junoOID), p) }

// events lists Juno's audit events from the one after a number on, as "actor (role) through
// dialect: action identifier".
func (w *world) events(after int64) (lines []string, last int64) {
	w.Helper()
	study := w.study(junoOID).ID
	records, err := w.db.AuditEvents(w.Context(), trail.Filter{Study: &study, Limit: 10_000})
	w.must(err)
	for _, r := range records {
		if last = r.Seq; r.Seq > after {
			lines = append(lines, fmt.Sprintf("%s (%s) through %s: %s %s", r.Origin.Actor, r.Origin.Role, r.Origin.Dialect, r.Action, r.Identifier))
		}
	}
	return lines, last
}
