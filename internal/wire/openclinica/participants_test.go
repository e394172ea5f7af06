package openclinica

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// The answer to an add writes itself as encoding/json would, without escapes for HTML.
func TestParticipantAnswerWritesItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"<b>&", "\u2028", "\xff", "\x00"}))
		answer := participantAnswer{text.Draw(t, "key"), text.Draw(t, "oid"), text.Draw(t, "status"), text.Draw(t, "participate")}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(answer); err != nil {
			t.Fatal(err)
		}
		if got := string(answer.AppendJSON(nil)); got+"\n" != want.String() {
			t.Errorf("it writes %s, want %s", got, want.String())
		}
	})
}
