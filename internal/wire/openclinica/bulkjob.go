package openclinica

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// bulkLogHeader is the first line of every bulk job's log (decisions, OpenClinica 11).
const bulkLogHeader = "Row,ParticipantID,Participant OID,Participate Status,Status,Message\n"

// maxChunk is about how many bytes of the file one chunk covers: it keeps memory flat where
// records are long, and lets a job stop soon where the file is one long run of blank lines.
const maxChunk = 1 << 20

// BulkAdd is the kind of job that adds and updates the participants of a CSV file.
type BulkAdd struct{}

// Writes implements [jobs.Kind].Writes.
func (BulkAdd) Writes() bool { return true }

// Start implements [jobs.Kind].Start. The cursor is a [position] in the upload.
func (BulkAdd) Start(_ context.Context, job *jobs.Job, upload io.ReadSeeker) (jobs.Task, error) {
	var params bulkParams
	if err := json.Unmarshal(job.Params, &params); err != nil {
		return nil, fmt.Errorf("read job parameters: %w", err)
	}
	cols, at, err := readHeader(upload)
	if err != nil {
		return nil, fmt.Errorf("read header again: %w", err)
	}
	if job.Cursor != nil {
		if err := json.Unmarshal(job.Cursor, &at); err != nil {
			return nil, fmt.Errorf("read cursor: %w", err)
		}
	}
	if _, err := upload.Seek(at.Offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("go to cursor: %w", err)
	}
	t := &bulkTask{columns: cols, reader: newRecordReader(upload, at)}
	t.change = registry.Change{
		Profile: registry.OpenClinica(), Place: registry.At(job.Site), Register: params.Register,
		Origin: audit.Origin{Actor: job.SubmittedBy, Role: job.Role, Dialect: job.Dialect, RequestID: job.ID.String()},
	}
	if params.Contract == registry.BulkLegacy {
		t.change.Profile = registry.OpenClinicaLegacy()
	}
	return t, nil
}

// bulkTask is one bulk job under way.
type bulkTask struct {
	columns *columns
	reader  *recordReader
	change  registry.Change // what all records have in common
}

// logEntry is what a record says before its result is known.
type logEntry struct {
	row  int
	sent string
	err  *fault.Error // the record could not be read; it has no change
}

// Next implements [jobs.Task].Next.
func (t *bulkTask) Next(_ context.Context, limit int) (*jobs.Chunk, error) {
	chunk, entries, err := t.next(limit)
	if err != nil {
		return nil, err
	}
	chunk.Output = func(results []registry.Result) ([]byte, int64) { return bulkLog(entries, results) }
	return chunk, nil
}

// next reads the records of the next chunk.
func (t *bulkTask) next(limit int) (*jobs.Chunk, []logEntry, error) {
	chunk := &jobs.Chunk{Changes: make([]registry.Change, 0, limit)}
	entries := make([]logEntry, 0, limit)
	start := t.reader.Position().Offset
	for len(entries) < limit && t.reader.Position().Offset-start < maxChunk {
		rec, err := t.reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read upload: %w", err)
		}
		if rec.Blank {
			continue
		}
		entry := logEntry{row: rec.Row, err: rec.Err}
		if entry.err == nil {
			change := t.change
			entry.sent = t.columns.sent(rec.Cells)
			if entry.err = t.columns.change(rec.Cells, &change); entry.err == nil {
				chunk.Changes = append(chunk.Changes, change)
			}
		}
		entries = append(entries, entry)
	}
	if t.reader.Position().Offset == start {
		return nil, nil, io.EOF
	}
	cursor, err := json.Marshal(t.reader.Position())
	if err != nil {
		return nil, nil, fmt.Errorf("write cursor: %w", err)
	}
	chunk.Rows, chunk.Cursor = int64(len(entries)), cursor
	return chunk, entries, nil
}

// bulkLog writes the log lines of a chunk: entries that have a change take the results in turn.
func bulkLog(entries []logEntry, results []registry.Result) (text []byte, failed int64) {
	var out bytes.Buffer
	lines := csv.NewWriter(&out)
	line := make([]string, 6)
	for _, e := range entries {
		result := registry.Result{Err: e.err}
		if e.err == nil {
			result, results = results[0], results[1:]
		}
		line[0], line[1] = strconv.Itoa(e.row), e.sent
		if result.Err != nil {
			failed++
			line[2], line[3], line[4], line[5] = "", "", "Failed", bulk.errorCode(result.Err)
		} else {
			p := result.Participant
			if e.sent == "" {
				line[1] = p.Identifier
			}
			line[2], line[3], line[4], line[5] = p.OID, string(p.ParticipateNow()), statusName(p), "Success"
		}
		_ = lines.Write(line) // into memory: cannot fail
	}
	lines.Flush()
	return out.Bytes(), failed
}
