package files

import (
	"context"
	"fmt"
	"io"
	"strings"

	"gocloud.dev/blob"
)

// stream reads an object. It goes on at a new place by asking for the rest from there on, once
// somebody reads.
type stream struct {
	ctx    context.Context // of whoever opened it: reading asks the store again
	bucket *bucket
	r      *blob.Reader
	at     int64 // where the next read begins
	moved  bool  // r stands elsewhere
}

// Read implements [io.Reader]. A connection that breaks is a fault Unavailable.
func (s *stream) Read(p []byte) (int, error) {
	if s.at >= s.r.Size() {
		return 0, io.EOF // stores refuse a range that begins at the end
	}
	if s.moved {
		if _, err := s.r.Seek(s.at, io.SeekStart); err != nil {
			return 0, s.bucket.fault(s.ctx, err, "seek in file")
		}
		s.moved = false
	}
	n, err := s.r.Read(p)
	s.at += int64(n)
	if err == io.EOF && s.at < s.r.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, s.bucket.fault(s.ctx, err, "read file")
}

// Seek implements [io.Seeker].
func (s *stream) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.r.Size()
	}
	if offset < 0 || whence < io.SeekStart || whence > io.SeekEnd {
		return 0, fmt.Errorf("seek in file: there is no place %d (%d)", offset, whence)
	}
	s.moved = s.moved || offset != s.at
	s.at = offset
	return offset, nil
}

// Close implements [io.Closer].
func (s *stream) Close() error {
	return s.bucket.fault(s.ctx, s.r.Close(), "close file")
}

// wholeKey is the key of the file of which a key names what was received.
func wholeKey(key string) (string, bool) { return strings.CutSuffix(key, partSuffix) }
