package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// floorCommand makes this program the server that does nothing.
const floorCommand = "floor"

// floorMain serves until it is stopped: a GET is answered with so many bytes as the second argument says, a
// POST is read and answered with so many as the third. The first is the address.
func floorMain(args []string) int {
	if len(args) != 3 {
		return 2
	}
	answers := map[string][]byte{}
	for i, method := range []string{http.MethodGet, http.MethodPost} {
		length, err := strconv.Atoi(args[1+i])
		if err != nil {
			return 2
		}
		answers[method] = bytes.Repeat([]byte("x"), length)
	}
	server := &http.Server{
		Addr: args[0], ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // who does not send it gets no answer
			w.Header().Set("Content-Type", "application/json")
			w.Write(answers[r.Method])
		}),
	}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	return 1
}

// floor is the running server that does nothing.
type floor struct {
	*process
	address string
}

// startFloor starts it in a process of its own, as Rollcall has one.
func startFloor(ctx context.Context, log string, getBytes, postBytes int) (*floor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &floor{}
	if f.address, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	f.process, err = launch(ctx, log, self, floorCommand, f.address, strconv.Itoa(getBytes), strconv.Itoa(postBytes))
	if err != nil {
		return nil, err
	}
	return f, f.until(ctx, "start the server that does nothing", 5*time.Millisecond, func() bool { return answers(ctx, f.address) })
}

// answers tells whether somebody listens there.
func answers(ctx context.Context, address string) bool {
	conn, err := dial(ctx, address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// byWrk has wrk, another load generator, read from the server that does nothing: so the report shows
// that ours is no slower.
func (f *floor) byWrk(ctx context.Context, period time.Duration) (measures, error) {
	said, err := command(ctx, "wrk", "-t1", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(max(1, int(period.Seconds())))+"s",
		"-H", "Authorization: Bearer token", "http://"+f.address+projectPath+"/P-00000001")
	if err != nil {
		return nil, err
	}
	_, after, _ := strings.Cut(said, "Requests/sec:")
	number, _, _ := strings.Cut(strings.TrimSpace(after), "\n")
	value, err := strconv.ParseFloat(number, 64)
	return measures{rate: value}, err
}
