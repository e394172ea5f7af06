package web

import (
	"net/http"
	"net/url"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// faultView is the page that says what went wrong and what to do about it.
type faultView struct {
	*frame
	Status    int
	What      string
	Do        string
	Back      link
	RequestID string // for whoever looks it up in the log; "" where there is nothing to look up
	Retry     int    // seconds
}

// RenderFault is the renderer of errors for pages. Somebody who is not signed in is sent to do
// so. A client that is no browser gets what addresses without a dialect answer.
func (p *Pages) RenderFault(w http.ResponseWriter, r *http.Request, err *fault.Error) {
	setSecurityHeaders(w.Header())
	if err.Kind == fault.Unauthenticated && err.Code != access.SignInFailed {
		if p.sendToSignIn(w, r) {
			return
		}
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("Hx-Request") == "" {
		httpx.RenderMessage(w, r, err)
		return
	}
	f := p.frameAround(r, err)
	v := &faultView{
		frame: f, Status: httpx.StatusOf(err), What: f.words.fault(err), Do: f.words.remedy(err), Retry: err.RetryAfterSeconds,
		Back: link{f.words.say("fault.start"), "/"},
	}
	if f.Study != nil {
		v.Back.URL = f.Study.URL
	}
	if err.Kind == fault.Internal {
		v.RequestID = httpx.RequestID(r.Context())
	}
	f.Title = f.words.say("fault.title")
	part := wholePage
	if r.Header.Get("Hx-Request") == "true" {
		part = "fault"
		w.Header().Set("Hx-Retarget", "#problem")
		w.Header().Set("Hx-Reswap", "innerHTML")
	}
	if failed := p.part(w, v.Status, "fault", part, v); failed != nil {
		httpx.RenderMessage(w, r, err) // the client is gone, or our template is broken: this always works
	}
}

// frameAround is the frame around a fault: with the way back into the study, for somebody who is
// signed in and holds a role there. Where more is wrong than the request, nothing more is asked.
func (p *Pages) frameAround(r *http.Request, err *fault.Error) *frame {
	f := p.newFrame(r)
	switch err.Kind {
	case fault.Invalid, fault.Forbidden, fault.NotFound, fault.Conflict, fault.TooLarge:
	default:
		return f
	}
	who, failed := p.Sessions.Holder(r.Context(), cookie(r, p.sessionCookieName()))
	if failed != nil {
		return f
	}
	f.User = who.Name
	catalog, failed := p.Registry.Catalog(r.Context())
	if failed != nil {
		return f
	}
	if study, failed := catalog.Study(r.PathValue("study")); failed == nil && who.HoldsAnyRole(study.ID) {
		f.Study = f.studyFrameOf(catalog, study, who)
	}
	return f
}

// sendToSignIn sends a browser to the sign-in page and from there back, if there is something to
// come back to.
func (p *Pages) sendToSignIn(w http.ResponseWriter, r *http.Request) bool {
	address := "/sign-in"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if back := r.URL.RequestURI(); back != "/" && r.Header.Get("Hx-Request") == "" {
			address += "?back=" + url.QueryEscape(back)
		}
	} else {
		address += "?over=1"
	}
	switch {
	case r.Header.Get("Hx-Request") == "true":
		w.Header().Set("Hx-Redirect", address)
		w.WriteHeader(http.StatusUnauthorized)
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		http.Redirect(w, r, address, http.StatusSeeOther)
	default:
		return false
	}
	return true
}

// fault says what went wrong: by its code, else by its kind.
func (w *words) fault(err *fault.Error) string {
	if key := "fault." + string(err.Code); err.Code != "" && w.has(key) {
		return w.say(key)
	}
	return w.say("kind." + kindKey(err.Kind))
}

// remedy says what to do about it; "" where nobody can do anything.
func (w *words) remedy(err *fault.Error) string {
	if key := "remedy." + string(err.Code); err.Code != "" && w.has(key) {
		return w.say(key)
	}
	return w.or("kind.remedy."+kindKey(err.Kind), "")
}

func kindKey(k fault.Kind) string { return strings.ReplaceAll(k.String(), " ", "-") }

// fieldFault says what is wrong with the value of one field, at its place in a form.
func (w *words) fieldFault(err *fault.Error) string {
	if err.Code == registry.TooLong {
		if field, ok := registry.FieldByName(err.Field); ok {
			return w.say("field.tooLong", registry.Staff().Limit(field))
		}
		if err.Field == registry.IdentifierField {
			return w.say("field.tooLong", registry.Staff().IdentifierLimit())
		}
	}
	if key := "field." + string(err.Code) + "." + err.Field; w.has(key) {
		return w.say(key)
	}
	if key := "field." + string(err.Code); w.has(key) {
		return w.say(key)
	}
	return w.fault(err)
}
