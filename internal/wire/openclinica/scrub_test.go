package openclinica

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/registry"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	erased := []*registry.Participant{
		{Identifier: "Ada-1", OID: "SS_ADA1"}, {Identifier: `B, "b"`, OID: "SS_BB"}, {Identifier: "RENAMED", OID: "SS_OLD"},
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
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, string(Scrub(tt.kind, []byte(tt.part), erased))); diff != "" {
				t.Errorf("part (-want +got):\n%s", diff)
			}
		})
	}
}

// Who is erased through another dialect leaves the files of earlier jobs too.
func TestErasedParticipantLeavesTheFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
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
}

// What MyDataHelps allows and this dialect does not is shown in full, and cannot be written by
// an identifier that is too long for it.
func TestValuesOfTheOtherDialectAreShownInFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
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
}
