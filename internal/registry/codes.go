package registry

import "rollcall/internal/fault"

// The codes of domain errors. Those marked (field) come with Error.Field set to a field name.
const (
	StudyUnknown      fault.Code = "studyUnknown"
	StudyNotAvailable fault.Code = "studyNotAvailable"
	SiteUnknown       fault.Code = "siteUnknown"
	SiteNotAvailable  fault.Code = "siteNotAvailable"

	ParticipateInactive fault.Code = "participateInactive"
	StudyLevelContact   fault.Code = "studyLevelContact" // contact data or registration at study level

	IdentifierMissing   fault.Code = "identifierMissing"
	IdentifierTaken     fault.Code = "identifierTaken"     // an add, or a rename, names an identifier that is in use
	IdentifierElsewhere fault.Code = "identifierElsewhere" // the participant is at another site of the study
	GenerationFailed    fault.Code = "generationFailed"    // the template found no free identifier

	TooLong        fault.Code = "tooLong"        // (field)
	Malformed      fault.Code = "malformed"      // (field)
	ForbiddenChars fault.Code = "forbiddenChars" // (field)
	UnknownField   fault.Code = "unknownField"   // (field)
	TextMalformed  fault.Code = "textMalformed"  // (field) NUL or text that is not UTF-8
	ContactTaken   fault.Code = "contactTaken"   // (field) e-mail or phone belongs to another participant
	ContactFixed   fault.Code = "contactFixed"   // (field) e-mail or phone of an enrolled participant
	NamedTwice     fault.Code = "namedTwice"     // the same participant twice in one all-or-nothing group
	StaysAtSite    fault.Code = "staysAtSite"    // a participant at a site never returns to the study level

	ParticipantUnknown      fault.Code = "participantUnknown"
	ParticipantNotAvailable fault.Code = "participantNotAvailable" // removed, locked or withdrawn
	CapReached              fault.Code = "capReached"
	ActionNotPossible       fault.Code = "actionNotPossible" // e.g. restore of someone who is not removed

	RecordMalformed fault.Code = "recordMalformed" // a record of a bulk file that cannot be read
)

// RecordCodes lists every code that Decide can answer for a change, so that a dialect can
// prove that it has words for each.
func RecordCodes() []fault.Code {
	return []fault.Code{
		StudyNotAvailable, SiteUnknown, SiteNotAvailable, ParticipateInactive, StudyLevelContact,
		IdentifierMissing, IdentifierTaken, IdentifierElsewhere, GenerationFailed,
		TooLong, Malformed, ForbiddenChars, UnknownField, TextMalformed, ContactTaken, ContactFixed,
		NamedTwice, StaysAtSite, ParticipantUnknown, ParticipantNotAvailable, CapReached, ActionNotPossible,
	}
}
