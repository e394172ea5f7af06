package web

import (
	"strings"
	"time"

	"rollcall/internal/registry"
)

// column is one column that a list of participants can have.
type column struct {
	Key  string // in the address
	Name string
	sort *registry.Sort // nil: nothing to sort by
	text func(p *registry.Participant) string
}

// The keys of columns that are no detail and no custom field.
const (
	identifierColumn  = "identifier"
	siteColumn        = "site"
	statusColumn      = "status"
	enrolledColumn    = "enrolled"
	participateColumn = "participate"
	invitationColumn  = "invitation"
	createdColumn     = "created"
	updatedColumn     = "updated"
	customPrefix      = "custom."
)

// defaultColumns are shown unless the address says otherwise; those that a reader may not see
// are left out.
var defaultColumns = []string{
	identifierColumn, registry.LastName.String(), registry.FirstName.String(), siteColumn, statusColumn, enrolledColumn, participateColumn,
}

// columns lists every column that the visitor may see, in the order in which they are offered.
// Whoever may not read contact data sees what is known of the record as such, and no more.
func (v *visit) columns(contacts bool) []column {
	by := func(key registry.SortKey) *registry.Sort { return &registry.Sort{Key: key} }
	say := v.words.say
	all := []column{{identifierColumn, say("column.identifier"), by(registry.ByIdentifier), func(p *registry.Participant) string { return p.Identifier }}}
	if contacts {
		for _, f := range registry.Staff().Order {
			all = append(all, column{
				f.String(), v.words.fieldName(f), &registry.Sort{Key: registry.ByField, Field: f},
				func(p *registry.Participant) string { return v.words.detail(f, p.Details[f]) },
			})
		}
	}
	all = append(all,
		column{siteColumn, say("column.site"), nil, func(p *registry.Participant) string { return v.siteName(p.Site) }},
		column{statusColumn, say("column.status"), nil, func(p *registry.Participant) string { return v.words.standing(p) }},
		column{enrolledColumn, say("column.enrolled"), by(registry.ByEnrolled), func(p *registry.Participant) string { return v.date(p.EnrolledAt) }},
		column{participateColumn, say("column.participate"), nil, func(p *registry.Participant) string { return v.words.participate(p.ParticipateNow()) }},
		column{invitationColumn, say("column.invitation"), by(registry.ByInvitation), func(p *registry.Participant) string { return v.words.invitation(p.Invitation) }},
	)
	if contacts {
		for _, field := range v.study.CustomFields {
			if isSecondary(field) {
				continue // it is a detail, which is a column already
			}
			all = append(all, column{
				customPrefix + field.Name, field.Name, &registry.Sort{Key: registry.ByCustom, Custom: field},
				func(p *registry.Participant) string { return v.words.customValue(field, p.Custom[field.Name]) },
			})
		}
	}
	return append(all,
		column{createdColumn, say("column.created"), by(registry.ByInserted), func(p *registry.Participant) string { return v.date(p.CreatedAt) }},
		column{updatedColumn, say("column.updated"), nil, func(p *registry.Participant) string { return v.date(p.UpdatedAt) }},
	)
}

// isSecondary tells whether a custom field is the alias of the secondary identifier.
func isSecondary(f registry.CustomField) bool {
	return registry.Fold(f.Name) == registry.Fold(registry.SecondaryIdentifierField)
}

// date is the day of a time in the reader's zone.
func (f *frame) date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return f.day(t.In(f.zone))
}

// fieldName is what pages call a detail.
func (w *words) fieldName(f registry.Field) string { return w.say("fieldName." + f.String()) }

// detail is a detail's value as pages show it.
func (w *words) detail(f registry.Field, value string) string {
	switch f {
	case registry.Gender:
		return w.or("gender."+value, value)
	case registry.UnsubscribedFromEmails, registry.UnsubscribedFromSms:
		return w.or("boolean."+value, value)
	default:
		return value
	}
}

// customValue is a custom field's value as pages show it.
func (w *words) customValue(f registry.CustomField, value string) string {
	if f.Type == registry.BooleanField {
		return w.or("boolean."+value, value)
	}
	return value
}

// standing says where a participant stands in one word: withdrawn comes before the status of the
// record, unless that is removed.
func (w *words) standing(p *registry.Participant) string { return w.say("status." + standingKey(p)) }

func standingKey(p *registry.Participant) string {
	if p.Withdrawn() && p.Status != registry.StatusRemoved {
		return "withdrawn"
	}
	return string(p.Status)
}

func (w *words) participate(s registry.ParticipateStatus) string {
	if s == registry.NotRegistered {
		return ""
	}
	return w.say("participate." + strings.ToLower(string(s)))
}

func (w *words) invitation(s registry.InvitationStatus) string {
	if s == registry.InvitationNotSet {
		return ""
	}
	return w.say("invitation." + string(s))
}
