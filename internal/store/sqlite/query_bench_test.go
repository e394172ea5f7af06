package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/config"
	"rollcall/internal/registry"
)

// benchPeople is how many participants BenchmarkQuery asks about.
const benchPeople = 100_000

// BenchmarkQuery asks a study of a hundred thousand participants, a third of them members of
// a segment, for pages of a hundred.
func BenchmarkQuery(b *testing.B) {
	db, study := queryBenchDB(b)
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

func queryBenchDB(b *testing.B) (*DB, registry.StudyID) {
	b.Helper()
	ctx := context.Background()
	db, err := Open(ctx, Config{Path: filepath.Join(b.TempDir(), "bench.db"), Migrate: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	third := registry.Segment{ID: uuid.UUID{3}, Name: "Third", Rule: "true"}
	study := &registry.Study{OID: "S_BENCH", GUID: uuid.UUID{1}, Status: registry.Available, Segments: []registry.Segment{third}}
	if err := db.Define(ctx, func(ctx context.Context, t config.Tx) error { return t.PutStudy(ctx, study) }); err != nil {
		b.Fatal(err)
	}
	at := time.UnixMicro(1_700_000_000_000_000)
	for after := int64(0); after < benchPeople; after += 5000 {
		err := db.InStudy(ctx, study.ID, func(ctx context.Context, t registry.Tx) error {
			out := &registry.Outcome{}
			for seq := after + 1; seq <= after+5000; seq++ {
				p := queryBenchParticipant(study.ID, seq, at)
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
	return db, study.ID
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
