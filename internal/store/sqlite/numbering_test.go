package sqlite

import (
	"context"
	"testing"

	"rollcall/internal/audit"
)

// TestNumberingFindsLosses: whatever event is taken away, the numbers tell.
func TestNumberingFindsLosses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, lost := range []string{"seq = 1", "seq = 3", "seq = 4"} {
		db, study := testDB(t, Config{})
		events := []audit.Event{{Action: audit.StudyChanged, Fields: []audit.FieldChange{{Field: "a"}, {Field: "b"}}}, {Action: audit.StudyChanged}, {Action: audit.StudyChanged}}
		if err := db.RecordEvents(ctx, study, testTime, events); err != nil {
			t.Fatal(err)
		}
		if err := db.write.begin(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := db.write.conn.ExecContext(ctx, "DELETE FROM audit_events WHERE "+lost); err != nil {
			t.Fatal(err)
		}
		if err := db.write.commit(ctx); err != nil {
			t.Fatal(err)
		}
		n, err := db.CheckNumbering(ctx, study)
		if err != nil || n.Whole() || n.Events != 2 || n.Last != 4 {
			t.Errorf("%s lost: %+v, %v", lost, n, err)
		}
	}
}
