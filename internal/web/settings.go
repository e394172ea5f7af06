package web

import (
	"context"
	"net/http"

	"rollcall/internal/access"
	"rollcall/internal/registry"
)

// People tells who holds which role; [access.Service] does.
type People interface {
	// Holders lists who holds a role in the study or at one of its sites, by name.
	Holders(ctx context.Context, study registry.StudyID) ([]access.Holder, error)
}

// settingsView is what a study is: its settings, sites, fields, segments and people. They are
// defined in its study file.
type settingsView struct {
	*frame
	Facts    []fact
	Sites    []siteFact
	Fields   []fact
	Segments []segmentCount // nil for those who may not read contact data
	People   []personRoles  // nil for those who may not read who has which role
}

type siteFact struct {
	Name, Code, OID string
	Status          badge
	Capped          bool
}

// segmentCount is a segment with how many are in it now.
type segmentCount struct {
	Name, Rule, URL string
	Members         int
}

type personRoles struct {
	Username string
	Roles    []string
}

// showSettings shows what the study is:
//
//	GET /studies/{study}/settings
func (p *Pages) showSettings(v *visit, w http.ResponseWriter) error {
	page := &settingsView{frame: v.frame, Facts: v.studyFacts()}
	page.Title, page.Here = v.words.say("settings.title"), "settings"
	for _, site := range v.who.Places(access.BrowseParticipants, v.study).Sites {
		status := badge{"locked", v.words.say("study.status." + string(site.Status))}
		if site.Status == registry.Available {
			status.Key = "available"
		}
		page.Sites = append(page.Sites, siteFact{site.Name, site.Code, site.OID, status, site.EnforceCap})
	}
	for _, f := range v.study.CustomFields {
		page.Fields = append(page.Fields, fact{Name: f.Name, Value: v.words.say("fieldType." + string(f.Type))})
	}
	if v.may(access.ReadContacts, registry.StudyLevel) {
		for _, s := range v.study.Segments {
			found, err := p.Registry.Query(v.r.Context(), v.study.ID, &registry.Query{Segment: &s.ID})
			if err != nil {
				return err
			}
			page.Segments = append(page.Segments, segmentCount{s.Name, s.Rule, peopleURL(v.study) + "?segment=" + s.ID.String(), found.Total})
		}
	}
	if v.may(access.ReadRoles, registry.StudyLevel) {
		holders, err := p.People.Holders(v.r.Context(), v.study.ID)
		if err != nil {
			return err
		}
		for _, h := range holders {
			page.People = append(page.People, personRoles{h.Username, v.roleNames(v.study, h.Grants)})
		}
	}
	return p.page(w, http.StatusOK, "settings", page)
}

// studyFacts lists the study's settings.
func (v *visit) studyFacts() []fact {
	say, s := v.words.say, v.study
	yes := func(b bool) string {
		if b {
			return say("boolean.true")
		}
		return say("boolean.false")
	}
	method := say("settings.manual")
	if s.IDMethod == registry.GeneratedIDs {
		method = say("settings.generated", s.IDTemplate)
	}
	limit := say("settings.noCap")
	if s.Cap > 0 {
		limit = v.words.number(int64(s.Cap))
	}
	return []fact{
		{Name: say("settings.name"), Value: s.Name}, {Name: say("column.status"), Value: say("study.status." + string(s.Status))},
		{Name: say("record.oid"), Value: s.OID}, {Name: say("settings.guid"), Value: s.GUID.String()},
		{Name: say("settings.identifier"), Value: s.Identifier}, {Name: say("settings.participate"), Value: yes(s.Participate)},
		{Name: say("settings.identifiers"), Value: method}, {Name: say("home.cap"), Value: limit},
		{Name: say("settings.enforced"), Value: yes(s.EnforceCap)}, {Name: say("settings.enrollOnCreate"), Value: yes(s.EnrollOnCreate)},
		{Name: say("settings.uniqueContacts"), Value: yes(s.UniqueContacts)},
	}
}
