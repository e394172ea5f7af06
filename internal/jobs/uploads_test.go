package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
)

func openDir(t *testing.T) (*jobs.UploadDir, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "a")
	dir, err := jobs.OpenUploadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(root, jobs.UploadFolder)
}

func TestSaveUpload(t *testing.T) {
	t.Parallel()
	dir, folder := openDir(t)
	keys := map[string]bool{}
	for _, size := range []int{0, 1, 100_000} {
		content := bytes.Repeat([]byte("x"), size)
		key, got, err := dir.Save(t.Context(), jobs.UploadFolder, iotest.OneByteReader(bytes.NewReader(content)))
		if err != nil || got != int64(size) || keys[key] {
			t.Errorf("saved %d bytes as %q with size %d, %v", size, key, got, err)
		}
		keys[key] = true
		if files := listed(t, folder); len(files) != len(keys) || !slices.Contains(files, path.Base(key)) {
			t.Errorf("files %q, want one for each upload, named by its key %q", files, key)
		}
		info, err := os.Stat(filepath.Join(folder, path.Base(key)))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file %v, %v; want nobody else to read it", info, err)
		}
		file, err := dir.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // once more from the start
			if _, err := file.Seek(0, io.SeekStart); err != nil {
				t.Error(err)
			}
			if text, err := io.ReadAll(file); err != nil || !bytes.Equal(text, content) {
				t.Errorf("read %d bytes of %d, %v", len(text), size, err)
			}
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder %v, %v; want nobody else to look into it", info, err)
	}
}

// A file is not there before it is there whole.
func TestUploadIsKeptWhole(t *testing.T) {
	t.Parallel()
	dir, folder := openDir(t)
	half := false
	body := io.MultiReader(strings.NewReader("half"), reading(func([]byte) (int, error) {
		files := listed(t, folder)
		half = len(files) == 1 && strings.HasSuffix(files[0], ".part")
		return 0, io.EOF
	}))
	key, _, err := dir.Save(t.Context(), jobs.UploadFolder, body)
	if files := listed(t, folder); err != nil || !half || !slices.Equal(files, []string{path.Base(key)}) {
		t.Errorf("kept aside while it is received: %v; then files %q, %v", half, files, err)
	}
}

// reading is a reader that does as it likes.
type reading func(p []byte) (int, error)

func (r reading) Read(p []byte) (int, error) { return r(p) }

func TestSaveUploadInVain(t *testing.T) {
	t.Parallel()
	plain := errors.New("the line is cut")
	tooLarge := fault.New(fault.TooLarge, "tooLarge", "more than the limit")
	tests := []struct {
		name string
		err  error // of the reader, after a while
		want fault.Kind
	}{
		{"the reader fails", plain, fault.Internal},
		{"the reader has a fault", tooLarge, fault.TooLarge},
		{"the reader has a fault within", fmt.Errorf("read part: %w", tooLarge), fault.TooLarge},
		{"the body is cut", io.ErrUnexpectedEOF, fault.Internal},
		{"the disk is full", &fs.PathError{Op: "write", Path: "/var/lib/secret", Err: syscall.ENOSPC}, fault.StorageFull},
		{"the quota is used up", &fs.PathError{Op: "write", Path: "/var/lib/secret", Err: syscall.EDQUOT}, fault.StorageFull},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, folder := openDir(t)
			body := io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), iotest.ErrReader(test.err))
			key, size, err := dir.Save(t.Context(), jobs.UploadFolder, body)
			if !errors.Is(err, test.err) || fault.KindOf(err) != test.want || key != "" || size != 0 {
				t.Errorf("answered %q, %d, %v; want %v", key, size, err, test.want)
			}
			if f := fault.As(err); test.want == fault.StorageFull && (f.RetryAfterSeconds == 0 || strings.Contains(f.Message, "secret")) {
				t.Errorf("the caller is told %q, and to come back after %d s", f.Message, f.RetryAfterSeconds)
			}
			if files := listed(t, folder); len(files) > 0 {
				t.Errorf("files left: %q", files)
			}
		})
	}
}

func TestSaveUploadOfACallerWhoGivesUp(t *testing.T) {
	t.Parallel()
	dir, folder := openDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	body := io.MultiReader(strings.NewReader("half"), reading(func([]byte) (int, error) {
		cancel()
		return 0, io.EOF
	}))
	key, size, err := dir.Save(ctx, jobs.UploadFolder, body)
	if !errors.Is(err, context.Canceled) || key != "" || size != 0 {
		t.Errorf("answered %q, %d, %v; want that it was cancelled", key, size, err)
	}
	if files := listed(t, folder); len(files) > 0 {
		t.Errorf("files left: %q", files)
	}
}

func TestUploadFolderThatIsGone(t *testing.T) {
	t.Parallel()
	dir, folder := openDir(t)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if key, _, err := dir.Save(t.Context(), jobs.UploadFolder, strings.NewReader("A")); !errors.Is(err, fs.ErrNotExist) || key != "" {
		t.Errorf("saved as %q, %v", key, err)
	}
	if keys, err := dir.Before(t.Context(), time.Now()); !errors.Is(err, fs.ErrNotExist) || keys != nil {
		t.Errorf("lists %q, %v", keys, err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.OpenUploadDir(filepath.Dir(folder)); err == nil {
		t.Error("a file is taken for the folder")
	}
}

func TestRemoveUpload(t *testing.T) {
	t.Parallel()
	dir, folder := openDir(t)
	outside := filepath.Join(filepath.Dir(folder), "outside")
	if err := os.WriteFile(outside, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, _, err := dir.Save(t.Context(), jobs.UploadFolder, strings.NewReader("A"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{key, key, "missing", "../outside", "a/../../outside"} { // again is no error
		if err := dir.Remove(t.Context(), k); err != nil {
			t.Errorf("remove %q: %v", k, err)
		}
		if _, err := dir.Open(t.Context(), k); err == nil || fault.KindOf(err) != fault.NotFound {
			t.Errorf("open %q: %v, want that it is not found", k, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("what lies outside the folder is touched: %v", err)
	}
}

// age gives a file of the folder an age at the time that the worlds start.
func age(t *testing.T, folder, name string, d time.Duration) {
	t.Helper()
	path := filepath.Join(folder, name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		err = os.Chtimes(path, start.Add(-d), start.Add(-d))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestUploadsBefore(t *testing.T) {
	t.Parallel()
	dir, folder := openDir(t)
	age(t, folder, "old", 2*time.Hour)
	age(t, folder, "old.part", 2*time.Hour)
	age(t, folder, "just", time.Hour)
	age(t, folder, "new", time.Minute)
	if err := os.Mkdir(filepath.Join(folder, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	age(t, folder, "folder/old", 2*time.Hour)
	if err := os.Chtimes(filepath.Join(folder, "folder"), start.Add(-2*time.Hour), start.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	age(t, filepath.Dir(folder), "outputs/old", 2*time.Hour)
	keys, err := dir.Before(t.Context(), start.Add(-time.Hour))
	if diff := cmp.Diff([]string{"uploads/old", "uploads/old.part", "outputs/old"}, keys); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// At its start a service removes what a crash has left, and nothing that is needed.
func TestSweep(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		broken bool // the database answers nothing at first
		swept  bool
	}{
		{"as it should", false, true},
		{"without knowing the jobs", true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				g := newGates()
				s := w.service(2, map[string]jobs.Kind{"add": &lines{before: g.hold, size: 1}})
				going, queued := w.submit(s, "add", w.ohio, "A", "B"), w.submit(s, "add", w.ohio, "C")
				deleted := w.submit(s, "add", w.ohio, "D")
				w.store.keeps.Store(true)
				if err := s.Delete(t.Context(), deleted); err != nil {
					t.Fatal(err)
				}
				w.store.keeps.Store(false)
				r := w.run(s)
				synctest.Wait()
				g.open(t, "A")
				r.end() // one is in progress, one is queued
				for _, name := range []string{going.Upload, queued.Upload, deleted.Upload, "uploads/orphan", "uploads/cut.part", "outputs/orphan"} {
					age(t, w.folder, name, 2*time.Hour)
				}
				age(t, w.folder, "uploads/fresh", time.Minute)
				age(t, w.folder, "uploads/fresh.part", time.Minute)
				want := append(w.files(), w.outputs()...)
				if test.swept {
					want = []string{going.Upload, queued.Upload, "uploads/fresh", "uploads/fresh.part"}
				}
				first := test.broken
				w.db.cause(func(op string, _ []string) error {
					if op == "in use" && first {
						first = false
						return errInside
					}
					return nil
				})
				r = w.run(s)
				synctest.Wait()
				if diff := cmp.Diff(want, append(w.files(), w.outputs()...), cmpopts.SortSlices(strings.Compare)); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				r.end()
			})
		})
	}
}
