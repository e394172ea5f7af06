package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// draft is a file that is written under a passing name beside its own, so that under its own
// name there is never half a file.
type draft struct {
	*os.File
	path string
}

// newDraft starts the file that is to be at path.
func newDraft(path string) (*draft, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.part")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &draft{File: f, path: path}, nil
}

// discard drops the draft, unless it has been kept.
func (d *draft) discard() {
	_ = d.File.Close()
	_ = os.Remove(d.File.Name())
}

// keep makes the draft durable and gives it its name, replacing what was there.
func (d *draft) keep() error {
	err := errors.Join(d.File.Sync(), d.File.Close())
	if err == nil {
		err = os.Rename(d.File.Name(), d.path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(d.path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path, err)
	}
	return nil
}

// keepNew is keep for a file that must not exist yet, not even by now.
func (d *draft) keepNew() error {
	err := errors.Join(d.File.Sync(), d.File.Close())
	if err == nil {
		err = os.Link(d.File.Name(), d.path)
	}
	if errors.Is(err, os.ErrExist) {
		return failed("%s exists already", d.path).withHint("name another file")
	}
	if err == nil {
		err = errors.Join(os.Remove(d.File.Name()), syncFolder(filepath.Dir(d.path)))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path, err)
	}
	return nil
}

// writeWhole writes a small file as a whole.
func writeWhole(path string, data []byte) error {
	return writeFrom(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// writeFrom writes a file as a whole; if write fails, what was at path stays.
func writeFrom(path string, write func(io.Writer) error) error {
	d, err := newDraft(path)
	if err != nil {
		return err
	}
	defer d.discard()
	if err := write(d.File); err != nil {
		return err
	}
	return d.keep()
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
