package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// folder is a temporary folder for programs, which goes with the test process: another small
// shell removes it when the pipe closes that holds it. That shell also removes the shared
// memory of a PostgreSQL server that was killed, which the system would keep until it restarts.
type folder struct {
	path string
	held io.Closer
	gone chan struct{}
	err  error
}

const remover = `
read -r _
for lock in "$1"/*/postmaster.pid; do
  [ -f "$lock" ] || continue
  memory=$(sed -n 7p "$lock")
  [ -z "$memory" ] || ipcrm -m "${memory##* }"
done 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
  rm -rf "$1" 2>/dev/null && exit 0
  sleep 0.3 # a program that is about to end still writes there
done
exit 1`

// makeFolder makes a folder that belongs to the account, below base or else where temporary files
// are. A Unix socket in it has a short name.
func makeFolder(who *account, base string) (*folder, error) {
	if base == "" {
		base = os.TempDir()
	}
	const longest = 60 // of the 107 bytes that the name of a socket may have
	if len(base) > longest || !who.reaches(base) {
		base = "/tmp"
	}
	path, err := os.MkdirTemp(base, "pgtest-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", remover, "remover", path)
	cmd.Dir = "/"
	cmd.SysProcAttr = (&account{}).attributes()
	held, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the keeper of %s: %w", path, err), os.RemoveAll(path))
	}
	f := &folder{path: path, held: held, gone: make(chan struct{})}
	go func() {
		defer close(f.gone)
		f.err = cmd.Wait()
	}()
	if err := who.own(path); err != nil {
		return nil, errors.Join(err, f.remove())
	}
	return f, nil
}

// remove removes the folder with all that is in it.
func (f *folder) remove() error {
	f.held.Close()
	select {
	case <-f.gone:
		if f.err != nil {
			return fmt.Errorf("remove %s: %w", f.path, f.err)
		}
		return nil
	case <-time.After(stopLimit):
		return fmt.Errorf("remove %s: it takes too long", f.path)
	}
}
