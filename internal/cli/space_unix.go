//go:build linux || darwin || freebsd

package cli

import "syscall"

// freeSpace tells how many bytes this user can still write to the folder's file system.
func freeSpace(dir string) (free int64, known bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false, err
	}
	return int64(s.Bavail) * int64(s.Bsize), true, nil
}
