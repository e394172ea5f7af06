package segment

import (
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"

	"rollcall/internal/registry"
)

// The types that hold the fields of demographics and customFields.
const (
	demographicsType = "rollcall.Demographics"
	customFieldsType = "rollcall.CustomFields"
)

// demographics are the names that rules use for details: MyDataHelps' own.
var demographics = map[string]registry.Field{
	"email":                  registry.Email,
	"firstName":              registry.FirstName,
	"middleName":             registry.MiddleName,
	"lastName":               registry.LastName,
	"dateOfBirth":            registry.DateOfBirth,
	"preferredLanguage":      registry.PreferredLanguage,
	"gender":                 registry.Gender,
	"street1":                registry.Street1,
	"street2":                registry.Street2,
	"city":                   registry.City,
	"state":                  registry.State,
	"postalCode":             registry.PostalCode,
	"mobilePhone":            registry.MobilePhone,
	"timeZone":               registry.TimeZone,
	"utcOffset":              registry.UTCOffset,
	"unsubscribedFromEmails": registry.UnsubscribedFromEmails,
	"unsubscribedFromSms":    registry.UnsubscribedFromSms,
}

// environment is the language of rules for one study.
func environment(study *registry.Study) (*cel.Env, error) {
	base, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(
		cel.CustomTypeProvider(&vocabulary{Registry: base, study: study}),
		cel.CustomTypeAdapter(base),
		cel.DefaultUTCTimeZone(true),
		cel.Variable("age", cel.IntType),
		cel.Variable("identifier", cel.StringType),
		cel.Variable("site", cel.StringType),
		cel.Variable("enrolled", cel.BoolType),
		cel.Variable("withdrawn", cel.BoolType),
		cel.Variable("invitationStatus", cel.StringType),
		cel.Variable("enrollmentDate", cel.TimestampType),
		cel.Variable("insertedDate", cel.TimestampType),
		cel.Variable("withdrawDate", cel.TimestampType),
		cel.Variable("now", cel.TimestampType),
		cel.Variable("demographics", cel.ObjectType(demographicsType)),
		cel.Variable("customFields", cel.ObjectType(customFieldsType)),
	)
}

// vocabulary tells CEL which fields demographics and customFields have, so that a misspelt one
// is found when the rule is compiled.
type vocabulary struct {
	*types.Registry
	study *registry.Study
}

// FindStructType implements types.Provider.
func (v *vocabulary) FindStructType(name string) (*types.Type, bool) {
	if name == demographicsType || name == customFieldsType {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return v.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (v *vocabulary) FindStructFieldNames(name string) ([]string, bool) {
	var names []string
	switch name {
	case demographicsType:
		for field := range demographics {
			names = append(names, field)
		}
	case customFieldsType:
		for _, field := range v.study.CustomFields {
			names = append(names, field.Name)
		}
	default:
		return v.Registry.FindStructFieldNames(name)
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (v *vocabulary) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	switch name {
	case demographicsType:
		f, ok := demographics[field]
		if !ok {
			return nil, false
		}
		return fieldType(types.StringType, func(p *person) (any, bool) { return p.detail(f) }), true
	case customFieldsType:
		for _, custom := range v.study.CustomFields {
			if custom.Name == field {
				return fieldType(celTypes[custom.Type], func(p *person) (any, bool) { return p.custom(custom) }), true
			}
		}
		return nil, false
	}
	return v.Registry.FindStructFieldType(name, field)
}

// fieldType makes a CEL field of a look-up in a person.
func fieldType(t *types.Type, look func(*person) (value any, set bool)) *types.FieldType {
	return &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			p, ok := target.(*person)
			if !ok {
				return false
			}
			_, set := look(p)
			return set
		},
		GetFrom: func(target any) (any, error) {
			if p, ok := target.(*person); ok {
				if value, set := look(p); set {
					return value, nil
				}
			}
			return nil, errUnset
		},
	}
}

// celTypes are the declared types of custom fields in rules. A date is a timestamp at its
// midnight in UTC.
var celTypes = map[registry.FieldType]*types.Type{
	registry.TextField:    types.StringType,
	registry.IntegerField: types.IntType,
	registry.DecimalField: types.DoubleType,
	registry.BooleanField: types.BoolType,
	registry.DateField:    types.TimestampType,
}

// typed reads a custom field's stored value in its declared type.
func typed(t registry.FieldType, text string) (any, bool) {
	switch t {
	case registry.IntegerField:
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	case registry.DecimalField:
		x, err := strconv.ParseFloat(text, 64)
		return x, err == nil
	case registry.BooleanField:
		return strings.EqualFold(text, "true"), true
	case registry.DateField:
		at, err := time.Parse(time.DateOnly, text)
		return at, err == nil
	default:
		return text, true
	}
}

// sizes tells the cost estimate how large values can be: no detail is longer than this.
type sizes struct{}

// maxText is about the greatest length of a value that rules look at, in characters.
const maxText = 256

// EstimateSize implements cost.CostEstimator.
func (sizes) EstimateSize(cost.AstNode) *cost.SizeEstimate {
	return &cost.SizeEstimate{Min: 0, Max: maxText}
}

// EstimateCallCost implements cost.CostEstimator.
func (sizes) EstimateCallCost(_, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	return nil
}
