package web

import (
	"net/http"
	"slices"

	"rollcall/internal/access"
	"rollcall/internal/registry"
)

// studiesView is the list of the studies in which the reader has a role.
type studiesView struct {
	*frame
	Studies []studyEntry
}

type studyEntry struct {
	Name, OID, URL, Status string
	Roles                  []string
}

// start sends the reader to their study, or to the list if they have several:
//
//	GET /
func (p *Pages) start(v *visit, w http.ResponseWriter) error {
	mine := v.studies()
	if len(mine) == 1 {
		return seeOther(w, v.r, studyURL(mine[0]))
	}
	return seeOther(w, v.r, "/studies")
}

// listStudies lists the reader's studies:
//
//	GET /studies
func (p *Pages) listStudies(v *visit, w http.ResponseWriter) error {
	page := &studiesView{frame: v.frame}
	page.Title = v.words.say("studies.title")
	for _, study := range v.studies() {
		page.Studies = append(page.Studies, studyEntry{
			Name: study.Name, OID: study.OID, URL: studyURL(study), Status: v.words.say("study.status." + string(study.Status)),
			Roles: v.roleNames(study, v.who.Grants),
		})
	}
	return p.page(w, http.StatusOK, "studies", page)
}

// studies lists the studies in which the visitor has a role.
func (v *visit) studies() []*registry.Study {
	return slices.DeleteFunc(v.catalog.Studies(), func(s *registry.Study) bool { return !v.who.HoldsAnyRole(s.ID) })
}

// roleNames names the roles that grants give in a study, with the site of those held at one.
func (v *visit) roleNames(study *registry.Study, grants []access.Grant) []string {
	var roles []string
	for _, g := range grants {
		if g.Study != study.ID {
			continue
		}
		name := v.words.or("role."+roleKey(g.Role), string(g.Role))
		if site, ok := study.Site(g.Site); ok {
			name = v.words.say("role.at", name, site.Name)
		}
		roles = append(roles, name)
	}
	return roles
}

func roleKey(role access.Role) string {
	key := []byte(role)
	for i, c := range key {
		if c == ' ' {
			key[i] = '-'
		}
	}
	return string(key)
}
