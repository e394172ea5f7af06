package registry

import (
	"maps"
	"math/bits"
	"slices"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// Action is what a change asks for.
type Action uint8

// The actions of a change.
const (
	Upsert   Action = iota // add the participant or update it
	Remove                 // hide it, restorable
	Restore                // undo Remove
	Lock                   // no more updates
	Unlock                 // undo Lock
	Withdraw               // the participant leaves the study; never undone
	Delete                 // erase it and every personal value about it
	Revisit                // look again to which segments it belongs
	Look                   // answer it as it is now, or nobody if it is gone
	Enroll                 // mark that the participant has completed enrollment; never undone
)

// Edits is a set of new field values; "" clears a field. The zero value changes nothing.
type Edits struct {
	given  uint32
	values Details
}

// Set gives a field a new value.
func (e *Edits) Set(f Field, value string) {
	e.given |= 1 << f
	e.values[f] = value
}

// Get returns the field's new value, if one was given.
func (e *Edits) Get(f Field) (value string, given bool) {
	return e.values[f], e.given&(1<<f) != 0
}

// drop takes a field's new value back.
func (e *Edits) drop(f Field) {
	e.given &^= 1 << f
	e.values[f] = ""
}

// fill gives every field that has no new value the one of other, if that has one.
func (e *Edits) fill(other *Edits) {
	for f := range FieldCount {
		if _, given := e.Get(f); given {
			continue
		}
		if value, given := other.Get(f); given {
			e.Set(f, value)
		}
	}
}

// count is how many fields have a new value.
func (e *Edits) count() int { return bits.OnesCount32(e.given) }

// Empty tells whether no field was given.
func (e *Edits) Empty() bool { return e.given == 0 }

// Place says where an Upsert wants the participant to be.
type Place struct {
	Given bool // false: stay where you are; a new participant comes to the study level
	Site  SiteID
}

// At is the place of a site, or of the study level.
func At(site SiteID) Place { return Place{Given: true, Site: site} }

// Change is one thing that somebody wants done to one participant.
type Change struct {
	Action  Action
	Profile *Profile // the promises of the dialect it is made through
	Origin  audit.Origin

	// ID finds the participant by its internal identity; zero finds it by Identifier. With
	// both, ID finds and a different Identifier renames.
	ID         ID
	Identifier string // blank: the identifier is generated

	Place    Place
	Edits    Edits
	Custom   map[string]string // custom fields by name; "" clears
	IfNew    Edits             // details for a participant who is added, where Edits has none
	Register bool              // register for Participate
	AddOnly  bool              // an existing participant is an error
	Invite   bool              // queue an invitation if this adds the participant, or anyway if the profile invites the known

	Invitation        *InvitationStatus
	ExcludeFromExport *bool
}

// sortedKeys lists the keys of a map of custom fields in order.
func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// Done says what became of a change.
type Done uint8

// What became of a change.
const (
	Unchanged Done = iota // nothing differed, nothing was written
	Added
	Updated
	Deleted
)

// Result is the answer to one change: the participant as it now is, or a domain error.
type Result struct {
	Done        Done
	Participant *Participant // nil if Err is set, or of a Look or Revisit if it is gone; as it was, if Deleted
	Err         *fault.Error
}

// Group is a list of changes that belong together. Its changes are decided in order, each
// seeing those before it.
type Group struct {
	Changes []Change

	// AllOrNothing undoes the whole group if one of its changes fails. Every change then
	// carries the result of the failing one, with its 1-based index.
	AllOrNothing bool

	// AsOf is for a group without changes, about participants who have been read already: the
	// state of the study, see [Counters], in which they were. If the study still is in that
	// state, and nobody else's batch is in the transaction, there is nothing to decide, and the
	// group has no results. Otherwise Looks, which must be set and have no effects, makes the
	// changes that look at them again. 0: the group is decided as it is.
	AsOf  int64
	Looks func() []Change
}

// settled tells whether there is nothing to decide, see [Group]; otherwise every group has its
// changes.
func settled(groups []Group, now *Counters) bool {
	if len(groups) == 1 && groups[0].AsOf != 0 && groups[0].AsOf == now.State {
		return true
	}
	for i := range groups {
		if g := &groups[i]; g.AsOf != 0 && g.Changes == nil {
			g.Changes = g.Looks()
		}
	}
	return false
}
