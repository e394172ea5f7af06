package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"rollcall/internal/config"
	"rollcall/internal/wire/mydatahelps"
	"rollcall/internal/wire/openclinica"
)

// browserTime is how long one story in the browser may take.
const browserTime = 4 * time.Minute

// browser is a real browser, signed in to a world by its own pages alone. What goes wrong in its
// console fails the test.
type browser struct {
	*testing.T
	world *world
	ctx   context.Context
	base  string

	mu      sync.Mutex
	console []string
}

// chromium finds the browser that scripts/install-test-needs.sh installs.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no chromium here: scripts/install-test-needs.sh installs it")
	return ""
}

func newBrowser(t *testing.T, w *world) *browser {
	t.Helper()
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox,
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-US"),
	)
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	b := &browser{T: t, world: w, ctx: ctx, base: server.URL}
	run(b, chromedp.Navigate("about:blank"))
	w.must(chromedp.Listen(ctx, b.hear))
	return b
}

// run does something in the browser.
func run[V any](b *browser, action chromedp.Action[V]) V {
	b.Helper()
	v, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.Fatalf("%v\nconsole: %s", err, b.heard())
	}
	return v
}

// hear notes what the browser complains of.
func (b *browser) hear(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text = fmt.Sprintf("%s in the console", e.Type)
		}
	case *log.EventEntryAdded:
		// Answers that are no success are noted as errors, and are what some stories are about.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			text = e.Entry.Text
		}
	}
	if text != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.console = append(b.console, text)
	}
}

func (b *browser) heard() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.console, "\n")
}

// quiet fails if the browser has complained of anything.
func (b *browser) quiet() {
	b.Helper()
	if text := b.heard(); text != "" {
		b.Errorf("the browser complains: %s", text)
	}
}

func (b *browser) open(path string)        { b.Helper(); run(b, chromedp.Navigate(b.base+path)) }
func (b *browser) waitFor(selector string) { b.Helper(); run(b, chromedp.WaitVisible(selector)) }
func (b *browser) click(selector string)   { b.Helper(); run(b, chromedp.Click(selector)) }
func (b *browser) typeIn(selector, text string) {
	b.Helper()
	run(b, chromedp.SendKeys(selector, text))
}

// follow clicks what leads to another page, and waits for something on it.
func (b *browser) follow(selector, then string) {
	b.Helper()
	b.click(selector)
	b.waitFor(then)
}

func (b *browser) text(selector string) string {
	b.Helper()
	return strings.TrimSpace(run(b, chromedp.Text(selector)))
}

func (b *browser) path() string {
	b.Helper()
	return strings.TrimPrefix(run(b, chromedp.Location()), b.base)
}

// eval evaluates an expression to a value.
func eval[V any](b *browser, expression string) V {
	b.Helper()
	return run(b, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
}

// until waits for an expression to become true, on this page or on the one that it leads to.
func (b *browser) until(condition string) {
	b.Helper()
	for pause := time.NewTicker(20 * time.Millisecond); ; {
		done, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition))
		if err == nil && done {
			pause.Stop()
			return
		}
		select {
		case <-pause.C:
		case <-b.ctx.Done():
			b.Fatalf("%s does not become true: %v\nconsole: %s", condition, err, b.heard())
		}
	}
}

// signIn signs in as a user does.
func (b *browser) signIn(user string) {
	b.Helper()
	b.open("/sign-in")
	b.typeIn("#username", user)
	b.typeIn("#password", config.DemoPassword)
	b.follow("form.stack button", ".main-nav, ul.cards")
}

// theme has the browser say that its reader prefers dark or light pages.
func (b *browser) theme(name string) {
	b.Helper()
	run(b, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	}))
}

// axeProblem is a rule of axe-core that a page breaks.
type axeProblem struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// accessible runs axe-core on the page.
func (b *browser) accessible(what string) {
	b.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", "axe-core", "axe.min.js"))
	b.world.must(err)
	run(b, chromedp.Evaluate[chromedp.Void](string(script)+"; undefined"))
	text := eval[string](b, `axe.run({resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations))`)
	var problems []axeProblem
	b.world.must(json.Unmarshal([]byte(text), &problems))
	for _, p := range problems {
		for _, n := range p.Nodes {
			b.Errorf("%s: %s: %s\n%.300s\n%s", what, p.ID, p.Help, n.HTML, n.Summary)
		}
	}
}

// fits fails if the page is wider than its window.
func (b *browser) fits(what string) {
	b.Helper()
	over := eval[string](b, `(() => {
		const width = document.documentElement.clientWidth, wide = [];
		if (document.documentElement.scrollWidth > width) {
			for (const e of document.querySelectorAll("body *")) {
				if (e.getBoundingClientRect().right > width + 1 && !e.closest(".scroll, details:not([open])")) wide.push(e.tagName + "." + e.className);
			}
			wide.push("the page");
		}
		return wide.join(" ");
	})()`)
	if over != "" {
		b.Errorf("%s: wider than the window: %s", what, over)
	}
}

// shownPage is a page that is looked at by machines and, as a picture, by people.
type shownPage struct {
	name, user, path string
	before           func(b *browser) // what is done on it first
}

// TestPagesInABrowser opens every page in both themes and three widths: it fits its window, the
// browser has nothing to complain of, and axe-core finds nothing. With SCREENSHOTS set to a
// folder it leaves a picture of each there.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.APIs = []APIFile{{"/openapi/openclinica.yaml", openclinica.OpenAPI()}, {"/openapi/mydatahelps.yaml", mydatahelps.OpenAPI()}}
	})
	pages := w.picturePages()
	b := newBrowser(t, w)
	pictures := os.Getenv("SCREENSHOTS")
	if pictures != "" {
		w.must(os.MkdirAll(pictures, 0o755))
	}
	user := ""
	for _, page := range pages {
		if page.user != user {
			b.open("/sign-in")
			if user != "" {
				eval[int](b, `fetch("/sign-out", {method: "POST"}).then((r) => r.status)`)
			}
			if user = page.user; user != "" {
				b.signIn(user)
			}
		}
		b.look(page, pictures)
	}
	b.quiet()
}

// look opens a page in every way.
func (b *browser) look(page shownPage, pictures string) {
	b.Helper()
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		for _, width := range []int64{360, 1280, 2560} {
			if theme == "dark" && width != 1280 && pictures == "" {
				continue // it fits if the light one does
			}
			run(b, chromedp.EmulateViewport(width, 900))
			b.open(page.path)
			b.waitFor("main")
			if page.before != nil {
				page.before(b)
			}
			what := fmt.Sprintf("%s-%s-%d", page.name, theme, width)
			b.fits(what)
			if width == 1280 { // elsewhere it is the same page with more or less room
				b.accessible(what)
			}
			if pictures != "" {
				picture := run(b, chromedp.FullScreenshot(100))
				b.world.must(os.WriteFile(filepath.Join(pictures, what+".png"), picture, 0o644))
			}
		}
	}
}

// picturePages makes a world worth looking at, and lists its pages.
func (w *world) picturePages() []shownPage {
	w.Helper()
	people := w.town()
	one, odd := w.pathOf(people[3]), w.pathOf(people[len(people)-1])
	w.post("dana", one+"/edit", "city", "Springfield", "was.city", "", "email", "mary.jackson@example.org", "was.email", "m.jackson@example.org")
	w.post("dana", one+"/move", "site", "OHIO", "reason", "The family has moved.")
	w.post("dana", w.pathOf(people[7])+"/withdraw", "reason", "Asked to leave.")
	w.post("dana", w.pathOf(people[9])+"/lock")
	preview := w.upload("dana", "BOSTON", "spring 2026.csv", "ParticipantID,firstName,lastName,emailAddress,phoneNumber,Shoe size\n"+
		"JUNO-001,Ada,Lovelace,ada@example.org,+1 5557771111,38\nJUNO-003,Katherine,,,,\nNEW-001,Hedy,Lamarr,hedy@example.org,,\n"+
		"NEW-002,Rosalind,Franklin,not an address,,\nNEW-003,Lise,Meitner,lise@example.org,12345,\nNEW-004,Emmy\n")
	w.runJobs()
	second := w.upload("carla", "BOSTON", "autumn.csv", "ParticipantID,firstName\nB-100,Ida\n<B>,Ida\n")
	w.runJobs()
	log := w.post("carla", second+"/run")
	w.post("carla", junoPath+"/extract", "site", "BOSTON")
	w.runJobs()
	wait := func(selector string) func(b *browser) { return func(b *browser) { b.waitFor(selector) } }
	send := func(changes string) func(b *browser) {
		return func(b *browser) {
			eval[int](b, changes+`; document.querySelector("form.big-form").requestSubmit(); 1`)
			b.waitFor(".note-bad")
		}
	}
	return []shownPage{
		{"sign-in", "", "/sign-in", nil},
		{"studies", "dana", "/studies", nil},
		{"home", "dana", junoPath, wait(".tiles")},
		{"participants", "dana", peoplePath, nil},
		{"participants-filtered", "dana", peoplePath + "?q=son&sort=-lastName&is.gender=F&cols=lastName,firstName,email,site,status", nil},
		{"participants-none", "dana", peoplePath + "?q=nobody+is+called+so", nil},
		{"participants-menu", "dana", peoplePath, func(b *browser) { b.click(".bar-end details:nth-of-type(2) > summary") }},
		{"participant", "dana", one, nil},
		{"participant-odd", "dana", odd, nil},
		{"edit", "dana", one + "/edit", nil},
		{"edit-problems", "dana", one + "/edit", send(`document.getElementById("field-email").value = "not one"; document.getElementById("field-dateOfBirth").value = "yesterday"`)},
		{"add", "dana", peoplePath + "/new", nil},
		{"add-problems", "dana", peoplePath + "/new", send(`1`)},
		{"move", "dana", w.pathOf(people[4]) + "/move", nil},
		{"delete", "dana", one + "/delete", nil},
		{"upload", "dana", junoPath + "/upload", nil},
		{"preview", "dana", preview, nil},
		{"job", "dana", log, nil},
		{"jobs", "dana", junoPath + "/jobs", nil},
		{"audit", "dana", junoPath + "/audit", nil},
		{"api-docs", "dana", "/api-docs", func(b *browser) { b.click(".operation summary") }},
		{"settings", "dana", junoPath + "/settings", nil},
		{"fault", "dana", peoplePath + "/" + "00000000-0000-0000-0000-000000000000", nil},
		{"participant-code", "owen", one, func(b *browser) {
			b.follow(`form[action$="access-code"] button`, "#code")
		}},
		{"extract", "carla", junoPath + "/extract", nil},
		{"home-of-a-site", "carla", junoPath, wait(".tiles")},
		{"participants-of-a-monitor", "mona", peoplePath, nil},
		{"participant-of-a-monitor", "mona", one, nil},
	}
}
