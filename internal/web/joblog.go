package web

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// logPage is how many records a page of a log shows.
const logPage = 100

// logTable is a part of a job's log as its page shows it. The cells of the file are beside what a
// preview says of it, for those who may read contact data, while the file is there.
type logTable struct {
	Head  []string
	Lines []logLine
	Total int
	Pages []pageLink
}

type logLine struct {
	Row                 int
	Identifier, Message string
	Outcome             badge
	Code                string // the log's own word for what is wrong
	Cells               []logCell
	names               []string // of the columns that would change
}

// logCell is a cell of the file. What it would change is marked, with what is there now.
type logCell struct {
	Name, Text, Old string
	Changed         bool
}

// The places of a log's columns.
const (
	logRow = iota
	logIdentifier
	logOID
	logParticipate
	logStatus
	logMessage
	logWidth
)

// outcomes are what can become of a record, in the order in which they are counted.
var outcomes = [...]string{"failed", "add", "update", "unchanged", "success"}

// outcomeOf is what a line of a log says has become, or would become, of its record.
func outcomeOf(line []string, preview bool) string {
	switch status := strings.ToLower(line[logStatus]); {
	case status == "failed":
		return "failed"
	case preview && slices.Contains(outcomes[:], status):
		return status
	default:
		return "success"
	}
}

// eachLine reads the lines of a job's output, without its head, until the function answers an
// error. The writer has ended when it returns.
func (p *Pages) eachLine(ctx context.Context, job *jobs.Job, each func(line []string) error) error {
	reader, writer := io.Pipe()
	ended := make(chan struct{})
	go func() { // ends with its output, or when the reader is closed; waited for below
		defer close(ended)
		writer.CloseWithError(p.Jobs.WriteOutput(ctx, job, writer))
	}()
	lines := csv.NewReader(reader)
	lines.FieldsPerRecord = -1
	var err error
	for err == nil {
		var line []string
		if line, err = lines.Read(); err == nil {
			err = each(line)
		}
	}
	_ = reader.Close() // never fails
	<-ended
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// logTable reads a page of a bulk job's log, and counts all of it.
func (p *Pages) logTable(v *visit, job *jobs.Job, what *jobs.Description) (*logTable, []countLink, error) {
	only, at := v.r.URL.Query().Get("only"), 1
	if only != "" && !slices.Contains(outcomes[:], only) {
		return nil, nil, parameterFault("only")
	}
	if text := v.r.URL.Query().Get("page"); text != "" {
		var err error
		if at, err = strconv.Atoi(text); err != nil || at < 1 || at > maxPage {
			return nil, nil, parameterFault("page")
		}
	}
	table, counts := &logTable{}, map[string]int{}
	err := p.eachLine(v.r.Context(), job, func(line []string) error {
		if len(line) < logWidth {
			return nil
		}
		outcome := outcomeOf(line, what.Preview)
		counts[outcome]++
		if only != "" && only != outcome {
			return nil
		}
		if table.Total++; (table.Total-1)/logPage == at-1 {
			table.Lines = append(table.Lines, v.logLine(line, outcome))
		}
		return nil
	})
	if err != nil && fault.KindOf(err) != fault.NotFound { // a job that failed at once has left nothing
		return nil, nil, err
	}
	var links []countLink
	for _, outcome := range outcomes {
		if n := counts[outcome]; n > 0 {
			links = append(links, countLink{v.words.count("job.outcome."+outcome, n), v.jobURL(job) + "?only=" + outcome, outcome, n, only == outcome})
		}
	}
	table.fillPages(v, v.jobURL(job), only, at)
	if what.Preview && v.may(access.ReadContacts, job.Site) {
		if err := p.fillCells(v, table, what.Source); err != nil {
			return nil, nil, err
		}
	}
	return table, links, nil
}

// outcomeStyles colour outcomes as statuses are.
var outcomeStyles = map[string]string{"failed": "removed", "add": "available", "update": "locked", "success": "available"}

func (v *visit) logLine(line []string, outcome string) logLine {
	row, _ := strconv.Atoi(line[logRow]) // a line that has none is shown as 0
	l := logLine{Row: row, Identifier: line[logIdentifier], Outcome: badge{outcomeStyles[outcome], v.words.say("job.one." + outcome)}}
	switch {
	case outcome == "failed":
		l.Code = line[logMessage]
		l.Message = v.words.or("log."+strings.TrimPrefix(l.Code, "errorCode."), "")
	case outcome == "update":
		l.names = strings.Fields(line[logMessage])
		l.Message = strings.Join(l.names, ", ")
	}
	return l
}

func (t *logTable) fillPages(v *visit, url, only string, at int) {
	last := (t.Total + logPage - 1) / logPage
	if only != "" {
		url += "?only=" + only + "&page="
	} else {
		url += "?page="
	}
	for _, n := range []int{1, at - 1, at, at + 1, last} {
		if n < 1 || n > last || (len(t.Pages) > 0 && slices.ContainsFunc(t.Pages, func(p pageLink) bool { return p.Text == v.words.number(int64(n)) })) {
			continue
		}
		link := pageLink{Text: v.words.number(int64(n)), URL: url + strconv.Itoa(n), Label: v.words.say("page.number", n)}
		if n == at {
			link.URL = ""
		}
		t.Pages = append(t.Pages, link)
	}
}

// fillCells puts the cells of the file beside the lines, if the file is still there, and beside
// those that would change what is there now.
func (p *Pages) fillCells(v *visit, t *logTable, source string) error {
	wanted := map[int]int{} // lines by their rows
	last := 0
	for i := range t.Lines {
		wanted[t.Lines[i].Row] = i
		last = max(last, t.Lines[i].Row)
	}
	if len(wanted) == 0 || !p.isKept(v, source) {
		return nil
	}
	file, err := p.Jobs.OpenUpload(v.r.Context(), source)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // opened to read: closing cannot lose anything
	cells := map[int][]string{}
	header, names, err := p.Files.Records(file, func(row int, record []string) bool {
		if i, ok := wanted[row]; ok {
			cells[i] = slices.Clone(record)
		}
		return row < last
	})
	if err != nil {
		return err
	}
	t.Head = header
	for i := range t.Lines {
		if err := p.fillLine(v, &t.Lines[i], header, names, cells[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pages) fillLine(v *visit, line *logLine, header, names, cells []string) error {
	var now *registry.Participant
	if len(line.names) > 0 {
		found, err := p.Registry.Find(v.r.Context(), v.study.ID, line.Identifier)
		if err != nil && fault.KindOf(err) != fault.NotFound { // the file itself adds them
			return err
		}
		if err == nil && v.may(access.ReadContacts, found.Site) {
			now = found
		}
	}
	for i := range header {
		cell := logCell{Name: header[i]}
		if i < len(cells) {
			cell.Text = cells[i]
		}
		if cell.Changed = names[i] != "" && slices.Contains(line.names, names[i]); cell.Changed && now != nil {
			cell.Old = now.Details[fieldOfColumn(names[i])]
		}
		line.Cells = append(line.Cells, cell)
	}
	return nil
}

// fieldOfColumn is the detail that a column of a bulk file holds.
func fieldOfColumn(name string) registry.Field {
	switch name {
	case "emailAddress":
		return registry.Email
	case "phoneNumber":
		return registry.MobilePhone
	case "identifier":
		return registry.SecondaryID
	}
	field, _ := registry.FieldByName(name) // the others are called what the detail is
	return field
}
