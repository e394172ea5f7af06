package openclinica

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store/enginetest"
	"rollcall/internal/store/trail"
)

// found lists those of the texts that some file of the server holds, in whatever case.
func (w *world) found(texts ...string) []string {
	w.t.Helper()
	var everything []byte
	for _, dir := range []string{w.data, w.uploads, filepath.Join(w.data, jobs.OutputFolder)} {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil {
				w.t.Fatal(err)
			}
			everything = append(everything, bytes.ToLower(content)...)
		}
	}
	var held []string
	for _, text := range texts {
		if bytes.Contains(everything, bytes.ToLower([]byte(text))) {
			held = append(held, text)
		}
	}
	return held
}

// Whoever is erased through MyDataHelps is in no file any more, under whatever identifier;
// that there was somebody, and who did what when, is still told.
func TestErasureLeavesNoPersonalValue(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		const study = "S_JUNO(PROD)"
		personal := []string{
			"jUno-Zeph", "SS_JUNOZEPH", "Renamed-Zeph", "Zephyrine", "Quillfeather", "zq@quill.example", "5550199777", "MRN-424242",
		}
		added := w.upload(boston, "?register=y", "ParticipantID,firstName,lastName,emailAddress,phoneNumber,identifier\n"+
			" jUno-Zeph ,Zephyrine,Quillfeather,zq@quill.example,+1 5550199777,MRN-424242\n"+
			"STAYS,Bo,Diddley,bo@stays.example,,\n"+
			"JUNO-ZEPH,,,no address,,\n")
		w.runJobs()
		first := w.extractJob("?register=y")
		c := registry.Change{Profile: registry.MyDataHelps(), Identifier: "Renamed-Zeph", Place: registry.Place{}}
		c.ID = w.find(study, "juno-zeph").ID
		w.change(study, c)
		second := w.extractJob("")
		if diff := cmp.Diff(personal, w.found(personal...)); diff != "" {
			t.Fatalf("before the erasure (-want +held):\n%s", diff)
		}

		w.advance(time.Hour)
		w.change(study, registry.Change{Action: registry.Delete, Profile: registry.MyDataHelps(), ID: c.ID})
		if got := w.download("carla", first); strings.Contains(got, "Zephyrine") || !strings.Contains(got, "\nSTAYS,") {
			t.Errorf("extract, before the files are rewritten:\n%s", got)
		}
		w.runErasures()

		if held := w.found(personal...); held != nil {
			t.Errorf("files still hold %q", held)
		}
		if held := w.found("bo@stays.example"); held == nil {
			t.Error("files hold nothing of the other")
		}
		wantLog(t, w.download("dana", added),
			"1,,,,AVAILABLE,Success", "2,STAYS,SS_STAYS,Created,AVAILABLE,Success", "3,,,,Failed,errorCode.invalidEmailAddress")
		for _, job := range []string{first, second} {
			if text := w.download("carla", job); bytes.Count([]byte(text), []byte("\n")) != 2 || !bytes.Contains([]byte(text), []byte("\nSTAYS,")) {
				t.Errorf("extract:\n%s", text)
			}
		}
		w.wantErasedTrail(study, c.ID,
			"09:05 dana participant added", "09:05 dana participate registered", "09:05 carla access code read",
			"09:05 staff participant updated", "10:05 staff participant deleted")
		page, err := w.registry.Query(t.Context(), w.study(study).ID, &registry.Query{Text: "quillfeather", TextInCustom: true, Limit: 1})
		if err != nil || page.Total != 0 {
			t.Errorf("search finds %d, %v", page.Total, err)
		}
		again := registry.Change{Profile: registry.MyDataHelps(), Identifier: "jUno-Zeph"}
		again.Edits.Set(registry.Email, "zq@quill.example")
		w.change(study, again) // identifier and contacts are free
	})
}

// extractJob has Boston's participants extracted, and answers the job's uuid.
func (w *world) extractJob(query string) string {
	w.t.Helper()
	answer := w.send("carla", "POST", boston+"/participants/extractParticipantsInfo"+query, "", "")
	w.runJobs()
	return answer.Body.String()[len("job uuid: "):]
}

func (w *world) find(study, identifier string) *registry.Participant {
	w.t.Helper()
	p, err := w.registry.Find(w.t.Context(), w.study(study).ID, identifier)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// wantErasedTrail fails unless these are the events about a participant, and none of them says
// more of it.
func (w *world) wantErasedTrail(study string, id registry.ID, want ...string) {
	w.t.Helper()
	number := w.study(study).ID
	records, err := w.db.AuditEvents(w.t.Context(), trail.Filter{Study: &number, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		if r.Participant != id {
			continue
		}
		got = append(got, fmt.Sprintf("%s %s %s", r.At.Format("15:04"), r.Origin.Actor, r.Action))
		if !r.Erased || r.Identifier != "" {
			w.t.Errorf("event %+v", r)
		}
		for _, f := range r.Fields {
			if f.Old != "" || f.New != "" {
				w.t.Errorf("event %s still says %+v", r.Action, f)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Who is erased while an extract is under way is not in it, even if it was read before.
func TestErasureDuringExtract(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		var between func()
		w := newWorldOn(t, engine, func(c *jobs.Config) {
			c.Kinds[ExtractKind] = slowExtractor{c.Kinds[ExtractKind], func() { between() }}
		})
		w.bulk(boston, "ParticipantID,firstName\nGONE,Zephyrine\nSTAYS,Bo\n")
		between = func() {
			w.change("S_JUNO(PROD)", registry.Change{Action: registry.Delete, Profile: registry.MyDataHelps(), Identifier: "GONE"})
			between = func() {}
		}
		job := w.extractJob("?register=y")
		if diff := cmp.Diff(extractRegisterHeader+"STAYS,Bo,,,,,,\n", w.download("carla", job)); diff != "" {
			t.Errorf("extract (-want +got):\n%s", diff)
		}
		w.runErasures()
		if held := w.found("GONE", "Zephyrine"); held != nil {
			t.Errorf("files still hold %q", held)
		}
	})
}

// slowExtractor is an extractor to which something happens after it has read a page.
type slowExtractor struct {
	jobs.Kind
	between func()
}

func (k slowExtractor) Start(ctx context.Context, job *jobs.Job, upload io.ReadSeeker) (jobs.Task, error) {
	inner, err := k.Kind.Start(ctx, job, upload)
	return slowTask{inner, k.between}, err
}

type slowTask struct {
	jobs.Task
	between func()
}

func (t slowTask) Next(ctx context.Context, limit int) (*jobs.Chunk, error) {
	chunk, err := t.Task.Next(ctx, limit)
	t.between()
	return chunk, err
}

// A batch and the erasure of one of its people may share a transaction: the log that the batch
// adds is scrubbed too. (This is one place where both are told in one commit: a batch that
// deletes whom it has just logged.)
func TestErasureInTheBatchThatLogs(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		w := newWorldOn(t, engine, func(c *jobs.Config) { c.Kinds[BulkAddKind] = erasingBulk{c.Kinds[BulkAddKind]} })
		log := w.bulk(boston, "ParticipantID,firstName\nGONE,Zephyrine\nSTAYS,Bo\n")
		wantLog(t, log, "1,,,,AVAILABLE,Success", "2,STAYS,SS_STAYS,,AVAILABLE,Success")
		w.runErasures()
		if held := w.found("GONE", "Zephyrine"); held != nil {
			t.Errorf("files still hold %q", held)
		}
	})
}

// erasingBulk is a bulk whose batches end with an erasure, as if somebody's DELETE had joined.
type erasingBulk struct{ jobs.Kind }

func (k erasingBulk) Start(ctx context.Context, job *jobs.Job, upload io.ReadSeeker) (jobs.Task, error) {
	inner, err := k.Kind.Start(ctx, job, upload)
	return erasingTask{inner}, err
}

type erasingTask struct{ jobs.Task }

func (t erasingTask) Next(ctx context.Context, limit int) (*jobs.Chunk, error) {
	chunk, err := t.Task.Next(ctx, limit)
	if err != nil {
		return nil, err
	}
	chunk.Changes = append(chunk.Changes, registry.Change{Action: registry.Delete, Profile: registry.MyDataHelps(), Identifier: "GONE"})
	return chunk, nil
}
