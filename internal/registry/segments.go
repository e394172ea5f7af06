package registry

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Rule is a segment's rule, ready to be asked.
type Rule struct {
	Segment uuid.UUID

	// Holds tells whether the participant belongs to the segment at the time. It has no
	// effects, and a rule that cannot be evaluated for somebody does not hold.
	Holds func(study *Study, p *Participant, now time.Time) bool

	// Dated tells whether the answer can change with time alone.
	Dated bool
}

// RuleBook makes a study's segment rules ready. Rules that do not compile are an error that
// names the segment; such a study never came through apply.
type RuleBook interface {
	Rules(study *Study) ([]Rule, error)
}

// noRules is the rule book of a registry without segments.
type noRules struct{}

func (noRules) Rules(*Study) ([]Rule, error) { return nil, nil }

// Membership says that a participant belongs to a segment, or no longer does.
type Membership struct {
	Segment     uuid.UUID
	Participant ID
	Member      bool
}

// InvitationState is where a queued invitation stands.
type InvitationState string

// The states of a queued invitation.
const (
	InvitationQueued InvitationState = "queued"
	InvitationSent   InvitationState = "sent"
	InvitationFailed InvitationState = "failed"
)

// revisit has the participant looked at again. One who is gone meanwhile is no fault.
func (d *decision) revisit(c *Change) Result {
	p := d.find(c.ID, c.Identifier)
	if p != nil {
		d.layer.revisited = append(d.layer.revisited, p.ID)
	}
	return Result{Participant: p}
}

// memberships answers where everybody written in this batch, or asked to be looked at again,
// belongs. The store keeps the date of those who were members already.
func (d *decision) memberships() []Membership {
	if len(d.before.Rules) == 0 {
		return nil
	}
	var found []Membership
	seen := make(map[ID]bool, len(d.layer.written)+len(d.layer.revisited))
	for _, id := range slices.Concat(d.layer.written, d.layer.revisited) {
		p, _ := d.layer.participantByID(id)
		if p == nil || seen[id] {
			continue
		}
		seen[id] = true
		for _, rule := range d.before.Rules {
			member := rule.Holds(d.study, p, d.before.Now)
			if member || !d.layer.isNew[id] {
				found = append(found, Membership{Segment: rule.Segment, Participant: id, Member: member})
			}
		}
	}
	return found
}
