package sqlite

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/registry"
)

// BenchmarkWrite writes batches of new participants, each with an audit event of eleven field
// changes and two claims, as an import does.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("batch of %d", size), func(b *testing.B) {
			ctx := context.Background()
			db, study := benchDB(b)
			at := time.UnixMicro(1_700_000_000_000_000)
			seq := int64(0)
			for b.Loop() {
				err := db.InStudy(ctx, study, func(ctx context.Context, t registry.Tx) error {
					out, ask := benchOutcome(study, seq, size, at)
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

func benchDB(b *testing.B) (*DB, registry.StudyID) {
	ctx := context.Background()
	db, err := Open(ctx, Config{Path: filepath.Join(b.TempDir(), "bench.db"), Migrate: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	study := &registry.Study{OID: "S_BENCH", GUID: uuid.UUID{1}, Status: registry.Available}
	err = db.Define(ctx, func(ctx context.Context, t config.Tx) error { return t.PutStudy(ctx, study) })
	if err != nil {
		b.Fatal(err)
	}
	return db, study.ID
}

func benchOutcome(study registry.StudyID, after int64, size int, at time.Time) (*registry.Outcome, *registry.Ask) {
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

func benchParticipant(study registry.StudyID, seq int64, at time.Time) *registry.Participant {
	p := &registry.Participant{
		Study: study, Seq: seq, Site: 1, Status: registry.StatusAvailable,
		Identifier: fmt.Sprintf("p-%08x-%07d", rand.Uint32(), seq), OID: fmt.Sprintf("SS_%08X%d", rand.Uint32(), seq),
		CreatedAt: at, CreatedBy: "bench", UpdatedAt: at, UpdatedBy: "bench",
	}
	binary.BigEndian.PutUint64(p.ID[:], uint64(seq))
	binary.BigEndian.PutUint64(p.ID[8:], rand.Uint64())
	p.LinkID = uuid.UUID{2}
	for f, v := range map[registry.Field]string{
		registry.FirstName: "Anneliese", registry.MiddleName: "M", registry.LastName: "Oberhauser",
		registry.SecondaryID: "HOSP-12345", registry.Street1: "12 Long Lane", registry.City: "Springfield",
		registry.Country: "USA", registry.PostalCode: "12345", registry.DateOfBirth: "1980-01-02",
		registry.Email:       fmt.Sprintf("%08x.%d@example.org", rand.Uint32(), seq),
		registry.MobilePhone: fmt.Sprintf("+1 %010d", seq),
	} {
		p.Details[f] = v
	}
	return p
}
