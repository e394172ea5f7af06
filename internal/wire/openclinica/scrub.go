package openclinica

import (
	"bytes"
	"encoding/csv"
	"strings"

	"rollcall/internal/registry"
)

// Scrub takes erased participants out of a part of a bulk log or an extract: a log keeps the
// row and what became of it, without saying whose it was; an extract loses the line. It is a
// [registry.Scrubber] that leaves the outputs of other kinds alone.
func Scrub(kind string, part []byte, erased []*registry.Participant) []byte {
	if kind != BulkAddKind && kind != ExtractKind {
		return part
	}
	text := registry.Fold(string(part))
	known := erasedNames{identifiers: map[string]bool{}, oids: map[string]bool{}}
	present := false
	for _, p := range erased {
		key := registry.Fold(p.Identifier)
		known.identifiers[key], known.oids[p.OID] = true, true
		present = present || strings.Contains(text, strings.ReplaceAll(key, `"`, `""`)) ||
			strings.Contains(text, registry.Fold(p.OID)) // all that a log has of one who was renamed since
	}
	if !present {
		return part
	}
	r := csv.NewReader(bytes.NewReader(part))
	if kind == BulkAddKind {
		r.FieldsPerRecord = strings.Count(bulkLogHeader, ",") + 1
	}
	lines, err := r.ReadAll()
	if err != nil {
		return []byte{} // not a file of ours: better no file than a person who asked to be forgotten
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	for _, line := range lines {
		if line = scrubLine(kind, line, known); line != nil {
			_ = w.Write(line) // into memory: cannot fail
		}
	}
	w.Flush()
	return append([]byte{}, out.Bytes()...)
}

// erasedNames are the identifiers, folded, and OIDs of erased participants.
type erasedNames struct{ identifiers, oids map[string]bool }

// scrubLine answers a line without what names an erased participant; nil for no line at all.
func scrubLine(kind string, line []string, known erasedNames) []string {
	switch {
	case kind == ExtractKind && known.identifiers[registry.Fold(line[0])]:
		return nil
	case kind == BulkAddKind && known.oids[line[2]],
		kind == BulkAddKind && line[2] == "" && known.identifiers[registry.Fold(line[1])]:
		line[1], line[2], line[3] = "", "", ""
	}
	return line
}
