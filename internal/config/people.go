package config

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"rollcall/internal/access"
	"rollcall/internal/registry"
)

// The limits on the files that a study file names.
const (
	maxPasswordFile = access.MaxPasswordBytes + 2 // and a line break
	maxKeyFile      = 64 << 10
)

// user reads one item of users.
func (r *reader) user(n ast.Node) (*UserDefinition, bool) {
	o, ok := r.object(n, "a user", "username", "password", "passwordHash", "passwordFile", "roles")
	if !ok {
		return nil, false
	}
	o.require("username")
	d := &UserDefinition{At: o.placeFor("username"), Username: o.text("username", "", maxName)}
	o.password(d)
	seen := map[string]Place{}
	for _, item := range o.list("roles") {
		if role, ok := r.role(item); ok {
			unique(r.problems, seen, "role", registry.Fold(role.Study)+" "+registry.Fold(role.Site)+" "+string(role.Role), role.At)
			d.Roles = append(d.Roles, role)
		}
	}
	return d, true
}

// password reads whichever of the three keys is given.
func (o *object) password(d *UserDefinition) {
	var given []string
	for _, key := range []string{"password", "passwordHash", "passwordFile"} {
		if o.has(key) {
			given = append(given, key)
		}
	}
	if len(given) > 1 {
		o.r.problems.add(o.placeFor(given[1]), "", "give one of password, passwordHash and passwordFile")
		return
	}
	if hash, ok := o.rawText("passwordHash"); ok {
		if err := access.CheckPasswordHash(hash); err != nil {
			o.r.problems.add(o.placeFor("passwordHash"), "$argon2id$v=19$m=19456,t=2,p=1$salt$hash", "passwordHash: %s", err)
			return
		}
		d.PasswordHash = hash
		return
	}
	key := "password"
	text, ok := o.rawText(key)
	if !ok {
		key = "passwordFile"
		if text, ok = o.fileText(key, maxPasswordFile); !ok {
			return
		}
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	if text == "" || len(text) > access.MaxPasswordBytes {
		o.r.problems.add(o.placeFor(key), "", "the password must have 1 to %d bytes", access.MaxPasswordBytes)
		return
	}
	d.Password = text
}

// fileText reads the file that a key names.
func (o *object) fileText(key string, most int64) (string, bool) {
	name, ok := o.rawText(key)
	if !ok {
		return "", false
	}
	return o.r.fileNamed(name, key, o.placeFor(key), most)
}

func (r *reader) fileNamed(name, what string, at Place, most int64) (string, bool) {
	if fault := lineFault(name, 4096); fault != "" {
		r.problems.add(at, "", "%s %s", what, fault)
		return "", false
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.file), path)
	}
	data, err := readRegular(path, most)
	if err != nil {
		r.problems.add(at, "paths are relative to the study file's folder", "%s %s: %s", what, clip(name), err)
		return "", false
	}
	return string(data), true
}

func (r *reader) role(n ast.Node) (RoleDefinition, bool) {
	o, ok := r.object(n, "a role", "study", "site", "role")
	if !ok {
		return RoleDefinition{}, false
	}
	o.require("role")
	d := RoleDefinition{At: o.at, Study: o.oid("study"), Site: o.oid("site")}
	if o.has("study") == o.has("site") {
		r.problems.add(o.at, "", "a role is held in a study or at a site: give one of the keys study and site")
		return d, false
	}
	here, there, level, other := access.StudyRoles(), access.SiteRoles(), "in a study", "site"
	if o.has("site") {
		here, there, level, other = there, here, "at a site", "study"
	}
	known := slices.Concat(here, there)
	slices.Sort(known)
	d.Role = choice(o, "role", "", slices.Compact(known)...)
	if d.Role != "" && !slices.Contains(here, d.Role) {
		r.problems.add(o.placeFor("role"), "write "+other+": instead, or another role",
			"%s is no role %s", d.Role, level)
	}
	return d, d.Role != "" && (d.Study != "" || d.Site != "")
}

// serviceAccount reads one item of serviceAccounts.
func (r *reader) serviceAccount(n ast.Node) (*ServiceAccountDefinition, bool) {
	o, ok := r.object(n, "a service account", "name", "studies", "publicKeys", "publicKeyFiles")
	if !ok {
		return nil, false
	}
	o.require("name")
	d := &ServiceAccountDefinition{At: o.placeFor("name"), Name: o.text("name", "", maxName)}
	seen := map[string]Place{}
	for _, item := range o.list("studies") {
		at := r.placeOf(item)
		oid, ok := r.text(item, "a study's OID")
		if !ok {
			continue
		}
		if !oidPattern.MatchString(oid) {
			r.problems.add(at, "", "not a study's OID")
			continue
		}
		unique(r.problems, seen, "study", registry.Fold(oid), at)
		d.Studies = append(d.Studies, StudyReference{At: at, OID: oid})
	}
	if !o.has("publicKeys") && !o.has("publicKeyFiles") {
		r.problems.add(o.at, "publicKeys: [] takes all keys away", "a service account needs publicKeys or publicKeyFiles")
	}
	for _, item := range o.list("publicKeys") {
		if text, ok := r.text(item, "a public key"); ok {
			r.publicKey(d, text, r.placeOf(item))
		}
	}
	for _, item := range o.list("publicKeyFiles") {
		at := r.placeOf(item)
		if name, ok := r.text(item, "a file name"); ok {
			if text, ok := r.fileNamed(name, "public key file", at, maxKeyFile); ok {
				r.publicKey(d, text, at)
			}
		}
	}
	return d, true
}

func (r *reader) publicKey(d *ServiceAccountDefinition, text string, at Place) {
	key, err := access.ParsePublicKey(text)
	if err != nil {
		r.problems.add(at, "", "public key: %s", err)
		return
	}
	canonical, err := access.PublicKeyPEM(key)
	if err != nil {
		r.problems.add(at, "", "public key: %s", err)
		return
	}
	if slices.Contains(d.Keys, canonical) {
		r.problems.add(at, "", "the account has this public key already")
		return
	}
	d.Keys = append(d.Keys, canonical)
}
