package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// freePort answers a port of the loopback address that nothing listens on. It is below those
// that systems give to outgoing connections: a client that calls a stopped server could be
// given the very port that it calls, and keep the server from coming back.
func freePort(ctx context.Context) (int, error) {
	const first, count, tries = 15_000, 15_000, 100
	for range tries {
		n, err := rand.Int(rand.Reader, big.NewInt(count))
		if err != nil {
			return 0, fmt.Errorf("draw a port: %w", err)
		}
		port := first + int(n.Int64())
		var listen net.ListenConfig
		listener, err := listen.Listen(ctx, "tcp", address(port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, errors.New("find a free port: every one that was tried is taken")
}
