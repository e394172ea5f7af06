package web

import (
	"slices"
	"strings"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// form is what a template needs to show fields, what is in them and what is wrong with them.
type form struct {
	Groups  []formGroup
	Summary []formProblem // what is wrong, with where
}

type formGroup struct {
	Name   string
	Fields []formField
}

// formField is one field to fill in.
type formField struct {
	Key      string // its name in the form
	Name     string
	Kind     string // text, long, email, tel, date, number or choice
	Value    string // what is in it now
	Was      string // what was in it when the page was made, to tell what its reader has changed
	Hint     string
	Problem  string
	Limit    int
	Required bool
	Choices  []choice
}

// formProblem is a line of the summary that stands above a form. Key is "" for what is wrong with
// all of it.
type formProblem struct{ Key, Name, Text string }

// wasPrefix begins the name of a field's value as it was.
const wasPrefix = "was."

// customKey is the name of a custom field in a form.
func customKey(name string) string { return customPrefix + name }

func customName(key string) (string, bool) {
	return strings.CutPrefix(key, registry.CustomFieldsName+".")
}

// faultKey is the name in a form of the field that a fault is about.
func faultKey(f *fault.Error) string {
	if name, ok := customName(f.Field); ok {
		return customKey(name)
	}
	return f.Field
}

// contactForm is the form of all that can be known about a participant.
func (v *visit) contactForm(p *registry.Participant) *form {
	f := &form{}
	for _, g := range detailGroups {
		group := formGroup{Name: v.words.say("group." + g.name)}
		for _, field := range g.fields {
			group.Fields = append(group.Fields, v.detailField(field, p.Details[field]))
		}
		f.Groups = append(f.Groups, group)
	}
	custom := formGroup{Name: v.words.say("group.custom")}
	for _, field := range v.study.CustomFields {
		if !isSecondary(field) {
			custom.Fields = append(custom.Fields, v.customField(field, p.Custom[field.Name]))
		}
	}
	if len(custom.Fields) > 0 {
		f.Groups = append(f.Groups, custom)
	}
	return f
}

func (v *visit) detailField(f registry.Field, value string) formField {
	field := formField{
		Key: f.String(), Name: v.words.fieldName(f), Kind: "text", Value: value, Was: value, Limit: registry.Staff().Limit(f),
		Hint: v.words.or("hint."+f.String(), ""),
	}
	switch f {
	case registry.Email:
		field.Kind = "email"
	case registry.MobilePhone:
		field.Kind = "tel"
	case registry.DateOfBirth:
		field.Kind = "date"
	case registry.Gender:
		field.Kind, field.Choices = "choice", v.choices("gender.", value, "", "F", "M", "O")
	case registry.UnsubscribedFromEmails, registry.UnsubscribedFromSms:
		field.Kind, field.Choices = "choice", v.choices("boolean.", value, "", "true", "false")
	default:
	}
	if field.Limit < len([]rune(value)) {
		field.Limit = 0 // it was written through an API with another limit, and may stay
	}
	return field
}

func (v *visit) customField(f registry.CustomField, value string) formField {
	field := formField{Key: customKey(f.Name), Name: f.Name, Kind: "text", Value: value, Was: value}
	switch f.Type {
	case registry.DateField:
		field.Kind = "date"
	case registry.IntegerField, registry.DecimalField:
		field.Kind = "number"
	case registry.BooleanField:
		field.Kind, field.Choices = "choice", v.choices("boolean.", value, "", "true", "false")
	case registry.TextField:
		if len(value) > 80 || strings.ContainsAny(value, "\r\n") {
			field.Kind = "long"
		}
	}
	return field
}

// choices are the values to choose from, with their words. One that is none of them is there too.
func (v *visit) choices(prefix, chosen string, values ...string) []choice {
	if !slices.Contains(values, chosen) {
		values = append(values, chosen)
	}
	all := make([]choice, len(values))
	for i, value := range values {
		all[i] = choice{value, v.words.or(prefix+value, value), value == chosen}
		if value == "" {
			all[i].Text = v.words.say("choice.none")
		}
	}
	return all
}

// fields lists all fields of the form.
func (f *form) fields(do func(*formField)) {
	for i := range f.Groups {
		for j := range f.Groups[i].Fields {
			do(&f.Groups[i].Fields[j])
		}
	}
}

// fill puts what was sent into the form.
func (f *form) fill(v *visit) {
	f.fields(func(field *formField) {
		if !v.r.PostForm.Has(field.Key) {
			return
		}
		field.Value = plainLines(v.r.PostForm.Get(field.Key))
		if field.Was = plainLines(field.Was); v.r.PostForm.Has(wasPrefix + field.Key) {
			field.Was = plainLines(v.r.PostForm.Get(wasPrefix + field.Key))
		}
		for i := range field.Choices {
			field.Choices[i].Chosen = field.Choices[i].Value == field.Value
		}
	})
}

// edit puts what its reader has changed into a change, and leaves alone what they have not: two
// who write different fields of one participant do not undo each other.
func (f *form) edit(c *registry.Change) {
	f.fields(func(field *formField) {
		if field.Value == field.Was {
			return
		}
		if name, ok := strings.CutPrefix(field.Key, customPrefix); ok {
			if c.Custom == nil {
				c.Custom = map[string]string{}
			}
			c.Custom[name] = field.Value
		} else if detail, ok := registry.FieldByName(field.Key); ok {
			c.Edits.Set(detail, field.Value)
		}
	})
}

// blame says what is wrong at the fields, and above the form.
func (f *form) blame(v *visit, faults ...*fault.Error) {
	for _, ferr := range faults {
		text, placed := v.words.fieldFault(ferr), false
		f.fields(func(field *formField) {
			if field.Key == faultKey(ferr) {
				field.Problem, placed = text, true
				f.Summary = append(f.Summary, formProblem{field.Key, field.Name, text})
			}
		})
		if !placed {
			f.Summary = append(f.Summary, formProblem{Text: v.words.fault(ferr)})
			if remedy := v.words.remedy(ferr); remedy != "" {
				f.Summary[len(f.Summary)-1].Text += " " + remedy
			}
		}
	}
}

// plainLines is a text with the line ends that forms do not send.
func plainLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }
