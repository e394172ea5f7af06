package storetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/registry"
)

// BenchmarkWrite writes batches of new participants, each with an audit event of eleven field
// changes and two claims, as an import does.
func BenchmarkWrite(b *testing.B, fresh func(b *testing.B) Opener) {
	for _, size := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("batch of %d", size), func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			db, study := benchDB(b, fresh(b))
			at := time.UnixMicro(1_700_000_000_000_000)
			seq := int64(0)
			for b.Loop() {
				err := db.InStudy(ctx, study, func(ctx context.Context, t registry.Tx) error {
					out, ask := Adding(study, seq, size, at)
					if _, err := t.Study(ctx); err != nil {
						return err
					}
					if _, err := t.Counters(ctx); err != nil {
						return err
					}
					if _, err := t.Load(ctx, ask); err != nil {
						return err
					}
					return t.Write(ctx, at, out)
				})
				if err != nil {
					b.Fatal(err)
				}
				seq += int64(size)
			}
			b.ReportMetric(float64(seq)/b.Elapsed().Seconds(), "participants/s")
		})
	}
}

// benchDB opens a database and defines a study in it.
func benchDB(b *testing.B, open Opener, segments ...registry.Segment) (Engine, registry.StudyID) {
	b.Helper()
	db, err := open()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	study := &registry.Study{OID: "S_BENCH", GUID: uuid.UUID{1}, Status: registry.Available, Segments: segments}
	err = db.Define(context.Background(), func(ctx context.Context, t config.Tx) error { return t.PutStudy(ctx, study) })
	if err != nil {
		b.Fatal(err)
	}
	return db, study.ID
}

// Adding is the outcome that adds so many participants after a number, each with an audit event
// and two claims, and what an import asks before.
func Adding(study registry.StudyID, after int64, size int, at time.Time) (*registry.Outcome, *registry.Ask) {
	out := &registry.Outcome{
		Claimed:  map[registry.Claim]registry.ID{},
		Counters: &registry.Counters{LastSeq: after + int64(size), Counted: after + int64(size), Numbered: map[registry.SiteID]int64{1: after + int64(size)}},
	}
	ask := &registry.Ask{}
	for i := range size {
		p := benchParticipant(study, after+int64(i)+1, at)
		email := registry.Claim{Kind: registry.EmailContact, Key: p.Details[registry.Email]}
		phone := registry.Claim{Kind: registry.PhoneContact, Key: p.Details[registry.MobilePhone]}
		out.Writes = append(out.Writes, registry.Write{Participant: p, New: true})
		out.Claimed[email], out.Claimed[phone] = p.ID, p.ID
		event := audit.Event{
			Origin: audit.Origin{Actor: "bench", Role: "data manager", Dialect: "openclinica", RequestID: "r"},
			Action: audit.ParticipantAdded, Participant: p.ID, Identifier: p.Identifier,
		}
		for _, f := range registry.Fields() {
			if p.Details[f] != "" {
				event.Fields = append(event.Fields, audit.FieldChange{Field: f.String(), New: p.Details[f]})
			}
		}
		out.Events = append(out.Events, event)
		ask.Identifiers = append(ask.Identifiers, p.Identifier)
		ask.OIDs = append(ask.OIDs, p.OID)
		ask.Claims = append(ask.Claims, email, phone)
	}
	return out, ask
}

// scattered is a number that follows from another in no visible order, as identifiers and
// addresses of an import do.
func scattered(n int64) uint32 { return uint32(uint64(n) * 0x9e3779b97f4a7c15 >> 32) }

func benchParticipant(study registry.StudyID, seq int64, at time.Time) *registry.Participant {
	p := &registry.Participant{
		Study: study, Seq: seq, Site: 1, Status: registry.StatusAvailable,
		Identifier: fmt.Sprintf("p-%08x-%07d", scattered(seq), seq), OID: fmt.Sprintf("SS_%08X%d", scattered(seq), seq),
		CreatedAt: at, CreatedBy: "bench", UpdatedAt: at, UpdatedBy: "bench",
	}
	binary.BigEndian.PutUint64(p.ID[:], uint64(seq))
	binary.BigEndian.PutUint64(p.ID[8:], uint64(scattered(seq)))
	p.LinkID = uuid.UUID{2}
	for f, v := range map[registry.Field]string{
		registry.FirstName: "Anneliese", registry.MiddleName: "M", registry.LastName: "Oberhauser",
		registry.SecondaryID: "HOSP-12345", registry.Street1: "12 Long Lane", registry.City: "Springfield",
		registry.Country: "USA", registry.PostalCode: "12345", registry.DateOfBirth: "1980-01-02",
		registry.Email:       fmt.Sprintf("%08x.%d@example.org", scattered(seq), seq),
		registry.MobilePhone: fmt.Sprintf("+1 %010d", seq),
	} {
		p.Details[f] = v
	}
	return p
}

// benchPeople is how many participants BenchmarkQuery asks about.
const benchPeople = 100_000

// BenchmarkQuery asks a study of a hundred thousand participants, a third of them members of
// a segment, for pages of a hundred.
func BenchmarkQuery(b *testing.B, fresh func(b *testing.B) Opener) {
	db, study := queryBenchDB(b, fresh(b))
	every := uuid.UUID{3}
	site := registry.SiteID(1)
	lastName := registry.Filter{Field: registry.LastName, Value: "oberhauser-00777"}
	for _, bench := range []struct {
		name string
		q    registry.Query
	}{
		{"first page", registry.Query{}},
		{"last page", registry.Query{Offset: benchPeople - 100}},
		{"last page descending", registry.Query{Offset: benchPeople - 100, Sort: registry.Sort{Descending: true}}},
		{"page of a site", registry.Query{Site: &site, Offset: 1000}},
		{"text that one has", registry.Query{Text: "P-0012345"}},
		{"text that all have", registry.Query{Text: "example.org"}},
		{"text that nobody has", registry.Query{Text: "nobody at all"}},
		{"last name", registry.Query{Filters: []registry.Filter{lastName}}},
		{"custom field", registry.Query{Filters: []registry.Filter{{Custom: "Dose", Value: "777"}}}},
		{"by last name", registry.Query{Sort: registry.Sort{Key: registry.ByField, Field: registry.LastName}}},
		{"by last name, last page", registry.Query{Offset: benchPeople - 100, Sort: registry.Sort{Key: registry.ByField, Field: registry.LastName}}},
		{"by identifier", registry.Query{Offset: 1000, Sort: registry.Sort{Key: registry.ByIdentifier}}},
		{"by custom number", registry.Query{Sort: registry.Sort{Key: registry.ByCustom, Custom: registry.CustomField{Name: "Dose", Type: registry.IntegerField}}}},
		{"segment", registry.Query{Segment: &every}},
		{"segment, last page", registry.Query{Segment: &every, Offset: benchPeople/3 - 100}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			q := bench.q
			q.Limit = 100
			for b.Loop() {
				if _, err := db.Query(context.Background(), study, &q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func queryBenchDB(b *testing.B, open Opener) (Engine, registry.StudyID) {
	b.Helper()
	ctx := context.Background()
	third := registry.Segment{ID: uuid.UUID{3}, Name: "Third", Rule: "true"}
	db, study := benchDB(b, open, third)
	at := time.UnixMicro(1_700_000_000_000_000)
	for after := int64(0); after < benchPeople; after += 5000 {
		err := db.InStudy(ctx, study, func(ctx context.Context, t registry.Tx) error {
			out := &registry.Outcome{}
			for seq := after + 1; seq <= after+5000; seq++ {
				p := queryBenchParticipant(study, seq, at)
				out.Writes = append(out.Writes, registry.Write{Participant: p, New: true})
				if seq%3 == 0 {
					out.Memberships = append(out.Memberships, registry.Membership{Segment: third.ID, Participant: p.ID, Member: true})
				}
			}
			return t.Write(ctx, at, out)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return db, study
}

func queryBenchParticipant(study registry.StudyID, seq int64, at time.Time) *registry.Participant {
	p := benchParticipant(study, seq, at)
	p.Identifier = fmt.Sprintf("P-%07d", seq*7919%benchPeople)
	p.OID = fmt.Sprintf("SS_P%07d", seq)
	p.Site = registry.SiteID(seq % 10)
	p.Details[registry.LastName] = fmt.Sprintf("Oberhauser-%05d", seq*31%1000)
	p.Custom = map[string]string{"Dose": fmt.Sprint(seq * 17 % 10_000), "Note": "seen in spring"}
	return p
}
