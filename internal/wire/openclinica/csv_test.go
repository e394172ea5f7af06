package openclinica

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// readAll reads to the end of the file and answers with the position after each record too.
func readAll(t interface {
	Helper()
	Fatalf(string, ...any)
}, r *recordReader) ([]record, []position) {
	t.Helper()
	var records []record
	var positions []position
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return records, positions
		}
		if err != nil {
			t.Fatalf("reading record %d: %v", len(records)+1, err)
		}
		records = append(records, rec)
		positions = append(positions, r.Position())
	}
}

// outline writes records as the tables below want them.
func outline(records []record) []string {
	var lines []string
	for _, rec := range records {
		what := strings.Join(rec.Cells, "|")
		switch {
		case rec.Err != nil:
			what = "! " + rec.Err.Message
		case rec.Blank:
			what = "blank"
		}
		lines = append(lines, fmt.Sprintf("%d@%d %s", rec.Row, rec.Line, what))
	}
	return lines
}

func TestRecordReader(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		want       []string
	}{
		{"empty file", "", nil},
		{"BOM alone", "\ufeff", nil},
		{"one row", "a,b\n", []string{"1@1 a|b"}},
		{"last line without newline", "a,b\nc,d", []string{"1@1 a|b", "2@2 c|d"}},
		{"CRLF", "a,b\r\nc,d\r\n", []string{"1@1 a|b", "2@2 c|d"}},
		{"last line ends in CR", "a,b\r\nc,d\r", []string{"1@1 a|b", "2@2 c|d"}},
		{"CR alone is text", "a\rb,c\n", []string{"1@1 a\rb|c"}},
		{"BOM", "\ufeffa,b\n", []string{"1@1 a|b"}},
		{"BOM before a quote", "\ufeff\"a\",b\n", []string{"1@1 a|b"}},
		{"BOM later is text", "a\n\ufeffb\n", []string{"1@1 a", "2@2 \ufeffb"}},
		{"bytes like a BOM's start", "\ufefe\n", []string{"1@1 \ufefe"}},
		{"cells are not trimmed", " a ,\tb\n", []string{"1@1  a |\tb"}},
		{"empty cells", ",,\n", []string{"1@1 ||"}},
		{"blank lines", "\n \t\n\r\na\n  ", []string{"1@1 blank", "2@2 blank", "3@3 blank", "4@4 a", "5@5 blank"}},
		{"an empty quoted cell is no blank line", "\"\"\n", []string{"1@1 "}},
		{"quotes", "\"a\",\"b\"\n\"c\"", []string{"1@1 a|b", "2@2 c"}},
		{"comma within quotes", "\"a,b\",c\n", []string{"1@1 a,b|c"}},
		{"doubled quotes", "\"a\"\"b\",\"\"\"\",\"\"\n", []string{"1@1 a\"b|\"|"}},
		{"line breaks within quotes stay", "\"a\nb\",\"c\r\nd\"\r\ne\n", []string{"1@1 a\nb|c\r\nd", "2@4 e"}},
		{"CR before the closing quote", "\"a\r\"\r\nb\n", []string{"1@1 a\r", "2@2 b"}},
		{"quoted then CR and the end", "\"a\"\r", []string{"1@1 a"}},
		{"quoted then an empty cell and the end", "\"a\",", []string{"1@1 a|"}},
		{"plain after quoted lines", "\"a\nb\",c,d\r\ne\n", []string{"1@1 a\nb|c|d", "2@3 e"}},
		{"quoted blank lines count as lines", "\"\n\n\"\nb\n", []string{"1@1 \n\n", "2@4 b"}},

		{"NUL", "a\x00,b\nc\n", []string{"1@1 ! line 1: a NUL character", "2@2 c"}},
		{"NUL on the second line of a record", "\"a\n\x00\"\nc\n", []string{"1@1 ! line 2: a NUL character", "2@3 c"}},
		{"bad UTF-8", "x\na\xff,b\nc\n", []string{"1@1 x", "2@2 ! line 2: text that is not UTF-8", "3@3 c"}},
		{"bad UTF-8 on the second line of a record", "\"a\n\xc3\"\nc\n", []string{"1@1 ! line 2: text that is not UTF-8", "2@3 c"}},
		{"the replacement character is text", "\ufffd\n", []string{"1@1 \ufffd"}},
		{"quote inside a plain cell", "a,b\"c,d\ne\n", []string{"1@1 ! line 1: a quote inside a cell that does not start with one", "2@2 e"}},
		{"space before a quote", "a, \"b\"\ne\n", []string{"1@1 ! line 1: a quote inside a cell that does not start with one", "2@2 e"}},
		{"quote inside a plain cell after quoted lines", "\"a\nb\",c\"\ne\n", []string{"1@1 ! line 2: a quote inside a cell that does not start with one", "2@3 e"}},
		{"text after a closing quote", "\"a\"b,c\ne\n", []string{"1@1 ! line 1: text after the closing quote of the cell that opens here", "2@2 e"}},
		{"CR after a closing quote", "\"a\"\rb\ne\n", []string{"1@1 ! line 1: text after the closing quote of the cell that opens here", "2@2 e"}},
		{
			"a quote left open, closed by the next row's", "P1,\"Al\nP2,\"Smith, J\"\nP3,x\n",
			[]string{"1@1 ! line 1: text after the closing quote of the cell that opens here", "2@2 P2|Smith, J", "3@3 P3|x"},
		},
		{
			"the second quote of a record is the offending one", "\"a\nb\",\"c\nd\ne\n",
			[]string{"1@1 ! line 2: a quote opens here and is not closed within the file and 64 KiB of its record", "2@3 d", "3@4 e"},
		},
		{
			"a quote never closed", "a\nb,\"c\nd\n\ne",
			[]string{"1@1 a", "2@2 ! line 2: a quote opens here and is not closed within the file and 64 KiB of its record", "3@3 d", "4@4 blank", "5@5 e"},
		},
		{"a quote at the very end", "a\n\"", []string{"1@1 a", "2@2 ! line 2: a quote opens here and is not closed within the file and 64 KiB of its record"}},
		{"a doubled quote at the very end", "\"\"\"", []string{"1@1 ! line 1: a quote opens here and is not closed within the file and 64 KiB of its record"}},
	}
	inputs := map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "EOF with the data": iotest.DataErrReader,
	}
	for _, tt := range tests {
		for how, input := range inputs {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				t.Parallel()
				records, positions := readAll(t, newRecordReader(input(strings.NewReader(tt.file)), position{}))
				if diff := cmp.Diff(tt.want, outline(records)); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
				for _, rec := range records {
					if rec.Err != nil && !errors.Is(rec.Err, fault.New(fault.Invalid, registry.RecordMalformed, "")) {
						t.Errorf("row %d: got %v, want invalid, recordMalformed", rec.Row, rec.Err)
					}
				}
				if len(positions) == 0 {
					return
				}
				lines := strings.Count(tt.file, "\n")
				if !strings.HasSuffix(tt.file, "\n") {
					lines++
				}
				want := position{Offset: int64(len(tt.file)), Row: len(records), Line: lines}
				if got := positions[len(positions)-1]; got != want {
					t.Errorf("last position: got %+v, want %+v", got, want)
				}
			})
		}
	}
}

// A record of 64 KiB is read, one of a byte more is not; nothing after it is lost either way.
func TestRecordLimit(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	const tooLong, unclosed = "the record is longer than 64 KiB", "a quote opens here"
	tests := []struct {
		name, record string
		want         string // the start of the message; empty when the record is fine
	}{
		{"plain", "a," + long(maxRecord-2), ""},
		{"plain, a byte more", "a," + long(maxRecord-1), tooLong},
		{"plain, much more", long(5 * maxRecord), tooLong},
		{"spaces", strings.Repeat(" ", maxRecord+1), tooLong},
		{"quoted", "\"" + long(maxRecord-2) + "\"", ""},
		{"quoted, a byte more", "\"" + long(maxRecord-1) + "\"", unclosed},
		{"quoted, much more", "\"" + long(3*maxRecord) + "\",b", unclosed},
		{"doubled quotes", "\"" + strings.Repeat("\"\"", maxRecord/2-1) + "\"", ""},
		{"doubled quotes, more", "\"" + strings.Repeat("\"\"", maxRecord/2) + "\"", unclosed},
		{"plain after quoted", "\"a\"," + long(maxRecord-4), ""},
		{"plain after quoted, a byte more", "\"a\"," + long(maxRecord-3), tooLong},
		{"comma past the limit", "\"" + long(maxRecord-2) + "\",", tooLong},
		{"cell past the limit", "\"" + long(maxRecord-2) + "\",b", tooLong},
		{"text past the limit", "\"" + long(maxRecord-2) + "\"b", "text after the closing quote"},
		{"empty last cell at the limit", "\"" + long(maxRecord-3) + "\",", ""},
		{"quote opens past the limit", "\"a\"," + long(maxRecord-5) + ",\"b\"", tooLong},
		{"quote opens on the last byte", "\"a\"," + long(maxRecord-6) + ",\"b\"", unclosed},
		{"quote inside a plain cell past the limit", long(maxRecord+10) + "\"", tooLong},
		{"many empty cells", strings.Repeat(",", maxRecord), ""},
	}
	for _, tt := range tests {
		for name, newline := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				file := "first" + newline + tt.record + newline + "last"
				records, _ := readAll(t, newRecordReader(strings.NewReader(file), position{}))
				if len(records) != 3 || records[2].Line != 3 || !cmp.Equal(records[2].Cells, []string{"last"}) {
					t.Fatalf("got %d records, the last %.80v; want 3, the last whole on line 3", len(records), records[len(records)-1])
				}
				switch got := records[1]; {
				case tt.want == "" && got.Err != nil:
					t.Errorf("got %v, want the record", got.Err)
				case tt.want == "" && got.Cells == nil:
					t.Error("got no cells")
				case tt.want != "" && (got.Err == nil || !strings.HasPrefix(got.Err.Message, "line 2: "+tt.want)):
					t.Errorf("got %v, want %q", got.Err, tt.want)
				}
				alone, positions := readAll(t, newRecordReader(strings.NewReader(tt.record), position{}))
				if len(alone) != 1 || (alone[0].Err != nil) != (tt.want != "") || positions[0].Offset != int64(len(tt.record)) {
					t.Errorf("without a newline: got %d records, %v", len(alone), alone[0].Err)
				}
			})
		}
	}
}

// A quote that stays open for 64 KiB costs its own row and none after it.
func TestOpenQuoteSwallowsNoRows(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("P0,\"Al\n")
	const rows = 20_000
	for i := 1; i <= rows; i++ {
		fmt.Fprintf(&file, "P%d,Bo,\"\"\n", i)
	}
	records, _ := readAll(t, newRecordReader(strings.NewReader(file.String()), position{}))
	if len(records) != rows+1 || records[0].Err == nil {
		t.Fatalf("got %d records, first error %v; want %d and the first broken", len(records), records[0].Err, rows+1)
	}
	for i, rec := range records[1:] {
		if rec.Line != i+2 || len(rec.Cells) != 3 || rec.Cells[0] != fmt.Sprintf("P%d", i+1) {
			t.Fatalf("record %d: got %+v", i+1, rec)
		}
	}
}

// OpenClinica 4.13 stops reading, silently, at a row with too few cells or a blank line.
func TestShortOrBlankRowDoesNotEndReading(t *testing.T) {
	t.Parallel()
	r := newRecordReader(strings.NewReader("ParticipantID,FirstName,LastName\nP1,Al,A\nP2\n\nP3,Bo\n,,\nP4,Cy,C\n"), position{})
	header, err := r.Header()
	if err != nil {
		t.Fatal(err)
	}
	records, _ := readAll(t, r)
	want := []string{"0@1 ParticipantID|FirstName|LastName", "1@2 P1|Al|A", "2@3 P2", "3@4 blank", "4@5 P3|Bo", "5@6 ||", "6@7 P4|Cy|C"}
	if diff := cmp.Diff(want, outline(append([]record{header}, records...))); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// OpenClinica 4.13 takes the text after the first 8,192 characters for a header, and refuses
// the file if two cells there are equal.
func TestEqualEmptyCellsAroundByte8192(t *testing.T) {
	t.Parallel()
	file := "ParticipantID,FirstName,LastName,EmailAddress\n"
	rows := 0
	for ; len(file) < 20_000; rows++ {
		file += fmt.Sprintf("JUNO-%05d,,,\n", rows)
	}
	r := newRecordReader(strings.NewReader(file), position{})
	if _, err := r.Header(); err != nil {
		t.Fatal(err)
	}
	records, _ := readAll(t, r)
	if len(records) != rows {
		t.Fatalf("got %d rows, want %d", len(records), rows)
	}
	for i, rec := range records {
		if diff := cmp.Diff([]string{fmt.Sprintf("JUNO-%05d", i), "", "", ""}, rec.Cells); diff != "" || rec.Row != i+1 || rec.Err != nil {
			t.Fatalf("row %d: %+v (-want +got):\n%s", i+1, rec, diff)
		}
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	r := newRecordReader(strings.NewReader("\ufeffa,\"b\nc\"\r\nP1,x\n"), position{})
	header, err := r.Header()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0@1 a|b\nc"}, outline([]record{header})); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if got, want := r.Position(), (position{Offset: 12, Row: 0, Line: 2}); got != want {
		t.Errorf("got position %+v, want %+v", got, want)
	}
	records, _ := readAll(t, r)
	if diff := cmp.Diff([]string{"1@3 P1|x"}, outline(records)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if _, err := newRecordReader(strings.NewReader(""), position{}).Header(); err != io.EOF {
		t.Errorf("empty file: got %v, want io.EOF", err)
	}
}

// An input that fails gives the records before the failure, then the failure, and a position
// from which the job can go on.
func TestInputFailure(t *testing.T) {
	t.Parallel()
	away := errors.New("disk away")
	tests := []struct {
		name, file string
		cut        int
		records    int
		offset     int64
	}{
		{"within a row", "a,b\nc,d\ne,f\n", 6, 1, 4},
		{"between rows", "a,b\nc,d\n", 4, 1, 4},
		{"within a quoted cell", "a\n\"b\nc\"\n", 5, 1, 2},
		{"after a closing quote", "a\n\"b\"\n", 5, 1, 2},
		{"within a broken row", "a\nb\"c\nd\n", 4, 1, 2},
		{"within a row that is too long", "a\n" + strings.Repeat("x", 4*maxRecord), 3 * maxRecord, 1, 2},
		{"within the BOM", "\ufeffa\n", 2, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRecordReader(io.MultiReader(strings.NewReader(tt.file[:tt.cut]), iotest.ErrReader(away)), position{})
			for i := range tt.records {
				if _, err := r.Next(); err != nil {
					t.Fatalf("record %d: %v", i+1, err)
				}
			}
			for range 2 {
				if _, err := r.Next(); !errors.Is(err, away) {
					t.Fatalf("got %v, want %v", err, away)
				}
			}
			if got, want := r.Position(), (position{Offset: tt.offset, Row: tt.records, Line: tt.records}); got != want {
				t.Errorf("got position %+v, want %+v", got, want)
			}
		})
	}
}

func TestInputWithoutProgress(t *testing.T) {
	t.Parallel()
	if _, err := newRecordReader(idle{}, position{}).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v, want %v", err, io.ErrNoProgress)
	}
}

// idle is an input that answers with nothing, for ever.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// wellFormed draws cells and a file that holds them, each cell quoted where it must be and
// sometimes where it need not.
func wellFormed(t *rapid.T) (rows [][]string, file string) {
	cell := rapid.StringOf(rapid.SampledFrom([]rune("ab ,\"\n\té€")))
	rows = rapid.SliceOf(rapid.SliceOfN(cell, 1, 5)).Draw(t, "rows")
	var b strings.Builder
	for _, row := range rows {
		for i, c := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if strings.ContainsAny(c, ",\"\n") || len(row) == 1 || rapid.Bool().Draw(t, "quoted") {
				c = "\"" + strings.ReplaceAll(c, "\"", "\"\"") + "\""
			}
			b.WriteString(c)
		}
		b.WriteString(rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line end"))
	}
	return rows, b.String()
}

func TestAgreesWithEncodingCSVProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows, file := wellFormed(t)
		other := csv.NewReader(strings.NewReader(file))
		other.FieldsPerRecord = -1
		want, err := other.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		records, _ := readAll(t, newRecordReader(iotest.HalfReader(strings.NewReader(file)), position{}))
		var got [][]string
		for _, rec := range records {
			got = append(got, rec.Cells)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: against encoding/csv (-want +got):\n%s", file, diff)
		}
		if len(rows) != len(got) {
			t.Fatalf("%q: got %d rows, want %d", file, len(got), len(rows))
		}
	})
}

// messy draws files in which much is broken, some of them longer than the buffer.
func messy(t *rapid.T) string {
	pieces := []string{"a", ",", "\"", "\"\"", "\n", "\r\n", "\r", "\x00", "\xff", " ", "é", "\ufeff", "b,c\n", "\"d\ne\",", strings.Repeat("z", maxRecord/2), strings.Repeat("\"x\",y\n", 2000)}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 40).Draw(t, "pieces"), "")
}

func TestResumesAtAnyPositionProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		file := messy(t)
		records, positions := readAll(t, newRecordReader(strings.NewReader(file), position{}))
		if len(records) == 0 {
			return
		}
		i := rapid.IntRange(0, len(records)-1).Draw(t, "record")
		at := positions[i]
		rest, after := readAll(t, newRecordReader(strings.NewReader(file[at.Offset:]), at))
		if diff := cmp.Diff(outline(records[i+1:]), outline(rest)); diff != "" {
			t.Fatalf("from %+v (-want +got):\n%s", at, diff)
		}
		if diff := cmp.Diff(positions[i+1:], after, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("positions from %+v (-want +got):\n%s", at, diff)
		}
	})
}

// checkReading holds a reader to what is true of any file.
func checkReading(t *testing.T, file []byte) {
	t.Helper()
	r := newRecordReader(bytes.NewReader(file), position{})
	records, positions := readAll(t, r)
	last := position{}
	for i, rec := range records {
		at := positions[i]
		if at.Offset <= last.Offset || at.Line <= last.Line || at.Row != last.Row+1 || rec.Row != at.Row || rec.Line != last.Line+1 {
			t.Fatalf("record %+v from %+v to %+v", rec, last, at)
		}
		lines := last.Line + bytes.Count(file[last.Offset:at.Offset], []byte{'\n'})
		if at.Line != lines && int(at.Offset) != len(file) {
			t.Fatalf("record %d: %d lines counted, %d in the file", rec.Row, at.Line, lines)
		}
		if states := btoi(rec.Cells != nil) + btoi(rec.Blank) + btoi(rec.Err != nil); states != 1 {
			t.Fatalf("record %+v is not just one of cells, blank and broken", rec)
		}
		last = at
	}
	if got := r.Position(); int(got.Offset) != len(file) || got.Row != len(records) {
		t.Fatalf("ended at %+v after %d records of %d bytes", got, len(records), len(file))
	}
	if most := 8 * int64(len(file)+1); r.scanned > most {
		t.Fatalf("looked at %d bytes of a file of %d", r.scanned, len(file))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Files made of quotes alone, or nearly, are read in time that grows with their size.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	const size = 160 << 10
	wide := "\"" + strings.Repeat("x,\"\"\n", 13_200)
	for _, line := range []string{
		"\"", "\"\n", "\"\"\n", "\"\"\"\n", "\"\"\"\"\n", "a\"\n", "\"a\n", ",\"\n", ",\"\"\"\n", "\",\n", "\",\"\n", "\"a\",\"\n", "\"\"a\n", "a,\"b\n\"\"\n",
		"\"x\n" + strings.Repeat("\"\"\n", 30_000), "\",\"x\n", wide, wide + "\"", "\"\n,\"", "\"\",\"\n\",\"\",",
	} {
		checkReading(t, []byte(strings.Repeat(line, size/len(line))))
	}
}

// The file is a head and then a piece again and again, so that small inputs pass the limits.
func FuzzRecordReader(f *testing.F) {
	for _, seed := range []string{
		"\ufeffa,b\r\n1,2", "\"a\nb\",\"c\"\"d\"\n\n \n", "a\"b\n\"c\"d\n\"e\nf\n", "a\x00\n\xff\n", "\"\"\"\n\"\"\n\"\n", "\",", "x",
	} {
		f.Add([]byte(seed), []byte("y\n"), uint16(2))
		f.Add([]byte(seed), []byte("\"\"\n"), uint16(30_000))
		f.Add([]byte("\"a"), []byte(seed), uint16(40_000))
	}
	f.Fuzz(func(t *testing.T, head, piece []byte, times uint16) {
		const size = 100_000
		repeats := min(int(times), size/(len(piece)+1))
		checkReading(t, append(bytes.Clone(head), bytes.Repeat(piece, repeats)...))
	})
}

func BenchmarkRecordReader(b *testing.B) {
	for name, row := range map[string]string{
		"plain":  "JUNO-00001,Alice,Arden,alice@example.org,+1 5557778888\n",
		"quoted": "\"JUNO-00001\",\"Alice\",\"Arden, \"\"A\"\"\",alice@example.org,+1 5557778888\n",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			file, rows := strings.Repeat(row, 10_000), 0
			for b.Loop() {
				r := newRecordReader(strings.NewReader(file), position{})
				for {
					if _, err := r.Next(); err != nil {
						break
					}
					rows++
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
