package cli

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// logSink counts writes and keeps them.
type logSink struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
	wrote  chan struct{} // gets a value at each write, if somebody waits
}

func (s *logSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *logSink) lines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), "\n")
}

// Every line is written once and whole, however many write, and all of them by the end.
func TestLogBufferLosesNothing(t *testing.T) {
	t.Parallel()
	sink := &logSink{}
	buffer := newLogBuffer(sink)
	log := slog.New(promptHandler{slog.NewTextHandler(buffer, nil), buffer})
	const writers, each = 8, 500
	var group sync.WaitGroup
	for n := range writers {
		group.Go(func() {
			for i := range each {
				log.With("n", n).Info("line", "i", i)
			}
		})
	}
	group.Wait()
	buffer.close()
	text := sink.text.String()
	for n := range writers {
		for i := range each {
			if want := fmt.Sprintf("msg=line n=%d i=%d\n", n, i); strings.Count(text, want) != 1 {
				t.Fatalf("%q is there %d times", want, strings.Count(text, want))
			}
		}
	}
	if got := sink.lines(); got != writers*each || sink.writes >= got/10 {
		t.Errorf("%d lines in %d writes", got, sink.writes)
	}
	log.Info("after the end")
	if !strings.Contains(sink.text.String(), "after the end") {
		t.Error("a line after the end is held back")
	}
	buffer.close() // again
}

// Trouble is written at once, with what was held back before it; all else before long.
func TestLogBufferIsPrompt(t *testing.T) {
	t.Parallel()
	sink := &logSink{wrote: make(chan struct{}, 1)}
	buffer := newLogBuffer(sink)
	defer buffer.close()
	log := slog.New(promptHandler{slog.NewTextHandler(buffer, nil), buffer})
	log.Info("first")
	log.WithGroup("g").Warn("trouble")
	if got := sink.lines(); got != 2 {
		t.Errorf("%d lines are there after trouble, want both", got)
	}
	<-sink.wrote
	log.Info("by and by")
	<-sink.wrote
	if got := sink.lines(); got != 3 {
		t.Errorf("%d lines are there after a while, want 3", got)
	}
}
