package openclinica

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store/enginetest"
)

// wantLog compares a job's log with the lines that are to follow its header.
func wantLog(t *testing.T, got string, want ...string) {
	t.Helper()
	whole := bulkLogHeader + strings.Join(append(want, ""), "\n")
	if diff := cmp.Diff(whole, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// The original stops reading, without a word, at a row with fewer cells than the header and at
// a blank line (reference, OpenClinica 2, CSV rules).
func TestShortOrBlankRowDoesNotEndTheImport(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		log := w.bulk(boston, "ParticipantID,firstName,lastName\nP-1,A,B\nP-2,A\n\n  \nP-3,A,B\nP-4\nP-5,,\n")
		wantLog(t, log,
			"1,P-1,SS_P1,,AVAILABLE,Success",
			"2,P-2,,,Failed,errorCode.malformedRecord",
			"5,P-3,SS_P3,,AVAILABLE,Success",
			"6,P-4,,,Failed,errorCode.malformedRecord",
			"7,P-5,SS_P5,,AVAILABLE,Success",
		)
	})
}

// The original refuses a file of more than 8 KB if the line around its 8,192nd character has
// two equal cells, such as two empty ones (reference, OpenClinica 2, Size bug).
func TestFileOver8KBWithEmptyCellsIsAccepted(t *testing.T) {
	t.Parallel()
	const people = 1500 // more than one chunk of a job
	inWorlds(t, func(t *testing.T, w *world) {
		var file strings.Builder
		file.WriteString("ParticipantID,firstName,lastName,emailAddress,phoneNumber,identifier\n")
		for i := range people {
			fmt.Fprintf(&file, "P-%04d,,,,,\n", i)
		}
		log := w.bulk(boston, file.String())
		if got := strings.Count(log, ",AVAILABLE,Success\n"); got != people {
			t.Errorf("%d rows succeeded of %d", got, people)
		}
		if got := len(w.participants("S_JUNO(PROD)")); got != people {
			t.Errorf("%d participants, want %d", got, people)
		}
		lines := strings.Split(log, "\n")
		if want := fmt.Sprintf("%d,P-%04d,", people, people-1); !strings.HasPrefix(lines[len(lines)-2], want) {
			t.Errorf("last line %q, want %s...: the log is in the file's order", lines[len(lines)-2], want)
		}
	})
}

func TestBulkFiles(t *testing.T) {
	t.Parallel()
	const ok = ",AVAILABLE,Success"
	tests := []struct {
		name, file string
		want       []string // log lines
		people     []string // identifier|first|last|secondary ID
	}{
		{
			"byte order mark and CRLF", "\xef\xbb\xbfParticipantID,firstName\r\nP-1,Ada\r\n\r\nP-2,Bo",
			[]string{"1,P-1,SS_P1," + ok, "3,P-2,SS_P2," + ok}, []string{"P-1|Ada||", "P-2|Bo||"},
		},
		{
			"quoted commas, quotes and line breaks", "ParticipantID,firstName,lastName\nP-1,\"a, b\",\"x\n\"\"y\"\"\"\n\"P,2\",A,B\n",
			[]string{"1,P-1,SS_P1," + ok, `2,"P,2",SS_P2,` + ok}, []string{"P-1|a, b|x\n\"y\"|", "P,2|A|B|"},
		},
		{
			"header case, space and aliases", " PARTICIPANTid ,\tFirstNAME,mobilenumber,SECONDARYID\nP-1,Ada,+1 5,S\n",
			[]string{"1,P-1,SS_P1," + ok}, []string{"P-1|Ada||S"},
		},
		{
			"cells are trimmed, empty ones keep what there is", "ParticipantID,firstName,lastName\n  P-1  , Ada , Byron \nP-1,  ,King\n",
			[]string{"1,P-1,SS_P1," + ok, "2,P-1,SS_P1," + ok}, []string{"P-1|Ada|King|"},
		},
		{
			"a repeated ID, in other case, updates the earlier one", "ParticipantID,firstName\nab-1,Ada\nAB-1,Bo\n",
			[]string{"1,ab-1,SS_AB1," + ok, "2,AB-1,SS_AB1," + ok}, []string{"ab-1|Bo||"},
		},
		{
			"cells past the header", "ParticipantID\nP-1,,\nP-2,,x\nP-3, \n",
			[]string{"1,P-1,SS_P1," + ok, "2,P-2,,,Failed,errorCode.malformedRecord", "3,P-3,SS_P3," + ok}, []string{"P-1|||", "P-3|||"},
		},
		{
			"header cells without a name", "ParticipantID,firstName,,\nP-1,Ada\nP-2,Bo,x,\n",
			[]string{"1,P-1,SS_P1," + ok, "2,P-2,SS_P2," + ok}, []string{"P-1|Ada||", "P-2|Bo||"},
		},
		{
			"bad UTF-8, NUL and broken quotes", "ParticipantID,firstName\nP-1,\xff\nP-2,a\x00b\nP-3,\"open\nP-4,Ada\nP-5,a\"b\nP-6,\"a\"b\nP-7,Bo\n",
			[]string{
				"1,,,,Failed,errorCode.malformedRecord", "2,,,,Failed,errorCode.malformedRecord",
				"3,,,,Failed,errorCode.malformedRecord", "4,P-4,SS_P4," + ok, "5,,,,Failed,errorCode.malformedRecord",
				"6,,,,Failed,errorCode.malformedRecord", "7,P-7,SS_P7," + ok,
			},
			[]string{"P-4|Ada||", "P-7|Bo||"},
		},
		{
			"a record over 64 KiB", "ParticipantID,firstName,notes\nP-1,Ada," + strings.Repeat("x", 70_000) + "\nP-2,Bo,\n",
			[]string{"1,,,,Failed,errorCode.malformedRecord", "2,P-2,SS_P2," + ok}, []string{"P-2|Bo||"},
		},
		{
			"formula-like values and accents", "ParticipantID,firstName,lastName,identifier\n=P+1,Zoë,@SUM(A1),-1\n+P,\"=cmd|'/C calc'!A0\",Łódź,'x\n",
			[]string{"1,=P+1,SS_P1," + ok, "2,+P,SS_P," + ok},
			[]string{"=P+1|Zoë|@SUM(A1)|-1", "+P|=cmd|'/C calc'!A0|Łódź|'x"},
		},
		{
			"a line of commas has no ID", "ParticipantID,firstName\n,\n",
			[]string{"1,,,,Failed,errorCode.missingParticipantIdData"}, nil,
		},
		{"the header alone", "ParticipantID,firstName\n", nil, nil},
		{"the header without a line end", "ParticipantID", nil, nil},
		{"blank lines alone", "ParticipantID\n\n \n\t\n", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inWorlds(t, func(t *testing.T, w *world) {
				wantLog(t, w.bulk(boston, tt.file), tt.want...)
				var people []string
				for _, p := range w.participants("S_JUNO(PROD)") {
					d := p.Details
					people = append(people, strings.Join([]string{p.Identifier, d[registry.FirstName], d[registry.LastName], d[registry.SecondaryID]}, "|"))
				}
				if diff := cmp.Diff(tt.people, people); diff != "" {
					t.Errorf("participants (-want +got):\n%s", diff)
				}
				if left := w.storedUploads(); len(left) > 0 {
					t.Errorf("uploads were left behind: %v", left)
				}
			})
		})
	}
}

// What a bulk file says comes out of the extract as it went in, whatever it looks like.
func TestExtractIsExact(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		want := [][]string{
			{"=1+1", "@SUM(A1)", "-2", "a+b@example.com", "+1 5557778888", "=cmd|'/C calc'!A0"},
			{"Žofie", "O'Hara, \"Kit\"", "two\nlines", "", "", ""},
		}
		var file strings.Builder
		lines := csv.NewWriter(&file)
		if err := lines.WriteAll(append([][]string{{"ParticipantID", "firstName", "lastName", "emailAddress", "phoneNumber", "identifier"}}, want...)); err != nil {
			t.Fatal(err)
		}
		w.bulk(boston, file.String())
		got, err := csv.NewReader(strings.NewReader(w.extract("carla", boston, ""))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got[1:]); diff != "" {
			t.Errorf("extract (-sent +extracted):\n%s", diff)
		}
	})
}

func TestJobNamesTheIgnoredColumns(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		job := w.upload(boston, "", "fullDob,ParticipantID,\" Shoe, size \",,Gender\n1980-01-01,P-1,44,,F\n")
		var got struct{ IgnoredColumns []string }
		if err := json.Unmarshal(w.send("dana", "GET", jobPaths+job, "", "").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"fullDob", "Shoe, size", "Gender"}, got.IgnoredColumns); diff != "" {
			t.Errorf("ignored columns (-want +got):\n%s", diff)
		}
	})
}

// No contact data reaches the log of a job or the server's log, whether a record fails or not.
func TestLogsHoldNoContactData(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		log := w.bulk(boston, "ParticipantID,firstName,lastName,emailAddress,phoneNumber,identifier\n"+
			"P-1,Wilhelmina,Harker,wilhelmina@example.com,+1 5557771234,secret-id\n"+
			"P-2,Wilhelmina,Harker,wilhelmina.example.com,+1 5557771234,secret-id\n"+
			"P-3,Wilhelmina,Harker,wilhelmina@example.com,5557771234,secret-id\n"+
			"P-4,Wilhelmina,Harker,wilhelmina@example.com\n"+
			"P-5,\"Wilhelmina,Harker,wilhelmina@example.com,+1 5557771234,secret-id\n")
		w.extract("carla", boston, "?register=y")
		w.send("dana", "POST", boston+"/participants", jsonType, `{"subjectKey":"P-9","emailAddress":"wilhelmina"}`)
		for where, text := range map[string]string{"the job's log": log, "the server's log": w.log.String()} {
			for _, value := range []string{"ilhelmina", "Harker", "example.com", "5557771234", "secret-id"} {
				if strings.Contains(text, value) {
					t.Errorf("%s holds %q:\n%s", where, value, text)
				}
			}
		}
	})
}

// The log's ParticipantID is the text as sent, or the identifier that was generated.
func TestLogNamesTheIdentifier(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		wantLog(t, w.bulk(boston, "ParticipantID\nAbC\naBc\n\"a,\"\"b\"\"\"\n\"two\nlines\"\n<b>\n"),
			"1,AbC,SS_ABC,,AVAILABLE,Success", "2,aBc,SS_ABC,,AVAILABLE,Success",
			`3,"a,""b""",SS_AB,,AVAILABLE,Success`, "4,\"two\nlines\",SS_TWOLINES,,AVAILABLE,Success",
			"5,<b>,,,Failed,errorCode.participantIDContainsUnsupportedHTMLCharacter",
		)
		const leeds = "/pages/auth/api/clinicaldata/studies/S_CERES(TEST)/sites/S_LEEDS(TEST)"
		wantLog(t, w.bulk(leeds, "ParticipantID,firstName\n,A\nleeds-001,B\n,C\n"),
			"1,LEEDS-001,SS_LEEDS001,,AVAILABLE,Success", "2,leeds-001,SS_LEEDS001,,AVAILABLE,Success",
			"3,LEEDS-002,SS_LEEDS002,,AVAILABLE,Success",
		)
	})
}

// gate holds reads of uploads up past a number of bytes, and then lets them go on or fail.
type gate struct {
	jobs.Files
	after   int64
	reached chan struct{}   // closed when somebody reads past them
	open    <-chan struct{} // reads go on when it is closed
	err     error           // what they then answer, if not nil
}

func (g *gate) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	file, err := g.Files.Open(ctx, key)
	if !strings.HasPrefix(key, jobs.UploadFolder) {
		return file, err
	}
	return &gatedFile{ReadSeekCloser: file, gate: g}, err
}

type gatedFile struct {
	io.ReadSeekCloser
	gate *gate
	read int64 // where in the file it stands
}

func (f *gatedFile) Seek(offset int64, whence int) (at int64, err error) {
	f.read, err = f.ReadSeekCloser.Seek(offset, whence)
	return f.read, err
}

func (f *gatedFile) Read(p []byte) (int, error) {
	if f.read >= f.gate.after {
		select {
		case <-f.gate.reached:
		default:
			close(f.gate.reached)
		}
		<-f.gate.open
		if f.gate.err != nil {
			return 0, f.gate.err
		}
	}
	n, err := f.ReadSeekCloser.Read(p[:min(int64(len(p)), max(1, f.gate.after-f.read))])
	f.read += int64(n)
	return n, err
}

// longFile has more rows than one chunk of a job.
func longFile() string {
	var file strings.Builder
	file.WriteString("ParticipantID\n")
	for i := range 2500 {
		fmt.Fprintf(&file, "P-%04d\n", i)
	}
	return file.String()
}

func TestDeletedWhileRunning(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		opened := make(chan struct{})
		g := &gate{after: 12_000, reached: make(chan struct{}), open: opened}
		w := newWorldOn(t, engine, func(c *jobs.Config) { g.Files, c.Files = c.Files, g })
		job := w.upload(boston, "", longFile())

		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- w.jobs.Run(ctx) }() // ends with ctx, and is waited for below
		<-g.reached
		if got := errorAnswer(w.send("dana", "GET", jobPaths+job+"/downloadFile", "", "")); got != "409 jobInProgress" {
			t.Errorf("download while running: %s", got)
		}
		written := len(w.participants("S_JUNO(PROD)"))
		if written == 0 {
			t.Error("no chunk was written before the job was held up")
		}
		if answer := w.send("dana", "DELETE", jobPaths+job, "", ""); answer.Code != 200 || answer.Body.Len() > 0 {
			t.Errorf("delete: %d %s", answer.Code, answer.Body)
		}
		close(opened)
		// Jobs of a site follow each other, so the next one ends after the deleted one has.
		next := w.upload(boston, "", "ParticipantID\nNEXT\n")
		<-w.ended
		stop()
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		wantLog(t, w.download("dana", next), "1,NEXT,SS_NEXT,,AVAILABLE,Success")
		if got := len(w.participants("S_JUNO(PROD)")); got != written+1 {
			t.Errorf("%d participants, want the %d from before the deletion and 1", got, written)
		}
		if got := errorAnswer(w.send("dana", "GET", jobPaths+job+"/downloadFile", "", "")); got != "404 invalidUuid" {
			t.Errorf("download after deletion: %s", got)
		}
		if left := w.storedUploads(); len(left) > 0 {
			t.Errorf("uploads were left behind: %v", left)
		}
	})
}

// A file that is long runs of blank lines, or of long records, is worked off in many chunks of
// bounded size.
func TestChunksAreBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, row string
		rows      int
	}{
		{"blank lines", "\n", 3 << 20},
		{"long records", "P," + strings.Repeat("x", 60_000) + "\n", 60},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := strings.NewReader("ParticipantID,notes\n" + strings.Repeat(tt.row, tt.rows))
			task, err := BulkAdd{}.Start(t.Context(), &jobs.Job{Params: []byte(`{}`)}, file)
			if err != nil {
				t.Fatal(err)
			}
			chunks, last := 0, int64(len("ParticipantID,notes\n"))
			for {
				chunk, err := task.Next(t.Context(), 1000)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				var at position
				if err := json.Unmarshal(chunk.Cursor, &at); err != nil {
					t.Fatal(err)
				}
				if at.Offset-last > maxChunk+maxRecord {
					t.Errorf("a chunk covers %d bytes", at.Offset-last)
				}
				last = at.Offset
				chunks++
			}
			if chunks < 3 || last != file.Size() {
				t.Errorf("%d chunks up to byte %d of %d", chunks, last, file.Size())
			}
		})
	}
}

func TestRefusedUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, file := range []struct{ name, content string }{
		{"empty.csv", ""}, {"people.txt", "ParticipantID\n"}, {"people.csv", "firstName\n"}, {"people.csv", "\xff\xfe"},
		{"people.csv", "ParticipantID,participantid\n"}, {"people.csv", strings.Repeat("x", 100_000)}, {"people.csv", "PK\x03\x04\x00"},
	} {
		contentType, body := form(file.name, file.content)
		if answer := w.send("dana", "POST", boston+"/participants/bulk", contentType, body); answer.Code != 400 {
			t.Errorf("%s: %d %s", file.name, answer.Code, answer.Body)
		}
	}
	if left := w.storedUploads(); len(left) > 0 {
		t.Errorf("uploads were left behind: %v", left)
	}
}

// half sends the first part of an upload over a real connection.
func half(t *testing.T, w *world, server *httptest.Server) net.Conn {
	t.Helper()
	contentType, body := form("people.csv", "ParticipantID\n"+strings.Repeat("P\n", 100_000))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s/participants/bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		boston, w.token("dana"), contentType, len(body), body[:len(body)/2])
	return conn
}

// served is a world behind a real server.
func served(t *testing.T, stall time.Duration, options ...func(*jobs.Config)) (w *world, server *httptest.Server) {
	t.Helper()
	w = newWorld(t, options...)
	mux := httpx.NewMux(RenderUnknown)
	w.api.Mount(mux)
	front := httpx.Front{Log: slog.New(slog.NewJSONHandler(w.log, nil)), Now: time.Now, NewID: func() string { return "r" }, Stall: stall}
	server = httptest.NewServer(front.Wrap(mux))
	t.Cleanup(server.Close)
	return w, server
}

func TestStalledUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	w, server := served(t, 100*time.Millisecond)
	conn := half(t, w, server)
	defer conn.Close()
	answer, err := io.ReadAll(conn) // until the server gives up and closes
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("answer %q: %v", answer, err)
	}
	if left := w.storedUploads(); len(left) > 0 {
		t.Errorf("uploads were left behind: %v", left)
	}
}

// begun tells when the first bytes of an upload are being stored.
type begun struct {
	jobs.Files
	told chan struct{}
}

func (b *begun) Save(ctx context.Context, folder string, r io.Reader) (key string, size int64, err error) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		return "", 0, err
	}
	return b.Files.Save(ctx, folder, io.MultiReader(bytes.NewReader(first), &telling{r, b.told}))
}

// telling closes a channel at the first read.
type telling struct {
	io.Reader
	told chan struct{}
}

func (r *telling) Read(p []byte) (int, error) {
	select {
	case <-r.told:
	default:
		close(r.told)
	}
	return r.Reader.Read(p)
}

func TestCutUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	b := &begun{told: make(chan struct{})}
	w, server := served(t, time.Minute, func(c *jobs.Config) { b.Files, c.Files = c.Files, b })
	conn := half(t, w, server)
	<-b.told // the file has been opened and has its first byte
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	server.Close() // waits until the request has been dealt with
	if left := w.storedUploads(); len(left) > 0 {
		t.Errorf("uploads were left behind: %v", left)
	}
	if list := w.send("dana", "GET", strings.Replace(boston, "/clinicaldata", "", 1)+"/jobs", "", "").Body.String(); list != "[]" {
		t.Errorf("jobs: %s", list)
	}
}

func TestSourceNames(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"people.csv":                             "people.csv",
		`C:\Users\dana\people.csv`:               "people.csv",
		"../../etc/people.csv":                   "people.csv",
		"a\x00b\n.csv":                           "ab.csv",
		"a\xff.csv":                              "a\uFFFD.csv",
		strings.Repeat("é", 300) + ".csv":        strings.Repeat("é", 251) + ".csv",
		strings.Repeat("x", 5<<20) + "xx.CSV":    strings.Repeat("x", 251) + ".CSV",
		"Łódź – lista uczestników (końcowa).csv": "Łódź – lista uczestników (końcowa).csv",
	} {
		if got := sourceName(sent); got != want {
			t.Errorf("%.40q: %.40q, want %.40q", sent, got, want)
		}
	}
}
