package config

import (
	"github.com/google/uuid"

	"rollcall/internal/registry"
)

// unique reports a key that was met before. An empty key is a problem that was reported
// already.
func unique(problems *problemList, first map[string]Place, what, key string, at Place) {
	if key == "" {
		return
	}
	if before, ok := first[key]; ok {
		problems.add(at, "", "the %s is used twice, first at %s", what, before)
		return
	}
	first[key] = at
}

// checkUnique checks what has to be unique in the deployment or in a study, across all files.
// Studies and sites share one space of OIDs, as in OpenClinica.
func checkUnique(defs *Definitions, problems *problemList) {
	oids, guids := map[string]Place{}, map[string]Place{}
	for _, d := range defs.Studies {
		unique(problems, oids, "OID", registry.Fold(d.Study.OID), d.At)
		if d.Study.GUID != uuid.Nil {
			unique(problems, guids, "study guid", d.Study.GUID.String(), d.GUIDAt)
		}
		codes := map[string]Place{}
		for i := range d.Study.Sites {
			unique(problems, oids, "OID", registry.Fold(d.Study.Sites[i].OID), d.Sites[i].OID)
			unique(problems, codes, "site code", registry.Fold(d.Study.Sites[i].Code), d.Sites[i].Code)
		}
	}
	users, accounts := map[string]Place{}, map[string]Place{}
	for _, d := range defs.Users {
		unique(problems, users, "username", registry.Fold(d.Username), d.At)
	}
	for _, d := range defs.ServiceAccounts {
		unique(problems, accounts, "service account name", d.Name, d.At)
	}
}
