package audit

// Numbering is how the events of a study are numbered: without gaps, if nothing was lost.
type Numbering struct {
	Events int64 // how many there are
	Last   int64 // the last number that was given
	Breaks int64 // how many events do not begin where the one before ends, the end of all included
}

// Whole tells whether no number is missing.
func (n Numbering) Whole() bool { return n.Breaks == 0 }
