package mydatahelps

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// The sizes of a page (decisions, MyDataHelps 3). Clients ask for 200 and take a page that is
// shorter than they asked for the last one.
const (
	defaultPageSize = 20
	maxPageSize     = 1000
)

// participantPage is the answer to a query.
type participantPage struct {
	number       int
	total        int
	participants []wireParticipant
}

// AppendJSON implements httpx.JSONAppender.
func (p participantPage) AppendJSON(to []byte) []byte {
	to = strconv.AppendInt(append(to, `{"pageNumber":`...), int64(p.number), 10)
	to = strconv.AppendInt(append(to, `,"totalParticipants":`...), int64(p.total), 10)
	to = append(to, `,"participants":[`...)
	for i := range p.participants {
		if i > 0 {
			to = append(to, ',')
		}
		to = p.participants[i].AppendJSON(to)
	}
	return append(to, "]}"...)
}

// listParticipants finds participants of the project:
//
//	GET /participants?query=&segmentID=&customField.X=&demographicField.X=&sortBy=&sortAscending=&pageNumber=&pageSize=
//
// Spec "Query Participants".
func (a *API) listParticipants(w http.ResponseWriter, r *http.Request, v *visit) error {
	q, ferr := v.query()
	if ferr != nil {
		return ferr
	}
	number, ferr := v.params.integer("pageNumber", 0, 0, math.MaxInt32)
	if ferr != nil {
		return ferr
	}
	if q.Limit, ferr = v.params.integer("pageSize", defaultPageSize, 1, maxPageSize); ferr != nil {
		return ferr
	}
	q.Offset = number * q.Limit
	page, err := a.registry.Query(r.Context(), v.study.ID, q)
	if err != nil {
		return err
	}
	answer := participantPage{
		number: number, total: page.Total,
		participants: make([]wireParticipant, len(page.Participants)),
	}
	for i, p := range page.Participants {
		answer.participants[i] = participantObject(v.study, p)
		if q.Segment != nil {
			answer.participants[i].addedAt = page.AddedAt[i]
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// query translates the parameters, but for the page.
func (v *visit) query() (*registry.Query, *fault.Error) {
	q := &registry.Query{}
	var ferr *fault.Error
	if q.Text, ferr = v.params.text("query"); ferr != nil {
		return nil, ferr
	}
	segment, given, ferr := v.params.guid("segmentID")
	if ferr != nil {
		return nil, ferr
	}
	if given {
		if _, known := v.study.Segment(segment); !known {
			return nil, fault.New(fault.NotFound, segmentUnknown, "the project has no such segment").In("segmentID")
		}
		q.Segment, q.TextInCustom = &segment, true
	}
	if q.Filters, ferr = v.filters(); ferr != nil {
		return nil, ferr
	}
	if q.Sort, ferr = v.sort(); ferr != nil {
		return nil, ferr
	}
	return q, nil
}

// filters reads customField.X= and demographicField.X=. All of them have to hold.
func (v *visit) filters() ([]registry.Filter, *fault.Error) {
	var filters []registry.Filter
	custom, ferr := v.params.members("customField")
	if ferr != nil {
		return nil, ferr
	}
	for _, p := range custom {
		field, ok := v.study.CustomField(p.name)
		if !ok {
			return nil, unknownFilter("customField", p.name)
		}
		filters = append(filters, registry.FilterCustom(field, p.value))
	}
	details, ferr := v.params.members("demographicField")
	if ferr != nil {
		return nil, ferr
	}
	for _, p := range details {
		field, ok := demographicByName(p.name)
		if !ok {
			return nil, unknownFilter("demographicField", p.name)
		}
		filters = append(filters, registry.MyDataHelps().FilterDetail(field, p.value))
	}
	return filters, nil
}

// sort reads sortBy and sortAscending (spec "Query Participants").
func (v *visit) sort() (registry.Sort, *fault.Error) {
	var s registry.Sort
	ascending, ferr := v.params.boolean("sortAscending", true)
	if ferr != nil {
		return s, ferr
	}
	s.Descending = !ascending
	by, ferr := v.params.text("sortBy")
	if ferr != nil {
		return s, ferr
	}
	head, name, _ := strings.Cut(by, ".")
	switch strings.ToLower(head) {
	case "customfield":
		return v.sortByCustom(s, name)
	case "demographicfield":
		var ok bool
		if s.Field, ok = demographicByName(name); !ok {
			return s, unknownSort()
		}
		s.Key = registry.ByField
		return s, nil
	}
	switch strings.ToLower(by) {
	case "", "inserteddate":
		s.Key = registry.ByInserted
	case "enrollmentdate":
		s.Key = registry.ByEnrolled
	case "participantidentifier":
		s.Key = registry.ByIdentifier
	case "invitationstatus":
		s.Key = registry.ByInvitation
	case "secondaryidentifier":
		return v.sortByCustom(s, registry.SecondaryIdentifierField)
	default:
		return s, unknownSort()
	}
	return s, nil
}

func (v *visit) sortByCustom(s registry.Sort, name string) (registry.Sort, *fault.Error) {
	field, ok := v.study.CustomField(name)
	if !ok {
		return s, unknownSort()
	}
	s.Key, s.Custom = registry.ByCustom, field
	return s, nil
}

func unknownSort() *fault.Error {
	return fault.New(fault.Invalid, fieldNotFilterable, "is nothing that participants can be sorted by").In("sortBy")
}

// unknownFilter names a filter on a field that there is not, see [refusal] about names.
func unknownFilter(group, name string) *fault.Error {
	field := group
	if isFieldName(name) {
		field += "." + name
	}
	return fault.New(fault.Invalid, fieldNotFilterable, "is no field of the project").In(field)
}
