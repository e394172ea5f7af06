package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress shows how far a piece of work is: a bar that moves on a terminal, a plain line now
// and then elsewhere.
type progress struct {
	w     io.Writer
	now   func() time.Time
	bar   bool
	every time.Duration // the least time between two showings

	last  time.Time
	drawn bool // the bar's line has to be ended
}

func newProgress(con *console) *progress {
	p := &progress{w: con.Err, now: con.now, every: 10 * time.Second, last: con.now()}
	if f, ok := con.Err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar, p.every = true, 100*time.Millisecond
	}
	return p
}

const barWidth = 30

// show tells that the part of the work is done; note says more about it.
func (p *progress) show(what string, part float64, note string) {
	if p.now().Sub(p.last) < p.every {
		return
	}
	p.last = p.now()
	part = min(max(part, 0), 1)
	if !p.bar {
		fmt.Fprintf(p.w, "%s %3.0f %%%s\n", what, 100*part, note)
		return
	}
	full := int(part * barWidth)
	fmt.Fprintf(p.w, "\r\x1b[K%-9s [%s%s] %3.0f %%%s",
		what, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*part, note)
	p.drawn = true
}

// end clears the bar.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// countingReader tells how much has been read through it.
type countingReader struct {
	io.Reader
	read int64
	tell func(read int64)
}

// Read implements io.Reader.
func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read += int64(n)
	c.tell(c.read)
	return n, err
}
