package mydatahelps

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/registry"
)

func TestParseParams(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw string
		want      params
	}{
		{"nothing", "", nil},
		{"only separators", "&&&", nil},
		{"one", "pageSize=5", params{{"pageSize", "pagesize", "5"}}},
		{"no value", "query", params{{"query", "query", ""}}},
		{"empty value", "query=", params{{"query", "query", ""}}},
		{"equal signs in the value", "query=a=b", params{{"query", "query", "a=b"}}},
		{"plus and escapes", "QUERY=a+b%2Bc&x=%C3%BC", params{{"QUERY", "query", "a b+c"}, {"x", "x", "ü"}}},
		{"a semicolon is text", "query=a;b", params{{"query", "query", "a;b"}}},
		{"escaped name", "customField%2ENote=1", params{{"customField.Note", "customfield.note", "1"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ferr := parseParams(test.raw)
			if ferr != nil {
				t.Fatal(ferr)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(param{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for name, raw := range map[string]string{
		"broken escape": "query=%4", "not UTF-8": "query=%C3", "NUL": "query=%00", "not UTF-8 name": "%FF=1",
		"too many": strings.Repeat("a=1&", maxParams+1),
	} {
		if _, ferr := parseParams(raw); ferr == nil {
			t.Errorf("%s: no fault", name)
		}
	}
}

// TestManyFilters has a query with as many filters as may be sent go through to the database.
func TestManyFilters(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.put(`{"participantIdentifier":"P-1","customFields":{"Note":"x"},"demographics":{"city":"y"}}`)
		filters := strings.Repeat("customField.Note=x&demographicField.City=Y&", maxParams/2)
		if got := w.list(filters).names(); got != "P-1" {
			t.Errorf("found %q, want P-1", got)
		}
		w.ask(http.StatusBadRequest, "GET", juno+"?"+filters+"query=x", "", nil)
	})
}

// FuzzParams has any query string asked: it is understood or refused, never our failure, and
// every answer of the translation is one that the store can take.
func FuzzParams(f *testing.F) {
	for _, seed := range []string{
		"", "query=&pageSize=20", "customField.Note=a&customfield.smoker=", "sortBy=CustomField.Note&sortAscending=FALSE",
		"segmentID=f4828980-3a25-46c7-8d54-ea6bfc4fa970&pageNumber=2", "demographicField.DOB=1990-01-01", "a=%zz", "query=%FF%00",
		"pageNumber=9223372036854775807", "demographicField.MobilePhone=%2B1", "sortBy=.", "customField.=", "&=&",
		"customField.Weight=1e5&customField.Consented=TRUE&customField.SurgeryDate=x",
	} {
		f.Add(seed)
	}
	w := newWorld(f)
	study := w.study("S_JUNO")
	f.Fuzz(func(t *testing.T, raw string) {
		ps, ferr := parseParams(raw)
		if ferr != nil {
			return
		}
		again := url.Values{}
		for _, p := range ps {
			again.Add(p.name, p.value)
		}
		if _, ferr := parseParams(again.Encode()); ferr != nil {
			t.Fatalf("%q parses, but not written again as %q: %v", raw, again.Encode(), ferr)
		}
		v := &visit{study: study, params: ps}
		if _, ferr := v.params.boolean("queryByID", false); ferr != nil && ferr.Field != "queryByID" {
			t.Errorf("a fault of queryByID names %q", ferr.Field)
		}
		q, ferr := v.query()
		if ferr != nil {
			return
		}
		q.Limit = 1
		if _, err := w.registry.Query(t.Context(), study.ID, q); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		for _, filter := range q.Filters {
			if _, defined := study.CustomField(filter.Custom); filter.Custom != "" && !defined {
				t.Errorf("a filter on %q, which the study does not define", filter.Custom)
			}
			if filter.Custom == "" && (filter.Field == registry.Country || filter.Field == registry.HospitalNumber) {
				t.Errorf("a filter on %s, which is not shown", filter.Field)
			}
		}
	})
}
