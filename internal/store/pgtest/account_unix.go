//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is the user whom the programs run as. PostgreSQL and PgBouncer refuse to run as root.
type account struct {
	uid, gid uint32
	other    bool // not who runs the tests
}

// unprivileged answers who runs the tests, or for root the user postgres, else nobody.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return &account{}, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		found, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user to run PostgreSQL as, since root may not: %w", err)
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", found.Username, err)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", found.Username, err)
	}
	return &account{uid: uint32(uid), gid: uint32(gid), other: true}, nil
}

func (a *account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if a.other {
		attributes.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attributes
}

// own gives a folder to the account.
func (a *account) own(folder string) error {
	if !a.other {
		return nil
	}
	return os.Chown(folder, int(a.uid), int(a.gid))
}

// reaches tells whether the account can go through the folder and all those above it.
func (a *account) reaches(folder string) bool {
	for a.other {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm()&1 == 0 {
			return false
		}
		if folder == filepath.Dir(folder) {
			break
		}
		folder = filepath.Dir(folder)
	}
	return true
}

// killAll kills a process and its children at once. The parent is held first, so that it
// starts no more of them. Without /proc only the parent is killed; PostgreSQL's other
// processes then end when they see that.
func killAll(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("hold process %d: %w", pid, err)
	}
	var failed error
	for _, one := range append(children(pid), pid) {
		if err := syscall.Kill(one, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			failed = fmt.Errorf("kill process %d: %w", one, err)
		}
	}
	return failed
}

// children lists the processes whose parent is pid.
func children(pid int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var found []int
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil { // it has ended meanwhile
			continue
		}
		// "pid (name) state parent ...", where the name may hold anything
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(stat))); err == nil {
			found = append(found, child)
		}
	}
	return found
}
