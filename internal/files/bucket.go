package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// partSize is how many bytes of a file are held in memory while it is stored: the least that
// S3 takes as a part of an object. At most 10,000 parts make an object of 48 GiB.
const partSize = 5 << 20

// cleanupTime is how long taking back a failed upload may go on after its caller has left.
const cleanupTime = 5 * time.Second

// bucket keeps files as objects of a store that is reached over a network.
type bucket struct {
	*blob.Bucket
	name string // for people

	// keep stores an object. Sent tells whether the store was asked to make the object, so that
	// there may be one even if it failed.
	keep func(ctx context.Context, key string, r io.Reader) (size int64, sent bool, err error)

	// parts finds objects that are not whole, and dropParts drops what there is of one. They
	// are nil where the store itself forgets such objects after some days.
	parts     func(ctx context.Context, folder string, t time.Time) (keys []string, err error)
	dropParts func(ctx context.Context, key string) error
}

func (b *bucket) save(ctx context.Context, key string, fresh bool, r io.Reader) (size int64, err error) {
	size, sent, err := b.keep(ctx, key, r)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		return size, nil
	}
	if sent && fresh { // else it is whole, and may have been there before
		cleanup, cancel := detached(ctx)
		defer cancel()
		b.Delete(cleanup, key) //nolint:errcheck // the first error is the one to tell; what stays is swept later
	}
	return 0, b.fault(ctx, err, "store file")
}

// contentType is that of all objects: what is in them is nobody's business but ours.
const contentType = "application/octet-stream"

// detached is a context for taking back what was begun under ctx, even if that has ended.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
}

func (b *bucket) open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	r, err := b.NewReader(ctx, key, nil)
	if err != nil {
		return nil, b.fault(ctx, err, "open file")
	}
	return &stream{ctx: ctx, bucket: b, r: r}, nil
}

func (b *bucket) size(ctx context.Context, key string) (int64, error) {
	found, err := b.Attributes(ctx, key)
	if err != nil {
		return 0, b.fault(ctx, err, "look at file")
	}
	return found.Size, nil
}

func (b *bucket) remove(ctx context.Context, key string) error {
	if whole, ok := wholeKey(key); ok && b.dropParts != nil {
		return b.fault(ctx, b.dropParts(ctx, whole), "drop parts of a file")
	}
	err := b.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return b.fault(ctx, err, "remove file")
}

func (b *bucket) before(ctx context.Context, folder string, t time.Time) ([]string, error) {
	var keys []string
	for objects := b.List(&blob.ListOptions{Prefix: folder + "/"}); ; {
		object, err := objects.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, b.fault(ctx, err, "list files")
		}
		if !object.IsDir && object.ModTime.Before(t) && isKey(object.Key) {
			keys = append(keys, object.Key)
		}
	}
	if b.parts == nil {
		return keys, nil
	}
	parts, err := b.parts(ctx, folder, t)
	if err != nil {
		return nil, b.fault(ctx, err, "list parts of files")
	}
	return slices.Concat(keys, parts), nil
}

func (b *bucket) close() error { return b.Close() }

func (b *bucket) String() string { return b.name }

// fault tells what a caller can do about an error of the store. Only the end of the caller's
// own context stays what it is.
func (b *bucket) fault(ctx context.Context, err error, doing string) error {
	if err == nil || isFault(err) {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%s: %w", doing, ended)
	}
	cause := fmt.Errorf("%s in %s: %s", doing, b.name, withoutQueries(err.Error()))
	code, status := answerOf(err)
	switch {
	case status == http.StatusInsufficientStorage || slices.Contains(codesOfFull, code):
		return full(cause)
	case slices.Contains(codesOfNoBucket, code):
		return away(cause, "the bucket of the file storage does not exist")
	case gcerrors.Code(err) == gcerrors.NotFound:
		return gone(cause)
	case status == http.StatusForbidden || status == http.StatusUnauthorized || gcerrors.Code(err) == gcerrors.PermissionDenied:
		return away(cause, "the file storage denies access")
	}
	return away(cause, "the file storage is not available")
}

// Codes by which stores answer, of S3 and its kin and of Azure.
var (
	codesOfFull     = []string{"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientAccountStorage"}
	codesOfNoBucket = []string{"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"}
)

// answerOf finds the code and the HTTP status by which the store answered, if it did.
func answerOf(err error) (code string, status int) {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		code = coded.ErrorCode()
	}
	var answered interface{ HTTPStatusCode() int }
	if errors.As(err, &answered) {
		status = answered.HTTPStatusCode()
	}
	return code, status
}

// queries are what follows an address in the text of an error: a token may be in it.
var queries = regexp.MustCompile(`\?[^\s"']+`)

func withoutQueries(text string) string { return queries.ReplaceAllString(text, "") }
