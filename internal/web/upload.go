package web

import (
	"context"
	"errors"
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

// maxUpload is the greatest size of an uploaded file in bytes, as through the API.
const maxUpload = 2 << 30

// maxPart is the greatest size in bytes of what is sent beside the file.
const maxPart = 4 << 10

// uploadView is the form to upload a bulk file.
type uploadView struct {
	*frame
	URL         string
	Sites       []choice
	MayRegister bool
	Register    bool
	Problem     string
}

// showUpload shows the form to upload a file:
//
//	GET /studies/{study}/upload
func (p *Pages) showUpload(v *visit, w http.ResponseWriter) error {
	if ferr := registry.CheckWritable(v.study, nil); ferr != nil {
		return ferr
	}
	return p.page(w, http.StatusOK, "upload", v.uploadView(v.r.URL.Query().Get("site"), false))
}

func (v *visit) uploadView(site string, register bool) *uploadView {
	page := &uploadView{frame: v.frame, URL: studyURL(v.study) + "/upload", MayRegister: v.study.Participate, Register: register}
	for _, c := range v.siteChoices(site) {
		if c.Value != studyLevelCode { // bulk files are for sites
			page.Sites = append(page.Sites, c)
		}
	}
	page.Title, page.Here, page.Path = v.words.say("upload.title"), "upload", page.URL
	return page
}

// upload takes a file in and has a job tell what it would do. Nothing is written to participants.
//
//	POST /studies/{study}/upload
func (p *Pages) upload(v *visit, w http.ResponseWriter) error {
	sent := &sentFile{}
	job, err := p.preview(v, sent)
	if err == nil {
		return seeOther(w, v.r, v.jobURL(job))
	}
	f := fault.As(err)
	if f.Kind != fault.Invalid && f.Kind != fault.Conflict && f.Kind != fault.TooLarge {
		return err
	}
	page := v.uploadView(sent.site, sent.register)
	page.Problem = strings.TrimSpace(v.words.fault(f) + " " + v.words.remedy(f))
	return p.page(w, httpx.StatusOf(f), "upload", page)
}

// sentFile is what a form with a file has sent. The file comes last and is stored as it comes.
type sentFile struct {
	site     string
	register bool
	name     string
	key      string
	place    *registry.Site
	origin   audit.Origin
}

// preview stores the file that the request carries, twice: one copy is for the job that tells
// what it would do, and goes with it; the other waits to be run.
func (p *Pages) preview(v *visit, sent *sentFile) (*jobs.Job, error) {
	if err := p.receive(v, sent); err != nil {
		return nil, err
	}
	ctx := v.r.Context()
	job, err := p.submitFile(ctx, v, sent, true, sent.key)
	if err != nil && fault.KindOf(err) != fault.Unavailable { // else there may be a job all the same, or the file is swept
		p.Jobs.DropUpload(ctx, sent.key)
	}
	return job, err
}

// submitFile makes the job of a stored file, on a copy of its own.
func (p *Pages) submitFile(ctx context.Context, v *visit, sent *sentFile, preview bool, source string) (*jobs.Job, error) {
	file, err := p.Jobs.OpenUpload(ctx, source)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // opened to read: closing cannot lose anything
	ignored, err := p.Files.CheckBulk(file, v.study, sent.register)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	job := &jobs.Job{
		Study: v.study.ID, Site: sent.place.ID, SubmittedBy: v.who.Name, Role: sent.origin.Role, Dialect: dialect,
		RequestID: sent.origin.RequestID, SourceFile: sent.name,
	}
	if job.Kind, job.Params, err = p.Files.BulkJob(v.study, sent.register, preview, ignored, source); err != nil {
		return nil, err
	}
	if job.Upload, job.Size, err = p.Jobs.SaveUpload(ctx, file); err != nil {
		return nil, err
	}
	var events []audit.Event
	if !preview {
		events = append(events, audit.Event{
			Origin: sent.origin, Action: audit.BulkSubmitted, Identifier: sent.place.OID,
			Fields: []audit.FieldChange{{Field: "sourceFile", New: sent.name}},
		})
	}
	err = p.Jobs.Submit(ctx, job, events...)
	if err != nil && fault.KindOf(err) != fault.Unavailable {
		p.Jobs.DropUpload(ctx, job.Upload)
	}
	return job, err
}

// receive reads the request part by part.
func (p *Pages) receive(v *visit, sent *sentFile) error {
	v.r.Body = httpx.Body(v.r, maxUpload+maxForm)
	parts, err := v.r.MultipartReader()
	if err != nil {
		return errForm()
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return &fault.Error{Kind: fault.Invalid, Code: fileMissing, Message: "no file was chosen"}
		}
		if err != nil {
			return partFault(err)
		}
		switch part.FormName() {
		case "site":
			sent.site, err = partText(part)
		case "register":
			var text string
			text, err = partText(part)
			sent.register = text != ""
		case "file":
			return p.store(v, sent, part)
		}
		if err != nil {
			return err
		}
	}
}

// store keeps the file once it is known that it may come.
func (p *Pages) store(v *visit, sent *sentFile, part *multipart.Part) error {
	id, ferr := v.place(sent.site)
	site, ok := v.study.Site(id)
	if ferr != nil || !ok {
		return fault.New(fault.Invalid, siteMissing, "no site was chosen").In(registry.SiteField)
	}
	var err error
	if sent.origin, err = v.must(access.WriteParticipants, id); err != nil {
		return err
	}
	if ferr := registry.CheckWritable(v.study, site); ferr != nil {
		return ferr
	}
	sent.place, sent.name = site, fileName(part.FileName())
	if sent.name == "" {
		return fault.New(fault.Invalid, fileMissing, "no file was chosen")
	}
	if !strings.EqualFold(path.Ext(sent.name), ".csv") {
		return fault.New(fault.Invalid, fileNotCSV, "the file's name does not end in .csv")
	}
	key, size, err := p.Jobs.SaveUpload(v.r.Context(), &partReader{part: part})
	if err != nil {
		return err
	}
	if sent.key = key; size == 0 {
		p.Jobs.DropUpload(v.r.Context(), key)
		return fault.New(fault.Invalid, fileNotCSV, "the file is empty")
	}
	return nil
}

// partReader reads a file up to the greatest size. Its errors are the client's.
type partReader struct {
	part *multipart.Part
	read int64
}

// Read implements io.Reader.
func (r *partReader) Read(b []byte) (int, error) {
	n, err := r.part.Read(b)
	if r.read += int64(n); r.read > maxUpload {
		return n, fault.New(fault.TooLarge, httpx.CodeBodyTooLarge, "the file is larger than 2 GiB")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, partFault(err)
	}
	return n, err
}

func partText(part *multipart.Part) (string, error) {
	text, err := io.ReadAll(io.LimitReader(part, maxPart))
	if err != nil {
		return "", partFault(err)
	}
	return string(text), nil
}

// partFault makes a client's fault of a form that could not be read to its end.
func partFault(err error) error {
	if f := fault.As(err); f.Kind != fault.Internal {
		return f
	}
	return errForm()
}

func errForm() error {
	return &fault.Error{Kind: fault.Invalid, Code: formMalformed, Message: "the form cannot be read"}
}

// maxFileName is how much of an uploaded file's name is kept, in characters.
const maxFileName = 255

// fileName is the name of an uploaded file without its folders and what text cannot hold. Its end
// is kept: it says what the file is.
func fileName(sent string) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(path.Base(strings.ReplaceAll("/"+sent, `\`, "/")), "\uFFFD"))
	if runes := []rune(name); len(runes) > maxFileName {
		name = string(runes[len(runes)-maxFileName:])
	}
	return strings.Trim(name, "/")
}
