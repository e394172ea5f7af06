package mydatahelps

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

func TestSurrogatesPaired(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want bool
	}{
		{`"plain"`, true}, {`"é\n\\"`, true}, {`"\ud83d\ude00"`, true}, {`"a\uD83D\uDE00\ud83d\ude00b"`, true},
		{`"\ud83d"`, false}, {`"\ude00"`, false}, {`"\ud83dx"`, false}, {`"\ud83d\n"`, false}, {`"\ud83d\ud83d"`, false},
		{`"\\ud83d"`, true}, {`"\\\ud83d"`, false}, {`"\u12`, true}, {`\`, true}, {`"\uzzzz"`, true}, {`\ud83d\`, false},
	}
	for _, test := range tests {
		if got := surrogatesPaired([]byte(test.text)); got != test.want {
			t.Errorf("%s: %t, want %t", test.text, got, test.want)
		}
	}
}

func TestTextsMayComeAsNumbersAndBooleans(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		tests := []struct{ name, json, want string }{
			{"string", `"six"`, "six"}, {"integer", `6`, "6"}, {"its literal", `6.50`, "6.50"}, {"exponent", `1E+2`, "1E+2"},
			{"beyond a double", `12345678901234567890123`, "12345678901234567890123"}, {"true", `true`, "true"}, {"false", `false`, "false"},
			{"negative zero", `-0`, "-0"}, {"null", `null`, ""}, {"space is kept", `"  x "`, "  x "}, {"JSON in a string", `"{\"a\":[1]}"`, `{"a":[1]}`},
			{"long", `"` + strings.Repeat("ü", 5000) + `"`, strings.Repeat("ü", 5000)},
		}
		for i, test := range tests {
			got := w.put(fmt.Sprintf(`{"participantIdentifier":"T-%d","customFields":{"Note":%s}}`, i, test.json)).Result
			if got.CustomFields["Note"] != test.want {
				t.Errorf("%s: %q, want %q", test.name, got.CustomFields["Note"], test.want)
			}
		}
		got := w.put(`{"participantIdentifier":"T-0","demographics":{"postalCode":12345,"unsubscribedFromEmails":true,"unsubscribedFromSms":"FALSE"}}`).Result
		if d := got.Demographics; d["postalCode"] != "12345" || d["unsubscribedFromEmails"] != "true" || d["unsubscribedFromSms"] != "false" {
			t.Errorf("demographics: %v", d)
		}
	})
}

// TestWhatIsReadCanBeWrittenBack sends a participant back as it was read: nothing differs.
func TestWhatIsReadCanBeWrittenBack(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.put(`{"participantIdentifier":"R-1","invitationStatus":"declined","institutionCode":"OHIO","excludeFromExport":true,
		"demographics":{"email":"r@example.org","firstName":"R","middleName":"M","lastName":"L","dateOfBirth":"1990-01-31",
		"preferredLanguage":"en","gender":"O","utcOffset":"-04:00","street1":"1","street2":"2","city":"C","state":"S","postalCode":"P",
		"mobilePhone":"+49 30 123456","timeZone":"Europe/Berlin","unsubscribedFromEmails":"true","unsubscribedFromSms":false},
		"customFields":{"Note":"n","Smoker":1,"Weight":1.5,"Consented":false,"SurgeryDate":"2021-08-10"}}`)
		w.put(`{"participantIdentifier":"R-2"}`)
		for _, name := range []string{"R-1", "R-2"} {
			answer := w.send(myapp, "GET", juno+"/"+name, "", "")
			if got := w.put(answer.Body.String()); got.ActionTaken != "none" {
				t.Errorf("%s: %s, want none", name, got.ActionTaken)
			}
		}
		var read person
		w.ask(http.StatusOK, "GET", juno+"/R-1", "", &read)
		if len(read.Demographics) != len(demographics) {
			t.Errorf("%d demographics, want all %d: %v", len(read.Demographics), len(demographics), read.Demographics)
		}
	})
}

func TestWholeNamesAreSplitForNewPeopleAlone(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		tests := []struct{ name, demographics, first, last string }{
			{"two words", `"name":"John Doe"`, "John", "Doe"},
			{"three words", `"name":" Another  Test Person "`, "Another  Test", "Person"},
			{"one word", `"name":"Cher"`, "Cher", ""},
			{"blank", `"name":"  "`, "", ""},
			{"null", `"name":null`, "", ""},
			{"no name at all", `"name":{"first":"x"}`, "", ""},
			{"too long to be one", `"name":"` + strings.Repeat("x", 256) + ` y"`, "", ""},
			{"names given", `"firstName":"A","name":"John Doe","lastName":"B"`, "A", "B"},
			{"cleared is given", `"lastName":"","NAME":"John Doe"`, "John", ""},
		}
		for i, test := range tests {
			id := fmt.Sprintf("N-%d", i)
			got := w.put(fmt.Sprintf(`{"participantIdentifier":%q,"demographics":{%s}}`, id, test.demographics)).Result.Demographics
			if got["firstName"] != test.first || got["lastName"] != test.last {
				t.Errorf("%s: %q %q, want %q %q", test.name, got["firstName"], got["lastName"], test.first, test.last)
			}
			if again := w.put(fmt.Sprintf(`{"participantIdentifier":%q,"demographics":{"name":"Jane Roe"}}`, id)); again.ActionTaken != "none" {
				t.Errorf("%s: a name for somebody known: %s, want none", test.name, again.ActionTaken)
			}
		}
	})
}

func TestDeepBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nested := func(depth int) string {
		return `{"participantIdentifier":"P-1","x":` + strings.Repeat(`[{"a":`, depth/2) + "1" + strings.Repeat("}]", depth/2) + "}"
	}
	w.ask(http.StatusOK, "PUT", juno, nested(maxDepth), nil)
	w.ask(http.StatusBadRequest, "PUT", juno, nested(maxDepth+2), nil)
	w.ask(http.StatusBadRequest, "PUT", juno, `{"x":`+strings.Repeat("[", 900_000), nil)
}

// FuzzBody has any body read as one participant and as a bulk: what is read is text and JSON,
// what is refused is the client's fault.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"participantIdentifier":"A","demographics":{"email":"a@example.org","name":"A B"},"customFields":{"Smoker":1}}`,
		`{"participants":[{"id":"3a713a06-295d-4803-9602-776f09a1483b"},{"invitationStatus":null}],"sendDefaultInvitationNotifications":"true"}`,
		`{"PARTICIPANTS":[],"x":[[{}]]}`, `{"participants":[1]}`, `{"excludeFromExport":1}`, `{"institutionCode":"boston"}`, `{"id":"\ud800"}`,
		"\xef\xbb\xbf {}", `{"demographics":{"gender":5,"gender":[]}}`, `{"a":{"a":{}}`, `{"participants":null}`, "{\"participantIdentifier\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	w := newWorld(f)
	study := w.study("S_JUNO")
	f.Fuzz(func(t *testing.T, body []byte) {
		check := func(changes []registry.Change, err error) {
			if err != nil {
				if e := fault.As(err); e.Kind != fault.Invalid && e.Kind != fault.NotFound {
					t.Fatalf("%s fault: %v", e.Kind, err)
				}
				return
			}
			if !json.Valid(body) && !json.Valid(body[min(3, len(body)):]) {
				t.Fatalf("read what is not JSON")
			}
			for _, c := range changes {
				for _, field := range registry.Fields() {
					if value, _ := c.Edits.Get(field); !utf8.ValidString(value) {
						t.Fatalf("%s is not text", field)
					}
				}
			}
		}
		if reader, err := newBodyReader(body); err == nil {
			var c registry.Change
			if err = reader.person(study, &c); err == nil {
				err = reader.end()
			}
			check([]registry.Change{c}, err)
		} else {
			check(nil, err)
		}
		if reader, err := newBodyReader(body); err == nil {
			check(reader.bulk(study, registry.Change{Profile: registry.MyDataHelps()}))
		}
	})
}
