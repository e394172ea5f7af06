package config_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/registry"
	"rollcall/internal/store/sqlite"
	"rollcall/internal/store/trail"
)

var (
	appliedAt = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	operator  = audit.Origin{Actor: "operator", Dialect: "cli"}
	madeGUID  = uuid.MustParse("11111111-2222-4333-8444-555555555555")
)

// base is what the tests below start from: a study with a site, a user and an account.
const base = `
studies:
  - oid: S_JUNO(TEST)
    guid: 6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11
    identifier: JUNO
    name: Juno
    sites:
      - {oid: S_BOSTON(TEST), code: BOSTON, name: Boston General}
    customFields: [{name: Smoker, type: integer}]
    segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: Under 35, rule: age < 35}]
  - oid: S_CERES
    guid: 2d4c8a17-91be-4d5a-a1f3-7c5e0b96d8f2
    name: Ceres
    sites: [{oid: S_LEEDS, name: Leeds}]
users:
  - username: dana
    passwordHash: $argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA
    roles: [{study: S_JUNO(TEST), role: data manager}]
serviceAccounts:
  - name: app
    studies: [S_JUNO(TEST)]
    publicKeyFiles: [testdata/one.pem]
`

type deployment struct {
	*sqlite.DB
	t *testing.T
}

func deploy(t *testing.T, texts ...string) *deployment {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "rollcall.db"), Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &deployment{db, t}
	for _, text := range texts {
		d.apply(text)
	}
	return d
}

func options() config.Options {
	return config.Options{
		Now:     func() time.Time { return appliedAt },
		NewGUID: func() (uuid.UUID, error) { return madeGUID, nil },
		Origin:  operator,
	}
}

func (d *deployment) apply(text string) []string {
	d.t.Helper()
	differences, err := config.Apply(d.t.Context(), d, load(d.t, text), options())
	if err != nil {
		d.t.Fatal(err)
	}
	return lines(differences)
}

func lines(differences []config.Difference) []string {
	texts := make([]string, len(differences))
	for i, d := range differences {
		texts[i] = d.String()
	}
	return texts
}

// picture is all that definitions change.
type picture struct {
	studies  []*registry.Study
	users    []*access.User
	accounts []*access.ServiceAccount
	events   []trail.Record
	versions [2]int64
}

var showPicture = cmp.Options{cmp.AllowUnexported(picture{}), cmpopts.EquateEmpty()}

func (d *deployment) picture() picture {
	d.t.Helper()
	var p picture
	undo := errors.New("undo")
	err := d.Define(d.t.Context(), func(ctx context.Context, tx config.Tx) error {
		var err1, err2, err3 error
		p.studies, err1 = tx.Studies(ctx)
		p.users, err2 = tx.Users(ctx)
		p.accounts, err3 = tx.ServiceAccounts(ctx)
		return errors.Join(err1, err2, err3, undo)
	})
	if !errors.Is(err, undo) {
		d.t.Fatal(err)
	}
	if p.events, err = d.AuditEvents(d.t.Context(), trail.Filter{Limit: 1000}); err != nil {
		d.t.Fatal(err)
	}
	var err1, err2 error
	p.versions[0], err1 = d.CatalogVersion(d.t.Context())
	p.versions[1], err2 = d.AccessVersion(d.t.Context())
	if err := errors.Join(err1, err2); err != nil {
		d.t.Fatal(err)
	}
	return p
}

func TestApplyToNothing(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	want := []string{
		"study S_JUNO(TEST): added", "site S_BOSTON(TEST): added",
		"study S_CERES: added", "site S_LEEDS: added",
		"user dana: added", "service account app: added",
	}
	if diff := cmp.Diff(want, d.apply(base)); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	p := d.picture()
	defs := load(t, base)
	for i, s := range p.studies {
		defined := defs.Studies[i].Study
		defined.ID = s.ID
		for j := range defined.Sites {
			defined.Sites[j].ID, defined.Sites[j].Study = s.Sites[j].ID, s.ID
		}
		if diff := cmp.Diff(&defined, s, cmpopts.EquateEmpty()); diff != "" || s.ID == 0 || s.Sites[0].ID == 0 {
			t.Errorf("study (-want +got):\n%s", diff)
		}
	}
	juno := p.studies[0].ID
	users := []*access.User{{
		ID: p.users[0].ID, Username: "dana", PasswordHash: defs.Users[0].PasswordHash,
		Grants: []access.Grant{{Study: juno, Role: access.DataManager}},
	}}
	accounts := []*access.ServiceAccount{{
		ID: p.accounts[0].ID, Name: "app", Studies: []registry.StudyID{juno}, Keys: []string{readKey(t, "testdata/one.pem")},
	}}
	if diff := cmp.Diff(users, p.users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(accounts, p.accounts); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
}

func TestApplyTwice(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"base": base, "demo": string(config.Demo().Data)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, text)
			before := d.picture()
			if got := d.apply(text); len(got) > 0 {
				t.Errorf("applied again: %v, want no differences", got)
			}
			if diff := cmp.Diff(before, d.picture(), showPicture); diff != "" {
				t.Errorf("applying again changed (-before +after):\n%s", diff)
			}
		})
	}
}

// TestApplyChanges changes base one thing at a time, and then back.
func TestApplyChanges(t *testing.T) {
	t.Parallel()
	const study, site = "study S_JUNO(TEST): ", "site S_BOSTON(TEST): "
	tests := []struct {
		name, old, now string
		want           []string
	}{
		{"name", "name: Juno\n", "name: Juno II\n", []string{study + "name Juno -> Juno II"}},
		{"guid", "6f2b0d5e", "7f2b0d5e", []string{
			study + "guid 6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11 -> 7f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11"}},
		{"identifier and what follows it", "identifier: JUNO\n", "identifier: JUNO-2\n", []string{
			study + "identifier JUNO -> JUNO-2", study + "identifier prefix JUNO -> JUNO2"}},
		{"settings", "name: Juno\n", `name: Juno
    status: frozen
    participate: active
    enrollment: {cap: 500, enforce: true}
    enrollOnCreate: false
    uniqueContacts: true
    bulkContract: legacy
    participantIds: {method: system-generated, template: 'J-${siteParticipantCount}'}
`, []string{
			study + "status available -> frozen",
			study + "participate no -> yes",
			study + "participant id method manual -> system-generated",
			study + "participant id template (none) -> J-${siteParticipantCount}",
			study + "enrollment cap 0 -> 500",
			study + "enrollment cap enforced no -> yes",
			study + "enroll on create yes -> no",
			study + "unique contacts no -> yes",
			study + "bulk contract current -> legacy",
		}},
		{"spelling of OIDs", "oid: S_JUNO(TEST)\n", "oid: s_juno(test)\n", []string{
			"study s_juno(test): oid S_JUNO(TEST) -> s_juno(test)"}},
		{"site", "code: BOSTON, name: Boston General", "code: BOS, name: Boston, status: locked", []string{
			site + "code BOSTON -> BOS", site + "name Boston General -> Boston", site + "status available -> locked"}},
		{"field type", "type: integer", "type: text", []string{study + "custom field Smoker integer -> text"}},
		{"another field", "{name: Smoker, type: integer}", "{name: Color, type: text}, {name: Smoker, type: integer}",
			[]string{study + "custom field Color (none) -> text"}},
		{"no segments", "    segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: Under 35, rule: age < 35}]\n", "",
			[]string{study + "segment f4828980-3a25-46c7-8d54-ea6bfc4fa970 Under 35: age < 35 -> (none)"}},
		{"rule", "rule: age < 35", "rule: age <= 35", []string{
			study + "segment f4828980-3a25-46c7-8d54-ea6bfc4fa970 Under 35: age < 35 -> Under 35: age <= 35"}},
		{"password hash", "$AAAAAAAAAAAAAAAAAAAAAA", "$BBBBBBBBBBBBBBBBBBBBBA", []string{"user dana: password changed"}},
		{"roles", "roles: [{study: S_JUNO(TEST), role: data manager}]",
			"roles: [{study: S_JUNO(TEST), role: monitor}, {site: s_boston(test), role: crc}]", []string{
				"user dana: roles data manager of S_JUNO(TEST) -> crc at S_BOSTON(TEST), monitor of S_JUNO(TEST)"}},
		{"no roles", "    roles: [{study: S_JUNO(TEST), role: data manager}]\n", "",
			[]string{"user dana: roles data manager of S_JUNO(TEST) -> (none)"}},
		{"username", "username: dana", "username: Dana", []string{"user Dana: username dana -> Dana"}},
		{"account's studies", "studies: [S_JUNO(TEST)]", "studies: [S_CERES, S_JUNO(TEST)]",
			[]string{"service account app: studies S_JUNO(TEST) -> S_CERES, S_JUNO(TEST)"}},
		{"account's keys", "[testdata/one.pem]", "[testdata/one.pem, testdata/two.pem]",
			[]string{"service account app: public keys changed"}},
		{"account without keys", "publicKeyFiles: [testdata/one.pem]", "publicKeys: []",
			[]string{"service account app: public keys changed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(base, test.old) != 1 {
				t.Fatalf("base has %q %d times, want once", test.old, strings.Count(base, test.old))
			}
			d := deploy(t, base)
			before := d.picture()
			text := strings.Replace(base, test.old, test.now, 1)
			got := d.apply(text)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			if again := d.apply(text); len(again) > 0 {
				t.Errorf("applied again: %v", again)
			}
			d.apply(base)
			after := d.picture()
			if len(after.events) == len(before.events) {
				t.Error("nothing was remembered")
			}
			if diff := cmp.Diff(before.studies, after.studies, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(registry.Study{}, "RulesVersion")); diff != "" {
				t.Errorf("there and back, studies (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(before.users, after.users, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("there and back, users (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(before.accounts, after.accounts, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("there and back, accounts (-before +after):\n%s", diff)
			}
		})
	}
}

func TestApplyLeavesAlone(t *testing.T) {
	t.Parallel()
	d := deploy(t, base)
	before := d.picture()
	if got := d.apply("studies: [{oid: s_ceres, name: Ceres, identifier: S_CERES}]\n"); len(got) != 1 {
		t.Fatalf("differences %v, want the spelling of the OID alone", got)
	}
	d.apply("studies: [{oid: S_CERES, name: Ceres}]\nusers: [{username: dana, roles: [{study: S_JUNO(TEST), role: data manager}]}]")
	after := d.picture()
	if diff := cmp.Diff(before.studies, after.studies, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(registry.Study{}, "RulesVersion")); diff != "" {
		t.Errorf("sites, the guid or another study changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.users, after.users); diff != "" {
		t.Errorf("users changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.accounts, after.accounts); diff != "" {
		t.Errorf("accounts changed (-before +after):\n%s", diff)
	}
}

func TestApplyMakesGUID(t *testing.T) {
	t.Parallel()
	d := deploy(t, "studies: [{oid: S_A, name: A}]")
	if got := d.picture().studies[0].GUID; got != madeGUID {
		t.Errorf("guid %v, want %v", got, madeGUID)
	}
}

func TestApplyPlainPassword(t *testing.T) {
	t.Parallel()
	d := deploy(t, "users: [{username: dana, password: first}]")
	hash := d.picture().users[0].PasswordHash
	if ok, err := access.VerifyPassword(hash, "first"); !ok || err != nil {
		t.Fatalf("the stored hash is not of the password: %v", err)
	}
	if got := d.apply("users: [{username: DANA, password: first}]"); !cmp.Equal(got, []string{"user DANA: username dana -> DANA"}) {
		t.Errorf("differences %v", got)
	}
	if got := d.apply("users: [{username: DANA, password: second}]"); !cmp.Equal(got, []string{"user DANA: password changed"}) {
		t.Errorf("differences %v", got)
	}
	if ok, err := access.VerifyPassword(d.picture().users[0].PasswordHash, "second"); !ok || err != nil {
		t.Errorf("the stored hash is not of the new password: %v", err)
	}
}

func TestApplyDryRun(t *testing.T) {
	t.Parallel()
	d := deploy(t, base)
	before := d.picture()
	text := strings.Replace(base, "name: Juno", "name: Juno II", 1) + "  - {name: new, publicKeys: []}\n"
	opts := options()
	opts.DryRun = true
	differences, err := config.Apply(t.Context(), d, load(t, text), opts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, d.picture(), showPicture); diff != "" {
		t.Errorf("a dry run changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(d.apply(text), lines(differences)); diff != "" {
		t.Errorf("a dry run says otherwise (-real +dry):\n%s", diff)
	}
}

func TestApplyRemembers(t *testing.T) {
	t.Parallel()
	d := deploy(t, base)
	first := len(d.picture().events)
	text := strings.NewReplacer("name: Juno\n", "name: Juno II\n", "name: Leeds", "name: York",
		"$AAAAAAAAAAAAAAAAAAAAAA", "$BBBBBBBBBBBBBBBBBBBBBA", "one.pem", "two.pem").Replace(base)
	d.apply(text)
	p := d.picture()
	event := func(study registry.StudyID, action audit.Action, key string, field audit.FieldChange) trail.Record {
		return trail.Record{Study: study, Event: audit.Event{
			At: appliedAt, Origin: operator, Action: action, Identifier: key, Fields: []audit.FieldChange{field},
		}}
	}
	want := []trail.Record{
		event(p.studies[0].ID, audit.StudyChanged, "S_JUNO(TEST)", audit.FieldChange{Field: "name", Old: "Juno", New: "Juno II"}),
		event(p.studies[1].ID, audit.SiteChanged, "S_LEEDS", audit.FieldChange{Field: "name", Old: "Leeds", New: "York"}),
		event(0, audit.UserChanged, "dana", audit.FieldChange{Field: "password", New: "changed"}),
		event(0, audit.ServiceAccountChanged, "app", audit.FieldChange{Field: "public keys", New: "changed"}),
	}
	ignored := cmp.Options{cmpopts.IgnoreFields(trail.Record{}, "Position"), cmpopts.IgnoreFields(audit.Event{}, "Seq")}
	if diff := cmp.Diff(want, p.events[first:], ignored); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestApplyClashes applies what does not fit with base.
func TestApplyClashes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"site of another study", "studies:\n- oid: S_CERES\n  name: C\n  sites:\n  - oid: s_boston(test)\n    name: B\n",
			"5:5: site s_boston(test) belongs to study S_JUNO(TEST) (a site cannot move to another study)"},
		{"site of a new study", "studies:\n- oid: S_NEW\n  name: N\n  sites: [{oid: S_LEEDS, name: B}]\n",
			"4:12: site S_LEEDS belongs to study S_CERES (a site cannot move to another study)"},
		{"study with the OID of a site", "studies:\n- oid: S_LEEDS\n  name: N\n", "2:3: S_LEEDS is the OID of a site of study S_CERES"},
		{"site with the OID of a study", "studies:\n- oid: S_CERES\n  name: N\n  sites: [{oid: s_juno(test), name: J}]\n",
			"4:12: S_JUNO(TEST) is the OID of a study"},
		{"guid of another study", "studies:\n- oid: S_NEW\n  name: N\n  guid: 6F2B0D5E-3A0C-4F0E-9C6B-2F6F0D7C1A11\n",
			"4:3: the guid is that of study S_JUNO(TEST)"},
		{"code of a site that is kept", "studies:\n- oid: S_CERES\n  name: N\n  sites: [{oid: S_YORK, code: s_leeds, name: Y}]\n",
			"4:25: code s_leeds is that of site S_LEEDS"},
		{"new user without a password", "users:\n- {username: emil}\n", "2:4: the new user emil needs one of password, passwordHash and passwordFile"},
		{"roles", "users:\n- username: dana\n  roles:\n  - {study: S_NONE, role: monitor}\n  - {site: S_NONE, role: crc}\n" +
			"  - {study: S_LEEDS, role: monitor}\n  - {site: S_CERES, role: crc}\n",
			"4:5: there is no study S_NONE\n5:5: there is no site S_NONE\n" +
				"6:5: S_LEEDS is a site, not a study (write site: instead)\n7:5: S_CERES is a study, not a site (write study: instead)"},
		{"account's study", "serviceAccounts:\n- name: new\n  publicKeys: []\n  studies: [S_CERES, S_NONE]\n", "4:22: there is no study S_NONE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, base)
			before := d.picture()
			_, err := config.Apply(t.Context(), d, load(t, test.text), options())
			var problems config.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("Apply = %v, want problems", err)
			}
			if got := strings.ReplaceAll(problems.Error(), "study.yaml:", ""); got != test.want {
				t.Errorf("problems\n%s\nwant\n%s", got, test.want)
			}
			if diff := cmp.Diff(before, d.picture(), showPicture); diff != "" {
				t.Errorf("changed all the same (-before +after):\n%s", diff)
			}
		})
	}
}

// TestApplyNewInOneFile proves that roles and accounts may name what the same files add.
func TestApplyNewInOneFile(t *testing.T) {
	t.Parallel()
	d := deploy(t, base, `
studies: [{oid: S_NEW, name: New, sites: [{oid: S_HERE, name: Here}]}]
users: [{username: emil, password: x, roles: [{site: s_here, role: crc}, {site: S_BOSTON(TEST), role: viewer}]}]
serviceAccounts: [{name: new, publicKeys: [], studies: [S_JUNO(TEST), s_new]}]
`)
	p := d.picture()
	made, juno := p.studies[2], p.studies[0]
	wantGrants := []access.Grant{
		{Study: made.ID, Site: made.Sites[0].ID, Role: access.CRC},
		{Study: juno.ID, Site: juno.Sites[0].ID, Role: access.Viewer},
	}
	if diff := cmp.Diff(wantGrants, p.users[1].Grants); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]registry.StudyID{juno.ID, made.ID}, p.accounts[1].Studies); diff != "" {
		t.Errorf("studies (-want +got):\n%s", diff)
	}
}

func TestApplyFails(t *testing.T) {
	t.Parallel()
	d := deploy(t, base)
	before := d.picture()
	defs := load(t, "studies: [{oid: S_A, name: A}]\nusers: [{username: a, password: x}]")
	broken := errors.New("no randomness")
	opts := options()
	opts.NewGUID = func() (uuid.UUID, error) { return uuid.Nil, broken }
	if _, err := config.Apply(t.Context(), d, defs, opts); !errors.Is(err, broken) {
		t.Errorf("Apply = %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := config.Apply(ctx, d, defs, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply = %v, want %v", err, context.Canceled)
	}
	if _, err := config.Apply(t.Context(), d, defs, config.Options{}); err == nil {
		t.Error("Apply works without a clock")
	}
	if diff := cmp.Diff(before, d.picture(), showPicture); diff != "" {
		t.Errorf("changed all the same (-before +after):\n%s", diff)
	}
}
