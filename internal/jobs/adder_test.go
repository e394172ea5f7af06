package jobs_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/internal/audit"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// lines is a kind of job that goes through the lines of its upload, chunk by chunk. A job that
// writes adds a participant for each line; one that does not only tells them. Its output has a
// line for each: "name added" or "name failed". The cursor is the number of lines done.
type lines struct {
	reads bool // adds nobody
	blank bool // says that its chunks cover no rows
	size  int  // of a chunk at most; 0: as many as allowed

	// before, if not nil, is asked before each chunk; done is how many lines are done.
	before func(ctx context.Context, job *jobs.Job, done int) error

	mu     sync.Mutex
	starts []string // the cursors that jobs were started at
	limits []int    // that chunks were asked for
}

func (k *lines) Writes() bool { return !k.reads }

func (k *lines) Start(_ context.Context, job *jobs.Job, upload io.ReadSeeker) (jobs.Task, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.starts = append(k.starts, string(job.Cursor))
	t := &linesTask{kind: k, job: job}
	if job.Cursor != nil {
		var err error
		if t.done, err = strconv.Atoi(string(job.Cursor)); err != nil {
			return nil, fmt.Errorf("read cursor: %w", err)
		}
	}
	if upload == nil {
		return t, nil
	}
	for all := bufio.NewScanner(upload); all.Scan(); {
		t.names = append(t.names, all.Text())
	}
	return t, nil
}

// linesTask is one such job under way.
type linesTask struct {
	kind  *lines
	job   *jobs.Job
	names []string
	done  int
}

func (t *linesTask) Next(ctx context.Context, limit int) (*jobs.Chunk, error) {
	t.kind.mu.Lock()
	t.kind.limits = append(t.kind.limits, limit)
	t.kind.mu.Unlock()
	if t.kind.before != nil {
		if err := t.kind.before(ctx, t.job, t.done); err != nil {
			return nil, err
		}
	}
	if t.kind.size > 0 {
		limit = min(limit, t.kind.size)
	}
	names := t.names[t.done:]
	names = names[:min(limit, len(names))]
	if len(names) == 0 {
		return nil, io.EOF
	}
	t.done += len(names)
	chunk := &jobs.Chunk{Rows: int64(len(names)), Cursor: []byte(strconv.Itoa(t.done))}
	if t.kind.blank {
		chunk.Rows = 0
	}
	if t.kind.Writes() {
		for _, name := range names {
			chunk.Changes = append(chunk.Changes, addition(t.job, name))
		}
	}
	chunk.Output = func(results []registry.Result) ([]byte, int64) { return told(names, results) }
	return chunk, nil
}

// addition adds a participant at the job's site.
func addition(job *jobs.Job, name string) registry.Change {
	return registry.Change{
		Profile: registry.OpenClinica(), Identifier: name, Place: registry.At(job.Site), AddOnly: true,
		Origin: audit.Origin{Actor: job.SubmittedBy, Dialect: job.Dialect},
	}
}

func told(names []string, results []registry.Result) (text []byte, failed int64) {
	for i, name := range names {
		what := "read"
		if len(results) > 0 {
			what = "added"
			if results[i].Err != nil {
				what = "failed"
				failed++
			}
		}
		text = fmt.Appendf(text, "%s %s\n", name, what)
	}
	return text, failed
}

// logOf is the output of a job that has done what is told to all the names.
func logOf(what string, names ...string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + " " + what + "\n")
	}
	return b.String()
}

// numbered lists n names, like A-0001.
func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%04d", prefix, i+1)
	}
	return names
}

// gates holds jobs up before each of their chunks, until the test lets them go.
type gates struct {
	mu   sync.Mutex
	held map[string]chan struct{} // by the job's source file, the first of its names
}

func newGates() *gates { return &gates{held: map[string]chan struct{}{}} }

// hold is a kind's before. It leaves when its job may go on or the service stops.
func (g *gates) hold(ctx context.Context, job *jobs.Job, _ int) error {
	gate := make(chan struct{})
	g.mu.Lock()
	if g.held[job.SourceFile] != nil {
		g.held[job.SourceFile+" twice"] = gate
	}
	g.held[job.SourceFile] = gate
	g.mu.Unlock()
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		g.mu.Lock()
		delete(g.held, job.SourceFile)
		g.mu.Unlock()
		return ctx.Err()
	}
}

// open lets the job go, which must be held up, and waits until nothing moves any more.
func (g *gates) open(t *testing.T, name string) {
	t.Helper()
	g.mu.Lock()
	gate, ok := g.held[name]
	delete(g.held, name)
	g.mu.Unlock()
	if !ok {
		t.Fatalf("%s is not held up", name)
	}
	close(gate)
	synctest.Wait()
}

// check checks which jobs are held up, and thus under way, when nothing moves any more.
func (g *gates) check(t *testing.T, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(g.held)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: jobs under way (-want +got):\n%s", when, diff)
	}
}
