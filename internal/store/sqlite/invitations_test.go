package sqlite

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/registry"
	"rollcall/internal/store/storetest"
)

// TestInvitations: an invitation is queued once, stays as it is when it is asked for again, and
// goes with its participant. Nothing reads the queue yet, so this looks at the table.
func TestInvitations(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, study := testDB(t, Config{})
	write := func(at time.Time, out *registry.Outcome) {
		t.Helper()
		if err := db.InStudy(ctx, study, func(ctx context.Context, tx registry.Tx) error { return tx.Write(ctx, at, out) }); err != nil {
			t.Fatal(err)
		}
	}
	type invitation struct {
		Participant              registry.ID
		State                    string
		Attempts, Queued, Update int64
	}
	read := func() []invitation {
		t.Helper()
		rows, err := db.read.QueryContext(ctx,
			"SELECT participant_id, state, attempts, queued_at, updated_at FROM invitations WHERE study_id = $1 ORDER BY participant_id", int64(study))
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var all []invitation
		for rows.Next() {
			var i invitation
			if err := rows.Scan(&i.Participant, &i.State, &i.Attempts, &i.Queued, &i.Update); err != nil {
				t.Fatal(err)
			}
			all = append(all, i)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	out, _ := storetest.Adding(study, 0, 2, testTime)
	first, second := out.Writes[0].Participant.ID, out.Writes[1].Participant.ID
	out.Invited = []registry.ID{first, second}
	write(testTime, out)
	at := testTime.UnixMicro()
	want := []invitation{{first, "queued", 0, at, at}, {second, "queued", 0, at, at}}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Fatalf("queued (-want +got):\n%s", diff)
	}
	write(testTime.Add(time.Hour), &registry.Outcome{Invited: []registry.ID{second, first}})
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("asked for again (-want +got):\n%s", diff)
	}
	write(testTime, &registry.Outcome{Deleted: []registry.ID{first}, Events: deletion(first)})
	if diff := cmp.Diff(want[1:], read()); diff != "" {
		t.Errorf("erased (-want +got):\n%s", diff)
	}
}
