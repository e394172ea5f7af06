package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
	"rollcall/internal/files"
)

var start = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

func TestNobodyElseLooksIn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "data")
	w := folderWorld(t, dir)
	key := save(t, w, "outputs", "A")
	for path, want := range map[string]fs.FileMode{"uploads": 0o700, "outputs": 0o700, key: 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info, err, want)
		}
	}
}

func TestFileURL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := save(t, folderWorld(t, dir), "uploads", "A")
	for _, url := range []string{"file://" + dir, "file://localhost" + dir} {
		readTwice(t, &world{Files: open(t, files.Config{URL: url, Dir: "elsewhere"})}, key, []byte("A"))
	}
}

func TestFolderThatIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := folderWorld(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, "uploads")); err != nil {
		t.Fatal(err)
	}
	if key, _, err := w.Save(t.Context(), "uploads", strings.NewReader("A")); !errors.Is(err, fs.ErrNotExist) || key != "" {
		t.Errorf("saved as %q, %v", key, err)
	}
	if keys, err := w.Before(t.Context(), time.Now()); !errors.Is(err, fs.ErrNotExist) || keys != nil {
		t.Errorf("lists %q, %v", keys, err)
	}
	if err := w.Ping(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("all is well: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "uploads"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Open(t.Context(), files.Config{Dir: dir}); err == nil {
		t.Error("a file is taken for the folder")
	}
}

func TestNothingOutsideIsTouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := folderWorld(t, dir)
	outside := filepath.Join(dir, "outside")
	if err := os.WriteFile(outside, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"outside", "../outside", "uploads/../outside", "uploads/a/../../outside"} {
		if err := w.Remove(t.Context(), key); err != nil {
			t.Errorf("remove %q: %v", key, err)
		}
		if _, err := w.Open(t.Context(), key); err == nil || fault.KindOf(err) != fault.NotFound {
			t.Errorf("open %q: %v, want that it is not found", key, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("what lies outside the folders is touched: %v", err)
	}
}

// age gives a file of the folder an age at the time start.
func age(t *testing.T, dir, name string, d time.Duration) {
	t.Helper()
	path := filepath.Join(dir, name)
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

func TestFolderBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := folderWorld(t, dir)
	if err := os.Mkdir(filepath.Join(dir, "uploads", "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	age(t, dir, "uploads/old", 2*time.Hour)
	age(t, dir, "uploads/old.part", 2*time.Hour)
	age(t, dir, "uploads/just", time.Hour)
	age(t, dir, "uploads/new", time.Minute)
	age(t, dir, "uploads/folder/old", 2*time.Hour)
	age(t, dir, "outputs/older", 3*time.Hour)
	age(t, dir, "registry.db", 3*time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "uploads", "folder"), start.Add(-2*time.Hour), start.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	keys, err := w.Before(t.Context(), start.Add(-time.Hour))
	if diff := cmp.Diff([]string{"uploads/old", "uploads/old.part", "outputs/older"}, keys); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
