package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"rollcall/internal/config"
	"rollcall/internal/wire/mydatahelps"
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
	key, err := filepath.Abs(filepath.Join(dataDir, demoKeyFile))
	if err != nil {
		return fmt.Errorf("print the tour: %w", err)
	}
	project := defs.Studies[0].Study.GUID.String()
	var b strings.Builder
	fmt.Fprintf(&b, "\nRollcall's demo is running. Stop it with Ctrl-C; the data stays for the next start.\n\n")
	fmt.Fprintf(&b, "  Address   %s\n", base)
	fmt.Fprintf(&b, "  Browser   open the address and sign in as carla (a coordinator) or dana (a data manager)\n")
	fmt.Fprintf(&b, "  Data      %s (delete the folder to begin anew)\n", dataDir)
	fmt.Fprintf(&b, "  Password  %s, for every user\n\n", config.DemoPassword)
	fmt.Fprintf(&b, "Users:\n\n")
	for _, u := range defs.Users {
		fmt.Fprintf(&b, "  %-8s %s\n", u.Username, rolesText(u.Roles))
	}
	fmt.Fprintf(&b, "\nService account, for MyDataHelps' API:\n\n  %s, with the private key %s\n", demoAccount, key)
	for _, block := range demoBlocks(base, key, project) {
		fmt.Fprintf(&b, "\n%s\n\n", block.title)
		for _, line := range block.lines {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	fmt.Fprintf(&b, "\nThe README signs in with the same key in Python.\n\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print the tour: %w", err)
	}
	return nil
}

// demoBlocks are the parts of the tour, one for each API.
func demoBlocks(base, key, project string) []demoBlock {
	return []demoBlock{openClinicaTour(base), myDataHelpsTour(base, key, project)}
}

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

// myDataHelpsTour signs an assertion with the demo's key, exchanges it for a token, adds a
// participant and lists them all. It needs curl and openssl.
func myDataHelpsTour(base, key, project string) demoBlock {
	return demoBlock{
		title: "MyDataHelps' API, to paste into a shell as it is:",
		lines: []string{
			"BASE=" + base,
			"KEY=" + shellQuoted(key),
			"ACCOUNT=" + demoAccount,
			`PEOPLE="$BASE` + mydatahelps.Prefix + "/projects/" + project + `/participants"`,
			`base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }`,
			`HEADER=$(printf '{"alg":"RS256","typ":"JWT"}' | base64url)`,
			`CLAIMS=$(printf '{"iss":"%s","sub":"%s","aud":"%s","exp":%s,"jti":"%s"}' "$ACCOUNT" "$ACCOUNT" ` +
				`"$BASE` + mydatahelps.TokenPath + `" "$(($(date +%s) + 200))" "$(openssl rand -hex 16)" | base64url)`,
			`SIGNATURE=$(printf '%s' "$HEADER.$CLAIMS" | openssl dgst -sha256 -sign "$KEY" | base64url)`,
			`TOKEN=$(curl -s -d scope=api -d grant_type=client_credentials ` +
				`-d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer ` +
				`-d "client_assertion=$HEADER.$CLAIMS.$SIGNATURE" "$BASE` + mydatahelps.TokenPath +
				`" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')`,
			`curl -s -X PUT -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' ` +
				`-d '{"participantIdentifier":"JUNO-004","demographics":{"firstName":"Mary"}}' "$PEOPLE"; echo`,
			`curl -s -H "Authorization: Bearer $TOKEN" "$PEOPLE?pageSize=100"; echo`,
		},
	}
}

// shellQuoted writes text as one word of a POSIX shell.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
