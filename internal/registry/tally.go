package registry

import "time"

// Tally counts the participants of a study.
type Tally struct {
	Version int64 // of the study's audit trail when it was counted: with the same, a tally is still right
	Groups  []TallyGroup
	Days    []TallyDay // in order of days
}

// TallyGroup counts those who are alike.
type TallyGroup struct {
	Site        SiteID
	Status      ParticipantStatus
	Withdrawn   bool
	Enrolled    bool
	Participate ParticipateStatus // as stored, see [Participant.ParticipateNow]
	Count       int64
}

// Counts tells whether the group counts against the enrollment cap, as [Participant.Counts] does.
func (g *TallyGroup) Counts() bool { return g.Status != StatusRemoved && !g.Withdrawn }

// TallyDay counts who has enrolled on a day at a site, the removed left out.
type TallyDay struct {
	Site  SiteID
	Day   time.Time // midnight UTC
	Count int64
}
