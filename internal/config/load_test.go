package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/config"
	"rollcall/internal/registry"
)

var ignorePlaces = cmp.Options{
	cmpopts.IgnoreTypes(config.Place{}, []config.Place{}, []config.SitePlaces{}),
	cmpopts.IgnoreUnexported(config.Definitions{}),
}

func load(t *testing.T, text string) *config.Definitions {
	t.Helper()
	defs, err := config.Load([]config.File{{Name: "study.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

// TestLoadEveryKey reads a file that uses every key.
func TestLoadEveryKey(t *testing.T) {
	t.Parallel()
	got, err := config.LoadFiles([]string{"testdata/full.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Definitions{
		Studies: []*config.StudyDefinition{{Study: registry.Study{
			OID: "S_JUNO(TEST)", GUID: uuid.MustParse("6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11"),
			Identifier: "JUNO-1", Name: "Juno", Status: registry.Frozen, Participate: true,
			IDMethod: registry.GeneratedIDs, IDTemplate: `${siteId}-${(siteParticipantCount+1)?string["000"]}`,
			IdentifierPrefix: "JU", Cap: 500, EnforceCap: true, EnrollOnCreate: false, UniqueContacts: true,
			BulkContract: registry.BulkLegacy,
			Sites: []registry.Site{{
				OID: "S_BOSTON(TEST)", Code: "BOSTON", Name: "Boston General", Status: registry.Locked, EnforceCap: true,
			}},
			CustomFields: []registry.CustomField{{Name: "Smoker", Type: registry.IntegerField}},
			Segments: []registry.Segment{{
				ID: uuid.MustParse("f4828980-3a25-46c7-8d54-ea6bfc4fa970"), Name: "Under 35", Rule: "age < 35",
			}},
		}}},
		Users: []*config.UserDefinition{
			{Username: "dana", Password: "change-me", Roles: []config.RoleDefinition{
				{Study: "S_JUNO(TEST)", Role: access.DataManager}, {Site: "S_BOSTON(TEST)", Role: access.CRC},
			}},
			{Username: "emil", PasswordHash: "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"},
			{Username: "sofia", Password: "from a file"},
		},
		ServiceAccounts: []*config.ServiceAccountDefinition{{
			Name:    "MyDataHelps.12345.myapp",
			Studies: []config.StudyReference{{OID: "S_JUNO(TEST)"}},
			Keys:    []string{readKey(t, "testdata/one.pem"), readKey(t, "testdata/two.pem")},
		}},
	}
	if diff := cmp.Diff(want, got, ignorePlaces); diff != "" {
		t.Errorf("definitions (-want +got):\n%s", diff)
	}
}

func readKey(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	got := load(t, "studies:\n  - oid: S_LUNA(TEST)\n    name: Luna\n    sites: [{oid: S_ROME, name: Rome}]\n")
	want := registry.Study{
		OID: "S_LUNA(TEST)", Identifier: "S_LUNA(TEST)", Name: "Luna", Status: registry.Available,
		IDMethod: registry.ManualIDs, IdentifierPrefix: "SLUNATEST", EnrollOnCreate: true,
		BulkContract: registry.BulkCurrent,
		Sites:        []registry.Site{{OID: "S_ROME", Code: "S_ROME", Name: "Rome", Status: registry.Available}},
	}
	if diff := cmp.Diff(want, got.Studies[0].Study); diff != "" {
		t.Errorf("study (-want +got):\n%s", diff)
	}
}

func TestLoadDefaultPrefix(t *testing.T) {
	t.Parallel()
	for identifier, want := range map[string]string{
		"JUNO-2026": "JUNO2026", "---": "ID", "Étude 7": "tude7", "abcdefghijklmnopqrstuvwxyz": "abcdefghijklmnopqrst",
	} {
		got := load(t, "studies: [{oid: S, name: S, identifier: '"+identifier+"'}]")
		if got.Studies[0].Study.IdentifierPrefix != want {
			t.Errorf("prefix of %s = %s, want %s", identifier, got.Studies[0].Study.IdentifierPrefix, want)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	defs, err := config.Load([]config.File{config.Demo()})
	if err != nil {
		t.Fatal(err)
	}
	study, site := map[access.Role]bool{}, map[access.Role]bool{}
	for _, u := range defs.Users {
		if u.Password != config.DemoPassword {
			t.Errorf("the password of %s is not the demo's", u.Username)
		}
		for _, r := range u.Roles {
			if r.Study != "" {
				study[r.Role] = true
			} else {
				site[r.Role] = true
			}
		}
	}
	if len(study) != len(access.StudyRoles()) || len(site) != len(access.SiteRoles()) {
		t.Errorf("the demo has users with %v of studies and %v at sites, want every role", study, site)
	}
}

// TestLoadProblems compares everything that is reported, with line and column.
func TestLoadProblems(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			_, err := config.LoadFiles([]string{name})
			var problems config.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("LoadFiles = %v, want problems", err)
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".golden",
				strings.ReplaceAll(problems.Error(), filepath.ToSlash(name)+":", "")+"\n")
		})
	}
}

func TestLoadAcrossFiles(t *testing.T) {
	t.Parallel()
	_, err := config.Load([]config.File{
		{Name: "b.yaml", Data: []byte("studies: [{oid: S_ONE, name: One}]\nusers: [{username: dana}]")},
		{Name: "a.yaml", Data: []byte("studies: [{oid: s_one, name: One}]\nusers:\n- {username: DANA, x: 1}")},
		{Name: "c.yaml", Data: nil},
	})
	want := `a.yaml:1:12: the OID is used twice, first at b.yaml:1:12
a.yaml:3:4: the username is used twice, first at b.yaml:2:10
a.yaml:3:20: a user has no key "x"
c.yaml:1:1: the file is empty`
	if err == nil || err.Error() != want {
		t.Errorf("Load =\n%v\nwant\n%s", err, want)
	}
}

func TestLoadFilesThatAreNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "there is no such file",
		dir:                             "not a regular file",
	} {
		_, err := config.LoadFiles([]string{name})
		var problems config.Problems
		if !errors.As(err, &problems) || problems[0].Message != want || problems[0].Place.File != name {
			t.Errorf("LoadFiles = %v, want %s", err, want)
		}
	}
}

func TestLoadTooLarge(t *testing.T) {
	t.Parallel()
	_, err := config.Load([]config.File{{Name: "big.yaml", Data: make([]byte, 5<<20)}})
	if err == nil || err.Error() != "big.yaml:1:1: the file is larger than 4 MiB" {
		t.Errorf("Load = %v", err)
	}
}

func TestLoadTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	_, err := config.Load([]config.File{{Name: "x.yaml", Data: []byte("studies:\n  - oid: S\n    name: M\xfcnchen\n")}})
	if err == nil || err.Error() != "x.yaml:3:1: the text is not UTF-8 (save the file as UTF-8)" {
		t.Errorf("Load = %v", err)
	}
}

// TestProblemsKeepSecrets spoils values that are secret and looks for them in what is said.
func TestProblemsKeepSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"users: [{username: a, passwordHash: hunter2}]",
		"users: [{username: a, password: [hunter2]}]",
		"users: [{username: a, password: {hunter2: x}}]",
		"users: [{username: a, password: !!str hunter2}]",
		"users: [{username: a, password: hunter2, passwordHash: hunter2}]",
		"serviceAccounts: [{name: a, publicKeys: [hunter2]}]",
	} {
		_, err := config.Load([]config.File{{Name: "x.yaml", Data: []byte(text)}})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Load(%s) = %v", text, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(string(config.Demo().Data))
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(files, "testdata/full.yaml") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		defs, err := config.Load([]config.File{{Name: "none/fuzz.yaml", Data: []byte(text)}})
		var problems config.Problems
		switch {
		case err == nil && defs == nil:
			t.Error("neither definitions nor an error")
		case err != nil && (!errors.As(err, &problems) || len(problems) == 0):
			t.Errorf("Load = %v, want problems", err)
		}
		for _, p := range problems {
			if p.Place.Line < 1 || p.Place.Column < 1 || p.Message == "" {
				t.Errorf("a problem without a place or words: %+v", p)
			}
		}
	})
}
