package mydatahelps

import (
	"errors"
	"net/http"
	"strconv"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// maxItems is how many participants one bulk request may hold (decisions, MyDataHelps 5).
const maxItems = 10_000

// bulkAnswer is the answer to a bulk. What differed in nothing counts in neither total.
type bulkAnswer struct {
	added, updated int
	results        []taken
}

// AppendJSON implements httpx.JSONAppender.
func (a bulkAnswer) AppendJSON(to []byte) []byte {
	to = strconv.AppendInt(append(to, `{"totalAdded":`...), int64(a.added), 10)
	to = strconv.AppendInt(append(to, `,"totalUpdated":`...), int64(a.updated), 10)
	to = append(to, `,"results":[`...)
	for i := range a.results {
		if i > 0 {
			to = append(to, ',')
		}
		to = a.results[i].AppendJSON(to)
	}
	return append(to, "]}"...)
}

// postParticipants adds or updates many participants, all or none of them:
//
//	POST /participants?allowUpdate=&dryRun=
//
// With dryRun nothing is written: the answer is what would have been answered. Spec "Bulk Add/Update Participants"; decisions, MyDataHelps 5.
func (a *API) postParticipants(w http.ResponseWriter, r *http.Request, v *visit) error {
	allowUpdate, ferr := v.params.boolean("allowUpdate", false)
	if ferr != nil {
		return ferr
	}
	dryRun, ferr := v.params.boolean("dryRun", false)
	if ferr != nil {
		return ferr
	}
	body, err := readBody(r, maxBulk)
	if err != nil {
		return err
	}
	changes, err := body.bulk(v.study, registry.Change{
		Profile: registry.MyDataHelps(), Origin: v.origin(r), AddOnly: !allowUpdate,
	})
	if err != nil {
		return err
	}
	answer := bulkAnswer{results: make([]taken, len(changes))}
	if len(changes) == 0 {
		return httpx.WriteJSON(w, http.StatusOK, answer)
	}
	batch := &registry.Batch{Group: registry.Group{Changes: changes, AllOrNothing: true}}
	if dryRun {
		batch.Rehearsal = &registry.Rehearsal{}
	}
	results, err := a.registry.ApplyBatch(r.Context(), v.study.ID, batch)
	if err != nil {
		return err
	}
	for i := range results {
		if ferr := results[i].Err; ferr != nil {
			return refusal(&changes[max(ferr.Index-1, 0)], ferr)
		}
		switch results[i].Done {
		case registry.Added:
			answer.added++
		case registry.Updated:
			answer.updated++
		case registry.Unchanged, registry.Deleted:
		}
		answer.results[i] = takenOf(v.study, &results[i])
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// bulk reads the body of a bulk request. Each change starts as the given one.
func (b *bodyReader) bulk(study *registry.Study, each registry.Change) ([]registry.Change, error) {
	var changes []registry.Change
	listed, invite := false, false
	_, err := b.object("", func(key string) (err error) {
		switch registry.Fold(key) {
		case "participants":
			changes = changes[:0]
			listed, err = b.list("participants", func(i int) error {
				if i == maxItems {
					return fault.New(fault.Invalid, tooManyItems, "there are more than %d participants", maxItems).In("participants")
				}
				change := each
				if err := b.person(study, &change); err != nil {
					return itemFault(err, i)
				}
				changes = append(changes, change)
				return nil
			})
		case "senddefaultinvitationnotifications":
			invite, err = b.boolean("sendDefaultInvitationNotifications")
		default:
			err = b.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !listed:
		return nil, fault.New(fault.Invalid, badBody, "is missing; it has to be an array").In("participants")
	}
	for i := range changes {
		changes[i].Invite = invite
	}
	return changes, b.end()
}

// itemFault says in which item of a bulk a fault is. A body that is no JSON is not at fault in
// one item.
func itemFault(err error, index int) error {
	var ferr *fault.Error
	if errors.As(err, &ferr) && ferr.Code != badBody {
		return ferr.At(index + 1)
	}
	return err
}
