package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The server's limits where its config does not say otherwise.
const (
	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultIdleTimeout       = 2 * time.Minute
	DefaultGrace             = 30 * time.Second

	maxHeaderBytes = 64 << 10
	farewell       = 2 * time.Second // what requests get to answer once the grace is over
)

// errStopping is the cause that a request's context ends with when the grace period is over.
var errStopping = errors.New("the server is stopping")

// ServerConfig says how to listen. Timeouts of zero are the defaults above.
type ServerConfig struct {
	Handler http.Handler
	Listen  []string     // addresses as host:port; port 0 picks one
	Log     *slog.Logger // for net/http's own complaints and the shutdown

	CertFile, KeyFile string // PEM; both or none. With them only TLS 1.2 and later is spoken

	ReadHeaderTimeout time.Duration // for a request's headers and the TLS handshake
	IdleTimeout       time.Duration // for the next request of a connection
	Grace             time.Duration // for running requests to finish after a stop

	// Ready is called once with the bound addresses when connections are taken; may be nil.
	Ready func([]net.Addr)
}

// Serve listens and serves until ctx ends, then takes no more connections, lets running
// requests finish within the grace period, ends the contexts of those left, and closes.
// It returns nil after a clean stop; an error if it could not listen, if a listener failed, or
// if requests had to be cut. Handlers have returned when it does, unless the error says not.
//
// It sets no whole-request timeouts: a [Front] gives each read and write its own.
func Serve(ctx context.Context, cfg ServerConfig) error {
	cfg = cfg.withDefaults()
	tlsConfig, err := cfg.tls()
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	base, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(errStopping)
	running := newRunning(cfg.Handler)
	srv := &http.Server{
		Handler:           running,
		TLSConfig:         tlsConfig,
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
	}

	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- serveOn(srv, l, tlsConfig != nil) }() // ends with the listener, which stop closes
	}
	if cfg.Ready != nil {
		cfg.Ready(addresses(listeners))
	}
	left, failed := len(listeners), error(nil)
	select {
	case <-ctx.Done():
	case failed = <-ended:
		left--
	}
	stopped := stop(ctx, cfg, srv, running, end)
	for range left {
		failed = errors.Join(failed, <-ended)
	}
	return errors.Join(failed, stopped)
}

func (c ServerConfig) withDefaults() ServerConfig {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&c.ReadHeaderTimeout, DefaultReadHeaderTimeout},
		{&c.IdleTimeout, DefaultIdleTimeout},
		{&c.Grace, DefaultGrace},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	return c
}

func (c ServerConfig) tls() (*tls.Config, error) {
	if c.CertFile == "" && c.KeyFile == "" {
		return nil, nil
	}
	if c.CertFile == "" || c.KeyFile == "" {
		return nil, errors.New("TLS needs both a certificate file and a key file")
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load TLS certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}, nil
}

func listen(ctx context.Context, addrs []string) ([]net.Listener, error) {
	if len(addrs) == 0 {
		return nil, errors.New("no address to listen on")
	}
	var listeners []net.Listener
	for _, addr := range addrs {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			for _, open := range listeners {
				_ = open.Close() // nothing has been accepted on it
			}
			return nil, fmt.Errorf("listen on %s: %w", addr, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func addresses(listeners []net.Listener) []net.Addr {
	addrs := make([]net.Addr, len(listeners))
	for i, l := range listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// serveOn is told whether to speak TLS: net/http gives every server a TLSConfig once it serves.
func serveOn(srv *http.Server, l net.Listener, secure bool) error {
	var err error
	if secure {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}

// stop ends the server in three steps: running requests may finish, then they are told to give
// up, then their connections are closed.
func stop(ctx context.Context, cfg ServerConfig, srv *http.Server, running *running, end context.CancelCauseFunc) error {
	ctx = context.WithoutCancel(ctx)
	cfg.Log.InfoContext(ctx, "stopping", slog.Duration("grace", cfg.Grace))
	grace, cancel := context.WithTimeout(ctx, cfg.Grace)
	defer cancel()
	if srv.Shutdown(grace) == nil {
		return nil
	}
	cut := running.count()
	end(errStopping)
	last, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if srv.Shutdown(last) != nil { // it waits until what handlers have answered is sent
		if err := srv.Close(); err != nil {
			cfg.Log.WarnContext(ctx, "close connections", slog.Any("error", err))
		}
	}
	if !running.wait(farewell) {
		return fmt.Errorf("%d requests did not end", running.count())
	}
	if cut > 0 {
		return fmt.Errorf("%d requests were cut after %s", cut, cfg.Grace)
	}
	return nil // only connections without a request were left
}
