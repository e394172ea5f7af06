package mydatahelps

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/store/trail"
)

// as sends a request under a token, from any goroutine.
func (w *world) as(token, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	return w.answer(r)
}

// events counts what the audit trail remembers of Juno's participants.
func (w *world) events() int {
	w.t.Helper()
	records, err := w.db.AuditEvents(w.t.Context(), trail.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(records)
}

// TestOneEmailHasOneWinner has 32 clients put the same e-mail address at once: for 32 new
// people by identifier, for 32 by the address alone, and for 32 who exist. One wins, the
// others get 409 and change nothing.
func TestOneEmailHasOneWinner(t *testing.T) {
	t.Parallel()
	const clients = 32
	tests := []struct {
		name   string
		before bool // whether the 32 exist
		body   func(i int) string
		added  int
	}{
		{"new people", false, func(i int) string {
			return fmt.Sprintf(`{"participantIdentifier":"N-%d","demographics":{"email":"same@example.org","city":"%d"}}`, i, i)
		}, 1},
		{"by the address alone", false, func(i int) string {
			return fmt.Sprintf(`{"demographics":{"email":"Same@Example.org","city":"%d"}}`, i)
		}, 1},
		{"people who exist", true, func(i int) string {
			return fmt.Sprintf(`{"participantIdentifier":"N-%d","demographics":{"email":"same@example.org","city":"%d"}}`, i, i)
		}, 0},
		{"one phone", false, func(i int) string {
			return fmt.Sprintf(`{"participantIdentifier":"N-%d","demographics":{"mobilePhone":"555 777-8888","city":"%d"}}`, i, i)
		}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inWorlds(t, func(t *testing.T, w *world) {
				token := w.token(myapp)
				people := 0
				if test.before {
					people = clients
					for i := range clients {
						w.put(fmt.Sprintf(`{"participantIdentifier":"N-%d"}`, i))
					}
				}
				answers := make([]*httptest.ResponseRecorder, clients)
				var running sync.WaitGroup
				for i := range clients {
					running.Go(func() { answers[i] = w.as(token, http.MethodPut, juno, test.body(i)) })
				}
				running.Wait()
				statuses := map[int]int{}
				for _, answer := range answers {
					statuses[answer.Code]++
				}
				if diff := cmp.Diff(map[int]int{http.StatusOK: 1, http.StatusConflict: clients - 1}, statuses); diff != "" {
					t.Fatalf("statuses (-want +got):\n%s", diff)
				}
				all := w.everybody("S_JUNO")
				if len(all) != people+test.added {
					t.Errorf("%d participants, want %d", len(all), people+test.added)
				}
				if changed := len(w.list("demographicField.City=&pageSize=1000").Participants); changed != len(all)-1 {
					t.Errorf("%d of %d have no city, want all but the winner", changed, len(all))
				}
			})
		})
	}
}

// TestBulkIsAllOrNothing has bulks that fail at one item after many good ones: nothing of them
// is left, in the registry or in its trail.
func TestBulkIsAllOrNothing(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.put(`{"participantIdentifier":"OLD","demographics":{"email":"old@example.org","city":"Ames"}}`)
		before, events := w.everybody("S_JUNO"), w.events()
		good := make([]string, 300)
		for i := range good {
			good[i] = fmt.Sprintf(`{"participantIdentifier":"B-%d","demographics":{"email":"b%d@example.org"}}`, i, i)
		}
		good[7] = `{"participantIdentifier":"OLD","demographics":{"city":"Boone"}}`
		tests := []struct {
			name, item, field string
			status            int
		}{
			{"a value", `{"participantIdentifier":"X","demographics":{"dateOfBirth":"never"}}`, "demographics.dateOfBirth", 400},
			{"a type", `{"participantIdentifier":"X","demographics":{"city":[]}}`, "demographics.city", 400},
			{"taken in the registry", `{"participantIdentifier":"X","demographics":{"email":"OLD@example.org"}}`, "demographics.email", 409},
			{"taken in the request", `{"participantIdentifier":"X","demographics":{"email":"b299@example.org"}}`, "demographics.email", 409},
			{"named twice", `{"participantIdentifier":"b-3"}`, "participantIdentifier", 400},
			{"unknown", `{"id":"3a713a06-295d-4803-9602-776f09a1483b"}`, "id", 404},
		}
		for _, test := range tests {
			items := append(append([]string{}, good...), test.item)
			answer := w.send(myapp, "POST", juno+"?allowUpdate=true", "application/json", `{"participants":[`+strings.Join(items, ",")+`]}`)
			var body struct {
				Errors []struct {
					Index int
					Field string
				}
			}
			if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			if answer.Code != test.status || len(body.Errors) != 1 || body.Errors[0].Index != len(good) || body.Errors[0].Field != test.field {
				t.Errorf("%s: %s; want %d for item %d, %s", test.name, statusAndBody(answer), test.status, len(good), test.field)
			}
			if diff := cmp.Diff(before, w.everybody("S_JUNO")); diff != "" {
				t.Errorf("%s: something was written (-before +after):\n%s", test.name, diff)
			}
			if got := w.events(); got != events {
				t.Errorf("%s: the trail has %d events, had %d", test.name, got, events)
			}
		}
		var out struct{ TotalAdded, TotalUpdated int }
		w.ask(http.StatusOK, "POST", juno+"?allowUpdate=true", `{"participants":[`+strings.Join(good, ",")+`]}`, &out)
		if out.TotalAdded != 299 || out.TotalUpdated != 1 {
			t.Errorf("the good ones: %+v", out)
		}
	})
}

// TestBulkLimits sends as many participants as one request may hold, and one more, and a body
// of one byte too many.
func TestBulkLimits(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		items := func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `,{"participantIdentifier":"B-%d"}`, i)
			}
			return `{"participants":[` + b.String()[1:] + `]}`
		}
		answer := w.send(myapp, "POST", juno, "application/json", items(maxItems+1))
		if answer.Code != http.StatusBadRequest || len(w.everybody("S_JUNO")) != 0 {
			t.Errorf("%d items: %.300s", maxItems+1, statusAndBody(answer))
		}
		if answer = w.send(myapp, "POST", juno, "application/json", items(maxItems)); answer.Code != http.StatusOK {
			t.Errorf("%d items: %.300s", maxItems, statusAndBody(answer))
		}
		if got := len(w.everybody("S_JUNO")); got != maxItems {
			t.Errorf("%d participants, want %d", got, maxItems)
		}
		padding := strings.Repeat(" ", maxBulk-len(`{"participants":[]}`))
		if answer = w.send(myapp, "POST", juno, "application/json", `{"participants":[]}`+padding); answer.Code != http.StatusOK {
			t.Errorf("a body of exactly the limit: %.300s", statusAndBody(answer))
		}
		if answer = w.send(myapp, "POST", juno, "application/json", `{"participants":[]}`+padding+" "); answer.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("a body over the limit: %.300s", statusAndBody(answer))
		}
	})
}

// TestListingSeesEverybodyOnceWhileOthersAdd goes through all pages while clients add people:
// everybody who was there before is seen exactly once.
func TestListingSeesEverybodyOnceWhileOthersAdd(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		token := w.token(myapp)
		const early = 250
		for i := range early {
			w.put(fmt.Sprintf(`{"participantIdentifier":"EARLY-%d"}`, i))
		}
		stop := make(chan struct{})
		began := make(chan struct{}, 4)
		var adding sync.WaitGroup
		for client := range 4 {
			adding.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					body := fmt.Sprintf(`{"participantIdentifier":"LATE-%d-%d"}`, client, i)
					if answer := w.as(token, http.MethodPut, juno, body); answer.Code != http.StatusOK {
						t.Errorf("%s", statusAndBody(answer))
						return
					}
					if i == 0 {
						began <- struct{}{}
					}
				}
			})
		}
		for range 4 {
			<-began
		}
		for round, size := range []int{7, 20, 100} {
			seen := map[string]int{}
			for number := 0; ; number++ {
				page := w.list(fmt.Sprintf("pageNumber=%d&pageSize=%d", number, size))
				for _, p := range page.Participants {
					seen[p.ParticipantIdentifier]++
				}
				if len(page.Participants) < size || len(seen) >= early && !strings.HasPrefix(page.Participants[0].ParticipantIdentifier, "EARLY") {
					break // those who add could keep a full listing going for ever
				}
			}
			for i := range early {
				if n := seen[fmt.Sprintf("EARLY-%d", i)]; n != 1 {
					t.Errorf("round %d: EARLY-%d was seen %d times", round, i, n)
				}
			}
		}
		close(stop)
		adding.Wait()
	})
}
