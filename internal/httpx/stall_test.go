package httpx

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// front serves a handler behind a front over a real socket.
func (h *harness) serve(t *testing.T, stall time.Duration, handler HandlerFunc) *testServer {
	t.Helper()
	h.front.Stall = stall
	return serve(t, ServerConfig{Handler: h.front.Wrap(Adapt(RenderMessage)(handler))})
}

func discardBody(_ http.ResponseWriter, r *http.Request) error {
	_, err := io.Copy(io.Discard, Body(r, 1<<30))
	return err
}

func TestStalledBodyIsCut(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"declared": "Content-Length: 1000\r\n\r\nsome",
		"chunked":  "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			s := h.serve(t, 100*time.Millisecond, discardBody)
			conn := s.dial()
			send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\n"+head)
			in := bufio.NewReader(conn)
			if status, body := receive(t, in); status != 408 || !strings.Contains(body, "the request body stalled") {
				t.Errorf("answer = %d %s, want 408", status, body)
			}
			if rest, err := io.ReadAll(in); err != nil || len(rest) != 0 {
				t.Errorf("after the answer: %q, %v; want a closed connection", rest, err)
			}
			if err := s.end(); err != nil {
				t.Errorf("Serve: %v", err)
			}
			if got := h.record(t); got["code"] != string(CodeBodyStalled) || got["status"] != 408. {
				t.Errorf("record = %v", got)
			}
		})
	}
}

// A handler that refuses without reading leaves the body to net/http, which must not wait for
// it for ever.
func TestStalledUnreadBodyIsCut(t *testing.T) {
	t.Parallel()
	h := newHarness()
	s := h.serve(t, 100*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) error {
		return WriteJSON(w, http.StatusUnauthorized, strings.Repeat("x", 100))
	})
	conn := s.dial()
	send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nsome")
	if status, _ := receive(t, bufio.NewReader(conn)); status != 401 {
		t.Errorf("status = %d, want 401", status)
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// A body that takes far longer than the stall time but never pauses for as long is taken
// whole, and the connection's next request comes through after a pause that would be a stall.
func TestSlowSteadyBodyIsTaken(t *testing.T) {
	t.Parallel()
	const stall, pieces = 400 * time.Millisecond, 16
	h := newHarness()
	s := h.serve(t, stall, func(w http.ResponseWriter, r *http.Request) error {
		n, err := io.Copy(io.Discard, Body(r, 1<<20))
		if err != nil {
			return err
		}
		return WriteJSON(w, 200, n)
	})
	conn := s.dial()
	in := bufio.NewReader(conn)
	for round := range 2 {
		send(t, conn, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", pieces))
		tick := time.NewTicker(stall / 8)
		for range pieces {
			<-tick.C
			send(t, conn, "x")
		}
		tick.Stop()
		if status, body := receive(t, in); status != 200 || body != fmt.Sprint(pieces) {
			t.Fatalf("round %d: answer = %d %s", round, status, body)
		}
		<-time.After(stall + stall/4) // the pause itself is under test
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// A handler may think for longer than the stall time, before and after it has written.
func TestSlowHandlerIsNotAStall(t *testing.T) {
	t.Parallel()
	const stall = 50 * time.Millisecond
	h := newHarness()
	s := h.serve(t, stall, func(w http.ResponseWriter, r *http.Request) error {
		if _, err := io.Copy(io.Discard, Body(r, 10)); err != nil {
			return err
		}
		for range 2 {
			<-time.After(2 * stall) // the pause itself is under test
			if _, err := io.WriteString(w, "x"); err != nil {
				return err
			}
		}
		<-time.After(2 * stall)
		return r.Context().Err()
	})
	conn := s.dial()
	send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nsome")
	if status, body := receive(t, bufio.NewReader(conn)); status != 200 || body != "xx" {
		t.Errorf("answer = %d %q, want 200 xx", status, body)
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if got := h.record(t); got["fault"] != nil {
		t.Errorf("record = %v, want no fault", got)
	}
}

// A client that stops reading is dropped, whether the answer comes in many writes or in one.
func TestStalledReaderIsDropped(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"many writes": 8 << 10, "one write": 64 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			started := make(chan struct{})
			s := h.serve(t, 100*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) error {
				close(started)
				piece := make([]byte, size)
				for { // until the client is given up
					if _, err := w.Write(piece); err != nil {
						return Cut(err)
					}
				}
			})
			conn := s.dial()
			send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			<-started
			if err := s.end(); err != nil { // waits for the handler, within the grace
				t.Errorf("Serve: %v", err)
			}
			if got := h.record(t); got["status"] != 499. || got["aborted"] != true {
				t.Errorf("record = %v, want a 499", got)
			}
		})
	}
}

func TestClientThatHangsUp(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"while it waits":  "\r\n",
		"inside its body": "Content-Length: 1000\r\n\r\nsome",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			started := make(chan struct{})
			s := h.serve(t, patience, func(w http.ResponseWriter, r *http.Request) error {
				close(started)
				if err := discardBody(w, r); err != nil {
					return err
				}
				<-r.Context().Done()
				return fmt.Errorf("query: %w", context.Cause(r.Context()))
			})
			conn := s.dial()
			send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\n"+head)
			<-started
			_ = conn.Close()
			if err := s.end(); err != nil {
				t.Errorf("Serve: %v", err)
			}
			if got := h.record(t); got["status"] != 499. || got["level"] != "INFO" || got["error"] != nil {
				t.Errorf("record = %v, want a quiet 499", got)
			}
		})
	}
}

// The client of an answer that was cut must be able to tell.
func TestCutAnswerIsSeenByTheClient(t *testing.T) {
	t.Parallel()
	h := newHarness()
	s := h.serve(t, patience, func(w http.ResponseWriter, _ *http.Request) error {
		if _, err := io.WriteString(w, "half a"); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		return Cut(errors.New("database away"))
	})
	conn := s.dial()
	send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "half a" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("body = %q, %v; want it cut", got, err)
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestBodyTooLargeOverTheWire(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{
		"declared": "Content-Length: 50\r\n\r\n" + strings.Repeat("x", 50),
		"chunked":  "Transfer-Encoding: chunked\r\n\r\n32\r\n" + strings.Repeat("x", 50) + "\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness()
			s := h.serve(t, patience, func(_ http.ResponseWriter, r *http.Request) error {
				_, err := io.Copy(io.Discard, Body(r, 49))
				return err
			})
			conn := s.dial()
			send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\n"+sent)
			if status, body := receive(t, bufio.NewReader(conn)); status != 413 || !strings.Contains(body, "larger than 49 bytes") {
				t.Errorf("answer = %d %s, want 413", status, body)
			}
			if err := s.end(); err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

func TestDoubledSlashOverTheWire(t *testing.T) {
	t.Parallel()
	h := newHarness()
	mux := NewMux(RenderMessage)
	mux.Route("POST /api/v1/{x}", func(w http.ResponseWriter, r *http.Request) error {
		return WriteJSON(w, 200, r.PathValue("x"))
	})
	s := serve(t, ServerConfig{Handler: h.front.Wrap(mux)})
	conn := s.dial()
	send(t, conn, "POST //api//v1/a%2Fb%2528/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	if status, body := receive(t, bufio.NewReader(conn)); status != 200 || body != `"a/b%28"` {
		t.Errorf("answer = %d %s", status, body)
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}
