package registry

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// generationTries is how often a template is asked for an identifier that is free: the
// original's eleven (reference, OpenClinica 1, System-generated IDs).
const generationTries = 11

// upsert adds or updates a participant. Every check comes before the first effect.
func (d *decision) upsert(c *Change) Result {
	in, ferr := d.check(c)
	if ferr != nil {
		return Result{Err: ferr}
	}
	var was *Participant
	if c.ID != (ID{}) || in.identifier != "" {
		if was = d.find(c.ID, in.identifier); was == nil && c.ID != (ID{}) {
			return unknownParticipant()
		}
	}
	if was == nil {
		return d.add(c, in)
	}
	return d.update(c, was, in)
}

// input is what a change says, in its stored form.
type input struct {
	identifier string
	edits      Edits
	ifNew      Edits
	custom     map[string]string // by the names that the study defines
}

// most is how many fields of a new participant the change sets at most.
func (in *input) most() int { return in.edits.count() + len(in.custom) + mostOthers }

// mostOthers are the identifier, the site, the invitation's status and the exclusion from exports.
const mostOthers = 4

// check holds the rules that need no participant, in the order of decisions, OpenClinica 2.
func (d *decision) check(c *Change) (*input, *fault.Error) {
	if ferr := d.checkPlace(c); ferr != nil {
		return nil, ferr
	}
	var in input
	var ferr *fault.Error
	if in.identifier, ferr = c.Profile.identifier(c.Identifier); ferr != nil {
		return nil, ferr
	}
	if in.identifier == "" && c.ID == (ID{}) && !d.generates(c) {
		return nil, identifierMissing()
	}
	if in.edits, ferr = c.Profile.edits(&c.Edits); ferr != nil {
		return nil, ferr
	}
	if in.ifNew, ferr = c.Profile.edits(&c.IfNew); ferr != nil {
		return nil, ferr
	}
	if ferr = secondaryAlias(d.study, c.Profile, &in.edits); ferr != nil {
		return nil, ferr
	}
	if in.custom, ferr = customValues(d.study, c, &in.edits); ferr != nil {
		return nil, ferr
	}
	return &in, nil
}

// checkPlace tells whether the study and the site take this change.
func (d *decision) checkPlace(c *Change) *fault.Error {
	if ferr := CheckWritable(d.study, nil); ferr != nil {
		return ferr
	}
	var site *Site
	if c.Place.Given && c.Place.Site != StudyLevel {
		var ok bool
		if site, ok = d.study.Site(c.Place.Site); !ok {
			return fault.New(fault.Invalid, SiteUnknown, "there is no such site in the study").In(SiteField)
		}
	}
	if ferr := CheckWritable(d.study, site); ferr != nil {
		return ferr
	}
	if c.Register {
		if ferr := CheckParticipate(d.study); ferr != nil {
			return ferr
		}
	}
	if site == nil && c.Profile.bareAtStudyLevel && (c.Register || c.Edits.setsAny()) {
		return fault.New(fault.Invalid, StudyLevelContact,
			"a participant at study level takes no contact data and no registration")
	}
	return nil
}

// setsAny tells whether any field is given a value other than blank.
func (e *Edits) setsAny() bool {
	for f := range FieldCount {
		if v, given := e.Get(f); given && strings.TrimSpace(v) != "" {
			return true
		}
	}
	return false
}

// generates tells whether a change without an identifier gets a generated one: where the
// study's template makes them, or MyDataHelps' prefix does for a person with an e-mail address.
func (d *decision) generates(c *Change) bool {
	if c.Profile.prefixIdentifiers {
		email, _ := c.Edits.Get(Email)
		return email != ""
	}
	return d.study.IDMethod == GeneratedIDs
}

// add makes a new participant.
func (d *decision) add(c *Change, in *input) Result {
	if in.identifier != "" && c.Profile.strictWhenGenerated && d.study.IDMethod == GeneratedIDs {
		return unknownParticipant()
	}
	in.edits.fill(&in.ifNew)
	if ferr := d.checkCap(c.Place.Site); ferr != nil {
		return Result{Err: ferr}
	}
	if ferr := d.checkClaims(c, ID{}, &Details{}, &in.edits); ferr != nil {
		return Result{Err: ferr}
	}
	identifier, number := in.identifier, d.layer.counters.Numbered[c.Place.Site]+1
	if identifier == "" {
		var ferr *fault.Error
		if identifier, number, ferr = d.generate(c, number-1); ferr != nil {
			return Result{Err: ferr}
		}
	}
	d.layer.counters.Numbered[c.Place.Site] = number
	now := d.newParticipant(c, identifier)
	fields := append(make([]audit.FieldChange, 0, in.most()), audit.FieldChange{Field: IdentifierField, New: identifier})
	if code := d.study.SiteCode(now.Site); code != "" {
		fields = append(fields, audit.FieldChange{Field: SiteField, New: code})
	}
	fields = d.invite(c, now, fields)
	fields = d.apply(c, now, in, fields)
	d.save(c, nil, now)
	d.event(c, now, audit.ParticipantAdded, fields)
	if c.Register {
		d.register(c, now)
	}
	return Result{Done: Added, Participant: now}
}

// invite queues an invitation for a new participant, whose status is then pending unless the
// change says otherwise.
func (d *decision) invite(c *Change, p *Participant, fields []audit.FieldChange) []audit.FieldChange {
	if !c.Invite {
		return fields
	}
	d.layer.invited = append(d.layer.invited, p.ID)
	if c.Invitation != nil {
		return fields
	}
	p.Invitation = InvitationPending
	return append(fields, audit.FieldChange{Field: "invitationStatus", New: string(InvitationPending)})
}

// inviteKnown queues an invitation for somebody who is there already, where the profile does so.
// Who has been invited, and whether they have come, stays as it is.
func (d *decision) inviteKnown(c *Change, p *Participant, fields []audit.FieldChange) []audit.FieldChange {
	if !c.Profile.invitesKnown || p.Invitation == InvitationPending || p.Invitation == InvitationApproved {
		return fields
	}
	old, count := p.Invitation, len(fields)
	if fields = d.invite(c, p, fields); len(fields) > count {
		fields[count].Old = string(old)
	}
	return fields
}

// newParticipant makes the bare record that an add fills.
func (d *decision) newParticipant(c *Change, identifier string) *Participant {
	d.layer.counters.LastSeq++
	p := &Participant{
		ID: d.newID(), LinkID: d.newLinkID(), Study: d.study.ID, Seq: d.layer.counters.LastSeq,
		Identifier: identifier, Site: c.Place.Site, Status: StatusAvailable,
		CreatedAt: d.before.Now, CreatedBy: c.Origin.Actor,
	}
	p.OID = d.giveOID(p)
	if d.study.EnrollOnCreate {
		p.Enrolled, p.EnrolledAt = true, d.before.Now
	}
	return p
}

// checkCap is the enrollment cap: it counts the whole study, and limits the study or the site
// that enforces it (decisions, OpenClinica 17). It stops adds alone.
func (d *decision) checkCap(at SiteID) *fault.Error {
	enforced := d.study.EnforceCap
	if site, ok := d.study.Site(at); ok && site.EnforceCap {
		enforced = true
	}
	if enforced && d.layer.counters.Counted >= int64(d.study.Cap) {
		return fault.New(fault.Conflict, CapReached, "the enrollment cap of %d participants is reached", d.study.Cap)
	}
	return nil
}

// generate finds a free identifier. It answers the number to remember for the place: the one
// the template was given, plus one.
func (d *decision) generate(c *Change, count int64) (identifier string, number int64, ferr *fault.Error) {
	draw, err := d.drawer(c)
	if err != nil {
		return "", 0, fault.Wrap(fault.Internal, err, "the study's identifier template does not work")
	}
	for try := range int64(generationTries) {
		candidate, err := draw(count + try)
		if err != nil {
			break
		}
		candidate, ferr := c.Profile.identifier(candidate)
		if ferr != nil || candidate == "" {
			break
		}
		if d.find(ID{}, candidate) == nil {
			return candidate, count + try + 1, nil
		}
	}
	return "", 0, fault.New(fault.Conflict, GenerationFailed, "no free identifier could be generated").
		WithHint("check the study's participant ID template")
}

// drawer answers how candidates for an identifier are made.
func (d *decision) drawer(c *Change) (func(count int64) (string, error), error) {
	// Each change draws from a source of its own: a candidate that turns out to be taken does
	// not change the candidates of the changes after it.
	source := rand.New(rand.NewPCG(binary.BigEndian.Uint64(d.before.Seed[:8]), d.nth))
	random := func(digits int) int64 {
		limit := int64(1)
		for range digits {
			limit *= 10
		}
		return source.Int64N(limit)
	}
	if c.Profile.prefixIdentifiers {
		return func(int64) (string, error) {
			return fmt.Sprintf("%s-%04d-%04d", d.study.IdentifierPrefix, random(4), random(4)), nil
		}, nil
	}
	template, err := ParseIDTemplate(d.study.IDTemplate)
	if err != nil {
		return nil, err
	}
	return func(count int64) (string, error) {
		return template.Expand(TemplateValues{
			SiteID:               d.study.SiteIdentifier(c.Place.Site),
			SiteParticipantCount: count,
			Random:               random,
		})
	}, nil
}

// giveOID takes the participant's OID: the base, or the base with a suffix.
func (d *decision) giveOID(p *Participant) string {
	base := oidBase(p.Identifier)
	oid := base
	for attempt := 0; oid == "SS_" || d.oidTaken(oid); attempt++ {
		oid = oidSuffixed(base, p.Seq, attempt)
	}
	d.layer.oids[oid] = true
	return oid
}

func (d *decision) oidTaken(oid string) bool {
	taken, known := d.layer.oidTaken(oid)
	if !known {
		d.ask.oid(oid)
	}
	return taken
}

// update changes a participant who exists.
func (d *decision) update(c *Change, was *Participant, in *input) Result {
	if ferr := d.checkUpdate(c, was); ferr != nil {
		return Result{Err: ferr}
	}
	renamed := in.identifier != "" && Fold(in.identifier) != Fold(was.Identifier)
	if renamed && d.find(ID{}, in.identifier) != nil {
		return identifierTaken()
	}
	if ferr := d.checkClaims(c, was.ID, &was.Details, &in.edits); ferr != nil {
		return Result{Err: ferr}
	}
	if ferr := d.checkFixedContacts(c, was, &in.edits); ferr != nil {
		return Result{Err: ferr}
	}
	now := *was
	var fields []audit.FieldChange
	if renamed {
		fields = append(fields, audit.FieldChange{Field: IdentifierField, Old: was.Identifier, New: in.identifier})
		now.Identifier = in.identifier
	}
	action := audit.ParticipantUpdated
	if c.Place.Given && c.Place.Site != was.Site {
		action, now.Site = audit.ParticipantMoved, c.Place.Site
		fields = append(fields, audit.FieldChange{
			Field: SiteField, Old: d.study.SiteCode(was.Site), New: d.study.SiteCode(now.Site),
		})
	}
	fields = d.apply(c, &now, in, d.inviteKnown(c, &now, fields))
	registers := c.Register && was.Participate == NotRegistered
	if len(fields) == 0 && !registers {
		return Result{Done: Unchanged, Participant: was}
	}
	d.saveUpdate(c, was, &now, action, fields)
	if registers {
		d.register(c, &now)
	}
	return Result{Done: Updated, Participant: &now}
}

// saveUpdate puts the new state of a participant who was renamed, moved or edited.
func (d *decision) saveUpdate(c *Change, was, now *Participant, action audit.Action, fields []audit.FieldChange) {
	if now.Identifier != was.Identifier {
		d.layer.byKey[Fold(was.Identifier)] = nil
	}
	if now.Site != was.Site {
		d.layer.counters.Numbered[now.Site]++
	}
	d.save(c, was, now)
	if len(fields) > 0 {
		d.event(c, now, action, fields)
	}
}

// checkUpdate tells whether the change may touch this participant at all.
func (d *decision) checkUpdate(c *Change, was *Participant) *fault.Error {
	if c.AddOnly || (c.Profile.hidesRemoved && was.Status == StatusRemoved) {
		if c.ID != (ID{}) && !c.AddOnly {
			return unknownParticipant().Err
		}
		return identifierTaken().Err
	}
	moves := c.Place.Given && c.Place.Site != was.Site
	switch {
	case moves && was.Site != StudyLevel && !c.Profile.movesBetweenSites:
		return fault.New(fault.Conflict, IdentifierElsewhere, "the participant belongs to another site of the study").In(IdentifierField)
	case moves && c.Place.Site == StudyLevel:
		return fault.New(fault.Invalid, StaysAtSite, "a participant at a site cannot return to the study level").In(SiteField)
	}
	if site, ok := d.study.Site(was.Site); ok {
		if ferr := CheckWritable(d.study, site); ferr != nil {
			return ferr
		}
	}
	writable := was.Status == StatusAvailable || was.Status == StatusSigned
	if !writable || (was.Withdrawn() && !c.Profile.writesWithdrawn) {
		return fault.New(fault.Conflict, ParticipantNotAvailable, "the participant is removed, locked or withdrawn").In(IdentifierField)
	}
	return nil
}

// register makes the participant's access code and sets the status Created (reference,
// OpenClinica 1, register=y). now has been saved already and is changed in place.
func (d *decision) register(c *Change, now *Participant) {
	code, ok := d.layer.freshCode(now.ID)
	if !ok {
		d.ask.Codes++
		return
	}
	now.AccessCode = code.Sealed
	now.Participate = ParticipateCreated
	d.event(c, now, audit.ParticipateRegistered, []audit.FieldChange{
		{Field: "participateStatus", New: string(ParticipateCreated)},
	})
}

func identifierMissing() *fault.Error {
	return fault.New(fault.Invalid, IdentifierMissing, "the participant identifier is missing").In(IdentifierField)
}

func unknownParticipant() Result {
	return Result{Err: fault.New(fault.NotFound, ParticipantUnknown, "there is no such participant").In(IdentifierField)}
}

func identifierTaken() Result {
	return Result{Err: fault.New(fault.Conflict, IdentifierTaken, "the participant identifier is already in use").In(IdentifierField)}
}
