package jobs

import (
	"context"
	"io"
	"time"
)

// The folders of [Files].
const (
	UploadFolder = "uploads" // files that jobs were submitted with, until the job has ended
	OutputFolder = "outputs" // outputs of jobs that have ended
)

// Files keeps files that are too large for the database, where all nodes reach them. Methods
// answer fault.Unavailable while they cannot be reached.
type Files interface {
	// Save stores everything that r holds and answers the file's key, which is the folder, a
	// slash and a uuid, and its size in bytes once it is durable. On an error nothing is left
	// behind. An error of r passes through; fault.StorageFull when there is no room.
	Save(ctx context.Context, folder string, r io.Reader) (key string, size int64, err error)

	// Open opens a stored file; fault.NotFound if there is none. A read that fails midway is
	// fault.Unavailable.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)

	// Remove deletes a stored file; a missing one is no error.
	Remove(ctx context.Context, key string) error

	// Before lists the keys of the files of both folders that were stored before the time, and
	// of those that were never received whole.
	Before(ctx context.Context, t time.Time) ([]string, error)
}
