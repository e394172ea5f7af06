package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/jobs"
	"rollcall/internal/segment"
	"rollcall/internal/store"
	"rollcall/internal/web"
	"rollcall/internal/wire/mydatahelps"
	"rollcall/internal/wire/openclinica"
)

// server is everything that a running server is made of.
type server struct {
	*app
	command *serveCommand
	con     *console
	log     *slog.Logger
	jobs    *jobs.Service
	pages   *web.Pages
	files   *place
	metrics *prometheus.Registry
}

func newServer(ctx context.Context, c *serveCommand, st store.Store, kept *place, con *console, log *slog.Logger) (*server, error) {
	a, err := newApp(ctx, st, con.now, signIn{ttl: c.TokenTTL, audiences: c.audiences(), log: log})
	if err != nil {
		return nil, err
	}
	s := &server{app: a, files: kept, command: c, con: con, log: log, metrics: prometheus.NewRegistry()}
	node, err := nodeID(c.dir())
	if err != nil {
		return nil, err
	}
	observer, err := newJobMetrics(s.metrics)
	if err != nil {
		return nil, err
	}
	s.jobs = jobs.NewService(jobs.Config{
		Store: st, Registry: a.registry, Files: kept, Scrub: openclinica.Scrub, Node: node, Logger: log, Workers: c.JobWorkers, Observer: observer,
		Kinds: map[string]jobs.Kind{
			openclinica.BulkAddKind:     openclinica.BulkAdd{},
			openclinica.BulkPreviewKind: openclinica.BulkPreview{Registry: a.registry},
			openclinica.ExtractKind:     openclinica.Extractor{Registry: a.registry},
			segment.PassKind:            segment.Pass{Registry: a.registry},
		},
	})
	if s.pages, err = newPages(s); err != nil {
		return nil, err
	}
	return s, registerGauges(s.metrics, st)
}

// handler puts the routes together. Each dialect answers for its own part of the address space,
// in its own words; what is nobody's is answered as a page to browsers.
func (s *server) handler(stopping <-chan struct{}) (http.Handler, error) {
	root := httpx.NewMux(s.pages.RenderFault)
	httpx.Health{Check: s.ready, Stopping: stopping, Metrics: s.metrics}.Mount(root)

	clinic := httpx.NewMux(openclinica.RenderUnknown)
	openclinica.New(s.registry, s.jobs, s.access).Mount(clinic)
	for _, prefix := range openclinica.Prefixes() {
		root.Handle(prefix+"/", clinic)
	}
	root.Handle(openclinica.TokenPath, clinic)
	root.Route("GET "+openClinicaFile, yamlFile(openclinica.OpenAPI()))

	projects := mydatahelps.New(mydatahelps.Config{
		Registry: s.registry, Auth: s.access, Store: s.store, Now: s.con.now, RateLimit: s.command.RateLimit,
	})
	administration := httpx.NewMux(projects.RenderUnknown)
	projects.Mount(administration)
	root.Handle("/api/v1/", administration)
	root.Handle("/identityserver/", administration)
	root.Route("GET "+myDataHelpsFile, yamlFile(mydatahelps.OpenAPI()))

	pages := httpx.NewMux(s.pages.RenderFault)
	s.pages.Mount(pages)
	for _, address := range web.Addresses() {
		root.Handle(address, pages)
	}

	counted, err := httpx.NewMetrics(s.metrics)
	if err != nil {
		return nil, err
	}
	proxies, err := httpx.ParseProxies(s.command.TrustedProxy)
	if err != nil {
		return nil, err
	}
	front := httpx.Front{
		Log: s.log, Now: s.con.now, NewID: uuid.NewString, Metrics: counted, Stall: s.command.StallTimeout, Proxies: proxies,
	}
	return front.Wrap(root), nil
}

// ready tells whether requests can be served, without telling the caller where the database is.
func (s *server) ready(ctx context.Context) error {
	err := s.store.Ready(ctx)
	if err == nil {
		return nil
	}
	f := fault.Wrap(fault.Unavailable, err, "the database is not ready")
	f.RetryAfterSeconds = fault.As(err).RetryAfterSeconds
	return f
}

// yamlFile answers with a description of an API.
func yamlFile(text []byte) httpx.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/yaml")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		if _, err := w.Write(text); err != nil {
			return fmt.Errorf("send an API description: %w", err)
		}
		return nil
	}
}

// run serves requests and runs jobs until ctx ends, and returns when all of it has stopped.
// Jobs stop at once, at a committed cursor; requests are taken for the delay of a shutdown and
// may then finish within its grace.
func (s *server) run(ctx context.Context) error {
	if s.command.ReadyFile != "" {
		_ = os.Remove(s.command.ReadyFile) // of a process that could not do it itself
	}
	handler, err := s.handler(ctx.Done())
	if err != nil {
		return err
	}
	taking, stop := later(ctx, s.command.ShutdownDelay)
	defer stop()
	working, halt := context.WithCancel(ctx)
	defer halt()

	var runner sync.WaitGroup
	var jobsErr, keeperErr, readyErr error
	err = httpx.Serve(taking, httpx.ServerConfig{
		Handler: handler, Listen: s.command.Listen, Log: s.log,
		CertFile: s.command.TLSCert, KeyFile: s.command.TLSKey,
		ReadHeaderTimeout: s.command.ReadHeaderTimeout, Grace: s.command.ShutdownGrace,
		Ready: func(addrs []net.Addr) {
			s.access.AcceptAudiences(s.command.boundAudiences(addrs)...)
			runner.Go(func() {
				if jobsErr = s.work(working); jobsErr != nil {
					stop() // a server without its jobs is no server
				}
			})
			runner.Go(func() {
				keeper := segment.Keeper{Registry: s.registry, Jobs: s.jobs, Book: s.rules, Logger: s.log}
				if keeperErr = keeper.Run(working); keeperErr != nil {
					stop()
				}
			})
			if readyErr = s.announce(ctx, addrs); readyErr != nil {
				stop()
			}
		},
	})
	halt()
	runner.Wait()
	if s.command.ReadyFile != "" {
		_ = os.Remove(s.command.ReadyFile) // whoever reads it later finds nobody listening
	}
	s.log.InfoContext(ctx, "stopped")
	return errors.Join(s.listenFault(err), jobsErr, keeperErr, readyErr)
}

// work runs jobs once the files of the registry are known to be kept where this node was told.
func (s *server) work(ctx context.Context) error {
	if err := s.files.await(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	return s.jobs.Run(ctx)
}

// later is a context that ends a while after ctx does.
func later(ctx context.Context, delay time.Duration) (context.Context, context.CancelFunc) {
	if delay <= 0 {
		return context.WithCancel(ctx)
	}
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-late.Done():
		}
		cancel()
	})
	return late, cancel
}

// announce tells that the server serves, and where.
func (s *server) announce(ctx context.Context, addrs []net.Addr) error {
	base := s.baseURL(addrs[0])
	s.log.InfoContext(ctx, "listening", "listen", base, "dataDir", s.command.dir(), "pid", os.Getpid())
	if s.command.Demo {
		if err := printTour(s.con.Out, base, s.command.dir()); err != nil {
			return err
		}
	}
	if file := s.command.ReadyFile; file != "" {
		if err := writeWhole(file, []byte(base+"\n")); err != nil {
			return fmt.Errorf("write the ready file: %w", err)
		}
	}
	return nil
}

// baseURL is the address to print: the public one, or the one bound.
func (s *server) baseURL(addr net.Addr) string {
	if s.command.PublicURL != "" {
		return s.command.PublicURL
	}
	scheme := s.command.scheme()
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// listenFault says what is wrong with an address that cannot be listened on.
func (s *server) listenFault(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "listen" {
		return err
	}
	where := strings.Join(s.command.Listen, ", ")
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return failed("another program listens on %s already", where).
			withHint("stop it, or choose another address, for example --listen 127.0.0.1:8081; port 0 picks a free one")
	case errors.Is(err, syscall.EACCES):
		return failed("this user may not listen on %s", where).withHint("choose a port above 1023")
	default:
		return wrong("cannot listen on %s: %v", where, op.Err).withHint("write --listen HOST:PORT, for example 127.0.0.1:8080")
	}
}
