package files

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/fault"
)

// address is the URL of a place, its query apart. What it says of itself in errors is never
// the text of the URL, which may hold a secret that was put in the wrong place.
type address struct {
	url   *url.URL
	query url.Values
}

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "filesURL", format, args...)
}

func parseAddress(text string) (*address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return nil, invalid("the URL of the file storage cannot be read").WithHint("write s3://bucket, azblob://container or file:///folder")
	}
	if u.User != nil {
		return nil, invalid("the URL of the file storage holds a name or a password").
			WithHint("secrets belong into the environment or into a file: for s3 the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the parameter credentials=/path")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, invalid("the parameters of the URL of the file storage cannot be read").WithHint("write them as ?name=value&name=value, with %%26 for an ampersand in a value")
	}
	return &address{url: u, query: query}, nil
}

// bucket is the bucket or container, the host of the URL.
func (a *address) bucket() (string, error) {
	if a.url.Host == "" || a.url.Path != "" && a.url.Path != "/" {
		return "", invalid("the URL of the file storage must name a bucket and nothing below it").
			WithHint("write %s://bucket; to keep files below a prefix add ?prefix=name/", a.url.Scheme)
	}
	return a.url.Host, nil
}

// only refuses parameters that are not known, and known ones that are given twice.
func (a *address) only(known ...string) error {
	for name, values := range a.query {
		if !slices.Contains(known, name) {
			return invalid("a parameter of the URL of the file storage is not known").
				WithHint("the parameters of %s:// are %s", a.url.Scheme, strings.Join(known, ", "))
		}
		if len(values) > 1 {
			return invalid("the URL of the file storage gives the parameter %s twice", name)
		}
	}
	return nil
}

// prefix is what all keys begin with in the bucket: empty, or names that end in a slash.
func (a *address) prefix() (string, error) {
	prefix := strings.Trim(a.query.Get("prefix"), "/")
	if prefix == "" {
		return "", nil
	}
	for _, name := range strings.Split(prefix, "/") {
		if name == "" || name == "." || name == ".." {
			return "", invalid("the prefix in the URL of the file storage is not made of names with slashes between them")
		}
	}
	return prefix + "/", nil
}

// flag is a parameter that is true or false.
func (a *address) flag(name string, otherwise bool) (bool, error) {
	text := a.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, invalid("the parameter %s in the URL of the file storage is neither true nor false", name)
	}
	return value, nil
}
