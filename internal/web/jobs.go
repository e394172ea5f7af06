package web

import (
	"net/http"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
)

// jobsView is the list of jobs: Tasks, Bulk Actions Log.
type jobsView struct {
	*frame
	URL     string
	Running bool // some have not ended: a script looks again
	Jobs    []jobRow
}

// jobRow is one job of the list.
type jobRow struct {
	URL, Source, Kind, Site, By string
	State                       badge
	Percent                     int // of one that is running; -1 where nothing is known before the end
	Rows, Failed                int
	Start, End                  moment
}

// listJobs lists the jobs of the places whose jobs the visitor may see, newest first:
//
//	GET /studies/{study}/jobs
func (p *Pages) listJobs(v *visit, w http.ResponseWriter) error {
	all, err := p.Jobs.Jobs(v.r.Context(), jobs.JobFilter{Study: v.study.ID})
	if err != nil {
		return err
	}
	page := &jobsView{frame: v.frame, URL: studyURL(v.study) + "/jobs"}
	page.Title, page.Here = v.words.say("jobs.title"), "jobs"
	places := v.who.Places(access.ReadJobs, v.study)
	for _, job := range all {
		what, ours := p.Files.Describe(v.study, job)
		if !ours || !places.Has(job.Site) { // the registry's own jobs are nobody's
			continue
		}
		page.Running = page.Running || job.State.Unfinished()
		page.Jobs = append(page.Jobs, v.jobRow(job, &what))
	}
	return p.page(w, http.StatusOK, "jobs", page)
}

func (v *visit) jobRow(job *jobs.Job, what *jobs.Description) jobRow {
	row := jobRow{
		URL: v.jobURL(job), Source: job.SourceFile, Kind: v.jobKind(job, what), Site: v.siteName(job.Site), By: job.SubmittedBy,
		State: v.jobState(job), Percent: percent(what), Rows: int(job.Rows), Failed: int(job.Failed),
		Start: v.moment(job.CreatedAt), End: v.moment(job.CompletedAt),
	}
	if !what.Bulk && job.State.Unfinished() {
		row.Percent = -1
	}
	return row
}

// percent is how much of a job is done. The last one is kept for the end.
func percent(what *jobs.Description) int {
	if what.Progress >= 1 {
		return 100
	}
	return min(99, int(what.Progress*100))
}

func (v *visit) jobKind(job *jobs.Job, what *jobs.Description) string {
	if !what.Bulk && what.Register {
		return v.words.say("job.kind.codes")
	}
	return v.words.or("job.kind."+job.Kind, job.Kind)
}

func (v *visit) jobState(job *jobs.Job) badge {
	key := jobStateKey(job.State)
	return badge{map[string]string{"completed": "available", "failed": "removed"}[key], v.words.say("job.state." + key)}
}

func (v *visit) jobURL(job *jobs.Job) string { return studyURL(v.study) + "/jobs/" + job.ID.String() }

// job finds the job of the request's path. One of a place whose jobs the visitor may not see does
// not exist to them.
func (p *Pages) job(v *visit) (*jobs.Job, *jobs.Description, error) {
	unknown := fault.New(fault.NotFound, jobs.Unknown, "there is no such job")
	id, err := uuid.Parse(v.r.PathValue("job"))
	if err != nil {
		return nil, nil, unknown
	}
	job, err := p.Jobs.Job(v.r.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	if job.Study != v.study.ID || !v.may(access.ReadJobs, job.Site) {
		return nil, nil, unknown
	}
	what, ours := p.Files.Describe(v.study, job)
	if !ours {
		return nil, nil, unknown
	}
	return job, &what, nil
}
