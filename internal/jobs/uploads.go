package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/fault"
)

// Uploads keeps uploaded files until their job has ended.
type Uploads interface {
	// Save stores everything that r holds and answers the file's key and size once it is
	// durable. On an error nothing is left behind. An error of r passes through.
	Save(ctx context.Context, r io.Reader) (key string, size int64, err error)

	// Open opens a stored file; fault NotFound if there is none.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)

	// Remove deletes a stored file; a missing one is no error.
	Remove(ctx context.Context, key string) error

	// Before lists the keys of files stored before the time.
	Before(ctx context.Context, t time.Time) ([]string, error)
}

// UploadDir is an [Uploads] in a folder of its own on this machine.
type UploadDir struct{ path string }

// partSuffix marks a file that is still being received.
const partSuffix = ".part"

// OpenUploadDir makes the folder if needed.
func OpenUploadDir(path string) (*UploadDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make upload folder: %w", err)
	}
	return &UploadDir{path: path}, nil
}

// Save implements [Uploads].Save.
func (d *UploadDir) Save(ctx context.Context, r io.Reader) (key string, size int64, err error) {
	key = uuid.NewString()
	part, whole := filepath.Join(d.path, key+partSuffix), filepath.Join(d.path, key)
	defer func() {
		if err != nil {
			os.Remove(part)  //nolint:errcheck // the first error is the one to tell; what stays is swept later
			os.Remove(whole) //nolint:errcheck // as above
			key, size = "", 0
		}
	}()
	if size, err = writeDurably(part, r); err != nil {
		return key, size, err
	}
	if err = os.Rename(part, whole); err != nil {
		return key, size, storageFault(err, "keep upload")
	}
	if err = syncDir(d.path); err != nil {
		return key, size, storageFault(err, "keep upload")
	}
	return key, size, ctx.Err()
}

func writeDurably(path string, r io.Reader) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, storageFault(err, "create upload")
	}
	size, err = io.Copy(writerOnly{f}, r)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, storageFault(err, "store upload")
	}
	return size, nil
}

// writerOnly hides ReadFrom, so that io.Copy reads from the body in its own flat buffer.
type writerOnly struct{ io.Writer }

// storageFault tells a full disk from other trouble; faults of the reader pass through.
func storageFault(err error, doing string) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		full := fault.Wrap(fault.StorageFull, err, "there is no room to store the file")
		full.RetryAfterSeconds = 60
		return full
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if closeErr := dir.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Open implements [Uploads].Open.
func (d *UploadDir) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	f, err := os.Open(d.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.NotFound, err, "the uploaded file is gone")
	}
	if err != nil {
		return nil, fmt.Errorf("open upload: %w", err)
	}
	return f, nil
}

// Remove implements [Uploads].Remove.
func (d *UploadDir) Remove(_ context.Context, key string) error {
	if err := os.Remove(d.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove upload: %w", err)
	}
	return nil
}

// Before implements [Uploads].Before. Files that were never received whole are listed too.
func (d *UploadDir) Before(_ context.Context, t time.Time) ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	var keys []string
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && info.ModTime().Before(t) {
			keys = append(keys, e.Name())
		}
	}
	return keys, nil
}

// file is the path of a key. Keys are ours and hold no separators; Base makes sure.
func (d *UploadDir) file(key string) string {
	return filepath.Join(d.path, filepath.Base(strings.TrimSpace(key)))
}
