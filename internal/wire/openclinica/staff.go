package openclinica

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// Files is what the browser interface, which works with the same bulk files and extracts, has to
// know of them: how they are checked, how their jobs are submitted, and what a job is.
type Files struct{}

// CheckBulk tells whether a stored file can be a bulk file of the study, with the faults of the
// bulk endpoint, and which of its columns nobody reads.
func (Files) CheckBulk(file io.Reader, study *registry.Study, register bool) (ignored []string, err error) {
	if err := checkBulk(study, bulkParams{Register: register, Contract: study.BulkContract}); err != nil {
		return nil, err
	}
	cols, _, err := readHeader(file)
	if err != nil {
		return nil, err
	}
	return cols.ignored, nil
}

// BulkJob is the kind and the parameters of a job that adds a file's participants, or tells what
// it would do. Source is the key of a copy of the file that outlives the job for a while.
func (Files) BulkJob(study *registry.Study, register, preview bool, ignored []string, source string) (kind string, params []byte, err error) {
	kind = BulkAddKind
	if preview {
		kind = BulkPreviewKind
	}
	params, err = json.Marshal(bulkParams{Register: register, Contract: study.BulkContract, Ignored: ignored, Source: source})
	return kind, params, err
}

// ExtractJob is the kind and the parameters of a job that extracts a site's participants, with
// their access codes if register is set.
func (Files) ExtractJob(register bool) (kind string, params []byte, err error) {
	p := extractParams{Register: register}
	if err := p.page(nil); err != nil {
		return "", nil, err
	}
	params, err = json.Marshal(p)
	return ExtractKind, params, err
}

// Describe tells what a job is; false if it is none of this dialect's kinds.
func (Files) Describe(study *registry.Study, job *jobs.Job) (jobs.Description, bool) {
	d := jobs.Description{Progress: progress(job), FileName: fileName(study, job), Header: bulkLogHeader}
	switch job.Kind {
	case BulkAddKind, BulkPreviewKind:
		var params bulkParams
		_ = json.Unmarshal(job.Params, &params) // what cannot be read is not known
		d.Bulk, d.Preview = true, job.Kind == BulkPreviewKind
		d.Register, d.Ignored, d.Source = params.Register, params.Ignored, params.Source
	case ExtractKind:
		var params extractParams
		_ = json.Unmarshal(job.Params, &params) // as above
		d.Register, d.Header = params.Register, extractHeader
		if d.Register {
			d.Header = extractRegisterHeader
		}
	default:
		return d, false
	}
	return d, true
}

// Records reads a bulk file's header and then its records, with their numbers in the log, until
// the function answers false. Records that cannot be read have no cells. Names are those by which
// a preview speaks of the header's columns, "" for one that nobody reads.
func (Files) Records(file io.ReadSeeker, each func(row int, cells []string) bool) (header, names []string, err error) {
	cols, _, err := readHeader(file)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read header again: %w", err)
	}
	reader := newRecordReader(file, position{})
	head, err := reader.Header()
	if err != nil {
		return nil, nil, fmt.Errorf("read header again: %w", err)
	}
	names = make([]string, len(head.Cells))
	names[cols.identifier] = columnOf[registry.IdentifierField]
	for _, f := range cols.fields {
		names[f.index] = columnOf[f.field.String()]
	}
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return head.Cells, names, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read upload: %w", err)
		}
		if !rec.Blank && !each(rec.Row, rec.Cells) {
			return head.Cells, names, nil
		}
	}
}
