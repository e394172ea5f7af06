package mydatahelps

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// person reads one partial participant into the change (spec "Add/Update Participant", Body
// Parameters). A key that is absent changes nothing, null or "" clears, of a key that comes
// twice the last one counts, and keys that mean nothing or are read-only are passed over
// (decisions, MyDataHelps 4).
func (b *bodyReader) person(study *registry.Study, c *registry.Change) error {
	given, err := b.object("", func(key string) error { return b.personKey(study, c, registry.Fold(key)) })
	if err != nil {
		return err
	}
	if !given {
		return wrongType("", "has to be an object")
	}
	return nil
}

func (b *bodyReader) personKey(study *registry.Study, c *registry.Change, key string) (err error) {
	switch key {
	case "id":
		return b.personID(c)
	case "participantidentifier":
		c.Identifier, err = b.text(registry.IdentifierField)
		return err
	case "secondaryidentifier":
		return b.detail(c, registry.SecondaryID)
	case "invitationstatus":
		return b.invitation(c)
	case "excludefromexport":
		exclude, err := b.boolean("excludeFromExport")
		c.ExcludeFromExport = &exclude
		return err
	case "institutioncode":
		return b.institution(study, c)
	case "demographics":
		_, err := b.object("demographics", func(key string) error { return b.demographic(c, key) })
		return err
	case "customfields":
		_, err := b.object(registry.CustomFieldsName, func(key string) error { return b.custom(study, c, key) })
		return err
	default:
		return b.skip()
	}
}

func (b *bodyReader) personID(c *registry.Change) error {
	text, err := b.text("id")
	if err != nil || text == "" {
		c.ID = registry.ID{}
		return err
	}
	id, ok := parseGUID(text)
	if !ok {
		return fault.New(fault.Invalid, registry.Malformed, "is not a GUID").In("id")
	}
	if c.ID = id; id == (registry.ID{}) {
		return participantUnknown().In("id") // to the registry, it would be no ID at all
	}
	return nil
}

// invitationStatuses are the words of the vendor's page; "" is "not set".
func invitationStatuses() []registry.InvitationStatus {
	return []registry.InvitationStatus{
		registry.InvitationNotSet, registry.InvitationPending, registry.InvitationDeclined,
		registry.InvitationCancelled, registry.InvitationApproved, registry.InvitationNotInvited,
	}
}

func (b *bodyReader) invitation(c *registry.Change) error {
	text, err := b.text("invitationStatus")
	if err != nil {
		return err
	}
	all := invitationStatuses()
	i := slices.IndexFunc(all, func(s registry.InvitationStatus) bool { return strings.EqualFold(string(s), text) })
	if i < 0 {
		return fault.New(fault.Invalid, registry.Malformed,
			"is none of pending, declined, cancelled, approved and notInvited").In("invitationStatus")
	}
	c.Invitation = &all[i]
	return nil
}

// institution reads the code of the site to move to; none means the study level, where only
// those can be who are there already.
func (b *bodyReader) institution(study *registry.Study, c *registry.Change) error {
	code, err := b.text("institutionCode")
	if err != nil {
		return err
	}
	if code = strings.TrimSpace(code); code == "" {
		c.Place = registry.At(registry.StudyLevel)
		return nil
	}
	site, ok := study.SiteByCode(code)
	if !ok {
		return fault.New(fault.Invalid, registry.SiteUnknown, "there is no such site").In(registry.SiteField)
	}
	c.Place = registry.At(site.ID)
	return nil
}

func (b *bodyReader) demographic(c *registry.Change, key string) error {
	if strings.EqualFold(key, "name") {
		return b.wholeName(c)
	}
	for _, d := range demographics {
		if strings.EqualFold(key, d.name) {
			return b.detail(c, d.field)
		}
	}
	return b.skip()
}

func (b *bodyReader) detail(c *registry.Change, f registry.Field) error {
	text, err := b.text(f.String())
	if err != nil {
		return err
	}
	c.Edits.Set(f, text)
	return nil
}

// wholeName reads demographics.name, which is no field but is in the vendor's own samples: a
// new participant without names gets it, split at the last space (decisions, MyDataHelps 4).
// As a key that is not documented it cannot be wrong: what is no name is passed over.
func (b *bodyReader) wholeName(c *registry.Change) error {
	token, err := b.next()
	if err != nil {
		return err
	}
	if token.Kind() != jsontext.KindString {
		return b.skipFrom(token)
	}
	text := token.String()
	first, last := strings.TrimSpace(text), ""
	if i := strings.LastIndexByte(first, ' '); i >= 0 {
		first, last = strings.TrimSpace(first[:i]), first[i+1:]
	}
	p := registry.MyDataHelps()
	c.IfNew = registry.Edits{}
	longest := max(utf8.RuneCountInString(first), utf8.RuneCountInString(last))
	if longest == 0 || longest > p.Limit(registry.FirstName) || !isText(text) {
		return nil
	}
	c.IfNew.Set(registry.FirstName, first)
	c.IfNew.Set(registry.LastName, last)
	return nil
}

// custom reads one custom field's value. The name is the study's own spelling where there is
// one, so that of two spellings the last counts.
func (b *bodyReader) custom(study *registry.Study, c *registry.Change, key string) error {
	name, field := key, registry.CustomFieldsName
	if defined, ok := study.CustomField(key); ok {
		name = defined.Name
		field += "." + name
	}
	text, err := b.text(field)
	if err != nil {
		return err
	}
	if c.Custom == nil {
		c.Custom = map[string]string{}
	}
	c.Custom[name] = text
	return nil
}
