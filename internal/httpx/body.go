package httpx

import (
	"errors"
	"io"
	"net/http"
	"os"

	"rollcall/internal/fault"
)

// guardedBody gives each read of a request's body a deadline and turns the client's troubles
// into faults, so that none of them counts as ours. An error stays: reading goes no further.
type guardedBody struct {
	body io.ReadCloser
	line *deadlines
	err  error
}

// Read reads on. Errors: fault.Invalid with CodeBodyStalled or CodeBodyBroken.
func (b *guardedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.line.beforeRead()
	n, err := b.body.Read(p)
	switch {
	case err == nil:
		b.line.afterRead()
		return n, nil
	case errors.Is(err, io.EOF):
		b.err = io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		e := fault.Wrap(fault.Invalid, err, "the request body stalled")
		e.Code = CodeBodyStalled
		b.err = e.WithHint("send the body without pauses, or try again")
		b.line.bodyOpen.Store(false)
		return n, b.err // the deadline stays passed: what is left of the body is not waited for again
	case errors.Is(err, http.ErrBodyReadAfterClose):
		b.err = err // a handler's defect, not the client's
	default:
		e := fault.Wrap(fault.Invalid, err, "the request body could not be read to its end")
		e.Code = CodeBodyBroken
		b.err = e
	}
	b.line.bodyOpen.Store(false)
	b.line.afterRead()
	return n, b.err
}

// Close lets net/http skip a short rest of the body, under the same deadline.
func (b *guardedBody) Close() error {
	if b.line.bodyOpen.Swap(false) {
		b.line.beforeRead()
		defer b.line.afterRead()
	}
	return b.body.Close()
}

// Body returns the request's body, cut at max bytes: the read past them answers fault.TooLarge
// with CodeBodyTooLarge, at once where the declared length is already too much. Behind a
// [Front] a body that stalls answers fault.Invalid with CodeBodyStalled, and one that ends
// early CodeBodyBroken. Nothing is buffered.
func Body(r *http.Request, max int64) io.ReadCloser {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	b := &limitedBody{body: body, left: max, max: max}
	if r.ContentLength > max {
		b.err = b.tooLarge()
	}
	return b
}

type limitedBody struct {
	body      io.ReadCloser
	left, max int64 // bytes
	err       error
}

func (b *limitedBody) tooLarge() error {
	return fault.New(fault.TooLarge, CodeBodyTooLarge, "the request body is larger than %d bytes", b.max)
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p))-1 > b.left { // one byte more tells a body of exactly max from a longer one
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if int64(n) <= b.left {
		b.left -= int64(n)
		b.err = err
		return n, err
	}
	n, b.left = int(b.left), 0
	b.err = b.tooLarge()
	return n, b.err
}

func (b *limitedBody) Close() error { return b.body.Close() }
