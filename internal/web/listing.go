package web

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// listing is which participants a list shows, and how: all of it stands in the address, so that
// a view can be kept and passed on.
type listing struct {
	Text       string
	Site       string // a site's code, studyLevelCode, or "" for every place
	Segment    string
	Filters    []listFilter
	Standing   map[string]string // values of standingFilters by their parameters
	Sort       string            // a column's key
	Descending bool
	Columns    []string // keys; nil for the default ones
	Page       int      // from 1
	Size       int

	place    *registry.SiteID // nil for every place
	contacts bool             // whether the visitor may read contact data at all the places shown
	base     string
	names    []column // every column there is for the visitor
}

// listFilter asks for one value of a detail or custom field; "" for those who have none.
type listFilter struct{ Key, Name, Value string }

// studyLevelCode stands for the study level where a site's code would. Should a site be called
// so, it is the site that is meant.
const studyLevelCode = "study level"

// The parameters of the address, and their limits.
const (
	filterPrefix = "is."
	defaultSize  = 50
	maxSize      = 500
	maxPage      = 10_000_000
)

// sizes are how many rows a page can be asked to have.
var sizes = [...]int{25, 50, 100, 250}

// readListing reads the address of a list. What it cannot mean is fault Invalid, in the parameter.
func (v *visit) readListing() (*listing, error) {
	q := v.r.URL.Query()
	l := &listing{
		Text: strings.TrimSpace(q.Get("q")), Site: q.Get("site"), Segment: q.Get("segment"), Page: 1, Size: defaultSize, base: peopleURL(v.study),
	}
	if err := v.readPlace(l); err != nil {
		return nil, err
	}
	l.names = v.columns(l.contacts)
	l.Sort, l.Descending = strings.TrimPrefix(q.Get("sort"), "-"), strings.HasPrefix(q.Get("sort"), "-")
	if l.Sort != "" {
		if c := l.column(l.Sort); c == nil || c.sort == nil {
			return nil, parameterFault("sort")
		}
	}
	for _, key := range strings.FieldsFunc(strings.Join(q["cols"], ","), func(c rune) bool { return c == ',' }) {
		if l.column(key) == nil {
			return nil, parameterFault("cols")
		}
		if !slices.Contains(l.Columns, key) {
			l.Columns = append(l.Columns, key)
		}
	}
	for name, limit := range map[string]int{"page": maxPage, "size": maxSize} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > limit {
			return nil, parameterFault(name)
		}
		if name == "page" {
			l.Page = n
		} else {
			l.Size = n
		}
	}
	if err := l.readStanding(q); err != nil {
		return nil, err
	}
	return l, l.readFilters(q)
}

// readFilters reads the conditions on single fields. A new one comes from a form, in two parts.
func (l *listing) readFilters(q url.Values) error {
	if key := q.Get("field"); key != "" {
		q.Set(filterPrefix+key, q.Get("value"))
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		key, ok := strings.CutPrefix(name, filterPrefix)
		if !ok {
			continue
		}
		c := l.column(key)
		if c == nil || c.sort == nil || (c.sort.Key != registry.ByField && c.sort.Key != registry.ByCustom) {
			return parameterFault(name)
		}
		l.Filters = append(l.Filters, listFilter{key, c.Name, strings.TrimSpace(q.Get(name))})
	}
	return nil
}

func parameterFault(name string) error {
	return fault.New(fault.Invalid, badParameter, "the address asks for something that is not there").In(name)
}

// column finds a column that the visitor may see; nil if there is none.
func (l *listing) column(key string) *column {
	for i := range l.names {
		if l.names[i].Key == key {
			return &l.names[i]
		}
	}
	return nil
}

// shown lists the columns to show, the identifier first: it leads to the participant.
func (l *listing) shown() []column {
	keys := l.Columns
	if keys == nil {
		keys = defaultColumns
	}
	shown := []column{*l.column(identifierColumn)}
	for _, c := range l.names {
		if c.Key != identifierColumn && slices.Contains(keys, c.Key) {
			shown = append(shown, c)
		}
	}
	return shown
}

// readPlace finds the place of the listing. A reader of some sites is shown one of them at a
// time, the first unless the address names another; one they may not see is none to them.
func (v *visit) readPlace(l *listing) error {
	places := v.who.Places(access.BrowseParticipants, v.study)
	site, ok := v.study.SiteByCode(l.Site)
	switch {
	case ok && l.Site != "":
		l.place = &site.ID
	case l.Site == studyLevelCode:
		level := registry.StudyLevel
		l.place = &level
	case l.Site != "":
		return parameterFault("site")
	case !places.Whole:
		l.place, l.Site = &places.Sites[0].ID, places.Sites[0].Code
	}
	readable := v.who.Places(access.ReadContacts, v.study)
	if l.contacts = readable.Whole; l.place != nil {
		if !places.Has(*l.place) {
			return parameterFault("site")
		}
		l.contacts = readable.Has(*l.place)
	}
	return nil
}

// query is what the listing asks the registry.
func (v *visit) query(l *listing) (*registry.Query, error) {
	q := &registry.Query{Site: l.place, Offset: (l.Page - 1) * l.Size, Limit: l.Size}
	if c := l.column(l.Sort); c != nil {
		q.Sort = *c.sort
		q.Sort.Descending = l.Descending
	}
	for _, f := range standingFilters() {
		if value := l.Standing[f.param]; value != "" {
			f.apply(q, value)
		}
	}
	if !l.contacts {
		return q, nil // searching and filtering would tell what they may not read
	}
	q.Text, q.TextInCustom = l.Text, true
	for _, f := range l.Filters {
		c := l.column(f.Key)
		if c.sort.Key == registry.ByCustom {
			q.Filters = append(q.Filters, registry.FilterCustom(c.sort.Custom, f.Value))
		} else {
			q.Filters = append(q.Filters, registry.Staff().FilterDetail(c.sort.Field, f.Value))
		}
	}
	if l.Segment != "" {
		id, err := uuid.Parse(l.Segment)
		if _, known := v.study.Segment(id); err != nil || !known {
			return nil, parameterFault("segment")
		}
		q.Segment = &id
	}
	return q, nil
}

// with is the address of the listing with some parameters set; "" takes one away. Whatever is
// changed but the page itself leads back to the first page.
func (l *listing) with(pairs ...string) string { return l.address(l.base, pairs...) }

func (l *listing) address(base string, pairs ...string) string {
	q := url.Values{}
	set := func(name, value string) {
		if value == "" {
			q.Del(name)
			return
		}
		q.Set(name, value)
	}
	set("q", l.Text)
	set("site", l.Site)
	set("segment", l.Segment)
	for param, value := range l.Standing {
		set(param, value)
	}
	for _, f := range l.Filters {
		q.Set(filterPrefix+f.Key, f.Value)
	}
	if l.Sort != "" {
		set("sort", l.sortText())
	}
	set("cols", strings.Join(l.Columns, ","))
	if l.Size != defaultSize {
		set("size", strconv.Itoa(l.Size))
	}
	for i := 0; i < len(pairs); i += 2 {
		set(pairs[i], pairs[i+1])
	}
	if len(q) == 0 {
		return base
	}
	return base + "?" + q.Encode()
}

func (l *listing) sortText() string {
	if l.Descending {
		return "-" + l.Sort
	}
	return l.Sort
}
