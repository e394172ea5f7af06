package sqlite_test

import (
	"path/filepath"
	"strings"
	"testing"

	"rollcall/internal/fault"
	"rollcall/internal/store/sqlite"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	const who = "pid 4711, since 2026-11-22T10:00:00Z, listening on 127.0.0.1:8080"
	release, err := sqlite.Lock(dir, who)
	if err != nil {
		t.Fatalf("lock: %v", err)
	}
	_, err = sqlite.Lock(dir, "pid 1")
	if !fault.HasCode(err, sqlite.DirectoryInUse) || fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), who) {
		t.Errorf("second holder: %v; want %s naming %q", err, sqlite.DirectoryInUse, who)
	}
	// A database beside the lock is open to whoever only uses it.
	if err := open(t, filepath.Join(dir, "rollcall.db")).Close(); err != nil {
		t.Error(err)
	}
	if err := release(); err != nil {
		t.Fatalf("release: %v", err)
	}
	again, err := sqlite.Lock(dir, "pid 2")
	if err != nil {
		t.Fatalf("lock after the release: %v", err)
	}
	if err := again(); err != nil {
		t.Errorf("release: %v", err)
	}
}
