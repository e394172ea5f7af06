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

// UploadDir is a [Files] in folders of a folder on this machine.
type UploadDir struct{ path string }

// partSuffix marks a file that is still being received.
const partSuffix = ".part"

// OpenUploadDir makes the folders if needed.
func OpenUploadDir(path string) (*UploadDir, error) {
	for _, folder := range []string{UploadFolder, OutputFolder} {
		if err := os.MkdirAll(filepath.Join(path, folder), 0o700); err != nil {
			return nil, fmt.Errorf("make folder of files: %w", err)
		}
	}
	return &UploadDir{path: path}, nil
}

// Save implements [Files].Save.
func (d *UploadDir) Save(ctx context.Context, folder string, r io.Reader) (key string, size int64, err error) {
	key = folder + "/" + uuid.NewString()
	whole := filepath.Join(d.path, filepath.FromSlash(key))
	part := whole + partSuffix
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
		return key, size, storageFault(err, "keep file")
	}
	if err = syncDir(filepath.Dir(whole)); err != nil {
		return key, size, storageFault(err, "keep file")
	}
	return key, size, ctx.Err()
}

func writeDurably(path string, r io.Reader) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, storageFault(err, "create file")
	}
	size, err = io.Copy(writerOnly{f}, r)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, storageFault(err, "store file")
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

// Open implements [Files].Open.
func (d *UploadDir) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	f, err := os.Open(d.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.NotFound, err, "the stored file is gone")
	}
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return f, nil
}

// Remove implements [Files].Remove.
func (d *UploadDir) Remove(_ context.Context, key string) error {
	if err := os.Remove(d.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove file: %w", err)
	}
	return nil
}

// Before implements [Files].Before. Files that were never received whole are listed too.
func (d *UploadDir) Before(_ context.Context, t time.Time) ([]string, error) {
	var keys []string
	for _, folder := range []string{UploadFolder, OutputFolder} {
		entries, err := os.ReadDir(filepath.Join(d.path, folder))
		if err != nil {
			return nil, fmt.Errorf("list files: %w", err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err == nil && info.Mode().IsRegular() && info.ModTime().Before(t) {
				keys = append(keys, folder+"/"+e.Name())
			}
		}
	}
	return keys, nil
}

// file is the path of a key. Keys are ours and are a folder and a name; Base makes sure.
func (d *UploadDir) file(key string) string {
	folder := UploadFolder
	if strings.HasPrefix(key, OutputFolder+"/") {
		folder = OutputFolder
	}
	return filepath.Join(d.path, folder, filepath.Base(key))
}
