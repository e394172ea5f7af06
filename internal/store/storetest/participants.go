package storetest

import (
	"time"

	"github.com/google/uuid"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

var participantLaws = []law{
	{"a participant reads back as written, whichever way it is read", func(b *bed) {
		want := fullPerson(b, 1)
		b.add(want)
		b.same("by identifier", want, b.byIdentifier(want.Identifier))
		b.same("by id", want, b.byID(want.ID))
		b.same("in the list", []*registry.Participant{want}, b.list())
		b.same("in a transaction", []*registry.Participant{want},
			b.load(&registry.Ask{Identifiers: []string{registry.Fold(want.Identifier)}}).Participants)
	}},
	{"what is not set reads back as not set", func(b *bed) {
		want := b.person(1)
		b.add(want)
		got := b.byID(want.ID)
		b.same("participant", want, got)
		if got.Custom != nil || got.AccessCode != nil || !got.EnrolledAt.IsZero() || !got.WithdrawnAt.IsZero() {
			b.Errorf("custom %v, code %v, enrolled %v, withdrawn %v; want nothing", got.Custom, got.AccessCode, got.EnrolledAt, got.WithdrawnAt)
		}
	}},
	{"times come back in UTC to the microsecond, also those before 1970", func(b *bed) {
		want := b.person(1)
		zone := time.FixedZone("far east", 14*3600)
		want.EnrolledAt = time.Date(1932, 2, 29, 3, 4, 5, 6000, zone)
		want.WithdrawnAt = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
		b.add(want)
		got := b.byID(want.ID)
		if !got.EnrolledAt.Equal(want.EnrolledAt) || got.EnrolledAt.Location() != time.UTC {
			b.Errorf("enrolled at %v, want %v in UTC", got.EnrolledAt, want.EnrolledAt)
		}
		if !got.Withdrawn() || !got.WithdrawnAt.Equal(want.WithdrawnAt) {
			b.Errorf("withdrawn at %v, want %v", got.WithdrawnAt, want.WithdrawnAt)
		}
	}},
	{"an update replaces all that can change", func(b *bed) {
		before := b.person(1)
		b.add(before)
		want := fullPerson(b, 1)
		b.must(b.write(withCounted(b, updating(want), -1))) // the full person has withdrawn
		b.same("participant", want, b.byID(want.ID))
	}},
	{"an update can clear everything again", func(b *bed) {
		b.add(fullPerson(b, 1))
		want := b.person(1)
		b.must(b.write(withCounted(b, updating(want), 1)))
		b.same("participant", want, b.byID(want.ID))
	}},
	{"an update touches nobody else", func(b *bed) {
		people := b.people(3)
		b.add(people...)
		changed := copyOf(people[1])
		changed.Details[registry.City] = "Ulm"
		b.must(b.write(updating(changed)))
		b.same("list", []*registry.Participant{people[0], changed, people[2]}, b.list())
	}},
	{"an update of nobody is refused", func(b *bed) {
		b.add(b.person(1))
		if err := b.write(updating(b.person(2))); err == nil {
			b.Fatal("no error")
		}
		b.same("participants", []int64{1}, seqs(b.list()))
	}},
	{"a batch of thousands is written whole", func(b *bed) {
		want := b.people(2345)
		b.add(want...)
		b.same("list", want, b.list())
	}},
	{"removed and withdrawn participants are found like others", func(b *bed) {
		removed, withdrawn := b.person(1), b.person(2)
		removed.Status, withdrawn.WithdrawnAt = registry.StatusRemoved, now
		b.add(removed, withdrawn)
		b.same("removed", removed, b.byIdentifier(removed.Identifier))
		b.same("withdrawn", withdrawn, b.byIdentifier(withdrawn.Identifier))
		b.same("list", []int64{1, 2}, seqs(b.list()))
	}},
	{"nobody is nil and no error", func(b *bed) {
		b.add(b.person(1))
		if p := b.byIdentifier("P-9999"); p != nil {
			b.Errorf("by identifier: %+v", p)
		}
		if p := b.byID(registry.ID{9}); p != nil {
			b.Errorf("by id: %+v", p)
		}
		elsewhere, err := b.ParticipantByIdentifier(b.ctx, b.other.ID, "P-0001")
		b.must(err)
		if elsewhere != nil {
			b.Errorf("in another study: %+v", elsewhere)
		}
		nowhere, err := b.ParticipantByID(b.ctx, 987654, b.person(1).ID)
		b.must(err)
		if nowhere != nil {
			b.Errorf("in an unknown study: %+v", nowhere)
		}
	}},
	{"writing to an unknown study is refused", func(b *bed) {
		p := personOf(987654, 1)
		err := b.inStudy(987654, func(tx registry.Tx) error {
			return tx.Write(b.ctx, now, remembered(&registry.Outcome{
				Writes:   []registry.Write{{Participant: p, New: true}},
				Counters: &registry.Counters{LastSeq: 1, Counted: 1},
			}))
		})
		b.wantCode(err, fault.NotFound, registry.StudyUnknown)
		got, err := b.ParticipantByID(b.ctx, 987654, p.ID)
		b.must(err)
		if got != nil {
			b.Errorf("stored all the same: %+v", got)
		}
	}},
}

// withCounted adds counters to an outcome in which so many more count.
func withCounted(b *bed, out *registry.Outcome, more int64) *registry.Outcome {
	out.Counters = b.counters(b.study.ID)
	out.Counters.Counted += more
	return out
}

// fullPerson has every field set, and has withdrawn.
func fullPerson(b *bed, seq int64) *registry.Participant {
	p := b.person(seq)
	p.Site = b.south
	p.Identifier, p.OID = "Grün-ẞ/01", "SS_GRN01"
	for _, f := range registry.Fields() {
		p.Details[f] = "the " + f.String()
	}
	p.Custom = map[string]string{"Shoe size": "43½", "Ärztin": `"quoted" \ <&>`, "empty": ""}
	p.Status = registry.StatusLocked
	p.Participate, p.AccessCode = registry.ParticipateCreated, registry.SealedCode{0, 1, 2, 0xff, 0}
	p.Invitation = registry.InvitationApproved
	p.Enrolled, p.EnrolledAt = true, now.Add(time.Microsecond)
	p.WithdrawnAt = now.Add(2 * time.Microsecond)
	p.ExcludeFromExport, p.LinkID = true, uuid.UUID{1, 2, 3}
	p.CreatedAt, p.CreatedBy = now.Add(-time.Hour), "dora"
	p.UpdatedAt, p.UpdatedBy = now.Add(time.Hour), "emil"
	return p
}
