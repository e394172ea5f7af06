package web

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"rollcall/internal/registry"
)

// TestCoordinatorInABrowser is a coordinator's morning: sign in, look somebody up while typing,
// add somebody with a mistake and mend it, edit, look at an access code, sign out.
func TestCoordinatorInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.village()
	b := newBrowser(t, w)
	b.open(peoplePath + "?sort=identifier")
	if at := b.path(); !strings.HasPrefix(at, "/sign-in?back=") {
		t.Fatalf("not signed in, at %s", at)
	}
	b.typeIn("#username", "carla")
	b.typeIn("#password", "wrong")
	b.follow("form.stack button", "#failure")
	b.typeIn("#password", "rollcall-demo")
	b.follow("form.stack button", "#results")
	if at := b.path(); at != peoplePath+"?sort=identifier" {
		t.Errorf("signing in leads to %s", at)
	}

	b.typeIn("#q", "mül")
	b.until(`document.querySelectorAll("#results tbody tr").length === 1`)
	if text := b.text("#results tbody th"); text != "A-3" {
		t.Errorf("found %q", text)
	}
	b.until(`location.search.includes("q=m%C3%BCl") && !location.search.includes("segment")`)
	if focus := eval[string](b, `document.activeElement.id`); focus != "q" {
		t.Errorf("typing has lost its place to %q", focus)
	}

	b.follow(".heading a.primary", "form.big-form")
	b.typeIn(`[id="field-email"]`, "no address")
	b.follow(`form.big-form button.primary`, ".note-bad")
	if focus := eval[bool](b, `document.activeElement.matches(".note-bad")`); !focus {
		t.Error("the problems are not where the keyboard is")
	}
	eval[int](b, `document.querySelector('.note-bad a[href="#field-participantIdentifier"]').click(); 1`)
	b.until(`document.querySelector(":target").id === "field-participantIdentifier"`)
	b.typeIn(`[id="field-participantIdentifier"]`, "B-9")
	eval[int](b, `document.getElementById("field-email").value = ""; 1`)
	b.typeIn(`[id="field-email"]`, "b9@example.org")
	b.click(`input[name="register"]`)
	b.follow(`form.big-form button.primary`, ".timeline")
	if notice := b.text(".note-good"); notice != "The participant was added." || strings.Contains(b.path(), "done=") {
		t.Errorf("%q at %s", notice, b.path())
	}
	p := w.find("B-9")
	if p.Details[registry.Email] != "b9@example.org" || p.AccessCode == nil {
		t.Errorf("%+v", p)
	}

	b.follow(".heading a.primary", "form.big-form")
	b.typeIn(`[id="field-city"]`, "Ames")
	b.follow(`form.big-form button.primary`, ".timeline")
	if text := b.text(".event:first-child .changes"); !strings.Contains(text, "Ames") {
		t.Errorf("the timeline says %q", text)
	}
	code, err := w.registry.AccessCode(p.AccessCode)
	w.must(err)
	b.follow(`form[action$="access-code"] button`, "#code")
	if shown := b.text("#code"); shown != code {
		t.Errorf("the code is shown as %q", shown)
	}

	b.click(".top-end details:last-child summary")
	b.follow(`form[action="/sign-out"] button`, "#username")
	b.open(w.pathOf(p))
	if at := b.path(); at != "/sign-in?back="+url.QueryEscape(w.pathOf(p)) {
		t.Errorf("signed out, at %s", at)
	}
	b.quiet()
}

// TestReadersChoicesInABrowser: pages are coloured and worded as their reader chooses, and menus
// work by the keyboard alone.
func TestReadersChoicesInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.village()
	b := newBrowser(t, w)
	b.theme("light")
	b.signIn("dana")
	const ground = `getComputedStyle(document.body).backgroundColor`
	b.open(junoPath)
	b.waitFor(".tiles") // a script has loaded the numbers
	light := eval[string](b, ground)
	b.theme("dark")
	if dark := eval[string](b, ground); dark == light {
		t.Errorf("dark is %s, as light is", dark)
	}
	eval[int](b, `document.querySelector(".top-end summary").focus(); 1`)
	run(b, chromedp.KeyEvent("\r"))
	b.waitFor(`input[name="theme"][value="light"]`)
	run(b, chromedp.KeyEvent("\x1b"))
	b.until(`!document.querySelector(".top-end details").open && document.activeElement.matches(".top-end summary")`)
	run(b, chromedp.KeyEvent("\r"))
	b.click(`input[name="theme"][value="light"]`)
	b.click(`input[name="language"][value="de"]`)
	b.click(`form[action="/preferences"] button`)
	b.until(`document.documentElement.lang === "de" && document.documentElement.dataset.theme === "light"`)
	if chosen := eval[string](b, ground); chosen != light || b.path() != junoPath {
		t.Errorf("the ground is %s, want %s; at %s", chosen, light, b.path())
	}
	if zone := eval[string](b, `document.cookie`); !strings.Contains(zone, zoneCookie+"=") {
		t.Errorf("the server is not told the zone: %q", zone)
	}
	b.quiet()
}

// TestUploadInABrowser: a coordinator uploads a file with mistakes, sees what it would do, runs it,
// and uploads the corrected rest.
func TestUploadInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.village()
	b := newBrowser(t, w)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.jobs.Run(ctx) }() // ends with ctx, and is waited for below
	defer func() {
		stop()
		w.must(<-ran)
	}()
	b.signIn("carla")
	send := func(content string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "people.csv")
		w.must(os.WriteFile(file, []byte(content), 0o600))
		b.open(junoPath + "/upload")
		b.waitFor("#file")
		run(b, chromedp.SetUploadFiles("#file", []string{file}))
		b.click("form button.primary")
		b.until(`document.querySelector('form[action$="/run"]') !== null`)
	}
	send(townFile)
	b.until(`document.querySelectorAll("tbody tr").length === 5 && document.querySelectorAll("mark").length === 2`)
	b.accessible("preview")
	b.click(`form[action$="/run"] button`)
	b.until(`document.querySelector('a[href$="/failed.csv"]') !== null && document.querySelector('form[action$="/run"]') === null`)
	if text := b.text("#job .job-state"); !strings.Contains(text, "completed") || !strings.Contains(text, "2 failed") {
		t.Errorf("the job is %q", text)
	}
	b.accessible("log")
	failed := eval[string](b, `fetch(document.querySelector('a[href$="/failed.csv"]').href).then((r) => r.text())`)
	corrected := strings.NewReplacer("no address", "bad1@example.org", "only two", "Only").Replace(failed)
	send(corrected)
	b.click(`form[action$="/run"] button`)
	b.until(`document.querySelector('a[href$="/file.csv"]') !== null && document.querySelector('form[action$="/run"]') === null`)
	if p := w.find("BAD-1"); p.Details[registry.Email] != "bad1@example.org" || w.find("BAD-2").Details[registry.FirstName] != "Only" {
		t.Errorf("%+v", p)
	}
	b.follow(`.main-nav a[href$="/jobs"]`, "#jobs tbody")
	if text := b.text("#jobs tbody"); strings.Count(text, "people.csv") != 2 || !strings.Contains(text, "carla") {
		t.Errorf("the log is %q", text)
	}
	b.accessible("jobs")
	b.quiet()
}
