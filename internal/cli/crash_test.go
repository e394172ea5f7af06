package cli_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
	"rollcall/internal/store"
	"rollcall/internal/store/trail"
)

// The story of the test below.
const (
	crashRows = 50_000
	kills     = 8
)

// crashRow is a row of the file and what its log line has to say.
type crashRow struct {
	cells   string
	id      string
	message string // in the log
	adds    bool   // the row makes a participant
}

// crashFile makes the rows: most add a participant, some cannot be read, some are wrong, some
// update the participant of an earlier row.
func crashFile(n int) []crashRow {
	rows := make([]crashRow, n)
	for i := range rows {
		id := fmt.Sprintf("J-%06d", i+1)
		row := crashRow{cells: fmt.Sprintf("%s,First%d,p%d@example.org", id, i, i), id: id, message: "Success", adds: true}
		switch {
		case i%97 == 96:
			row = crashRow{cells: id + ",First,not an address", id: id, message: "errorCode.invalidEmailAddress"}
		case i%501 == 500:
			row = crashRow{cells: id + ",too,many,cells,here", id: id, message: "errorCode.malformedRecord"}
		case i%1000 == 998:
			earlier := rows[i-900]
			row = crashRow{cells: earlier.id + ",Again,", id: earlier.id, message: earlier.message}
			row.adds = earlier.message != "Success" // what could not be added then is added now
			row.message = "Success"
		}
		rows[i] = row
	}
	return rows
}

// fileOf is the file as it is sent.
func fileOf(rows []crashRow) []byte {
	file := bytes.NewBufferString("ParticipantID,firstName,emailAddress\n")
	for _, row := range rows {
		fmt.Fprintln(file, row.cells)
	}
	return file.Bytes()
}

// TestKilledServerLosesNothing kills a server again and again in the midst of a bulk add. In
// the end each record has its one line in the log, in order, each participant is there once,
// and was added by one event.
func TestKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	rows := crashFile(crashRows)
	p := newPlace(t)
	s := p.start()
	job := s.submit(fileOf(rows))

	points := make([]int64, kills)
	for i := range points {
		points[i] = random.Int64N(crashRows * 9 / 10)
	}
	slices.Sort(points)
	for _, point := range points {
		var state jobState
		p.until("the job gets on", func() bool {
			state = s.job(job)
			return state.Rows >= point
		})
		for range random.IntN(40) { // some way into the next chunk
			state = s.job(job)
		}
		if state.Status != "IN_PROGRESS" {
			t.Fatalf("the job had ended at the kill at row %d: %+v", point, state)
		}
		s.signal(os.Kill)
		if err := s.end(); err == nil {
			t.Fatal("the killed server ended well")
		}
		s = p.start()
		if after := s.job(job); after.Rows < state.Rows {
			t.Fatalf("%d rows were done before the kill, %d after it", state.Rows, after.Rows)
		}
	}
	p.until("the job ends", func() bool { return s.job(job).Status != "IN_PROGRESS" })

	checkLog(t, s, job, rows)
	s.signal(os.Interrupt)
	if err := s.end(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	checkRegistry(t, p, rows)
	p.run("audit", "verify", "--data-dir", p.data())
	p.run("doctor", "--data-dir", p.data())
	if left, err := os.ReadDir(filepath.Join(p.data(), "uploads")); err != nil || len(left) > 0 {
		t.Errorf("uploads after the end: %v, %v; want none", left, err)
	}
}

// checkLog checks that the log has one line for each row, in order.
func checkLog(t *testing.T, s *running, job string, rows []crashRow) {
	t.Helper()
	status, text := s.ask(http.MethodGet, "/pages/auth/api/jobs/"+job+"/downloadFile", nil, "")
	if status != http.StatusOK {
		t.Fatalf("log: %d %s", status, text)
	}
	got, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	type line struct{ Row, ID, Message string }
	want := []line{{"Row", "ParticipantID", "Message"}}
	for i, row := range rows {
		want = append(want, line{strconv.Itoa(i + 1), row.id, row.message})
	}
	lines := make([]line, len(got))
	for i, cells := range got {
		lines[i] = line{cells[0], cells[1], cells[5]}
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("log (-want +got):\n%.4000s", diff)
	}
	failed := int64(0)
	for _, row := range rows {
		if row.message != "Success" {
			failed++
		}
	}
	wantState := jobState{Status: "COMPLETED", Rows: int64(len(rows)), Failed: failed}
	if diff := cmp.Diff(wantState, s.job(job)); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
}

// checkRegistry checks that each participant is there once, and was added by one event.
func checkRegistry(t *testing.T, p *place, rows []crashRow) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DataDir: p.data()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	checkPeople(t, st, rows)
}

// checkPeople is checkRegistry on an open database.
func checkPeople(t *testing.T, st store.Store, rows []crashRow) {
	t.Helper()
	catalog, err := st.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	study, err := catalog.Study("S_JUNO")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, row := range rows {
		if row.adds {
			want = append(want, row.id)
		}
	}
	there, err := st.Participants(t.Context(), study.ID, nil, 0, 2*len(rows))
	if err != nil {
		t.Fatal(err)
	}
	known := map[registry.ID]bool{}
	for _, person := range there {
		got = append(got, person.Identifier)
		known[person.ID] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("participants (-want +got):\n%.4000s", diff)
	}
	events, err := st.AuditEvents(t.Context(), trail.Filter{Study: &study.ID, Limit: 10 * len(rows)})
	if err != nil {
		t.Fatal(err)
	}
	added := map[uuid.UUID]int{}
	for _, e := range events {
		if e.Action == audit.ParticipantAdded {
			added[e.Participant]++
			if added[e.Participant] > 1 || !known[e.Participant] {
				t.Errorf("participant %s (%s) was added %d times, is there: %t",
					e.Identifier, e.Participant, added[e.Participant], known[e.Participant])
			}
		}
	}
	if len(added) != len(want) {
		t.Errorf("%d participants were added by events, want %d", len(added), len(want))
	}
}
