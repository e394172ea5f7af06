package pgtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A Verdict is what a [Proxy] does with a message from a client.
type Verdict int

// The verdicts.
const (
	Forward   Verdict = iota
	CutBefore         // the server never sees the message: what it belongs to is not done
	CutAfter          // the server has done it and has said so, but the client never hears that
)

// Proxy stands between clients and a PostgreSQL server, on the loopback address, and fails when
// it is told to. It understands just enough of the protocol to see whole messages. Its methods
// may be called at the same time, also by a watcher.
type Proxy struct {
	url      string
	listener net.Listener
	ctx      context.Context // ends with the proxy
	serving  sync.WaitGroup

	mu     sync.Mutex
	target string // host and port of the server
	watch  func(message []byte) Verdict
	links  map[*link]struct{}
	open   chan struct{} // closed while bytes flow
}

// StartProxy starts a proxy in front of the server that the URL of a database names. It ends
// with the test.
func StartProxy(t testing.TB, database string) *Proxy {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatalf("read the URL of a database: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address(0))
	if err != nil {
		cancel()
		t.Fatalf("start a proxy: %v", err)
	}
	p := &Proxy{listener: listener, ctx: ctx, target: u.Host, links: map[*link]struct{}{}, open: make(chan struct{})}
	close(p.open)
	u.Host = listener.Addr().String()
	p.url = u.String()
	p.serving.Go(p.serve)
	t.Cleanup(func() {
		_ = listener.Close() // serve ends; there is nothing else to tell
		cancel()
		p.Cut()
		p.serving.Wait()
	})
	return p
}

// URL answers the URL of the database through the proxy.
func (p *Proxy) URL() string { return p.url }

// Cut breaks every connection, towards the client and towards the server, as if a cable were
// pulled that is plugged in again at once: new connections are served.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close(true)
	}
}

// Stall holds every byte back, both ways and on new connections too, until [Proxy.Resume].
// Connections stay open.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flows() {
		p.open = make(chan struct{})
	}
}

// Resume lets the bytes flow that were held back, and all others.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.flows() {
		close(p.open)
	}
}

func (p *Proxy) flows() bool {
	select {
	case <-p.open:
		return true
	default:
		return false
	}
}

// Lead leads new connections to the server that the URL names, as a failover does. Those that
// are there stay where they are; see [Proxy.Cut].
func (p *Proxy) Lead(t testing.TB, database string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatalf("read the URL of a database: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = u.Host
}

// Watch shows every message from clients to the watcher before it is forwarded, with its type
// byte and length, from all connections at once; nil ends that. The watcher answers what becomes
// of the message. It may call [Proxy.Stall] to hold it back.
func (p *Proxy) Watch(watcher func(message []byte) Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = watcher
}

// CutAt cuts the connection of the first message that contains the text, in capitals or small
// letters, and no other one. It takes the place of a watcher. The answer is closed when the cut
// has been decided upon. Beware of statements that are prepared beforehand: their text passes
// when they are prepared and not when they are executed. The COMMIT of a transaction of pgx or
// database/sql is not prepared.
func (p *Proxy) CutAt(text string, when Verdict) <-chan struct{} {
	struck := make(chan struct{})
	var once sync.Once
	p.Watch(func(message []byte) Verdict {
		verdict := Forward
		if bytes.Contains(bytes.ToLower(message), bytes.ToLower([]byte(text))) {
			once.Do(func() {
				verdict = when
				close(struck)
			})
		}
		return verdict
	})
	return struck
}

func (p *Proxy) judge(message []byte) Verdict {
	p.mu.Lock()
	watch := p.watch
	p.mu.Unlock()
	if watch == nil {
		return Forward
	}
	return watch(message)
}

// flow waits while bytes are held back.
func (p *Proxy) flow(l *link) error {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-l.closed:
		return net.ErrClosed
	}
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.connect(client) })
	}
}

// connect serves a client until either side ends.
func (p *Proxy) connect(client net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := (&net.Dialer{}).DialContext(p.ctx, "tcp", target)
	if err != nil {
		_ = client.Close() // the client sees what the server is: away
		return
	}
	l := &link{proxy: p, client: client, server: server, closed: make(chan struct{})}
	p.mu.Lock()
	p.links[l] = struct{}{}
	ended := p.ctx.Err()
	p.mu.Unlock()
	if ended == nil {
		var answers sync.WaitGroup
		answers.Go(func() { l.close(errors.Is(l.answers(), errCut)) })
		l.close(errors.Is(l.requests(), errCut))
		answers.Wait()
	}
	l.close(false)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}
