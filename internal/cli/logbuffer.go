package cli

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// What a log may hold back: so many bytes, and for so long.
const (
	maxHeldLog = 32 << 10
	logDelay   = 20 * time.Millisecond
)

// logBuffer writes several lines of a log at once: under load a write for each request costs as
// much as its line. What is held back is written soon, at once after a warning or an error, and
// by close, so that nothing is missing after a stop. A process that is killed takes at most the
// lines of the last logDelay with it.
type logBuffer struct {
	to io.Writer

	mu     sync.Mutex
	held   []byte
	timer  *time.Timer // runs while something is held
	closed bool        // nothing is held any more
}

func newLogBuffer(to io.Writer) *logBuffer { return &logBuffer{to: to} }

// Write implements io.Writer. Errors of what has been held back are told to nobody, as slog does.
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return b.to.Write(line)
	}
	b.held = append(b.held, line...)
	switch {
	case len(b.held) >= maxHeldLog:
		b.flushLocked()
	case b.timer == nil:
		b.timer = time.AfterFunc(logDelay, b.flush) // it ends at once after close
	}
	return len(line), nil
}

// flush writes what is held back.
func (b *logBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flushLocked()
}

func (b *logBuffer) flushLocked() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	if len(b.held) > 0 {
		_, _ = b.to.Write(b.held)
		b.held = b.held[:0]
	}
}

// close writes what is held back. Later lines are written as they come.
func (b *logBuffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flushLocked()
	b.closed = true
}

// promptHandler has what is more than an information written at once.
type promptHandler struct {
	slog.Handler
	buffer *logBuffer
}

// Handle implements slog.Handler.
func (h promptHandler) Handle(ctx context.Context, rec slog.Record) error {
	err := h.Handler.Handle(ctx, rec)
	if rec.Level > slog.LevelInfo {
		h.buffer.flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (h promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptHandler{h.Handler.WithAttrs(attrs), h.buffer}
}

// WithGroup implements slog.Handler.
func (h promptHandler) WithGroup(name string) slog.Handler {
	return promptHandler{h.Handler.WithGroup(name), h.buffer}
}
