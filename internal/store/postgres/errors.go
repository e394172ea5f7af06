package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"rollcall/internal/fault"
	"rollcall/internal/store/relational"
)

// classify gives a failure of doing something its kind. Faults pass as they are.
func classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return err
	}
	wrapped := fmt.Errorf("%s: %w", doing, err)
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		return classifyState(e.Code, wrapped)
	}
	if broken(err) {
		return relational.Away(wrapped)
	}
	return wrapped
}

// readOnlyState is read_only_sql_transaction: a replica answers.
const readOnlyState = "25006"

// classifyState goes by the SQLSTATE, see PostgreSQL's manual, appendix A.
func classifyState(state string, err error) error {
	switch state {
	case "23505": // unique_violation
		return relational.Clash(err)
	case "53100": // disk_full
		return relational.Full(err)
	case readOnlyState,
		"40001", "40P01", // serialization_failure, deadlock_detected, after many tries
		"40003",          // statement_completion_unknown
		"55P03",          // lock_not_available
		"57014",          // query_canceled: it took too long
		"25P03", "25P04": // idle_in_transaction_session_timeout, transaction_timeout
		return relational.Away(err)
	}
	switch state[:2] {
	case "28", "3D", // authorization, database: a server that was set up otherwise meanwhile
		"08", "53", "57", "58", "XX", "F0": // connection, resources, shutting down, system, internal, configuration
		return relational.Away(err)
	}
	return err
}

// broken tells whether an error means that the server could not be reached, or no longer. A
// deadline that passes is a server that did not answer in time.
func broken(err error) bool {
	if errors.Is(err, context.Canceled) { // the caller has gone
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// readOnly tells whether the server is a replica, or was made to take no changes.
func readOnly(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == readOnlyState
}

// refused says why the server will not let this role into this database; "" if it did.
func refused(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) && (e.Code[:2] == "28" || e.Code[:2] == "3D" || e.Code == "42704") { // the last: an unknown parameter
		return e.Message
	}
	return ""
}

// mayNot tells whether the role lacks a privilege.
func mayNot(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "42501"
}

// gaveWay tells whether the database gave the transaction up in favour of another, and has
// certainly undone it.
func gaveWay(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// definite tells whether the server itself said, in answer to COMMIT, that it did not commit.
// When it shuts down it may have committed already.
func definite(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Severity == "FATAL" || e.Severity == "PANIC" {
		return false
	}
	return e.Code != "40003" && e.Code[:2] != "08" && e.Code[:2] != "57"
}
