package cli

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall/internal/jobs"
	"rollcall/internal/store"
)

// A backup is a tar archive of the database, the files that its jobs need, and last a manifest that names each file with its size and hash: an archive without it was cut short.
const (
	manifestName  = "manifest.json"
	archiveFormat = 1
	maxManifest   = 64 << 20
)

// archivedFolders are the folders of files that an archive can hold.
func archivedFolders() []string { return []string{jobs.UploadFolder, jobs.OutputFolder} }

// manifest tells what an archive holds.
type manifest struct {
	Format        int            `json:"format"`
	CreatedAt     time.Time      `json:"createdAt"`
	Program       string         `json:"program"` // version of rollcall
	SchemaVersion int64          `json:"schemaVersion"`
	Files         []manifestFile `json:"files"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// archiveWriter writes a backup.
type archiveWriter struct {
	tar      *tar.Writer
	manifest manifest
}

func newArchiveWriter(w io.Writer, at time.Time, schema int64) *archiveWriter {
	return &archiveWriter{tar: tar.NewWriter(w), manifest: manifest{
		Format: archiveFormat, CreatedAt: at.UTC(), Program: readBuild().version, SchemaVersion: schema,
	}}
}

// add copies an open file, from its beginning, into the archive.
func (a *archiveWriter) add(name string, file io.ReadSeeker) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("back up %s: %w", name, err)
	}
	if err := a.header(name, size); err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(a.tar, hash), io.LimitReader(file, size)); err != nil {
		return fmt.Errorf("back up %s: %w", name, err)
	}
	a.manifest.Files = append(a.manifest.Files, manifestFile{
		Name: name, Size: size, SHA256: hex.EncodeToString(hash.Sum(nil)),
	})
	return nil
}

func (a *archiveWriter) header(name string, size int64) error {
	err := a.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: a.manifest.CreatedAt, Format: tar.FormatPAX,
	})
	if err != nil {
		return fmt.Errorf("back up %s: %w", name, err)
	}
	return nil
}

// finish adds the manifest and ends the archive.
func (a *archiveWriter) finish() error {
	text, err := json.MarshalIndent(a.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	if err := a.header(manifestName, int64(len(text))); err != nil {
		return err
	}
	if _, err := a.tar.Write(text); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	if err := a.tar.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

// unpack writes an archive's files into an empty folder and checks them against its manifest.
// Only names that a backup has are written. Its errors say that the file is wrong.
func unpack(archive, into string) (*manifest, error) {
	file, err := os.Open(archive)
	if err != nil {
		return nil, wrong("%v", err)
	}
	defer file.Close()
	for _, folder := range archivedFolders() {
		if err := os.Mkdir(filepath.Join(into, folder), 0o700); err != nil {
			return nil, fmt.Errorf("unpack: %w", err)
		}
	}
	var unpacked []manifestFile
	in := tar.NewReader(file)
	for {
		header, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, notABackup(archive, "it ends before its manifest: it was cut short")
		case err != nil:
			return nil, notABackup(archive, err.Error())
		case header.Typeflag != tar.TypeReg:
			return nil, notABackup(archive, "it holds something else than files")
		case header.Name == manifestName:
			return readManifest(archive, in, unpacked)
		case !archived(header.Name):
			return nil, notABackup(archive, fmt.Sprintf("it holds %q", header.Name))
		}
		entry, err := unpackFile(archive, in, header, filepath.Join(into, filepath.FromSlash(header.Name)))
		if err != nil {
			return nil, err
		}
		unpacked = append(unpacked, entry)
	}
}

// archived tells whether a backup has files of that name: the database, and files directly in
// one of their folders.
func archived(name string) bool {
	if name == store.FileName {
		return true
	}
	folder, key, _ := strings.Cut(name, "/")
	return slices.Contains(archivedFolders(), folder) && key != "" && path.Base(key) == key && filepath.IsLocal(filepath.FromSlash(key)) && !strings.Contains(key, `\`)
}

func unpackFile(archive string, in io.Reader, header *tar.Header, to string) (entry manifestFile, err error) {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return entry, fmt.Errorf("unpack %s: %w", header.Name, err)
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(out, hash), in)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		_ = out.Close() // nobody needs it
		return entry, notABackup(archive, "it ends within "+header.Name)
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return entry, fmt.Errorf("unpack %s: %w", header.Name, err)
	}
	return manifestFile{Name: header.Name, Size: size, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}

func readManifest(archive string, in io.Reader, unpacked []manifestFile) (*manifest, error) {
	var m manifest
	if err := json.NewDecoder(io.LimitReader(in, maxManifest)).Decode(&m); err != nil {
		return nil, notABackup(archive, "its manifest cannot be read")
	}
	if m.Format != archiveFormat {
		return nil, notABackup(archive, fmt.Sprintf("it has format %d, this program knows %d", m.Format, archiveFormat))
	}
	hasDatabase := false
	for i, f := range m.Files {
		if i >= len(unpacked) || unpacked[i] != f {
			return nil, notABackup(archive, fmt.Sprintf("%s is not what was backed up", f.Name))
		}
		hasDatabase = hasDatabase || f.Name == store.FileName
	}
	if len(unpacked) != len(m.Files) || !hasDatabase {
		return nil, notABackup(archive, "it does not hold what its manifest names")
	}
	return &m, nil
}

func notABackup(archive, why string) error {
	return wrong("%s is no whole backup: %s", archive, why).withHint("nothing was changed; use another backup")
}
