package sqlite

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"rollcall/internal/fault"
)

// DirectoryInUse is the code of a data directory that another process holds.
const DirectoryInUse fault.Code = "directoryInUse"

// LockName is the name of the lock file in a data directory.
const LockName = "rollcall.lock"

// Lock takes the data directory for this process alone, until release or its end, whichever
// is first. Who is what the holder says about itself to whoever comes second, e.g. "pid 12,
// since 2026-11-22T10:00:00Z, listening on :8080". If another process holds the directory, the
// answer is fault.Conflict with DirectoryInUse, naming the holder.
//
// Serving and restoring need the lock; whatever merely opens the database does not.
func Lock(dir, who string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, classify("make the data directory", err)
	}
	path := filepath.Join(dir, LockName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, classify("open the lock file", err)
	}
	taken, err := lockFile(file)
	if err != nil {
		_ = file.Close()
		return nil, classify("lock the data directory", fmt.Errorf("%s: %w", path, err))
	}
	if !taken {
		defer file.Close()
		return nil, fault.New(fault.Conflict, DirectoryInUse, "%s is in use by another Rollcall (%s)", dir, holder(file)).
			WithHint("stop it first, or use another --data-dir")
	}
	if err := describe(file, who); err != nil {
		_ = file.Close()
		return nil, classify("write the lock file", err)
	}
	// The file stays: removing it would let two processes lock two files of one name.
	return func() error {
		if err := file.Truncate(0); err != nil {
			_ = file.Close()
			return fmt.Errorf("release the data directory: %w", err)
		}
		return file.Close()
	}, nil
}

// holder reads what the holder says about itself.
func holder(file *os.File) string {
	text, err := io.ReadAll(io.LimitReader(file, 1024))
	if who := strings.TrimSpace(string(text)); err == nil && who != "" {
		return who
	}
	return "it has not said which"
}

func describe(file *os.File, who string) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(who+"\n"), 0)
	return err
}
