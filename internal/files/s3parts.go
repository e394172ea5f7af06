package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// s3Parts stores objects in parts. The writer that Amazon offers holds several parts in memory
// and cannot take back what it has stored once its context has ended.
type s3Parts struct {
	client *s3.Client
	bucket string
	prefix string
}

// firstRead is how much is read before there is a buffer for a whole part: most files are small.
const firstRead = 64 << 10

// keep stores an object: in one request if it is at most one part.
func (p *s3Parts) keep(ctx context.Context, key string, r io.Reader) (size int64, sent bool, err error) {
	part := make([]byte, firstRead)
	n, whole, err := fill(r, part)
	if err == nil && !whole {
		part = append(make([]byte, 0, partSize), part...)[:partSize]
		var more int
		more, whole, err = fill(r, part[n:])
		n += more
	}
	if err != nil {
		return 0, false, err
	}
	if whole {
		_, err := p.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &p.bucket, Key: p.object(key), Body: bytes.NewReader(part[:n]), ContentType: aws.String(contentType),
		})
		return int64(n), true, err
	}
	return p.keepInParts(ctx, key, part, r)
}

// fill reads until the buffer is full or the reader has ended, which it tells by whole.
func fill(r io.Reader, part []byte) (n int, whole bool, err error) {
	for n < len(part) && err == nil {
		var some int
		some, err = r.Read(part[n:])
		n += some
	}
	if err == io.EOF {
		return n, true, nil
	}
	return n, false, err
}

// keepInParts stores an object of which the first part is there.
func (p *s3Parts) keepInParts(ctx context.Context, key string, part []byte, r io.Reader) (size int64, sent bool, err error) {
	begun, err := p.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &p.bucket, Key: p.object(key), ContentType: aws.String(contentType), ChecksumAlgorithm: p.checksum(),
	})
	if err != nil {
		return 0, false, err
	}
	defer func() {
		if err != nil {
			cleanup, cancel := detached(ctx)
			defer cancel()
			p.abort(cleanup, p.object(key), begun.UploadId) //nolint:errcheck // the first error is the one to tell; what stays is swept later
		}
	}()
	var stored []types.CompletedPart
	for n, whole := len(part), false; ; {
		done, err := p.keepPart(ctx, key, begun.UploadId, int32(len(stored)+1), part[:n]) //nolint:gosec // a few thousand parts
		if err != nil {
			return 0, false, err
		}
		stored, size = append(stored, done), size+int64(n)
		if whole {
			break
		}
		if n, whole, err = fill(r, part); err != nil {
			return 0, false, err
		}
		if n == 0 {
			break
		}
	}
	_, err = p.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &p.bucket, Key: p.object(key), UploadId: begun.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: stored},
	})
	return size, true, err
}

func (p *s3Parts) keepPart(ctx context.Context, key string, upload *string, number int32, part []byte) (types.CompletedPart, error) {
	out, err := p.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &p.bucket, Key: p.object(key), UploadId: upload, PartNumber: &number,
		Body: bytes.NewReader(part), ChecksumAlgorithm: p.checksum(),
	})
	if err != nil {
		return types.CompletedPart{}, err
	}
	return types.CompletedPart{ETag: out.ETag, PartNumber: &number, ChecksumCRC32: out.ChecksumCRC32}, nil
}

// checksum is by what the service checks that a part has arrived as it was sent.
func (p *s3Parts) checksum() types.ChecksumAlgorithm {
	if p.client.Options().RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		return ""
	}
	return types.ChecksumAlgorithmCrc32
}

func (p *s3Parts) object(key string) *string { return aws.String(p.prefix + key) }

func (p *s3Parts) abort(ctx context.Context, object, upload *string) error {
	_, err := p.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &p.bucket, Key: object, UploadId: upload},
		func(o *s3.Options) { o.RetryMaxAttempts = 1 }) // what stays is swept later
	if code, _ := answerOf(err); code == "NoSuchUpload" {
		return nil
	}
	return err
}

// unfinishedAge is how much older than asked for an object must be that was never ended: the
// service tells when it was begun, not when its last part came.
const unfinishedAge = 24 * time.Hour

// before lists objects that were begun long enough before the time and never ended.
func (p *s3Parts) before(ctx context.Context, folder string, t time.Time) ([]string, error) {
	var keys []string
	err := p.each(ctx, folder+"/", func(u *types.MultipartUpload) error {
		key := aws.ToString(u.Key)[len(p.prefix):]
		if aws.ToTime(u.Initiated).Before(t.Add(-unfinishedAge)) && isKey(key) {
			keys = append(keys, key+partSuffix)
		}
		return nil
	})
	return keys, err
}

// drop drops the parts of an object that was never ended.
func (p *s3Parts) drop(ctx context.Context, key string) error {
	return p.each(ctx, key, func(u *types.MultipartUpload) error {
		if aws.ToString(u.Key) != p.prefix+key {
			return nil
		}
		return p.abort(ctx, u.Key, u.UploadId)
	})
}

// each calls do with the objects that are not whole and whose keys begin so. A service that
// does not list them has to forget them by itself.
func (p *s3Parts) each(ctx context.Context, begins string, do func(*types.MultipartUpload) error) error {
	pages := s3.NewListMultipartUploadsPaginator(p.client, &s3.ListMultipartUploadsInput{Bucket: &p.bucket, Prefix: p.object(begins)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if code, _ := answerOf(err); code == "NotImplemented" {
			return nil
		}
		if err != nil {
			return err
		}
		var errs []error
		for i := range page.Uploads {
			errs = append(errs, do(&page.Uploads[i]))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}
