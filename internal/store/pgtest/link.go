package pgtest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// link is a client's connection through a proxy.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	closing        sync.Once
	closed         chan struct{}

	mu sync.Mutex
	// The server says ReadyForQuery once after the start and once for each message that asks for
	// it. So counting tells which of its answers belongs to which message.
	due  int
	last int // the answer that the client does not hear, 0 for none
}

var errCut = errors.New("cut")

// close closes both sides; when it is abrupt, with a reset and what was not sent yet lost.
func (l *link) close(abrupt bool) {
	l.closing.Do(func() {
		for _, conn := range []net.Conn{l.client, l.server} {
			if tcp, ok := conn.(*net.TCPConn); ok && abrupt {
				_ = tcp.SetLinger(0) // at worst the other side sees an ordinary end
			}
			_ = conn.Close() // it may be broken already
		}
		close(l.closed)
	})
}

// Requests that come before the start of a session, and what a session starts with (PostgreSQL
// documentation, 55.7 Message Formats).
const (
	askTLS    = 80877103
	askGSS    = 80877104
	askCancel = 80877102
)

// requests forwards what the client sends.
func (l *link) requests() error {
	from := bufio.NewReader(l.client)
	for started := false; !started; {
		message, err := readMessage(from, 0)
		if err != nil {
			return err
		}
		switch binary.BigEndian.Uint32(message[4:]) {
		case askTLS, askGSS: // the proxy has neither
			if _, err := l.client.Write([]byte("N")); err != nil {
				return err
			}
			continue
		case askCancel: // is all there is on its connection
		default:
			l.count('S')
		}
		started = true
		if err := l.forward(message); err != nil {
			return err
		}
	}
	for {
		message, err := readMessage(from, 1)
		if err != nil {
			return err
		}
		switch verdict := l.proxy.judge(message); {
		case verdict == CutBefore:
			return errCut
		case verdict == CutAfter:
			l.silenceAfter(message[0])
		default:
			l.count(message[0])
		}
		if err := l.forward(message); err != nil {
			return err
		}
	}
}

// asksReady tells whether the server says ReadyForQuery after messages of the type: Query,
// Sync and FunctionCall.
func asksReady(kind byte) bool { return kind == 'Q' || kind == 'S' || kind == 'F' }

func (l *link) count(kind byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if asksReady(kind) {
		l.due++
	}
}

// silenceAfter keeps from the client what the server answers to a message of the type, which
// may need a Sync that is yet to come.
func (l *link) silenceAfter(kind byte) {
	l.count(kind)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == 0 {
		l.last = l.due
		if !asksReady(kind) {
			l.last++
		}
	}
}

func (l *link) forward(message []byte) error {
	if err := l.proxy.flow(l); err != nil {
		return err
	}
	_, err := l.server.Write(message)
	return err
}

// answers forwards what the server sends, until the answer that the client does not hear.
func (l *link) answers() error {
	from := bufio.NewReader(l.server)
	ready := 0
	for {
		message, err := readMessage(from, 1)
		if err != nil {
			return err
		}
		if message[0] == 'Z' {
			ready++
		}
		l.mu.Lock()
		last := l.last
		l.mu.Unlock()
		if last > 0 && ready >= last {
			return errCut
		}
		if last > 0 && ready == last-1 && message[0] != 'Z' {
			continue
		}
		if err := l.proxy.flow(l); err != nil {
			return err
		}
		if _, err := l.client.Write(message); err != nil {
			return err
		}
	}
}

// readMessage reads a message whose length follows the given number of bytes of its type.
func readMessage(from *bufio.Reader, typed int) ([]byte, error) {
	head := make([]byte, typed+4)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	const most = 1 << 28
	size := binary.BigEndian.Uint32(head[typed:])
	if size < 4 || size > most || typed == 0 && size < 8 {
		return nil, fmt.Errorf("a message of %d bytes: not PostgreSQL's protocol", size)
	}
	message := make([]byte, typed+int(size))
	copy(message, head)
	_, err := io.ReadFull(from, message[len(head):])
	return message, err
}
