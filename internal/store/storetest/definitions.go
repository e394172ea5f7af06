package storetest

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// putting is the function for Define that stores one study.
func putting(s *registry.Study) func(context.Context, config.Tx) error {
	return func(ctx context.Context, tx config.Tx) error { return tx.PutStudy(ctx, s) }
}

func (b *bed) putStudy(s *registry.Study) {
	b.Helper()
	b.must(b.Define(b.ctx, putting(s)))
}

func (b *bed) catalog() *registry.Catalog {
	b.Helper()
	c, err := b.Catalog(b.ctx)
	b.must(err)
	return c
}

func (b *bed) version() int64 {
	b.Helper()
	v, err := b.CatalogVersion(b.ctx)
	b.must(err)
	return v
}

// fullStudy has every setting set.
func fullStudy() *registry.Study {
	return &registry.Study{
		OID: "S_Größe(1)", GUID: uuid.UUID{7, 7}, Identifier: "GR-1", Name: "Größe", Status: registry.Design,
		Participate: true, IDMethod: registry.GeneratedIDs, IDTemplate: "${siteId}-x", IdentifierPrefix: "GR",
		Cap: 500, EnforceCap: true, EnrollOnCreate: true, UniqueContacts: true, BulkContract: registry.BulkLegacy,
		Sites: []registry.Site{
			{OID: "S_ULM", Code: "Ulm", Name: "Klinik Ulm", Status: registry.Locked, EnforceCap: true},
			{OID: "S_AUE", Code: "aue", Name: "Aue", Status: registry.Available},
		},
		CustomFields: []registry.CustomField{{Name: "Zeta", Type: registry.DateField}, {Name: "alpha", Type: registry.IntegerField}},
		Segments: []registry.Segment{
			{ID: uuid.UUID{9}, Name: "Z adults", Rule: "age >= 18"}, {ID: uuid.UUID{8}, Name: "A", Rule: `site == "Ulm"`},
		},
	}
}

var definitionLaws = []law{
	{"a study reads back as stored, with its parts in their order", func(b *bed) {
		want := fullStudy()
		b.putStudy(want)
		if want.ID == 0 || want.Sites[0].ID == 0 || want.Sites[1].ID <= want.Sites[0].ID || want.Sites[0].Study != want.ID {
			b.Fatalf("ids are not set: study %d, sites %+v", want.ID, want.Sites)
		}
		got, err := b.catalog().Study("s_gröẞe(1)")
		b.must(err)
		b.same("from the catalog", want, got)
		b.must(b.inStudy(want.ID, func(tx registry.Tx) error {
			got, err := tx.Study(b.ctx)
			b.same("from a transaction", want, got)
			return err
		}))
		b.define(func(tx config.Tx) error {
			all, err := tx.Studies(b.ctx)
			if err == nil {
				b.same("from a definition", []*registry.Study{b.study, b.other, want}, all)
			}
			return err
		})
		b.same("all", []*registry.Study{b.study, b.other, want}, b.catalog().Studies())
	}},
	{"an update replaces settings, custom fields and segments, and leaves sites that it does not list", func(b *bed) {
		s := fullStudy()
		b.putStudy(s)
		want := &registry.Study{
			ID: s.ID, OID: "S_NEW", GUID: uuid.UUID{6}, Identifier: "N", Name: "New", Status: registry.Available, IDMethod: registry.ManualIDs,
			BulkContract: registry.BulkCurrent,
			Sites:        []registry.Site{s.Sites[1], {OID: "S_BERN", Code: "BERN", Name: "Bern", Status: registry.Available}},
			CustomFields: []registry.CustomField{{Name: "ALPHA", Type: registry.TextField}},
			Segments:     []registry.Segment{{ID: uuid.UUID{8}, Name: "B", Rule: "true"}},
		}
		want.Sites[0].Name = "Aue an der Mulde"
		b.putStudy(want)
		want.Sites = append([]registry.Site{s.Sites[0]}, want.Sites...)
		got, err := b.catalog().Study("S_NEW")
		b.must(err)
		b.same("study", want, got)
		if _, err := b.catalog().Study(s.OID); err == nil {
			b.Error("the old OID is still known")
		}
	}},
	{"the version of a study's rules grows with what they may depend on, and with nothing else", func(b *bed) {
		s := fullStudy()
		b.putStudy(s)
		for _, change := range []struct {
			name  string
			grows bool
			make  func()
		}{
			{"nothing", false, func() {}},
			{"a name", false, func() { s.Name, s.Segments[0].Name, s.Sites[0].Name = "x", "y", "z" }},
			{"a new site", false, func() { s.Sites = append(s.Sites, registry.Site{OID: "S_X", Code: "X"}) }},
			{"a site's code", true, func() { s.Sites[0].Code = "Y" }},
			{"a rule", true, func() { s.Segments[0].Rule = "true" }},
			{"a field", true, func() { s.CustomFields[0].Type = registry.TextField }},
			{"a segment taken out", true, func() { s.Segments = s.Segments[1:] }},
			{"the same segment put back", true, func() { s.Segments = fullStudy().Segments }},
		} {
			before := s.RulesVersion
			change.make()
			b.putStudy(s)
			if grown := s.RulesVersion > before; grown != change.grows {
				b.Errorf("%s: from %d to %d", change.name, before, s.RulesVersion)
			}
			stored, _ := b.catalog().StudyByID(s.ID)
			b.same(change.name+": stored", s.RulesVersion, stored.RulesVersion)
		}
	}},
	{"the catalog's version changes with every change and only then", func(b *bed) {
		before := b.version()
		b.same("of the catalog", before, b.catalog().Version)
		b.add(b.person(1))
		b.define(func(tx config.Tx) error { return tx.PutUser(b.ctx, &access.User{Username: "u"}) })
		b.same("after other changes", before, b.version())
		b.putStudy(b.study)
		if b.version() == before {
			b.Error("the version is the same after a change")
		}
		b.same("of the new catalog", b.version(), b.catalog().Version)
	}},
	{"OIDs, GUIDs and codes in use are conflicts without regard to case", func(b *bed) {
		for name, spoil := range map[string]func(s *registry.Study){
			"study OID":    func(s *registry.Study) { s.OID = "s_one" },
			"GUID":         func(s *registry.Study) { s.GUID = b.study.GUID },
			"site OID":     func(s *registry.Study) { s.Sites[0].OID = "s_one_n" },
			"site code":    func(s *registry.Study) { s.Sites[0].Code = "AUE" },
			"custom field": func(s *registry.Study) { s.CustomFields[0].Name = "ALPHA" },
			"segment":      func(s *registry.Study) { s.Segments[0].ID = s.Segments[1].ID },
		} {
			s := fullStudy()
			spoil(s)
			err := b.Define(b.ctx, putting(s))
			if err == nil || fault.KindOf(err) != fault.Conflict {
				b.Errorf("%s: %v, want a conflict", name, err)
			}
		}
		b.same("studies", 2, len(b.catalog().Studies()))
	}},
	{"site codes are free in every study", func(b *bed) {
		got := b.catalog()
		for _, oid := range []string{"S_ONE_N", "s_two_n"} {
			site, err := got.Site(oid)
			b.must(err)
			b.same(oid, "NORTH", site.Code)
		}
	}},
	{"an update of a study or site that does not exist is not found", func(b *bed) {
		s := fullStudy()
		s.ID = 987654
		b.wantCode(b.Define(b.ctx, putting(s)), fault.NotFound, registry.StudyUnknown)
		s = fullStudy()
		s.Sites[0].ID = b.north // another study's
		b.wantCode(b.Define(b.ctx, putting(s)), fault.NotFound, registry.SiteUnknown)
		b.same("studies", 2, len(b.catalog().Studies()))
	}},
	{"an error undoes every definition and comes back", func(b *bed) {
		before := b.version()
		err := b.Define(b.ctx, func(ctx context.Context, tx config.Tx) error {
			b.must(tx.PutStudy(ctx, fullStudy()))
			b.must(tx.PutUser(ctx, &access.User{Username: "u"}))
			b.must(tx.Record(ctx, 0, now, []audit.Event{{Action: audit.UserChanged}}))
			return errOurs
		})
		if !errors.Is(err, errOurs) {
			b.Errorf("%v, want our own error", err)
		}
		b.same("version", before, b.version())
		b.same("studies", 2, len(b.catalog().Studies()))
		b.same("events", 0, len(b.events(0)))
	}},
	{"after an error a definition refuses, even if the error is forgotten", func(b *bed) {
		err := b.Define(b.ctx, func(ctx context.Context, tx config.Tx) error {
			twin := fullStudy()
			twin.OID = b.study.OID
			_ = tx.PutStudy(ctx, twin)
			if err := tx.PutUser(ctx, &access.User{Username: "u"}); err == nil {
				b.Error("PutUser works on")
			}
			if _, err := tx.Studies(ctx); err == nil {
				b.Error("Studies works on")
			}
			return nil
		})
		b.wantKind(err, fault.Conflict)
	}},
	{"definitions are remembered in the study they are about", func(b *bed) {
		s := fullStudy()
		b.define(func(tx config.Tx) error {
			b.must(tx.PutStudy(b.ctx, s))
			b.must(tx.Record(b.ctx, s.ID, now, []audit.Event{{Action: audit.StudyChanged}, {Action: audit.SiteChanged}}))
			return tx.Record(b.ctx, 0, now, []audit.Event{{Action: audit.UserChanged}})
		})
		b.same("study", []int64{1, 2}, eventSeqs(b.events(s.ID)))
		b.same("deployment", []int64{1}, eventSeqs(b.events(0)))
	}},
}
