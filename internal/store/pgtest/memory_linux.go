package pgtest

import "syscall"

// memoryFolder is a folder in memory with room for a test server, "" if there is none. Nothing
// is written to a disk there, which making and dropping hundreds of databases takes long for.
func memoryFolder() string {
	const path, needed = "/dev/shm", 4 << 30
	var room syscall.Statfs_t
	if err := syscall.Statfs(path, &room); err != nil || room.Bavail*uint64(room.Bsize) < needed { //nolint:gosec // a block's size is above 0
		return ""
	}
	return path
}
