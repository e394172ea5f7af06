package pgtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// template is a database that others are copied from.
type template struct {
	once sync.Once
	name string
	err  error
}

// Database makes a new and empty database, which belongs to [Role], for one test, and answers
// its URL. It is dropped with the test, whoever is still connected to it.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return s.database(t, "template1")
}

// Prepared makes a database as [Server.Database] does, with what prepare has put into it. A
// prepare of this name runs once on this server, as [Role] on a database of its own; the test's
// database is a copy, which is made faster than migrations run.
func (s *Server) Prepared(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	s.mu.Lock()
	from, ok := s.templates[name]
	if !ok {
		from = &template{name: fmt.Sprintf("template_%d", s.names.Add(1)), err: errors.New("it did not return")}
		s.templates[name] = from
	}
	s.mu.Unlock()
	from.once.Do(func() { from.err = s.prepare(t, from.name, prepare) })
	if from.err != nil {
		t.Fatalf("prepare a database %s: %v", name, from.err)
	}
	return s.database(t, from.name)
}

// prepare makes a template. Nobody may connect to it afterwards: PostgreSQL does not copy a
// database that is in use.
func (s *Server) prepare(t testing.TB, name string, prepare func(url string) error) error {
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	if err := s.execute(ctx, "CREATE DATABASE "+name+" OWNER "+Role); err != nil {
		return err
	}
	if err := prepare(s.url(Role, name)); err != nil {
		return err
	}
	return s.execute(ctx, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
}

func (s *Server) database(t testing.TB, from string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	name := fmt.Sprintf("test_%d", s.names.Add(1))
	if err := s.execute(ctx, "CREATE DATABASE "+name+" OWNER "+Role+" TEMPLATE "+from); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	t.Cleanup(func() {
		if !s.isRunning() { // the test has stopped it; the data go with the server
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stopLimit)
		defer cancel()
		if err := s.execute(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop a database: %v", err)
		}
	})
	return s.url(Role, name)
}

// On answers the URL of the same database, for the same user, on this server: of its copy, if
// the URL is that of a database of the primary and this server is its replica.
func (s *Server) On(t testing.TB, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatalf("read the URL of a database: %v", err)
	}
	return s.url(config.User, config.Database)
}
