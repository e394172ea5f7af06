package openclinica

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"rollcall/internal/registry"
)

// Scrub takes erased participants out of bulk logs and extracts: a log keeps the row and what
// became of it, without saying whose it was; an extract loses the line. All other lines stay as
// they are. It is a [registry.Scrubber] that leaves the outputs of other kinds alone. Where the
// text is none of ours it ends: better no file than a person who asked to be forgotten.
func Scrub(kind string, to io.Writer, from io.Reader, erased []registry.ErasedName) (found bool, err error) {
	if !isLog(kind) && kind != ExtractKind {
		_, err := io.Copy(to, from)
		return false, err
	}
	known := nameErased(erased)
	source := &heard{from: from}
	lines := csv.NewReader(source)
	if isLog(kind) {
		lines.FieldsPerRecord = strings.Count(bulkLogHeader, ",") + 1
	}
	lines.ReuseRecord = true
	for {
		before := lines.InputOffset()
		line, err := lines.Read()
		switch {
		case errors.Is(err, io.EOF):
			return found, nil
		case source.err != nil:
			return found, fmt.Errorf("read job output: %w", source.err)
		case err != nil:
			return true, nil
		}
		text := source.said.Next(int(lines.InputOffset() - before))
		if known.in(kind, line) {
			found = true
			text = withoutName(kind, line)
		}
		if _, err := to.Write(text); err != nil {
			return found, fmt.Errorf("write job output: %w", err)
		}
	}
}

// isLog tells whether the output of a kind of job has a line for each record of a file.
func isLog(kind string) bool { return kind == BulkAddKind || kind == BulkPreviewKind }

// heard remembers what was read until it is asked for it, and how reading failed.
type heard struct {
	from io.Reader
	said bytes.Buffer
	err  error
}

// Read implements io.Reader.
func (h *heard) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.said.Write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		h.err = err
	}
	return n, err
}

// erasedNames are the identifiers, folded, and OIDs of erased participants.
type erasedNames struct{ identifiers, oids map[string]bool }

func nameErased(erased []registry.ErasedName) erasedNames {
	known := erasedNames{identifiers: map[string]bool{}, oids: map[string]bool{}}
	for _, p := range erased {
		if p.Identifier != "" {
			known.identifiers[registry.Fold(p.Identifier)] = true
		}
		if p.OID != "" {
			known.oids[p.OID] = true
		}
	}
	return known
}

// in tells whether a line names an erased participant. A log names by OID whom it could name
// so, since identifiers are given to others later.
func (e erasedNames) in(kind string, line []string) bool {
	if kind == ExtractKind {
		return e.identifiers[registry.Fold(line[0])]
	}
	return e.oids[line[2]] || line[2] == "" && e.identifiers[registry.Fold(line[1])]
}

// withoutName is what is left of a line that names an erased participant.
func withoutName(kind string, line []string) []byte {
	if kind == ExtractKind {
		return nil
	}
	line[1], line[2], line[3] = "", "", ""
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	_ = w.Write(line) // into memory: cannot fail
	w.Flush()
	return text.Bytes()
}
