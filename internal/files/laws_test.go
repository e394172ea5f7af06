package files_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
	"rollcall/internal/files"
	"rollcall/internal/files/s3test"
)

// world is a place with files and a way to look into it from outside.
type world struct {
	*files.Files
	// names lists all that is there: keys, and what is not whole with the ending .part.
	names func() []string
}

// worlds are the places on which the laws hold.
var worlds = []struct {
	name string
	open func(t *testing.T) *world
}{
	{"folder", func(t *testing.T) *world { return folderWorld(t, t.TempDir()) }},
	{"S3", func(t *testing.T) *world { return s3World(t, s3test.Start(t)) }},
	{"S3 with a prefix", func(t *testing.T) *world { return s3World(t, s3test.Start(t), "prefix=studies/north") }},
}

func open(t *testing.T, c files.Config) *files.Files {
	t.Helper()
	f, err := files.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func folderWorld(t *testing.T, dir string) *world {
	t.Helper()
	return &world{Files: open(t, files.Config{Dir: dir}), names: func() []string {
		return slices.Concat(listed(t, dir, "uploads"), listed(t, dir, "outputs"))
	}}
}

func s3World(t *testing.T, server *s3test.Server, parameters ...string) *world {
	t.Helper()
	f := open(t, files.Config{URL: server.URL(parameters...)})
	prefix := ""
	for _, p := range parameters {
		if p, ok := strings.CutPrefix(p, "prefix="); ok {
			prefix = p + "/"
		}
	}
	return &world{Files: f, names: func() []string {
		client := server.Client()
		objects, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &server.Bucket})
		if err != nil {
			t.Fatal(err)
		}
		parts, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &server.Bucket})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range objects.Contents {
			names = append(names, strings.TrimPrefix(*o.Key, prefix))
		}
		for _, u := range parts.Uploads {
			names = append(names, strings.TrimPrefix(*u.Key, prefix)+".part")
		}
		return names
	}}
}

func inWorlds(t *testing.T, law func(t *testing.T, w *world)) {
	t.Helper()
	for _, world := range worlds {
		t.Run(world.name, func(t *testing.T) {
			t.Parallel()
			law(t, world.open(t))
		})
	}
}

func save(t *testing.T, w *world, folder, text string) string {
	t.Helper()
	key, size, err := w.Save(t.Context(), folder, strings.NewReader(text))
	if err != nil || size != int64(len(text)) {
		t.Fatalf("saved as %q with size %d, %v", key, size, err)
	}
	return key
}

func TestSave(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		keys := map[string]bool{}
		for _, folder := range []string{"uploads", "outputs"} {
			for _, size := range []int{0, 1, 64 << 10, 100_000} {
				content := bytes.Repeat([]byte("x"), size)
				key, got, err := w.Save(t.Context(), folder, iotest.HalfReader(bytes.NewReader(content)))
				if err != nil || got != int64(size) || keys[key] || !strings.HasPrefix(key, folder+"/") {
					t.Errorf("saved %d bytes as %q with size %d, %v", size, key, got, err)
				}
				keys[key] = true
				readTwice(t, w, key, content)
			}
		}
		names := w.names()
		if len(names) != len(keys) {
			t.Errorf("there is %q, want one for each of %v", names, keys)
		}
		for _, name := range names {
			if !keys[name] {
				t.Errorf("there is %q, which nobody saved", name)
			}
		}
		if key, _, err := w.Save(t.Context(), "secrets", strings.NewReader("A")); err == nil {
			t.Errorf("saved in another folder as %q", key)
		}
	})
}

func readTwice(t *testing.T, w *world, key string, want []byte) {
	t.Helper()
	file, err := w.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more from the start
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Error(err)
		}
		if text, err := io.ReadAll(file); err != nil || !bytes.Equal(text, want) {
			t.Errorf("read %d bytes of %d, %v", len(text), len(want), err)
		}
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

func TestSeek(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		file, err := w.Open(t.Context(), save(t, w, "outputs", "0123456789"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for _, step := range []struct {
			offset int64
			whence int
			at     int64
			read   string
		}{
			{0, io.SeekStart, 0, "012"},
			{0, io.SeekCurrent, 3, "345"},
			{2, io.SeekCurrent, 8, "89"},
			{-4, io.SeekEnd, 6, "678"},
			{1, io.SeekStart, 1, "123"},
			{0, io.SeekEnd, 10, ""},
			{5, io.SeekEnd, 15, ""},
			{-10, io.SeekCurrent, 5, "567"},
		} {
			at, err := file.Seek(step.offset, step.whence)
			if err != nil || at != step.at {
				t.Errorf("seek %d from %d: at %d, %v; want %d", step.offset, step.whence, at, err, step.at)
			}
			p := make([]byte, 3)
			n, err := io.ReadFull(file, p)
			if got := string(p[:n]); got != step.read || (err != nil) != (len(step.read) < 3) {
				t.Errorf("read %q at %d, %v; want %q", got, at, err, step.read)
			}
		}
		if at, err := file.Seek(-1, io.SeekStart); err == nil {
			t.Errorf("stands at %d before the start", at)
		}
		if at, err := file.Seek(0, 7); err == nil {
			t.Errorf("stands at %d from nowhere", at)
		}
	})
}

// endless is a body of which nothing is held in memory: every byte tells where it stands.
type endless struct{ at, size int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.at == e.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), e.size-e.at)]
	for i := range p {
		p[i] = byteAt(e.at + int64(i))
	}
	e.at += int64(len(p))
	return len(p), nil
}

func byteAt(at int64) byte { return byte(at ^ at>>8 ^ at>>16 ^ at>>24) }

func TestSaveBigFile(t *testing.T) {
	t.Parallel()
	const part = 5 << 20 // what S3 takes as a part
	for _, size := range []int64{part - 1, part, part + 1, 64<<20 + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			inWorlds(t, func(t *testing.T, w *world) {
				key, got, err := w.Save(t.Context(), "uploads", &endless{size: size})
				if err != nil || got != size {
					t.Fatalf("saved %d bytes of %d, %v", got, size, err)
				}
				file, err := w.Open(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				sameBytes(t, file, &endless{size: size})
				if _, err := file.Seek(-3, io.SeekEnd); err != nil {
					t.Error(err)
				}
				sameBytes(t, file, &endless{at: size - 3, size: size})
				if diff := cmp.Diff([]string{key}, w.names()); diff != "" {
					t.Errorf("what is there (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func sameBytes(t *testing.T, got, want io.Reader) {
	t.Helper()
	g, w := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, gotErr := io.ReadFull(got, g)
		m, wantErr := io.ReadFull(want, w)
		if n != m || gotErr != wantErr || !bytes.Equal(g[:n], w[:m]) {
			t.Fatalf("read %d bytes, %v; want %d, %v, and the same", n, gotErr, m, wantErr)
		}
		if gotErr != nil {
			return
		}
	}
}

func TestSaveInVain(t *testing.T) {
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
	inWorlds(t, func(t *testing.T, w *world) {
		for _, test := range tests {
			for _, after := range []int64{0, 100_000, 12 << 20} {
				body := io.MultiReader(&endless{size: after}, iotest.ErrReader(test.err))
				key, size, err := w.Save(t.Context(), "uploads", body)
				if !errors.Is(err, test.err) || fault.KindOf(err) != test.want || key != "" || size != 0 {
					t.Errorf("%s after %d: answered %q, %d, %v; want %v", test.name, after, key, size, err, test.want)
				}
				if f := fault.As(err); test.want == fault.StorageFull && (f.RetryAfterSeconds == 0 || strings.Contains(f.Message, "secret")) {
					t.Errorf("the caller is told %q, and to come back after %d s", f.Message, f.RetryAfterSeconds)
				}
				if names := w.names(); len(names) > 0 {
					t.Errorf("%s after %d: left behind: %q", test.name, after, names)
				}
			}
		}
	})
}

// reading is a reader that does as it likes.
type reading func(p []byte) (int, error)

func (r reading) Read(p []byte) (int, error) { return r(p) }

func TestSaveOfACallerWhoGivesUp(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		for _, after := range []int64{4, 12 << 20} {
			for _, end := range []error{io.EOF, context.Canceled} {
				ctx, cancel := context.WithCancel(t.Context())
				body := io.MultiReader(&endless{size: after}, reading(func([]byte) (int, error) {
					cancel()
					return 0, end
				}))
				key, size, err := w.Save(ctx, "uploads", body)
				if !errors.Is(err, context.Canceled) || key != "" || size != 0 {
					t.Errorf("answered %q, %d, %v; want that it was cancelled", key, size, err)
				}
				if names := w.names(); len(names) > 0 {
					t.Errorf("left behind after %d bytes: %q", after, names)
				}
			}
		}
	})
}

// A file is not there before it is there whole.
func TestFileIsKeptWhole(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		half := []string{"?"}
		body := io.MultiReader(&endless{size: 12 << 20}, reading(func([]byte) (int, error) {
			half = w.names()
			return 0, io.EOF
		}))
		key, _, err := w.Save(t.Context(), "uploads", body)
		if err != nil || !slices.Equal(half, []string{key + ".part"}) || !slices.Equal(w.names(), []string{key}) {
			t.Errorf("%v; as it was received there was %q, then %q", err, half, w.names())
		}
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		kept, key := save(t, w, "uploads", "A"), save(t, w, "uploads", "B")
		for _, k := range []string{
			key, key, "uploads/missing", "missing", "", "uploads", "uploads/", "uploads/.", "uploads/..", "secrets/a",
			"../" + kept, "uploads/../" + kept, "outputs/../" + kept, "/" + kept, kept + "/", kept + "\x00",
		} { // again is no error
			if err := w.Remove(t.Context(), k); err != nil {
				t.Errorf("remove %q: %v", k, err)
			}
			if _, err := w.Open(t.Context(), k); err == nil || fault.KindOf(err) != fault.NotFound {
				t.Errorf("open %q: %v, want that it is not found", k, err)
			}
		}
		if diff := cmp.Diff([]string{kept}, w.names()); diff != "" {
			t.Errorf("what is there (-want +got):\n%s", diff)
		}
	})
}

func TestBefore(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		want := []string{save(t, w, "uploads", "A"), save(t, w, "outputs", "B")}
		var during []string
		body := io.MultiReader(&endless{size: 12 << 20}, reading(func([]byte) (int, error) {
			defer cancel()
			var err error
			if during, err = w.Before(t.Context(), time.Now().Add(25*time.Hour)); err != nil {
				t.Error(err)
			}
			for _, key := range during { // as if it were a leftover
				if err := w.Remove(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
			if names := w.names(); len(names) > 0 {
				t.Errorf("left after sweeping all: %q", names)
			}
			return 0, io.EOF
		}))
		if keys, err := w.Before(t.Context(), time.Now().Add(-time.Minute)); err != nil || len(keys) > 0 {
			t.Errorf("before they were stored there is %q, %v", keys, err)
		}
		if key, _, err := w.Save(ctx, "outputs", body); err == nil {
			t.Errorf("saved as %q", key)
		}
		for _, key := range during {
			if strings.HasSuffix(key, ".part") {
				want = append(want, key)
			}
		}
		slices.Sort(want)
		slices.Sort(during)
		if diff := cmp.Diff(want, during); diff != "" || len(want) != 3 {
			t.Errorf("two files and half a third (-want +got):\n%s", diff)
		}
	})
}

func TestPing(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		if err := w.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if names := w.names(); len(names) > 0 {
			t.Errorf("left behind: %q", names)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Ping(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("who does not wait is told %v", err)
		}
		if name := w.String(); name == "" || strings.Contains(name, "credentials") {
			t.Errorf("the place is called %q", name)
		}
	})
}

func listed(t *testing.T, dir, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range paths {
		paths[i] = folder + "/" + filepath.Base(paths[i])
	}
	return paths
}
