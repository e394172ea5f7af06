package openclinica

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// sendKeyed sends a request under an Idempotency-Key.
func (w *world) sendKeyed(user, path, key, contentType, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), "POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", "Bearer "+w.token(user))
	r.Header.Set(repeatHeader, key)
	return w.answer(r)
}

// TestRepeats: the same request sent again under its key is answered with the first one's job,
// even if both come at once, and makes no other.
func TestRepeats(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		contentType, file := form("people.csv", "ParticipantID\nP-1\n")
		bulkPath, extractPath := boston+"/participants/bulk", boston+"/participants/extractParticipantsInfo"
		for _, user := range []string{"dana", "carla"} {
			w.token(user) // which is not for many at once
		}
		answers := make([]string, 8)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = w.sendKeyed("carla", bulkPath, "key 1", contentType, file).Body.String() })
		}
		all.Wait()
		for _, answer := range answers {
			if answer != answers[0] || !strings.HasPrefix(answer, "job uuid: ") {
				t.Errorf("%q, the first %q", answer, answers[0])
			}
		}
		if stored := w.storedUploads(); len(stored) != 1 {
			t.Errorf("%d files are kept", len(stored))
		}
		extract := w.sendKeyed("carla", extractPath, "key 2", "", "").Body.String()
		for _, test := range []struct{ name, user, path, key, want string }{
			{"again, without a file", "carla", bulkPath, "key 1", answers[0]},
			{"an extract again", "carla", extractPath, "key 2", extract},
			{"for something else", "carla", extractPath, "key 1", "idempotencyKeyReused"},
			{"registering", "carla", bulkPath + "?register=y", "key 1", "idempotencyKeyReused"},
			{"a dry run", "carla", bulkPath + "?dryRun=y", "key 1", "idempotencyKeyReused"},
			{"too long", "carla", extractPath, strings.Repeat("k", 256), "malformedRequest"},
			{"not printable", "carla", extractPath, "k\u00e9y", "malformedRequest"},
		} {
			if got := w.sendKeyed(test.user, test.path, test.key, "", "").Body.String(); !strings.Contains(got, test.want) {
				t.Errorf("%s: %s, want %s", test.name, got, test.want)
			}
		}
		if other := w.sendKeyed("dana", bulkPath, "key 1", contentType, file).Body.String(); other == answers[0] || !strings.HasPrefix(other, "job uuid: ") {
			t.Errorf("somebody else's key: %s", other)
		}
		id := strings.TrimPrefix(answers[0], "job uuid: ")
		if answer := w.send("carla", "DELETE", jobPaths+id, "", ""); answer.Code != http.StatusOK {
			t.Fatal(answer.Body)
		}
		if again := w.sendKeyed("carla", bulkPath, "key 1", contentType, file).Body.String(); again == answers[0] || !strings.HasPrefix(again, "job uuid: ") {
			t.Errorf("once its job is deleted: %s", again)
		}
	})
}
