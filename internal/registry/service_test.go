package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store"
	"rollcall/internal/store/enginetest"
	"rollcall/internal/store/trail"
)

var engines = enginetest.Share()

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// registryOn is a service on a database of its own, with one study.
type registryOn struct {
	*registry.Service

	db    store.Store
	study *registry.Study
	site  registry.SiteID
}

var noon = time.Date(2026, 6, 24, 12, 0, 0, 987654321, time.FixedZone("EDT", -4*3600))

func setup(t *testing.T, engine enginetest.Engine, differ func(*registry.Study), options ...registry.Option) *registryOn {
	t.Helper()
	db := engine.Open(t)
	study := &registry.Study{
		OID: "S_JUNO", GUID: uuid.New(), Identifier: "JUNO", Name: "Juno", Status: registry.Available, Participate: true,
		IDMethod: registry.ManualIDs, IdentifierPrefix: "JN", BulkContract: registry.BulkCurrent,
		Sites: []registry.Site{{OID: "S_OHIO", Code: "OHIO", Name: "Ohio", Status: registry.Available}},
	}
	if differ != nil {
		differ(study)
	}
	define(t, db, study)
	book, err := registry.NewCodeBook(bytes.Repeat([]byte{7}, registry.CodeKeySize))
	if err != nil {
		t.Fatal(err)
	}
	service := registry.NewService(db, book, func() time.Time { return noon }, options...)
	return &registryOn{service, db, study, study.Sites[0].ID}
}

func define(t *testing.T, db store.Store, study *registry.Study) {
	t.Helper()
	err := db.Define(t.Context(), func(ctx context.Context, d config.Tx) error { return d.PutStudy(ctx, study) })
	if err != nil {
		t.Fatal(err)
	}
}

// openClinica is an upsert through OpenClinica at the study's site.
func (r *registryOn) openClinica(identifier string) registry.Change {
	return registry.Change{
		Profile: registry.OpenClinica(), Origin: audit.Origin{Actor: "ada", Dialect: "openclinica"},
		Identifier: identifier, Place: registry.At(r.site),
	}
}

// myDataHelps is an upsert through MyDataHelps with an e-mail address.
func (r *registryOn) myDataHelps(identifier, email string) registry.Change {
	c := registry.Change{
		Profile: registry.MyDataHelps(), Origin: audit.Origin{Actor: "svc", Dialect: "mydatahelps"}, Identifier: identifier,
	}
	c.Edits.Set(registry.Email, email)
	return c
}

// must makes one change that has to work.
func (r *registryOn) must(t *testing.T, c registry.Change) registry.Result {
	t.Helper()
	results, err := r.Apply(t.Context(), r.study.ID, c)
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	return results[0]
}

func (r *registryOn) all(t *testing.T) []*registry.Participant {
	t.Helper()
	people, err := r.Participants(t.Context(), r.study.ID, nil, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return people
}

func (r *registryOn) events(t *testing.T) []trail.Record {
	t.Helper()
	events, err := r.db.AuditEvents(t.Context(), trail.Filter{Study: &r.study.ID, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// atOnce makes n changes from callers who start together, and counts the answers: "added",
// "updated", "unchanged", or a fault's code.
func (r *registryOn) atOnce(t *testing.T, n int, change func(i int) registry.Change) map[string]int {
	t.Helper()
	answers := make([]string, n)
	start := make(chan struct{})
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			<-start
			results, err := r.Apply(t.Context(), r.study.ID, change(i))
			switch {
			case err != nil:
				answers[i] = err.Error()
			case results[0].Err != nil:
				answers[i] = string(results[0].Err.Code)
			default:
				answers[i] = [...]string{"unchanged", "added", "updated", "deleted"}[results[0].Done]
			}
		})
	}
	close(start)
	callers.Wait()
	count := map[string]int{}
	for _, answer := range answers {
		count[answer]++
	}
	return count
}

func TestConcurrentCreatesKeepTheCap(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, func(s *registry.Study) { s.Cap, s.EnforceCap = 13, true })
		for i := range 3 {
			r.must(t, r.openClinica(fmt.Sprintf("OLD-%d", i)))
		}
		got := r.atOnce(t, 32, func(i int) registry.Change { return r.openClinica(fmt.Sprintf("NEW-%d", i)) })
		if got["added"] != 10 || got[string(registry.CapReached)] != 22 || len(r.all(t)) != 13 {
			t.Errorf("answers %v, %d participants; want 10 added, 22 refused, 13 in all", got, len(r.all(t)))
		}
	})
}

func TestConcurrentCreatesOfOneIdentifier(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		spelling := []string{"A-1", "a-1"}
		got := r.atOnce(t, 32, func(i int) registry.Change {
			c := r.openClinica(spelling[i%2])
			c.Edits.Set(registry.City, fmt.Sprintf("City %d", i))
			return c
		})
		if people := r.all(t); got["added"] != 1 || got["updated"] != 31 || len(people) != 1 || len(r.events(t)) != 32 {
			t.Errorf("answers %v, %d participants; want one added, 31 updates of it", got, len(people))
		}
		again := r.atOnce(t, 32, func(i int) registry.Change { return r.openClinica(spelling[i%2]) })
		if again["unchanged"] != 32 || len(r.events(t)) != 32 {
			t.Errorf("answers %v, want nothing changed", again)
		}
	})
}

func TestConcurrentClaimsOfOneEmail(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		got := r.atOnce(t, 32, func(i int) registry.Change {
			return r.myDataHelps(fmt.Sprintf("P-%d", i), []string{"a@x.org", "A@X.org"}[i%2])
		})
		if got["added"] != 1 || got[string(registry.ContactTaken)] != 31 || len(r.all(t)) != 1 {
			t.Errorf("answers %v, %d participants; want one who won", got, len(r.all(t)))
		}
	})
}

func TestConcurrentGenerationLeavesNoGap(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, func(s *registry.Study) {
			s.IDMethod, s.IDTemplate = registry.GeneratedIDs, "${siteId}-${siteParticipantCount+1}"
		})
		got := r.atOnce(t, 32, func(i int) registry.Change {
			c := r.openClinica("")
			if i%2 == 1 {
				c.Edits.Set(registry.Email, "no address")
			}
			return c
		})
		if got["added"] != 16 || got[string(registry.Malformed)] != 16 {
			t.Fatalf("answers %v, want every other one added", got)
		}
		for i, p := range r.all(t) {
			if want := fmt.Sprintf("OHIO-%d", i+1); p.Identifier != want || p.Seq != int64(i+1) {
				t.Errorf("number %d is %s, want %s", p.Seq, p.Identifier, want)
			}
		}
	})
}

// In a range that is partly taken, every change of a batch still draws a free identifier.
func TestGenerationInACrowdedRange(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, func(s *registry.Study) {
			s.IDMethod, s.IDTemplate = registry.GeneratedIDs, "P${helper.random(4)}"
		})
		const crowd = 2000 // of 10,000: eleven tries all but never meet taken ones alone
		for range crowd / 1000 {
			changes := make([]registry.Change, 1000)
			for i := range changes {
				changes[i] = r.openClinica("")
			}
			results, err := r.Apply(t.Context(), r.study.ID, changes...)
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range results {
				if result.Err != nil {
					t.Fatal(result.Err)
				}
			}
		}
		page, err := r.Query(t.Context(), r.study.ID, &registry.Query{})
		if err != nil || page.Total != crowd {
			t.Errorf("%+v participants, %v; want %d", page, err, crowd)
		}
	})
}

func TestAccessCodesOfTheService(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		register := r.openClinica("A")
		register.Register = true
		r.must(t, register)
		first, err := r.Find(t.Context(), r.study.ID, "a")
		if err != nil {
			t.Fatal(err)
		}
		code, err := r.AccessCode(first.AccessCode)
		if err != nil || len(code) != 9 {
			t.Fatalf("access code %q, %v", code, err)
		}
		r.must(t, register)
		again, err := r.FindByID(t.Context(), r.study.ID, first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := r.AccessCode(again.AccessCode); err != nil || same != code {
			t.Errorf("access code %q, %v after a repeat; want %q", same, err, code)
		}
		if none, err := r.AccessCode(nil); err != nil || none != "" {
			t.Errorf("access code %q, %v of somebody unregistered", none, err)
		}
	})
}

// TestLooksAsOfAState: who has been read is looked at again only if something has changed since.
func TestLooksAsOfAState(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		r.must(t, r.openClinica("A"))
		list, err := r.Contacts(t.Context(), r.study.ID, r.site, 0, 10)
		if err != nil || len(list.Contacts) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		look := registry.Change{Action: registry.Look, Profile: registry.OpenClinica(), ID: list.Contacts[0].ID}
		results := func() []registry.Result {
			t.Helper()
			batch := &registry.Batch{Group: registry.Group{AsOf: list.State, Looks: func() []registry.Change { return []registry.Change{look} }}}
			results, err := r.ApplyBatch(t.Context(), r.study.ID, batch)
			if err != nil {
				t.Fatal(err)
			}
			return results
		}
		if got := results(); len(got) != 0 {
			t.Errorf("looked at again: %+v", got)
		}
		r.must(t, r.openClinica("B"))
		if got := results(); len(got) != 1 || got[0].Participant == nil {
			t.Errorf("after a change: %+v", got)
		}
	})
}

func TestFindOfNobody(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		if p, err := r.Find(t.Context(), r.study.ID, "A"); p != nil || !fault.HasCode(err, registry.ParticipantUnknown) {
			t.Errorf("found %v, %v; want ParticipantUnknown", p, err)
		}
		if p, err := r.FindByID(t.Context(), r.study.ID, registry.ID{1}); p != nil || fault.KindOf(err) != fault.NotFound {
			t.Errorf("found %v, %v; want ParticipantUnknown", p, err)
		}
	})
}

func TestCatalogFollowsTheStudies(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		first, err := r.Catalog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := r.Catalog(t.Context()); err != nil || again != first {
			t.Errorf("the catalog is read again (%v), though nothing changed", err)
		}
		r.study.Name = "Juno II"
		define(t, r.db, r.study)
		now, err := r.Catalog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if study, err := now.Study("s_juno"); err != nil || study.Name != "Juno II" || now.Version == first.Version {
			t.Errorf("study %+v, %v; want it renamed", study, err)
		}
	})
}

// Decide sees the study as it is in the transaction, whatever the caller saw before.
func TestStudyIsReadInTheTransaction(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		r.must(t, r.openClinica("A"))
		r.study.Status = registry.Frozen
		define(t, r.db, r.study)
		results, err := r.Apply(t.Context(), r.study.ID, r.openClinica("B"))
		if err != nil || results[0].Err == nil || results[0].Err.Code != registry.StudyNotAvailable {
			t.Errorf("answer %v, %v; want the study not available", results, err)
		}
	})
}

func TestBatchEventsAreRemembered(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		r.must(t, r.openClinica("A"))
		results, err := r.ApplyBatch(t.Context(), r.study.ID, &registry.Batch{
			Events: []audit.Event{{Action: audit.ExtractRequested, Origin: audit.Origin{Actor: "ada"}}},
		})
		if err != nil || len(results) != 0 {
			t.Fatalf("answer %v, %v", results, err)
		}
		events := r.events(t)
		last := events[len(events)-1]
		if want := noon.UTC().Truncate(time.Microsecond); last.Action != audit.ExtractRequested || !last.At.Equal(want) || !r.Now().Equal(want) {
			t.Errorf("event %+v, want the request, at %v", last, want)
		}
	})
}

// A job's progress commits with its batch or not at all.
func TestStepsOfJobs(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		job := &jobs.Job{ID: uuid.New(), Study: r.study.ID, Kind: "bulk", State: jobs.InProgress, CreatedAt: noon, UpdatedAt: noon}
		if err := r.db.CreateJob(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
		step := func(part int) func([]registry.Result) *registry.JobStep {
			return func(results []registry.Result) *registry.JobStep {
				return &registry.JobStep{Study: r.study.ID, Job: job.ID, Part: part, Rows: int64(len(results)), Output: []byte(results[0].Participant.OID)}
			}
		}
		batch := &registry.Batch{Group: registry.Group{Changes: []registry.Change{r.openClinica("A"), r.openClinica("B")}}, Step: step(0)}
		if _, err := r.ApplyBatch(t.Context(), r.study.ID, batch); err != nil {
			t.Fatal(err)
		}
		late := &registry.Batch{Group: registry.Group{Changes: []registry.Change{r.openClinica("C")}}, Step: step(5)}
		if _, err := r.ApplyBatch(t.Context(), r.study.ID, late); err == nil {
			t.Error("a step out of order is taken")
		}
		stored, err := r.db.Job(t.Context(), job.ID)
		if err != nil {
			t.Fatal(err)
		}
		if stored.Rows != 2 || stored.Parts != 1 || len(r.all(t)) != 2 {
			t.Errorf("job %+v, %d participants; want two rows, two participants", stored, len(r.all(t)))
		}
	})
}

// Who is erased is taken out of the outputs of jobs, in the same transaction.
func TestErasedPeopleAreTakenOutOfOutputs(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		var kinds []string
		r := setup(t, engine, nil, registry.WithScrubber(func(kind string, to io.Writer, from io.Reader, erased []registry.ErasedName) (bool, error) {
			kinds = append(kinds, kind)
			part, err := io.ReadAll(from)
			before := len(part)
			for _, p := range erased {
				part = bytes.ReplaceAll(part, []byte(p.Identifier), nil)
			}
			if err == nil {
				_, err = to.Write(part)
			}
			return len(part) < before, err
		}))
		job := &jobs.Job{ID: uuid.New(), Study: r.study.ID, Kind: "bulk", State: jobs.InProgress, CreatedAt: noon, UpdatedAt: noon}
		if err := r.db.CreateJob(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
		batch := &registry.Batch{Group: registry.Group{Changes: []registry.Change{r.openClinica("GONE"), r.openClinica("STAYS")}}}
		batch.Step = func([]registry.Result) *registry.JobStep {
			return &registry.JobStep{Study: r.study.ID, Job: job.ID, Rows: 2, Output: []byte("1,GONE\n2,STAYS\n")}
		}
		if _, err := r.ApplyBatch(t.Context(), r.study.ID, batch); err != nil {
			t.Fatal(err)
		}
		if kinds != nil || len(r.Erased()) > 0 {
			t.Errorf("outputs are scrubbed though nobody was erased")
		}
		erase := registry.Change{Action: registry.Delete, Profile: registry.MyDataHelps(), Identifier: "gone"}
		if res := r.must(t, erase); res.Done != registry.Deleted {
			t.Fatalf("answer %+v", res)
		}
		parts, err := r.db.OutputParts(t.Context(), r.study.ID, job.ID, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(bytes.Join(parts, nil)); got != "1,\n2,STAYS\n" || !slices.Equal(kinds, []string{"bulk"}) {
			t.Errorf("output %q of kinds %q, want the erased one out of it", got, kinds)
		}
		erasures, err := r.db.Erasures(t.Context())
		if err != nil || len(erasures) != 1 || len(r.Erased()) != 1 {
			t.Fatalf("erasures %+v, %v, told %d times; want one, remembered and told", erasures, err, len(r.Erased()))
		}
		want := []registry.ErasedName{{Identifier: "GONE", OID: "SS_GONE"}}
		if e := erasures[0]; e.Study != r.study.ID || !e.At.Equal(r.Now()) || !slices.Equal(e.People, want) {
			t.Errorf("erasure %+v, want %+v", e, want)
		}
	})
}

// ruleBook makes rules of a function, as a rule book of segments does of expressions.
type ruleBook func(*registry.Study) ([]registry.Rule, error)

func (b ruleBook) Rules(study *registry.Study) ([]registry.Rule, error) { return b(study) }

func TestSegmentsOfTheService(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		segment := uuid.New()
		book := ruleBook(func(*registry.Study) ([]registry.Rule, error) {
			return []registry.Rule{{Segment: segment, Holds: func(_ *registry.Study, p *registry.Participant, _ time.Time) bool {
				return p.Details[registry.City] == "Ames"
			}}}, nil
		})
		r := setup(t, engine, func(s *registry.Study) {
			s.Segments = []registry.Segment{{ID: segment, Name: "Ames", Rule: "true"}}
		}, registry.WithRules(book))
		ames := r.openClinica("A")
		ames.Edits.Set(registry.City, "Ames")
		p := r.must(t, ames).Participant
		r.must(t, r.openClinica("B"))
		members, err := r.SegmentsOf(t.Context(), r.study.ID, p.ID)
		if err != nil || len(members) != 1 || members[0].Segment != segment {
			t.Errorf("segments %v, %v; want that of Ames", members, err)
		}
		page, err := r.Query(t.Context(), r.study.ID, &registry.Query{Segment: &segment, Limit: 10})
		if err != nil || page.Total != 1 || page.Participants[0].Identifier != "A" {
			t.Errorf("page %+v, %v; want A alone", page, err)
		}
		if found, ok := r.study.Segment(segment); !ok || found.Name != "Ames" {
			t.Errorf("segment %+v, %v", found, ok)
		}
		if _, ok := r.study.Segment(uuid.New()); ok {
			t.Error("a segment that is not defined is found")
		}
	})
}

func TestRulesThatDoNotCompile(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		broken := errors.New("broken")
		r := setup(t, engine, nil, registry.WithRules(ruleBook(func(*registry.Study) ([]registry.Rule, error) { return nil, broken })))
		if results, err := r.Apply(t.Context(), r.study.ID, r.openClinica("A")); !errors.Is(err, broken) || results != nil {
			t.Errorf("answer %v, %v; want the rule's error", results, err)
		}
	})
}

func TestUnknownStudy(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		if results, err := r.Apply(t.Context(), r.study.ID+1, r.openClinica("A")); !fault.HasCode(err, registry.StudyUnknown) || results != nil {
			t.Errorf("answer %v, %v; want the study unknown", results, err)
		}
	})
}
