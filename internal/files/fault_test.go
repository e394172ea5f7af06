package files

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"rollcall/internal/fault"
)

// answer is an error of a store with what it answered.
type answer struct {
	code   string
	status int
}

func (a answer) Error() string       { return "answered " + a.code }
func (a answer) ErrorCode() string   { return a.code }
func (a answer) HTTPStatusCode() int { return a.status }

func TestFaultsOfAStore(t *testing.T) {
	t.Parallel()
	known := fault.New(fault.TooLarge, "", "too large")
	for _, test := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"no room", answer{"XMinioStorageFull", 507}, fault.StorageFull},
		{"a quota that is used up", answer{"QuotaExceeded", 403}, fault.StorageFull},
		{"no room without a code", answer{"", 507}, fault.StorageFull},
		{"no bucket", answer{"NoSuchBucket", 404}, fault.Unavailable},
		{"denied", answer{"AccessDenied", 403}, fault.Unavailable},
		{"too fast", answer{"SlowDown", 503}, fault.Unavailable},
		{"away", &url.Error{Op: "Get", URL: "https://host/files/a?sig=s3cr3t&x=1", Err: errors.New("refused")}, fault.Unavailable},
		{"a fault of ours", known, fault.TooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := (&bucket{name: "bucket s3://b/"}).fault(t.Context(), test.err, "store file")
			f := fault.As(err)
			if f.Kind != test.want || (f.RetryAfterSeconds == 0) != (test.want == fault.TooLarge) {
				t.Errorf("told %v of kind %v, after %d s; want %v", err, f.Kind, f.RetryAfterSeconds, test.want)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("tells a secret: %v", err)
			}
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := (&bucket{}).fault(ended, answer{"", 503}, "store file"); !errors.Is(err, context.Canceled) {
		t.Errorf("told %v", err)
	}
	if err := (&bucket{}).fault(ended, nil, "store file"); err != nil {
		t.Errorf("told %v of nothing", err)
	}
}
