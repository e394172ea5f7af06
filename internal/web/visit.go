package web

import (
	"net/http"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// The codes of faults that only pages know.
const (
	foreignOrigin fault.Code = "foreignOrigin" // Forbidden: a write from another server's page
	formMalformed fault.Code = "formMalformed" // Invalid
	badParameter  fault.Code = "badParameter"  // (field) Invalid: something in the address
	notConfirmed  fault.Code = "notConfirmed"  // (field) Invalid: the typed confirmation is another
	fileMissing   fault.Code = "fileMissing"   // Invalid: an upload without a file
	fileNotCSV    fault.Code = "fileNotCSV"    // Invalid
	fileGone      fault.Code = "fileGone"      // Conflict: an uploaded file was not kept for so long
	siteMissing   fault.Code = "siteMissing"   // (field) Invalid: no site was chosen
	nothingYet    fault.Code = "nothingYet"    // Conflict: a job without a file
)

// pageCodes lists them, for the test that all have words.
func pageCodes() []fault.Code {
	return []fault.Code{
		foreignOrigin, formMalformed, badParameter, notConfirmed, fileMissing, fileNotCSV, fileGone, siteMissing, nothingYet,
	}
}

// maxForm is the greatest size of a form in bytes. Custom fields may hold 64 KiB each.
const maxForm = 4 << 20

// visit is a request of somebody who is signed in, within a study if its address names one.
type visit struct {
	*frame
	r       *http.Request
	who     *access.Principal
	catalog *registry.Catalog
	study   *registry.Study // nil outside of a study
}

// visit lets a request in. A study that does not exist and one in which the reader holds no role
// are the same to them.
func (p *Pages) visit(r *http.Request, to *route) (*visit, error) {
	who, err := p.Sessions.Holder(r.Context(), cookie(r, p.sessionCookieName()))
	if err != nil {
		return nil, err
	}
	httpx.SetActor(r.Context(), who.Name)
	catalog, err := p.Registry.Catalog(r.Context())
	if err != nil {
		return nil, err
	}
	v := &visit{frame: p.newFrame(r), r: r, who: who, catalog: catalog}
	v.User = who.Name
	oid := r.PathValue("study")
	if oid == "" {
		return v, nil
	}
	study, err := catalog.Study(oid)
	if err != nil || !who.HoldsAnyRole(study.ID) {
		return nil, fault.New(fault.NotFound, registry.StudyUnknown, "there is no such study")
	}
	v.study = study
	v.Study = v.studyFrameOf(catalog, study, who)
	if who.Places(to.op, study).None() {
		return nil, fault.New(fault.Forbidden, access.RoleNotAllowed, "your role may not %s", to.op)
	}
	if r.Method == http.MethodPost && !to.streams {
		if err := readForm(r); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// readForm reads the form of a request.
func readForm(r *http.Request) error {
	r.Body = httpx.Body(r, maxForm)
	if err := r.ParseForm(); err != nil {
		if f := fault.As(err); f.Kind != fault.Internal {
			return f
		}
		return &fault.Error{Kind: fault.Invalid, Code: formMalformed, Message: "the form cannot be read"}
	}
	return nil
}

// may tells whether the visitor may do something at a place.
func (v *visit) may(op access.Operation, site registry.SiteID) bool {
	_, err := v.who.Check(op, v.study.ID, site)
	return err == nil
}

// must answers the origin of what the visitor does at a place, or why they may not.
func (v *visit) must(op access.Operation, site registry.SiteID) (audit.Origin, error) {
	role, err := v.who.Check(op, v.study.ID, site)
	if err != nil {
		return audit.Origin{}, err
	}
	return audit.Origin{
		Actor: v.who.Name, Role: string(role), Dialect: dialect, RequestID: httpx.RequestID(v.r.Context()),
	}, nil
}

// siteName is what a page calls a place.
func (v *visit) siteName(id registry.SiteID) string {
	if site, ok := v.study.Site(id); ok {
		return site.Name
	}
	return v.words.say("site.none")
}

// partial tells whether a script asks, which wants a part of the page.
func (v *visit) partial() bool { return v.r.Header.Get("Hx-Request") == "true" }

// now is the time where the visitor is.
func (v *visit) now(p *Pages) time.Time { return p.Now().In(v.zone) }
