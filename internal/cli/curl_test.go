package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// curl is as much of curl as the demo's tour uses, so that the tour can be run as it is
// printed: -s -f -X METHOD -H NAME:VALUE -d TEXT -F FIELD=@FILE URL. Texts are joined by &.
func curl(args []string, out, errs io.Writer) int {
	var body io.Reader
	header := http.Header{}
	method, address, failing := "", "", false
	var texts []string
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		take := func() (value string) {
			value, args = args[0], args[1:]
			return value
		}
		switch word {
		case "-s":
		case "-f":
			failing = true
		case "-X":
			method = take()
		case "-H":
			name, value, _ := strings.Cut(take(), ":")
			header.Set(name, strings.TrimSpace(value))
		case "-d":
			texts = append(texts, take())
		case "-F":
			field, file, _ := strings.Cut(take(), "=@")
			form, kind, err := oneFile(field, file)
			if err != nil {
				fmt.Fprintln(errs, err)
				return 26
			}
			body = form
			header.Set("Content-Type", kind)
		default:
			address = word
		}
	}
	if texts != nil {
		body = strings.NewReader(strings.Join(texts, "&"))
		if header.Get("Content-Type") == "" {
			header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	if method == "" && body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 3
	}
	req.Header = header
	client := http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 7
	}
	defer resp.Body.Close()
	if failing && resp.StatusCode >= http.StatusBadRequest {
		return 22
	}
	if _, err := io.Copy(out, resp.Body); err != nil {
		fmt.Fprintln(errs, err)
		return 23
	}
	return 0
}

func oneFile(field, path string) (body io.Reader, contentType string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	part, err := form.CreateFormFile(field, filepath.Base(path))
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(text); err != nil {
		return nil, "", err
	}
	return &buf, form.FormDataContentType(), form.Close()
}
