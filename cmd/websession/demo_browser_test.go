package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDemoInBrowser clicks through the demo in a real browser. With
// WEBSESSION_SCREENSHOTS=1 the screenshots go to docs/.
func TestDemoInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: needs a browser")
	}
	d := startDemo(t)
	docs := t.TempDir()
	if os.Getenv("WEBSESSION_SCREENSHOTS") == "1" {
		docs = filepath.Join("..", "..", "docs")
	}
	browser := startBrowser(t)
	ada := &tab{t, browser, docs}
	ada.do(device(1280, 800, "light"), chromedp.Navigate(d.url), see("#name"))
	ada.shoot("demo-login.png")

	ada.login("Ada Lovelace")
	assert.Equal(t, "Hello, Ada Lovelace.", ada.text("h1"))
	assert.Equal(t, "1", ada.text("#visits"))
	assert.Equal(t, "You are logged in, under a new session id.", ada.text(".flash"))

	first := ada.text(".chip")
	ada.do(chromedp.Navigate(d.url), see("#visits"))
	assert.NotEqual(t, first, ada.text(".chip"), "a reload goes to the other server")
	assert.Equal(t, "2", ada.text("#visits"))

	for _, a := range [][2]string{{"colour", "green"}, {"animal", "owl"}} {
		ada.fill("#key", a[0])
		ada.fill("#value", a[1])
		ada.press(".set button")
	}
	assert.Equal(t, "The attribute is saved.", ada.text(".flash"))
	assert.Contains(t, ada.text(".attributes"), "owl")

	// The same user in a second browser, and a third.
	phone := ada.another("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1")
	office := ada.another("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0")
	for _, other := range []*tab{phone, office} {
		other.do(device(390, 844, "light"), chromedp.Navigate(d.url))
		other.login("Ada Lovelace")
	}
	ada.do(chromedp.Navigate(d.url), see("#visits"))
	list := ada.text(".sessions")
	for _, want := range []string{"Chrome on Linux", "This browser", "Safari on iPhone", "Firefox on Windows", "127.0.0.1", "just now"} {
		assert.Contains(t, list, want)
	}
	ada.shoot("demo-session.png")
	ada.do(device(1280, 800, "dark"))
	ada.shoot("demo-dark.png")
	ada.do(device(390, 844, "light"))
	ada.shoot("demo-phone.png")
	ada.do(device(1280, 800, "light"))

	// End one, then all others.
	ada.press(`button[aria-label="End the session of Firefox on Windows"]`)
	assert.Equal(t, "That session has ended.", ada.text(".flash"))
	assert.NotContains(t, ada.text(".sessions"), "Firefox on Windows")
	office.do(chromedp.Navigate(d.url), see("#name"))
	phone.do(chromedp.Navigate(d.url), see("#visits"))
	ada.press(`form[action="/logout-others"] button`)
	assert.Equal(t, "Your other sessions have ended.", ada.text(".flash"))
	phone.do(chromedp.Navigate(d.url), see("#name"))

	ada.press(".who button")
	assert.Contains(t, ada.text(".flash"), "You are logged out.")
	ada.do(chromedp.Navigate(d.url), see("#name"))
}

// patience bounds each step in the browser.
const patience = 30 * time.Second

// tab is one page in a browser.
type tab struct {
	t    *testing.T
	ctx  context.Context
	docs string
}

// startBrowser answers a context of a browser that ends with the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	var found string
	for _, name := range []string{"/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			found = path
			break
		}
	}
	require.NotEmpty(t, found, "no browser found: run apt-get install chromium, or test with -short")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("lang", "en"),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancelBrowser := chromedp.NewContext(ctx)
	t.Cleanup(cancelBrowser)
	require.NoError(t, chromedp.Do(ctx), "starting %s", found)
	return ctx
}

// another answers a tab of another profile, which shares no cookies.
func (b *tab) another(userAgent string) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	b.t.Cleanup(cancel)
	other := &tab{b.t, ctx, b.docs}
	require.NoError(b.t, chromedp.Do(ctx))
	other.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: userAgent})
		return err
	}))
	return other
}

// do runs steps.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, steps...))
}

// press clicks on what leads to another page, and waits for that.
func (b *tab) press(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector)))
	require.NoError(b.t, err, selector)
}

// fill replaces the text of an input.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// login logs in from the page of an anonymous visitor.
func (b *tab) login(name string) {
	b.t.Helper()
	b.fill("#name", name)
	b.press("form.card button")
}

// text answers what an element shows.
func (b *tab) text(selector string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	require.NoError(b.t, err, selector)
	return s
}

// shoot writes a screenshot of the whole page, and checks that nothing sticks
// out at its side.
func (b *tab) shoot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	over, err := chromedp.Run(ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth - innerWidth"))
	require.NoError(b.t, err)
	assert.LessOrEqual(b.t, over, 0, "%s is wider than the window", name)
	shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	img, err := png.Decode(bytes.NewReader(shot))
	require.NoError(b.t, err)
	var small bytes.Buffer
	require.NoError(b.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, img))
	assert.Less(b.t, small.Len(), 150<<10, "bytes of %s", name)
	require.NoError(b.t, os.MkdirAll(b.docs, 0o755))
	require.NoError(b.t, os.WriteFile(filepath.Join(b.docs, name), small.Bytes(), 0o644))
}

// device is a window of a size and a colour scheme.
func device(width, height int64, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
}

func see(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.CSS(selector))
}
