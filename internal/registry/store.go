package registry

import (
	"context"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
)

// Store is what the registry needs of a storage engine. Its laws are in store/storetest, and
// every engine passes all of them. Methods answer [fault.Unavailable] while the database is
// away and [fault.StorageFull] when there is no room to write.
type Store interface {
	// CatalogVersion is a number that changes whenever a study or site changes. It is cheap.
	CatalogVersion(ctx context.Context) (int64, error)

	// Catalog reads every study and site in one consistent picture.
	Catalog(ctx context.Context) (*Catalog, error)

	// InStudy runs fn in one transaction that has the study to itself, against other nodes
	// too: what tx reads cannot change before it commits. An error of fn, or of any method of
	// tx, undoes everything. fn may be run again from the start if the engine asks for it, so
	// it must have no effects outside tx. When InStudy returns nil, what was written is
	// durable.
	InStudy(ctx context.Context, study StudyID, fn func(ctx context.Context, tx Tx) error) error

	Reader
}

// Reader reads participants, each method in a consistent picture of its own.
type Reader interface {
	// ParticipantByIdentifier finds one participant without regard to the identifier's case;
	// nil if there is none. Removed and withdrawn participants are found too.
	ParticipantByIdentifier(ctx context.Context, study StudyID, identifier string) (*Participant, error)

	// ParticipantByID finds one participant; nil if there is none.
	ParticipantByID(ctx context.Context, study StudyID, id ID) (*Participant, error)

	// Query finds participants, and counts all that match, in one picture.
	Query(ctx context.Context, study StudyID, q *Query) (*Page, error)

	// SegmentsOf lists the segments that a participant belongs to, in the study's order.
	SegmentsOf(ctx context.Context, study StudyID, id ID) ([]SegmentMember, error)

	// Contacts lists up to limit contacts of a site in order of creation, from the one after
	// afterSeq, whatever their status.
	Contacts(ctx context.Context, study StudyID, site SiteID, afterSeq int64, limit int) (*ContactList, error)

	// Participants lists up to limit participants in order of creation, from the one after
	// afterSeq. A nil site means every site and the study level.
	Participants(ctx context.Context, study StudyID, site *SiteID, afterSeq int64, limit int) ([]*Participant, error)
}

// Tx is one transaction that has a study to itself.
type Tx interface {
	// Study reads the study as it is now; [fault.NotFound] with StudyUnknown if it is gone.
	Study(ctx context.Context) (*Study, error)

	// Load reads what is known about exactly what is asked for, in set-based queries.
	Load(ctx context.Context, ask *Ask) (*Known, error)

	// Counters reads the study's running numbers.
	Counters(ctx context.Context) (*Counters, error)

	// Write writes the outcome: participants, claims, access codes, counters and audit
	// events, in set-based statements. At is the time of the events. An event about somebody
	// who was erased before is kept without a personal value.
	Write(ctx context.Context, at time.Time, out *Outcome) error

	// Identifiers lists the identifiers that the audit trail knows participants by: the present
	// one and those they had before. Who is unknown or erased is not in the answer.
	Identifiers(ctx context.Context, ids []ID) (map[ID][]string, error)

	// RewriteOutputs offers every part of an output of the study's jobs that is in the database
	// to rewrite, with the job's kind, whatever the job's state, and keeps what it answers; a
	// part that it answers as it was is left alone. Outputs that are in files are not offered.
	RewriteOutputs(ctx context.Context, rewrite func(kind string, part []byte) []byte) error

	// RememberErasure keeps who was erased until they are taken out of the files that hold the
	// outputs of jobs. It commits with the transaction that erases them.
	RememberErasure(ctx context.Context, e *Erasure) error

	// SaveStep writes a job's progress. It answers [fault.Conflict]: with code jobNotRunning if
	// the job is not in progress, which one that was deleted is not either; with jobLeaseLost if
	// the step's lease is not the one under which the job is worked on now; with jobStepTaken if
	// the step is not the job's next one. They are looked at in this order.
	SaveStep(ctx context.Context, step *JobStep) error
}

// ErasedName is what an erased participant was called: the identifier at some time, and the OID.
type ErasedName struct{ Identifier, OID string }

// Erasure is who one transaction has erased, once by each identifier that they ever had.
type Erasure struct {
	ID     uuid.UUID // that of the first of them: nobody is erased twice
	Study  StudyID
	At     time.Time
	People []ErasedName
}

// Ask names what Decide has to know.
type Ask struct {
	Identifiers  []string      // folded, see [Fold]
	IDs          []ID          // internal identities
	OIDs         []string      // participant OIDs that might be given out
	Claims       []Claim       // contacts that might be claimed
	Fingerprints []Fingerprint // access codes that might be given out

	Codes int // how many more access codes have to be drawn; not the store's business
}

// empty tells whether nothing is asked.
func (a *Ask) empty() bool {
	return len(a.Identifiers)+len(a.IDs)+len(a.OIDs)+len(a.Claims)+len(a.Fingerprints)+a.Codes == 0
}

// Known is what the store knows about what was asked.
type Known struct {
	Participants []*Participant       // those found by identifier or ID, each once
	OIDs         []string             // those that are taken
	Claims       map[Claim]ID         // those that are held, and by whom
	Fingerprints map[Fingerprint]bool // those that are taken, in the whole deployment
}

// Counters are a study's running numbers.
type Counters struct {
	LastSeq  int64            // the last Seq given to a participant
	Counted  int64            // how many participants count against the cap now
	State    int64            // the number of the last audit event: it grows with every change of the study; not written
	Numbered map[SiteID]int64 // the last number given at each site (and at StudyLevel) by an add or a move
}

// ContactKind is the kind of contact that a claim is on.
type ContactKind uint8

// The contacts that can be claimed.
const (
	EmailContact ContactKind = 1
	PhoneContact ContactKind = 2
)

// Claim is the sole right of one participant of the study to a contact. Key is the contact's
// folded form, see [ClaimOn].
type Claim struct {
	Kind ContactKind
	Key  string
}

// Write is the final state of one participant that a batch adds or updates.
type Write struct {
	Participant *Participant
	New         bool
}

// Outcome is what Decide answers for a batch: results for the callers, and what to write.
type Outcome struct {
	Results [][]Result // per group, per change, in order

	Writes      []Write            // each participant once, in its final state
	Memberships []Membership       // of everybody who was written or looked at again
	Invited     []ID               // for whom an invitation is queued
	Deleted     []ID               // erased: the row, its claims and codes, and the values in its audit events
	Claimed     map[Claim]ID       // claims won
	Released    []Claim            // claims given up; released before Claimed are taken
	Codes       map[Fingerprint]ID // access codes given out
	Counters    *Counters
	Events      []audit.Event // in order; the store numbers them

	Missing *Ask // what else Decide would have to know; if not nil, nothing of the above counts
}

// changesNothing tells whether there is nothing to write.
func (o *Outcome) changesNothing() bool {
	return len(o.Writes)+len(o.Deleted)+len(o.Events)+len(o.Memberships) == 0
}

// JobStep is a job's progress as it commits together with the batch that made it.
type JobStep struct {
	Study  StudyID
	Job    uuid.UUID
	Lease  int64  // the token of the lease under which the job is worked on
	Part   int    // which step this is, from 0; each commits once
	Cursor []byte // where to go on; the job kind's own format
	Rows   int64  // records or rows done in all
	Failed int64  // records among them that failed
	Output []byte // text that this step adds to the job's log or extract; may be empty
	At     time.Time
}
