package web

import (
	"net/url"
	"slices"
	"strings"

	"rollcall/internal/registry"
)

// standingFilter narrows a list down by where people stand. Everybody who may see them at all may
// ask for it.
type standingFilter struct {
	param  string
	values []string // what may be asked for, in the order in which it is offered
	words  string   // the beginning of the texts of the values
	apply  func(q *registry.Query, value string)
}

// noneValue asks for those of whom nothing is known.
const noneValue = "none"

// standingFilters lists them in the order in which they are offered.
func standingFilters() []standingFilter {
	yes := func(value string) *bool {
		is := value == "yes"
		return &is
	}
	return []standingFilter{
		{"status", []string{"available", "signed", "locked", "withdrawn", "removed"}, "status.", func(q *registry.Query, value string) {
			if value == "withdrawn" {
				q.Withdrawn = yes("yes")
				return
			}
			q.Status = registry.ParticipantStatus(value)
			if q.Status != registry.StatusRemoved { // whoever has withdrawn is shown as such
				q.Withdrawn = yes("no")
			}
		}},
		{"enrolled", []string{"yes", "no"}, "enrolled.", func(q *registry.Query, value string) { q.Enrolled = yes(value) }},
		{"invitation", []string{noneValue, "pending", "approved", "declined", "cancelled", "notInvited"}, "invitation.", func(q *registry.Query, value string) {
			status := registry.InvitationStatus(strings.TrimSuffix(value, noneValue))
			q.Invitation = &status
		}},
		{"participate", []string{noneValue, "created", "invited", "active", "inactive"}, "participate.", func(q *registry.Query, value string) {
			status := participateOf(value)
			q.Participate = &status
		}},
	}
}

// participateOf is the Participate status of a value of the address.
func participateOf(value string) registry.ParticipateStatus {
	for _, s := range []registry.ParticipateStatus{
		registry.ParticipateCreated, registry.ParticipateInvited, registry.ParticipateActive, registry.ParticipateStopped,
	} {
		if strings.EqualFold(string(s), value) {
			return s
		}
	}
	return registry.NotRegistered
}

// standingChoice is a filter as the list offers it.
type standingChoice struct {
	Param, Name string
	Choices     []choice
}

// readStanding reads the filters from the address.
func (l *listing) readStanding(q url.Values) error {
	for _, f := range standingFilters() {
		value := q.Get(f.param)
		if value == "" {
			continue
		}
		if !slices.Contains(f.values, value) {
			return parameterFault(f.param)
		}
		if l.Standing == nil {
			l.Standing = map[string]string{}
		}
		l.Standing[f.param] = value
	}
	return nil
}

// standingChoices offers the filters.
func (v *visit) standingChoices(l *listing) []standingChoice {
	var all []standingChoice
	for _, f := range standingFilters() {
		if f.param == "participate" && !v.study.Participate {
			continue
		}
		c := standingChoice{Param: f.param, Name: v.words.say("column." + f.param), Choices: []choice{{"", v.words.say("participants.any"), l.Standing[f.param] == ""}}}
		for _, value := range f.values {
			c.Choices = append(c.Choices, choice{value, v.words.say(f.words + value), l.Standing[f.param] == value})
		}
		all = append(all, c)
	}
	return all
}
