// Package browser shows the lab in a real browser, which is Chromium without a window.
package browser

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Find returns where a browser is, or "".
func Find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// A Page is one page of a browser.
type Page struct{ ctx context.Context }

// Open starts a browser, whose files are in a folder, and opens a page.
func Open(ctx context.Context, folder, url string) (*Page, func(), error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(Find()), chromedp.UserDataDir(folder), chromedp.Flag("no-sandbox", true))
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	p := &Page{ctx}
	return p, func() { cancel(); stop() }, p.Do(chromedp.Navigate(url))
}

// Another opens another page in the same browser.
func (p *Page) Another(url string) (*Page, func(), error) {
	ctx, cancel := chromedp.NewContext(p.ctx)
	another := &Page{ctx}
	return another, cancel, another.Do(chromedp.Navigate(url))
}

// Do runs actions one after the other.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) error {
	return chromedp.Do(p.ctx, actions...)
}

// Press presses keys, one after the other.
func (p *Page) Press(keys string) error { return p.Do(chromedp.KeyEvent(keys)) }

// Screenshot returns what the page looks like, as a PNG.
func (p *Page) Screenshot() ([]byte, error) { return chromedp.Run(p.ctx, chromedp.CaptureScreenshot()) }

// Eval evaluates a JavaScript expression, or the promise that it is.
func Eval[T any](p *Page, expression string) (T, error) {
	return chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Prefers sets a preference of the reader's, such as prefers-color-scheme.
func (p *Page) Prefers(name, value string) error {
	return p.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
		return err
	}))
}

// A Lab is a lab that runs.
type Lab struct {
	URL string
	Cmd *exec.Cmd
}

// Start starts the lab's program in a workbook's folder, on any free port. What it leaves
// on the disk is in temp.
func Start(program, folder, temp string, args ...string) (*Lab, error) {
	cmd := exec.Command(program, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	cmd.Dir, cmd.Stderr, cmd.Env = folder, os.Stderr, append(os.Environ(), "TMPDIR="+temp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, url, ok := strings.Cut(strings.TrimSpace(line), "the lab is at ")
	if !ok {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, fmt.Errorf("the lab does not say where it is: %q, %v", line, err)
	}
	go io.Copy(io.Discard, out)
	return &Lab{url, cmd}, nil
}

// Stop interrupts the lab, as Ctrl-C does.
func (l *Lab) Stop() error {
	l.Cmd.Process.Signal(os.Interrupt)
	return l.Cmd.Wait()
}
