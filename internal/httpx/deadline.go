package httpx

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// deadlines sets the read and write deadlines of one request's connection, each only while
// we wait for the client: an expired deadline that nobody waits on would still end an HTTP/2
// stream.
type deadlines struct {
	control *http.ResponseController
	now     func() time.Time
	stall   time.Duration
	http1   bool

	// bodyOpen says that the body's end has not been seen. On HTTP/1 net/http then reads what
	// is left of it before it sends the answer, and that wait needs a deadline too.
	bodyOpen atomic.Bool
}

func newDeadlines(w http.ResponseWriter, r *http.Request, now func() time.Time, stall time.Duration) *deadlines {
	return &deadlines{control: http.NewResponseController(w), now: now, stall: stall, http1: r.ProtoMajor == 1}
}

// guard gives the body's reads their deadline.
func (d *deadlines) guard(body io.ReadCloser) io.ReadCloser {
	if body == nil || body == http.NoBody {
		return http.NoBody
	}
	d.bodyOpen.Store(true)
	return &guardedBody{body: body, line: d}
}

// A writer that knows no deadlines, such as a test's recorder, has nothing that could stall:
// the errors of the Set calls are of no use to anyone.

func (d *deadlines) beforeRead() { _ = d.control.SetReadDeadline(d.now().Add(d.stall)) }
func (d *deadlines) afterRead()  { _ = d.control.SetReadDeadline(time.Time{}) }

func (d *deadlines) beforeWrite() {
	if d == nil {
		return
	}
	patience := d.stall
	if d.http1 && d.bodyOpen.Load() {
		d.beforeRead()
		patience *= 2 // the wait for the body comes first, and the answer must still get out
	}
	_ = d.control.SetWriteDeadline(d.now().Add(patience))
}

func (d *deadlines) afterWrite() {
	if d == nil {
		return
	}
	if d.http1 && d.bodyOpen.Load() {
		d.afterRead()
	}
	_ = d.control.SetWriteDeadline(time.Time{})
}

// beforeFlush sets the deadlines of what net/http does once the handler is done. It resets
// them itself before the connection's next request.
func (d *deadlines) beforeFlush() { d.beforeWrite() }
