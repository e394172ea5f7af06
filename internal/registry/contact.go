package registry

// Contact is how a participant is reached: what an extract shows.
type Contact struct {
	ID         ID
	Seq        int64
	Identifier string

	FirstName, LastName, Email, MobilePhone, SecondaryID string

	Status      ParticipantStatus
	Participate ParticipateStatus // as stored, see [Participant.ParticipateNow]
	AccessCode  SealedCode        // nil until registered
	Withdrawn   bool
}

// Listed is [Participant.Listed].
func (c *Contact) Listed() bool { return listed(c.Status, c.Withdrawn) }

// ContactList is a page of contacts.
type ContactList struct {
	Contacts []Contact
	State    int64 // of the study when they were read, see [Counters]
}
