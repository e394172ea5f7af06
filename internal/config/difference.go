package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// Thing is what sort of thing differs.
type Thing string

// The things that study files declare.
const (
	StudyThing          Thing = "study"
	SiteThing           Thing = "site"
	UserThing           Thing = "user"
	ServiceAccountThing Thing = "service account"
)

// changed stands for a value that is secret, or too long to show.
const changed = "changed"

// Difference is one thing that Apply made otherwise. For a new thing Field is empty.
type Difference struct {
	Thing    Thing
	Key      string // OID, username or account name
	Field    string
	Old, New string // "" is "not set"; never a password, a hash or a key
}

// String writes the difference on one line: study S_JUNO(TEST): enrollment cap 0 -> 500.
func (d Difference) String() string {
	head := fmt.Sprintf("%s %s: ", d.Thing, d.Key)
	switch {
	case d.Field == "":
		return head + "added"
	case d.Old == "" && d.New == changed:
		return head + d.Field + " changed"
	default:
		return head + d.Field + " " + shown(d.Old) + " -> " + shown(d.New)
	}
}

func shown(value string) string {
	if value == "" {
		return "(none)"
	}
	return value
}

// fieldChanges collects the fields in which two things differ.
type fieldChanges []audit.FieldChange

func (c *fieldChanges) compare(field, before, after string) {
	if before != after {
		*c = append(*c, audit.FieldChange{Field: field, Old: before, New: after})
	}
}

// secret notes that a field differs without its values.
func (c *fieldChanges) secret(field string, differs bool) {
	if differs {
		*c = append(*c, audit.FieldChange{Field: field, New: changed})
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// compareStudies tells in which fields a study differs, its sites aside. Before is an empty
// study for a new one.
func compareStudies(before, after *registry.Study) []audit.FieldChange {
	var c fieldChanges
	c.compare("oid", before.OID, after.OID)
	c.compare("guid", guidText(before.GUID), guidText(after.GUID))
	c.compare("identifier", before.Identifier, after.Identifier)
	c.compare("name", before.Name, after.Name)
	c.compare("status", string(before.Status), string(after.Status))
	c.compare("participate", yesNo(before.Participate), yesNo(after.Participate))
	c.compare("participant id method", string(before.IDMethod), string(after.IDMethod))
	c.compare("participant id template", before.IDTemplate, after.IDTemplate)
	c.compare("identifier prefix", before.IdentifierPrefix, after.IdentifierPrefix)
	c.compare("enrollment cap", strconv.Itoa(before.Cap), strconv.Itoa(after.Cap))
	c.compare("enrollment cap enforced", yesNo(before.EnforceCap), yesNo(after.EnforceCap))
	c.compare("enroll on create", yesNo(before.EnrollOnCreate), yesNo(after.EnrollOnCreate))
	c.compare("unique contacts", yesNo(before.UniqueContacts), yesNo(after.UniqueContacts))
	c.compare("bulk contract", string(before.BulkContract), string(after.BulkContract))
	compareCustomFields(&c, before.CustomFields, after.CustomFields)
	compareSegments(&c, before.Segments, after.Segments)
	return c
}

func guidText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func compareCustomFields(c *fieldChanges, before, after []registry.CustomField) {
	name := func(f registry.CustomField) string { return f.Name }
	value := func(f registry.CustomField) string { return string(f.Type) }
	compareLists(c, "custom field", before, after, name, value)
}

func compareSegments(c *fieldChanges, before, after []registry.Segment) {
	id := func(s registry.Segment) string { return s.ID.String() }
	value := func(s registry.Segment) string { return s.Name + ": " + s.Rule }
	compareLists(c, "segment", before, after, id, value)
}

// compareLists compares lists of things that have a key and a value each, and then their
// order.
func compareLists[T any](c *fieldChanges, what string, before, after []T, key, value func(T) string) {
	old, now := map[string]string{}, map[string]string{}
	for _, item := range before {
		old[key(item)] = value(item)
	}
	for _, item := range after {
		now[key(item)] = value(item)
		c.compare(what+" "+key(item), old[key(item)], value(item))
	}
	same := len(before) == len(after)
	for _, item := range before {
		if _, kept := now[key(item)]; !kept {
			same = false
			c.compare(what+" "+key(item), value(item), "")
		}
	}
	if same {
		c.compare("order of "+what+"s", keyList(before, key), keyList(after, key))
	}
}

func keyList[T any](items []T, key func(T) string) string {
	keys := make([]string, len(items))
	for i := range items {
		keys[i] = key(items[i])
	}
	return strings.Join(keys, ", ")
}

func compareSites(before, after *registry.Site) []audit.FieldChange {
	var c fieldChanges
	c.compare("oid", before.OID, after.OID)
	c.compare("code", before.Code, after.Code)
	c.compare("name", before.Name, after.Name)
	c.compare("status", string(before.Status), string(after.Status))
	c.compare("enrollment cap enforced", yesNo(before.EnforceCap), yesNo(after.EnforceCap))
	return c
}

// sortedText writes texts in order, so that lists that hold the same compare equal.
func sortedText(texts []string) string {
	return strings.Join(slices.Sorted(slices.Values(texts)), ", ")
}
