package files_test

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/files"
)

// container answers what is asked of a container of Azure Blob Storage. There is no such server
// to run, so this one knows just the calls that storing, reading, listing and deleting take.
type container struct {
	mu     sync.Mutex
	blobs  map[string][]byte
	blocks map[string][]byte
	denies bool
}

func (c *container) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/account/files"), "/")
	body, err := io.ReadAll(r.Body)
	query := r.URL.Query()
	w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-Ms-Creation-Time", time.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("ETag", `"1"`)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case c.denies || !strings.HasPrefix(r.Header.Get("Authorization"), "SharedKey account:"):
		w.Header().Set("X-Ms-Error-Code", "AuthorizationFailure")
		w.WriteHeader(http.StatusForbidden)
	case r.Method == http.MethodPut && query.Get("comp") == "block":
		c.blocks[key+"#"+query.Get("blockid")] = body
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		if query.Get("comp") == "blocklist" {
			body = c.join(key, body)
		}
		c.blobs[key] = body
		w.WriteHeader(http.StatusCreated)
	case query.Get("comp") == "list":
		c.list(w, query.Get("prefix"))
	case c.blobs[key] == nil:
		w.Header().Set("X-Ms-Error-Code", "BlobNotFound")
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(c.blobs, key)
		w.WriteHeader(http.StatusAccepted)
	default:
		if asked := r.Header.Get("X-Ms-Range"); asked != "" {
			r.Header.Set("Range", asked)
		}
		http.ServeContent(w, r, "", time.Now(), strings.NewReader(string(c.blobs[key])))
	}
}

func (c *container) join(key string, list []byte) []byte {
	var order struct{ Latest []string }
	if err := xml.Unmarshal(list, &order); err != nil {
		return nil
	}
	whole := []byte{}
	for _, id := range order.Latest {
		whole = append(whole, c.blocks[key+"#"+id]...)
	}
	return whole
}

func (c *container) list(w http.ResponseWriter, prefix string) {
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprint(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>`)
	for key, blob := range c.blobs {
		if strings.HasPrefix(key, prefix) {
			fmt.Fprintf(w, "<Blob><Name>%s</Name><Properties><Last-Modified>%s</Last-Modified><Content-Length>%d</Content-Length></Properties></Blob>",
				key, time.Now().UTC().Format(http.TimeFormat), len(blob))
		}
	}
	fmt.Fprint(w, `</Blobs><NextMarker /></EnumerationResults>`)
}

// It is not parallel: who we are comes from the environment alone.
func TestAzure(t *testing.T) {
	const account, key = "account", "c2VjcmV0"
	t.Setenv("AZURE_STORAGE_KEY", key)
	t.Setenv("AZURE_STORAGE_ACCOUNT", account)
	fake := &container{blobs: map[string][]byte{}, blocks: map[string][]byte{}}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	url := "azblob://files?prefix=north&protocol=http&domain=" + strings.TrimPrefix(server.URL, "http://")
	w := &world{Files: open(t, files.Config{URL: url})}

	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	small := save(t, w, "uploads", "0123456789")
	readTwice(t, w, small, []byte("0123456789"))
	const size = 12<<20 + 5
	big, got, err := w.Save(t.Context(), "outputs", &endless{size: size})
	if err != nil || got != size {
		t.Fatalf("saved %d, %v", got, err)
	}
	file, err := w.Open(t.Context(), big)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sameBytes(t, file, &endless{size: size})
	cut := errors.New("the line is cut")
	for _, after := range []int64{10, size} {
		if key, _, err := w.Save(t.Context(), "uploads", io.MultiReader(&endless{size: after}, iotest.ErrReader(cut))); !errors.Is(err, cut) {
			t.Errorf("saved as %q, %v", key, err)
		}
	}
	keys, err := w.Before(t.Context(), time.Now().Add(time.Minute))
	if want := []string{small, big}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("there is %q, %v; want %q", keys, err, want)
	}
	for _, key := range []string{small, big, big, "uploads/missing", "uploads/missing.part"} {
		if err := w.Remove(t.Context(), key); err != nil {
			t.Errorf("remove %q: %v", key, err)
		}
		if _, err := w.Open(t.Context(), key); fault.KindOf(err) != fault.NotFound {
			t.Errorf("open %q: %v", key, err)
		}
	}
	kept := save(t, w, "outputs", "A")
	if _, err := w.Put(t.Context(), kept, io.MultiReader(&endless{size: 10}, iotest.ErrReader(cut))); !errors.Is(err, cut) {
		t.Errorf("put again: %v", err)
	}
	readTwice(t, w, kept, []byte("A"))
	if size, err := w.Size(t.Context(), kept); err != nil || size != 1 {
		t.Errorf("the size is %d, %v", size, err)
	}
	if err := w.Remove(t.Context(), kept); err != nil {
		t.Error(err)
	}
	if size, err := w.Size(t.Context(), kept); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the size of a file that is gone is %d, %v", size, err)
	}
	if len(fake.blobs) > 0 {
		t.Errorf("%d blobs are left", len(fake.blobs))
	}
	fake.mu.Lock()
	fake.denies = true
	fake.mu.Unlock()
	secret, _ := base64.StdEncoding.DecodeString(key)
	if err := w.Ping(t.Context()); fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), string(secret)) || strings.Contains(err.Error(), key) {
		t.Errorf("denied: %v", err)
	}
}

// A token is a part of the service's address: it goes where the environment says, and nowhere else.
func TestAzureToken(t *testing.T) {
	t.Setenv("AZURE_STORAGE_ACCOUNT", "account")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "sig=s3cr3t")
	if f, err := files.Open(t.Context(), files.Config{URL: "azblob://files?domain=evil.example"}); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("opened %v, %v", f, err)
	}
}
