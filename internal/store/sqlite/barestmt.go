package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// bareStmt is a prepared statement of a bareConn.
type bareStmt struct {
	conn    *bareConn
	handle  uintptr
	params  []int // which argument is bound to each parameter
	columns int
}

// bind binds the arguments. They are copied: C keeps no pointer into Go's memory.
func (s *bareStmt) bind(args []any) error {
	if err := s.conn.makeRoom(args); err != nil {
		return err
	}
	for i, n := range s.params {
		if n >= len(args) {
			return fmt.Errorf("bind: there is no argument %d", n+1)
		}
		if err := s.bindOne(int32(i+1), args[n]); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
	}
	return nil
}

func (s *bareStmt) bindOne(at int32, arg any) error {
	c := s.conn
	switch v := arg.(type) {
	case int64:
		return c.check(lib.Xsqlite3_bind_int64(c.tls, s.handle, at, v))
	case int:
		return c.check(lib.Xsqlite3_bind_int64(c.tls, s.handle, at, int64(v)))
	case string:
		return c.check(lib.Xsqlite3_bind_text(c.tls, s.handle, at, hold(c, v), int32(len(v)), 0))
	case uuid.UUID:
		return c.check(lib.Xsqlite3_bind_blob(c.tls, s.handle, at, hold(c, v[:]), int32(len(v)), 0))
	default:
		return fmt.Errorf("no lookup is by a %T", arg)
	}
}

// makeRoom has room for the arguments. What was bound before is not read again: a statement is
// bound anew before each run.
func (c *bareConn) makeRoom(args []any) error {
	const usual = 1 << 10
	need := 0
	for _, arg := range args {
		switch v := arg.(type) {
		case string:
			need += len(v)
		case uuid.UUID:
			need += len(v)
		}
	}
	c.boundAt = 0
	if need <= c.size && c.bound != 0 {
		return nil
	}
	libc.Xfree(c.tls, c.bound)
	c.size = max(need, usual)
	if c.bound = libc.Xmalloc(c.tls, libc.Tsize_t(c.size)); c.bound == 0 {
		c.size = 0
		return errNoMemory
	}
	return nil
}

// hold copies bytes to where they stay until the next bind.
func hold[T string | []byte](c *bareConn, v T) uintptr {
	p := c.bound + uintptr(c.boundAt)
	copy(libc.GoBytes(p, len(v)), v)
	c.boundAt += len(v)
	return p
}

// step goes to the next row, if there is one.
func (s *bareStmt) step() (bool, error) {
	switch code := lib.Xsqlite3_step(s.conn.tls, s.handle); code {
	case lib.SQLITE_ROW:
		return true, nil
	case lib.SQLITE_DONE:
		return false, nil
	default:
		return false, s.conn.check(code)
	}
}

// reset ends the statement's run and with it the picture that it has seen.
func (s *bareStmt) reset() {
	lib.Xsqlite3_reset(s.conn.tls, s.handle) // it answers how the last step went, which is known
}

// scan reads the row. Its texts share one piece of memory, so that a row of many costs little.
func (s *bareStmt) scan(dest []any) error {
	if len(dest) != s.columns {
		return fmt.Errorf("scan: %d destinations for %d columns", len(dest), s.columns)
	}
	c := s.conn
	c.texts = c.texts[:0]
	for i, d := range dest {
		if err := s.scanOne(int32(i), d); err != nil {
			return fmt.Errorf("scan column %d: %w", i, err)
		}
	}
	rest := string(c.texts)
	for i, d := range dest {
		if text, ok := d.(*string); ok {
			n := lib.Xsqlite3_column_bytes(c.tls, s.handle, int32(i))
			*text, rest = rest[:n], rest[n:]
		}
	}
	return nil
}

// scanOne reads a column; of a text only its bytes, which go to the connection's.
func (s *bareStmt) scanOne(i int32, dest any) error {
	c := s.conn
	null := lib.Xsqlite3_column_type(c.tls, s.handle, i) == lib.SQLITE_NULL
	switch d := dest.(type) {
	case *string:
		if !null {
			p := lib.Xsqlite3_column_text(c.tls, s.handle, i)
			c.texts = append(c.texts, s.bytes(p, i)...)
			return nil
		}
	case *int64:
		if !null {
			*d = lib.Xsqlite3_column_int64(c.tls, s.handle, i)
			return nil
		}
	case *bool:
		if !null {
			*d = lib.Xsqlite3_column_int64(c.tls, s.handle, i) != 0
			return nil
		}
	case *sql.NullInt64:
		d.Int64, d.Valid = lib.Xsqlite3_column_int64(c.tls, s.handle, i), !null
		return nil
	case *[]byte:
		*d = nil
		if !null {
			*d = append([]byte{}, s.blob(i)...)
		}
		return nil
	case *uuid.UUID:
		if b := s.blob(i); len(b) == len(d) {
			copy(d[:], b)
			return nil
		}
		return errors.New("not the bytes of a UUID")
	}
	return fmt.Errorf("NULL, or another type than %T", dest)
}

func (s *bareStmt) blob(i int32) []byte {
	return s.bytes(lib.Xsqlite3_column_blob(s.conn.tls, s.handle, i), i)
}

// bytes are the bytes of a column, good until the next step.
func (s *bareStmt) bytes(p uintptr, i int32) []byte {
	n := lib.Xsqlite3_column_bytes(s.conn.tls, s.handle, i)
	if p == 0 || n == 0 {
		return nil
	}
	return libc.GoBytes(p, int(n))
}
