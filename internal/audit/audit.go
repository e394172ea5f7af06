// Package audit owns what the registry promises to remember: the types of audit events.
// An event commits in the transaction of the change it tells of, or not at all. The package
// knows no storage and no rule; it imports nothing of ours.
package audit

import (
	"time"

	"github.com/google/uuid"
)

// Action says what happened.
type Action string

// The actions that are remembered.
const (
	ParticipantAdded      Action = "participant added"
	ParticipantUpdated    Action = "participant updated"
	ParticipantMoved      Action = "participant moved"
	ParticipantRemoved    Action = "participant removed"
	ParticipantRestored   Action = "participant restored"
	ParticipantLocked     Action = "participant locked"
	ParticipantUnlocked   Action = "participant unlocked"
	ParticipantWithdrawn  Action = "participant withdrawn"
	ParticipantDeleted    Action = "participant deleted"
	ParticipateRegistered Action = "participate registered"
	AccessCodeRead        Action = "access code read"
	ParticipantInfoRead   Action = "participant contact information read"
	ExtractRequested      Action = "extract requested"
	ExtractDownloaded     Action = "extract downloaded"
	BulkSubmitted         Action = "bulk submitted"
	JobDeleted            Action = "job deleted"
	StudyChanged          Action = "study changed"
	SiteChanged           Action = "site changed"
	UserChanged           Action = "user changed"
	ServiceAccountChanged Action = "service account changed"
	TokenIssuedByOperator Action = "token issued by operator"
)

// Origin says who asked for a change, through what, and why. Every change carries one to its
// events.
type Origin struct {
	Actor     string // user name or service account name; "operator" for the command line on the database
	Role      string // the role under which the actor was allowed, in the field's words
	Dialect   string // "openclinica", "mydatahelps", "web", "cli"
	RequestID string // the request the change came in with; a job's uuid for the records of a job
	Reason    string // why, where the actor gave a reason
}

// FieldChange is one field's old and new value. The empty string stands for "not set".
type FieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// Event is one remembered happening. Seq is given by the store: it grows without gaps within
// a study, in commit order, by one for each field change (by one for an event without any).
type Event struct {
	Seq         int64
	At          time.Time // UTC, to the microsecond
	Origin      Origin
	Action      Action
	Participant uuid.UUID // zero where the event is not about one participant
	Identifier  string    // the participant's identifier, or the OID of the study or site that changed
	Fields      []FieldChange
}

// Width is how many sequence numbers the event takes.
func (e *Event) Width() int64 { return int64(max(1, len(e.Fields))) }
