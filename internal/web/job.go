package web

import (
	"net/http"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// jobView is the page of one job: how far it is, and what has become of each record.
type jobView struct {
	*frame
	jobRow
	Running  bool
	Error    string
	Preview  bool
	Ignored  []string
	Counts   []countLink // of a log, by what became of records
	Log      *logTable   // nil while it is running
	Run      string      // address that has the previewed file run
	Gone     bool        // the previewed file is no longer there
	Download string
	Failures string // address of the failed records, to correct and retry
	Delete   string
	List     string
	Again    string // address to upload another file
}

// countLink counts records of one outcome, and leads to them alone.
type countLink struct {
	Text, URL, Key string
	Count          int
	Chosen         bool
}

// showJob shows a job:
//
//	GET /studies/{study}/jobs/{job}?only=&page=
func (p *Pages) showJob(v *visit, w http.ResponseWriter) error {
	job, what, err := p.job(v)
	if err != nil {
		return err
	}
	page := &jobView{
		frame: v.frame, jobRow: v.jobRow(job, what), Running: job.State.Unfinished(), Error: job.Error, Preview: what.Preview,
		Ignored: what.Ignored, List: studyURL(v.study) + "/jobs",
	}
	page.Title, page.Here = page.Kind, "jobs"
	if v.Study.MayAdd {
		page.Again = studyURL(v.study) + "/upload"
	}
	if v.mayDelete(job) {
		page.Delete = v.jobURL(job) + "/delete"
	}
	if !page.Running {
		if err := p.finishedJob(v, page, job, what); err != nil {
			return err
		}
	}
	return p.page(w, http.StatusOK, "job", page)
}

// finishedJob fills in what there is once a job has ended.
func (p *Pages) finishedJob(v *visit, page *jobView, job *jobs.Job, what *jobs.Description) error {
	if job.State == jobs.Completed || job.Parts > 0 {
		if what.Bulk || v.may(access.Extract, job.Site) {
			page.Download = v.jobURL(job) + "/file.csv"
		}
	}
	if !what.Bulk {
		return nil
	}
	var err error
	if page.Log, page.Counts, err = p.logTable(v, job, what); err != nil {
		return err
	}
	kept := p.isKept(v, what.Source)
	if job.Failed > 0 && kept && v.may(access.ReadContacts, job.Site) {
		page.Failures = v.jobURL(job) + "/failed.csv"
	}
	if what.Preview && job.State == jobs.Completed && v.may(access.WriteParticipants, job.Site) {
		if page.Gone = !kept; kept && job.Rows > job.Failed {
			page.Run = v.jobURL(job) + "/run"
		}
	}
	return nil
}

// isKept tells whether a job's file is still there.
func (p *Pages) isKept(v *visit, key string) bool {
	if key == "" {
		return false
	}
	file, err := p.Jobs.OpenUpload(v.r.Context(), key)
	if err != nil {
		return false
	}
	_ = file.Close() // opened to look: closing cannot lose anything
	return true
}

func (v *visit) mayDelete(job *jobs.Job) bool {
	return job.SubmittedBy == v.who.Name || v.may(access.DeleteJobs, job.Site)
}

// runJob has a file run that was previewed. The preview has done its work and goes, so that a
// second click does nothing.
//
//	POST /studies/{study}/jobs/{job}/run
func (p *Pages) runJob(v *visit, w http.ResponseWriter) error {
	job, what, err := p.job(v)
	if err != nil {
		return err
	}
	origin, err := v.must(access.WriteParticipants, job.Site)
	if err != nil {
		return err
	}
	site, ok := v.study.Site(job.Site)
	if !what.Preview || job.State != jobs.Completed || !ok {
		return fault.New(fault.Conflict, jobs.NotRunning, "the job is no preview that has ended")
	}
	if ferr := registry.CheckWritable(v.study, site); ferr != nil {
		return ferr
	}
	if !p.isKept(v, what.Source) {
		return fault.New(fault.Conflict, fileGone, "the file is no longer there")
	}
	sent := &sentFile{register: what.Register, name: job.SourceFile, place: site, origin: origin}
	run, err := p.submitFile(v.r.Context(), v, sent, false, what.Source)
	if err != nil {
		return err
	}
	if err := p.Jobs.Delete(v.r.Context(), job); err != nil && !fault.HasCode(err, jobs.Unknown) {
		return err
	}
	return seeOther(w, v.r, v.jobURL(run))
}

// deleteJob deletes a job and what it has left; one that is running stops, and what it has
// written stays:
//
//	POST /studies/{study}/jobs/{job}/delete
func (p *Pages) deleteJob(v *visit, w http.ResponseWriter) error {
	job, _, err := p.job(v)
	if err != nil {
		return err
	}
	if !v.mayDelete(job) {
		return fault.New(fault.Forbidden, access.RoleNotAllowed, "somebody else submitted the job")
	}
	origin := audit.Origin{Actor: v.who.Name, Role: job.Role, Dialect: dialect, RequestID: httpx.RequestID(v.r.Context())}
	err = p.Jobs.Delete(v.r.Context(), job, audit.Event{Origin: origin, Action: audit.JobDeleted, Identifier: job.ID.String()})
	if err != nil {
		return err
	}
	return seeOther(w, v.r, studyURL(v.study)+"/jobs?done=jobDeleted")
}
