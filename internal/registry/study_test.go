package registry

import (
	"testing"

	"github.com/google/uuid"

	"rollcall/internal/fault"
)

func TestStudyLookUps(t *testing.T) {
	t.Parallel()
	study := juno()
	if site, ok := study.Site(iowa); !ok || site.Code != "IOWA" {
		t.Errorf("site %+v, %v; want Iowa", site, ok)
	}
	if _, ok := study.Site(StudyLevel); ok {
		t.Error("the study level is a site")
	}
	if site, ok := study.SiteByCode("iowa"); !ok || site.ID != iowa {
		t.Errorf("site %+v, %v; want Iowa by its code", site, ok)
	}
	if _, ok := study.SiteByCode("S_IOWA"); ok {
		t.Error("a site is found by its OID where codes are asked for")
	}
	for _, test := range []struct {
		site             SiteID
		code, identifier string
	}{{ohio, "OHIO", "OHIO"}, {StudyLevel, "", "JUNO"}, {nowAt, "", "JUNO"}} {
		if code, identifier := study.SiteCode(test.site), study.SiteIdentifier(test.site); code != test.code || identifier != test.identifier {
			t.Errorf("site %d has the code %q and the identifier %q, want %q and %q", test.site, code, identifier, test.code, test.identifier)
		}
	}
	if f, ok := study.CustomField("SMOKER"); !ok || f.Name != "Smoker" || f.Type != BooleanField {
		t.Errorf("field %+v, %v; want Smoker", f, ok)
	}
	if f, ok := study.CustomField("Smoke"); ok {
		t.Errorf("field %+v for a name that is not defined", f)
	}
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	a := juno()
	b := &Study{ID: 3, OID: "S_Vesta", GUID: uuid.New(), Sites: []Site{{ID: 12, Study: 3, OID: "S_ROME", Code: "OHIO"}}}
	c := NewCatalog(7, []*Study{b, a})
	if list := c.Studies(); c.Version != 7 || len(list) != 2 || list[0] != a || list[1] != b {
		t.Errorf("version %d, studies %v; want 7, in order of creation", c.Version, list)
	}
	if s, err := c.Study("s_juno(prod)"); err != nil || s != a {
		t.Errorf("study %v, %v; want Juno", s, err)
	}
	if s, err := c.StudyByGUID(b.GUID); err != nil || s != b {
		t.Errorf("study %v, %v; want Vesta", s, err)
	}
	if s, ok := c.StudyByID(3); !ok || s != b {
		t.Errorf("study %v, %v; want Vesta", s, ok)
	}
	if site, err := c.Site("s_rome"); err != nil || site != &b.Sites[0] {
		t.Errorf("site %v, %v; want Rome", site, err)
	}
	if site, ok := c.SiteByID(3, 12); !ok || site != &b.Sites[0] {
		t.Errorf("site %v, %v; want Rome", site, ok)
	}
}

func TestCatalogOfUnknowns(t *testing.T) {
	t.Parallel()
	c := NewCatalog(1, []*Study{juno()})
	if s, err := c.Study("S_OHIO"); s != nil || fault.KindOf(err) != fault.NotFound || !fault.HasCode(err, StudyUnknown) {
		t.Errorf("study %v, %v; want it unknown", s, err)
	}
	if s, err := c.StudyByGUID(uuid.UUID{}); s != nil || !fault.HasCode(err, StudyUnknown) {
		t.Errorf("study %v, %v; want it unknown", s, err)
	}
	if site, err := c.Site("S_JUNO(PROD)"); site != nil || fault.KindOf(err) != fault.NotFound || !fault.HasCode(err, SiteUnknown) {
		t.Errorf("site %v, %v; want it unknown", site, err)
	}
	if _, ok := c.StudyByID(2); ok {
		t.Error("a study is found by a number that is not given")
	}
	for _, study := range []StudyID{junoID, 2} {
		if site, ok := c.SiteByID(study, nowAt); ok {
			t.Errorf("site %v of study %d, want none", site, study)
		}
	}
}

func TestCheckWritable(t *testing.T) {
	t.Parallel()
	for _, study := range Statuses() {
		for _, site := range Statuses() {
			ferr := CheckWritable(&Study{Status: study}, &Site{Status: site})
			switch {
			case study != Available:
				if ferr == nil || ferr.Code != StudyNotAvailable {
					t.Errorf("%s study, %s site: %v, want StudyNotAvailable", study, site, ferr)
				}
			case site != Available:
				if ferr == nil || ferr.Code != SiteNotAvailable {
					t.Errorf("%s study, %s site: %v, want SiteNotAvailable", study, site, ferr)
				}
			case ferr != nil:
				t.Errorf("available: %v", ferr)
			}
		}
	}
	if ferr := CheckWritable(&Study{Status: Available}, nil); ferr != nil {
		t.Errorf("study level of an available study: %v", ferr)
	}
}

func TestFieldTypesAllHaveForms(t *testing.T) {
	t.Parallel()
	good := map[FieldType]string{TextField: "x", IntegerField: "1", DecimalField: "1.5", BooleanField: "true", DateField: "2020-01-01"}
	for _, kind := range FieldTypes() {
		if value, ferr := customForm(CustomField{"F", kind}, good[kind]); ferr != nil || value != good[kind] || value == "" {
			t.Errorf("a field of type %s stores %q as %q, %v", kind, good[kind], value, ferr)
		}
	}
}
