package cli

import (
	"fmt"
	"io"
	"strings"

	"rollcall/internal/config"
	"rollcall/internal/wire/openclinica"
)

// demoBlock is one part of the tour that the demo prints: lines that are pasted as they are.
type demoBlock struct {
	title string
	lines []string
}

// printTour writes what somebody needs who has just started the demo.
func printTour(w io.Writer, base, dataDir string) error {
	defs, err := config.Load([]config.File{config.Demo()})
	if err != nil {
		return fmt.Errorf("read the demo: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nRollcall's demo is running. Stop it with Ctrl-C; the data stays for the next start.\n\n")
	fmt.Fprintf(&b, "  Address   %s\n", base)
	fmt.Fprintf(&b, "  Data      %s (delete the folder to begin anew)\n", dataDir)
	fmt.Fprintf(&b, "  Password  %s, for every user\n\n", config.DemoPassword)
	fmt.Fprintf(&b, "Users:\n\n")
	for _, u := range defs.Users {
		fmt.Fprintf(&b, "  %-8s %s\n", u.Username, rolesText(u.Roles))
	}
	for _, block := range demoBlocks(base) {
		fmt.Fprintf(&b, "\n%s\n\n", block.title)
		for _, line := range block.lines {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	fmt.Fprintln(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print the tour: %w", err)
	}
	return nil
}

// demoBlocks are the parts of the tour, one for each API.
func demoBlocks(base string) []demoBlock { return []demoBlock{openClinicaTour(base)} }

func rolesText(roles []config.RoleDefinition) string {
	texts := make([]string, len(roles))
	for i, r := range roles {
		texts[i] = fmt.Sprintf("%s of %s%s", r.Role, r.Study, r.Site)
	}
	return strings.Join(texts, ", ")
}

// openClinicaTour gets a token, adds a participant, sends a file and downloads its log.
func openClinicaTour(base string) demoBlock {
	return demoBlock{
		title: "OpenClinica's API, to paste into a shell as it is:",
		lines: []string{
			"BASE=" + base,
			`SITE="$BASE` + openclinica.Prefixes()[0] + `/clinicaldata/studies/S_JUNO(TEST)/sites/S_BOSTON(TEST)"`,
			`TOKEN=$(curl -s -H 'Content-Type: application/json' -d '{"username":"dana","password":"` + config.DemoPassword +
				`"}' "$BASE` + openclinica.TokenPath + `")`,
			`curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' ` +
				`-d '{"subjectKey":"JUNO-001","firstName":"Ada"}' "$SITE/participants?register=y"; echo`,
			`printf 'ParticipantID,firstName\nJUNO-002,Grace\nJUNO-003,Katherine\n' > people.csv`,
			`JOB=$(curl -s -H "Authorization: Bearer $TOKEN" -F file=@people.csv "$SITE/participants/bulk?register=y")`,
			`until curl -s -f -H "Authorization: Bearer $TOKEN" "$BASE` + openclinica.Prefixes()[0] +
				`/jobs/${JOB#job uuid: }/downloadFile"; do sleep 1; done`,
		},
	}
}
