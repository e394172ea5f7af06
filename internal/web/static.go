package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
)

//go:embed static
var staticFolder embed.FS

// staticFiles are the files that pages load: styles and scripts. Their addresses carry a part of
// their checksum, so that browsers keep them for good and load new ones at once.
type staticFiles struct {
	content map[string][]byte
	version map[string]string
}

func readStatic() (*staticFiles, error) {
	entries, err := staticFolder.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("read static files: %w", err)
	}
	files := &staticFiles{content: map[string][]byte{}, version: map[string]string{}}
	for _, entry := range entries {
		content, err := staticFolder.ReadFile("static/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read static files: %w", err)
		}
		sum := sha256.Sum256(content)
		files.content[entry.Name()], files.version[entry.Name()] = content, hex.EncodeToString(sum[:6])
	}
	return files, nil
}

// address is where a page loads the file from; templates call it.
func (s *staticFiles) address(name string) (string, error) {
	version, ok := s.version[name]
	if !ok {
		return "", fmt.Errorf("there is no static file %q", name)
	}
	return "/static/" + name + "?v=" + version, nil
}

// serveStatic serves a file to anybody:
//
//	GET /static/{file}
func (p *Pages) serveStatic(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	content, ok := p.static.content[name]
	if !ok {
		return fault.New(fault.NotFound, httpx.CodeNoRoute, "there is no such file")
	}
	version := p.static.version[name]
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Etag", `"`+version+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return nil
}
