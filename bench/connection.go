package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// connection is a client's keep-alive connection. It does no more than a load generator needs, so
// that the servers have the processors: one request at a time, and the body is kept until the next.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

// dial connects; the connection ends with the context.
func dial(ctx context.Context, address string) (*connection, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // whoever reads or writes then gets an error
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// Close closes the connection. That cannot fail in a way that matters: answers have been read.
func (c *connection) Close() { _ = c.conn.Close() }

// appendRequest writes a request with a body, or without one if it is nil.
func appendRequest(to []byte, method, path, token string, body []byte) []byte {
	to = append(append(append(to, method...), ' '), path...)
	to = append(append(to, " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer "...), token...)
	if body != nil {
		to = append(to, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		to = strconv.AppendInt(to, int64(len(body)), 10)
	}
	return append(append(to, "\r\n\r\n"...), body...)
}

// do sends a request and answers the status; the body is in c.body until the next call.
func (c *connection) do(request []byte) (status int, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	const least = len("HTTP/1.1 200")
	if len(line) < least {
		return 0, fmt.Errorf("an answer begins with %q", line)
	}
	if status, err = strconv.Atoi(string(line[least-3 : least])); err != nil {
		return 0, err
	}
	length, err := c.header()
	if err != nil {
		return 0, err
	}
	c.body = c.body[:0]
	if length >= 0 {
		return status, c.read(length)
	}
	return status, c.readChunks()
}

// header reads the header's lines and answers the body's length, -1 if it comes in chunks.
func (c *connection) header() (length int, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		}
	}
}

// read adds so many bytes to the body.
func (c *connection) read(length int) error {
	had := len(c.body)
	if cap(c.body) < had+length {
		c.body = append(make([]byte, 0, 2*(had+length)), c.body...)
	}
	c.body = c.body[:had+length]
	_, err := io.ReadFull(c.in, c.body[had:])
	return err
}

func (c *connection) readChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		length, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 32)
		if err != nil {
			return fmt.Errorf("read a chunk's length: %w", err)
		}
		if err := c.read(int(length)); err != nil {
			return err
		}
		if end, err := c.in.ReadSlice('\n'); err != nil || len(end) > 2 {
			return errors.Join(errors.New("a chunk does not end where it should"), err)
		}
		if length == 0 {
			return nil
		}
	}
}
