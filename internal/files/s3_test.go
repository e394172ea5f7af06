package files_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/files"
	"rollcall/internal/files/s3test"
)

// isAway fails unless the caller is told to come back, and nothing that is secret.
func isAway(t *testing.T, doing string, server *s3test.Server, err error) {
	t.Helper()
	f := fault.As(err)
	if err == nil || f.Kind != fault.Unavailable || f.RetryAfterSeconds == 0 || strings.Contains(f.Message, server.Endpoint) {
		t.Errorf("%s: %v; want that the storage is away, and when to come back", doing, err)
	}
	if err != nil && (strings.Contains(err.Error(), server.SecretKey) || strings.Contains(err.Error(), "Signature=")) {
		t.Errorf("%s: the error tells secrets: %v", doing, err)
	}
}

func TestServerGoesAndComesBack(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	w := s3World(t, server)
	const size = 32 << 20
	key, _, err := w.Save(t.Context(), "outputs", &endless{size: size})
	if err != nil {
		t.Fatal(err)
	}
	file, err := w.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.CopyN(io.Discard, file, 1000); err != nil {
		t.Fatal(err)
	}

	saved, _, err := w.Save(t.Context(), "uploads", io.MultiReader(&endless{size: 12 << 20}, reading(func([]byte) (int, error) {
		server.Kill()
		return 0, io.EOF
	})))
	isAway(t, "save as the server goes", server, err)
	if saved != "" {
		t.Errorf("saved as %q", saved)
	}
	var all sync.WaitGroup // each tries for some seconds
	for doing, do := range map[string]func() error{
		"read as the server goes": func() error { _, err := io.Copy(io.Discard, file); return err },
		"open":                    func() error { _, err := w.Open(t.Context(), key); return err },
		"remove":                  func() error { return w.Remove(t.Context(), key) },
		"list":                    func() error { _, err := w.Before(t.Context(), time.Now()); return err },
		"ping":                    func() error { return w.Ping(t.Context()) },
	} {
		all.Go(func() { isAway(t, doing, server, do()) })
	}
	all.Wait()

	server.Restart()
	if err := w.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	again, err := w.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	sameBytes(t, again, &endless{size: size})
	left, err := w.Before(t.Context(), time.Now().Add(25*time.Hour))
	if err != nil || len(left) != 2 {
		t.Errorf("after the crash there is %q, %v; want the file and half of another", left, err)
	}
	for _, key := range left {
		if err := w.Remove(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	if names := w.names(); len(names) > 0 {
		t.Errorf("left after sweeping: %q", names)
	}
}

func TestAccessDenied(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	key := save(t, s3World(t, server), "uploads", "A")
	wrong := filepath.Join(t.TempDir(), "credentials")
	text := "[other]\naws_access_key_id = " + server.AccessKey + "\naws_secret_access_key = wrong-but-secret\n"
	if err := os.WriteFile(wrong, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]files.Config{
		"a wrong key":   {URL: server.URL("credentials="+wrong, "profile=other")},
		"no such place": {URL: strings.Replace(server.URL(), "//"+server.Bucket, "//nowhere", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, c)
			_, _, err := f.Save(t.Context(), "uploads", strings.NewReader("A"))
			isAway(t, "save", server, err)
			_, _, err = f.Save(t.Context(), "uploads", &endless{size: 6 << 20})
			isAway(t, "save in parts", server, err)
			_, err = f.Open(t.Context(), key)
			isAway(t, "open", server, err)
			_, err = f.Before(t.Context(), time.Now())
			isAway(t, "list", server, err)
			isAway(t, "ping", server, f.Ping(t.Context()))
		})
	}
}

// A bucket may be shared: what others keep in it is nobody's business.
func TestPrefixesAreApart(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	north, south := s3World(t, server, "prefix=north"), s3World(t, server, "prefix=south")
	key := save(t, north, "uploads", "A")
	if _, err := south.Open(t.Context(), key); err == nil || fault.KindOf(err) != fault.NotFound {
		t.Errorf("the south opens what is in the north: %v", err)
	}
	if keys, err := south.Before(t.Context(), time.Now().Add(time.Minute)); err != nil || len(keys) > 0 {
		t.Errorf("the south lists %q, %v", keys, err)
	}
	if err := south.Remove(t.Context(), key); err != nil {
		t.Error(err)
	}
	readTwice(t, north, key, []byte("A"))
}

// Four uploads at once need the memory of four parts, whatever their size.
// It is not parallel: it looks at the memory of the whole process.
func TestMemoryIsFlat(t *testing.T) {
	const size, most = 160 << 20, 70 << 20
	for _, test := range worlds[:2] {
		t.Run(test.name, func(t *testing.T) {
			w := test.open(t)
			var peak atomic.Uint64
			var all sync.WaitGroup
			runtime.GC()
			before := heap()
			for range 4 {
				all.Go(func() {
					body := &endless{size: size}
					looking := reading(func(p []byte) (int, error) {
						if body.at&(4<<20-1) == 0 {
							if now := heap() - min(before, heap()); now > peak.Load() {
								peak.Store(now)
							}
						}
						return body.Read(p[:min(int64(len(p)), 4<<20-body.at&(4<<20-1))])
					})
					if _, _, err := w.Save(t.Context(), "uploads", looking); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if peak.Load() > most {
				t.Errorf("four uploads take %d MiB at once", peak.Load()>>20)
			}
			t.Logf("four uploads of %d MiB take %d MiB at once", size>>20, peak.Load()>>20)
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// Whoever leaves in the middle of reading is told that, not that the storage is away.
func TestReaderWhoLeaves(t *testing.T) {
	t.Parallel()
	w := s3World(t, s3test.Start(t))
	key, _, err := w.Save(t.Context(), "outputs", &endless{size: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	file, err := w.Open(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	leave()
	if _, err := io.Copy(io.Discard, file); !errors.Is(err, ctx.Err()) || fault.KindOf(err) != fault.Internal {
		t.Errorf("told %v", err)
	}
}

// What is being received is nobody's leftover, however long it takes: S3 tells only when it began.
func TestLongUploadIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := s3World(t, s3test.Start(t))
	soon, late := []string{"?"}, []string{"?"}
	key, _, err := w.Save(t.Context(), "uploads", io.MultiReader(&endless{size: 12 << 20}, reading(func([]byte) (int, error) {
		var err, lateErr error
		soon, err = w.Before(t.Context(), time.Now().Add(23*time.Hour))
		late, lateErr = w.Before(t.Context(), time.Now().Add(25*time.Hour))
		return 0, cmp.Or(err, lateErr, io.EOF)
	})))
	if err != nil || len(soon) > 0 || !slices.Equal(late, []string{key + ".part"}) {
		t.Errorf("%v; within a day there is %q, after it %q", err, soon, late)
	}
}
