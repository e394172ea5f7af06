package audit

import (
	"time"

	"github.com/google/uuid"
)

// Search asks for events of a study, newest first. Its parts are ANDed; the zero value of each
// asks for nothing.
type Search struct {
	Actor       string // exactly
	Action      Action
	Participant *uuid.UUID
	Identifier  string    // exactly as the event has it
	From, To    time.Time // from the first on, before the second
	Before      int64     // events with a smaller number alone: where the page before ended
	Limit       int
}
