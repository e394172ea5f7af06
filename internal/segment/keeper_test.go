package segment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/files"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/segment"
	"rollcall/internal/store"
	"rollcall/internal/store/enginetest"
)

var (
	adults = registry.Segment{ID: uuid.UUID{1}, Name: "Adults", Rule: "age >= 18"}
	belgia = registry.Segment{ID: uuid.UUID{2}, Name: "In Ghent", Rule: `demographics.city == "Ghent"`}
)

var engines = enginetest.Share()

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// eve is a moment before midnight in UTC.
var eve = time.Date(2026, time.March, 4, 23, 59, 59, 0, time.UTC)

// ward is a registry whose segments are kept, on a database of its own.
type ward struct {
	*testing.T
	db       store.Store
	registry *registry.Service
	jobs     *jobs.Service
	keeper   *segment.Keeper
	study    *registry.Study
	ended    chan struct{} // holds a token when a job has ended

	mu   sync.Mutex
	time time.Time
}

// ended tells that a job has ended.
type ended chan<- struct{}

func (ended) RowsDone(string, int64, int64) {}

func (e ended) JobEnded(string, jobs.State) {
	select {
	case e <- struct{}{}:
	default:
	}
}

func newWard(t *testing.T, engine enginetest.Engine, segments ...registry.Segment) *ward {
	t.Helper()
	w := &ward{T: t, time: eve, ended: make(chan struct{}, 1)}
	w.db = engine.Open(t)
	w.study = &registry.Study{
		OID: "S_JUNO", GUID: uuid.UUID{1}, Status: registry.Available, IDMethod: registry.ManualIDs, Segments: segments,
		Sites: []registry.Site{{OID: "S_A", Code: "A", Status: registry.Available}},
	}
	w.define()
	codes, err := registry.NewCodeBook(make([]byte, registry.CodeKeySize))
	if err != nil {
		t.Fatal(err)
	}
	book := segment.NewBook()
	w.registry = registry.NewService(w.db, codes, w.now, registry.WithRules(book))
	w.keeper = &segment.Keeper{Registry: w.registry, Book: book, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	w.service(segment.Pass{Registry: w.registry})
	return w
}

// service is a new process: jobs run with this kind from here on.
func (w *ward) service(pass jobs.Kind) {
	w.Helper()
	place, err := files.Open(w.Context(), files.Config{Dir: w.TempDir()})
	if err != nil {
		w.Fatal(err)
	}
	w.jobs = jobs.NewService(jobs.Config{
		Store: w.db, Registry: w.registry, Files: place, Kinds: map[string]jobs.Kind{segment.PassKind: pass},
		Logger: slog.New(slog.NewTextHandler(w.Output(), nil)), Observer: ended(w.ended),
	})
	w.keeper.Jobs = w.jobs
}

func (w *ward) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *ward) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

func (w *ward) define() {
	w.Helper()
	err := w.db.Define(w.Context(), func(ctx context.Context, tx config.Tx) error { return tx.PutStudy(ctx, w.study) })
	if err != nil {
		w.Fatal(err)
	}
}

// add adds a participant; born and city may be "".
func (w *ward) add(identifier, born, city string) {
	w.Helper()
	w.apply(change(identifier, born, city))
}

func change(identifier, born, city string) registry.Change {
	c := registry.Change{Profile: registry.MyDataHelps(), Identifier: identifier, Origin: audit.Origin{Actor: "test"}}
	if born != "" {
		c.Edits.Set(registry.DateOfBirth, born)
	}
	if city != "" {
		c.Edits.Set(registry.City, city)
	}
	return c
}

func (w *ward) apply(changes ...registry.Change) {
	w.Helper()
	results, err := w.registry.Apply(w.Context(), w.study.ID, changes...)
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			w.Fatal(r.Err)
		}
	}
}

// members lists who belongs to a segment, each with the minutes from the eve to joining it.
func (w *ward) members(s registry.Segment) []string {
	w.Helper()
	page, err := w.registry.Query(w.Context(), w.study.ID, &registry.Query{Segment: &s.ID, Limit: 100})
	if err != nil {
		w.Fatal(err)
	}
	all := []string{}
	for i, p := range page.Participants {
		all = append(all, fmt.Sprintf("%s %d", p.Identifier, int(page.AddedAt[i].Sub(eve).Minutes())))
	}
	return all
}

func (w *ward) want(what string, s registry.Segment, members ...string) {
	w.Helper()
	if diff := cmp.Diff(append([]string{}, members...), w.members(s)); diff != "" {
		w.Errorf("%s: members (-want +got):\n%s", what, diff)
	}
}

// look has the keeper look, and tells how many passes there are then and how many of them have
// not ended.
func (w *ward) look() (passes, unfinished int) {
	w.Helper()
	if err := w.keeper.Look(w.Context()); err != nil {
		w.Fatal(err)
	}
	all := w.passes()
	for _, pass := range all {
		if pass.State.Unfinished() {
			unfinished++
		}
	}
	return len(all), unfinished
}

func (w *ward) passes() []*jobs.Job {
	w.Helper()
	all, err := w.db.Jobs(w.Context(), jobs.JobFilter{Study: w.study.ID})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// wantLook has the keeper look and fails unless there are so many passes then.
func (w *ward) wantLook(what string, passes, unfinished int) {
	w.Helper()
	if p, u := w.look(); p != passes || u != unfinished {
		w.Fatalf("%s: %d passes, %d of them unfinished; want %d, %d", what, p, u, passes, unfinished)
	}
}

// run runs jobs until none is unfinished.
func (w *ward) run() {
	w.Helper()
	ctx, stop := context.WithTimeout(w.Context(), time.Minute)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- w.jobs.Run(ctx) }() // ends with ctx, and is waited for below
	for {
		unfinished, err := w.db.UnfinishedJobs(ctx)
		if err != nil {
			w.Fatal(err)
		}
		if len(unfinished) == 0 {
			break
		}
		select {
		case <-w.ended:
		case <-ctx.Done():
			w.Fatalf("%d jobs did not end", len(unfinished))
		}
	}
	stop()
	if err := <-ran; err != nil {
		w.Fatal(err)
	}
}

// pass has the keeper look, and runs the one pass that it wants.
func (w *ward) pass(what string) {
	w.Helper()
	if _, unfinished := w.look(); unfinished != 1 {
		w.Fatalf("%s: %d passes to run, want one", what, unfinished)
	}
	w.run()
	w.wantLook(what+", afterwards", 1, 0)
}

func TestRulesAddedAndChanged(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWard(t, engine)
		w.add("ANN", "", "Ghent")
		w.add("BOB", "", "Ulm")
		w.wantLook("no rules", 0, 0)

		w.study.Segments = []registry.Segment{belgia}
		w.define()
		w.advance(time.Minute)
		w.pass("rule added")
		w.want("rule added", belgia, "ANN 1")

		w.study.Segments[0].Rule = `demographics.city in ["Ghent", "Ulm"]`
		w.define()
		w.advance(time.Minute)
		w.pass("rule changed")
		w.want("rule changed", belgia, "ANN 1", "BOB 2")

		w.study.Segments[0].Rule = `demographics.city == "Ulm"`
		w.define()
		w.pass("rule changed again")
		w.want("rule changed again", belgia, "BOB 2")

		w.study.Segments[0].Rule = `site == "B"`
		w.define()
		w.pass("a rule about sites")
		w.want("a rule about sites", belgia)
		c := change("BOB", "", "")
		c.Place = registry.At(w.study.Sites[0].ID)
		w.apply(c)
		w.study.Sites[0].Code = "B"
		w.define()
		w.pass("site renamed")
		w.want("site renamed", belgia, "BOB 2")

		w.study.Name = "Another name"
		w.define()
		w.wantLook("nothing that rules depend on", 1, 0)
	})
}

// A segment that is taken out loses its members at once; put back, it has them anew, also if
// nobody looked in between.
func TestSegmentTakenOutAndPutBack(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWard(t, engine, belgia)
		w.add("ANN", "", "Ghent")
		w.pass("at first")
		w.want("at first", belgia, "ANN 0")
		w.study.Segments = nil
		w.define()
		w.study.Segments = []registry.Segment{belgia}
		w.define()
		w.want("put back", belgia)
		w.advance(time.Minute)
		w.pass("put back")
		w.want("put back, passed over", belgia, "ANN 1")
		w.study.Segments = nil
		w.define()
		w.wantLook("without segments", 0, 0)
	})
}

func TestBirthdayAtMidnight(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWard(t, engine, adults, belgia)
		w.add("TOMORROW", "2008-03-05", "")
		w.add("OLDER", "1950-01-01", "")
		w.add("YOUNGER", "2008-03-06", "")
		w.pass("at first")
		w.want("the day before", adults, "OLDER 0")
		w.wantLook("the day before, again", 1, 0)
		w.advance(time.Minute)
		w.pass("midnight")
		w.want("the birthday", adults, "TOMORROW 1", "OLDER 0")
		w.advance(23 * time.Hour)
		w.wantLook("later that day", 1, 0)
		for day := range 5 {
			w.advance(24 * time.Hour)
			w.pass(fmt.Sprintf("day %d", day))
		}
	})
}

// Rules that do not depend on the date need no pass for a new day.
func TestUndatedRulesNeedNoDailyPass(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWard(t, engine, belgia)
		w.pass("at first")
		w.advance(24 * time.Hour)
		w.wantLook("next day", 1, 0)
		w.service(segment.Pass{Registry: w.registry})
		restarted := &segment.Keeper{Registry: w.registry, Jobs: w.jobs, Book: segment.NewBook()}
		w.keeper = restarted
		w.wantLook("after a restart", 1, 0)
	})
}

// kind is a kind of job made of its Start.
type kind func(ctx context.Context, job *jobs.Job) (jobs.Task, error)

func (kind) Writes() bool { return true }

func (k kind) Start(ctx context.Context, job *jobs.Job, _ io.ReadSeeker) (jobs.Task, error) {
	return k(ctx, job)
}

// task is a task made of its Next.
type task func(ctx context.Context, limit int) (*jobs.Chunk, error)

func (t task) Next(ctx context.Context, limit int) (*jobs.Chunk, error) { return t(ctx, limit) }

func TestRestartInTheMiddle(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		const people = 1500 // more than a chunk
		w := newWard(t, engine)
		changes := make([]registry.Change, people)
		for i := range changes {
			changes[i] = change(fmt.Sprintf("P-%d", i), "", "Ghent")
		}
		w.apply(changes...)
		w.study.Segments = []registry.Segment{belgia}
		w.define()

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		w.service(kind(func(ctx context.Context, job *jobs.Job) (jobs.Task, error) {
			inner, err := segment.Pass{Registry: w.registry}.Start(ctx, job, nil)
			chunks := 0
			return task(func(ctx context.Context, limit int) (*jobs.Chunk, error) {
				if chunks++; chunks > 1 {
					stop() // the process ends between two chunks
					return nil, ctx.Err()
				}
				return inner.Next(ctx, limit)
			}), err
		}))
		w.wantLook("rule added", 1, 1)
		if err := w.jobs.Run(ctx); err != nil {
			t.Fatal(err)
		}
		half := w.passes()[0]
		if half.State != jobs.InProgress || half.Rows == 0 || half.Rows >= people {
			t.Fatalf("pass %+v, want one in progress", half)
		}
		w.wantLook("restarted", 1, 1)
		w.service(segment.Pass{Registry: w.registry})
		w.run()
		done := w.passes()[0]
		if done.ID != half.ID || done.State != jobs.Completed || done.Rows != people {
			t.Errorf("pass %+v, want %d people in all", done, people)
		}
		page, err := w.registry.Query(t.Context(), w.study.ID, &registry.Query{Segment: &belgia.ID})
		if err != nil || page.Total != people {
			t.Errorf("%d members, %v; want %d", page.Total, err, people)
		}
	})
}

func TestFailedPassIsMadeAgain(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWard(t, engine)
		w.add("ANN", "", "Ghent")
		w.study.Segments = []registry.Segment{belgia}
		w.define()
		w.service(kind(func(context.Context, *jobs.Job) (jobs.Task, error) { return nil, errors.New("broken") }))
		w.wantLook("rule added", 1, 1)
		w.run()
		if state := w.passes()[0].State; state != jobs.Failed {
			t.Fatalf("the pass is %s, want failed", state)
		}
		w.service(segment.Pass{Registry: w.registry})
		w.wantLook("at once", 1, 0)
		w.advance(2 * time.Minute)
		w.pass("after a while")
		w.want("after a while", belgia, "ANN 2")
	})
}

// A user of the keeper's name keeps the jobs.
func TestJobsOfOthersStay(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWard(t, engine, belgia)
		theirs := &jobs.Job{ID: uuid.New(), Study: w.study.ID, Kind: "OTHER", State: jobs.Queued, SubmittedBy: "rollcall", CreatedAt: eve, UpdatedAt: eve}
		if err := w.db.CreateJob(t.Context(), theirs, nil); err != nil {
			t.Fatal(err)
		}
		if err := w.db.FinishJob(t.Context(), w.study.ID, theirs.ID, 0, jobs.Ending{State: jobs.Completed, At: eve}); err != nil {
			t.Fatal(err)
		}
		w.wantLook("at first", 2, 1)
		w.run()
		w.advance(time.Hour)
		w.study.Segments = []registry.Segment{adults}
		w.define()
		w.wantLook("changed", 2, 1)
	})
}

// One study with a rule that does not work does not keep the keeper from the others.
func TestBrokenRuleOfAnotherStudy(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWard(t, engine, registry.Segment{ID: uuid.UUID{9}, Name: "Broken", Rule: "nonsense"})
		w.study = &registry.Study{OID: "S_TWO", GUID: uuid.UUID{2}, Status: registry.Available, Segments: []registry.Segment{belgia}}
		w.define()
		for range 2 {
			if err := w.keeper.Look(t.Context()); err == nil {
				t.Error("no error")
			}
		}
		if n := len(w.passes()); n != 1 {
			t.Errorf("%d passes over the other study, want one", n)
		}
	})
}

// The keeper works beside the jobs and ends with its context.
func TestKeeperRuns(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWard(t, engine, belgia)
		w.keeper.Every = time.Millisecond
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		running.Go(func() {
			if err := w.jobs.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		running.Go(func() {
			if err := w.keeper.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		for i := range 3 {
			select {
			case <-w.ended: // the pass over the rules as they are
			case <-ctx.Done():
				t.Fatalf("%d passes, want more", i)
			}
			w.study.Segments[0].Rule += " && true"
			w.define()
		}
	})
}
