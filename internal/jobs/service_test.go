package jobs_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store/trail"
)

// events lists the actions of the study's audit events, without those of its making.
func (w *world) events() []audit.Action {
	w.t.Helper()
	records, err := w.db.AuditEvents(w.t.Context(), trail.Filter{Study: &w.study.ID, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	var actions []audit.Action
	for _, r := range records {
		actions = append(actions, r.Action)
	}
	return actions
}

func TestSubmit(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		job := w.job(s, "add", w.ohio, "A")
		before := uuid.New()
		job.ID, job.State = before, jobs.Failed
		origin := audit.Origin{Actor: "dana", Dialect: "openclinica"}
		if err := s.Submit(t.Context(), job, audit.Event{Origin: origin, Action: audit.ExtractRequested, Identifier: "S_OHIO"}); err != nil {
			t.Fatal(err)
		}
		if job.ID == before || job.State != jobs.Queued || job.CreatedAt.Before(start) {
			t.Errorf("submitted as %s, %s, created %v", job.ID, job.State, job.CreatedAt)
		}
		found, err := s.Job(t.Context(), job.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(job, found); diff != "" {
			t.Errorf("job (-submitted +found):\n%s", diff)
		}
		list, err := s.Jobs(t.Context(), jobs.JobFilter{Study: w.study.ID, Site: &w.ohio})
		if err != nil || len(list) != 1 || list[0].ID != job.ID {
			t.Errorf("listed as %v, %v", list, err)
		}
		origin.Actor = "erin"
		if err := s.Delete(t.Context(), job, audit.Event{Origin: origin, Action: audit.JobDeleted, Identifier: job.ID.String()}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Job(t.Context(), job.ID); !fault.HasCode(err, jobs.Unknown) {
			t.Errorf("the deleted job is answered with %v", err)
		}
		if err := s.Delete(t.Context(), job); !fault.HasCode(err, jobs.Unknown) {
			t.Errorf("deleted again: %v", err)
		}
		if diff := cmp.Diff([]audit.Action{audit.ExtractRequested, audit.JobDeleted}, w.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestSubmitInVain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		kind string
		err  error // of the database
		want fault.Kind
	}{
		{"an unknown kind", "gone", nil, fault.Internal},
		{"a full database", "add", fault.New(fault.StorageFull, "", "full"), fault.StorageFull},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
				job := w.job(s, test.kind, w.ohio, "A")
				w.db.cause(func(op string, _ []string) error {
					if op == "create" {
						return test.err
					}
					return nil
				})
				err := s.Submit(t.Context(), job, audit.Event{Action: audit.ExtractRequested})
				if err == nil || fault.KindOf(err) != test.want {
					t.Errorf("answered %v, want %v", err, test.want)
				}
				if n := w.unfinished(); n != 0 || len(w.events()) > 0 {
					t.Errorf("%d jobs, events %q", n, w.events())
				}
				s.DropUpload(t.Context(), job.Upload) // as its caller does
				if files := w.files(); len(files) > 0 {
					t.Errorf("uploads left: %q", files)
				}
			})
		})
	}
}

// parts is a job that has ended with an output of n parts in the database, as jobs did before
// outputs were put into files.
func (w *world) parts(s *jobs.Service, n int) *jobs.Job {
	w.t.Helper()
	job := w.submit(s, "read", w.ohio, numbered("A", n)...)
	taken, err := w.db.Store.TakeJob(w.t.Context(), job.Study, job.ID, "old", 0, start)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, name := range numbered("A", n) {
		batch := &registry.Batch{Step: func([]registry.Result) *registry.JobStep {
			return &registry.JobStep{Study: job.Study, Job: job.ID, Lease: taken.Lease, Part: i, Output: []byte(name + " read\n")}
		}}
		if _, err := w.registry.ApplyBatch(w.t.Context(), job.Study, batch); err != nil {
			w.t.Fatal(err)
		}
	}
	err = w.db.Store.FinishJob(w.t.Context(), job.Study, job.ID, taken.Lease, jobs.Ending{State: jobs.Completed, At: start})
	if err != nil {
		w.t.Fatal(err)
	}
	return job
}

// Output is read a few parts at a time, and only as fast as it is sent.
func TestOutputIsReadFlat(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"read": &lines{reads: true, size: 1}})
		for _, n := range []int{0, 1, 3, 4, 5, 8, 13} {
			job := w.parts(s, n)
			read, sent := 0, 0
			w.db.cause(func(op string, limit []string) error {
				if op == "output" {
					if sent != read {
						t.Errorf("%d parts: reads on when %d of %d are sent", n, sent, read)
					}
					if !slices.Equal(limit, []string{"4"}) {
						t.Errorf("reads %s parts at a time", limit)
					}
					read = min(read+4, n)
				}
				return nil
			})
			var out strings.Builder
			err := s.WriteOutput(t.Context(), job, writing(func(part []byte) (int, error) {
				sent++
				return out.Write(part)
			}))
			if err != nil || sent != n {
				t.Errorf("sent %d of %d parts, %v", sent, n, err)
			}
			if diff := cmp.Diff(logOf("read", numbered("A", n)...), out.String()); diff != "" {
				t.Errorf("%d parts: output (-want +got):\n%s", n, diff)
			}
		}
	})
}

// writing is a writer that does as it likes.
type writing func(p []byte) (int, error)

func (w writing) Write(p []byte) (int, error) { return w(p) }

// Whoever fetches the output of a job that is deleted meanwhile learns that it is not all.
func TestOutputOfAJobDeletedMeanwhile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"read": &lines{reads: true, size: 1}})
		for _, n := range []int{3, 4, 9} {
			job := w.parts(s, n)
			sent := 0
			err := s.WriteOutput(t.Context(), job, writing(func(part []byte) (int, error) {
				if sent++; sent == 1 {
					return len(part), s.Delete(t.Context(), job)
				}
				return len(part), nil
			}))
			if err == nil || fault.KindOf(err) != fault.NotFound || !fault.HasCode(err, jobs.Unknown) || sent != min(n, 4) {
				t.Errorf("sent %d of %d parts, then answered %v", sent, n, err)
			}
		}
	})
}

func TestOutputThatIsNotSent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"read": &lines{reads: true, size: 1}})
		job := w.parts(s, 9)
		gone := errors.New("the client has gone")
		sent := 0
		err := s.WriteOutput(t.Context(), job, writing(func(part []byte) (int, error) {
			if sent++; sent == 6 {
				return 0, gone
			}
			return len(part), nil
		}))
		if !errors.Is(err, gone) || sent != 6 {
			t.Errorf("sent %d parts, then answered %v", sent, err)
		}
		w.db.cause(func(op string, _ []string) error {
			if op == "output" {
				return fault.New(fault.Unavailable, "", "away")
			}
			return nil
		})
		if err := s.WriteOutput(t.Context(), job, io.Discard); err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("answered %v, want that the database is away", err)
		}
	})
}

// A job whose upload cannot be removed has ended all the same.
func TestUploadThatCannotBeRemoved(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, map[string]jobs.Kind{"add": &lines{}})
		done := w.submit(s, "add", w.ohio, "A")
		w.store.keeps.Store(true)
		w.runAll(s)
		w.checkDone(s, done, "A")
		deleted := w.submit(s, "add", w.ohio, "B")
		if err := s.Delete(t.Context(), deleted); err != nil {
			t.Error(err)
		}
		if files := w.files(); len(files) != 2 || strings.Count(w.log.String(), "file not removed") != 2 {
			t.Errorf("uploads %q\n%s", files, w.log)
		}
	})
}

// The file of a request that was given up is removed all the same.
func TestDropUploadOfACallerWhoGaveUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.service(1, nil)
		ctx, cancel := context.WithCancel(t.Context())
		key, size, err := s.SaveUpload(ctx, strings.NewReader("A"))
		if err != nil || size != 1 {
			t.Fatalf("size %d, %v", size, err)
		}
		cancel()
		s.DropUpload(ctx, key)
		if _, err := s.OpenUpload(t.Context(), key); err == nil || fault.KindOf(err) != fault.NotFound {
			t.Errorf("answered %v, want that it is gone", err)
		}
	})
}
