package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store"
	"rollcall/internal/store/trail"
)

var copyTime = time.UnixMicro(1_700_000_000_000_123).UTC()

func openStore(t *testing.T, c store.Config) store.Store {
	t.Helper()
	c.Migrate = true
	st, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// filled is a registry with something in every table that a copy has.
func filled(t *testing.T, c store.Config, people int64) (store.Store, *registry.Study) {
	t.Helper()
	ctx := t.Context()
	st := openStore(t, c)
	study := &registry.Study{
		OID: "S_ONE", GUID: uuid.UUID{1}, Name: "One \x00 é", Status: registry.Available, Participate: true,
		Sites:        []registry.Site{{OID: "S_N", Code: "N", Status: registry.Available}},
		CustomFields: []registry.CustomField{{Name: "Note", Type: registry.TextField}},
		Segments:     []registry.Segment{{ID: uuid.UUID{7}, Name: "all", Rule: "true"}},
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := st.ServerKey(ctx, "sealing", 32)
	must(err)
	must(st.Define(ctx, func(ctx context.Context, d config.Tx) error {
		if err := d.PutStudy(ctx, study); err != nil {
			return err
		}
		user := &access.User{Username: "Dana", PasswordHash: "x", Grants: []access.Grant{{Study: study.ID, Role: access.DataManager}}}
		account := &access.ServiceAccount{Name: "app", Studies: []registry.StudyID{study.ID}, Keys: []string{"PEM"}}
		return errors.Join(d.PutUser(ctx, user), d.PutServiceAccount(ctx, account),
			d.Record(ctx, 0, copyTime, []audit.Event{{Action: audit.StudyChanged, Identifier: "S_ONE"}}))
	}))
	job := &jobs.Job{
		ID: uuid.UUID{9}, Study: study.ID, Kind: "bulk", State: jobs.Queued, Params: []byte{0, 255}, CreatedAt: copyTime, UpdatedAt: copyTime,
	}
	must(st.CreateJob(ctx, job, []audit.Event{{Action: audit.BulkSubmitted}}))
	taken, err := st.TakeJob(ctx, study.ID, job.ID, "node", 0, copyTime)
	must(err)
	must(st.InStudy(ctx, study.ID, func(ctx context.Context, tx registry.Tx) error {
		out := peopleOutcome(study.ID, people)
		if err := tx.Write(ctx, copyTime, out); err != nil {
			return err
		}
		if err := tx.RememberErasure(ctx, &registry.Erasure{
			ID: uuid.UUID{3}, Study: study.ID, At: copyTime, People: []registry.ErasedName{{Identifier: "gone", OID: "SS_GONE"}},
		}); err != nil {
			return err
		}
		return tx.SaveStep(ctx, &registry.JobStep{
			Study: study.ID, Job: job.ID, Lease: taken.Lease, Cursor: []byte{1}, Rows: 5, Output: []byte("a\x00b"), At: copyTime,
		})
	}))
	_, err = st.UseAssertion(ctx, "app", "jti", copyTime.Add(time.Hour), copyTime)
	must(err)
	must(st.BeginSession(ctx, &access.Session{Key: "key", Username: "dana", Stamp: "stamp", BegunAt: copyTime, Until: copyTime.Add(time.Hour)}, copyTime))
	return st, study
}

func peopleOutcome(study registry.StudyID, people int64) *registry.Outcome {
	out := &registry.Outcome{
		Claimed: map[registry.Claim]registry.ID{}, Codes: map[registry.Fingerprint]registry.ID{},
		Counters: &registry.Counters{LastSeq: people, Counted: people, Numbered: map[registry.SiteID]int64{0: people}},
	}
	for seq := int64(1); seq <= people; seq++ {
		p := &registry.Participant{
			ID: uuid.UUID{8: byte(seq >> 8), 15: byte(seq)}, Study: study, Seq: seq, Identifier: fmt.Sprintf("P-%05d", seq),
			OID: fmt.Sprintf("SS_%05d", seq), Status: registry.StatusAvailable, Custom: map[string]string{"Note": fmt.Sprintf("Ärger %d \x01\x03\x04\x02", seq)},
			LinkID: uuid.UUID{5}, EnrolledAt: copyTime, Enrolled: true, AccessCode: []byte{1, 2, byte(seq)},
			CreatedAt: copyTime, UpdatedAt: copyTime, CreatedBy: "dana", UpdatedBy: "dana",
		}
		p.Details[registry.LastName] = fmt.Sprintf("Müller %d", seq)
		out.Writes = append(out.Writes, registry.Write{Participant: p, New: true})
		out.Claimed[registry.Claim{Kind: registry.EmailContact, Key: fmt.Sprintf("p%d@example.org", seq)}] = p.ID
		out.Codes[registry.Fingerprint{0: byte(seq), 1: byte(seq >> 8)}] = p.ID
		out.Memberships = append(out.Memberships, registry.Membership{Segment: uuid.UUID{7}, Participant: p.ID, Member: true})
		out.Invited = append(out.Invited, p.ID)
		out.Events = append(out.Events, audit.Event{
			Action: audit.ParticipantAdded, Participant: p.ID, Identifier: p.Identifier,
			Fields: []audit.FieldChange{{Field: "lastName", New: p.Details[registry.LastName]}},
		})
	}
	return out
}

func noProgress(string, string, int64, int64) {}

// picture is what clients see of a registry.
type picture struct {
	Studies      []*registry.Study
	Participants []*registry.Participant
	Found        *registry.Page
	Events       []trail.Record
	Job          *jobs.Job
	Output       [][]byte
	Key          []byte
	Erasures     []registry.Erasure
	Segments     []registry.SegmentMember
}

func look(t *testing.T, st store.Store, study *registry.Study) picture {
	t.Helper()
	ctx := t.Context()
	var p picture
	catalog, err := st.Catalog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.Studies = catalog.Studies()
	var errs [8]error
	p.Participants, errs[0] = st.Participants(ctx, study.ID, nil, 0, 100_000)
	p.Found, errs[1] = st.Query(ctx, study.ID, &registry.Query{Text: "MÜLLER 1", Limit: 10, Sort: registry.Sort{Key: registry.ByField, Field: registry.LastName}})
	p.Events, errs[2] = st.AuditEvents(ctx, trail.Filter{Limit: 100_000})
	p.Job, errs[3] = st.Job(ctx, uuid.UUID{9})
	p.Output, errs[4] = st.OutputParts(ctx, study.ID, uuid.UUID{9}, 0, 10)
	p.Key, errs[5] = st.ServerKey(ctx, "sealing", 32)
	p.Erasures, errs[6] = st.Erasures(ctx)
	p.Segments, errs[7] = st.SegmentsOf(ctx, study.ID, p.Participants[0].ID)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	p.Job.Node = "" // a copy's jobs are nobody's
	return p
}

// TestCopy copies from each engine to each: the copy holds the same, passes its own check, and
// gives out new numbers after the old.
func TestCopy(t *testing.T) {
	t.Parallel()
	engines := map[string]func(t *testing.T) store.Config{
		"sqlite":   func(t *testing.T) store.Config { return store.Config{DataDir: t.TempDir()} },
		"postgres": func(t *testing.T) store.Config { return store.Config{DatabaseURL: server.Database(t)} },
	}
	for fromName, from := range engines {
		for toName, to := range engines {
			t.Run(fromName+" to "+toName, func(t *testing.T) {
				t.Parallel()
				source, study := filled(t, from(t), 2500)
				target := openStore(t, to(t))
				sums, err := store.Copy(t.Context(), source, target, nil, noProgress)
				if err != nil {
					t.Fatal(err)
				}
				for _, sum := range sums {
					if sum.Rows == 0 && sum.Table != "site_counters" {
						t.Errorf("the test has nothing in %s", sum.Table)
					}
				}
				if diff := cmp.Diff(look(t, source, study), look(t, target, study)); diff != "" {
					t.Errorf("(-source +copy):\n%.3000s", diff)
				}
				if problems, err := target.Check(t.Context()); err != nil || len(problems) > 0 {
					t.Errorf("check: %q, %v", problems, err)
				}
				if err := target.Whole(t.Context()); err != nil {
					t.Errorf("whole: %v", err)
				}
				next := &registry.Study{OID: "S_TWO", GUID: uuid.UUID{2}, Status: registry.Available, Sites: []registry.Site{{OID: "S_X", Code: "X"}}}
				if err := target.Define(t.Context(), func(ctx context.Context, d config.Tx) error { return d.PutStudy(ctx, next) }); err != nil {
					t.Fatal(err)
				}
				if next.ID <= study.ID || next.Sites[0].ID <= study.Sites[0].ID {
					t.Errorf("study %d and site %d are given out again", next.ID, next.Sites[0].ID)
				}
			})
		}
	}
}

// TestCopyGoesOn: a copy that is cut off at any point is marked as unfinished, and goes on when
// it is run again.
func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	source, study := filled(t, store.Config{DataDir: t.TempDir()}, 2500)
	for _, at := range []int{1, 4, 13, 17, 25, 40, 60} {
		t.Run(fmt.Sprint("after ", at, " steps"), func(t *testing.T) {
			t.Parallel()
			c := store.Config{DatabaseURL: server.Database(t)}
			target := openStore(t, c)
			ctx, cut := context.WithCancel(t.Context())
			steps := 0
			_, err := store.Copy(ctx, source, target, nil, func(string, string, int64, int64) {
				if steps++; steps == at {
					cut()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("cut off: %v", err)
			}
			if err := target.Whole(t.Context()); fault.KindOf(err) != fault.Conflict {
				t.Errorf("an unfinished copy: %v, want Conflict", err)
			}
			if _, err := store.Copy(t.Context(), source, openStore(t, c), nil, noProgress); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(look(t, source, study), look(t, target, study)); diff != "" {
				t.Errorf("(-source +copy):\n%.3000s", diff)
			}
		})
	}
}

// TestCopyRefuses: a copy is not made over another registry, nor of half a one.
func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	source, _ := filled(t, store.Config{DataDir: t.TempDir()}, 3)
	other, _ := filled(t, store.Config{DataDir: t.TempDir()}, 3)
	if _, err := store.Copy(t.Context(), source, other, nil, noProgress); fault.KindOf(err) != fault.Conflict {
		t.Errorf("onto another registry: %v, want Conflict", err)
	}
	half := openStore(t, store.Config{DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "half.db")})
	ctx, cut := context.WithCancel(t.Context())
	_, err := store.Copy(ctx, source, half, nil, func(_, table string, _, _ int64) {
		if table == "participants" {
			cut()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := store.Copy(t.Context(), other, half, nil, noProgress); fault.KindOf(err) != fault.Conflict {
		t.Errorf("onto half of another: %v, want Conflict", err)
	}
	empty := openStore(t, store.Config{DataDir: t.TempDir()})
	if _, err := store.Copy(t.Context(), half, empty, nil, noProgress); fault.KindOf(err) != fault.Conflict {
		t.Errorf("of a half: %v, want Conflict", err)
	}
}
