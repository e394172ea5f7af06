package config

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// plan is what one Apply is going to write.
type plan struct {
	at      time.Time
	origin  audit.Origin
	newGUID func() (uuid.UUID, error)
	secrets secrets

	studies  []*plannedStudy
	users    []plannedUser
	accounts []plannedAccount

	byOID    map[string]*registry.Study // every study there will be, by folded OID
	siteOf   map[string]*registry.Study // the study of every site there will be, by folded OID
	problems problemList

	differences []Difference
}

// plannedStudy is a study before and after. Before is nil for a new one.
type plannedStudy struct {
	definition    *StudyDefinition
	before, after *registry.Study
}

// planStudies merges the definitions into the studies that there are and checks the result.
func (p *plan) planStudies(defs *Definitions, existing []*registry.Study) error {
	p.byOID = map[string]*registry.Study{}
	stored := map[string]*registry.Study{}
	for _, s := range existing {
		stored[registry.Fold(s.OID)] = s
		p.byOID[registry.Fold(s.OID)] = s
	}
	for _, d := range defs.Studies {
		key := registry.Fold(d.Study.OID)
		planned := &plannedStudy{definition: d, before: stored[key], after: mergeStudy(stored[key], &d.Study)}
		if planned.after.GUID == uuid.Nil {
			guid, err := p.newGUID()
			if err != nil {
				return fmt.Errorf("make study guid: %w", err)
			}
			planned.after.GUID = guid
		}
		p.studies = append(p.studies, planned)
		p.byOID[key] = planned.after
	}
	p.checkStudies(existing)
	return nil
}

// mergeStudy makes the study that a definition asks for out of the one that there is, if any.
// What it returns shares nothing with either that is changed later.
func mergeStudy(before, defined *registry.Study) *registry.Study {
	after := *defined
	after.Sites = nil
	if before != nil {
		after.ID = before.ID
		after.Sites = slices.Clone(before.Sites)
		if after.GUID == uuid.Nil {
			after.GUID = before.GUID
		}
	}
	for _, site := range defined.Sites {
		i := slices.IndexFunc(after.Sites, func(s registry.Site) bool {
			return registry.Fold(s.OID) == registry.Fold(site.OID)
		})
		if i < 0 {
			site.Study = after.ID
			after.Sites = append(after.Sites, site)
			continue
		}
		site.ID, site.Study = after.Sites[i].ID, after.Sites[i].Study
		after.Sites[i] = site
	}
	return &after
}

// checkStudies finds where the definitions clash with what the store keeps. Clashes among
// definitions were found when they were loaded.
func (p *plan) checkStudies(existing []*registry.Study) {
	p.siteOf = map[string]*registry.Study{}
	for _, s := range p.byOID {
		for i := range s.Sites {
			p.siteOf[registry.Fold(s.Sites[i].OID)] = s
		}
	}
	storedSite := map[string]*registry.Study{}
	for _, s := range existing {
		for i := range s.Sites {
			storedSite[registry.Fold(s.Sites[i].OID)] = s
		}
	}
	for _, planned := range p.studies {
		d := planned.definition
		if s, ok := storedSite[registry.Fold(d.Study.OID)]; ok {
			p.problems.add(d.At, "", "%s is the OID of a site of study %s", d.Study.OID, s.OID)
		}
		for _, other := range p.byOID {
			if other != planned.after && other.GUID == planned.after.GUID {
				p.problems.add(d.GUIDAt, "", "the guid is that of study %s", other.OID)
			}
		}
		for i := range d.Study.Sites {
			p.checkSite(planned, &d.Study.Sites[i], d.Sites[i], storedSite)
		}
	}
}

func (p *plan) checkSite(planned *plannedStudy, site *registry.Site, at SitePlaces, stored map[string]*registry.Study) {
	oid := registry.Fold(site.OID)
	if s, ok := stored[oid]; ok && s != planned.before {
		p.problems.add(at.OID, "a site cannot move to another study", "site %s belongs to study %s", site.OID, s.OID)
	}
	if s, ok := p.byOID[oid]; ok {
		p.problems.add(at.OID, "", "%s is the OID of a study", s.OID)
	}
	for i := range planned.after.Sites {
		other := &planned.after.Sites[i]
		if registry.Fold(other.OID) != oid && registry.Fold(other.Code) == registry.Fold(site.Code) {
			p.problems.add(at.Code, "", "code %s is that of site %s", site.Code, other.OID)
		}
	}
}

// write writes what differs, with its audit events.
func (p *plan) write(ctx context.Context, tx Tx) error {
	for _, planned := range p.studies {
		if err := p.writeStudy(ctx, tx, planned); err != nil {
			return err
		}
	}
	var events []audit.Event
	for i := range p.users {
		event, err := p.writeUser(ctx, tx, &p.users[i])
		if err != nil {
			return err
		}
		events = append(events, event...)
	}
	for i := range p.accounts {
		event, err := p.writeServiceAccount(ctx, tx, &p.accounts[i])
		if err != nil {
			return err
		}
		events = append(events, event...)
	}
	return p.record(ctx, tx, 0, events)
}

func (p *plan) writeStudy(ctx context.Context, tx Tx, planned *plannedStudy) error {
	before := planned.before
	if before == nil {
		before = &registry.Study{}
	}
	after := planned.after
	events := p.note(StudyThing, after.OID, audit.StudyChanged, planned.before == nil, compareStudies(before, after))
	for i := range after.Sites {
		site := &after.Sites[i]
		old, known := before.Site(site.ID)
		if !known {
			old = &registry.Site{}
		}
		events = append(events, p.note(SiteThing, site.OID, audit.SiteChanged, !known, compareSites(old, site))...)
	}
	if len(events) == 0 {
		return nil
	}
	if err := tx.PutStudy(ctx, after); err != nil {
		return fmt.Errorf("write study %s: %w", after.OID, err)
	}
	return p.record(ctx, tx, after.ID, events)
}

// note keeps the differences of one thing and makes its audit event; none if it has none. A
// new thing is one difference, while its event holds every field.
func (p *plan) note(thing Thing, key string, action audit.Action, isNew bool, fields []audit.FieldChange) []audit.Event {
	if len(fields) == 0 && !isNew {
		return nil
	}
	if isNew {
		p.differences = append(p.differences, Difference{Thing: thing, Key: key})
	} else {
		for _, f := range fields {
			p.differences = append(p.differences, Difference{Thing: thing, Key: key, Field: f.Field, Old: f.Old, New: f.New})
		}
	}
	return []audit.Event{{At: p.at, Origin: p.origin, Action: action, Identifier: key, Fields: fields}}
}

func (p *plan) record(ctx context.Context, tx Tx, study registry.StudyID, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := tx.Record(ctx, study, p.at, events); err != nil {
		return fmt.Errorf("record changes: %w", err)
	}
	return nil
}

// grantName writes a grant for differences and events.
func grantName(role access.Role, study, site string) string {
	if site != "" {
		return string(role) + " at " + site
	}
	return string(role) + " of " + study
}
