package web

import (
	"net/http"
	"strings"
	"time"
)

// contentPolicy lets a page load what this server itself serves as files, and nothing else: no
// script and no style within a page, no frame, no other host.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
}

// The names of cookies. The one of the session has the prefix that makes browsers insist on TLS
// and on this very host, where it can have it.
const (
	sessionCookie       = "rollcall-session"
	secureSessionCookie = "__Host-rollcall-session"
	languageCookie      = "rollcall-language"
	themeCookie         = "rollcall-theme"
	zoneCookie          = "rollcall-zone" // written by the script, which alone knows it
)

// preferenceAge is how long a browser remembers how its reader likes pages.
const preferenceAge = 365 * 24 * time.Hour

func (p *Pages) sessionCookieName() string {
	if p.Secure {
		return secureSessionCookie
	}
	return sessionCookie
}

// setSession gives the browser the token of its session; "" takes it away. It goes with the
// browser: how long the session lasts is decided here and not there.
func (p *Pages) setSession(w http.ResponseWriter, token string) {
	cookie := &http.Cookie{
		Name: p.sessionCookieName(), Value: token, Path: "/", HttpOnly: true, Secure: p.Secure, SameSite: http.SameSiteLaxMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

func (p *Pages) setPreference(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, Secure: p.Secure, SameSite: http.SameSiteLaxMode,
		MaxAge: int(preferenceAge / time.Second),
	})
}

// cookie is a cookie's value; "" if there is none.
func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// localPath is the path to go back to, if it is one of this server; otherwise the fallback. What
// browsers take for another host ("//host", "/\host") is none.
func localPath(path, fallback string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return fallback
	}
	return path
}
