package openclinica

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// listPage is how many participants are read at a time: a list of any length streams in flat
// memory.
const listPage = 1000

// listedParticipant is one entry of a list of participants.
type listedParticipant struct {
	SubjectKey     string `json:"subjectKey"`
	SubjectOID     string `json:"subjectOid"`
	Status         string `json:"status"`
	CreatedBy      string `json:"createdBy"`
	CreatedAt      string `json:"createdAt"`
	LastModified   string `json:"lastModified"`
	LastModifiedBy string `json:"lastModifiedBy"`
}

// listDate is the original's yyyy-MM-dd'T'HH:mm:ss.SSSZ.
const listDate = "2006-01-02T15:04:05.000-0700"

func listed(p *registry.Participant) listedParticipant {
	return listedParticipant{
		SubjectKey: p.Identifier, SubjectOID: p.OID, Status: statusName(p),
		CreatedBy: p.CreatedBy, CreatedAt: p.CreatedAt.Format(listDate),
		LastModified: p.UpdatedAt.Format(listDate), LastModifiedBy: p.UpdatedBy,
	}
}

// listParticipants lists the participants of a study, all its sites and removed ones included,
// or of one site:
//
//	GET /clinicaldata/studies/{study}/participants
//	GET /clinicaldata/studies/{study}/sites/{site}/participants
//
// Reference, OpenClinica 4. There is no paging; the list streams.
func (a *API) listParticipants(w http.ResponseWriter, r *http.Request) error {
	v, err := a.open(r, access.ListParticipants, false)
	if err != nil {
		return err
	}
	var site *registry.SiteID
	if v.site != nil {
		site = &v.site.ID
	}
	page, err := a.registry.Participants(r.Context(), v.study.ID, site, 0, listPage)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	out := bufio.NewWriterSize(w, 64<<10)
	if _, err := out.WriteString(`{"studyParticipants":[`); err != nil {
		return err
	}
	if err := a.streamList(r, v, site, page, out); err != nil {
		return httpx.Cut(err)
	}
	if err := writeListEnd(out, v.site); err != nil {
		return httpx.Cut(err)
	}
	return httpx.Cut(out.Flush())
}

// streamList writes the entries, page after page.
func (a *API) streamList(r *http.Request, v *visit, site *registry.SiteID, page []*registry.Participant, out *bufio.Writer) error {
	for first := true; len(page) > 0; {
		for _, p := range page {
			if !first {
				if err := out.WriteByte(','); err != nil {
					return err
				}
			}
			first = false
			entry, err := json.Marshal(listed(p))
			if err != nil {
				return err
			}
			if _, err := out.Write(entry); err != nil {
				return err
			}
		}
		if len(page) < listPage {
			return nil
		}
		var err error
		if page, err = a.registry.Participants(r.Context(), v.study.ID, site, page[len(page)-1].Seq, listPage); err != nil {
			return err
		}
	}
	return nil
}

func writeListEnd(out *bufio.Writer, site *registry.Site) error {
	var end struct {
		OID  *string `json:"siteOID"`
		ID   *string `json:"siteID"`
		Name *string `json:"siteName"`
	}
	if site != nil {
		end.OID, end.ID, end.Name = &site.OID, &site.Code, &site.Name
	}
	tail, err := json.Marshal(end)
	if err != nil {
		return err
	}
	if _, err := out.WriteString("],"); err != nil {
		return err
	}
	_, err = out.Write(tail[1:]) // the object goes on
	return err
}

// oneParticipant is the answer about one participant. Status is the Participate status here,
// and the dates are in the original's locale form (reference, OpenClinica 4).
type oneParticipant struct {
	listedParticipant
	FirstName    *string `json:"firstName"`
	LastName     *string `json:"lastName"`
	SecondaryID  *string `json:"secondaryID"`
	Email        *string `json:"email"`
	MobileNumber *string `json:"mobileNumber"`
	AccessCode   *string `json:"accessCode"`
}

// localeDate is how the original prints the dates of one participant.
const localeDate = "Jan 2, 2006 3:04:05 PM"

// getParticipant reads one participant of a site:
//
//	GET /clinicaldata/studies/{study}/sites/{site}/participant?participantID=&includeParticipateInfo=y|n
//
// Only callers with a role at the site see personal details; only with includeParticipateInfo
// do they see the access code, which is remembered.
func (a *API) getParticipant(w http.ResponseWriter, r *http.Request) error {
	v, err := a.open(r, access.ReadParticipant, false)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	withCode := yes(query.Get("includeParticipateInfo"))
	if withCode {
		if ferr := registry.CheckParticipate(v.study); ferr != nil {
			return ferr
		}
	}
	identifier := strings.TrimSpace(query.Get("participantID"))
	if identifier == "" {
		return fault.New(fault.Invalid, registry.IdentifierMissing, "participantID is missing").In(registry.IdentifierField)
	}
	p, err := a.registry.Find(r.Context(), v.study.ID, identifier)
	if err != nil {
		return err
	}
	if p.Site != v.site.ID {
		return fault.New(fault.NotFound, registry.ParticipantUnknown, "the site has no such participant").In(registry.IdentifierField)
	}
	if !p.Counts() {
		return fault.New(fault.Conflict, registry.ParticipantNotAvailable, "the participant is removed or has withdrawn").In(registry.IdentifierField)
	}
	answer, err := a.describe(r, v, p, withCode)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

func (a *API) describe(r *http.Request, v *visit, p *registry.Participant, withCode bool) (*oneParticipant, error) {
	answer := &oneParticipant{listedParticipant: listed(p)}
	answer.Status = string(p.ParticipateNow())
	answer.CreatedAt, answer.LastModified = p.CreatedAt.UTC().Format(localeDate), p.UpdatedAt.UTC().Format(localeDate)
	if !v.caller.HoldsSiteRole(v.study.ID, v.site.ID) {
		return answer, nil
	}
	d := p.Details
	answer.FirstName, answer.LastName = &d[registry.FirstName], &d[registry.LastName]
	answer.SecondaryID, answer.Email = &d[registry.SecondaryID], &d[registry.Email]
	answer.MobileNumber = &d[registry.MobilePhone]
	if !withCode || p.AccessCode == nil {
		return answer, nil
	}
	code, err := a.registry.AccessCode(p.AccessCode)
	if err != nil {
		return nil, err
	}
	batch := &registry.Batch{Events: []audit.Event{codeRead(v.origin(r), p.ID, p.Identifier)}}
	if _, err := a.registry.ApplyBatch(r.Context(), v.study.ID, batch); err != nil {
		return nil, err
	}
	answer.AccessCode = &code
	return answer, nil
}

// codeRead remembers that somebody was shown a participant's access code.
func codeRead(origin audit.Origin, id registry.ID, identifier string) audit.Event {
	return audit.Event{Origin: origin, Action: audit.AccessCodeRead, Participant: id, Identifier: identifier}
}
