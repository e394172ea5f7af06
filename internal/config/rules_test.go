package config_test

import (
	"regexp"
	"strings"
	"testing"

	"rollcall/internal/config"
)

// TestRulePlaces writes rules in each of YAML's ways. In each, the word wrong is the one that
// the problem has to point at; mark is where the place is if it is not there.
func TestRulePlaces(t *testing.T) {
	t.Parallel()
	const wrong, mark = "shoeSize", "§"
	tests := []struct{ name, rule string }{
		{"plain", "rule: shoeSize < 35"},
		{"plain, in the middle", "rule: age < shoeSize # a comment"},
		{"plain, far from its key", "rule:     age < shoeSize"},
		{"plain, on the next line", "rule:\n  age < shoeSize"},
		{"plain, on two lines", "rule: age <\n   shoeSize"},
		{"plain, past a blank line", "rule: age < 3 &&\n\n   shoeSize < 3"},
		{"single-quoted", "rule: 'age < shoeSize'"},
		{"single-quoted, with space inside", "rule: '  age < shoeSize '"},
		{"single-quoted, with quotes inside", "rule: 'site == ''X'' || age < shoeSize'"},
		{"single-quoted, on two lines", "rule: 'age <\n   shoeSize'"},
		{"double-quoted", `rule: "age < shoeSize"`},
		{"double-quoted, with escapes", `rule: "site == \"\x58\u00e9\\n\" || age < shoeSize" # "a"`},
		{"double-quoted, with a line break", `rule: "age <\nshoeSize"`},
		{"double-quoted, on two lines", "rule: \"age <\n   shoeSize\""},
		{"double-quoted, broken in another way", "rule: §\"age < \\\n   shoeSize\""},
		{"quotes and lines", "rule: §'site == ''X'' ||\n   age < shoeSize'"},
		{"flow", "{rule: age < shoeSize}"},
		{"flow, among letters of more than a byte", "{'näme': é, rule: 'site == \"é\" || age < shoeSize'}"},
		{"literal", "rule: |\n  age < shoeSize"},
		{"literal, second line", "rule: |\n  age < 3 &&\n    shoeSize < 3\n"},
		{"literal, past blank lines", "rule: |\n\n    age < 3 &&\n\n    shoeSize < 3\n\n"},
		{"literal, stripped", "rule: |-\n  site == \"é\" ||\n  age < shoeSize"},
		{"literal, indented", "rule: |4\n       age < 3 &&\n       age < shoeSize"},
		{"literal, with a rule's comment", "rule: |\n  // not the age\n  shoeSize < 3"},
		{"folded", "rule: >\n  age < 3 &&\n  shoeSize < 3"},
		{"folded, past a blank line", "rule: >-\n  age < 3 &&\n\n  age < shoeSize\n"},
		{"folded, indented", "rule: >\n  age < 3 &&\n     age < 4 &&\n  age < shoeSize\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			segment := test.rule
			if strings.HasPrefix(segment, "{") {
				segment = strings.Replace(segment, "'näme': é", "id: 00000000-0000-4000-8000-000000000001, name: é", 1)
				if !strings.Contains(segment, "name") {
					segment = strings.Replace(segment, "{", "{id: 00000000-0000-4000-8000-000000000001, name: x, ", 1)
				}
			} else {
				segment = "id: 00000000-0000-4000-8000-000000000001\nname: x\n" + segment
			}
			text := "studies:\n  - oid: S\n    name: S\n    segments:\n      - " + strings.ReplaceAll(segment, "\n", "\n        ") + "\n"
			at := strings.Index(text, wrong)
			if i := strings.Index(text, mark); i >= 0 {
				at, text = i, strings.Replace(text, mark, "", 1)
			}
			before := text[:at]
			line := 1 + strings.Count(before, "\n")
			column := 1 + len([]rune(before[strings.LastIndex(before, "\n")+1:]))
			want := config.Problem{
				Place:   config.Place{File: "study.yaml", Line: line, Column: column},
				Message: "rule: undeclared reference to 'shoeSize'",
			}
			for _, text := range []string{text, strings.ReplaceAll(text, "\n", "\r\n")} {
				_, err := config.Load([]config.File{{Name: "study.yaml", Data: []byte(text)}})
				if err == nil || !strings.HasPrefix(err.Error(), want.String()) {
					t.Errorf("%s\nLoad = %v\nwant   %v", text, err, want)
				}
			}
		})
	}
}

// TestRuleProblems proves what is said about rules, and that they are checked against the
// custom fields of their own study, wherever those stand.
func TestRuleProblems(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, study, want string }{
		{"a field that is declared later",
			"segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: customFields.Smoker > 0}]\n" +
				"    customFields: [{name: Smoker, type: integer}]", ""},
		{"a field of no study",
			"segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: customFields.Smoker > 0}]",
			"8:86: rule: undefined field 'Smoker'"},
		{"the type of another study's field",
			"segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: customFields.Color > 0}]\n" +
				"    customFields: [{name: Color, type: text}]",
			"8:93: rule: found no matching overload for '_>_' applied to '(string, int)'"},
		{"a field that is not sound itself",
			"segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: customFields.Smoker > 0}]\n" +
				"    customFields: [{name: Smoker, type: number}]",
			`9:35: type cannot be "number" (write text or integer or decimal or boolean or date)`},
		{"not boolean", "segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: age + 1}]",
			"8:74: rule: the rule is of type int; it has to be true or false"},
		{"too long", "segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: " + strings.Repeat("x", 4097) + "}]",
			"8:68: rule must have 1 to 4096 bytes"},
		{"no rule", "segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: '  '}]",
			"8:68: rule must have 1 to 4096 bytes"},
		{"too costly", "segments: [{id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: 'L.all(a, L.all(b, L.all(c, L.all(d, a + b + c + d > 0))))'}]",
			"8:75: rule: the rule is too costly to evaluate for every participant"},
		{"two rules", "segments:\n    - {id: f4828980-3a25-46c7-8d54-ea6bfc4fa970, name: x, rule: ag < 3}\n" +
			"    - {id: f4828980-3a25-46c7-8d54-ea6bfc4fa971, name: x, rule: age <}",
			"9:65: rule: undeclared reference to 'ag'\n10:70: rule: Syntax error: mismatched input '<EOF>'"},
	}
	const other = "studies:\n  - oid: S_OTHER\n    name: Other\n    customFields:\n" +
		"      - {name: Color, type: integer}\n  - oid: S\n    name: S\n    "
	more := regexp.MustCompile(` \(did you mean .*\)| expecting .*`) // the language's business
	const list = `[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]`
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := other + strings.ReplaceAll(test.study, "L.", list+".") + "\n"
			_, err := config.Load([]config.File{{Name: "study.yaml", Data: []byte(text)}})
			got := ""
			if err != nil {
				got = strings.ReplaceAll(err.Error(), "study.yaml:", "")
			}
			if got = more.ReplaceAllString(got, ""); got != test.want {
				t.Errorf("Load =\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}
