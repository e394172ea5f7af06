package web

import (
	"net/http"
	"strconv"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// participantsView is the list of participants.
type participantsView struct {
	*frame
	Text       string
	MaySearch  bool // else an identifier as a whole is looked up
	Sites      []choice
	Segments   []choice
	Standing   []standingChoice
	Filters    []filterChip
	Fields     []choice // to filter by
	Columns    []choice
	SortText   string
	ColumnText string
	SizeText   string

	Head    []headCell
	Rows    []participantRow
	Total   int
	From    int
	To      int
	Pages   []pageLink
	Sizes   []pageLink
	CSV     string // address of the download
	Add     string // address of the form to add somebody; "" if the reader may not
	Actions []choice
	Select  string // address that takes a selection
	Clear   string // address without any condition; "" if there is none
}

type filterChip struct {
	Name, Value string
	Param       string
	Without     string // address without it
}

// headCell is the head of a column. Aria says how the column is sorted.
type headCell struct {
	Text, URL, Aria string
}

type participantRow struct {
	ID, Identifier, URL string
	Status              string // a word for the style
	Cells               []rowCell
}

type rowCell struct {
	Name, Text string
	Badge      bool
}

// pageLink is a page of the list to go to; without an address it is the present one.
type pageLink struct{ Text, URL, Label string }

// listParticipants lists the participants that the visitor may see:
//
//	GET /studies/{study}/participants
func (p *Pages) listParticipants(v *visit, w http.ResponseWriter) error {
	l, err := v.readListing()
	if err != nil {
		return err
	}
	if !l.contacts && l.Text != "" {
		return p.findByIdentifier(v, w, l)
	}
	q, err := v.query(l)
	if err != nil {
		return err
	}
	page, err := p.Registry.Query(v.r.Context(), v.study.ID, q)
	if err != nil {
		return err
	}
	if last := max(1, (page.Total+l.Size-1)/l.Size); l.Page > last { // people have gone since the address was made
		return seeOther(w, v.r, l.with("page", pageText(last)))
	}
	return p.page(w, http.StatusOK, "participants", v.participantsView(l, page))
}

// findByIdentifier goes to the participant of an identifier, if the visitor may see them.
func (p *Pages) findByIdentifier(v *visit, w http.ResponseWriter, l *listing) error {
	found, err := p.Registry.Find(v.r.Context(), v.study.ID, l.Text)
	if err == nil && v.may(access.BrowseParticipants, found.Site) {
		return seeOther(w, v.r, participantURL(v.study, found))
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	return p.page(w, http.StatusOK, "participants", v.participantsView(l, &registry.Page{}))
}

func pageText(n int) string {
	if n == 1 {
		return ""
	}
	return strconv.Itoa(n)
}

// participantsView is the view of one page of the list.
func (v *visit) participantsView(l *listing, page *registry.Page) *participantsView {
	view := &participantsView{
		frame: v.frame, Text: l.Text, MaySearch: l.contacts, Total: page.Total,
		CSV: l.address(studyURL(v.study) + "/participants.csv"), SortText: "", ColumnText: strings.Join(l.Columns, ","),
	}
	view.Title, view.Here = v.words.say("participants.title"), "participants"
	if l.Sort != "" {
		view.SortText = l.sortText()
	}
	if l.Size != defaultSize {
		view.SizeText = strconv.Itoa(l.Size)
	}
	if v.Study.MayAdd {
		view.Add = peopleURL(v.study) + "/new"
		view.Select = peopleURL(v.study) + "/selected"
		view.Actions = v.selectionActions()
	}
	if l.Text != "" || l.Segment != "" || len(l.Filters) > 0 || len(l.Standing) > 0 || (l.Site != "" && v.who.Places(access.BrowseParticipants, v.study).Whole) {
		view.Clear = (&listing{base: l.base, Columns: l.Columns, Sort: l.Sort, Descending: l.Descending, Size: l.Size}).with()
	}
	v.fillChoices(view, l)
	v.fillRows(view, l, page)
	v.fillPages(view, l)
	return view
}

// fillChoices offers what the list can be narrowed down by, and its columns.
func (v *visit) fillChoices(view *participantsView, l *listing) {
	places := v.who.Places(access.BrowseParticipants, v.study)
	if places.Whole {
		view.Sites = append(view.Sites, choice{"", v.words.say("participants.everySite"), l.Site == ""})
	}
	for _, site := range places.Sites {
		view.Sites = append(view.Sites, choice{site.Code, site.Name, registry.Fold(site.Code) == registry.Fold(l.Site)})
	}
	if places.Whole {
		view.Sites = append(view.Sites, choice{studyLevelCode, v.words.say("site.none"), l.Site == studyLevelCode})
	}
	view.Standing = v.standingChoices(l)
	shown := map[string]bool{}
	for _, c := range l.shown() {
		shown[c.Key] = true
	}
	for _, c := range l.names {
		if c.Key != identifierColumn {
			view.Columns = append(view.Columns, choice{c.Key, c.Name, shown[c.Key]})
		}
	}
	if !l.contacts {
		return
	}
	if len(v.study.Segments) > 0 {
		view.Segments = append(view.Segments, choice{"", v.words.say("participants.anySegment"), l.Segment == ""})
	}
	for _, s := range v.study.Segments {
		view.Segments = append(view.Segments, choice{s.ID.String(), s.Name, s.ID.String() == l.Segment})
	}
	for _, c := range l.names {
		if c.sort != nil && (c.sort.Key == registry.ByField || c.sort.Key == registry.ByCustom) {
			view.Fields = append(view.Fields, choice{Value: c.Key, Text: c.Name})
		}
	}
	for _, f := range l.Filters {
		view.Filters = append(view.Filters, filterChip{f.Name, f.Value, filterPrefix + f.Key, l.with(filterPrefix+f.Key, "")})
	}
}

// fillRows makes the table.
func (v *visit) fillRows(view *participantsView, l *listing, page *registry.Page) {
	columns := l.shown()
	for _, c := range columns {
		head := headCell{Text: c.Name}
		if c.sort != nil {
			next := c.Key
			if l.Sort == c.Key {
				head.Aria = "ascending"
				if l.Descending {
					head.Aria = "descending"
				} else {
					next = "-" + c.Key
				}
			}
			head.URL = l.with("sort", next)
		}
		view.Head = append(view.Head, head)
	}
	for _, p := range page.Participants {
		row := participantRow{ID: p.ID.String(), Identifier: p.Identifier, URL: participantURL(v.study, p), Status: standingKey(p)}
		for _, c := range columns[1:] {
			row.Cells = append(row.Cells, rowCell{c.Name, c.text(p), c.Key == statusColumn})
		}
		view.Rows = append(view.Rows, row)
	}
	if len(page.Participants) > 0 {
		view.From = (l.Page-1)*l.Size + 1
		view.To = view.From + len(page.Participants) - 1
	}
}

// fillPages links the first and last page, the present one and its neighbours.
func (v *visit) fillPages(view *participantsView, l *listing) {
	last := max(1, (view.Total+l.Size-1)/l.Size)
	previous := 0
	for n := 1; n <= last; n++ {
		if n != 1 && n != last && (n < l.Page-2 || n > l.Page+2) {
			if n < l.Page-2 {
				n = l.Page - 3
			} else {
				n = last - 1
			}
			continue
		}
		if previous > 0 && n > previous+1 {
			view.Pages = append(view.Pages, pageLink{Text: "…"})
		}
		previous = n
		entry := pageLink{Text: v.words.number(int64(n)), URL: l.with("page", pageText(n)), Label: v.words.say("page.number", n)}
		if n == l.Page {
			entry.URL = ""
		}
		view.Pages = append(view.Pages, entry)
	}
	for _, size := range sizes {
		entry := pageLink{Text: strconv.Itoa(size), URL: l.with("size", strconv.Itoa(size))}
		if size == l.Size {
			entry.URL = ""
		}
		view.Sizes = append(view.Sizes, entry)
	}
}
