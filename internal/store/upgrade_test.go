package store_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"rollcall/internal/files"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/segment"
	"rollcall/internal/store"
	"rollcall/internal/wire/openclinica"
)

// unpacked is a data directory as testdata has it packed.
func unpacked(t *testing.T, name string) string {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for archive := tar.NewReader(plain); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(entry.Name))
		if entry.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		content, err := io.ReadAll(archive)
		if err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// jobsEnded counts the jobs that end.
type jobsEnded chan string

func (jobsEnded) RowsDone(string, int64, int64) {}

func (e jobsEnded) JobEnded(_ string, state jobs.State) { e <- string(state) }

// upgraded is a server on a data directory that an older version wrote.
type upgraded struct {
	*testing.T
	db       store.Store
	registry *registry.Service
	jobs     *jobs.Service
	study    *registry.Study
	ended    jobsEnded
}

func upgrade(t *testing.T, dir string) *upgraded {
	t.Helper()
	u := &upgraded{T: t, db: openStore(t, store.Config{DataDir: dir}), ended: make(jobsEnded, 10)}
	key, err := u.db.ServerKey(t.Context(), "access codes", registry.CodeKeySize)
	if err != nil {
		t.Fatal(err)
	}
	codes, err := registry.NewCodeBook(key)
	if err != nil {
		t.Fatal(err)
	}
	u.registry = registry.NewService(u.db, codes, time.Now, registry.WithRules(segment.NewBook()), registry.WithScrubber(openclinica.Scrub))
	place, err := files.Open(t.Context(), files.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = place.Close() })
	u.jobs = jobs.NewService(jobs.Config{
		Store: u.db, Registry: u.registry, Files: place, Scrub: openclinica.Scrub, Node: "node", Workers: 1, Observer: u.ended,
		Kinds:  map[string]jobs.Kind{openclinica.BulkAddKind: openclinica.BulkAdd{}, openclinica.ExtractKind: openclinica.Extractor{Registry: u.registry}},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	catalog, err := u.registry.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if u.study, err = catalog.Study("S_JUNO(TEST)"); err != nil {
		t.Fatal(err)
	}
	return u
}

// job is the study's oldest job of that kind, source file and state.
func (u *upgraded) job(kind, source string, state jobs.State) *jobs.Job {
	u.Helper()
	all, err := u.jobs.Jobs(u.Context(), jobs.JobFilter{Study: u.study.ID})
	if err != nil {
		u.Fatal(err)
	}
	for _, job := range all {
		if job.Kind == kind && job.SourceFile == source && job.State == state {
			return job
		}
	}
	u.Fatalf("no %s job %s %q among %d", state, kind, source, len(all))
	return nil
}

func (u *upgraded) output(job *jobs.Job) string {
	u.Helper()
	var b strings.Builder
	if err := u.jobs.WriteOutput(u.Context(), job, &b); err != nil {
		u.Fatal(err)
	}
	return b.String()
}

// people answers the study's participants by identifier.
func (u *upgraded) people() map[string]*registry.Participant {
	u.Helper()
	all, err := u.registry.Participants(u.Context(), u.study.ID, nil, 0, 10_000)
	if err != nil {
		u.Fatal(err)
	}
	people := map[string]*registry.Participant{}
	for _, p := range all {
		people[p.Identifier] = p
	}
	return people
}

// check finds nothing wrong with the database.
func (u *upgraded) check(when string) {
	u.Helper()
	if problems, err := u.db.Check(u.Context()); err != nil || len(problems) > 0 {
		u.Errorf("check %s: %q, %v", when, problems, err)
	}
}

// run runs jobs until so many have ended.
func (u *upgraded) run(jobs int) {
	u.Helper()
	ctx, stop := context.WithTimeout(u.Context(), time.Minute)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- u.jobs.Run(ctx) }() // ends with ctx, and is waited for below
	for range jobs {
		select {
		case state := <-u.ended:
			if state != "completed" {
				u.Errorf("a job has %s", state)
			}
		case <-ctx.Done():
			u.Fatal("the jobs do not end")
		}
	}
	stop()
	if err := <-ran; err != nil {
		u.Fatal(err)
	}
}

// TestOldDataDirectory: a data directory that version 4 of the schema wrote, and whose server
// was killed in the middle of a job, is opened, is whole, and its jobs go on. It is the demo's;
// in it JUNO-001 and JUNO-004 were added, JUNO-002, -003 and -005 came with people.csv, JUNO-003
// was erased, and bulk.csv, BULK-0001 to -1150, and people.csv once more were left unfinished.
func TestOldDataDirectory(t *testing.T) {
	t.Parallel()
	u := upgrade(t, unpacked(t, "schema4.tar.gz"))
	u.check("at first")
	people := u.people()
	if p := people["JUNO-001"]; p == nil || p.Details[registry.LastName] != "Lovelace" || p.Details[registry.Email] != "ada@example.org" {
		t.Errorf("JUNO-001 is %+v", p)
	} else if code, err := u.registry.AccessCode(p.AccessCode); err != nil || code == "" {
		t.Errorf("her access code: %q, %v", code, err)
	}
	if people["JUNO-003"] != nil || people["JUNO-004"] == nil || len(people) != 1039 {
		t.Errorf("%d participants, JUNO-003: %v, JUNO-004: %v", len(people), people["JUNO-003"], people["JUNO-004"])
	}
	directory, err := u.db.Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if user, ok := directory.User("dana"); !ok || len(user.Grants) != 2 {
		t.Errorf("dana: %+v", user)
	}
	const wantLog = "1,JUNO-002,SS_JUNO002,Created,AVAILABLE,Success\n2,,,,AVAILABLE,Success\n" +
		"3,,,,Failed,errorCode.missingParticipantIdData\n4,JUNO-005,SS_JUNO005,Created,AVAILABLE,Success\n"
	log, extract := u.job(openclinica.BulkAddKind, "people.csv", jobs.Completed), u.job(openclinica.ExtractKind, "", jobs.Completed)
	for when := range slices.Values([]string{"at first", "later"}) {
		if got := u.output(log); got != wantLog {
			t.Errorf("the log of people.csv %s:\n%s", when, got)
		}
		if got := u.output(extract); !strings.Contains(got, "\nJUNO-005,Émilie,du Châtelet,") || strings.Contains(got, "Johnson") {
			t.Errorf("the extract %s:\n%s", when, got)
		}
		if when == "at first" {
			u.goesOn()
		}
	}
	u.erase("JUNO-005")
	for _, job := range []*jobs.Job{log, extract} {
		if got := u.output(job); strings.Contains(got, "JUNO005") || strings.Contains(got, "Émilie") || !strings.Contains(got, "JUNO-002") {
			t.Errorf("an old output after an erasure:\n%s", got)
		}
	}
	u.check("later")
}

func (u *upgraded) erase(identifier string) {
	u.Helper()
	results, err := u.registry.Apply(u.Context(), u.study.ID, registry.Change{
		Action: registry.Delete, Profile: registry.MyDataHelps(), Identifier: identifier,
	})
	if err == nil && results[0].Err != nil {
		err = results[0].Err
	}
	if err != nil {
		u.Fatalf("erase %s: %v", identifier, err)
	}
}

// goesOn has the unfinished jobs done, and looks at what they did.
func (u *upgraded) goesOn() {
	u.Helper()
	unfinished := []*jobs.Job{
		u.job(openclinica.BulkAddKind, "bulk.csv", jobs.InProgress), u.job(openclinica.BulkAddKind, "people.csv", jobs.Queued),
	}
	if rows := unfinished[0].Rows; rows != 1035 {
		u.Errorf("bulk.csv was left at row %d", rows)
	}
	for _, job := range unfinished {
		if folder, name, _ := strings.Cut(job.Upload, "/"); folder != jobs.UploadFolder || uuid.Validate(name) != nil {
			u.Errorf("the upload of %s is %q", job.SourceFile, job.Upload)
		}
	}
	u.run(len(unfinished))
	var want []string
	for i := 1; i <= 1150; i++ {
		want = append(want, fmt.Sprintf("%d,BULK-%04d,SS_BULK%04d,,AVAILABLE,Success", i, i, i))
	}
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", u.output(u.job(openclinica.BulkAddKind, "bulk.csv", jobs.Completed))); diff != "" {
		u.Errorf("the log of bulk.csv (-want +got):\n%s", diff)
	}
	if people := u.people(); len(people) != 1039+1150-1035+1 || people["BULK-1150"] == nil || people["JUNO-003"] == nil {
		u.Errorf("%d participants", len(people))
	}
}
