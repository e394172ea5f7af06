package registry

import (
	"time"

	"github.com/google/uuid"
)

// Query asks for participants of a study. Its parts are ANDed. Removed participants are found
// only where Status asks for them.
type Query struct {
	// Text is a substring, without regard to case, of the identifier or of a detail; "" means
	// any. With TextInCustom the custom fields are searched too.
	Text         string
	TextInCustom bool

	Segment *uuid.UUID
	Filters []Filter
	Site    *SiteID // nil: every site and the study level

	Status      ParticipantStatus  // "": every one but removed
	Invitation  *InvitationStatus  // nil: any
	Participate *ParticipateStatus // as shown now, see [Participant.ParticipateNow]; nil: any
	Enrolled    *bool              // nil: either
	Withdrawn   *bool              // nil: either

	Sort   Sort
	Offset int
	Limit  int
}

// Filter asks for one value, by [Fold]; "" asks for those where it is not set.
type Filter struct {
	Field  Field
	Custom string // the defined name of a custom field; then Field does not count
	Value  string // in stored form
}

// FilterDetail asks for a detail by a value as the dialect writes it. A value that cannot be
// stored is kept as it is, and nobody has it.
func (p *Profile) FilterDetail(f Field, text string) Filter {
	if value, ferr := p.value(f, text); ferr == nil {
		text = value
	}
	return Filter{Field: f, Value: text}
}

// FilterCustom asks for a custom field by a value in any form that may be written, as
// [Profile.FilterDetail] does for details.
func FilterCustom(field CustomField, text string) Filter {
	if value, ferr := customForm(field, text); ferr == nil {
		text = value
	}
	return Filter{Custom: field.Name, Value: text}
}

// SortKey is what participants are ordered by.
type SortKey uint8

// The keys to sort by. Ties go by order of creation, which is also the order of IDs.
const (
	ByInserted SortKey = iota // order of creation
	ByIdentifier
	ByInvitation
	ByEnrolled
	ByField
	ByCustom
)

// Sort is an order. People without the value come last in both directions; text is ordered
// folded, numbers by value, dates by date.
type Sort struct {
	Key        SortKey
	Field      Field       // for ByField
	Custom     CustomField // for ByCustom
	Descending bool
}

// Page is one page of a query's answer.
type Page struct {
	Total        int // how many participants match in all
	Participants []*Participant
	AddedAt      []time.Time // with a segment: when each participant was added to it
}

// SegmentMember is one membership of a participant.
type SegmentMember struct {
	Segment uuid.UUID
	AddedAt time.Time
}

// Segment finds a segment of the study.
func (s *Study) Segment(id uuid.UUID) (Segment, bool) {
	for _, seg := range s.Segments {
		if seg.ID == id {
			return seg, true
		}
	}
	return Segment{}, false
}
