package config

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// plannedUser is a user before and after. Before is nil for a new one. The grants of after
// are made when the studies have their numbers.
type plannedUser struct {
	definition    *UserDefinition
	before, after *access.User
}

// plannedAccount is a service account before and after. Before is nil for a new one. The
// studies of after are found when they have their numbers.
type plannedAccount struct {
	definition    *ServiceAccountDefinition
	before, after *access.ServiceAccount
}

func (p *plan) planUsers(defs *Definitions, existing []*access.User) {
	stored := map[string]*access.User{}
	for _, u := range existing {
		stored[registry.Fold(u.Username)] = u
	}
	for _, d := range defs.Users {
		before := stored[registry.Fold(d.Username)]
		after := &access.User{Username: d.Username}
		if before != nil {
			after.ID, after.PasswordHash = before.ID, before.PasswordHash
		}
		switch {
		case d.Password != "":
			after.PasswordHash = p.secrets[registry.Fold(d.Username)]
		case d.PasswordHash != "":
			after.PasswordHash = d.PasswordHash
		}
		if after.PasswordHash == "" {
			p.problems.add(d.At, "", "the new user %s needs one of password, passwordHash and passwordFile", d.Username)
		}
		p.checkRoles(d)
		p.users = append(p.users, plannedUser{definition: d, before: before, after: after})
	}
}

// checkRoles finds roles that name what there will not be.
func (p *plan) checkRoles(d *UserDefinition) {
	for _, r := range d.Roles {
		study, site := registry.Fold(r.Study), registry.Fold(r.Site)
		switch {
		case r.Study != "" && p.byOID[study] == nil && p.siteOf[study] != nil:
			p.problems.add(r.At, "write site: instead", "%s is a site, not a study", r.Study)
		case r.Study != "" && p.byOID[study] == nil:
			p.problems.add(r.At, "", "there is no study %s", r.Study)
		case r.Site != "" && p.siteOf[site] == nil && p.byOID[site] != nil:
			p.problems.add(r.At, "write study: instead", "%s is a study, not a site", r.Site)
		case r.Site != "" && p.siteOf[site] == nil:
			p.problems.add(r.At, "", "there is no site %s", r.Site)
		}
	}
}

func (p *plan) planServiceAccounts(defs *Definitions, existing []*access.ServiceAccount) {
	stored := map[string]*access.ServiceAccount{}
	for _, a := range existing {
		stored[a.Name] = a
	}
	for _, d := range defs.ServiceAccounts {
		after := &access.ServiceAccount{Name: d.Name, Keys: slices.Clone(d.Keys)}
		before := stored[d.Name]
		if before != nil {
			after.ID = before.ID
		}
		for _, s := range d.Studies {
			if p.byOID[registry.Fold(s.OID)] == nil {
				p.problems.add(s.At, "", "there is no study %s", s.OID)
			}
		}
		p.accounts = append(p.accounts, plannedAccount{definition: d, before: before, after: after})
	}
}

// grant finds the numbers of a role that checkRoles found good.
func (p *plan) grant(r *RoleDefinition) access.Grant {
	if r.Study != "" {
		return access.Grant{Study: p.byOID[registry.Fold(r.Study)].ID, Role: r.Role}
	}
	study := p.siteOf[registry.Fold(r.Site)]
	i := slices.IndexFunc(study.Sites, func(s registry.Site) bool { return registry.Fold(s.OID) == registry.Fold(r.Site) })
	return access.Grant{Study: study.ID, Site: study.Sites[i].ID, Role: r.Role}
}

// grantsText writes grants in order, in the field's words.
func (p *plan) grantsText(grants []access.Grant) string {
	texts := make([]string, len(grants))
	for i, g := range grants {
		study := p.studyByID(g.Study)
		if site, ok := study.Site(g.Site); ok && g.Site != registry.StudyLevel {
			texts[i] = grantName(g.Role, "", site.OID)
		} else {
			texts[i] = grantName(g.Role, study.OID, "")
		}
	}
	return sortedText(texts)
}

// studyByID finds a study; an empty one if there is none, which the store rules out.
func (p *plan) studyByID(id registry.StudyID) *registry.Study {
	for _, s := range p.byOID {
		if s.ID == id {
			return s
		}
	}
	return &registry.Study{}
}

func (p *plan) studiesText(ids []registry.StudyID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = p.studyByID(id).OID
	}
	return sortedText(texts)
}

func (p *plan) writeUser(ctx context.Context, tx Tx, u *plannedUser) ([]audit.Event, error) {
	for i := range u.definition.Roles {
		u.after.Grants = append(u.after.Grants, p.grant(&u.definition.Roles[i]))
	}
	before := u.before
	if before == nil {
		before = &access.User{}
	}
	var c fieldChanges
	c.compare("username", before.Username, u.after.Username)
	c.secret("password", before.PasswordHash != u.after.PasswordHash)
	c.compare("roles", p.grantsText(before.Grants), p.grantsText(u.after.Grants))
	events := p.note(UserThing, u.after.Username, audit.UserChanged, u.before == nil, c)
	if len(events) == 0 {
		return nil, nil
	}
	if err := tx.PutUser(ctx, u.after); err != nil {
		return nil, fmt.Errorf("write user %s: %w", u.after.Username, err)
	}
	return events, nil
}

func (p *plan) writeServiceAccount(ctx context.Context, tx Tx, a *plannedAccount) ([]audit.Event, error) {
	for _, s := range a.definition.Studies {
		a.after.Studies = append(a.after.Studies, p.byOID[registry.Fold(s.OID)].ID)
	}
	before := a.before
	if before == nil {
		before = &access.ServiceAccount{}
	}
	var c fieldChanges
	c.compare("name", before.Name, a.after.Name)
	c.compare("studies", p.studiesText(before.Studies), p.studiesText(a.after.Studies))
	c.secret("public keys", sortedText(before.Keys) != sortedText(a.after.Keys))
	events := p.note(ServiceAccountThing, a.after.Name, audit.ServiceAccountChanged, a.before == nil, c)
	if len(events) == 0 {
		return nil, nil
	}
	if err := tx.PutServiceAccount(ctx, a.after); err != nil {
		return nil, fmt.Errorf("write service account %s: %w", a.after.Name, err)
	}
	return events, nil
}
