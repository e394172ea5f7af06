package cli

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/store"
)

// entry is one entry of a tar archive.
type entry struct {
	name, text string
	kind       byte // 0: a file
}

func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		kind := e.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		header := &tar.Header{Typeflag: kind, Name: e.name, Mode: 0o600, Size: int64(len(e.text))}
		if kind == tar.TypeSymlink {
			header.Linkname, header.Size = e.text, 0
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if header.Size > 0 {
			if _, err := w.Write([]byte(e.text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// wholeArchive is a backup of two files.
func wholeArchive(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	a := newArchiveWriter(&out, time.Unix(1_800_000_000, 0), 5)
	for _, name := range []string{store.FileName, "uploads/some-key"} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte("text of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := a.add(name, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.finish(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpackBytes(t *testing.T, archive []byte) (into string, m *manifest, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.tar")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	into = t.TempDir()
	m, err = unpack(file, into)
	return into, m, err
}

func TestUnpackGivesWhatWasPacked(t *testing.T) {
	t.Parallel()
	into, m, err := unpackBytes(t, wholeArchive(t))
	if err != nil {
		t.Fatal(err)
	}
	if m.SchemaVersion != 5 || !m.CreatedAt.Equal(time.Unix(1_800_000_000, 0)) {
		t.Errorf("manifest %+v", m)
	}
	for _, name := range []string{store.FileName, "uploads/some-key"} {
		got, err := os.ReadFile(filepath.Join(into, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("text of "+name, string(got)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	good := wholeArchive(t)
	flipped := bytes.Replace(good, []byte("text of rollcall.db"), []byte("text of rollcall.dB"), 1)
	for _, test := range []struct {
		name    string
		archive []byte
		want    string
	}{
		{"empty", nil, "cut short"},
		{"not an archive", []byte(strings.Repeat("no archive ", 100)), "no whole backup"},
		{"cut within a file", good[:520], "ends within"},
		{"cut before the manifest", tarOf(t, entry{name: store.FileName, text: "x"}), "cut short"},
		{"a byte changed", flipped, "not what was backed up"},
		{"a path that leads out", tarOf(t, entry{name: "../rollcall.db", text: "x"}), `holds "../rollcall.db"`},
		{"an absolute path", tarOf(t, entry{name: "/etc/passwd", text: "x"}), `holds "/etc/passwd"`},
		{"an upload that leads out", tarOf(t, entry{name: "uploads/../../x", text: "x"}), "holds"},
		{"an upload in a folder", tarOf(t, entry{name: "uploads/a/b", text: "x"}), "holds"},
		{"another file", tarOf(t, entry{name: "rollcall.lock", text: "x"}), "holds"},
		{"a link", tarOf(t, entry{name: store.FileName, text: "/etc/passwd", kind: tar.TypeSymlink}), "something else than files"},
		{"another format", tarOf(t, entry{name: manifestName, text: `{"format":9}`}), "format 9"},
		{"a manifest of nothing", tarOf(t, entry{name: manifestName, text: `{"format":1}`}), "does not hold"},
		{"a manifest that is none", tarOf(t, entry{name: manifestName, text: `format`}), "manifest cannot be read"},
		{"a file that the manifest does not name",
			tarOf(t, entry{name: store.FileName, text: "x"}, entry{name: manifestName, text: `{"format":1}`}), "does not hold"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := unpackBytes(t, test.archive)
			f := (*failure)(nil)
			if !errors.As(err, &f) || f.code != exitWrong || !strings.Contains(f.what, test.want) {
				t.Errorf("unpack: %v, want a wrong file that says %q", err, test.want)
			}
		})
	}
}
