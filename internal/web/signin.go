package web

import (
	"net/http"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
)

// signInView is the page on which a user signs in.
type signInView struct {
	*frame
	Username string
	Back     string // where to go afterwards
	Over     bool   // they were signed in, and what they sent was not taken
}

// showSignIn shows the page to sign in:
//
//	GET /sign-in
func (p *Pages) showSignIn(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	v := &signInView{frame: p.newFrame(r), Back: localPath(query.Get("back"), "/"), Over: query.Has("over")}
	v.Title = v.words.say("signIn.title")
	return p.page(w, http.StatusOK, "sign-in", v)
}

// signIn begins a session. Why it cannot is said on the page, and neither an unknown user nor a
// wrong password is told apart:
//
//	POST /sign-in
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	username, back := strings.TrimSpace(r.PostForm.Get("username")), localPath(r.PostForm.Get("back"), "/")
	token, err := p.Sessions.Begin(r.Context(), username, r.PostForm.Get("password"), r.RemoteAddr)
	if err == nil {
		if old := cookie(r, p.sessionCookieName()); old != "" { // a new session each time: nobody can have planted it
			if err := p.Sessions.End(r.Context(), old); err != nil {
				return err
			}
		}
		p.setSession(w, token)
		return seeOther(w, r, back)
	}
	f := fault.As(err)
	if f.Code != access.SignInFailed && f.Code != access.SignInThrottled {
		return err
	}
	v := &signInView{frame: p.newFrame(r), Username: username, Back: back}
	v.Title, v.Path = v.words.say("signIn.title"), "/sign-in"
	v.Failure = v.words.fault(f)
	if f.Code == access.SignInThrottled {
		v.Failure = v.words.count("signIn.wait", max(1, f.RetryAfterSeconds))
	}
	return p.page(w, httpx.StatusOf(f), "sign-in", v)
}

// signOut ends the session:
//
//	POST /sign-out
func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) error {
	if token := cookie(r, p.sessionCookieName()); token != "" {
		if err := p.Sessions.End(r.Context(), token); err != nil {
			return err
		}
	}
	p.setSession(w, "")
	w.Header().Set("Clear-Site-Data", `"cache"`)
	return seeOther(w, r, "/sign-in?done=signedOut")
}

// prefer remembers how a reader likes pages:
//
//	POST /preferences
func (p *Pages) prefer(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	if language := r.PostForm.Get("language"); p.templates.texts.has(language) {
		p.setPreference(w, languageCookie, language)
	}
	switch theme := r.PostForm.Get("theme"); theme {
	case "light", "dark", "auto":
		p.setPreference(w, themeCookie, theme)
	}
	return seeOther(w, r, localPath(r.PostForm.Get("back"), "/"))
}
