// Package trail owns the types in which storage engines give out the audit trail. It knows no
// engine.
package trail

import (
	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// Filter says which audit events to read: oldest first, up to Limit from the one after After.
type Filter struct {
	Study *registry.StudyID // nil: every study and the deployment (study 0)
	After int64             // the Position of the last record that was read; 0 starts
	Limit int
}

// Record is one stored audit event.
type Record struct {
	audit.Event

	Position int64            // the order of events in the whole deployment; it may have gaps
	Study    registry.StudyID // 0 for an event of the deployment
	Erased   bool             // the participant was deleted: names of fields remain, no values
}
