package files

import (
	"context"
	"net"
	"time"
)

// dial opens a connection.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

// limitedDial makes connections that break when nothing moves on them for so long: a store that
// stalls in the middle of a body would otherwise hold whoever reads or writes it for ever.
func limitedDial(open dial, idle time.Duration) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := open(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &idleConn{
			Conn: c, idle: idle,
			limit: time.AfterFunc(idle, func() { _ = c.SetDeadline(longAgo) }), // fails only if it is closed
		}, nil
	}
}

// longAgo is a deadline that has passed: what waits ends at once.
var longAgo = time.Unix(1, 0)

// idleConn is a connection with a limit on how long nothing moves, in whichever direction: one
// that sends a long body waits for the answer all the while.
type idleConn struct {
	net.Conn

	idle  time.Duration
	limit *time.Timer
}

// Read implements [io.Reader].
func (c *idleConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.limit.Reset(c.idle)
	}
	return n, err
}

// Write implements [io.Writer].
func (c *idleConn) Write(p []byte) (int, error) {
	c.limit.Reset(c.idle)
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.limit.Reset(c.idle)
	}
	return n, err
}

// Close implements [io.Closer].
func (c *idleConn) Close() error {
	c.limit.Stop()
	return c.Conn.Close()
}
