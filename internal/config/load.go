package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml/ast"

	"rollcall/internal/access"
	"rollcall/internal/registry"
)

// File is a study file. PasswordFile and publicKeyFiles in it are relative to the folder of
// its name.
type File struct {
	Name string
	Data []byte
}

// Definitions is what study files declare, checked as far as it can be without a store.
type Definitions struct {
	Studies         []*StudyDefinition
	Users           []*UserDefinition
	ServiceAccounts []*ServiceAccountDefinition

	files []string // in the order in which they were named
}

// StudyDefinition declares a study with its settings and sites, all defaults filled in.
type StudyDefinition struct {
	At       Place          // of the OID
	Study    registry.Study // without internal numbers; GUID is zero where the file gives none
	GUIDAt   Place
	Sites    []SitePlaces // where each of Study.Sites stands
	Segments []Place      // where the rule of each of Study.Segments stands
}

// SitePlaces is where the parts of a site stand that have to be unique.
type SitePlaces struct{ OID, Code Place }

// UserDefinition declares a user. At most one of Password and PasswordHash is set; neither
// keeps the password that the user has.
type UserDefinition struct {
	At           Place
	Username     string
	Password     string
	PasswordHash string
	Roles        []RoleDefinition
}

// RoleDefinition gives a role in a study or at a site, whichever OID is set.
type RoleDefinition struct {
	At    Place
	Study string // study OID
	Site  string // site OID
	Role  access.Role
}

// ServiceAccountDefinition declares a service account.
type ServiceAccountDefinition struct {
	At      Place
	Name    string
	Studies []StudyReference
	Keys    []string // as [access.PublicKeyPEM] writes them
}

// StudyReference names a study by its OID.
type StudyReference struct {
	At  Place
	OID string
}

// LoadFiles reads and checks the files with the names.
func LoadFiles(names []string) (*Definitions, error) {
	files := make([]File, 0, len(names))
	for _, name := range names {
		data, err := readRegular(name, maxFileBytes)
		if err != nil {
			return nil, Problems{{Place: Place{File: name}, Message: err.Error()}}
		}
		files = append(files, File{Name: name, Data: data})
	}
	return Load(files)
}

// Load reads and checks study files. Its error is [Problems]: all that is wrong with all of
// them. The files that they name are read too.
func Load(files []File) (*Definitions, error) {
	problems := &problemList{}
	defs := &Definitions{}
	for _, f := range files {
		defs.files = append(defs.files, f.Name)
		r := &reader{file: f.Name, problems: problems}
		if root, ok := r.document(f.Data); ok {
			r.root(root, defs)
		}
	}
	checkUnique(defs, problems)
	if err := problems.err(defs.files); err != nil {
		return nil, err
	}
	return defs, nil
}

func (r *reader) root(n ast.Node, defs *Definitions) {
	root, ok := r.object(n, "a study file", "studies", "users", "serviceAccounts")
	if !ok {
		return
	}
	for _, item := range root.list("studies") {
		if d, ok := r.study(item); ok {
			defs.Studies = append(defs.Studies, d)
		}
	}
	for _, item := range root.list("users") {
		if d, ok := r.user(item); ok {
			defs.Users = append(defs.Users, d)
		}
	}
	for _, item := range root.list("serviceAccounts") {
		if d, ok := r.serviceAccount(item); ok {
			defs.ServiceAccounts = append(defs.ServiceAccounts, d)
		}
	}
}

// readRegular reads a regular file of at most so many bytes. Its errors tell only what is
// wrong, not where.
func readRegular(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case os.IsNotExist(err):
		return nil, errors.New("there is no such file")
	case err != nil:
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	case int64(len(data)) > most:
		return nil, fmt.Errorf("the file is larger than %d bytes", most)
	}
	return data, nil
}
