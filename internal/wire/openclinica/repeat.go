package openclinica

import (
	"encoding/json"
	"net/http"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
)

// repeatHeader carries a key of the client's choice: the same request sent again under it is
// answered with the first one's job.
const repeatHeader = "Idempotency-Key"

// maxRepeatKey is the greatest length of a key, which is printable ASCII.
const maxRepeatKey = 255

// repeatKey reads the request's key; "" if it has none.
func repeatKey(r *http.Request) (string, error) {
	key := r.Header.Get(repeatHeader)
	bad := len(key) > maxRepeatKey
	for i := range len(key) {
		bad = bad || key[i] < ' ' || key[i] > '~'
	}
	if bad {
		return "", fault.New(fault.Invalid, requestMalformed, "the %s is longer than %d characters or not printable ASCII", repeatHeader, maxRepeatKey)
	}
	return key, nil
}

// repeated finds the job of a request that has come before under the key; nil if it has not. A
// key that stands for another request is keyReused.
func (a *API) repeated(r *http.Request, v *visit, key, kind string, register bool) (*jobs.Job, error) {
	if key == "" {
		return nil, nil
	}
	job, err := a.jobs.Repeated(r.Context(), v.study.ID, v.caller.Name, key)
	if fault.HasCode(err, jobs.Unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var params struct {
		Register bool `json:"register"`
	}
	_ = json.Unmarshal(job.Params, &params) // what cannot be read is not the same
	if job.Kind != kind || job.Site != v.siteID() || params.Register != register {
		return nil, fault.New(fault.Conflict, keyReused, "the %s stands for another request", repeatHeader)
	}
	return job, nil
}

// answerJob answers the uuid of the job, or of the one that the same request has made already: it
// may have come twice at the same time.
func (a *API) answerJob(w http.ResponseWriter, r *http.Request, v *visit, job *jobs.Job, register bool, submitted error) error {
	if fault.HasCode(submitted, jobs.Repeated) {
		first, err := a.repeated(r, v, job.RepeatKey, job.Kind, register)
		if err != nil {
			return err
		}
		if first != nil {
			job, submitted = first, nil
		}
	}
	if submitted != nil {
		return submitted
	}
	return writeText(w, "job uuid: "+job.ID.String())
}
