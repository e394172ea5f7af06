package web

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

//go:embed texts
var textsFolder embed.FS

// English is the language that every text was first written in.
const English = "en"

// catalogue holds every text of every page, in each language: one file for a language, named for
// it, with the same keys. A text may hold places for values as package fmt writes them. One that
// counts something has two forms, key.one and key.other, as both languages so far need.
type catalogue map[string]*words

// words are the texts of one language.
type words struct {
	language string
	texts    map[string]string
}

func readCatalogue() (catalogue, error) {
	entries, err := textsFolder.ReadDir("texts")
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	all := catalogue{}
	for _, entry := range entries {
		content, err := textsFolder.ReadFile("texts/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read texts: %w", err)
		}
		w := &words{language: strings.TrimSuffix(entry.Name(), ".json")}
		if err := json.Unmarshal(content, &w.texts); err != nil {
			return nil, fmt.Errorf("read texts in %s: %w", w.language, err)
		}
		all[w.language] = w
	}
	if all[English] == nil {
		return nil, errors.New("read texts: there are none in English")
	}
	return all, nil
}

func (c catalogue) has(language string) bool { return c[language] != nil }

func (c catalogue) languages() []string { return slices.Sorted(maps.Keys(c)) }

func (c catalogue) list() string { return strings.Join(c.languages(), ", ") }

// chosen is the language for a request: what its reader has chosen, else what the browser asks
// for first, else the fallback.
func (c catalogue) chosen(r *http.Request, fallback string) string {
	if language := cookie(r, languageCookie); c.has(language) {
		return language
	}
	best, quality := fallback, 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		language, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			if parsed, err := strconv.ParseFloat(text, 64); err == nil {
				q = parsed
			}
		}
		if c.has(language) && q > quality {
			best, quality = language, q
		}
	}
	return best
}

// say is the text of a key with the values in its places. A key that has no text is shown as it
// is; a test sees to it that there is none.
func (w *words) say(key string, values ...any) string {
	text, ok := w.texts[key]
	if !ok {
		return key
	}
	if len(values) == 0 {
		return text
	}
	for i, v := range values {
		switch n := v.(type) {
		case int:
			values[i] = w.number(int64(n))
		case int64:
			values[i] = w.number(n)
		}
	}
	return fmt.Sprintf(text, values...)
}

// has tells whether the key has a text.
func (w *words) has(key string) bool {
	_, ok := w.texts[key]
	return ok
}

// count is the text of a key for so many, the number first among its values.
func (w *words) count(key string, n any, values ...any) string {
	form := ".other"
	if fmt.Sprint(n) == "1" {
		form = ".one"
	}
	return w.say(key+form, append([]any{n}, values...)...)
}

// number writes a number as the language groups its digits.
func (w *words) number(n int64) string {
	separator := ","
	if w.language == "de" {
		separator = "."
	}
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if len(digits) <= 4 && w.language == "de" { // as German style guides have it
		return sign + digits
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// or is the text of a key, or the fallback where it has none: names that studies make up have
// no translation.
func (w *words) or(key, fallback string) string {
	if w.has(key) {
		return w.say(key)
	}
	return fallback
}
