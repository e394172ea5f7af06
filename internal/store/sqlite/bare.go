package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// bareConn is a connection that can only read, driven by SQLite's own interface. One goroutine
// uses it at a time. Pointers are those of the translated C: its memory is not Go's.
type bareConn struct {
	tls     *libc.TLS // what C code has for a thread
	db      uintptr
	stmts   map[string]*bareStmt
	out     uintptr // where C functions leave a pointer
	bound   uintptr // memory of bound texts
	size    int     // of it
	boundAt int     // how much of it is in use
	texts   []byte  // of the row that is being scanned
}

const pointerSize = bits.UintSize / 8

// openBare opens a connection as the reading pool does, see readerPragmas.
func openBare(path string) (*bareConn, error) {
	c := &bareConn{tls: libc.NewTLS(), stmts: map[string]*bareStmt{}}
	if c.out = libc.Xmalloc(c.tls, pointerSize); c.out == 0 {
		return nil, errors.Join(errNoMemory, c.close())
	}
	if err := c.open(path); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *bareConn) open(path string) error {
	name, err := libc.CString(fileURI(path, "ro"))
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, name)
	const flags = lib.SQLITE_OPEN_READONLY | lib.SQLITE_OPEN_URI | lib.SQLITE_OPEN_NOMUTEX | lib.SQLITE_OPEN_EXRESCODE
	code := lib.Xsqlite3_open_v2(c.tls, name, c.out, flags, 0)
	c.db = pointerAt(c.out) // there even after most failures
	if err := c.check(code); err != nil {
		return err
	}
	for _, pragma := range readerPragmas() {
		stmt, err := c.statement("PRAGMA " + pragma)
		if err == nil {
			_, err = stmt.step()
			stmt.reset()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close closes the connection and gives its memory back.
func (c *bareConn) close() error {
	for _, stmt := range c.stmts {
		lib.Xsqlite3_finalize(c.tls, stmt.handle) // it answers how the statement went last, which is known
	}
	err := c.check(lib.Xsqlite3_close_v2(c.tls, c.db))
	libc.Xfree(c.tls, c.out)
	libc.Xfree(c.tls, c.bound)
	c.tls.Close()
	return err
}

// statement answers the prepared statement of a text.
func (c *bareConn) statement(text string) (*bareStmt, error) {
	if stmt, ok := c.stmts[text]; ok {
		return stmt, nil
	}
	sql, err := libc.CString(text)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, sql)
	if err := c.check(lib.Xsqlite3_prepare_v2(c.tls, c.db, sql, -1, c.out, 0)); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	stmt := &bareStmt{conn: c, handle: pointerAt(c.out)}
	for i := range lib.Xsqlite3_bind_parameter_count(c.tls, stmt.handle) { // named $1, $2 ..., in any order
		name := libc.GoString(lib.Xsqlite3_bind_parameter_name(c.tls, stmt.handle, i+1))
		n, err := strconv.Atoi(name[min(1, len(name)):])
		if err != nil {
			lib.Xsqlite3_finalize(c.tls, stmt.handle)
			return nil, fmt.Errorf("prepare: the parameter %q has no number", name)
		}
		stmt.params = append(stmt.params, n-1)
	}
	stmt.columns = int(lib.Xsqlite3_column_count(c.tls, stmt.handle))
	c.stmts[text] = stmt
	return stmt, nil
}

// resultError is a result code of SQLite that is a failure.
type resultError struct {
	code    int
	message string
}

func (e *resultError) Error() string { return fmt.Sprintf("%s (%d)", e.message, e.code) }

var errNoMemory = errors.New("out of memory")

func (c *bareConn) check(code int32) error {
	if code == lib.SQLITE_OK {
		return nil
	}
	message := libc.GoString(lib.Xsqlite3_errstr(c.tls, code))
	if c.db != 0 {
		message = libc.GoString(lib.Xsqlite3_errmsg(c.tls, c.db))
	}
	return &resultError{code: int(code), message: message}
}

// pointerAt reads a pointer of C.
func pointerAt(p uintptr) uintptr {
	b := libc.GoBytes(p, pointerSize) // a view, no copy
	if pointerSize == 4 {
		return uintptr(binary.NativeEndian.Uint32(b))
	}
	return uintptr(binary.NativeEndian.Uint64(b))
}
