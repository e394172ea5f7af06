package openclinica

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/audit"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// BulkPreviewKind is the kind of job that tells what a bulk file would do, and does nothing.
const BulkPreviewKind = "BULK_ADD_PREVIEW"

// What a preview's log says of a record in the place of its status. The message of one that would
// update is the columns whose cells differ from what is stored.
const (
	wouldAdd    = "Add"
	wouldUpdate = "Update"
	wouldLeave  = "Unchanged"
	wouldFail   = "Failed"
)

// BulkPreview rehearses a bulk file, all of it: each record is decided as it would be, after
// those before it, and nothing is written. Its log has the form of a bulk job's.
type BulkPreview struct{ Registry *registry.Service }

// Writes implements [jobs.Kind].Writes.
func (BulkPreview) Writes() bool { return false }

// Start implements [jobs.Kind].Start. A preview that is resumed is rehearsed again up to where it
// was, since what came before may matter for what follows.
func (k BulkPreview) Start(ctx context.Context, job *jobs.Job, upload io.ReadSeeker) (jobs.Task, error) {
	again, err := repeatedIdentifiers(upload)
	if err != nil {
		return nil, err
	}
	rehearsal := &registry.Rehearsal{Keeps: func(key string) bool { return again[hashed(key)] }}
	begin := func(cursor []byte) (*bulkTask, error) {
		if _, err := upload.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("go to the beginning: %w", err)
		}
		from := *job
		from.Cursor = cursor
		task, err := BulkAdd{}.Start(ctx, &from, upload)
		if err != nil {
			return nil, err
		}
		return task.(*bulkTask), nil
	}
	if job.Cursor != nil {
		var until position
		if err := json.Unmarshal(job.Cursor, &until); err != nil {
			return nil, fmt.Errorf("read cursor: %w", err)
		}
		earlier, err := begin(nil)
		if err != nil {
			return nil, err
		}
		if err := k.repeat(ctx, job.Study, earlier, rehearsal, until); err != nil {
			return nil, err
		}
	}
	task, err := begin(job.Cursor)
	if err != nil {
		return nil, err
	}
	return &previewTask{task, rehearsal}, nil
}

// repeat rehearses the records before a position once more.
func (k BulkPreview) repeat(ctx context.Context, study registry.StudyID, t *bulkTask, r *registry.Rehearsal, until position) error {
	const most = 1000
	for t.reader.Position().Offset < until.Offset {
		var changes []registry.Change
		for len(changes) < most && t.reader.Position().Offset < until.Offset {
			rec, err := t.reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("read upload: %w", err)
			}
			change := t.change
			if !rec.Blank && rec.Err == nil && t.columns.change(rec.Cells, &change) == nil {
				changes = append(changes, change)
			}
		}
		if _, err := k.Registry.ApplyBatch(ctx, study, &registry.Batch{Group: registry.Group{Changes: changes}, Rehearsal: r}); err != nil {
			return err
		}
	}
	return nil
}

// previewTask is one preview under way.
type previewTask struct {
	*bulkTask
	rehearsal *registry.Rehearsal
}

// Next implements [jobs.Task].Next.
func (t *previewTask) Next(_ context.Context, limit int) (*jobs.Chunk, error) {
	chunk, entries, err := t.next(limit)
	if err != nil {
		return nil, err
	}
	chunk.Rehearsal = t.rehearsal
	chunk.Output = func(results []registry.Result) ([]byte, int64) { return t.log(entries, results) }
	return chunk, nil
}

// log writes the lines of a chunk.
func (t *previewTask) log(entries []logEntry, results []registry.Result) (text []byte, failed int64) {
	var out bytes.Buffer
	lines := csv.NewWriter(&out)
	changed := t.rehearsal.Changed
	for _, e := range entries {
		result, fields := registry.Result{Err: e.err}, []audit.FieldChange(nil)
		if e.err == nil {
			if result, results = results[0], results[1:]; len(changed) > 0 {
				fields, changed = changed[0], changed[1:]
			}
		}
		line := []string{strconv.Itoa(e.row), e.sent, "", "", wouldFail, ""}
		switch {
		case result.Err != nil:
			failed++
			line[5] = bulk.errorCode(result.Err)
		case result.Done == registry.Added:
			line[4] = wouldAdd
		case result.Done == registry.Updated:
			line[2], line[3], line[4] = result.Participant.OID, string(result.Participant.ParticipateNow()), wouldUpdate
			line[5] = strings.Join(t.columns.named(fields), " ")
		default:
			line[2], line[3], line[4] = result.Participant.OID, string(result.Participant.ParticipateNow()), wouldLeave
		}
		_ = lines.Write(line) // into memory: cannot fail
	}
	lines.Flush()
	return out.Bytes(), failed
}

// columnOf names the column of a field; what has no column keeps its own name.
var columnOf = map[string]string{
	registry.FirstName.String(): "firstName", registry.MiddleName.String(): "middleName", registry.LastName.String(): "lastName",
	registry.Email.String(): "emailAddress", registry.MobilePhone.String(): "phoneNumber", registry.SecondaryID.String(): "identifier",
	registry.IdentifierField: "ParticipantID",
}

// named lists the changed fields by their columns.
func (c *columns) named(fields []audit.FieldChange) []string {
	var names []string
	for _, f := range fields {
		name := f.Field
		if column, ok := columnOf[name]; ok {
			name = column
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// repeatedIdentifiers reads a file for the identifiers that it has more than once, by their
// hashes: eight bytes for each record, whatever the file holds.
func repeatedIdentifiers(upload io.ReadSeeker) (map[uint64]bool, error) {
	cols, at, err := readHeader(upload)
	if err != nil {
		return nil, fmt.Errorf("read header again: %w", err)
	}
	if _, err := upload.Seek(at.Offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("go to the first record: %w", err)
	}
	reader := newRecordReader(upload, at)
	var all []uint64
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read upload: %w", err)
		}
		if sent := cols.sent(rec.Cells); !rec.Blank && rec.Err == nil && sent != "" {
			all = append(all, hashed(registry.Fold(sent)))
		}
	}
	slices.Sort(all)
	again := map[uint64]bool{}
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			again[all[i]] = true
		}
	}
	return again, nil
}

// hashed is the 64-bit FNV-1a hash of a text. Two texts of one hash are only remembered longer
// than they need be.
func hashed(text string) uint64 {
	const basis, prime = 14695981039346656037, 1099511628211
	h := uint64(basis)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * prime
	}
	return h
}
