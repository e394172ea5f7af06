package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// folder keeps files as files: the key is the path below it. The driver that gocloud.dev has
// for folders would not do: it syncs nothing to the disk, makes a folder anew that has gone
// away, and takes a folder that it cannot read for an empty one.
type folder struct{ path string }

func openFolder(path string) (*folder, error) {
	for _, name := range folders {
		if err := os.MkdirAll(filepath.Join(path, name), 0o700); err != nil {
			return nil, fmt.Errorf("make folder for files: %w", err)
		}
	}
	return &folder{path: path}, nil
}

func openFileURL(a *address) (*folder, error) {
	if host := a.url.Host; host != "" && host != "localhost" || !filepath.IsAbs(a.url.Path) || a.url.RawQuery != "" {
		return nil, invalid("the URL names no folder").WithHint("write file:// and an absolute path, as in file:///var/lib/rollcall")
	}
	return openFolder(filepath.FromSlash(a.url.Path))
}

func (d *folder) save(ctx context.Context, key string, fresh bool, r io.Reader) (size int64, err error) {
	whole := d.file(key)
	part := whole + partSuffix
	if !fresh { // another may be storing the same, or was killed as it did
		part = whole + "." + uuid.NewString() + partSuffix
	}
	if size, err = writeDurably(part, r); err == nil {
		err = keepPart(ctx, part, whole)
	}
	if err == nil {
		return size, nil
	}
	os.Remove(part) //nolint:errcheck // the first error is the one to tell; what stays is swept later
	if fresh {
		os.Remove(whole) //nolint:errcheck // as above
	}
	return 0, err
}

// keepPart gives a file that was received whole its name.
func keepPart(ctx context.Context, part, whole string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	if err := os.Rename(part, whole); err != nil {
		return roomFault(err, "keep file")
	}
	if err := syncDir(filepath.Dir(whole)); err != nil {
		return roomFault(err, "keep file")
	}
	return nil
}

func writeDurably(path string, r io.Reader) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, roomFault(err, "create file")
	}
	size, err = io.Copy(writerOnly{f}, r)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, roomFault(err, "store file")
	}
	return size, nil
}

// writerOnly hides ReadFrom, so that io.Copy reads from the body in its own flat buffer.
type writerOnly struct{ io.Writer }

// roomFault tells a full disk from other trouble; faults of the reader pass through.
func roomFault(err error, doing string) error {
	if isFault(err) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return full(err)
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

func (d *folder) open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	f, err := os.Open(d.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, gone(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return f, nil
}

func (d *folder) size(_ context.Context, key string) (int64, error) {
	info, err := os.Stat(d.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, gone(err)
	}
	if err != nil {
		return 0, fmt.Errorf("look at file: %w", err)
	}
	return info.Size(), nil
}

func (d *folder) remove(_ context.Context, key string) error {
	if err := os.Remove(d.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove file: %w", err)
	}
	return nil
}

func (d *folder) before(_ context.Context, name string, t time.Time) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.path, name))
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	var keys []string
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && info.ModTime().Before(t) {
			keys = append(keys, name+"/"+e.Name())
		}
	}
	return keys, nil
}

func (d *folder) file(key string) string { return filepath.Join(d.path, filepath.FromSlash(key)) }

func (d *folder) close() error { return nil }

func (d *folder) String() string { return "folder " + d.path }
