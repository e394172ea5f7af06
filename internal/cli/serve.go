package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/store"
)

// serveCommand runs the server.
type serveCommand struct {
	Demo         bool     `help:"Serve a demo study from a data directory of its own, ./rollcall-demo; nothing else is needed."`
	Listen       []string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Addresses to listen on; port 0 picks one. Default ${default}."`
	StudyFile    []string `sep:"," placeholder:"FILE" help:"A study file to apply before serving; may be given several times."`
	TrustedProxy []string `sep:"," placeholder:"NETWORK" help:"Addresses or networks of proxies whose X-Forwarded-For is believed; may be given several times. Without it, everybody behind a proxy shares one address, and one throttle on signing in."`
	PublicURL    string   `name:"public-url" placeholder:"URL" help:"The address under which clients reach this server."`
	TLSCert      string   `name:"tls-cert" placeholder:"FILE" help:"Certificate chain in PEM; with --tls-key, only TLS is spoken."`
	TLSKey       string   `name:"tls-key" placeholder:"FILE" help:"Private key in PEM."`
	databaseFlags
	filesFlags
	pagesFlags

	LogFormat string `enum:"text,json" default:"text" help:"How log lines look: text or json."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"The least level that is logged: debug, info, warn or error."`

	ShutdownGrace      time.Duration `default:"30s" help:"How long running requests may take to finish after a stop."`
	ShutdownDelay      time.Duration `default:"0s" help:"How long to go on taking requests after a stop, while /readyz answers 503."`
	ReadHeaderTimeout  time.Duration `default:"10s" help:"How long a client may take to send a request's headers."`
	StallTimeout       time.Duration `default:"30s" help:"How long a client may neither send nor take a byte."`
	TokenTTL           time.Duration `name:"token-ttl" default:"4h" help:"How long a token from signing in is good for."`
	TokenAudience      []string      `sep:"," placeholder:"URL" help:"What service accounts may name as the audience of their assertions; may be given several times. MyDataHelps' own token endpoints and this server's if not given."`
	RateLimit          int           `default:"1000000" help:"How many requests an hour each service account may make."`
	AcceptMissingFiles bool          `help:"Start although none of the files of its jobs are where --files-url says."`
	JobWorkers         int           `default:"4" help:"How many jobs run at the same time."`
	RosterMemory       int           `default:"2048" placeholder:"MIB" help:"How much memory, in MiB, may hold participants for searches and sorted lists; about 250 MiB are needed for a million. Default ${default}."`
	ReadyFile          string        `placeholder:"FILE" help:"A file that gets the server's address once it serves, and is removed when it stops."`
}

// Help implements kong.HelpProvider.
func (serveCommand) Help() string {
	return "Makes the data directory if there is none, brings its database up to this version, applies study files, " +
		"and serves until it is stopped. SIGTERM or SIGINT stops it in good order: requests are finished, running jobs " +
		"stop at a record and go on from there at the next start. A second signal ends it at once.\n\n" +
		"GET /healthz tells that it is alive, /readyz that it can serve, /metrics is for Prometheus."
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context, con *console) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	log, held := c.logger(con)
	defer held.close() // after all else that ends here
	defs, err := c.definitions()
	if err != nil {
		return err
	}
	release, err := store.Lock(c.dir(), c.holder(con.now()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	st, err := c.openStore(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	opened, err := c.openFiles(ctx, c.dir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	kept := &place{Files: opened, store: st, accept: c.AcceptMissingFiles, log: log}
	if err := kept.prove(ctx); err != nil && fault.KindOf(err) != fault.Unavailable {
		return err
	}
	if c.Demo {
		if err := onlyDemo(ctx, st, defs[0]); err != nil {
			return err
		}
		account, err := demoAccountDefinition(c.dir(), defs[0])
		if err != nil {
			return err
		}
		defs = slices.Insert(defs, 1, account)
	}
	for _, d := range defs {
		differences, err := applyDefinitions(ctx, st, d, con, false)
		if err != nil {
			return err
		}
		for _, difference := range differences {
			log.InfoContext(ctx, "study changed by its file", "difference", difference.String())
		}
	}
	s, err := newServer(ctx, c, st, kept, con, log)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

func (c *serveCommand) check() error {
	if c.Demo && c.DataDir == "" {
		c.DataDir = demoDataDir
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return wrong("TLS needs both a certificate and a key").withHint("give --tls-cert and --tls-key")
	}
	if c.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			return wrong("the TLS certificate cannot be used: %v", err).withHint("--tls-cert and --tls-key name files in PEM that belong together")
		}
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "" {
			return wrong("--public-url is not the address of a server").withHint("write it like https://rollcall.example.org")
		}
		c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	}
	for _, limit := range []struct {
		flag  string
		value time.Duration
		least time.Duration
	}{
		{"shutdown-grace", c.ShutdownGrace, time.Millisecond}, {"shutdown-delay", c.ShutdownDelay, 0},
		{"read-header-timeout", c.ReadHeaderTimeout, time.Millisecond}, {"stall-timeout", c.StallTimeout, time.Millisecond},
		{"token-ttl", c.TokenTTL, time.Second}, {"session-idle", c.SessionIdle, time.Minute}, {"session-lifetime", c.SessionLifetime, time.Minute},
	} {
		if limit.value < limit.least {
			return wrong("--%s must be at least %s", limit.flag, limit.least)
		}
	}
	if c.JobWorkers < 1 {
		return wrong("--job-workers must be at least 1")
	}
	if c.RosterMemory < 1 {
		return wrong("--roster-memory must be at least 1")
	}
	if c.RateLimit < 1 {
		return wrong("--rate-limit must be at least 1")
	}
	if _, err := httpx.ParseProxies(c.TrustedProxy); err != nil {
		return err
	}
	return c.checkAudiences()
}

// definitions reads the study files before anything is opened, so that a wrong one changes
// nothing. The demo's own comes first.
func (c *serveCommand) definitions() ([]*config.Definitions, error) {
	var all []*config.Definitions
	if c.Demo {
		defs, err := config.Load([]config.File{config.Demo()})
		if err != nil {
			return nil, fmt.Errorf("read the demo: %w", err)
		}
		all = append(all, defs)
	}
	if len(c.StudyFile) > 0 {
		defs, err := config.LoadFiles(c.StudyFile)
		if err != nil {
			return nil, err
		}
		all = append(all, defs)
	}
	return all, nil
}

// holder is what the lock of the data directory says about this process.
func (c *serveCommand) holder(now time.Time) string {
	return fmt.Sprintf("pid %d, since %s, listening on %s",
		os.Getpid(), now.UTC().Format(time.RFC3339), strings.Join(c.Listen, ", "))
}

func (c *serveCommand) openStore(ctx context.Context, log *slog.Logger) (store.Store, error) {
	conf, err := c.config()
	if err != nil {
		return nil, err
	}
	conf.Migrate, conf.Logger, conf.RosterMemory = true, log, int64(c.RosterMemory)<<20
	st, err := store.Open(ctx, conf)
	if err != nil {
		return nil, err
	}
	if err := st.Whole(ctx); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if store.Shared(conf.DatabaseURL) && c.FilesURL == "" && c.FilesURLFile == "" {
		log.WarnContext(ctx, "uploads, logs and extracts are kept on this node alone; several nodes need --files-url")
	}
	return st, nil
}

// logger makes the server's log. The buffer has to be closed when nothing more is logged.
func (c *serveCommand) logger(con *console) (*slog.Logger, *logBuffer) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // kong lets only known words through
	options := &slog.HandlerOptions{Level: level}
	buffer := newLogBuffer(con.Err)
	var handler slog.Handler = slog.NewTextHandler(buffer, options)
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(buffer, options)
	}
	return slog.New(httpx.NewRedactingHandler(promptHandler{handler, buffer})), buffer
}

// onlyDemo keeps the demo's users and passwords out of a registry that is not the demo's: it may
// hold the demo's studies and no other.
func onlyDemo(ctx context.Context, st store.Store, demo *config.Definitions) error {
	catalog, err := st.Catalog(ctx)
	if err != nil {
		return err
	}
	for _, study := range catalog.Studies() {
		own := slices.ContainsFunc(demo.Studies, func(d *config.StudyDefinition) bool { return d.Study.OID == study.OID })
		if !own {
			return wrong("this registry holds the study %s, which is not the demo's", study.OID).
				withHint("--demo is for a registry of its own: leave --database-url and --data-dir out, or leave --demo out")
		}
	}
	return nil
}
