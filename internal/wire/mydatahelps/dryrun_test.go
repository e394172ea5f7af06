package mydatahelps

import (
	"net/http"
	"testing"
)

// TestDryRun: a bulk with dryRun is answered as if it had been done, faults included, and is not.
func TestDryRun(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.put(`{"participantIdentifier":"OLD","demographics":{"firstName":"Ada"}}`)
		const body = `{"participants":[{"participantIdentifier":"OLD","demographics":{"firstName":"Grace"}},{"participantIdentifier":"NEW"}]}`
		var answer struct {
			TotalAdded, TotalUpdated int
			Results                  []any
		}
		w.ask(http.StatusOK, "POST", juno+"?allowUpdate=true&dryRun=true", body, &answer)
		if answer.TotalAdded != 1 || answer.TotalUpdated != 1 || len(answer.Results) != 2 {
			t.Errorf("%+v", answer)
		}
		if got := w.send(myapp, "POST", juno+"?dryRun=TRUE", "application/json", body).Code; got != http.StatusConflict {
			t.Errorf("of somebody who exists: %d", got)
		}
		if got := w.send(myapp, "POST", juno+"?dryRun=maybe", "application/json", body).Code; got != http.StatusBadRequest {
			t.Errorf("neither true nor false: %d", got)
		}
		for _, p := range w.everybody("S_JUNO") {
			if p.Identifier != "OLD" || p.Details[0] != "Ada" {
				t.Errorf("written: %+v", p)
			}
		}
	})
}
