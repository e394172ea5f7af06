package registry

import "rollcall/internal/fault"

// FieldFaults lists everything that is wrong with the values of a change by themselves: the
// identifier, the details in the profile's order, and the custom fields. Decide answers the first
// fault alone, as the APIs promise; whoever fills in a form wants all of them. An empty list
// says nothing about what Decide has to know the study's participants for.
func FieldFaults(study *Study, c *Change) []*fault.Error {
	var all []*fault.Error
	identifier, ferr := c.Profile.identifier(c.Identifier)
	switch {
	case ferr != nil:
		all = append(all, ferr)
	case identifier == "" && c.ID == (ID{}) && !(&decision{study: study}).generates(c):
		all = append(all, identifierMissing())
	}
	for _, f := range c.Profile.Order {
		if text, given := c.Edits.Get(f); given {
			if _, ferr := c.Profile.value(f, text); ferr != nil {
				all = append(all, ferr)
			}
		}
	}
	for _, name := range sortedKeys(c.Custom) {
		field, ok := study.CustomField(name)
		if !ok {
			continue // Decide says so
		}
		if _, ferr := customForm(field, c.Custom[name]); ferr != nil {
			all = append(all, ferr)
		}
	}
	return all
}
