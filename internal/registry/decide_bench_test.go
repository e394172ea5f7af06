package registry

import (
	"fmt"
	"testing"

	"rollcall/internal/audit"
)

// BenchmarkDecide decides chunks of new participants, from naming what has to be known to the
// outcome, as each transaction of an import and of a bulk request does.
func BenchmarkDecide(b *testing.B) {
	study := juno()
	for _, bench := range []struct {
		name  string
		group Group
	}{
		{"import of 1000", Group{Changes: benchImport(1000)}},
		{"all or nothing, 500", Group{Changes: benchBulk(500), AllOrNothing: true}},
		{"one", Group{Changes: benchImport(1)}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			groups := []Group{bench.group}
			for b.Loop() {
				before := NewBefore(juneMorning, [32]byte{1}, &Counters{Numbered: map[SiteID]int64{}}, nil)
				ask := FirstAsk(groups, nil)
				before.Learn(ask, &Known{})
				out := Decide(study, before, groups)
				if out.Missing != nil || len(out.Writes) != len(bench.group.Changes) {
					b.Fatalf("missing %v, %d written", out.Missing, len(out.Writes))
				}
			}
		})
	}
}

func benchChange(profile *Profile, i int) Change {
	c := Change{
		Profile: profile, Place: At(ohio), Identifier: fmt.Sprintf("P-%08X", uint32(i)*2_654_435_761), //nolint:gosec // wraps around
		Origin: audit.Origin{Actor: "carla", Role: "crc", Dialect: profile.Name, RequestID: "r"},
	}
	for f, value := range map[Field]string{
		FirstName: "Anneliese", LastName: "Oberhauser", Email: fmt.Sprintf("anneliese.%d@example.org", i),
		MobilePhone: fmt.Sprintf("+1 %010d", 2_000_000_000+i), SecondaryID: fmt.Sprintf("H-%07d", i),
	} {
		c.Edits.Set(f, value)
	}
	return c
}

func benchImport(size int) []Change {
	changes := make([]Change, size)
	for i := range changes {
		changes[i] = benchChange(OpenClinica(), i)
	}
	return changes
}

func benchBulk(size int) []Change {
	changes := make([]Change, size)
	for i := range changes {
		changes[i] = benchChange(MyDataHelps(), i)
		changes[i].Custom = map[string]string{"Notes": "seen", "Visits": "7", "Weight": "71.5", "Smoker": "true", "Diagnosed": "2020-01-02"}
	}
	return changes
}
