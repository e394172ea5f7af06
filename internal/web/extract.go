package web

import (
	"net/http"
	"strconv"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// extractView is the form to have a site's contact data extracted.
type extractView struct {
	*frame
	URL         string
	Sites       []choice
	MayRegister bool
	Problem     string
}

func (v *visit) extractView() *extractView {
	page := &extractView{frame: v.frame, URL: studyURL(v.study) + "/extract", MayRegister: v.study.Participate}
	sites := v.who.Places(access.Extract, v.study).Sites
	for _, site := range sites {
		page.Sites = append(page.Sites, choice{site.Code, site.Name, len(sites) == 1})
	}
	page.Title, page.Here, page.Path = v.words.say("extract.title"), "extract", page.URL
	return page
}

// showExtract shows the form to extract a site's contact data:
//
//	GET /studies/{study}/extract
func (p *Pages) showExtract(v *visit, w http.ResponseWriter) error {
	return p.page(w, http.StatusOK, "extract", v.extractView())
}

// extract has a job extract a site's contact data, with access codes if they are asked for:
//
//	POST /studies/{study}/extract
func (p *Pages) extract(v *visit, w http.ResponseWriter) error {
	id, ferr := v.place(v.r.PostForm.Get("site"))
	site, ok := v.study.Site(id)
	if ferr != nil || !ok {
		page := v.extractView()
		page.Problem = v.words.say("fault.siteMissing")
		return p.page(w, http.StatusBadRequest, "extract", page)
	}
	origin, err := v.must(access.Extract, id)
	if err != nil {
		return err
	}
	codes := v.r.PostForm.Get("codes") != ""
	if codes {
		if ferr := registry.CheckParticipate(v.study); ferr != nil {
			return ferr
		}
	}
	job := &jobs.Job{
		Study: v.study.ID, Site: id, SubmittedBy: v.who.Name, Role: origin.Role, Dialect: dialect, RequestID: origin.RequestID,
	}
	if job.Kind, job.Params, err = p.Files.ExtractJob(codes); err != nil {
		return err
	}
	err = p.Jobs.Submit(v.r.Context(), job, audit.Event{
		Origin: origin, Action: audit.ExtractRequested, Identifier: site.OID,
		Fields: []audit.FieldChange{{Field: "accessCodes", New: strconv.FormatBool(codes)}},
	})
	if err != nil {
		return err
	}
	return seeOther(w, v.r, v.jobURL(job))
}
