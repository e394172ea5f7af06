package sqlite

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	sqlitedriver "modernc.org/sqlite"

	"rollcall/internal/registry"
)

// foldFunction is registry.Fold within SQL; NULL stays NULL.
const foldFunction = "rollcall_fold"

// registerFold makes the function known to the driver, which holds such functions for the
// whole process.
var registerFold = sync.OnceValue(func() error {
	return sqlitedriver.RegisterDeterministicScalarFunction(foldFunction, 1,
		func(_ *sqlitedriver.FunctionContext, args []driver.Value) (driver.Value, error) {
			switch v := args[0].(type) {
			case nil:
				return nil, nil
			case string:
				return registry.Fold(v), nil
			default:
				return registry.Fold(fmt.Sprint(v)), nil
			}
		})
})

// folded is an expression that orders a text as registry.Fold does. ASCII, which nearly all
// texts are, is folded without leaving SQLite.
func folded(value string) string {
	return "CASE WHEN length(" + value + ") = octet_length(" + value + ") THEN lower(" + value + ") ELSE " +
		foldFunction + "(" + value + ") END"
}

// searchSeparator stands between the values of a search text, so that no match spans two: no
// profile lets a NUL into a value.
const searchSeparator = "\x00"

// searchColumns are written beside a participant and never read back.
var searchColumns = []string{"search_text", "custom_text"}

// searchValues are the values of searchColumns.
func searchValues(args []any, p *registry.Participant) []any {
	return append(args, searchText(p), customText(p))
}

// searchColumn is the search text that holds a detail; "" if none does.
func searchColumn(f registry.Field) string {
	switch f {
	case registry.SecondaryID:
		return "custom_text"
	case registry.Country, registry.HospitalNumber: // no demographics of MyDataHelps
		return ""
	default:
		return "search_text"
	}
}

// searchText is the folded text that every search looks through: the identifier and what
// MyDataHelps calls demographics. A phone number is found in both dialects' forms.
func searchText(p *registry.Participant) string {
	var b strings.Builder
	add := func(value string) {
		if value != "" {
			b.WriteString(registry.Fold(value))
			b.WriteString(searchSeparator)
		}
	}
	add(p.Identifier)
	for f := range registry.FieldCount {
		if searchColumn(f) == "search_text" {
			add(p.Details[f])
		}
		if f == registry.MobilePhone {
			add(registry.PhoneForMyDataHelps(p.Details[f]))
		}
	}
	return b.String()
}

// customText is the folded text of the custom fields, the secondary identifier among them.
func customText(p *registry.Participant) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.Custom)) {
		b.WriteString(registry.Fold(p.Custom[name]))
		b.WriteString(searchSeparator)
	}
	if value := p.Details[registry.SecondaryID]; value != "" {
		b.WriteString(registry.Fold(value))
		b.WriteString(searchSeparator)
	}
	return b.String()
}
