package openclinica

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// The first line of an extract, without and with Participate information (decisions 12).
const (
	extractHeader         = "ParticipantId,First Name,Last Name,Email,Mobile,Identifier\n"
	extractRegisterHeader = "ParticipantId,First Name,Last Name,Email,Mobile,Identifier,Access Code,Participate Status\n"
)

// defaultPageSize is the original's, where a page number is sent alone.
const defaultPageSize = 100

// extractParams is what an extract job remembers of its request.
type extractParams struct {
	Register bool  `json:"register"`
	From     int64 `json:"from"` // how many of the listed participants come before the first
	To       int64 `json:"to"`   // and before the first that is no longer wanted
}

// postExtract starts an extract of a site's participants and answers the job's uuid:
//
//	POST /clinicaldata/studies/{study}/sites/{site}/participants/extractParticipantsInfo
//
// Spec 16.5. Parameters: register or includeParticipateInfo (y/n), page_number, page_size.
func (a *API) postExtract(w http.ResponseWriter, r *http.Request) error {
	v, err := a.open(r, access.Extract, false)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	params := extractParams{Register: yes(query.Get("register")) || yes(query.Get("includeParticipateInfo"))}
	if params.Register {
		if ferr := registry.CheckParticipate(v.study); ferr != nil {
			return ferr
		}
	}
	if err := params.page(query); err != nil {
		return err
	}
	repeat, err := repeatKey(r)
	if err != nil {
		return err
	}
	if first, err := a.repeated(r, v, repeat, ExtractKind, params.Register); first != nil || err != nil {
		return a.answerJob(w, r, v, first, params.Register, err)
	}
	job := &jobs.Job{
		Kind: ExtractKind, Study: v.study.ID, Site: v.siteID(), SubmittedBy: v.caller.Name,
		Role: string(v.role), Dialect: dialect, RequestID: httpx.RequestID(r.Context()), RepeatKey: repeat,
	}
	if job.Params, err = json.Marshal(params); err != nil {
		return fmt.Errorf("encode job parameters: %w", err)
	}
	err = a.jobs.Submit(r.Context(), job, audit.Event{
		Origin: v.origin(r), Action: audit.ExtractRequested, Identifier: v.site.OID,
		Fields: []audit.FieldChange{{Field: "accessCodes", New: strconv.FormatBool(params.Register)}},
	})
	return a.answerJob(w, r, v, job, params.Register, err)
}

// page reads page_number and page_size, which are honoured only when one is sent.
func (p *extractParams) page(query url.Values) error {
	p.To = math.MaxInt64
	if !query.Has("page_number") && !query.Has("page_size") {
		return nil
	}
	number, err := positive(query, "page_number", 1)
	if err != nil {
		return fault.New(fault.Invalid, badPageNumber, "page_number is no positive integer")
	}
	size, err := positive(query, "page_size", defaultPageSize)
	if err != nil {
		return fault.New(fault.Invalid, badPageSize, "page_size is no positive integer")
	}
	p.From = (number - 1) * size
	p.To = number * size
	return nil
}

// positive reads a parameter that has to be a positive integer of 31 bits.
func positive(query url.Values, name string, standard int64) (int64, error) {
	if !query.Has(name) {
		return standard, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(query.Get(name)), 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is no positive integer", name)
	}
	return n, nil
}

// Extractor is the kind of job that writes a site's participants into a CSV file.
type Extractor struct{ Registry *registry.Service }

// Writes implements [jobs.Kind].Writes.
func (Extractor) Writes() bool { return false }

// extractCursor says how far an extract has come.
type extractCursor struct {
	After  int64 `json:"after"`  // the Seq of the last participant looked at
	Listed int64 `json:"listed"` // how many listed participants were met so far
}

// Start implements [jobs.Kind].Start.
func (k Extractor) Start(_ context.Context, job *jobs.Job, _ io.ReadSeeker) (jobs.Task, error) {
	t := &extractTask{registry: k.Registry, study: job.Study, site: job.Site}
	if err := json.Unmarshal(job.Params, &t.params); err != nil {
		return nil, fmt.Errorf("read job parameters: %w", err)
	}
	if job.Cursor != nil {
		if err := json.Unmarshal(job.Cursor, &t.at); err != nil {
			return nil, fmt.Errorf("read cursor: %w", err)
		}
	}
	t.origin = audit.Origin{Actor: job.SubmittedBy, Role: job.Role, Dialect: job.Dialect, RequestID: job.ID.String()}
	return t, nil
}

// extractTask is one extract under way.
type extractTask struct {
	registry *registry.Service
	study    registry.StudyID
	site     registry.SiteID
	params   extractParams
	at       extractCursor
	origin   audit.Origin
}

// Next implements [jobs.Task].Next. The reading of each access code is remembered in the
// transaction that stores the text which shows it.
func (t *extractTask) Next(ctx context.Context, limit int) (*jobs.Chunk, error) {
	if t.at.Listed >= t.params.To {
		return nil, io.EOF
	}
	list, err := t.registry.Contacts(ctx, t.study, t.site, t.at.After, limit)
	if err != nil {
		return nil, err
	}
	if len(list.Contacts) == 0 {
		return nil, io.EOF
	}
	chunk := &jobs.Chunk{AsOf: list.State}
	shown := make([]registry.ID, 0, len(list.Contacts))
	lines := make([][]string, 0, len(list.Contacts))
	for i := range list.Contacts {
		c := &list.Contacts[i]
		t.at.After = c.Seq
		if !c.Listed() {
			continue
		}
		t.at.Listed++
		if t.at.Listed <= t.params.From || t.at.Listed > t.params.To {
			continue
		}
		line, err := t.line(c)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
		chunk.Rows++
		shown = append(shown, c.ID)
		if t.params.Register && c.AccessCode != nil {
			chunk.Events = append(chunk.Events, codeRead(t.origin, c.ID, c.Identifier))
		}
	}
	if chunk.Cursor, err = json.Marshal(t.at); err != nil {
		return nil, fmt.Errorf("write cursor: %w", err)
	}
	chunk.Looks = func() []registry.Change { return t.looks(shown) }
	chunk.Output = func(results []registry.Result) ([]byte, int64) { return t.text(lines, results), 0 }
	return chunk, nil
}

// looks are the changes that look at people again.
func (t *extractTask) looks(at []registry.ID) []registry.Change {
	changes := make([]registry.Change, len(at))
	for i, id := range at {
		changes[i] = registry.Change{Action: registry.Look, Profile: registry.OpenClinica(), Origin: t.origin, ID: id}
	}
	return changes
}

// text writes the lines of those who are still at the site: somebody may have been erased,
// removed or moved since the page was read. Without results nothing has changed since.
func (t *extractTask) text(lines [][]string, results []registry.Result) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	for i, line := range lines {
		if len(results) > 0 {
			if p := results[i].Participant; p == nil || p.Site != t.site || !p.Listed() {
				continue
			}
		}
		_ = w.Write(line) // into memory: cannot fail
	}
	w.Flush()
	return out.Bytes()
}

// line is one participant's line.
func (t *extractTask) line(c *registry.Contact) ([]string, error) {
	line := []string{c.Identifier, c.FirstName, c.LastName, c.Email, c.MobilePhone, c.SecondaryID}
	if !t.params.Register {
		return line, nil
	}
	code, err := t.registry.AccessCode(c.AccessCode)
	if err != nil {
		return nil, err
	}
	return append(line, code, string(c.Participate)), nil // nobody is listed for whom another is shown
}
