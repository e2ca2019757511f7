package web_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/clientele-crm/clientele/core/intake"
)

const chromium = "/usr/bin/chromium"

// patience is for machines that run all packages' tests at once.
const patience = 30 * time.Second

// browser is a real one, headless, in a profile of its own.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string

	mu         sync.Mutex
	complaints []string // guarded by mu
}

// openBrowser starts Chromium and notes whatever it complains about: errors of
// scripts, what the content policy blocked, requests that leave the host.
func (w *world) openBrowser(t *testing.T) *browser {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Fatal("the tests of pages need " + chromium + ": apt-get install -y --no-install-recommends chromium")
	}
	profile, err := os.MkdirTemp("", "clientele-browser-")
	if err != nil {
		t.Fatal(err)
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	deadline, cancelDeadline := context.WithTimeout(t.Context(), 3*time.Minute)
	allocator, cancelAllocator := chromedp.NewExecAllocator(deadline, flags...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancel()
		cancelAllocator()
		cancelDeadline()
		// Chromium's helpers may write for a moment after it has ended.
		for range 50 {
			if os.RemoveAll(profile) == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("the browser's profile %s could not be removed", filepath.Base(profile))
	})
	b := &browser{t: t, ctx: ctx, url: w.server.URL}
	chromedp.ListenTarget(ctx, b.note)
	b.do(network.Enable(), log.Enable(), runtime.Enable())
	return b
}

func (b *browser) note(event any) {
	complaint := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = "script error: " + e.ExceptionDetails.Error()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			complaint = "console: " + e.Entry.Text
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.url+"/") {
			complaint = "request to " + e.Request.URL
		}
	}
	if complaint != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.complaints = append(b.complaints, complaint)
	}
}

func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(path string) { b.t.Helper(); b.do(chromedp.Navigate(b.url + path)) }

// step is a subtest; the browser goes on from where the step before left it.
func (b *browser) step(name string, do func(t *testing.T)) {
	parent := b.t
	defer func() { b.t = parent }()
	parent.Run(name, func(t *testing.T) {
		b.t = t
		do(t)
	})
}

// signIn fills in the form as a person does.
func (b *browser) signIn(email string) {
	b.t.Helper()
	b.open("/signin")
	b.do(chromedp.SendKeys(`input[name=email]`, email), chromedp.SendKeys(`input[name=password]`, password+kb.Enter), chromedp.WaitVisible(`.menu`))
}

// eval answers the value of an expression in the page.
func eval[T any](b *browser, expression string) (value T) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, &value))
	return value
}

// until waits for an expression to become true.
func (b *browser) until(expression string) {
	b.t.Helper()
	err := chromedp.Run(b.ctx, chromedp.Poll(expression, nil, chromedp.WithPollingTimeout(patience)))
	if errors.Is(err, chromedp.ErrPollingTimeout) {
		b.t.Fatalf("never became true: %s\n%s", expression, eval[string](b, `document.querySelector("main").innerText`))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) checkComplaints() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		b.t.Error(c)
	}
}

func TestInBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"Lea Lund", "Ming Chen"} {
		w.take(t, w.acme, intake.Message{Channel: "email", ChannelIdentifier: strings.ToLower(strings.ReplaceAll(name, " ", "@")) + ".example", Direction: "inbound", Text: "My name is " + name + "."})
	}
	b := w.openBrowser(t)
	b.signIn("admin@acme.example")

	b.step("the list follows the typing", func(t *testing.T) {
		b.until(`document.querySelectorAll("tbody tr").length === 3`)
		// As a keyboard sends it: a script that takes the key also takes its letter.
		b.do(input.DispatchKeyEvent(input.KeyDown).WithKey("/").WithText("/"))
		b.until(`document.activeElement.id === "q"`)
		b.do(chromedp.KeyEvent("ming"))
		b.until(`document.querySelectorAll("tbody tr").length === 1 && document.querySelector("#count").textContent === "1 client"`)
		if got := eval[string](b, `location.search`); got != "?q=ming" {
			t.Errorf("the address holds %q", got)
		}
		b.do(chromedp.Click(`tbody .row-link`), chromedp.WaitVisible(`#timeline`))
		if got := eval[string](b, `document.querySelector("h1").textContent`); !strings.Contains(got, "Ming Chen") {
			t.Errorf("opened %q", got)
		}
	})
	b.step("the theme is chosen in the user menu", func(t *testing.T) {
		b.open("/clients")
		background := `getComputedStyle(document.body).backgroundColor`
		light := eval[string](b, background)
		b.do(chromedp.Click(`.menu summary`), chromedp.Click(`button[value=dark]`), chromedp.WaitVisible(`html[data-theme=dark]`))
		if dark := eval[string](b, background); dark == light {
			t.Errorf("dark looks like light: %s", dark)
		}
		b.do(chromedp.Click(`.menu summary`), chromedp.Click(`button[value=system]`), chromedp.WaitNotPresent(`html[data-theme]`))
		b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
		if dark := eval[string](b, background); dark == light {
			t.Error("the system's wish for dark is not followed")
		}
		b.do(emulation.SetEmulatedMedia())
	})
	b.step("Escape closes the menu and returns the focus", func(t *testing.T) {
		b.open("/clients")
		b.do(chromedp.Click(`.menu summary`), chromedp.WaitVisible(`.menu[open]`), chromedp.KeyEvent(kb.Escape))
		b.until(`!document.querySelector(".menu").open && document.activeElement.matches(".menu summary")`)
	})
	b.step("times are local from the second page on", func(t *testing.T) {
		b.do(emulation.SetTimezoneOverride("Asia/Tokyo"))
		b.open("/clients")
		b.until(`document.cookie.includes("Asia%2FTokyo")`)
		b.do(emulation.SetTimezoneOverride(""))
	})
	b.step("leaving an unsaved form asks first, Ctrl+Enter saves", func(t *testing.T) {
		// What the browser asks the page before it leaves.
		const holds = `(() => { const e = new Event("beforeunload", {cancelable: true}); dispatchEvent(e); return e.defaultPrevented; })()`
		b.open("/clients/" + w.acme.client + "/edit")
		if eval[bool](b, holds) {
			t.Error("an untouched form holds the visitor back")
		}
		b.do(chromedp.SendKeys("#city", "Oslo"))
		if !eval[bool](b, holds) {
			t.Error("nobody asks before changes are lost")
		}
		b.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(input.ModifierCtrl)), chromedp.WaitVisible("#timeline"))
		if got := eval[string](b, `document.querySelector("address").innerText`); !strings.Contains(got, "Oslo") {
			t.Errorf("saved %q", got)
		}
	})
	b.step("no page is wider than the screen", func(t *testing.T) {
		for _, width := range []int64{360, 1280} {
			b.do(emulation.SetDeviceMetricsOverride(width, 800, 1, false))
			for _, path := range []string{"/clients", "/clients/" + w.acme.client, "/conversations", "/conversations/" + w.acme.conversation, "/connections", "/settings/keys", "/clients/new"} {
				b.open(path)
				if got := eval[int64](b, `document.documentElement.scrollWidth`); got > width {
					t.Errorf("%s is %d wide at %d", path, got, width)
				}
				if small := eval[[]string](b, tooSmall); len(small) > 0 {
					t.Errorf("%s at %d: smaller than 24 px: %v", path, width, small)
				}
			}
		}
		b.do(emulation.ClearDeviceMetricsOverride())
	})
	b.step("everything works without script", func(t *testing.T) {
		b.do(network.ClearBrowserCookies(), emulation.SetScriptExecutionDisabled(true))
		b.signIn("admin@acme.example")
		b.do(chromedp.SendKeys(`#q`, "nobody"), chromedp.Click(`.search button`), chromedp.WaitVisible(`.empty`))
		b.do(chromedp.Click(`.menu summary`), chromedp.Click(`button[value=dark]`), chromedp.WaitVisible(`html[data-theme=dark]`))
		var at string
		if b.do(chromedp.Location(&at)); at != w.server.URL+"/clients?q=nobody" {
			t.Errorf("after choosing a theme the visitor is at %s", at)
		}
		b.do(chromedp.Click(`.menu summary`), chromedp.Click(`form[action="/signout"] button`), chromedp.WaitVisible(`input[name=password]`))
	})
	b.checkComplaints()
}

// tooSmall lists what can be clicked and is under 24 pixels high, apart from
// links in running text (WCAG 2.2, 2.5.8).
const tooSmall = `[...document.querySelectorAll("button, summary, input, textarea, a.button, a.menu-item, nav a, .back a")]
  .filter(e => e.checkVisibility() && !e.closest("label"))
  .filter(e => { const r = e.getBoundingClientRect(); return r.height > 0 && r.height < 24; })
  .map(e => e.outerHTML.slice(0, 80))`
