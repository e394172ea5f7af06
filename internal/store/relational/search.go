package relational

import (
	"maps"
	"slices"

	"rollcall/internal/registry"
)

// The columns of folded text that searches look through.
const (
	searchText = "search_text"
	customText = "custom_text"
)

// SearchedIn is the search text that holds a detail; "" if none does.
func SearchedIn(f registry.Field) string {
	switch f {
	case registry.SecondaryID:
		return customText
	case registry.Country, registry.HospitalNumber: // no demographics of MyDataHelps
		return ""
	default:
		return searchText
	}
}

// SearchText calls add with every value that a search looks through, not folded: the identifier
// and what MyDataHelps calls demographics. A phone number is found in both dialects' forms.
func SearchText(p *registry.Participant, add func(value string)) {
	add(p.Identifier)
	for f := range registry.FieldCount {
		if SearchedIn(f) == searchText {
			add(p.Details[f])
		}
		if f == registry.MobilePhone {
			add(registry.PhoneForMyDataHelps(p.Details[f]))
		}
	}
}

// CustomText calls add with the values of the custom fields, the secondary identifier among
// them.
func CustomText(p *registry.Participant, add func(value string)) {
	for _, name := range slices.Sorted(maps.Keys(p.Custom)) {
		add(p.Custom[name])
	}
	add(p.Details[registry.SecondaryID])
}

// DetailKey and CustomKey name the fold of a value among the folds that an engine keeps beside
// a participant.
func DetailKey(f registry.Field) string { return detailColumns[f] }

// CustomKey is the same for a custom field.
func CustomKey(name string) string { return "custom:" + name }
