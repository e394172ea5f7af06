package web

import (
	"net/http"
	"net/url"
	"time"
	_ "time/tzdata" // readers' zones, wherever the program runs

	"rollcall/internal/access"
	"rollcall/internal/registry"
)

// frame is what is around every page: who reads it, where they are and where they can go.
type frame struct {
	Title    string
	Language string
	Theme    string // light, dark or "" for what the reader's system says
	User     string // "" if nobody is signed in
	Study    *studyFrame
	Here     string // which entry of the navigation this page is below
	Path     string // of this page, to come back to it
	Notice   string // what has just been done
	Failure  string // why it has not
	Demo     bool

	LanguageChoices []choice
	ThemeChoices    []choice

	words *words
	zone  *time.Location
	plain bool // dates are for programs to read
}

func (f *frame) frameOf() *frame { return f }

// studyFrame is the navigation within a study.
type studyFrame struct {
	Name, OID, URL string
	Status         string // where it is not available, in words
	MayAdd         bool
	MayExtract     bool
	MayAudit       bool
	Others         []link // the other studies of the reader
}

// link is a place to go to.
type link struct{ Text, URL string }

// choice is one of several to choose from.
type choice struct {
	Value, Text string
	Chosen      bool
}

// themes are the ways in which pages can be coloured.
var themes = [...]string{"auto", "light", "dark"}

// newFrame is the frame for a reader, whoever they are.
func (p *Pages) newFrame(r *http.Request) *frame {
	texts := p.templates.texts
	language := texts.chosen(r, p.Language)
	f := &frame{Language: language, Path: r.URL.RequestURI(), words: texts[language], zone: zoneOf(r), Demo: p.Demo}
	for _, l := range texts.languages() {
		f.LanguageChoices = append(f.LanguageChoices, choice{l, texts[l].say("language.name"), l == language})
	}
	if theme := cookie(r, themeCookie); theme == "light" || theme == "dark" {
		f.Theme = theme
	}
	for _, theme := range themes {
		f.ThemeChoices = append(f.ThemeChoices, choice{theme, f.words.say("theme." + theme), theme == f.Theme || (theme == "auto" && f.Theme == "")})
	}
	if done := r.URL.Query().Get("done"); done != "" && f.words.has("done."+done) {
		f.Notice = f.words.say("done." + done)
	}
	return f
}

// zoneOf is the reader's time zone, which the script tells in a cookie; UTC until it has.
func zoneOf(r *http.Request) *time.Location {
	name, err := url.QueryUnescape(cookie(r, zoneCookie))
	if err != nil || name == "" || name == "Local" || len(name) > 64 {
		return time.UTC
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// moment is a time as a page shows it: to the minute, in the reader's zone, with the zone.
type moment struct {
	Text    string
	Machine string // for programs
	Exact   string // to the second
}

// moment writes a time for the reader; the zero time is nothing.
func (f *frame) moment(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	here := t.In(f.zone)
	return moment{
		Text: here.Format(f.words.say("format.moment")), Machine: t.UTC().Format(time.RFC3339),
		Exact: here.Format(f.words.say("format.exact")),
	}
}

// day writes a date.
func (f *frame) day(t time.Time) string {
	if f.plain {
		return t.Format(time.DateOnly)
	}
	return t.Format(f.words.say("format.day"))
}

// studyFrameOf is the navigation of a study for somebody.
func (f *frame) studyFrameOf(catalog *registry.Catalog, study *registry.Study, who *access.Principal) *studyFrame {
	s := &studyFrame{
		Name: study.Name, OID: study.OID, URL: studyURL(study),
		MayAdd:     study.Status == registry.Available && !who.Places(access.WriteParticipants, study).None(),
		MayExtract: !who.Places(access.Extract, study).None(),
		MayAudit:   who.Places(access.ReadAudit, study).Whole,
	}
	if study.Status != registry.Available {
		s.Status = f.words.say("study.status." + string(study.Status))
	}
	for _, other := range catalog.Studies() {
		if other.ID != study.ID && who.HoldsAnyRole(other.ID) {
			s.Others = append(s.Others, link{other.Name, studyURL(other)})
		}
	}
	return s
}

func studyURL(study *registry.Study) string { return "/studies/" + url.PathEscape(study.OID) }

func peopleURL(study *registry.Study) string { return studyURL(study) + "/participants" }

func participantURL(study *registry.Study, p *registry.Participant) string {
	return peopleURL(study) + "/" + p.ID.String()
}
