package openclinica

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// maxRecord is how long a record of a bulk file may be, in bytes without its line end
// (decisions, OpenClinica 17).
const maxRecord = 64 << 10

// csvBuffer is the reader's only buffer: a record with its line end, and room to read on.
const csvBuffer = maxRecord + 16<<10

const utf8BOM = "\xef\xbb\xbf"

// position says how far a bulk file has been read. A reader that starts at a position of an
// earlier one, with its input at Offset, reads exactly what the earlier one had left.
type position struct {
	Offset int64 // of the next record in the file, in bytes
	Row    int   // records and blank lines read so far, without the header
	Line   int   // physical lines read so far, the header's too
}

// record is one record or blank line of a bulk file.
type record struct {
	Row   int      // counts records and blank lines from 1; 0 is the header
	Line  int      // physical line on which the record starts, from 1
	Cells []string // as written, not trimmed; nil when Blank or Err is set
	Blank bool     // an empty line, or one of spaces and tabs only
	Err   *fault.Error
}

// recordReader reads the records of a bulk file one by one (RFC 4180; UTF-8 with or without
// BOM; lines end in LF or CRLF) in memory that does not grow with the file.
//
// A broken record never stops the file and never swallows the rows after it: it is returned
// with Err set, and reading goes on at the line after the one on which the offending quote
// opened, or, where no open quote is to blame, at the line after the fault.
//
// Going back to that line costs little, whatever the file holds. While a quote is open only
// an odd run of quotes can close it, so the lines that it ran over hold even runs alone; read
// afresh, such a line cannot end with a quote open. It is a record by itself, or broken by
// itself. Hence no line is looked at under more than two broken quotes, and once afresh.
type recordReader struct {
	in         io.Reader
	pos        position
	buf        []byte
	start, end int   // buf[start:end] is what was read and is not yet consumed
	pending    error // came along with the last bytes; told when they are used up
	err        error // why there are no more bytes; io.EOF at the end of the file

	text    []byte // the unquoted text of the record's cells
	ends    []int  // where each cell ends in text
	scanned int64  // bytes looked at, second looks included; the tests bound it
}

// newRecordReader reads in, whose next byte is the one at at.Offset in the file. The zero
// position is the start of a file; [recordReader.Header] comes first there.
func newRecordReader(in io.Reader, at position) *recordReader {
	return &recordReader{in: in, pos: at, buf: make([]byte, csvBuffer)}
}

// Position is where the next record starts: what a job keeps to go on from later.
func (r *recordReader) Position() position { return r.pos }

// Header reads the first record of a file, which counts as line but not as row.
// Its errors are those of Next; io.EOF means an empty file.
func (r *recordReader) Header() (record, error) {
	rec, err := r.Next()
	r.pos.Row, rec.Row = 0, 0
	return rec, err
}

// Next reads the next record or blank line. It returns io.EOF at the end of the file; any
// other error is the input's own, and Position then stays before the record that it cut.
func (r *recordReader) Next() (record, error) {
	if r.pos.Offset == 0 {
		r.skipBOM()
	}
	if !r.have(0) {
		return record{}, r.err
	}
	before := r.pos
	rec := r.read()
	if r.err != nil && r.err != io.EOF {
		r.pos = before
		return record{}, r.err
	}
	r.pos.Row++
	rec.Row, rec.Line = r.pos.Row, before.Line+1
	return rec, nil
}

func (r *recordReader) skipBOM() {
	if !r.have(0) || r.buf[r.start] != utf8BOM[0] || !r.have(2) {
		return
	}
	if string(r.window()[:len(utf8BOM)]) == utf8BOM {
		r.consume(len(utf8BOM))
	}
}

// read reads a record and consumes it. Most lines hold no quote and take the short way.
func (r *recordReader) read() record {
	end, next := r.lineEnd(0)
	line := r.window()[:end]
	if bytes.IndexByte(line, '"') >= 0 {
		return r.readQuoted(cursor{line: r.pos.Line + 1, end: end, next: next})
	}
	if end > maxRecord {
		return r.broken(end, r.pos.Line+1, messageTooLong)
	}
	rec := record{Blank: isBlank(line)}
	if !rec.Blank {
		if rec.Err = checkText(line, r.pos.Line+1); rec.Err == nil {
			rec.Cells = splitCells(line)
		}
	}
	r.pos.Line++
	r.consume(next)
	return rec
}

// lineEnd finds where the line that holds window index from ends: without its line end, and
// with it. An end beyond maxRecord means that the record is too long; the line may then not
// be wholly read.
func (r *recordReader) lineEnd(from int) (end, next int) {
	w := r.window()
	lf, seen := bytes.IndexByte(w[from:], '\n'), len(w)
	for lf < 0 && len(w) < maxRecord+len("\r\n") && r.more() {
		w = r.window()
		if lf = bytes.IndexByte(w[seen:], '\n'); lf >= 0 {
			lf += seen - from
		}
		seen = len(w)
	}
	end, next = len(w), len(w)
	if lf >= 0 {
		end, next = from+lf, from+lf+1
	}
	r.scanned += int64(next - from)
	if end > from && w[end-1] == '\r' {
		end--
	}
	return end, next
}

// splitCells cuts a line without quotes. The cells share one string.
func splitCells(line []byte) []string {
	cells := make([]string, 0, bytes.Count(line, []byte{','})+1)
	rest := string(line)
	for {
		comma := strings.IndexByte(rest, ',')
		if comma < 0 {
			return append(cells, rest)
		}
		cells = append(cells, rest[:comma])
		rest = rest[comma+1:]
	}
}

// isBlank tells whether a line is empty or holds spaces and tabs only.
func isBlank(line []byte) bool {
	for _, b := range line {
		if b != ' ' && b != '\t' {
			return false
		}
	}
	return true
}

// cursor is where the reading of a record with quotes stands. Its indices are the window's.
type cursor struct {
	at   int // the next byte
	line int // physical line of at
	end  int // where that line ends, without its line end; -1 when not known
	next int // where that line ends, with its line end
}

// cellEnd says what follows a cell.
type cellEnd uint8

const (
	endsCell   cellEnd = iota // a comma: another cell follows
	endsRecord                // a line end or the end of the file
	endsBroken                // a fault, which ended the record
)

// readQuoted reads a record that may hold quotes, cell by cell.
func (r *recordReader) readQuoted(c cursor) record {
	r.text, r.ends = r.text[:0], r.ends[:0]
	for {
		if c.at >= maxRecord && c.end > maxRecord {
			return r.broken(c.at, c.line, messageTooLong)
		}
		read := r.plainCell
		if c.at < c.end && r.window()[c.at] == '"' {
			read = r.quotedCell
		}
		ends, rec := read(&c)
		if ends == endsBroken {
			return rec
		}
		r.ends = append(r.ends, len(r.text))
		if ends == endsRecord {
			return r.finish(c)
		}
	}
}

// finish makes the record that ends, line end included, at the cursor.
func (r *recordReader) finish(c cursor) record {
	r.scanned += int64(c.at)
	err := checkText(r.window()[:c.at], r.pos.Line+1)
	r.pos.Line = c.line
	r.consume(c.at)
	if err != nil {
		return record{Err: err}
	}
	text, cells, from := string(r.text), make([]string, len(r.ends)), 0
	for i, end := range r.ends {
		cells[i] = text[from:end]
		from = end
	}
	return record{Cells: cells}
}

// plainCell reads a cell that does not start with a quote. The cursor's line end is known.
func (r *recordReader) plainCell(c *cursor) (cellEnd, record) {
	cell := r.window()[c.at:min(c.end, maxRecord)]
	stop := bytes.IndexAny(cell, `,"`)
	switch {
	case stop < 0 && c.end > maxRecord:
		return endsBroken, r.broken(c.at, c.line, messageTooLong)
	case stop < 0:
		r.text = append(r.text, cell...)
		c.at = c.next
		return endsRecord, record{}
	case cell[stop] == '"':
		return endsBroken, r.broken(c.at, c.line, "a quote inside a cell that does not start with one")
	}
	r.text = append(r.text, cell[:stop]...)
	c.at += stop + 1
	return endsCell, record{}
}

// quotedCell reads a cell that starts with a quote, up to what follows its closing quote.
func (r *recordReader) quotedCell(c *cursor) (cellEnd, record) {
	open := *c
	c.at++
	for {
		quote := r.closingQuote(c.at)
		if quote < 0 {
			return endsBroken, r.broken(open.at, open.line, "a quote opens here and is not closed within the file and 64 KiB of its record")
		}
		part := r.window()[c.at:quote]
		if lines := bytes.Count(part, []byte{'\n'}); lines > 0 {
			c.line += lines
			c.end = -1
		}
		r.text = append(r.text, part...)
		c.at = quote + 1
		if !r.have(c.at) || r.window()[c.at] != '"' {
			break
		}
		r.text = append(r.text, '"')
		c.at++
	}
	if c.end < 0 {
		c.end, c.next = r.lineEnd(c.at)
	}
	switch {
	case c.at == c.end && c.end <= maxRecord:
		c.at = c.next
		return endsRecord, record{}
	case c.at < c.end && r.window()[c.at] == ',':
		c.at++
		return endsCell, record{}
	}
	return endsBroken, r.broken(open.at, open.line, "text after the closing quote of the cell that opens here")
}

// closingQuote finds the first quote from window index from on; -1 when there is none within
// maxRecord bytes of the record or before the end of the file.
func (r *recordReader) closingQuote(from int) int {
	for seen := from; ; {
		w := r.window()
		w = w[:min(len(w), maxRecord)]
		if seen < len(w) {
			if quote := bytes.IndexByte(w[seen:], '"'); quote >= 0 {
				r.scanned += int64(seen + quote - from)
				return seen + quote
			}
			seen = len(w)
		}
		if len(w) == maxRecord || !r.more() {
			r.scanned += int64(seen - from)
			return -1
		}
	}
}

const messageTooLong = "the record is longer than 64 KiB"

// broken ends the record with a fault at window index at, which is on the given physical
// line, and goes on at the line after it.
func (r *recordReader) broken(at, line int, message string) record {
	r.skipLine(at)
	r.pos.Line = line
	return record{Err: malformed(line, message)}
}

// skipLine consumes all up to the end of the line that holds window index from, however far
// that is.
func (r *recordReader) skipLine(from int) {
	for {
		w := r.window()
		lf := bytes.IndexByte(w[from:], '\n')
		if lf >= 0 {
			r.scanned += int64(lf)
			r.consume(from + lf + 1)
			return
		}
		r.scanned += int64(len(w) - from)
		r.consume(len(w))
		from = 0
		if !r.more() {
			return
		}
	}
}

func malformed(line int, message string) *fault.Error {
	return fault.New(fault.Invalid, registry.RecordMalformed, "line %d: %s", line, message)
}

// checkText answers with a fault if a record, which starts on the given physical line, holds
// a NUL or bytes that are not UTF-8.
func checkText(text []byte, line int) *fault.Error {
	if nul := bytes.IndexByte(text, 0); nul >= 0 {
		return malformed(line+bytes.Count(text[:nul], []byte{'\n'}), "a NUL character")
	}
	if utf8.Valid(text) {
		return nil
	}
	rest := text
	for {
		c, size := utf8.DecodeRune(rest)
		if c == utf8.RuneError && size <= 1 {
			return malformed(line, "text that is not UTF-8")
		}
		if c == '\n' {
			line++
		}
		rest = rest[size:]
	}
}

// window is what was read and is not yet consumed: the next record and what follows it.
func (r *recordReader) window() []byte { return r.buf[r.start:r.end] }

// consume moves the position, and the window, past n bytes.
func (r *recordReader) consume(n int) {
	r.start += n
	r.pos.Offset += int64(n)
}

// have makes sure that the window holds index i, which must be below maxRecord+2. It answers
// false at the end of the file.
func (r *recordReader) have(i int) bool {
	for i >= r.end-r.start {
		if !r.more() {
			return false
		}
	}
	return true
}

// more reads on into the window, whose start may move within the buffer. It answers false,
// with r.err set, when there is no more.
func (r *recordReader) more() bool {
	if r.err != nil {
		return false
	}
	if r.start > 0 && len(r.buf)-r.end < csvBuffer-maxRecord {
		r.end = copy(r.buf, r.window())
		r.start = 0
	}
	const patience = 100 // as bufio has it: how often an input may answer with nothing
	for range patience {
		if r.pending != nil {
			r.err = r.pending
			return false
		}
		n, err := r.in.Read(r.buf[r.end:])
		r.end += n
		if err != nil && err != io.EOF { // a wrapped EOF is a file cut short
			err = fmt.Errorf("reading the bulk file: %w", err)
		}
		r.pending = err
		if n > 0 {
			return true
		}
	}
	r.err = fmt.Errorf("reading the bulk file: %w", io.ErrNoProgress)
	return false
}
