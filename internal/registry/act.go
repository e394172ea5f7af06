package registry

import (
	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// act decides the actions on a participant's record as such: remove, restore, lock, unlock,
// enroll, withdraw and delete.
func (d *decision) act(c *Change) Result {
	was := d.find(c.ID, c.Identifier)
	if was == nil || (c.Profile.hidesRemoved && was.Status == StatusRemoved) {
		return unknownParticipant()
	}
	site, _ := d.study.Site(was.Site)
	if ferr := CheckWritable(d.study, site); ferr != nil {
		return Result{Err: ferr}
	}
	switch c.Action {
	case Withdraw:
		return d.withdraw(c, was)
	case Enroll:
		return d.enroll(c, was)
	case Delete:
		return d.erase(c, was)
	default:
		return d.setStatus(c, was)
	}
}

// transitions says which status each action leads from and to.
var transitions = map[Action]struct {
	from   []ParticipantStatus
	to     ParticipantStatus
	action audit.Action
}{
	Remove:  {[]ParticipantStatus{StatusAvailable, StatusSigned, StatusLocked}, StatusRemoved, audit.ParticipantRemoved},
	Restore: {[]ParticipantStatus{StatusRemoved}, StatusAvailable, audit.ParticipantRestored},
	Lock:    {[]ParticipantStatus{StatusAvailable, StatusSigned}, StatusLocked, audit.ParticipantLocked},
	Unlock:  {[]ParticipantStatus{StatusLocked}, StatusAvailable, audit.ParticipantUnlocked},
}

func (d *decision) setStatus(c *Change, was *Participant) Result {
	t := transitions[c.Action]
	if was.Status == t.to {
		return Result{Done: Unchanged, Participant: was}
	}
	for _, from := range t.from {
		if was.Status != from {
			continue
		}
		now := *was
		now.Status = t.to
		d.save(c, was, &now)
		d.event(c, &now, t.action, []audit.FieldChange{{Field: "status", Old: string(was.Status), New: string(t.to)}})
		return Result{Done: Updated, Participant: &now}
	}
	return Result{Err: fault.New(fault.Conflict, ActionNotPossible, "not possible while the participant is %s", was.Status)}
}

// withdraw marks that the participant has left the study. Repeated, it changes nothing.
func (d *decision) withdraw(c *Change, was *Participant) Result {
	if was.Withdrawn() {
		return Result{Done: Unchanged, Participant: was}
	}
	if was.Status == StatusLocked {
		return Result{Err: fault.New(fault.Conflict, ParticipantNotAvailable, "the participant is locked").In(IdentifierField)}
	}
	now := *was
	now.WithdrawnAt = d.before.Now
	d.save(c, was, &now)
	d.event(c, &now, audit.ParticipantWithdrawn, []audit.FieldChange{
		{Field: "withdrawDate", New: d.before.Now.Format("2006-01-02T15:04:05.000000Z07:00")},
	})
	return Result{Done: Updated, Participant: &now}
}

// enroll marks that the participant has completed enrollment (decisions, Both: "when staff mark
// it so"). Repeated, it changes nothing.
func (d *decision) enroll(c *Change, was *Participant) Result {
	if was.Enrolled {
		return Result{Done: Unchanged, Participant: was}
	}
	if !was.Listed() {
		return Result{Err: fault.New(fault.Conflict, ParticipantNotAvailable, "the participant is removed, locked or withdrawn").In(IdentifierField)}
	}
	now := *was
	now.Enrolled, now.EnrolledAt = true, d.before.Now
	d.save(c, was, &now)
	d.event(c, &now, audit.ParticipantUpdated, []audit.FieldChange{
		{Field: "enrolled", Old: yesNo(false), New: yesNo(true)},
		{Field: "enrollmentDate", New: d.before.Now.Format("2006-01-02T15:04:05.000000Z07:00")},
	})
	return Result{Done: Updated, Participant: &now}
}

// erase deletes the participant, gives its claims up, and leaves one event that it happened.
func (d *decision) erase(c *Change, was *Participant) Result {
	for _, contact := range contacts {
		if value := was.Details[contact.field]; value != "" {
			d.moveClaim(was.ID, contact.field, value, "")
		}
	}
	if was.Counts() {
		d.layer.counters.Counted--
	}
	d.event(c, was, audit.ParticipantDeleted, nil)
	d.layer.erase(was)
	return Result{Done: Deleted, Participant: was}
}
