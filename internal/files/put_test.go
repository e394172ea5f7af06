package files_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
)

// Storing a file again never takes away the one that is there.
func TestPutInVain(t *testing.T) {
	t.Parallel()
	cut := errors.New("the line is cut")
	inWorlds(t, func(t *testing.T, w *world) {
		key := save(t, w, "outputs", "A")
		for _, size := range []int64{10, 12 << 20} {
			_, err := w.Put(t.Context(), key, io.MultiReader(&endless{size: size}, iotest.ErrReader(cut)))
			if !errors.Is(err, cut) {
				t.Errorf("a body that breaks after %d bytes: %v", size, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			_, err = w.Put(ctx, key, io.MultiReader(&endless{size: size}, reading(func([]byte) (int, error) {
				cancel()
				return 0, io.EOF
			})))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a caller who leaves after %d bytes: %v", size, err)
			}
		}
		readTwice(t, w, key, []byte("A"))
		if diff := cmp.Diff([]string{key}, w.names()); diff != "" {
			t.Errorf("what is there (-want +got):\n%s", diff)
		}
		if _, err := w.Put(t.Context(), key, strings.NewReader("BB")); err != nil {
			t.Error(err)
		}
		readTwice(t, w, key, []byte("BB"))
	})
}

// What a killed process has left of a file does not stand in the way of the next.
func TestPutAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := folderWorld(t, dir)
	const key = "outputs/b5b2a3f0-7c1f-4a58-9d0e-0f3f8c0c9a11"
	if err := os.WriteFile(filepath.Join(dir, key+".part"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), key, strings.NewReader("A")); err != nil {
		t.Fatal(err)
	}
	readTwice(t, w, key, []byte("A"))
}

func TestSize(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		for _, text := range []string{"", "12345"} {
			if size, err := w.Size(t.Context(), save(t, w, "outputs", text)); err != nil || size != int64(len(text)) {
				t.Errorf("the size of %q is %d, %v", text, size, err)
			}
		}
		for _, key := range []string{"outputs/missing", "missing", ""} {
			if size, err := w.Size(t.Context(), key); err == nil || fault.KindOf(err) != fault.NotFound {
				t.Errorf("the size of %q is %d, %v", key, size, err)
			}
		}
	})
}
