package httpx

import (
	"errors"
	"io"
	"net/http"
)

// writePiece is what one write deadline covers: a client must take this much in one stall time.
const writePiece = 32 << 10 // bytes

// responseWriter notices status, size and the beginning of an answer, and gives each piece of
// it a write deadline.
type responseWriter struct {
	http.ResponseWriter
	line   *deadlines // nil: no deadlines
	status int        // 0 until the answer has begun
	bytes  int64      // of the body
	wrote  bool       // the answer has begun
	twice  bool       // somebody tried to begin it again
	gone   bool       // the connection failed: the client left, or took nothing for a stall time
}

// Unwrap lets http.ResponseController reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader begins the answer; the 1xx statuses only announce it.
func (w *responseWriter) WriteHeader(status int) {
	if w.wrote {
		w.twice = true // the first status stands; the access record tells
		return
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends p piece by piece, so that the deadline measures progress and not size.
func (w *responseWriter) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	total := 0
	for {
		piece := p[total:min(len(p), total+writePiece)]
		w.line.beforeWrite()
		n, err := w.ResponseWriter.Write(piece)
		w.line.afterWrite()
		total += n
		w.bytes += int64(n)
		if err != nil {
			w.gone = !errors.Is(err, http.ErrBodyNotAllowed) && !errors.Is(err, http.ErrContentLength)
			return total, err
		}
		if total >= len(p) {
			return total, nil
		}
		if n < len(piece) {
			return total, io.ErrShortWrite
		}
	}
}

// Flush sends what is buffered.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError sends what is buffered, under the write deadline.
func (w *responseWriter) FlushError() error {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	w.line.beforeWrite()
	defer w.line.afterWrite()
	return http.NewResponseController(w.ResponseWriter).Flush()
}
