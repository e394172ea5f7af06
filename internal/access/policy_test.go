package access

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// Study 1 has sites 10 and 11; study 2 has site 20.
const (
	juno   registry.StudyID = 1
	other  registry.StudyID = 2
	boston registry.SiteID  = 10
	ohio   registry.SiteID  = 11
	whole                   = registry.StudyLevel
)

// TestPolicy holds every role against every operation at every place. A row gives the answers
// for a role: y allowed, n role not allowed, - no role. The columns are the operations in the
// order of Operations.
func TestPolicy(t *testing.T) {
	t.Parallel()
	type place struct {
		name  string
		study registry.StudyID
		site  registry.SiteID
	}
	atBoston, atOhio := place{"Boston", juno, boston}, place{"Ohio", juno, ohio}
	atStudy, elsewhere := place{"study", juno, whole}, place{"other study", other, whole}
	held := func(site registry.SiteID, roles ...Role) (grants []Grant) {
		for _, r := range roles {
			grants = append(grants, Grant{Study: juno, Site: site, Role: r})
		}
		return grants
	}
	// The operations of the APIs, and after the space those of the browser.
	const none, never = "------ ----------", "nnnnnn nnnnnnnnnn"
	tests := []struct {
		name    string
		holders []Grant
		want    map[place]string
	}{
		{"data manager", held(whole, DataManager),
			map[place]string{atStudy: "yyyyny yynyyyyyyy", atBoston: "yyyyny yynyyyyyyy", atOhio: "yyyyny yynyyyyyyy", elsewhere: none}},
		{"other study writers", held(whole, DataEntryPerson, DataSpecialist),
			map[place]string{atStudy: "yyyyny yynynnynnn", atBoston: "yyyyny yynynnynnn", atOhio: "yyyyny yynynnynnn", elsewhere: none}},
		{"study monitors", held(whole, Monitor),
			map[place]string{atStudy: "nnnnny ynnnnnynyn", atBoston: "nnnnny ynnnnnynyn", atOhio: "nnnnny ynnnnnynyn", elsewhere: none}},
		{"study viewers", held(whole, Viewer),
			map[place]string{atStudy: "nnnnny ynnnnnynnn", atBoston: "nnnnny ynnnnnynnn", atOhio: "nnnnny ynnnnnynnn", elsewhere: none}},
		{"Boston writers", held(boston, CRC, Investigator),
			map[place]string{atStudy: none, atBoston: "ynyyyy yyyynnynnn", atOhio: none, elsewhere: none}},
		{"Boston readers", held(boston, Monitor, Viewer),
			map[place]string{atStudy: none, atBoston: "nnnnny ynnnnnynnn", atOhio: none, elsewhere: none}},
		{"misplaced: site roles held in the study", held(whole, CRC, Investigator),
			map[place]string{atStudy: never, atBoston: never, elsewhere: none}},
		{"misplaced: study roles held at a site", held(boston, DataManager, DataEntryPerson, DataSpecialist),
			map[place]string{atStudy: none, atBoston: never, elsewhere: none}},
	}
	for _, test := range tests {
		for _, grant := range test.holders {
			for at, want := range test.want {
				t.Run(fmt.Sprintf("%s/%s/%s", test.name, grant.Role, at.name), func(t *testing.T) {
					t.Parallel()
					p := &Principal{Name: "dana", Grants: []Grant{grant}}
					got := ""
					for i, op := range Operations() {
						if i == len(Operations())-len(browserOperations()) {
							got += " "
						}
						role, err := p.Check(op, at.study, at.site)
						got += mark(err)
						if wantRole := grant.Role; err == nil && role != wantRole {
							t.Errorf("%s is allowed by %q, want %q", op, role, wantRole)
						}
					}
					if got != want {
						t.Errorf("answers to %v\n got %s\nwant %s", Operations(), got, want)
					}
				})
			}
		}
	}
}

func mark(err error) string {
	switch {
	case err == nil:
		return "y"
	case errors.Is(err, &fault.Error{Kind: fault.Forbidden, Code: RoleNotAllowed}):
		return "n"
	case errors.Is(err, &fault.Error{Kind: fault.Forbidden, Code: NoRole}):
		return "-"
	default:
		return "?"
	}
}

func TestCheckSeveralGrants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		grants []Grant
		op     Operation
		site   registry.SiteID
		want   Role
		mark   string
	}{
		{"an allowed one after one that is not",
			[]Grant{{juno, whole, Viewer}, {juno, whole, DataManager}}, WriteParticipants, boston, DataManager, "y"},
		{"the site's role counts before the study's",
			[]Grant{{juno, whole, DataManager}, {juno, boston, CRC}}, WriteParticipants, boston, CRC, "y"},
		{"the study's role counts where the site's is not enough",
			[]Grant{{juno, boston, Viewer}, {juno, whole, DataManager}}, WriteParticipants, boston, DataManager, "y"},
		{"the site's role counts where the study's is not enough",
			[]Grant{{juno, whole, DataManager}, {juno, boston, CRC}}, Extract, boston, CRC, "y"},
		{"none of two", []Grant{{juno, whole, Viewer}, {juno, boston, Monitor}}, Extract, boston, "", "n"},
		{"another site's does not count", []Grant{{juno, ohio, CRC}, {other, whole, DataManager}}, Extract, boston, "", "-"},
		{"an unknown operation", []Grant{{juno, whole, DataManager}}, "fly", boston, "", "n"},
		{"no grants", nil, ReadJobs, boston, "", "-"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := (&Principal{Grants: test.grants}).Check(test.op, juno, test.site)
			if got != test.want || mark(err) != test.mark {
				t.Errorf("Check = %q, %v, want %q, %s", got, err, test.want, test.mark)
			}
		})
	}
}

func TestHoldsSiteRole(t *testing.T) {
	t.Parallel()
	p := &Principal{Grants: []Grant{{juno, whole, DataManager}, {juno, boston, CRC}, {juno, ohio, Monitor}}}
	tests := []struct {
		name  string
		study registry.StudyID
		site  registry.SiteID
		want  bool
	}{
		{"crc of the site", juno, boston, true},
		{"only a monitor there", juno, ohio, false},
		{"the study level", juno, whole, false},
		{"another study", other, boston, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := p.HoldsSiteRole(test.study, test.site); got != test.want {
				t.Errorf("HoldsSiteRole = %v, want %v", got, test.want)
			}
		})
	}
}

func TestServiceAccountsHoldNoRoles(t *testing.T) {
	t.Parallel()
	p := &Principal{Name: "app", Service: true, Studies: []registry.StudyID{juno}}
	for _, op := range Operations() {
		if _, err := p.Check(op, juno, whole); mark(err) != "-" {
			t.Errorf("Check(%s) = %v, want no role", op, err)
		}
	}
	if !p.Administers(juno) || p.Administers(other) {
		t.Error("Administers must hold for study 1 alone")
	}
	if (&Principal{Studies: []registry.StudyID{juno}}).Administers(juno) {
		t.Error("a user administers no study")
	}
}

func TestCodesAreDistinct(t *testing.T) {
	t.Parallel()
	codes := Codes()
	slices.Sort(codes)
	if len(slices.Compact(codes)) != len(Codes()) {
		t.Errorf("a code is listed twice: %v", Codes())
	}
}
