package registry

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall/internal/fault"
)

// templateValues are BOSTON with so many participants, and a random that counts its digits up.
func templateValues(count int64) TemplateValues {
	return TemplateValues{
		SiteID:               "Boston",
		SiteParticipantCount: count,
		Random:               func(digits int) int64 { return 12345678 % int64(math.Pow10(digits)) },
	}
}

func TestIDTemplateExpand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, template string
		count          int64
		want           string
	}{
		{"literal", "JUNO-1", 0, "JUNO-1"},
		{"dollar and braces alone are text", "$5 } { #", 0, "$5 } { #"},
		{"text beyond ASCII", "Zürich-${siteId}", 0, "Zürich-Boston"},
		{"the manual's example", `${siteId}-${(siteParticipantCount+1)?string["000"]}`, 0, "Boston-001"},
		{"the next one", `${siteId}-${(siteParticipantCount+1)?string["000"]}`, 41, "Boston-042"},
		{"past the pattern's width", `${(siteParticipantCount+1)?string["000"]}`, 999, "1000"},
		{"pattern in parentheses", `${siteParticipantCount?string("000")}`, 7, "007"},
		{"pattern in single quotes", `${siteParticipantCount?string['00']}`, 7, "07"},
		{"random", `${helper.random(5)}`, 0, "45678"},
		{"random padded", `${helper.random(9)?string["000000000"]}`, 0, "012345678"},
		{"spaces", `P${ siteParticipantCount  + 1 }`, 4, "P5"},
		{"no thousands separator", `${siteParticipantCount}`, 1234567, "1234567"},
		{"? binds tighter than +", `${siteParticipantCount + 1?string["000"]}`, 2, "2001"},
		{"product before sum", `${1+2*3}`, 0, "7"},
		{"from the left", `${10-4-3}`, 0, "3"},
		{"division drops the fraction", `${7/2} ${-7/2}`, 0, "3 -3"},
		{"remainder", `${7%4} ${-7%4}`, 0, "3 -3"},
		{"parentheses", `${(1+2)*3}`, 0, "9"},
		{"unary minus", `${-siteParticipantCount + 1}`, 5, "-4"},
		{"text joins", `${siteId + "-" + siteParticipantCount}`, 3, "Boston-3"},
		{"numbers before text add first", `${1 + 2 + "x" + 1 + 2}`, 0, "3x12"},
		{"either kind of quote", `${'a"b' + "c'd"}`, 0, `a"bc'd`},
		{"escapes", `${"a\"b\\" + 'c\'d'}`, 0, `a"b\c'd`},
		{"closing brace within quotes", `${"}"}`, 0, "}"},
		{"upper case", `${siteId?upper_case}`, 0, "BOSTON"},
		{"lower case", `${siteId?lower_case}`, 0, "boston"},
		{"plain string", `${siteParticipantCount?string + siteId?string}`, 8, "8Boston"},
		{"?c", `${siteParticipantCount?c + 1}`, 8, "81"},
		{"pad with spaces", `${siteId?left_pad(8)}`, 0, "  Boston"},
		{"pad a number", `${siteParticipantCount?left_pad(4, "0")}`, 12, "0012"},
		{"pad with a longer text, from its start", `${"a"?left_pad(8, ".oO")}`, 0, ".oO.oO.a"},
		{"pad what is long enough", `${siteId?left_pad(3, "0")}`, 0, "Boston"},
		{"built-ins in a row", `${siteParticipantCount?left_pad(3, "x")?upper_case}`, 1, "XX1"},
		{"constant argument", `${siteId?left_pad(2*4, "-")}`, 0, "--Boston"},
		{"pattern # of zero", `${siteParticipantCount?string["###"]}`, 0, "0"},
		{"pattern # and 0", `${siteParticipantCount?string["##00"]}`, 3, "03"},
		{"negative padded", `${(0-siteParticipantCount)?string["000"]}`, 5, "-005"},
		{"least number padded", `${siteParticipantCount?string["0"]}`, math.MinInt64, "-9223372036854775808"},
		{"nested as deep as may be", "${" + strings.Repeat("(", 32) + "1" + strings.Repeat(")", 32) + "}", 0, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			template, err := ParseIDTemplate(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Expand(templateValues(tt.count))
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseIDTemplateRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, template, want string
	}{
		{"empty", "", "column 1: the template is empty"},
		{"blank", "  ", "column 1: the template is empty"},
		{"too long", strings.Repeat("x", 513), "column 1: longer than 512 bytes"},
		{"not UTF-8", "ab\xff", "column 3: text that is not UTF-8"},
		{"control character", "ab\nc", "column 3: a control character"},
		{"directive", "a<#if x>", "column 2: an identifier may not hold < or >"},
		{"old interpolation", "é#{1}", "column 2: #{...} is not supported"},
		{"never closed", "é${siteId", "column 2: ${ is never closed"},
		{"nothing inside", "${}", "column 3: '}' where a variable, a number, a text or ( was expected"},
		{"ends early", "${1+", "column 5: the template ends where a variable"},
		{"unknown variable", "${1 + sitId}", `column 7: unknown variable "sitId"; known are siteId, siteParticipantCount and helper.random(n)`},
		{"unknown member", "${helper.uuid()}", `column 3: unknown variable "helper.uuid"`},
		{"unknown built-in", "${siteId?trim}", `column 10: unknown built-in "trim"; known are string, c, upper_case, lower_case and left_pad`},
		{"no built-in", "${siteId?}", `column 10: unknown built-in ""`},
		{"missing parenthesis", "${(1+2}", "column 7: '}' where an operator, ? or ) was expected"},
		{"two operands", "${1 2}", "column 5: '2' where an operator, ? or } was expected"},
		{"fraction", "${1.5}", "column 4: only whole numbers"},
		{"literal too big", "${9223372036854775808}", "column 3: a number of more than 64 bits"},
		{"constant sum too big", "${9223372036854775807 + 1}", "column 23: a number of more than 64 bits"},
		{"constant difference too big", "${-9223372036854775807 - 2}", "column 24: a number of more than 64 bits"},
		{"constant product too big", "${4294967296*4294967296}", "column 13: a number of more than 64 bits"},
		{"constant division by zero", "${1/(2-2)}", "column 4: division by zero"},
		{"constant remainder by zero", "${1%0}", "column 4: division by zero"},
		{"minus on text", "${siteId - 1}", "column 10: - works on numbers; here is text"},
		{"negative text", "${-siteId}", "column 3: - works on numbers; here is text"},
		{"? binds tighter than minus", "${-siteParticipantCount?c}", "column 3: - works on numbers; here is text"},
		{"times text", `${2 * "x"}`, "column 5: * works on numbers"},
		{"?c on text", "${siteId?c}", "column 10: ?c works on numbers"},
		{"pattern on text", `${siteId?string["000"]}`, "column 10: ?string with a pattern works on numbers"},
		{"pattern with a comma", `${1?string["0,000"]}`, `column 12: the pattern "0,000" is not supported`},
		{"pattern 0 before #", `${1?string["0#"]}`, `column 12: the pattern "0#" is not supported`},
		{"pattern empty", `${1?string[""]}`, "column 12: ?string takes a constant text"},
		{"pattern is a variable", `${1?string[siteId]}`, "column 12: ?string takes a constant text"},
		{"pattern closed wrongly", `${1?string["0")}`, `column 15: ')' where ] was expected`},
		{"pad without width", `${1?left_pad}`, "column 13: '}' where ( after ?left_pad was expected"},
		{"pad too wide", `${1?left_pad(1025)}`, "column 14: ?left_pad takes a constant whole number from 0 to 1024"},
		{"pad by a variable", `${1?left_pad(siteParticipantCount)}`, "column 14: ?left_pad takes a constant whole number"},
		{"pad with nothing", `${1?left_pad(3,"")}`, "column 16: ?left_pad takes a constant text"},
		{"pad open", `${1?left_pad(3`, "column 15: the template ends where ) was expected"},
		{"pad past a text", `${"x"?left_pad(1024) + "y"}`, "column 22: a text of more than 1 KiB"},
		{"random of nothing", "${helper.random()}", "column 17: ')' where a variable"},
		{"random uncalled", "${helper.random}", "column 16: '}' where ( after helper.random was expected"},
		{"random too small", "${helper.random(0)}", "column 17: helper.random takes a constant whole number from 1 to 9"},
		{"random too big", "${helper.random(10)}", "column 17: helper.random takes a constant whole number from 1 to 9"},
		{"random open", "${helper.random(5}", "column 18: '}' where ) was expected"},
		{"pattern missing", "${1?string[]}", "column 12: ']' where a variable"},
		{"random of text", `${helper.random("5")}`, "column 17: helper.random takes"},
		{"quote never closed", `${"abc}`, "column 3: the quote is never closed"},
		{"unknown escape", `${"a\n"}`, `column 5: only \", \' and \\ are supported`},
		{"escape at the end", `${"a\`, `column 5: only`},
		{"interpolation within quotes", `${"a${siteId}"}`, "column 5: ${ within quotes is not supported"},
		{"nested too deep", "${" + strings.Repeat("(", 33) + "1" + strings.Repeat(")", 33) + "}", "column 35: nested more than 32 deep"},
		{"negated too deep", "${" + strings.Repeat("-", 33) + "1}", "column 35: nested more than 32 deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseIDTemplate(tt.template)
			if err == nil {
				t.Fatal("got a template, want a refusal")
			}
			got := fault.As(err)
			if got.Kind != fault.Invalid || got.Code != Malformed {
				t.Errorf("got kind %v, code %q; want invalid, %q", got.Kind, got.Code, Malformed)
			}
			if want := "the ID template, " + tt.want; !strings.HasPrefix(got.Message, want) {
				t.Errorf("got message %q, want it to start with %q", got.Message, want)
			}
		})
	}
}

func TestIDTemplateExpandFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, template string
		values         TemplateValues
		want           *fault.Error
		message        string
	}{
		{"division by zero", "${1/siteParticipantCount}", TemplateValues{}, fault.New(fault.Conflict, GenerationFailed, ""), "column 4: division by zero"},
		{"remainder by zero", "${1%siteParticipantCount}", TemplateValues{}, fault.New(fault.Conflict, GenerationFailed, ""), "column 4: division by zero"},
		{"overflow", "${siteParticipantCount+1}", TemplateValues{SiteParticipantCount: math.MaxInt64}, fault.New(fault.Conflict, GenerationFailed, ""), "column 23: a number of more than 64 bits"},
		{"least number by -1", "${siteParticipantCount/-1}", TemplateValues{SiteParticipantCount: math.MinInt64}, fault.New(fault.Conflict, GenerationFailed, ""), "column 23: a number of more than 64 bits"},
		{"least number negated", "${-siteParticipantCount}", TemplateValues{SiteParticipantCount: math.MinInt64}, fault.New(fault.Conflict, GenerationFailed, ""), "column 3: a number of more than 64 bits"},
		{"text too long", "${siteId}${siteId}", TemplateValues{SiteID: strings.Repeat("x", 513)}, fault.New(fault.Conflict, GenerationFailed, ""), "more than 1 KiB"},
		{"joined text too long", "${siteId+siteId}", TemplateValues{SiteID: strings.Repeat("x", 513)}, fault.New(fault.Conflict, GenerationFailed, ""), "column 9: a text of more than 1 KiB"},
		{"changed text too long", "${siteId?lower_case}", TemplateValues{SiteID: strings.Repeat("x", 1025)}, fault.New(fault.Conflict, GenerationFailed, ""), "column 10: a text of more than 1 KiB"},
		{"no random", "${helper.random(3)}", TemplateValues{}, fault.New(fault.Internal, "", ""), "could not be used"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			template, err := ParseIDTemplate(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Expand(tt.values)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %q and error %v, want %v", got, err, tt.want)
			}
			if message := fault.As(err).Message; !strings.Contains(message, tt.message) {
				t.Errorf("got message %q, want %q in it", message, tt.message)
			}
		})
	}
}

func TestIDTemplateUsesRandom(t *testing.T) {
	t.Parallel()
	tests := []struct {
		template string
		want     bool
	}{
		{"P${siteParticipantCount + 1}", false},
		{"helper.random(5)", false},
		{"P-${helper.random(5)}", true},
		{`${siteId + (1 + helper.random(2)?left_pad(2, "0"))}`, true},
	}
	for _, tt := range tests {
		template, err := ParseIDTemplate(tt.template)
		if err != nil {
			t.Fatal(err)
		}
		if got := template.UsesRandom(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.template, got, tt.want)
		}
	}
}

func TestIDTemplateDrawsEachRandomAnew(t *testing.T) {
	t.Parallel()
	template, err := ParseIDTemplate("${helper.random(3)}-${helper.random(4)}")
	if err != nil {
		t.Fatal(err)
	}
	var drawn []int
	random := func(digits int) int64 {
		drawn = append(drawn, digits)
		return int64(len(drawn))
	}
	got, err := template.Expand(TemplateValues{Random: random})
	if err != nil {
		t.Fatal(err)
	}
	if got != "1-2" {
		t.Errorf("got %q, want 1-2", got)
	}
	if diff := cmp.Diff([]int{3, 4}, drawn); diff != "" {
		t.Errorf("digits drawn (-want +got):\n%s", diff)
	}
}

// Arithmetic agrees with big integers, or says that it does not fit.
func TestIDTemplateArithmeticProperty(t *testing.T) {
	t.Parallel()
	operators := map[byte]func(z, a, b *big.Int) *big.Int{
		'+': (*big.Int).Add, '-': (*big.Int).Sub, '*': (*big.Int).Mul, '/': (*big.Int).Quo, '%': (*big.Int).Rem,
	}
	edges := rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1 << 31, -1 << 32})
	numbers := rapid.OneOf(edges, rapid.Int64())
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom([]byte("+-*/%")).Draw(t, "op")
		a, b := numbers.Draw(t, "a"), numbers.Draw(t, "b")
		got, err := arithmetic(op, a, b)
		if b == 0 && (op == '/' || op == '%') {
			if !errors.Is(err, errTemplateZero) {
				t.Fatalf("got %d and error %v, want division by zero", got, err)
			}
			return
		}
		want := operators[op](new(big.Int), big.NewInt(a), big.NewInt(b))
		if want.IsInt64() != (err == nil) {
			t.Fatalf("%d %c %d: got %d and error %v, want %v", a, op, b, got, err, want)
		}
		if err == nil && got != want.Int64() {
			t.Fatalf("%d %c %d: got %d, want %v", a, op, b, got, want)
		}
	})
}

func FuzzIDTemplate(f *testing.F) {
	for _, seed := range []string{
		`${siteId}-${(siteParticipantCount+1)?string["000"]}`, "${helper.random(5)}", "P${siteParticipantCount + 1}",
		`${siteId?left_pad(9, "ab")?upper_case}`, `${"a\"" + 'b' + 1*2/3%4-5}`, "${((((", "${1/siteParticipantCount}", "#{x}", `${1?string("##0")?c}`,
	} {
		f.Add(seed, int64(0))
		f.Add(seed, int64(math.MaxInt64))
	}
	f.Fuzz(func(t *testing.T, text string, count int64) {
		template, err := ParseIDTemplate(text)
		if err != nil {
			if e := fault.As(err); e.Kind != fault.Invalid || !strings.Contains(e.Message, "column ") {
				t.Fatalf("got %v, want an invalid template with its column", err)
			}
			return
		}
		got, err := template.Expand(templateValues(count))
		if err != nil {
			if !errors.Is(err, fault.New(fault.Conflict, GenerationFailed, "")) {
				t.Fatalf("got %v, want generationFailed", err)
			}
			return
		}
		if len(got) > maxTemplateOutput || !utf8.ValidString(got) {
			t.Fatalf("got %d bytes: %q", len(got), got)
		}
		again, err := template.Expand(templateValues(count))
		if err != nil || again != got {
			t.Fatalf("expanded again: %q, %v; first %q", again, err, got)
		}
	})
}
