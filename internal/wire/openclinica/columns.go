package openclinica

import (
	"io"
	"strings"
	"unicode"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// identifierColumn is the one required column (spec 16.4, Requirements for the CSV File).
const identifierColumn = "participantid"

// fieldColumns are the optional columns by their folded names; the phone number and the
// secondary ID have two names each (decisions, OpenClinica 10 and 17).
var fieldColumns = map[string]registry.Field{
	"firstname":    registry.FirstName,
	"middlename":   registry.MiddleName,
	"lastname":     registry.LastName,
	"emailaddress": registry.Email,
	"phonenumber":  registry.MobilePhone,
	"mobilenumber": registry.MobilePhone,
	"identifier":   registry.SecondaryID,
	"secondaryid":  registry.SecondaryID,
}

// columns says what each cell of a file's records holds.
type columns struct {
	width      int // how many cells the header has
	needed     int // how many of them a record must have: those up to the last that is named
	identifier int
	fields     []fieldColumn
	ignored    []string // named columns that nobody reads, as written
}

// fieldColumn is a column that is read into a field.
type fieldColumn struct {
	index int
	field registry.Field
}

// readHeader reads a file's first record and answers its columns and where its records begin.
// Its faults are the synchronous ones of the bulk page.
func readHeader(file io.Reader) (*columns, position, error) {
	reader := newRecordReader(file, position{})
	header, err := reader.Header()
	if err == io.EOF {
		return nil, position{}, notSupported("the file is empty")
	}
	if err != nil {
		return nil, position{}, err
	}
	if header.Err != nil || header.Blank {
		return nil, position{}, notSupported("the file does not begin with a CSV header")
	}
	if strings.Contains(strings.Join(header.Cells, ""), "\r") {
		return nil, position{}, notSupported("the file's lines do not end in LF or CRLF")
	}
	c := &columns{width: len(header.Cells), identifier: -1}
	var repeats *fault.Error // the first of them
	for i, cell := range header.Cells {
		if ferr := c.add(i, cell); repeats == nil {
			repeats = ferr
		}
	}
	if c.identifier < 0 {
		return nil, position{}, fault.New(fault.Invalid, columnMissing, "the file has no column named ParticipantID")
	}
	if repeats != nil {
		return nil, position{}, repeats
	}
	return c, reader.Position(), nil
}

// add takes in one header cell. Case, surrounding space and invisible characters do not count.
func (c *columns) add(i int, cell string) *fault.Error {
	name := strings.TrimFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.C, r) })
	if name == "" {
		return nil
	}
	c.needed = i + 1
	key := strings.ToLower(name)
	if key == identifierColumn {
		if c.identifier >= 0 {
			return repeated(registry.IdentifierField)
		}
		c.identifier = i
		return nil
	}
	field, known := fieldColumns[key]
	if !known {
		c.ignored = append(c.ignored, name)
		return nil
	}
	for _, taken := range c.fields {
		if taken.field == field {
			return repeated(field.String())
		}
	}
	c.fields = append(c.fields, fieldColumn{i, field})
	return nil
}

func repeated(field string) *fault.Error {
	return fault.New(fault.Invalid, columnRepeated, "the file has this column twice").In(field)
}

// change makes a change of a record's cells: an empty cell leaves a field as it is.
func (c *columns) change(cells []string, into *registry.Change) *fault.Error {
	if len(cells) < c.needed {
		return fault.New(fault.Invalid, registry.RecordMalformed, "the record has %d cells, the header %d", len(cells), c.width)
	}
	for _, cell := range cells[min(c.width, len(cells)):] {
		if strings.TrimSpace(cell) != "" {
			return fault.New(fault.Invalid, registry.RecordMalformed, "the record has more cells than the header")
		}
	}
	into.Identifier = cells[c.identifier]
	for _, f := range c.fields {
		if strings.TrimSpace(cells[f.index]) != "" {
			into.Edits.Set(f.field, cells[f.index])
		}
	}
	return nil
}

// sent is the participant identifier as the record has it, for the log; "" where the record is
// too short to tell.
func (c *columns) sent(cells []string) string {
	if c.identifier < len(cells) {
		return strings.TrimSpace(cells[c.identifier])
	}
	return ""
}
