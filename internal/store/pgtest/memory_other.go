//go:build !linux

package pgtest

// memoryFolder is a folder in memory with room for a test server; "": there is none.
func memoryFolder() string { return "" }
