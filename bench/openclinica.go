package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// connections is how many connections the operations with several have.
const connections = 32

// createOne adds participants one a request, through OpenClinica's API.
func (w *world) createOne(ctx context.Context, r *registry) (measures, error) {
	var next atomic.Int64
	next.Store(int64(r.people))
	l := &load{
		address: r.address, connections: connections, period: w.options.period,
		request: func(to []byte, _ int) []byte {
			body := personNumber(int(next.Add(1) - 1)).appendClinic(make([]byte, 0, 512))
			return appendRequest(to, http.MethodPost, clinicPath, r.userToken, body)
		},
	}
	found, err := l.run(ctx)
	r.people = int(next.Load())
	return found, err
}

// importCSV has a new registry read a bulk file, until the log is downloaded. The registry is gone
// afterwards. Meanwhile, if that is not nil, runs beside it until it is told to stop.
func (w *world) importCSV(ctx context.Context, engine string, meanwhile func(ctx context.Context, r *registry) error) (_ measures, err error) {
	r, err := w.freshRegistry(ctx, engine)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.discard(ctx, r)) }()
	file, err := w.csvFile()
	if err != nil {
		return nil, err
	}
	if _, err := r.start(ctx); err != nil {
		return nil, err
	}
	if meanwhile != nil {
		beside, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- meanwhile(beside, r) }()
		defer func() {
			stop()
			err = errors.Join(err, <-ended)
		}()
	}
	began := time.Now()
	job, err := r.submit(ctx, file)
	if err != nil {
		return nil, err
	}
	steps, err := r.follow(ctx, job, time.Now())
	if err != nil {
		return nil, err
	}
	lines, err := r.download(ctx, job)
	if err != nil {
		return nil, err
	}
	found := per(w.people, time.Since(began))
	if want := w.people + 1; lines != want {
		return nil, fmt.Errorf("the log has %d lines, want %d", lines, want)
	}
	found[tenths] = tenthsOf(steps, w.people)
	found[peak], err = r.peakMemory()
	return found, err
}

// searchEachSecond looks for a text that is rare, so that what searches are answered from is kept
// while others write.
func searchEachSecond(ctx context.Context, r *registry) error {
	token, err := r.serviceToken(ctx)
	if err != nil {
		return err
	}
	conn, err := dial(ctx, r.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := appendRequest(nil, http.MethodGet, projectPath+"?query="+personNumber(0).identifier()[2:], token, nil)
	for {
		status, err := conn.do(request)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || status != http.StatusOK {
			return errors.Join(fmt.Errorf("search: %d %.300s", status, conn.body), err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// csvFile is the file with as many people as a registry has; it is written once.
func (w *world) csvFile() (string, error) {
	path := filepath.Join(w.dir, "people.csv")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	text := []byte(csvHeader)
	for n := range w.people {
		text = personNumber(n).appendCSV(text)
	}
	return path, os.WriteFile(path, text, 0o600)
}

// submit sends a bulk file and answers the job's uuid.
func (r *registry) submit(ctx context.Context, path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	if _, err := form.CreateFormFile("file", "people.csv"); err != nil {
		return "", err
	}
	head := frame.String()
	frame.Reset()
	if err := form.Close(); err != nil {
		return "", err
	}
	body := io.MultiReader(strings.NewReader(head), file, &frame)
	text, err := r.ask(ctx, http.MethodPost, clinicPath+"/bulk", form.FormDataContentType(), body)
	job, ok := strings.CutPrefix(string(text), "job uuid: ")
	if err == nil && !ok {
		err = fmt.Errorf("submit a bulk file: %.200s", text)
	}
	return job, err
}

// step tells how many rows a job had done after so long.
type step struct {
	rows  int
	after time.Duration
}

// follow asks for a job's progress until it has ended well.
func (r *registry) follow(ctx context.Context, job string, began time.Time) ([]step, error) {
	steps := []step{{}}
	for {
		text, err := r.ask(ctx, http.MethodGet, jobsPath+job, "", nil)
		if err != nil {
			return nil, err
		}
		var state struct {
			Status, Message string
			Rows, Failed    int
		}
		if err := json.Unmarshal(text, &state); err != nil {
			return nil, err
		}
		if state.Rows > steps[len(steps)-1].rows {
			steps = append(steps, step{state.Rows, time.Since(began)})
		}
		switch {
		case state.Status == "COMPLETED" && state.Failed == 0:
			return steps, nil
		case state.Status != "IN_PROGRESS":
			return nil, fmt.Errorf("the job has ended: %.300s", text)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tenthsOf compares how fast the last tenth of the rows went with the first.
func tenthsOf(steps []step, rows int) float64 {
	at := func(row int) float64 { // when it was done, supposing an even pace between the steps
		for i, s := range steps {
			if s.rows >= row && i > 0 {
				before := steps[i-1]
				part := float64(row-before.rows) / float64(s.rows-before.rows)
				return before.after.Seconds() + part*(s.after-before.after).Seconds()
			}
		}
		return steps[len(steps)-1].after.Seconds()
	}
	return at(rows/10) / (at(rows) - at(rows-rows/10))
}

// download gets the job's file and counts its lines.
func (r *registry) download(ctx context.Context, job string) (lines int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+jobsPath+job+"/downloadFile", http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+r.userToken)
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("download a job's file: %s", resp.Status)
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buffer)
		lines += bytes.Count(buffer[:n], []byte("\n"))
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// extract has everybody written to a file and downloads it.
func (w *world) extract(ctx context.Context, r *registry) (measures, error) {
	if err := r.forgetPeak(); err != nil {
		return nil, err
	}
	began := time.Now()
	text, err := r.ask(ctx, http.MethodPost, clinicPath+"/extractParticipantsInfo", "", nil)
	if err != nil {
		return nil, err
	}
	job, ok := strings.CutPrefix(string(text), "job uuid: ")
	if !ok {
		return nil, fmt.Errorf("ask for an extract: %.200s", text)
	}
	if _, err := r.follow(ctx, job, began); err != nil {
		return nil, err
	}
	lines, err := r.download(ctx, job)
	if err != nil {
		return nil, err
	}
	found := per(r.people, time.Since(began))
	if want := r.people + 1; lines != want {
		return nil, fmt.Errorf("the extract has %d lines, want %d", lines, want)
	}
	found[peak], err = r.peakMemory()
	return found, err
}

// restart stops the server and measures how soon it is ready again.
func (w *world) restart(ctx context.Context, r *registry) (measures, error) {
	if err := r.stop(); err != nil {
		return nil, err
	}
	took, err := r.start(ctx)
	return measures{p50: milliseconds(took), slowest: milliseconds(took)}, err
}
