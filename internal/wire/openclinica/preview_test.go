package openclinica

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

const previewFile = "ParticipantID,firstName,lastName,emailAddress,Shoe\n" +
	"P-1,Ada,,ada@example.org,42\n" + // as it is
	"P-2,Grace,Hopper,grace@example.org,\n" + // other values
	"NEW-1,Mary,,mary@example.org,\n" +
	"new-1,Maria,,,\n" + // the one before
	"P-3,Kay,,no address,\n" +
	"\n" +
	"NEW-1,Maria,,,\n" + // as it would be by then
	"P-9\n"

// TestPreview: a dry run tells what would become of every record, and does nothing.
func TestPreview(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.bulk(boston, "ParticipantID,firstName,emailAddress\nP-1,Ada,ada@example.org\nP-2,Gracie,grace@example.org\n")
		before, events := w.participants("S_JUNO(PROD)"), w.events()
		job := w.upload(boston, "?register=n&dryRun=y", previewFile)
		w.runJobs()
		want := bulkLogHeader + "1,P-1,SS_P1,,Unchanged,\n2,P-2,SS_P2,,Update,firstName lastName\n3,NEW-1,,,Add,\n" +
			"4,new-1,SS_NEW1,,Update,firstName\n5,P-3,,,Failed,errorCode.invalidEmailAddress\n7,NEW-1,SS_NEW1,,Unchanged,\n8,P-9,,,Failed,errorCode.malformedRecord\n"
		if diff := cmp.Diff(want, w.download("dana", job)); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, w.participants("S_JUNO(PROD)")); diff != "" {
			t.Errorf("participants (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(events, w.events()); diff != "" {
			t.Errorf("events (-before +after):\n%s", diff)
		}
	})
}

// TestPreviewIsRight: what a preview says of a long file, with identifiers that come again in
// other chunks, is what then happens.
func TestPreviewIsRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var file strings.Builder
	file.WriteString("ParticipantID,firstName\n")
	for i := range 2500 {
		fmt.Fprintf(&file, "P-%d,Name %d\n", i%1900, i/1200)
	}
	preview := w.upload(boston, "?dryRun=y", file.String())
	w.runJobs()
	counts := map[string]int{}
	for _, line := range strings.Split(w.download("dana", preview), "\n") {
		if cells := strings.Split(line, ","); len(cells) == 6 {
			counts[cells[4]]++
		}
	}
	if want := map[string]int{"Status": 1, wouldAdd: 1900, wouldUpdate: 600}; !cmp.Equal(want, counts) {
		t.Errorf("%v, want %v", counts, want)
	}
	before := len(w.events())
	w.bulk(boston, file.String())
	added, updated := 0, 0
	for _, line := range w.events()[before:] {
		switch {
		case strings.Contains(line, "participant added"):
			added++
		case strings.Contains(line, "participant updated"):
			updated++
		}
	}
	if len(w.participants("S_JUNO(PROD)")) != 1900 || added > 1900 || updated > 600 {
		t.Errorf("%d added, %d updated", added, updated)
	}
}

// TestPreviewResumes: a preview that was cut off knows what came before.
func TestPreviewResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := "ParticipantID,firstName\nA,Ada\nB,Grace\nA,Mary\nB,Grace\nC,Kay\n"
	study := w.study("S_JUNO(PROD)")
	kind, params, err := Files{}.BulkJob(study, false, true, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	job := &jobs.Job{Kind: kind, Params: params, Study: study.ID, Site: study.Sites[0].ID, SubmittedBy: "dana", Dialect: dialect}
	task, err := BulkPreview{w.registry}.Start(t.Context(), job, strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	chunk, err := task.Next(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	job.Cursor = chunk.Cursor // of what has committed when the process ends
	if task, err = (BulkPreview{w.registry}).Start(t.Context(), job, strings.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if chunk, err = task.Next(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	results, err := w.registry.ApplyBatch(t.Context(), job.Study, &registry.Batch{Group: registry.Group{Changes: chunk.Changes}, Rehearsal: chunk.Rehearsal})
	if err != nil {
		t.Fatal(err)
	}
	text, failed := chunk.Output(results)
	if want := "3,A,SS_A,,Update,firstName\n4,B,SS_B,,Unchanged,\n5,C,,,Add,\n"; string(text) != want || failed != 0 {
		t.Errorf("%d failed:\n%s", failed, text)
	}
}
