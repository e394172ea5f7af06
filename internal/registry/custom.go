package registry

import (
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// SecondaryIdentifierField is the custom field that shows the participant's secondary
// identifier, where a study defines it (MyDataHelps, Participant Object).
const SecondaryIdentifierField = "SecondaryIdentifier"

// customLimit is the greatest length of a custom field's value in bytes: clients keep JSON and
// tokens in text fields (reference, MyDataHelps 3), so it is generous.
const customLimit = 64 << 10

// CustomField finds a field of the study by its name without regard to case.
func (s *Study) CustomField(name string) (CustomField, bool) {
	for i := range s.CustomFields {
		if SameFold(s.CustomFields[i].Name, name) {
			return s.CustomFields[i], true
		}
	}
	return CustomField{}, false
}

// customValues checks the change's custom fields against the study's definitions and answers
// them by their defined names. The secondary identifier is a detail: it goes to edits.
func customValues(study *Study, c *Change, edits *Edits) (map[string]string, *fault.Error) {
	if len(c.Custom) == 0 {
		return nil, nil
	}
	values := make(map[string]string, len(c.Custom))
	for _, name := range sortedKeys(c.Custom) {
		field, ok := study.CustomField(name)
		if !ok {
			return nil, fault.New(fault.Invalid, UnknownField, "the study defines no such field").In(CustomFieldsName + "." + name)
		}
		value, ferr := customForm(field, c.Custom[name])
		if ferr != nil {
			return nil, ferr
		}
		if isSecondary(field.Name) {
			if value, ferr = c.Profile.value(SecondaryID, value); ferr != nil {
				return nil, ferr
			}
			edits.Set(SecondaryID, value)
			continue
		}
		values[field.Name] = value
	}
	return values, nil
}

// secondaryAlias checks a secondary identifier that was written as such: for the dialect it is
// an alias for a custom field, which the study has to define. Where it does not, clearing it
// is passed over, since what is not shown is not touched.
func secondaryAlias(study *Study, p *Profile, edits *Edits) *fault.Error {
	text, given := edits.Get(SecondaryID)
	if !given || !p.secondaryIsCustom {
		return nil
	}
	field, defined := study.CustomField(SecondaryIdentifierField)
	if !defined {
		if text == "" {
			edits.drop(SecondaryID)
			return nil
		}
		return fault.New(fault.Invalid, UnknownField, "the study defines no such field").In(SecondaryID.String())
	}
	value, ferr := customForm(field, text)
	if ferr != nil {
		return ferr.In(SecondaryID.String())
	}
	edits.Set(SecondaryID, value)
	return nil
}

// isSecondary tells whether a custom field's name is that of the secondary identifier.
func isSecondary(name string) bool { return SameFold(name, SecondaryIdentifierField) }

// customForm brings a custom field's value into its stored form; "" stays "".
func customForm(field CustomField, text string) (string, *fault.Error) {
	name := CustomFieldsName + "." + field.Name
	if !utf8.ValidString(text) || hasNUL(text) {
		return "", textMalformed(name)
	}
	if len(text) > customLimit {
		return "", tooLong(name, customLimit)
	}
	if field.Type == TextField || text == "" {
		return text, nil
	}
	value, ok := strings.TrimSpace(text), false
	switch field.Type {
	case IntegerField:
		var n int64
		var err error
		n, err = strconv.ParseInt(value, 10, 64)
		value, ok = strconv.FormatInt(n, 10), err == nil
	case DecimalField:
		ok = isDecimal(value)
	case BooleanField:
		value, ok = booleanForm(value)
	case DateField:
		value, ok = dateForm(value)
	default:
	}
	if !ok {
		return "", fault.New(fault.Invalid, Malformed, "is not of the field's type, %s", field.Type).In(name)
	}
	return value, nil
}

// isDecimal tells whether s is a decimal number in plain notation, with an optional exponent.
func isDecimal(s string) bool {
	if strings.ContainsAny(s, "xXpP_nNiI") {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// applyCustom writes custom values into the participant and adds what differed to fields.
func applyCustom(p *Participant, values map[string]string, fields []audit.FieldChange) []audit.FieldChange {
	if len(values) == 0 {
		return fields
	}
	custom := maps.Clone(p.Custom)
	if custom == nil {
		custom = make(map[string]string, len(values))
	}
	for _, name := range sortedKeys(values) {
		value, old := values[name], custom[name]
		if value == old {
			continue
		}
		if value == "" {
			delete(custom, name)
		} else {
			custom[name] = value
		}
		fields = append(fields, audit.FieldChange{Field: CustomFieldsName + "." + name, Old: old, New: value})
	}
	if len(custom) == 0 {
		custom = nil
	}
	p.Custom = custom
	return fields
}

// CustomValue is the value of a custom field by its defined name, "" where unset. The
// secondary identifier is a detail that shows as a custom field.
func (p *Participant) CustomValue(name string) string {
	if isSecondary(name) {
		return p.Details[SecondaryID]
	}
	return p.Custom[name]
}
