package openclinica

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/registry"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	erased := []registry.ErasedName{
		{Identifier: "Ada-1", OID: "SS_ADA1"}, {Identifier: `B, "b"`, OID: "SS_BB"}, {Identifier: "RENAMED", OID: "SS_OLD"},
		{Identifier: "", OID: ""}, // says nothing of anybody
	}
	tests := []struct{ name, kind, part, want string }{
		{"others stay", BulkAddKind, "1,P-1,SS_P1,,AVAILABLE,Success\n", "1,P-1,SS_P1,,AVAILABLE,Success\n"},
		{
			"a log keeps the row", BulkAddKind,
			"1,ada-1,SS_ADA1,Created,AVAILABLE,Success\n2,P-1,SS_P1,,AVAILABLE,Success\n3,ADA-1,,,Failed,errorCode.invalidEmailAddress\n",
			"1,,,,AVAILABLE,Success\n2,P-1,SS_P1,,AVAILABLE,Success\n3,,,,Failed,errorCode.invalidEmailAddress\n",
		},
		{"quoted", BulkAddKind, "1,\"b, \"\"B\"\"\",SS_BB,,AVAILABLE,Success\n", "1,,,,AVAILABLE,Success\n"},
		{"renamed since", BulkAddKind, "1,old,SS_OLD,,AVAILABLE,Success\n2,P-1,SS_P1,,AVAILABLE,Success\n", "1,,,,AVAILABLE,Success\n2,P-1,SS_P1,,AVAILABLE,Success\n"},
		{
			"an extract loses the line", ExtractKind,
			"P-1,A,B,a@example.com,,\nADA-1,Ada,Byron,ada@example.com,,\nP-2,\"x, y\",,,,\n", "P-1,A,B,a@example.com,,\nP-2,\"x, y\",,,,\n",
		},
		{"part of another identifier", ExtractKind, "Ada-10,A,B,,,\n", "Ada-10,A,B,,,\n"},
		{"another kind", "SOMETHING", "Ada-1\n", "Ada-1\n"},
		{"not ours", BulkAddKind, "1,\"Ada-1\n", ""},
		{"not ours from a line on", ExtractKind, "P-1,A,B,,,\nP-2,\"Ada-1\n", "P-1,A,B,,,\n"},
		{"others stay as they were written", ExtractKind, "\"P-1\",A\r,\"l\r\nine\",,,\n\nAda-1,,,,,\nP-2,,,,,", "\"P-1\",A\r,\"l\r\nine\",,,\nP-2,,,,,"},
		{"nobody's lines", BulkAddKind, "1,,,,Failed,errorCode.x\n", "1,,,,Failed,errorCode.x\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			found, err := Scrub(tt.kind, &got, iotest.OneByteReader(strings.NewReader(tt.part)), erased)
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Errorf("part (-want +got):\n%s", diff)
			}
			if want := len(tt.want) < len(tt.part); err != nil || found != want || !found && tt.want != tt.part {
				t.Errorf("found %v, %v; want %v, and what is shorter then", found, err, want)
			}
		})
	}
}

// What cannot be read or written is an error, and not the end of the text.
func TestScrubInVain(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is cut")
	line := "P-1,A,B,,,\n"
	for _, kind := range []string{ExtractKind, "SOMETHING"} {
		cut := io.MultiReader(strings.NewReader(line+"P-2,"), iotest.ErrReader(broken))
		if _, err := Scrub(kind, io.Discard, cut, nil); !errors.Is(err, broken) {
			t.Errorf("%s: reading fails: %v", kind, err)
		}
		if _, err := Scrub(kind, full{broken}, strings.NewReader(line), nil); !errors.Is(err, broken) {
			t.Errorf("%s: writing fails: %v", kind, err)
		}
	}
}

// full is a writer that takes nothing.
type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

// Who is erased through another dialect leaves the files of earlier jobs too.
func TestErasedParticipantLeavesTheFiles(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		bulk := w.upload(boston, "?register=y", "ParticipantID,firstName,emailAddress\nP-1,Ada,ada@example.com\nP-2,Bo,bo@example.com\n")
		w.runJobs()
		extract := strings.TrimPrefix(w.send("carla", "POST", boston+"/participants/extractParticipantsInfo", "", "").Body.String(), "job uuid: ")
		w.runJobs()
		w.change("S_JUNO(PROD)", registry.Change{Action: registry.Delete, Profile: registry.MyDataHelps(), Identifier: "P-1"})
		wantLog(t, w.download("dana", bulk), "1,,,,AVAILABLE,Success", "2,P-2,SS_P2,Created,AVAILABLE,Success")
		if diff := cmp.Diff(extractHeader+"P-2,Bo,,bo@example.com,,\n", w.download("carla", extract)); diff != "" {
			t.Errorf("extract (-want +got):\n%s", diff)
		}
		if got := errorAnswer(w.send("carla", "GET", boston+"/participant?participantID=P-1", "", "")); got != "400 participantNotFound" {
			t.Errorf("read after erasure: %s", got)
		}
	})
}

// What MyDataHelps allows and this dialect does not is shown in full, and cannot be written by
// an identifier that is too long for it.
func TestValuesOfTheOtherDialectAreShownInFull(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		long, name := strings.Repeat("i", 36), strings.Repeat("n", 200)
		c := registry.Change{Profile: registry.MyDataHelps(), Identifier: long, Place: registry.At(w.study("S_JUNO(PROD)").Sites[0].ID)}
		c.Edits.Set(registry.FirstName, name)
		c.Edits.Set(registry.MobilePhone, "(555) 777-8888")
		w.change("S_JUNO(PROD)", c)
		if got := errorAnswer(w.send("dana", "POST", boston+"/participants", jsonType, `{"subjectKey":"`+long+`"}`)); got != "400 participantIDLongerThan30Characters" {
			t.Errorf("write: %s", got)
		}
		want := extractHeader + long + "," + name + ",,,+1 5557778888,\n"
		if diff := cmp.Diff(want, w.extract("carla", boston, "")); diff != "" {
			t.Errorf("extract (-want +got):\n%s", diff)
		}
	})
}
