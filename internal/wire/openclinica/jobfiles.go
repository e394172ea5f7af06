package openclinica

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// jobStatus is the original's name of a job's state. It has no word for waiting that its
// clients would poll on, so a waiting job is in progress.
var jobStatus = map[jobs.State]string{
	jobs.Queued:     "IN_PROGRESS",
	jobs.InProgress: "IN_PROGRESS",
	jobs.Completed:  "COMPLETED",
	jobs.Failed:     "FAILED",
}

// listedJob is one entry of a list of jobs; times are epoch milliseconds (reference,
// OpenClinica 4).
type listedJob struct {
	UUID              string  `json:"uuid"`
	Status            string  `json:"status"`
	Type              string  `json:"type"`
	CreatedByUsername string  `json:"createdByUsername"`
	UpdatedByUsername string  `json:"updatedByUsername"`
	SiteOID           *string `json:"siteOid"`
	StudyOID          *string `json:"studyOid"`
	DateCreated       int64   `json:"dateCreated"`
	DateUpdated       int64   `json:"dateUpdated"`
	DateCompleted     *int64  `json:"dateCompleted"`
	SourceFileName    *string `json:"sourceFileName"`
}

// jobAnswer is the answer about one job: what the list tells, and how far it is.
type jobAnswer struct {
	listedJob
	Rows           int64    `json:"rows"`              // records done
	Failed         int64    `json:"failed"`            // records among them that failed
	Progress       float64  `json:"progress"`          // 0 to 1
	IgnoredColumns []string `json:"ignoredColumns"`    // of a bulk file: columns nobody reads
	Message        string   `json:"message,omitempty"` // why a failed job failed
}

// listJobs lists the caller's own jobs, newest first:
//
//	GET /studies/{study}/jobs
//	GET /studies/{study}/sites/{site}/jobs
func (a *API) listJobs(w http.ResponseWriter, r *http.Request) error {
	v, err := a.open(r, access.ReadJobs, false)
	if err != nil {
		return err
	}
	filter := jobs.JobFilter{Study: v.study.ID, SubmittedBy: v.caller.Name}
	if v.site != nil {
		filter.Site = &v.site.ID
	}
	found, err := a.jobs.Jobs(r.Context(), filter)
	if err != nil {
		return err
	}
	list := make([]listedJob, 0, len(found))
	for _, job := range found {
		if job.Dialect == dialect { // the registry's own jobs are nobody's here
			list = append(list, listJob(v.study, job))
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, list)
}

func listJob(study *registry.Study, job *jobs.Job) listedJob {
	l := listedJob{
		UUID: job.ID.String(), Status: jobStatus[job.State], Type: job.Kind,
		CreatedByUsername: job.SubmittedBy, UpdatedByUsername: job.SubmittedBy, StudyOID: &study.OID,
		DateCreated: job.CreatedAt.UnixMilli(), DateUpdated: job.UpdatedAt.UnixMilli(),
	}
	if site, ok := study.Site(job.Site); ok {
		l.SiteOID = &site.OID
	}
	if !job.CompletedAt.IsZero() {
		at := job.CompletedAt.UnixMilli()
		l.DateCompleted = &at
	}
	if job.SourceFile != "" {
		l.SourceFileName = &job.SourceFile
	}
	return l
}

// ownJob finds the job of the request's path, which has to be the caller's own.
func (a *API) ownJob(r *http.Request) (*access.Principal, *jobs.Job, *registry.Study, error) {
	caller, err := a.caller(r.Context(), r)
	if err != nil {
		return nil, nil, nil, err
	}
	id, err := uuid.Parse(r.PathValue("job"))
	if err != nil {
		return nil, nil, nil, fault.New(fault.NotFound, jobs.Unknown, "there is no such job")
	}
	job, err := a.jobs.Job(r.Context(), id)
	if err != nil {
		return nil, nil, nil, err
	}
	if caller.Service || job.Dialect != dialect || job.SubmittedBy != caller.Name { // a service account may be called what a user is called
		return nil, nil, nil, fault.New(fault.Forbidden, jobForeign, "somebody else submitted the job")
	}
	catalog, err := a.registry.Catalog(r.Context())
	if err != nil {
		return nil, nil, nil, err
	}
	study, ok := catalog.StudyByID(job.Study)
	if !ok {
		return nil, nil, nil, fault.New(fault.NotFound, jobs.Unknown, "there is no such job")
	}
	return caller, job, study, nil
}

// getJob tells one job's state, counts and progress:
//
//	GET /jobs/{uuid}
func (a *API) getJob(w http.ResponseWriter, r *http.Request) error {
	_, job, study, err := a.ownJob(r)
	if err != nil {
		return err
	}
	answer := jobAnswer{
		listedJob: listJob(study, job), Rows: job.Rows, Failed: job.Failed, Message: job.Error,
		Progress: progress(job), IgnoredColumns: []string{},
	}
	var params bulkParams
	if isLog(job.Kind) && json.Unmarshal(job.Params, &params) == nil && params.Ignored != nil {
		answer.IgnoredColumns = params.Ignored
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// progress is how much of a job is done: of a bulk job the part of its file that has been
// read; of an extract nothing is known before its end.
func progress(job *jobs.Job) float64 {
	var at position
	switch {
	case job.State == jobs.Completed:
		return 1
	case job.Size == 0 || job.Cursor == nil || json.Unmarshal(job.Cursor, &at) != nil:
		return 0
	}
	return float64(at.Offset) / float64(job.Size)
}

// deleteJob deletes a job and its file; one that is running stops:
//
//	DELETE /jobs/{uuid}
func (a *API) deleteJob(w http.ResponseWriter, r *http.Request) error {
	caller, job, _, err := a.ownJob(r)
	if err != nil {
		return err
	}
	origin := audit.Origin{
		Actor: caller.Name, Role: job.Role, Dialect: dialect, RequestID: httpx.RequestID(r.Context()),
	}
	err = a.jobs.Delete(r.Context(), job, audit.Event{Origin: origin, Action: audit.JobDeleted, Identifier: job.ID.String()})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// downloadFile sends a bulk job's log or an extract:
//
//	GET /jobs/{uuid}/downloadFile
//
// Spec 16.5, Download the File; decisions, OpenClinica 13. The submitter must still hold a role
// that may see it.
func (a *API) downloadFile(w http.ResponseWriter, r *http.Request) error {
	caller, job, study, err := a.ownJob(r)
	if err != nil {
		return err
	}
	op, header := access.ReadJobs, bulkLogHeader
	if job.Kind == ExtractKind {
		op, header = access.Extract, extractHeader
		var params extractParams
		if json.Unmarshal(job.Params, &params) == nil && params.Register {
			header = extractRegisterHeader
		}
	}
	role, err := caller.Check(op, job.Study, job.Site)
	if err != nil {
		return err
	}
	switch {
	case job.State == jobs.Queued || job.State == jobs.InProgress:
		return fault.New(fault.Conflict, jobRunning, "the job is still running")
	case job.State == jobs.Failed && job.Parts == 0:
		return fault.New(fault.NotFound, nothingToDownload, "the job left no file")
	}
	if job.Kind == ExtractKind {
		origin := audit.Origin{Actor: caller.Name, Role: string(role), Dialect: dialect, RequestID: httpx.RequestID(r.Context())}
		event := audit.Event{Origin: origin, Action: audit.ExtractDownloaded, Identifier: job.ID.String()}
		if _, err := a.registry.ApplyBatch(r.Context(), job.Study, &registry.Batch{Events: []audit.Event{event}}); err != nil {
			return err
		}
	}
	file := &attachment{to: w, name: fileName(study, job), header: header}
	err = a.jobs.WriteOutput(r.Context(), job, file)
	if err == nil {
		err = file.begin()
	}
	switch {
	case err != nil && file.begun:
		return httpx.Cut(err)
	case err != nil && fault.KindOf(err) == fault.NotFound && !fault.HasCode(err, jobs.Unknown):
		return fault.New(fault.NotFound, nothingToDownload, "the job's file is gone")
	}
	return err
}

// attachment is a file being sent. Nothing of it is sent before its first bytes are known, so
// that one that cannot be read is answered as an error.
type attachment struct {
	to     http.ResponseWriter
	name   string
	header string // its first line
	begun  bool
}

// Write implements io.Writer.
func (a *attachment) Write(text []byte) (int, error) {
	if err := a.begin(); err != nil {
		return 0, err
	}
	return a.to.Write(text)
}

// begin sends what comes before the text, once.
func (a *attachment) begin() error {
	if a.begun {
		return nil
	}
	a.begun = true
	a.to.Header().Set("Content-Type", "text/csv; charset=utf-8")
	a.to.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.name}))
	if _, err := io.WriteString(a.to, a.header); err != nil {
		return fmt.Errorf("send job output: %w", err)
	}
	return nil
}

// fileName is the name of a downloaded file, after the original's: the study's identifier,
// what it holds, and when the job was made.
func fileName(study *registry.Study, job *jobs.Job) string {
	what := "Bulk Add Participants"
	switch job.Kind {
	case ExtractKind:
		what = "Participant Access Code"
	case BulkPreviewKind:
		what = "Bulk Add Participants Preview"
	}
	at := strings.Replace(job.CreatedAt.UTC().Format("2006-01-02-150405.000"), ".", "", 1)
	return fmt.Sprintf("%s_%s_%sZ.csv", study.Identifier, what, at)
}
