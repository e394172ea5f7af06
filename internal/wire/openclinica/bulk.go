package openclinica

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"unicode"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

const (
	// maxUpload is the greatest size of an uploaded file in bytes: the original's 2 GiB.
	maxUpload = 2 << 30

	// maxEnvelope is what a multipart body may hold beside the file.
	maxEnvelope = 1 << 20
)

// bulkParams is what a bulk job remembers of its request.
type bulkParams struct {
	Register bool                  `json:"register"`
	Contract registry.BulkContract `json:"contract"`
	Ignored  []string              `json:"ignored,omitempty"` // columns that nobody reads
	Source   string                `json:"source,omitempty"`  // key of a copy of the file that outlives the job for a while
}

// postBulk takes in a CSV file of participants and answers the uuid of the job that adds them:
//
//	POST /clinicaldata/studies/{study}/sites/{site}/participants/bulk?register=y|n&dryRun=y|n
//
// Spec 16.4. The file is durable before the uuid is answered. With dryRun the job tells what the
// file would do, record by record, and does nothing. The same request sent again under an
// Idempotency-Key is answered with the first one's job.
func (a *API) postBulk(w http.ResponseWriter, r *http.Request) error {
	v, err := a.open(r, access.WriteParticipants, true)
	if err != nil {
		return err
	}
	params := bulkParams{Register: yes(r.URL.Query().Get("register")), Contract: v.study.BulkContract}
	if err := checkBulk(v.study, params); err != nil {
		return err
	}
	kind := BulkAddKind
	if yes(r.URL.Query().Get("dryRun")) {
		kind = BulkPreviewKind
	}
	repeat, err := repeatKey(r)
	if err != nil {
		return err
	}
	if first, err := a.repeated(r, v, repeat, kind, params.Register); first != nil || err != nil {
		return a.answerJob(w, r, v, first, params.Register, err) // the file need not be sent again
	}
	name, key, size, err := a.receive(r)
	if err != nil {
		return err
	}
	job := &jobs.Job{
		Kind: kind, Study: v.study.ID, Site: v.siteID(), SubmittedBy: v.caller.Name, Role: string(v.role),
		Dialect: dialect, RequestID: httpx.RequestID(r.Context()), SourceFile: name, Upload: key, Size: size, RepeatKey: repeat,
	}
	err = a.submitBulk(r, v, job, params)
	if err != nil && fault.KindOf(err) != fault.Unavailable { // else there may be a job all the same, or the file is swept
		a.jobs.DropUpload(r.Context(), key)
	}
	return a.answerJob(w, r, v, job, params.Register, err)
}

// checkBulk holds what stands between the role and the file: Participate, and the legacy
// page's refusal of studies that generate their identifiers (spec, bulk legacy; decisions 8).
func checkBulk(study *registry.Study, params bulkParams) error {
	legacy := params.Contract == registry.BulkLegacy
	if params.Register {
		if ferr := registry.CheckParticipate(study); ferr != nil {
			if legacy {
				ferr.Code = legacyNoParticipate
			}
			return ferr
		}
	}
	if legacy && study.IDMethod == registry.GeneratedIDs {
		return fault.New(fault.Conflict, generatedNotInBulk, "the study generates its participant identifiers")
	}
	return nil
}

// submitBulk checks the stored file's header and makes the job.
func (a *API) submitBulk(r *http.Request, v *visit, job *jobs.Job, params bulkParams) error {
	upload, err := a.jobs.OpenUpload(r.Context(), job.Upload)
	if err != nil {
		return err
	}
	columns, _, err := readHeader(upload)
	if closeErr := upload.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close upload: %w", closeErr)
	}
	if err != nil {
		return err
	}
	params.Ignored = columns.ignored
	if job.Params, err = json.Marshal(params); err != nil {
		return fmt.Errorf("encode job parameters: %w", err)
	}
	if job.Kind == BulkPreviewKind {
		return a.jobs.Submit(r.Context(), job) // nothing will be done that had to be remembered
	}
	return a.jobs.Submit(r.Context(), job, audit.Event{
		Origin: v.origin(r), Action: audit.BulkSubmitted, Identifier: v.site.OID,
		Fields: []audit.FieldChange{{Field: "sourceFile", New: job.SourceFile}},
	})
}

// receive stores the multipart body's part named "file". Whatever is wrong with the body's
// form is, on this page, a file that is not supported.
func (a *API) receive(r *http.Request) (name, key string, size int64, err error) {
	r.Body = httpx.Body(r, maxUpload+maxEnvelope)
	parts, err := r.MultipartReader()
	if err != nil {
		return "", "", 0, notSupported("the request is not a multipart form")
	}
	part, err := filePart(parts)
	if err != nil {
		return "", "", 0, err
	}
	name = sourceName(part.FileName())
	if !strings.EqualFold(path.Ext(name), ".csv") {
		return "", "", 0, notSupported("the file's name does not end in .csv")
	}
	key, size, err = a.jobs.SaveUpload(r.Context(), &uploadReader{part: part})
	if err != nil {
		return "", "", 0, err
	}
	if size == 0 {
		a.jobs.DropUpload(r.Context(), key)
		return "", "", 0, notSupported("the file is empty")
	}
	return name, key, size, nil
}

// maxSourceName is how much of an uploaded file's name is kept, in characters.
const maxSourceName = 255

// sourceName is the name of an uploaded file as the job keeps it: without its folders, and
// without what text in a database cannot hold. Its end is kept: it says what the file is.
func sourceName(sent string) string {
	name := path.Base(strings.ReplaceAll(sent, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	if runes := []rune(name); len(runes) > maxSourceName {
		name = string(runes[len(runes)-maxSourceName:])
	}
	return name
}

// filePart finds the part named "file".
func filePart(parts *multipart.Reader) (*multipart.Part, error) {
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, notSupported("the form has no file")
		}
		if err != nil {
			return nil, bodyFault(err)
		}
		if part.FormName() == "file" && part.FileName() != "" {
			return part, nil
		}
	}
}

// uploadReader reads an uploaded file up to the greatest size. Its errors are the client's.
type uploadReader struct {
	part *multipart.Part
	read int64
}

// Read implements io.Reader.
func (u *uploadReader) Read(p []byte) (int, error) {
	n, err := u.part.Read(p)
	if u.read += int64(n); u.read > maxUpload {
		return n, fault.New(fault.TooLarge, "", "the file is larger than 2 GiB")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, bodyFault(err)
	}
	return n, err
}

func notSupported(why string) error {
	return fault.New(fault.Invalid, fileNotSupported, "%s", why).WithHint("send a CSV file as the part named file")
}
