package mydatahelps

import (
	"net/http"

	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// taken is the answer to a change of one participant, and one of the results of a bulk.
type taken struct {
	action string
	result wireParticipant
}

// AppendJSON implements httpx.JSONAppender.
func (t taken) AppendJSON(to []byte) []byte {
	to = httpx.AppendJSONString(append(to, `{"actionTaken":`...), t.action)
	to = t.result.AppendJSON(append(to, `,"result":`...))
	return append(to, '}')
}

// actionNames are the vendor's words for what became of a change (spec "Add/Update
// Participant", actionTaken).
var actionNames = map[registry.Done]string{
	registry.Unchanged: "none",
	registry.Added:     "add",
	registry.Updated:   "update",
	registry.Deleted:   "delete",
}

func takenOf(study *registry.Study, result *registry.Result) taken {
	return taken{action: actionNames[result.Done], result: participantObject(study, result.Participant)}
}

// getParticipant reads one participant:
//
//	GET /participants/{participant}?queryByID=
func (a *API) getParticipant(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := a.find(r, v)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, participantObject(v.study, p))
}

// putParticipant adds or updates one participant:
//
//	PUT /participants
//
// Spec "Add/Update Participant".
func (a *API) putParticipant(w http.ResponseWriter, r *http.Request, v *visit) error {
	body, err := readBody(r, maxSingle)
	if err != nil {
		return err
	}
	change := registry.Change{Profile: registry.MyDataHelps(), Origin: v.origin(r)}
	if err := body.person(v.study, &change); err != nil {
		return err
	}
	if err := body.end(); err != nil {
		return err
	}
	return a.apply(w, r, v, change)
}

// deleteParticipant erases a participant:
//
//	DELETE /participants/{participant}?queryByID=
func (a *API) deleteParticipant(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.act(w, r, v, registry.Delete)
}

// withdrawParticipant has a participant leave the study. It has no body:
//
//	POST /participants/{participant}/withdraw?queryByID=
func (a *API) withdrawParticipant(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.act(w, r, v, registry.Withdraw)
}

func (a *API) act(w http.ResponseWriter, r *http.Request, v *visit, action registry.Action) error {
	t, ferr := v.target(r)
	if ferr != nil {
		return ferr
	}
	return a.apply(w, r, v, registry.Change{
		Action: action, Profile: registry.MyDataHelps(), Origin: v.origin(r),
		ID: t.id, Identifier: t.identifier,
	})
}

// apply makes one change and answers what became of it.
func (a *API) apply(w http.ResponseWriter, r *http.Request, v *visit, change registry.Change) error {
	results, err := a.registry.Apply(r.Context(), v.study.ID, change)
	if err != nil {
		return err
	}
	if ferr := results[0].Err; ferr != nil {
		return refusal(&change, ferr)
	}
	return httpx.WriteJSON(w, http.StatusOK, takenOf(v.study, &results[0]))
}

// segmentMember is one segment that a participant belongs to.
type segmentMember struct {
	SegmentID   string `json:"segmentID"`
	SegmentName string `json:"segmentName"`
	AddDate     string `json:"addDate"`
}

// listSegments lists the segments of a participant, as a bare array (decisions, MyDataHelps 8):
//
//	GET /participants/{participant}/segments?queryByID=
func (a *API) listSegments(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := a.find(r, v)
	if err != nil {
		return err
	}
	found, err := a.registry.SegmentsOf(r.Context(), v.study.ID, p.ID)
	if err != nil {
		return err
	}
	answer := make([]segmentMember, 0, len(found))
	for _, m := range found {
		segment, ok := v.study.Segment(m.Segment)
		if !ok {
			continue // defined a moment ago; the next request knows it
		}
		answer = append(answer, segmentMember{
			SegmentID: segment.ID.String(), SegmentName: segment.Name, AddDate: m.AddedAt.UTC().Format(segmentDate),
		})
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}
