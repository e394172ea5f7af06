// Package files owns the bytes that are too large for the database: what was uploaded, until
// its job has ended, and the output of jobs that have ended. It keeps them in a folder of this
// machine or in a bucket that all nodes of a deployment share. It does not know what is in a
// file, which job a file belongs to or when a file may go: it is asked by key.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/fault"
)

// folders are the kinds of files: the first parts of their keys. They are the folders that
// jobs names.
var folders = []string{"uploads", "outputs"}

// partSuffix marks the key of a file that was not received whole.
const partSuffix = ".part"

// A caller is told to come back after so many seconds: trouble with a network is over sooner
// than somebody has made room.
const (
	retryWhenFull = 60
	retryWhenAway = 5
)

// Config says where files are kept.
type Config struct {
	// URL is the folder or bucket, see [Open]; empty means the folder Dir.
	URL string

	// Dir is a folder of this machine, made if it does not exist. It may hold other things.
	Dir string

	idle time.Duration // s3IdleTime if 0; tests do not wait so long
}

// Files is a place that keeps files. It may be used by many at once.
type Files struct{ place place }

// place is a folder or a bucket. Its keys are checked, and its errors are ready for the caller.
type place interface {
	// save stores what r holds under the key, durably and whole or not at all. Under a fresh key,
	// which nobody else knows, it leaves nothing behind on an error; under another it takes
	// nothing away from what is there.
	save(ctx context.Context, key string, fresh bool, r io.Reader) (size int64, err error)
	size(ctx context.Context, key string) (int64, error)
	open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	// remove deletes a file, or what was received of it if the key ends in partSuffix.
	remove(ctx context.Context, key string) error
	// before lists what is older in a folder, what was not received whole with partSuffix.
	before(ctx context.Context, folder string, t time.Time) ([]string, error)
	close() error
	fmt.Stringer
}

// Open opens the place that the configuration names:
//
//   - nothing: the folder Dir
//   - file:///var/lib/rollcall: that folder, which may be one that several nodes mount
//   - s3://bucket: a bucket of Amazon S3 or of a service that speaks its protocol; the
//     parameters are in [s3Parameters]
//   - azblob://container: a container of Azure Blob Storage; parameters are prefix,
//     storage_account, domain and protocol
//
// A URL that names no place is a fault Invalid that says why without repeating what may be
// secret in it. Open makes folders, but sends nothing to a bucket: see [Files.Ping].
func Open(ctx context.Context, c Config) (*Files, error) {
	if c.URL == "" {
		return opened(openFolder(c.Dir))
	}
	a, err := parseAddress(c.URL)
	if err != nil {
		return nil, err
	}
	switch a.url.Scheme {
	case "file":
		return opened(openFileURL(a))
	case "s3":
		return opened(openS3(ctx, a, c.idle))
	case "azblob":
		return opened(openAzure(ctx, a))
	case "gs":
		return nil, invalid("files are not kept through Google's own protocol").
			WithHint("Google Cloud Storage speaks S3 too: make an HMAC key and write s3://bucket?endpoint=https://storage.googleapis.com")
	default:
		return nil, invalid("the URL is of no kind that files can be kept in").
			WithHint("write s3://bucket, azblob://container or file:///folder")
	}
}

func opened[P place](p P, err error) (*Files, error) {
	if err != nil {
		return nil, err
	}
	return &Files{place: p}, nil
}

// Save stores everything that r holds in one of the folders uploads and outputs and answers the
// file's key, "folder/uuid", and size once it is durable. On an error nothing is left behind,
// as far as the place can still be reached; [Files.Before] finds the rest. An error of r
// passes through. Fault StorageFull if there is no room, Unavailable if the place is away or
// denies access.
func (f *Files) Save(ctx context.Context, folder string, r io.Reader) (key string, size int64, err error) {
	if !slices.Contains(folders, folder) {
		return "", 0, fmt.Errorf("save a file: there is no folder %q", folder)
	}
	key = folder + "/" + uuid.NewString()
	if size, err = f.put(ctx, key, true, r); err != nil {
		return "", 0, err
	}
	return key, size, nil
}

// Put stores what r holds as Save does, under a key that another place has given out. A file
// that is there already stays whole until the new one is: one of the two is there even after an
// error.
func (f *Files) Put(ctx context.Context, key string, r io.Reader) (size int64, err error) {
	if !isKey(key) {
		return 0, fmt.Errorf("store a file: %q is no key", key)
	}
	return f.put(ctx, key, false, r)
}

func (f *Files) put(ctx context.Context, key string, fresh bool, r io.Reader) (size int64, err error) {
	from := &source{r: r}
	size, err = f.place.save(ctx, key, fresh, from)
	switch {
	case from.err != nil: // what follows from it tells less
		return 0, roomFault(from.err, "receive file")
	case err != nil:
		return 0, err
	}
	return size, nil
}

// Open opens a stored file. Reading streams, so it works as long as ctx does; after Seek it
// goes on at the new place. Fault NotFound if there is no such file, Unavailable if the place
// is away, and so for a read that fails midway.
func (f *Files) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if !isKey(key) {
		return nil, gone(nil)
	}
	return f.place.open(ctx, key)
}

// Size answers how many bytes a stored file has; a file that is there is whole. Fault NotFound if
// there is no such file, Unavailable if the place is away.
func (f *Files) Size(ctx context.Context, key string) (int64, error) {
	if !isKey(key) {
		return 0, gone(nil)
	}
	return f.place.size(ctx, key)
}

// Remove deletes a stored file, or what was received of one; a missing one is no error. Fault
// Unavailable if the place is away.
func (f *Files) Remove(ctx context.Context, key string) error {
	if !isKey(key) {
		return nil
	}
	return f.place.remove(ctx, key)
}

// Before lists the keys of files stored before the time by the clock of the place, those that
// were never received whole included: those of which nothing has come since the time, or, in S3,
// which were begun more than a day before it. Fault Unavailable if the place is away.
func (f *Files) Before(ctx context.Context, t time.Time) ([]string, error) {
	var keys []string
	for _, folder := range folders {
		some, err := f.place.before(ctx, folder, t)
		if err != nil {
			return nil, err
		}
		keys = append(keys, slices.DeleteFunc(some, isMark)...)
	}
	return keys, nil
}

// Ping tells whether the place can be reached, written to, read, listed and cleared, by doing
// so with a small file. Its faults are those of the other methods.
func (f *Files) Ping(ctx context.Context) error {
	const text = "rollcall was here\n"
	key, _, err := f.Save(ctx, folders[0], strings.NewReader(text))
	if err != nil {
		return err
	}
	err = f.readBack(ctx, key, text)
	if err == nil {
		_, err = f.place.before(ctx, folders[0], time.Time{})
	}
	if rest := f.Remove(ctx, key); err == nil {
		err = rest
	}
	return err
}

func (f *Files) readBack(ctx context.Context, key, want string) error {
	file, err := f.Open(ctx, key)
	if err != nil {
		return err
	}
	defer file.Close()
	got, err := io.ReadAll(file)
	if err == nil && string(got) != want {
		err = away(nil, "the file storage does not give back what it was given")
	}
	return err
}

// String names the place for logs, without secrets.
func (f *Files) String() string { return f.place.String() }

// Close lets go of connections. Files that are open must be closed first.
func (f *Files) Close() error { return f.place.close() }

// isKey tells whether a key is one of ours: a folder and a name that leads nowhere else.
func isKey(key string) bool {
	folder, name, _ := strings.Cut(key, "/")
	return slices.Contains(folders, folder) && name != "" && name != "." && name != ".." &&
		!strings.ContainsAny(name, "/\\\x00")
}

// source is a reader that keeps its error, so that it is not taken for one of the place.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func isFault(err error) bool {
	var known *fault.Error
	return errors.As(err, &known)
}

func gone(cause error) *fault.Error {
	return fault.Wrap(fault.NotFound, cause, "the file is gone")
}

func full(cause error) *fault.Error {
	f := fault.Wrap(fault.StorageFull, cause, "there is no room to store the file")
	f.RetryAfterSeconds = retryWhenFull
	return f
}

func away(cause error, message string) *fault.Error {
	f := fault.Wrap(fault.Unavailable, cause, "%s", message)
	f.RetryAfterSeconds = retryWhenAway
	return f
}
