// Package storetest is the contract of storage engines: named laws, one a subtest, that every
// engine passes without exception. It knows no engine; nothing in it is about SQL.
package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store/trail"
)

// Engine is an open database of the engine under test.
type Engine interface {
	registry.Store
	access.Store
	access.SessionStore
	config.Store
	jobs.Store

	RecordEvents(ctx context.Context, study registry.StudyID, at time.Time, events []audit.Event) error
	AuditEvents(ctx context.Context, filter trail.Filter) ([]trail.Record, error)
	ParticipantEvents(ctx context.Context, study registry.StudyID, id registry.ID, before int64, limit int) ([]audit.Event, error)
	RecentEvents(ctx context.Context, study registry.StudyID, sites []registry.SiteID, limit int) ([]audit.Event, error)
	CheckNumbering(ctx context.Context, study registry.StudyID) (audit.Numbering, error)
	SearchEvents(ctx context.Context, study registry.StudyID, s audit.Search) ([]audit.Event, error)
	TallyVersion(ctx context.Context, study registry.StudyID) (int64, error)
	Tally(ctx context.Context, study registry.StudyID) (*registry.Tally, error)
	ServerKey(ctx context.Context, name string, size int) ([]byte, error)
	Ready(ctx context.Context) error
	Check(ctx context.Context) ([]string, error)
	Close() error
}

// Opener opens one and the same database each time: every Engine that it answers is like a
// process of its own. The database is new and empty the first time.
type Opener func() (Engine, error)

// Run proves every law. Fresh makes a new database and answers its opener; each law has one to
// itself.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	groups := []struct {
		name string
		laws []law
	}{
		{"participants", participantLaws},
		{"text", textLaws},
		{"identifiers", identifierLaws},
		{"lists", listLaws},
		{"queries", queryLaws},
		{"pages", pageLaws},
		{"query model", queryModelLaws},
		{"news", newsLaws},
		{"segments", segmentLaws},
		{"knowledge", loadLaws},
		{"claims", claimLaws},
		{"access codes", codeLaws},
		{"counters", counterLaws},
		{"audit", auditLaws},
		{"overviews", overviewLaws},
		{"searches of the trail", auditSearchLaws},
		{"erasure", erasureLaws},
		{"transactions", transactionLaws},
		{"jobs", jobLaws},
		{"repeated requests", repeatLaws},
		{"steps", stepLaws},
		{"leases", leaseLaws},
		{"outputs", outputLaws},
		{"output files", outputFileLaws},
		{"erasures", rememberedLaws},
		{"definitions", definitionLaws},
		{"people", peopleLaws},
		{"assertions", assertionLaws},
		{"sign-ins", signInLaws},
		{"sessions", sessionLaws},
		{"budgets", budgetLaws},
		{"concurrency", concurrencyLaws},
		{"durability", durabilityLaws},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, l := range group.laws {
				t.Run(l.name, func(t *testing.T) {
					t.Parallel()
					b := newBed(t, fresh(t))
					l.holds(b)
					b.healthy()
				})
			}
		})
	}
}

// law is one thing that holds on every engine. After each, the engine finds nothing wrong with
// its own database.
type law struct {
	name  string
	holds func(b *bed)
}

// bed is what a law is tried on: a database with two studies of two sites each.
type bed struct {
	*testing.T
	Engine

	ctx   context.Context
	open  Opener
	study *registry.Study // with the sites north and south
	other *registry.Study

	north, south registry.SiteID
}

func newBed(t *testing.T, open Opener) *bed {
	b := &bed{T: t, ctx: t.Context(), open: open}
	b.Engine = b.another()
	b.study, b.other = sampleStudy("S_ONE", 1), sampleStudy("S_TWO", 2)
	b.define(func(tx config.Tx) error {
		if err := tx.PutStudy(b.ctx, b.study); err != nil {
			return err
		}
		return tx.PutStudy(b.ctx, b.other)
	})
	b.north, b.south = b.study.Sites[0].ID, b.study.Sites[1].ID
	return b
}

// another opens the same database once more, as another process would.
func (b *bed) another() Engine {
	b.Helper()
	e, err := b.open()
	if err != nil {
		b.Fatalf("open: %v", err)
	}
	b.Cleanup(func() { _ = e.Close() }) // closing twice is allowed
	return e
}

// reopen closes the database and opens it again.
func (b *bed) reopen() {
	b.Helper()
	b.must(b.Close())
	b.Engine = b.another()
}

func (b *bed) healthy() {
	b.Helper()
	problems, err := b.Check(b.ctx)
	b.must(err)
	for _, p := range problems {
		b.Errorf("check: %s", p)
	}
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

// wantKind fails unless err is a fault of that kind.
func (b *bed) wantKind(err error, want fault.Kind) {
	b.Helper()
	if err == nil {
		b.Fatalf("no error, want %s", want)
	}
	if got := fault.KindOf(err); got != want {
		b.Fatalf("%s error (%v), want %s", got, err, want)
	}
}

func (b *bed) wantCode(err error, kind fault.Kind, code fault.Code) {
	b.Helper()
	b.wantKind(err, kind)
	if got := fault.As(err).Code; got != code {
		b.Fatalf("code %q (%v), want %q", got, err, code)
	}
}

// same fails unless got equals want, where empty and nil lists and maps are the same.
func (b *bed) same(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		b.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func (b *bed) define(fn func(tx config.Tx) error) {
	b.Helper()
	b.must(b.Define(b.ctx, func(_ context.Context, tx config.Tx) error { return fn(tx) }))
}

// in runs fn in one transaction of the bed's study.
func (b *bed) in(fn func(tx registry.Tx) error) error {
	return b.inStudy(b.study.ID, fn)
}

func (b *bed) inStudy(study registry.StudyID, fn func(tx registry.Tx) error) error {
	return b.InStudy(b.ctx, study, func(_ context.Context, tx registry.Tx) error { return fn(tx) })
}

// write writes an outcome in a transaction of its own, with the audit events that it must have.
func (b *bed) write(out *registry.Outcome) error {
	remembered(out)
	return b.in(func(tx registry.Tx) error { return tx.Write(b.ctx, now, out) })
}

// remembered adds the audit events that the outcome must have and has not: of everybody who is
// changed or deleted, and of those who are added if it has none at all.
func remembered(out *registry.Outcome) *registry.Outcome {
	told, silent := map[registry.ID]bool{}, len(out.Events) == 0
	for _, e := range out.Events {
		told[e.Participant] = true
	}
	remember := func(id registry.ID, action audit.Action) {
		if !told[id] {
			told[id] = true
			out.Events = append(out.Events, audit.Event{Action: action, Participant: id})
		}
	}
	for _, w := range out.Writes {
		switch {
		case !w.New:
			remember(w.Participant.ID, audit.ParticipantUpdated)
		case silent:
			remember(w.Participant.ID, audit.ParticipantAdded)
		}
	}
	for _, id := range out.Deleted {
		remember(id, audit.ParticipantDeleted)
	}
	return out
}

// add adds participants and counts them.
func (b *bed) add(people ...*registry.Participant) {
	b.Helper()
	b.must(b.write(b.adding(people...)))
}

// adding is the outcome that adds participants to the counters as they are.
func (b *bed) adding(people ...*registry.Participant) *registry.Outcome {
	b.Helper()
	out := &registry.Outcome{Counters: b.counters(b.study.ID)}
	for _, p := range people {
		out.Writes = append(out.Writes, registry.Write{Participant: p, New: true})
		out.Counters.LastSeq = max(out.Counters.LastSeq, p.Seq)
		if p.Counts() {
			out.Counters.Counted++
		}
	}
	return out
}

// updating is the outcome that writes participants who exist.
func updating(people ...*registry.Participant) *registry.Outcome {
	out := &registry.Outcome{}
	for _, p := range people {
		out.Writes = append(out.Writes, registry.Write{Participant: p})
	}
	return out
}

func (b *bed) counters(study registry.StudyID) *registry.Counters {
	b.Helper()
	var counters *registry.Counters
	b.must(b.inStudy(study, func(tx registry.Tx) (err error) {
		counters, err = tx.Counters(b.ctx)
		return err
	}))
	return counters
}

func (b *bed) load(ask *registry.Ask) *registry.Known {
	b.Helper()
	var known *registry.Known
	b.must(b.in(func(tx registry.Tx) (err error) {
		known, err = tx.Load(b.ctx, ask)
		return err
	}))
	return known
}

// byIdentifier finds a participant of the bed's study; nil if there is none.
func (b *bed) byIdentifier(identifier string) *registry.Participant {
	b.Helper()
	p, err := b.ParticipantByIdentifier(b.ctx, b.study.ID, identifier)
	b.must(err)
	return p
}

func (b *bed) byID(id registry.ID) *registry.Participant {
	b.Helper()
	p, err := b.ParticipantByID(b.ctx, b.study.ID, id)
	b.must(err)
	return p
}

// list lists every participant of the bed's study.
func (b *bed) list() []*registry.Participant {
	b.Helper()
	all, err := b.Participants(b.ctx, b.study.ID, nil, 0, 1_000_000)
	b.must(err)
	return all
}

// events reads the whole audit trail of the study.
func (b *bed) events(study registry.StudyID) []trail.Record {
	b.Helper()
	all, err := b.AuditEvents(b.ctx, trail.Filter{Study: &study, Limit: 1_000_000})
	b.must(err)
	return all
}

// now is the time of most tests; it has microseconds.
var now = time.Date(2026, 3, 1, 23, 30, 0, 123456000, time.UTC)

var errOurs = errors.New("an error of ours")

// sampleStudy is a study that exists only here; n tells it from others.
func sampleStudy(oid string, n byte) *registry.Study {
	return &registry.Study{
		OID: oid, GUID: uuid.UUID{0: n}, Identifier: oid[2:], Name: "Study " + oid, Status: registry.Available,
		IDMethod: registry.ManualIDs, BulkContract: registry.BulkCurrent,
		Sites: []registry.Site{
			{OID: oid + "_N", Code: "NORTH", Name: "North", Status: registry.Available},
			{OID: oid + "_S", Code: "SOUTH", Name: "South", Status: registry.Available},
		},
	}
}

// person is a plain participant of the bed's study; seq makes it unlike all others.
func (b *bed) person(seq int64) *registry.Participant { return personOf(b.study.ID, seq) }

func personOf(study registry.StudyID, seq int64) *registry.Participant {
	return &registry.Participant{
		ID: idOf(study, seq), Study: study, Seq: seq, Status: registry.StatusAvailable,
		Identifier: fmt.Sprintf("P-%04d", seq), OID: fmt.Sprintf("SS_P%04d", seq), LinkID: uuid.UUID{15: 7},
		CreatedAt: now, CreatedBy: "clara", UpdatedAt: now, UpdatedBy: "clara",
	}
}

func idOf(study registry.StudyID, seq int64) registry.ID {
	var id registry.ID
	binary.BigEndian.PutUint64(id[:], uint64(seq))
	binary.BigEndian.PutUint64(id[8:], uint64(study)<<32|0xabcd)
	return id
}

// people are plain participants with sequence numbers from 1 on.
func (b *bed) people(n int) []*registry.Participant {
	all := make([]*registry.Participant, n)
	for i := range all {
		all[i] = b.person(int64(i) + 1)
	}
	return all
}

// copyOf is a copy that can be changed.
func copyOf(p *registry.Participant) *registry.Participant {
	c := *p
	return &c
}

func seqs(people []*registry.Participant) []int64 {
	var all []int64
	for _, p := range people {
		all = append(all, p.Seq)
	}
	return all
}

func sortedSeqs(people []*registry.Participant) []int64 {
	all := seqs(people)
	slices.Sort(all)
	return all
}

func emailOf(key string) registry.Claim {
	return registry.Claim{Kind: registry.EmailContact, Key: key}
}

func phoneOf(key string) registry.Claim {
	return registry.Claim{Kind: registry.PhoneContact, Key: key}
}
