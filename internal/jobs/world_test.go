package jobs_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/config"
	"rollcall/internal/files"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store"
	"rollcall/internal/store/enginetest"
)

// world is a job service on a database of its own, with one study of two sites. It lives in
// a bubble of synctest: the time of backoffs passes at once, and a goroutine that outlives its
// test fails it. The database is real; troubled is what goes wrong with it.
type world struct {
	t        *testing.T
	db       *troubled
	registry *registry.Service
	clock    func() time.Time
	later    *atomic.Int64 // by how many nanoseconds the clock is ahead
	book     *registry.CodeBook
	store    *stubborn // the files
	folder   string    // of the files
	node     string
	log      *lockedBuffer
	ended    chan string // "kind state" of each job that has ended
	rows     atomic.Int64
	failed   atomic.Int64

	study *registry.Study
	ohio  registry.SiteID
	iowa  registry.SiteID
}

// start is the time of the worlds. Their clocks tick a microsecond at each look, so that no two
// jobs are submitted at the same time.
var start = time.Date(2026, time.March, 4, 9, 5, 0, 0, time.UTC)

var engines = enginetest.Share()

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// inWorld runs a test in a world of its own, on each engine.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		c := engine.Config(t) // made outside the bubble, by the real clock
		synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, c)) })
	})
}

func newWorld(t *testing.T, c store.Config) *world {
	t.Helper()
	w := &world{t: t, folder: t.TempDir(), node: "node-1", log: &lockedBuffer{}, ended: make(chan string, 100), later: &atomic.Int64{}}
	db := enginetest.Open(t, c)
	w.study = &registry.Study{
		OID: "S_JUNO", GUID: uuid.New(), Identifier: "JUNO", Name: "Juno", Status: registry.Available, Participate: true,
		IDMethod: registry.ManualIDs, IdentifierPrefix: "JN", BulkContract: registry.BulkCurrent,
		Sites: []registry.Site{
			{OID: "S_OHIO", Code: "OHIO", Name: "Ohio", Status: registry.Available},
			{OID: "S_IOWA", Code: "IOWA", Name: "Iowa", Status: registry.Available},
		},
	}
	err := db.Define(t.Context(), func(ctx context.Context, d config.Tx) error { return d.PutStudy(ctx, w.study) })
	if err != nil {
		t.Fatal(err)
	}
	w.ohio, w.iowa = w.study.Sites[0].ID, w.study.Sites[1].ID
	w.db = &troubled{Store: db, leases: &leases{all: map[uuid.UUID]lease{}}}
	if w.book, err = registry.NewCodeBook(bytes.Repeat([]byte{7}, registry.CodeKeySize)); err != nil {
		t.Fatal(err)
	}
	var ticks atomic.Int64
	w.clock = func() time.Time {
		return start.Add(time.Duration(ticks.Add(1))*time.Microsecond + time.Duration(w.later.Load()))
	}
	w.registry = w.process()
	place, err := files.Open(t.Context(), files.Config{Dir: w.folder})
	if err != nil {
		t.Fatal(err)
	}
	w.store = &stubborn{Files: place}
	return w
}

// process is a registry as one process has it.
func (w *world) process() *registry.Service {
	return registry.NewService(w.db, w.book, w.clock, registry.WithScrubber(scrub))
}

// beside is another node on the same database and files, with troubles of its own.
func (w *world) beside(node string) *world {
	other := &world{
		t: w.t, db: &troubled{Store: w.db.Store, leases: w.db.leases}, clock: w.clock, later: w.later, book: w.book, folder: w.folder, node: node, log: w.log, ended: w.ended,
		store: &stubborn{Files: w.store.Files}, study: w.study, ohio: w.ohio, iowa: w.iowa,
	}
	other.registry = other.process()
	return other
}

// scrub takes the lines of erased people out of the output of lines.
func scrub(_ string, to io.Writer, from io.Reader, erased []registry.ErasedName) (found bool, err error) {
	all := bufio.NewScanner(from)
	for all.Scan() {
		name, _, _ := strings.Cut(all.Text(), " ")
		if slices.ContainsFunc(erased, func(e registry.ErasedName) bool { return e.Identifier == name }) {
			found = true
			continue
		}
		if _, err := io.WriteString(to, all.Text()+"\n"); err != nil {
			return found, err
		}
	}
	return found, all.Err()
}

// service is a job service as one process has it.
func (w *world) service(workers int, kinds map[string]jobs.Kind) *jobs.Service {
	return jobs.NewService(jobs.Config{
		Store: w.db, Registry: w.registry, Files: w.store, Scrub: scrub, Node: w.node, Kinds: kinds, Workers: workers,
		Logger: slog.New(slog.NewTextHandler(w.log, nil)), Observer: heard{w},
	})
}

// heard takes down what a service says of itself.
type heard struct{ w *world }

func (h heard) RowsDone(_ string, done, failed int64) {
	h.w.rows.Add(done)
	h.w.failed.Add(failed)
}

func (h heard) JobEnded(kind string, state jobs.State) { h.w.ended <- kind + " " + string(state) }

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

// job is a job of the kind at a site whose upload holds a line for each name. Its source file is
// named like the first of them.
func (w *world) job(s *jobs.Service, kind string, site registry.SiteID, names ...string) *jobs.Job {
	w.t.Helper()
	key, size, err := s.SaveUpload(w.t.Context(), strings.NewReader(strings.Join(names, "\n")))
	if err != nil {
		w.t.Fatal(err)
	}
	return &jobs.Job{
		Kind: kind, Study: w.study.ID, Site: site, SubmittedBy: "dana", Role: "Data Manager", Dialect: "openclinica",
		SourceFile: append(names, "none")[0], Upload: key, Size: size,
	}
}

// submit submits such a job.
func (w *world) submit(s *jobs.Service, kind string, site registry.SiteID, names ...string) *jobs.Job {
	w.t.Helper()
	job := w.job(s, kind, site, names...)
	if err := s.Submit(w.t.Context(), job); err != nil {
		w.t.Fatal(err)
	}
	return job
}

// running is a Run under way.
type running struct {
	w    *world
	stop context.CancelFunc
	ran  chan error
}

// run starts Run in a process of its own, as it were.
func (w *world) run(s *jobs.Service) *running {
	ctx, stop := context.WithCancel(w.t.Context())
	r := &running{w: w, stop: stop, ran: make(chan error, 1)}
	go func() { r.ran <- s.Run(ctx) }() // ends with ctx; wait waits for it
	return r
}

// wait waits until Run has returned.
func (r *running) wait() {
	r.w.t.Helper()
	if err := <-r.ran; err != nil {
		r.w.t.Errorf("Run answers %v", err)
	}
	if n := r.w.store.open.Load(); n != 0 {
		r.w.t.Errorf("%d files are still open", n)
	}
	r.stop()
}

// end stops Run and waits until it has returned.
func (r *running) end() {
	r.w.t.Helper()
	r.stop()
	r.wait()
}

// runAll runs jobs until none is unfinished, and tells how long they took.
func (w *world) runAll(s *jobs.Service) time.Duration {
	w.t.Helper()
	r := w.run(s)
	defer r.end()
	began := time.Now()
	for w.unfinished() > 0 {
		w.awaitEnd()
	}
	return time.Since(began)
}

// awaitEnd waits until a job has ended and answers "kind state".
func (w *world) awaitEnd() string {
	w.t.Helper()
	select {
	case ended := <-w.ended:
		return ended
	case <-time.After(24 * time.Hour): // of the bubble
		w.t.Fatalf("no job ends\n%s", w.log)
		return ""
	}
}

func (w *world) unfinished() int {
	w.t.Helper()
	list, err := w.db.Store.UnfinishedJobs(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// stored reads the job as it is in the database.
func (w *world) stored(job *jobs.Job) *jobs.Job {
	w.t.Helper()
	stored, err := w.db.Store.Job(w.t.Context(), job.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return stored
}

// output reads the job's output.
func (w *world) output(s *jobs.Service, job *jobs.Job) string {
	w.t.Helper()
	var out strings.Builder
	if err := s.WriteOutput(w.t.Context(), job, &out); err != nil {
		w.t.Fatal(err)
	}
	return out.String()
}

// people lists the identifiers of the study's participants in order of creation.
func (w *world) people() []string {
	w.t.Helper()
	list, err := w.registry.Participants(w.t.Context(), w.study.ID, nil, 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, p := range list {
		names = append(names, p.Identifier)
	}
	return names
}

// files lists the keys of the uploads, outputs those of the outputs.
func (w *world) files() []string   { return w.keys(jobs.UploadFolder) }
func (w *world) outputs() []string { return w.keys(jobs.OutputFolder) }

func (w *world) keys(folder string) []string {
	w.t.Helper()
	var keys []string
	for _, name := range listed(w.t, filepath.Join(w.folder, folder)) {
		keys = append(keys, folder+"/"+name)
	}
	return keys
}

func listed(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
