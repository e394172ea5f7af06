package web

import (
	"bufio"
	"encoding/csv"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// downloadPage is how many participants are read at a time, so that memory stays flat.
const downloadPage = 1000

// byteOrderMark has spreadsheets read the file as UTF-8.
const byteOrderMark = "\ufeff"

// downloadParticipants sends the participants of a view, all of its pages, as a file for a
// spreadsheet, with the columns that are shown:
//
//	GET /studies/{study}/participants.csv
//
// A download of contact data is remembered.
func (p *Pages) downloadParticipants(v *visit, w http.ResponseWriter) error {
	v.plain = true
	l, err := v.readListing()
	if err != nil {
		return err
	}
	l.Page, l.Size = 1, downloadPage
	q, err := v.query(l)
	if err != nil {
		return err
	}
	page, err := p.Registry.Query(v.r.Context(), v.study.ID, q)
	if err != nil {
		return err
	}
	if l.contacts {
		if err := p.rememberDownload(v, l, page.Total); err != nil {
			return err
		}
	}
	name := v.study.Identifier + " participants " + v.now(p).Format("2006-01-02 1504") + ".csv"
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	out := bufio.NewWriterSize(w, 64<<10)
	if err := p.writeRows(v, l, q, page, out); err != nil {
		return httpx.Cut(err)
	}
	return httpx.Cut(out.Flush())
}

// writeRows writes the head and every row, page after page.
func (p *Pages) writeRows(v *visit, l *listing, q *registry.Query, page *registry.Page, out *bufio.Writer) error {
	if _, err := out.WriteString(byteOrderMark); err != nil {
		return err
	}
	rows := csv.NewWriter(out)
	columns := l.shown()
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = spreadsheetSafe(c.Name)
	}
	for err := rows.Write(record); len(page.Participants) > 0; {
		if err != nil {
			return err
		}
		for _, person := range page.Participants {
			for i, c := range columns {
				record[i] = spreadsheetSafe(c.text(person))
			}
			if err := rows.Write(record); err != nil {
				return err
			}
		}
		if len(page.Participants) < q.Limit {
			break
		}
		q.Offset += q.Limit
		if page, err = p.Registry.Query(v.r.Context(), v.study.ID, q); err != nil {
			return err
		}
	}
	rows.Flush()
	return rows.Error()
}

// rememberDownload puts into the audit trail that contact data of so many was downloaded.
func (p *Pages) rememberDownload(v *visit, l *listing, count int) error {
	about, at := v.study.OID, registry.StudyLevel
	if l.place != nil {
		at = *l.place
		if site, ok := v.study.Site(at); ok {
			about = site.OID
		}
	}
	origin, err := v.must(access.ReadContacts, at)
	if err != nil {
		return err
	}
	_, err = p.Registry.ApplyBatch(v.r.Context(), v.study.ID, &registry.Batch{Events: []audit.Event{{
		Origin: origin, Action: audit.ExtractDownloaded, Identifier: about,
		Fields: []audit.FieldChange{{Field: "participants", New: strconv.Itoa(count)}},
	}}})
	return err
}

// spreadsheetSafe has a spreadsheet take a value for text where it would take it for a formula: it
// puts an apostrophe before it. Numbers stay numbers.
func spreadsheetSafe(text string) string {
	if text == "" || !strings.ContainsAny(text[:1], "=+-@\t\r\n") && !strings.HasPrefix(text, "＝") &&
		!strings.HasPrefix(text, "＋") && !strings.HasPrefix(text, "－") && !strings.HasPrefix(text, "＠") {
		return text
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "xXpPiInN_") {
		return text
	}
	return "'" + text
}
