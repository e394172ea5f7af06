package config

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/uuid"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// The limits on what a study file declares. Those of OIDs and codes are OpenClinica's widest,
// with room.
const (
	maxName       = 255
	maxOID        = 64
	maxCode       = 64
	maxIdentifier = 64
	maxTemplate   = 512
	maxRule       = 4096
	maxCap        = 1_000_000_000
)

var (
	oidPattern       = regexp.MustCompile(`^[A-Za-z0-9_.()-]{1,64}$`)
	prefixPattern    = regexp.MustCompile(`^[A-Za-z0-9]{1,20}$`)
	fieldNamePattern = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	fileNameUnsafe   = `/\:*?"<>|` // what a protocol identifier, part of file names, cannot hold
)

// study reads one item of studies.
func (r *reader) study(n ast.Node) (*StudyDefinition, bool) {
	o, ok := r.object(n, "a study", "oid", "guid", "identifier", "name", "status", "participate",
		"participantIds", "identifierPrefix", "enrollment", "enrollOnCreate", "uniqueContacts",
		"bulkContract", "sites", "customFields", "segments")
	if !ok {
		return nil, false
	}
	o.require("oid", "name")
	d := &StudyDefinition{At: o.placeFor("oid"), GUIDAt: o.placeFor("guid")}
	s := &d.Study
	s.OID = o.oid("oid")
	s.GUID = o.guid("guid")
	s.Identifier = o.text("identifier", s.OID, maxIdentifier)
	if o.has("identifier") && strings.ContainsAny(s.Identifier, fileNameUnsafe) {
		r.problems.add(o.placeFor("identifier"), "", "identifier is part of file names and cannot hold any of %s", fileNameUnsafe)
	}
	s.Name = o.text("name", "", maxName)
	s.Status = choice(o, "status", registry.Available, registry.Statuses()...)
	s.Participate = choice(o, "participate", "inactive", "active", "inactive") == "active"
	s.EnrollOnCreate = o.boolean("enrollOnCreate", true)
	s.UniqueContacts = o.boolean("uniqueContacts", false)
	s.BulkContract = choice(o, "bulkContract", registry.BulkCurrent, registry.BulkCurrent, registry.BulkLegacy)
	s.IdentifierPrefix = o.matching("identifierPrefix", defaultPrefix(s.Identifier), prefixPattern,
		"must be 1 to 20 letters and digits")
	o.participantIDs(s)
	capGiven := o.enrollment(s)
	o.sites(d, capGiven)
	reported := len(r.problems.all)
	o.customFields(s)
	o.segments(d, len(r.problems.all) == reported)
	return d, true
}

// defaultPrefix makes an identifier prefix of a protocol identifier: its letters and digits.
func defaultPrefix(identifier string) string {
	const longest = 20
	prefix := strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return c
		}
		return -1
	}, identifier)
	if prefix == "" {
		return "ID"
	}
	return prefix[:min(len(prefix), longest)]
}

// oid reads an OID; "" if it is absent or cannot be one.
func (o *object) oid(key string) string {
	return o.matching(key, "", oidPattern, "must be 1 to 64 of letters, digits and _ . ( ) -")
}

func (o *object) matching(key, otherwise string, pattern *regexp.Regexp, want string) string {
	text, ok := o.rawText(key)
	if !ok {
		return otherwise
	}
	if !pattern.MatchString(text) {
		o.r.problems.add(o.entries[key].at, "", "%s %s", key, want)
		return otherwise
	}
	return text
}

// guid reads a GUID in its usual form; zero if it is absent or cannot be one.
func (o *object) guid(key string) uuid.UUID {
	text, ok := o.rawText(key)
	if !ok {
		return uuid.Nil
	}
	const usual = len("6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != usual || id == uuid.Nil {
		o.r.problems.add(o.entries[key].at, "write it like 6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11", "%s is not a GUID", key)
		return uuid.Nil
	}
	return id
}

func (o *object) participantIDs(s *registry.Study) {
	s.IDMethod = registry.ManualIDs
	if !o.has("participantIds") {
		return
	}
	ids, ok := o.r.object(o.entries["participantIds"].value, "participantIds", "method", "template")
	if !ok {
		return
	}
	ids.require("method")
	s.IDMethod = choice(ids, "method", registry.ManualIDs, registry.ManualIDs, registry.GeneratedIDs)
	generated := s.IDMethod == registry.GeneratedIDs
	switch {
	case generated && !ids.has("template"):
		o.r.problems.add(ids.placeFor("method"), `for example '${siteId}-${(siteParticipantCount+1)?string["000"]}'`,
			"system-generated participant ids need a template")
	case !generated && ids.has("template") && ids.has("method"):
		o.r.problems.add(ids.placeFor("template"), "leave it out, or write method: system-generated",
			"manual participant ids take no template")
	case generated:
		s.IDTemplate = ids.text("template", "", maxTemplate)
		if s.IDTemplate == "" {
			return
		}
		if _, err := registry.ParseIDTemplate(s.IDTemplate); err != nil {
			o.r.problems.add(ids.placeFor("template"), fault.As(err).Hint, "template: %s", describe(err))
		}
	}
}

// describe is what an error says to whoever wrote the file.
func describe(err error) string {
	if e := fault.As(err); e.Kind != fault.Internal {
		return e.Message
	}
	return err.Error()
}

func (o *object) enrollment(s *registry.Study) (capGiven bool) {
	if !o.has("enrollment") {
		return false
	}
	e, ok := o.r.object(o.entries["enrollment"].value, "enrollment", "cap", "enforce")
	if !ok {
		return false
	}
	s.Cap = e.count("cap", maxCap)
	s.EnforceCap = e.boolean("enforce", false)
	if s.EnforceCap && !e.has("cap") {
		o.r.problems.add(e.placeFor("enforce"), "add cap", "there is no cap to enforce")
	}
	return e.has("cap")
}

func (o *object) sites(d *StudyDefinition, capGiven bool) {
	for _, item := range o.list("sites") {
		site, ok := o.r.object(item, "a site", "oid", "code", "name", "status", "enforceCap")
		if !ok {
			continue
		}
		site.require("oid", "name")
		oid := site.oid("oid")
		d.Sites = append(d.Sites, SitePlaces{OID: site.placeFor("oid"), Code: site.placeFor("code")})
		d.Study.Sites = append(d.Study.Sites, registry.Site{
			OID:        oid,
			Code:       site.text("code", oid, maxCode),
			Name:       site.text("name", "", maxName),
			Status:     choice(site, "status", registry.Available, registry.Statuses()...),
			EnforceCap: site.boolean("enforceCap", false),
		})
		if site.boolean("enforceCap", false) && !capGiven {
			o.r.problems.add(site.placeFor("enforceCap"), "add enrollment: {cap: ...} to the study", "there is no cap to enforce")
		}
	}
}

func (o *object) customFields(s *registry.Study) {
	first := map[string]Place{}
	for _, item := range o.list("customFields") {
		field, ok := o.r.object(item, "a custom field", "name", "type")
		if !ok {
			continue
		}
		field.require("name", "type")
		name := field.matching("name", "", fieldNamePattern, "must be 1 to 64 letters, digits and _")
		unique(o.r.problems, first, "custom field", registry.Fold(name), field.placeFor("name"))
		s.CustomFields = append(s.CustomFields, registry.CustomField{
			Name: name,
			Type: choice(field, "type", registry.TextField, registry.FieldTypes()...),
		})
	}
}

// segments reads the segments. Their rules are checked where the custom fields that they speak
// of are sound: else one mistake would be reported twice.
func (o *object) segments(d *StudyDefinition, fieldsSound bool) {
	first := map[string]Place{}
	for _, item := range o.list("segments") {
		segment, ok := o.r.object(item, "a segment", "id", "name", "rule")
		if !ok {
			continue
		}
		segment.require("id", "name", "rule")
		id := segment.guid("id")
		if id != uuid.Nil {
			unique(o.r.problems, first, "segment id", id.String(), segment.placeFor("id"))
		}
		d.Segments = append(d.Segments, segment.placeFor("rule"))
		seg := registry.Segment{
			ID:   id,
			Name: segment.text("name", "", maxName),
			Rule: segment.rule("rule"),
		}
		if fieldsSound && seg.Rule != "" {
			segment.checkRule(&d.Study, seg, "rule")
		}
		d.Study.Segments = append(d.Study.Segments, seg)
	}
}

// rule reads a segment's rule, which may stand on several lines.
func (o *object) rule(key string) string {
	text, ok := o.rawText(key)
	if !ok {
		return ""
	}
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxRule {
		o.r.problems.add(o.entries[key].at, "", "%s must have 1 to %d bytes", key, maxRule)
		return ""
	}
	return text
}
