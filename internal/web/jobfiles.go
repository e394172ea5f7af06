package web

import (
	"encoding/csv"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// csvAnswer is a CSV file being sent. Nothing of it is sent before its first line is known, so
// that what cannot be read is answered as an error.
type csvAnswer struct {
	to    http.ResponseWriter
	name  string
	lines *csv.Writer
}

// write sends a line.
func (a *csvAnswer) write(line []string) error {
	if a.lines == nil {
		a.to.Header().Set("Content-Type", "text/csv; charset=utf-8")
		a.to.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.name}))
		a.lines = csv.NewWriter(a.to)
		if _, err := a.to.Write([]byte(byteOrderMark)); err != nil {
			return err
		}
	}
	return a.lines.Write(line)
}

// end answers the error, or that the file is whole.
func (a *csvAnswer) end(err error) error {
	if a.lines == nil {
		return err
	}
	if a.lines.Flush(); err == nil {
		err = a.lines.Error()
	}
	return httpx.Cut(err)
}

// downloadJob sends a job's log or extract, made safe for spreadsheets:
//
//	GET /studies/{study}/jobs/{job}/file.csv
func (p *Pages) downloadJob(v *visit, w http.ResponseWriter) error {
	job, what, err := p.job(v)
	if err != nil {
		return err
	}
	if job.State.Unfinished() || (job.State == jobs.Failed && job.Parts == 0) {
		return fault.New(fault.Conflict, nothingYet, "the job has no file, or not yet")
	}
	if !what.Bulk {
		origin, err := v.must(access.Extract, job.Site)
		if err != nil {
			return err
		}
		event := audit.Event{Origin: origin, Action: audit.ExtractDownloaded, Identifier: job.ID.String()}
		if _, err := p.Registry.ApplyBatch(v.r.Context(), v.study.ID, &registry.Batch{Events: []audit.Event{event}}); err != nil {
			return err
		}
	}
	answer := &csvAnswer{to: w, name: what.FileName}
	head := strings.Split(strings.TrimSpace(what.Header), ",")
	err = p.eachLine(v.r.Context(), job, func(line []string) error {
		if head != nil {
			if err := answer.write(head); err != nil {
				return err
			}
			head = nil
		}
		for i := range line {
			line[i] = spreadsheetSafe(line[i])
		}
		return answer.write(line)
	})
	if err == nil && head != nil {
		err = answer.write(head) // of nobody
	}
	return answer.end(err)
}

// downloadFailed sends the failed records of a file as it was uploaded, with what is wrong with
// each, to be corrected and uploaded again:
//
//	GET /studies/{study}/jobs/{job}/failed.csv
func (p *Pages) downloadFailed(v *visit, w http.ResponseWriter) error {
	job, what, err := p.job(v)
	if err != nil {
		return err
	}
	if _, err := v.must(access.ReadContacts, job.Site); err != nil {
		return err
	}
	if !what.Bulk || job.State.Unfinished() {
		return fault.New(fault.Conflict, nothingYet, "the job has no failed records, or not yet")
	}
	if !p.isKept(v, what.Source) {
		return fault.New(fault.Conflict, fileGone, "the file is no longer there")
	}
	why := map[int]string{}
	err = p.eachLine(v.r.Context(), job, func(line []string) error {
		if len(line) >= logWidth && outcomeOf(line, what.Preview) == "failed" {
			if row, err := strconv.Atoi(line[logRow]); err == nil {
				why[row] = v.logLine(line, "failed").Message
				if why[row] == "" {
					why[row] = line[logMessage]
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.sendFailed(v, w, job, what, why)
}

func (p *Pages) sendFailed(v *visit, w http.ResponseWriter, job *jobs.Job, what *jobs.Description, why map[int]string) error {
	file, err := p.Jobs.OpenUpload(v.r.Context(), what.Source)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // opened to read: closing cannot lose anything
	header, _, err := p.Files.Records(file, func(int, []string) bool { return false })
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, 0); err != nil {
		return err
	}
	name := strings.TrimSuffix(job.SourceFile, ".csv") + " " + v.words.say("job.failedFile") + ".csv"
	answer := &csvAnswer{to: w, name: name}
	errorColumn := v.words.say("job.errorColumn")
	err = answer.write(append(append([]string{}, header...), errorColumn))
	if err == nil {
		_, _, err = p.Files.Records(file, func(row int, cells []string) bool {
			if message, failed := why[row]; failed && err == nil {
				err = answer.write(failedLine(header, cells, message))
			}
			return err == nil
		})
	}
	return answer.end(err)
}

// failedLine is a failed record as it was sent, under its header, with what is wrong. A phone
// number is none to a spreadsheet; what else it would take for a formula is made text.
func failedLine(header, cells []string, message string) []string {
	line := make([]string, len(header)+1)
	for i := range header {
		if i < len(cells) {
			line[i] = cells[i]
			if _, phone := registry.ParsePhone(cells[i]); !phone {
				line[i] = spreadsheetSafe(cells[i])
			}
		}
	}
	line[len(header)] = message
	return line
}
