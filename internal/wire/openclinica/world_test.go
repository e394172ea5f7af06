package openclinica

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	storage "rollcall/internal/files"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store"
	"rollcall/internal/store/enginetest"
	"rollcall/internal/store/trail"
)

const (
	jsonType = "application/json"
	boston   = "/pages/auth/api/clinicaldata/studies/S_JUNO(PROD)/sites/S_BOSTON(PROD)"
	juno     = "/pages/auth/api/clinicaldata/studies/S_JUNO(PROD)"
	jobPaths = "/pages/auth/api/jobs/"
)

// world is a whole server on a database of its own, with the studies of testdata/studies.yaml.
// Its jobs run one after another, only while runJobs does, and its clock stands still unless it is moved.
type world struct {
	t        *testing.T
	db       store.Store
	registry *registry.Service
	jobs     *jobs.Service
	access   *access.Service
	api      *API
	handler  http.Handler
	data     string // folder of the files, and of the database if it is one
	uploads  string // folder in it
	log      *lockedBuffer
	ended    chan struct{} // holds a token when a job has ended since the last look

	mu     sync.Mutex
	now    time.Time
	tokens map[string]string
}

// lockedBuffer is where the server logs to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
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

// inWorlds runs a test in a world on each engine.
func inWorlds(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) { test(t, newWorldOn(t, engine)) })
}

// newWorld makes a world on the engine whose databases are made fastest.
func newWorld(t *testing.T, options ...func(*jobs.Config)) *world {
	t.Helper()
	return newWorldOn(t, engines.SQLite(), options...)
}

// newWorldOn makes a world. The options may put something in the way of its parts.
func newWorldOn(t *testing.T, engine enginetest.Engine, options ...func(*jobs.Config)) *world {
	t.Helper()
	c := engine.Config(t)
	ended := make(chan struct{}, 1)
	w := &world{
		t: t, data: cmp.Or(c.DataDir, t.TempDir()), log: &lockedBuffer{}, ended: ended,
		now: time.Date(2026, time.March, 4, 9, 5, 0, 0, time.UTC), tokens: map[string]string{},
	}
	w.db = enginetest.Open(t, c)
	w.define(filepath.Join("testdata", "studies.yaml"))
	codes, err := registry.NewCodeBook(w.key("access codes", registry.CodeKeySize))
	if err != nil {
		t.Fatal(err)
	}
	w.registry = registry.NewService(w.db, codes, w.clock, registry.WithScrubber(Scrub))
	w.uploads = filepath.Join(w.data, jobs.UploadFolder)
	place, err := storage.Open(t.Context(), storage.Config{Dir: w.data})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(httpx.NewRedactingHandler(slog.NewJSONHandler(w.log, nil)))
	with := jobs.Config{
		Store: w.db, Registry: w.registry, Files: place, Scrub: Scrub, Logger: logger, Observer: jobsHeard{ended}, Workers: 1,
		Kinds: map[string]jobs.Kind{BulkAddKind: BulkAdd{}, BulkPreviewKind: BulkPreview{w.registry}, ExtractKind: Extractor{w.registry}},
	}
	for _, option := range options {
		option(&with)
	}
	w.jobs = jobs.NewService(with)
	if w.access, err = access.New(access.Config{Store: w.db, SigningKey: w.key("tokens", access.SigningKeySize), Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	w.api = New(w.registry, w.jobs, w.access)
	mux := httpx.NewMux(RenderUnknown)
	w.api.Mount(mux)
	// Deadlines come from the front's clock, so it runs with the world's.
	w.handler = httpx.Front{Log: logger, Now: time.Now, NewID: uuid.NewString}.Wrap(mux)
	return w
}

func (w *world) key(name string, size int) []byte {
	w.t.Helper()
	key, err := w.db.ServerKey(w.t.Context(), name, size)
	if err != nil {
		w.t.Fatal(err)
	}
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
}

// define applies a study file.
func (w *world) define(file string) {
	w.t.Helper()
	defs, err := config.LoadFiles([]string{file})
	if err == nil {
		_, err = config.Apply(w.t.Context(), w.db, defs, config.Options{
			Now: w.clock, NewGUID: uuid.NewRandom, Origin: audit.Origin{Actor: "test", Dialect: "cli"},
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// token is a bearer token of the user.
func (w *world) token(user string) string {
	w.t.Helper()
	if token, ok := w.tokens[user]; ok {
		return token
	}
	token, err := w.access.IssueToken(w.t.Context(), user, 24*time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	w.tokens[user] = token
	return token
}

// send has the handler answer a request of a user, "" for nobody.
func (w *world) send(user, method, path, contentType, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+w.token(user))
	}
	return w.answer(r)
}

func (w *world) answer(r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

const uploadBoundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"

// form is a multipart body that holds the file, as curl -F sends it.
func form(name, content string) (contentType, body string) {
	body = "--" + uploadBoundary + "\r\n" +
		`Content-Disposition: form-data; name="file"; filename="` + name + "\"\r\n" +
		"Content-Type: text/csv\r\n\r\n" + content + "\r\n--" + uploadBoundary + "--\r\n"
	return "multipart/form-data; boundary=" + uploadBoundary, body
}

// upload sends a bulk file as dana and answers the job's uuid.
func (w *world) upload(sitePath, query, content string) string {
	w.t.Helper()
	contentType, body := form("people.csv", content)
	answer := w.send("dana", "POST", sitePath+"/participants/bulk"+query, contentType, body)
	job, ok := strings.CutPrefix(answer.Body.String(), "job uuid: ")
	if !ok || answer.Code != http.StatusOK {
		w.t.Fatalf("upload: %d %s", answer.Code, answer.Body)
	}
	return job
}

// download fetches a finished job's file.
func (w *world) download(user, job string) string {
	w.t.Helper()
	answer := w.send(user, "GET", jobPaths+job+"/downloadFile", "", "")
	if answer.Code != http.StatusOK {
		w.t.Fatalf("download: %d %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// bulk uploads a file, has it worked through, and answers its log.
func (w *world) bulk(sitePath, content string) string {
	w.t.Helper()
	job := w.upload(sitePath, "", content)
	w.runJobs()
	return w.download("dana", job)
}

// extract has a site's participants extracted by a site user.
func (w *world) extract(user, sitePath, query string) string {
	w.t.Helper()
	answer := w.send(user, "POST", sitePath+"/participants/extractParticipantsInfo"+query, "", "")
	job, ok := strings.CutPrefix(answer.Body.String(), "job uuid: ")
	if !ok {
		w.t.Fatalf("extract: %d %s", answer.Code, answer.Body)
	}
	w.runJobs()
	return w.download(user, job)
}

// runJobs runs jobs until none is unfinished.
func (w *world) runJobs() {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), time.Minute)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- w.jobs.Run(ctx) }() // ends with ctx, and is waited for below
	for {
		unfinished, err := w.db.UnfinishedJobs(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(unfinished) == 0 {
			break
		}
		select {
		case <-w.ended:
		case <-ctx.Done():
			w.t.Fatalf("%d jobs did not end\n%s", len(unfinished), w.log)
		}
	}
	stop()
	if err := <-ran; err != nil {
		w.t.Fatal(err)
	}
}

// runErasures has the files of jobs rewritten until nobody who was erased is left in any.
func (w *world) runErasures() {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), time.Minute)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- w.jobs.Run(ctx) }() // ends with ctx, and is waited for below
	for {
		left, err := w.db.Erasures(ctx)
		if err != nil {
			w.t.Fatalf("erasures are left: %v\n%s", err, w.log)
		}
		if len(left) == 0 {
			break
		}
		runtime.Gosched()
	}
	stop()
	if err := <-ran; err != nil {
		w.t.Fatal(err)
	}
}

// act does what this dialect's clients cannot: one line of an act section of a recorded
// exchange.
func (w *world) act(line string) {
	w.t.Helper()
	words := strings.Fields(line)
	actions := map[string]registry.Action{
		"remove": registry.Remove, "restore": registry.Restore, "lock": registry.Lock, "withdraw": registry.Withdraw,
	}
	action, isChange := actions[words[0]]
	switch {
	case line == "run jobs":
		w.runJobs()
	case line == "lose uploads":
		w.loseUploads()
	case words[0] == "advance":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			w.t.Fatal(err)
		}
		w.advance(d)
	case isChange:
		w.change(words[1], registry.Change{Action: action, Profile: registry.Staff(), Identifier: words[2]})
	default:
		w.t.Fatalf("unknown act %q", line)
	}
}

// change makes one change to a study's participant.
func (w *world) change(studyOID string, c registry.Change) {
	w.t.Helper()
	c.Origin = audit.Origin{Actor: "staff", Dialect: "web"}
	results, err := w.registry.Apply(w.t.Context(), w.study(studyOID).ID, c)
	if err == nil && results[0].Err != nil {
		err = results[0].Err
	}
	if err != nil {
		w.t.Fatalf("%s: %v", c.Identifier, err)
	}
}

func (w *world) study(oid string) *registry.Study {
	w.t.Helper()
	catalog, err := w.registry.Catalog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	study, err := catalog.Study(oid)
	if err != nil {
		w.t.Fatal(err)
	}
	return study
}

// storedUploads lists the files in the uploads folder, those under way too.
func (w *world) storedUploads() []string {
	w.t.Helper()
	entries, err := os.ReadDir(w.uploads)
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (w *world) loseUploads() {
	w.t.Helper()
	for _, name := range w.storedUploads() {
		if err := os.Remove(filepath.Join(w.uploads, name)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// participants lists the identifiers of a study's participants in order of creation.
func (w *world) participants(studyOID string) []*registry.Participant {
	w.t.Helper()
	list, err := w.registry.Participants(w.t.Context(), w.study(studyOID).ID, nil, 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// errorAnswer is the body of an error in short: the status and the bare code.
func errorAnswer(answer *httptest.ResponseRecorder) string {
	text, err := io.ReadAll(answer.Result().Body)
	if err != nil {
		return err.Error()
	}
	_, code, found := strings.Cut(string(text), `"message":"errorCode.`)
	if code, _, _ = strings.Cut(code, `"`); !found {
		code = ""
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", answer.Code, code))
}

// events writes the study Juno's audit events as "actor (role) action identifier". A job's uuid
// is "job".
func (w *world) events() []string {
	w.t.Helper()
	study := w.study("S_JUNO(PROD)").ID
	records, err := w.db.AuditEvents(w.t.Context(), trail.Filter{Study: &study, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []string
	for _, r := range records {
		about := r.Identifier
		if _, err := uuid.Parse(about); err == nil {
			about = "job"
		}
		lines = append(lines, fmt.Sprintf("%s (%s) %s %s", r.Origin.Actor, r.Origin.Role, r.Action, about))
	}
	return lines
}
