package web

import (
	"net/http"
	"slices"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// homeView is a study's home: how many are in it and where they stand, what has happened and
// what is running.
type homeView struct {
	*frame
	Site     string // the one site whose numbers these are; "" for the study
	Numbers  *numbers
	Load     string // where a script gets the numbers from, if they take a while
	Activity []activity
	Jobs     []jobLine
}

// numbers are what the study home counts.
type numbers struct {
	Counted    int // who counts against the cap
	Enrolled   int
	Registered int
	Withdrawn  int
	Removed    int
	Cap        *capGauge // nil without a cap
	Sites      []siteRow
	Chart      *chart // nil while nobody has enrolled
}

// capGauge is how much of the enrollment cap is used.
type capGauge struct {
	Used, Cap, Percent int
	Level              string // low, high or full
	Text               string
}

// siteRow counts the participants of one place.
type siteRow struct {
	Name, URL                                         string
	Counted, Enrolled, Registered, Withdrawn, Removed int
}

// activity is something that has happened lately, without any value.
type activity struct {
	At   moment
	Who  string
	What string
	Link link // to the participant, if it was one
}

// recentShown and recentRead are how much of the last activity is shown, and how much is read to
// gather what belongs together.
const (
	recentShown = 12
	recentRead  = 200
)

// home shows a study's home:
//
//	GET /studies/{study}
//
// Counting a large study takes a moment. A page never waits for it: a script loads the numbers.
func (p *Pages) home(v *visit, w http.ResponseWriter) error {
	page := &homeView{frame: v.frame, Load: studyURL(v.study) + "/numbers"}
	page.Title, page.Here = v.study.Name, "home"
	places := v.who.Places(access.BrowseParticipants, v.study)
	if !places.Whole && len(places.Sites) == 1 {
		page.Site = places.Sites[0].Name
	}
	tally, err := p.tallies.known(v.r.Context(), v.study.ID)
	if err != nil {
		return err
	}
	if tally != nil {
		page.Numbers = v.numbers(tally, places, p.Now())
	}
	if page.Activity, err = p.recent(v); err != nil {
		return err
	}
	if page.Jobs, err = p.running(v); err != nil {
		return err
	}
	return p.page(w, http.StatusOK, "home", page)
}

// homeNumbers answers the numbers of the study home, as a part of it for a script or as a page:
//
//	GET /studies/{study}/numbers
func (p *Pages) homeNumbers(v *visit, w http.ResponseWriter) error {
	tally, err := p.tallies.count(v.r.Context(), v.study.ID)
	if err != nil {
		return err
	}
	if !v.partial() {
		return p.home(v, w)
	}
	page := &homeView{frame: v.frame}
	page.Numbers = v.numbers(tally, v.who.Places(access.BrowseParticipants, v.study), p.Now())
	return p.part(w, http.StatusOK, "home", "numbers", page)
}

// numbers adds up what the visitor may see of a tally.
func (v *visit) numbers(tally *registry.Tally, places access.Places, now time.Time) *numbers {
	n := &numbers{}
	rows := map[registry.SiteID]*siteRow{}
	for _, site := range places.Sites {
		rows[site.ID] = &siteRow{Name: site.Name, URL: peopleURL(v.study) + "?site=" + site.Code}
	}
	if places.Whole {
		rows[registry.StudyLevel] = &siteRow{Name: v.words.say("site.none"), URL: peopleURL(v.study) + "?site=" + studyLevelCode}
	}
	for _, g := range tally.Groups {
		if row, seen := rows[g.Site]; seen {
			row.add(g)
		}
	}
	for _, site := range places.Sites {
		n.Sites = append(n.Sites, *rows[site.ID])
	}
	if row := rows[registry.StudyLevel]; places.Whole && row.Counted+row.Withdrawn+row.Removed > 0 {
		n.Sites = append(n.Sites, *row)
	}
	for _, row := range n.Sites {
		n.Counted += row.Counted
		n.Enrolled += row.Enrolled
		n.Registered += row.Registered
		n.Withdrawn += row.Withdrawn
		n.Removed += row.Removed
	}
	days := slices.DeleteFunc(slices.Clone(tally.Days), func(d registry.TallyDay) bool { return rows[d.Site] == nil })
	limit := 0
	if places.Whole { // the cap counts the whole study: a part of it says nothing about a site
		n.Cap = v.capGauge(n.Counted)
		if n.Cap != nil {
			limit = n.Cap.Cap
		}
	}
	n.Chart = newChart(days, now, limit, v.frame)
	return n
}

func (row *siteRow) add(g registry.TallyGroup) {
	count := int(g.Count)
	switch {
	case g.Status == registry.StatusRemoved:
		row.Removed += count
		return
	case g.Withdrawn:
		row.Withdrawn += count
		return
	}
	row.Counted += count
	if g.Enrolled {
		row.Enrolled += count
	}
	if g.Participate != registry.NotRegistered {
		row.Registered += count
	}
}

// capGauge compares with the enrollment cap, if the study has one.
func (v *visit) capGauge(used int) *capGauge {
	if v.study.Cap <= 0 {
		return nil
	}
	g := &capGauge{Used: used, Cap: v.study.Cap, Percent: min(100, used*100/v.study.Cap), Level: "low"}
	switch {
	case used >= v.study.Cap:
		g.Level = "full"
	case g.Percent >= 90:
		g.Level = "high"
	}
	key := "home.cap.expected"
	if v.study.EnforceCap {
		key = "home.cap.enforced"
	}
	g.Text = v.words.say(key, used, v.study.Cap)
	return g
}

// recent lists what has happened lately. Events of one kind that one request or job has caused
// are one line.
func (p *Pages) recent(v *visit) ([]activity, error) {
	places := v.who.Places(access.ReadStudyActivity, v.study)
	var sites []registry.SiteID // nil for the whole study
	if !places.Whole {
		sites = []registry.SiteID{}
		for _, site := range places.Sites {
			sites = append(sites, site.ID)
		}
	}
	events, err := p.Overview.RecentEvents(v.r.Context(), v.study.ID, sites, recentRead)
	if err != nil {
		return nil, err
	}
	var lines []activity
	for i := 0; i < len(events) && len(lines) < recentShown; {
		e := &events[i]
		alike := 1
		for i+alike < len(events) && sameCause(e, &events[i+alike]) {
			alike++
		}
		line := activity{At: v.moment(e.At), Who: e.Origin.Actor, What: v.words.action(e.Action)}
		switch {
		case alike > 1:
			line.What = v.words.count("home.alike", alike, line.What)
		case e.Participant != (registry.ID{}) && e.Identifier != "":
			line.Link = link{e.Identifier, peopleURL(v.study) + "/" + e.Participant.String()}
		}
		lines = append(lines, line)
		i += alike
	}
	return lines, nil
}

func sameCause(a, b *audit.Event) bool {
	return a.Action == b.Action && a.Origin.Actor == b.Origin.Actor && a.Origin.RequestID == b.Origin.RequestID && a.Origin.RequestID != ""
}

// action is what a page calls an action of the audit trail.
func (w *words) action(a audit.Action) string { return w.or("action."+string(a), string(a)) }

// jobLine is a job as the study home and lists of jobs show it.
type jobLine struct {
	Kind, State, Site, File, By string
	Rows, Failed                int
	Started                     moment
}

// running lists the jobs that have not ended, of those places whose jobs the visitor may see.
func (p *Pages) running(v *visit) ([]jobLine, error) {
	all, err := p.Jobs.Jobs(v.r.Context(), jobs.JobFilter{Study: v.study.ID})
	if err != nil {
		return nil, err
	}
	places := v.who.Places(access.ReadJobs, v.study)
	var lines []jobLine
	for _, job := range all {
		if !job.State.Unfinished() || !places.Has(job.Site) {
			continue
		}
		lines = append(lines, jobLine{
			Kind: v.words.or("job.kind."+job.Kind, job.Kind), State: v.words.say("job.state." + jobStateKey(job.State)), Site: v.siteName(job.Site),
			File: job.SourceFile, By: job.SubmittedBy, Rows: int(job.Rows), Failed: int(job.Failed), Started: v.moment(job.CreatedAt),
		})
	}
	return lines, nil
}

func jobStateKey(s jobs.State) string {
	if s == jobs.InProgress {
		return "running"
	}
	return string(s)
}
