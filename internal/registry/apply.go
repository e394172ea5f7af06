package registry

import (
	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// checkClaims tells whether the contacts that the edits give to the participant are free for
// it. Only a dialect that promises unique contacts, or a study that demands them, refuses.
func (d *decision) checkClaims(c *Change, id ID, old *Details, edits *Edits) *fault.Error {
	for _, contact := range contacts {
		value, given := edits.Get(contact.field)
		if !given || value == "" || sameContact(contact.kind, old[contact.field], value) {
			continue
		}
		holder := d.holder(ClaimOn(contact.kind, value))
		if holder != (ID{}) && holder != id && (c.Profile.requiresClaims || d.study.UniqueContacts) {
			return fault.New(fault.Conflict, ContactTaken, "belongs to another participant").In(contact.field.String())
		}
	}
	return nil
}

// checkFixedContacts refuses to change or clear the e-mail or mobile phone of an enrolled
// participant; a first one may be set (MyDataHelps, Participant Object, and decisions 10).
func (d *decision) checkFixedContacts(c *Change, was *Participant, edits *Edits) *fault.Error {
	if !c.Profile.fixesContacts || !was.Enrolled {
		return nil
	}
	for _, contact := range contacts {
		value, given := edits.Get(contact.field)
		old := was.Details[contact.field]
		if given && old != "" && !sameContact(contact.kind, old, value) {
			return fault.New(fault.Conflict, ContactFixed, "cannot be changed once the participant has enrolled").
				In(contact.field.String())
		}
	}
	return nil
}

// sameContact tells whether two stored values are one contact for the purpose of claims.
func sameContact(kind ContactKind, a, b string) bool {
	return a == b || (a != "" && b != "" && ClaimOn(kind, a) == ClaimOn(kind, b))
}

func (d *decision) holder(claim Claim) ID {
	holder, known := d.layer.claimHolder(claim)
	if !known {
		d.ask.claim(claim)
	}
	return holder
}

// apply writes the change's values into the participant, moves its claims along, and adds
// what differed to fields.
func (d *decision) apply(c *Change, p *Participant, in *input, fields []audit.FieldChange) []audit.FieldChange {
	for _, f := range c.Profile.Order {
		value, given := in.edits.Get(f)
		old := p.Details[f]
		if !given || value == old {
			continue
		}
		if f == MobilePhone && c.Profile.phonesByNumber && sameContact(PhoneContact, old, value) {
			continue
		}
		p.Details[f] = value
		fields = append(fields, audit.FieldChange{Field: f.String(), Old: old, New: value})
		d.moveClaim(p.ID, f, old, value)
	}
	fields = applyCustom(p, in.custom, fields)
	if c.Invitation != nil && *c.Invitation != p.Invitation {
		fields = append(fields, audit.FieldChange{
			Field: "invitationStatus", Old: string(p.Invitation), New: string(*c.Invitation),
		})
		p.Invitation = *c.Invitation
	}
	if c.ExcludeFromExport != nil && *c.ExcludeFromExport != p.ExcludeFromExport {
		fields = append(fields, audit.FieldChange{
			Field: "excludeFromExport", Old: yesNo(p.ExcludeFromExport), New: yesNo(*c.ExcludeFromExport),
		})
		p.ExcludeFromExport = *c.ExcludeFromExport
	}
	return fields
}

// moveClaim gives up the claim on the old value, if the participant holds it, and takes the
// one on the new value, if it is free.
func (d *decision) moveClaim(id ID, f Field, old, value string) {
	for _, contact := range contacts {
		if contact.field != f || sameContact(contact.kind, old, value) {
			continue
		}
		if old != "" {
			if claim := ClaimOn(contact.kind, old); d.holder(claim) == id {
				d.layer.claims[claim] = ID{}
			}
		}
		if value != "" {
			if claim := ClaimOn(contact.kind, value); d.holder(claim) == (ID{}) {
				d.layer.claims[claim] = id
			}
		}
	}
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
