// Package browser tries the lab's page in a real browser: what is drawn, keys, focus, and the page
// that needs no server.
package browser

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

const (
	workbook = "../../../.."
	pageDir  = "../../lab/page"
)

var browser context.Context // all tests share one: Chromium without a window

func TestMain(m *testing.M) {
	// A test mostly waits: more of them than there are processors can do so at the same time.
	flag.Set("test.parallel", "7")
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	profile, err := os.MkdirTemp("", "browser")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(profile)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.UserDataDir(profile), chromedp.Flag("no-sandbox", true))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	defer cancel()
	if err := chromedp.Do(ctx); err == nil {
		browser = ctx
	} else if fmt.Println(err); !errors.Is(err, exec.ErrNotFound) {
		return 1
	}
	return m.Run()
}

// A page is a tab of the browser, and the test that it belongs to.
type page struct {
	*testing.T
	ctx context.Context
}

//go:embed record.js
var record string

// open opens a page, which notes down what it draws: see record.js. The script runs before those of the page, too.
func open(t *testing.T, url, script string) *page {
	t.Helper()
	if browser == nil {
		t.Skip("there is no Chromium here")
	}
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := &page{t, ctx}
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdppage.AddScriptToEvaluateOnNewDocument,
			cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: record + script})
		return err
	}))
	p.size(1280, 800)
	p.do(chromedp.Navigate(url))
	return p
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.Fatal(err)
	}
}

func (p *page) size(width, height int64) {
	p.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// prefers sets a preference of the reader, as in a media query.
func (p *page) prefers(name, value string) {
	p.Helper()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
		return err
	}))
}

// js evaluates a JavaScript expression in the page.
func js[T any](p *page, format string, args ...any) T {
	p.Helper()
	expression := fmt.Sprintf(format, args...)
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("%s: %v", expression, err)
	}
	return v
}

// see waits until an expression holds in the page, for as long as the test may take.
func (p *page) see(format string, args ...any) {
	p.Helper()
	expression := fmt.Sprintf(format, args...)
	deadline, ok := p.Deadline()
	if deadline = deadline.Add(-5 * time.Second); !ok {
		deadline = time.Now().Add(time.Hour)
	}
	for !js[bool](p, "Promise.resolve(%s).then(Boolean)", expression) {
		if time.Now().After(deadline) {
			p.Fatalf("not so: %s", expression)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// shows waits until the words of the first element that fits the selector contain a text.
func (p *page) shows(selector, text string) {
	p.Helper()
	p.see(`$(%q)?.innerText.includes(%q)`, selector, text)
}

// press presses keys.
func (p *page) press(keys string) {
	p.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// click clicks on the first element that fits the selector.
func (p *page) click(selector string) {
	p.Helper()
	js[any](p, `$(%q).click()`, selector)
}

// openLab starts a lab of the workbook on any free port, and opens its page when all of its servers run.
func openLab(t *testing.T, args ...string) *page {
	t.Helper()
	temp := t.TempDir()
	program := filepath.Join(temp, "lab")
	if out, err := exec.Command("go", "build", "-C", filepath.Dir(pageDir), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lab := exec.Command(program, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	lab.Dir, lab.Stderr, lab.Env = workbook, os.Stderr, append(os.Environ(), "TMPDIR="+temp)
	out, err := lab.StdoutPipe()
	if err == nil {
		err = lab.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		lab.Process.Signal(os.Interrupt)
		lab.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	_, url, found := strings.Cut(line, "the lab is at ")
	if !found {
		t.Fatalf("the lab does not say where it is: %q, %v", line, err)
	}
	p := open(t, strings.TrimSpace(url), "")
	p.see(`$("article") && !$("article:not([data-state=running])")`)
	return p
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
