// Package browser tries the lab in a real browser.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const workbook = "../../../.."

var (
	program string          // the lab's
	browser context.Context // all tests share one: Chromium without a window
)

func TestMain(m *testing.M) {
	// A test mostly waits. Let more of them wait at the same time, unless the command line
	// has another -parallel.
	flag.Set("test.parallel", "7")
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	temp, err := os.MkdirTemp("", "browser")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(temp)
	program = filepath.Join(temp, "lab")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../../lab"
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("%s", out)
		return 1
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.UserDataDir(filepath.Join(temp, "profile")), chromedp.Flag("no-sandbox", true))
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

// A test has a lab of its own, and a page.
type test struct {
	*testing.T
	lab *exec.Cmd
	url string
	ctx context.Context // of the page
}

// startLab starts a lab of a workbook on any free port. What it leaves on the disk is in temp.
func startLab(t *testing.T, folder, temp string, args ...string) *test {
	t.Helper()
	if browser == nil {
		t.Skip("there is no Chromium here")
	}
	lab := exec.Command(program, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	lab.Dir, lab.Stderr, lab.Env = folder, os.Stderr, append(os.Environ(), "TMPDIR="+temp)
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
	_, url, ok := strings.Cut(strings.TrimSpace(line), "the lab is at ")
	if !ok {
		t.Fatalf("the lab does not say where it is: %q, %v", line, err)
	}
	return &test{T: t, lab: lab, url: url}
}

// start starts a lab, and opens its page. All servers run then, or have failed.
func start(t *testing.T, folder string, args ...string) *test {
	t.Helper()
	tt := startLab(t, folder, t.TempDir(), args...)
	tt = tt.open(tt.url)
	tt.see(`document.querySelector("article") && !document.querySelector("[data-state=building]") &&
		[...document.querySelectorAll("[data-state=running] .main dd")].every(dd => dd.textContent !== "...")`)
	return tt
}

// open opens another page.
func (t *test) open(url string) *test {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	page := &test{t.T, t.lab, t.url, ctx}
	page.do(chromedp.Navigate(url))
	page.prefers("prefers-reduced-motion", "reduce")
	return page
}

func (t *test) do(actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(t.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// prefers sets a preference of the reader's.
func (t *test) prefers(name, value string) {
	t.Helper()
	t.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
		return err
	}))
}

// copyWorkbook copies what a lab needs of the workbook.
func copyWorkbook(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	cp := exec.Command("sh", "-c", `cp -r go.mod go.sum testdata stage* "$0"`, folder)
	cp.Dir = workbook
	if out, err := cp.CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	return folder
}

// main returns the name of a stage's source.
func main(stage int) string { return behaviour.Stages[stage-1].Folder + "/main.go" }

// change changes a file of a workbook, as an editor does: the old one goes on until the new one is
// whole.
func change(t *testing.T, folder, file, old, new string) {
	t.Helper()
	name := filepath.Join(folder, file)
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s does not have %q (%v)", file, old, err)
	}
	changed := strings.Replace(string(text), old, new, 1)
	if err := os.WriteFile(name+".new", []byte(changed), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// js evaluates a JavaScript expression in the page.
func js[T any](t *test, format string, args ...any) T {
	t.Helper()
	expression := fmt.Sprintf(format, args...)
	v, err := chromedp.Run(t.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits until something holds, for as long as the test may take.
func (t *test) until(what string, cond func() bool) {
	t.Helper()
	deadline, ok := t.Deadline()
	if deadline = deadline.Add(-5 * time.Second); !ok {
		deadline = time.Now().Add(time.Hour)
	}
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s\n%s", what, js[string](t, `document.body.innerText`))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// see waits until an expression holds in the page.
func (t *test) see(format string, args ...any) {
	t.Helper()
	expression := fmt.Sprintf(format, args...)
	t.until(expression, func() bool { return js[bool](t, "Promise.resolve(%s).then(Boolean)", expression) })
}

// shows waits until the words of a panel's first element that fits the selector contain a text, and
// returns them.
func (t *test) shows(panel int, selector, text string) (words string) {
	t.Helper()
	t.until(fmt.Sprintf("%s of panel %d: %s", selector, panel, text), func() bool {
		words = js[string](t, `document.querySelector("#panel%d %s")?.textContent ?? ""`, panel, selector)
		return strings.Contains(words, text)
	})
	return words
}

// is waits until a panel's server is in a state.
func (t *test) is(panel int, state string) {
	t.Helper()
	t.see(`document.querySelector("#panel%d").dataset.state === %q`, panel, state)
}

// fate waits until the last thing that happened to a visitor is one that the regular expression
// matches, as told to those who cannot see the lanes, and returns it.
func (t *test) fate(panel int, visitor, pattern string) (kind string) {
	t.Helper()
	t.until(fmt.Sprintf("%s in panel %d: %s", visitor, panel, pattern), func() bool {
		kind = js[string](t, `document.querySelector("#panel%d .fates [data-visitor='%s']")?.dataset.kind ?? ""`, panel, visitor)
		return regexp.MustCompile("^(" + pattern + ")$").MatchString(kind)
	})
	return kind
}

// all waits until something is the last that has happened to a visitor of all five servers.
func (t *test) all(visitor, kind string) {
	t.Helper()
	t.see(`document.querySelectorAll(".fates [data-visitor='%s'][data-kind='%s']").length === 5`, visitor, kind)
}

const (
	served = "is being served"
	over   = "is answered|is dropped|is lost|is refused|leaves"
)

// press presses keys.
func (t *test) press(keys string) {
	t.Helper()
	t.Logf("%s: %q", time.Now().Format("05.00"), keys)
	t.do(chromedp.KeyEvent(keys))
}

// click clicks on the first element that fits the selector.
func (t *test) click(selector string) {
	t.Helper()
	js[any](t, `document.querySelector(%q).click()`, selector)
}

// set sets how long slow takes, and the patience, and waits until all servers run with them.
func (t *test) set(slow, patience int) {
	t.Helper()
	js[any](t, `for (const [name, value] of [["slow", %d], ["patience", %d]]) {
		const input = document.querySelector("[name=" + name + "]");
		input.value = value;
		input.dispatchEvent(new Event("change", { bubbles: true }));
	}`, slow, patience)
	t.until("the times are set", func() bool {
		return js[bool](t, `import("/lab.js").then(m => m.state.panels.every(({ view: v }) => v.slow === %d && v.patience === %d))`, slow, patience)
	})
	t.fresh()
}

// fresh waits until all servers run, and have had nobody there yet.
func (t *test) fresh() {
	t.Helper()
	t.see(`[...document.querySelectorAll("article")].every(a =>
		a.dataset.state === "running" && a.querySelector(".counts").textContent === "nobody here")`)
}

// Every control is pressed, and what the visitors' visits end in is held against the ladder.
func TestVisitors(tt *testing.T) {
	tt.Parallel()
	t := start(tt, workbook)
	t.see(`document.querySelectorAll("article").length === 5`)
	t.set(6, 10) // long enough to see all five servers serve the slow one
	t.press("k")
	t.see(`document.querySelector("#line").textContent.includes("one server only")`)
	t.slowAndQuick()
	t.silentAndQuick()
	t.half()
	t.crowds()
}

// A slow and a quick visitor come.
func (t *test) slowAndQuick() {
	t.press("s")
	t.all("slow 1", served)
	t.press("q")
	t.all("slow 1", "is answered")
	t.all("quick 1", "is answered")
	for panel := range 5 {
		want := "slow 1, quick 1"
		if concurrent(panel) {
			want = "quick 1, slow 1"
		}
		got := js[string](t, `import("/lab.js").then(m => m.state.panels[%d].view.lanes.toSorted((a, b) => a.over - b.over).map(l => l.name).join(", "))`, panel)
		if got != want {
			t.Errorf("panel %d: the visits end in the order %q, want %q", panel, got, want)
		}
	}
}

// A silent visitor comes before a quick one, who waits, where they do, until the silent leave.
func (t *test) silentAndQuick() {
	t.press("i")
	t.all("silent 1", served)
	t.press("q")
	for panel := range 5 {
		if concurrent(panel) {
			t.fate(panel, "quick 2", "is answered")
		} else {
			t.fate(panel, "quick 2", "waits")
		}
	}
	t.press("l")
	t.all("quick 2", "is answered")
	for panel := range 5 {
		if got := t.fate(panel, "silent 1", over); got != "leaves" && !free(panel) {
			t.Errorf("panel %d: the silent one %s", panel, got)
		}
	}
}

// Somebody sends half a request, and is reset.
func (t *test) half() {
	t.press("h")
	t.all("half 1", served)
	t.press("r")
	t.all("half 1", "leaves")
}

// 200 silent visitors come to all servers, and 50 slow ones to one.
func (t *test) crowds() {
	t.press("t")
	for panel := range 5 {
		t.shows(panel, ".counts", "200 here, ")
	}
	t.see(`+document.querySelector("#panel2 .threads dd").textContent >= 200`)
	t.shows(2, ".each dd", "kB")
	t.see(`+document.querySelector("#panel3 .goroutines dd").textContent >= 200`)
	if n := js[int](t, `+document.querySelector("#panel3 .threads dd").textContent`); n > 100 {
		t.Errorf("stage 4 has %d threads with 200 silent visitors", n)
	}
	t.press("l3f")
	t.see(`document.querySelectorAll("#panel2 .fates [data-visitor^=slow][data-kind='is answered']").length >= 50`)
	if js[bool](t, `!!document.querySelector("#panel3 .fates [data-visitor='slow 20']")`) {
		t.Error("50 slow for stage 3 came to stage 4 as well")
	}
}

// The verdict on one server is asked for, what there is to read is opened, and the servers get
// signals.
func TestSignals(tt *testing.T) {
	tt.Parallel()
	t := start(tt, workbook)
	t.prefers("prefers-reduced-motion", "no-preference")
	t.press("3v")
	t.shows(2, ".told .yes", "behaves like stage 3")
	t.press("x")
	t.see(`document.querySelector("#panel2 .told").hidden`)
	t.click("#panel2 .source")
	t.see(`document.querySelector("#beside iframe").contentDocument?.querySelectorAll(".hl").length > 0`)
	t.press("\x1b")
	t.see(`document.querySelector("#beside").hidden`)
	t.click("#panel2 .page")
	t.see(`document.querySelector("#beside iframe").contentDocument?.querySelector("h2")?.textContent === "Where we are"`)
	t.press("\x1b0s")
	t.all("slow 1", served)
	t.press("c")
	for panel := range 5 {
		t.is(panel, "ended")
		want, how := "is lost", "signal: interrupt"
		if free(panel) {
			want, how = "is answered", "exit status 0"
		}
		t.fate(panel, "slow 1", want)
		t.shows(panel, ".says", how)
	}
	t.press("a")
	t.fresh()
	t.press("\\")
	for panel, where := range []string{"syscall", "syscall", "syscall", "IO wait", "IO wait"} {
		t.shows(panel, ".first", "goroutine 1 ["+where)
		t.shows(panel, ".told details pre", "goroutine")
	}
	t.press("p")
	t.see(`!document.querySelector("#question").hidden`)
	t.press("p")
	t.see(`document.querySelector("#question").hidden`)
}

// 10,000 silent visitors are nothing to stage 4, and the end of stage 3.
func TestTenThousand(tt *testing.T) {
	tt.Parallel()
	t := start(tt, workbook, "-stage", "4")
	t.press("k")
	// On a busy machine the first lose patience before the last have come.
	t.see(`import("/lab.js").then(m => m.state.panels[0].view).then(v => v.here + (v.counts["is dropped"] ?? 0) === 10000)`)
	t.press("q")
	t.fate(0, "quick 1", "is answered")
	t = start(tt, workbook, "-stage", "3")
	t.press("k")
	t.is(0, "ended")
	t.shows(0, ".words", "thread")
	t.shows(0, ".says", "exit status 2")
}

// concurrent and free say what the ladder has of the server in a panel.
func concurrent(panel int) bool { return behaviour.Stages[panel].Has("many-at-once") }
func free(panel int) bool       { return behaviour.Stages[panel].Has("waiting-is-free") }

// A stage is saved: with a mistake, with one that does not compile, and as it was.
func TestSave(tt *testing.T) {
	tt.Parallel()
	folder := copyWorkbook(tt)
	t := start(tt, folder, "-stage", "3")
	change(tt, folder, main(3), "go handleConnection(conn)", "go handleConnection(con)")
	t.shows(0, ".words", "undefined: con")
	t.press("q")
	t.fate(0, "quick 1", "is answered") // by the server from before
	change(tt, folder, main(3), "go handleConnection(con)", "handleConnection(conn)")
	t.shows(0, ".no", "does not behave like stage 3")
	t.shows(0, ".story", "many-at-once/slow-request")
	t.shows(0, ".story", "with go")
	t.shows(0, ".told", "✓ pages")
	t.shows(0, ".told", "✗ many at once")
	change(tt, folder, main(3), "\t\thandleConnection(conn)", "\t\tgo handleConnection(conn)")
	t.shows(0, ".yes", "behaves like stage 3")
	if files, _ := filepath.Glob(filepath.Join(folder, filepath.Dir(main(3)), "lab*")); files != nil {
		t.Errorf("the lab has written into the stage's folder: %q", files)
	}
}

// A server of the reader's own, not in Go, and one that is not there.
func TestOwnServer(tt *testing.T) {
	tt.Parallel()
	t := start(tt, workbook, "-stage", "1", "-server", "python3 docs/examples/server.py")
	t.shows(1, ".main dd", "not in Go")
	t.press("6v")
	t.shows(1, ".told", "stories told")
	t.press("q")
	t.fate(1, "quick 1", "is answered")
	none := start(tt, workbook, "-stage", "1", "-server", "./nothing")
	none.shows(1, ".words", "not found")
	none.shows(1, ".words", "Try SERVER=")
	none.is(0, "running")
}

// Servers that die, flood their output, spin, ignore signals or do not build: each panel says so.
func TestOddServers(tt *testing.T) {
	tt.Parallel()
	folder := copyWorkbook(tt)
	for _, c := range []struct {
		stage    int
		old, new string
	}{
		{1, "\"time\"\n)", "\"time\"\n\"os/signal\"\n)"},
		{1, "\tlistener, err :=", "\tsignal.Ignore(os.Interrupt)\n\tlistener, err :="},
		{2, "\t\tasyncHandleConnection(conn).await()", "\t\tfor { log.Print(\"flood \", conn) }"},
		{3, "\t\tgo handleConnection(conn)", "\t\tlog.Fatal(\"I have had enough of \", conn)"},
		{4, "handleConnection(conn)\n", "handleconnection(conn)\n"},
		{5, "\thandleConnection(conn)\n", "\tfor { time.Sleep(0) }\n"},
	} {
		change(tt, folder, main(c.stage), c.old, c.new)
	}
	t := start(tt, folder)
	t.is(3, "failed")
	t.shows(3, ".words", "undefined: handleconnection")
	t.see(`document.querySelectorAll("[data-state=running]").length === 4`)
	t.press("q")
	t.shows(4, ".says", "busy all the time")
	t.press("5a0")
	t.shows(2, ".words", "I have had enough")
	t.shows(2, ".says", "exit status 1")
	t.fate(2, "quick 1", "is lost")
	t.shows(1, ".says", "printed without end")
	t.shows(1, ".words", "flood")
	t.press("1c")
	t.shows(0, ".says", "was interrupted")
	t.press("q")
	t.fate(0, "quick 2", "is answered") // beside all these
	// One that is killed from outside, and one that is stopped, and goes on.
	t.signal(syscall.SIGKILL, "stage1-blocking")
	t.shows(0, ".says", "killed")
	t.signal(syscall.SIGSTOP, "stage5-testable")
	t.press("5q")
	t.shows(4, ".says", "Nobody is being served")
}

// signal signals one of the lab's servers.
func (t *test) signal(sig syscall.Signal, server string) {
	t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", t.lab.Process.Pid))
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for child := range strings.FieldsSeq(string(children)) {
			line, _ := os.ReadFile("/proc/" + child + "/cmdline")
			if pid, err := strconv.Atoi(child); err == nil && strings.Contains(string(line), server) {
				syscall.Kill(pid, sig)
				return
			}
		}
	}
	t.Fatalf("there is no %s to signal", server)
}

// Several browsers see the same, also one that comes later, or comes back.
func TestBrowsers(tt *testing.T) {
	tt.Parallel()
	t := start(tt, workbook, "-stage", "1")
	t.press("i")
	t.fate(0, "silent 1", served)
	// The later one comes over a wire that can be cut.
	target, err := url.Parse(t.url)
	if err != nil {
		t.Fatal(err)
	}
	var cut atomic.Bool
	lab := httputil.NewSingleHostReverseProxy(target)
	wire := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut.Load() {
			panic(http.ErrAbortHandler)
		}
		lab.ServeHTTP(w, r)
	}))
	tt.Cleanup(wire.CloseClientConnections)
	later := t.open(wire.URL)
	later.fate(0, "silent 1", served)
	later.press("q")
	t.fate(0, "quick 1", "waits")

	// While it is cut, something happens.
	cut.Store(true)
	wire.CloseClientConnections()
	later.see(`document.body.classList.contains("cut")`)
	t.press("l")
	t.fate(0, "quick 1", "is answered")
	cut.Store(false)
	later.fate(0, "quick 1", "is answered")
	later.see(`!document.body.classList.contains("cut")`)
}

// requests are what is asked of the lab, and the status of the answer.
var requests = []struct {
	method, path, body string
	header             [2]string
	want               int
}{
	{"GET", "/", "", [2]string{}, 200},
	{"GET", "/events", "", [2]string{"Host", "lab.example"}, 403},
	{"GET", "/", "", [2]string{"Host", "lab.example:7870"}, 403},
	{"GET", "/events", "", [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
	{"POST", "/do/interrupt", "{}", [2]string{"Origin", "http://site.example"}, 403},
	{"POST", "/do/interrupt", "{}", [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
	{"GET", "/do/interrupt", "", [2]string{}, 404},
	{"GET", "/book/.git/config", "", [2]string{}, 404},
	{"GET", "/book/../../etc/passwd", "", [2]string{}, 307},
	{"GET", "/book/%2e%2e/%2e%2e/etc/passwd", "", [2]string{}, 404},
	{"GET", "/book/docs/lab.md", "", [2]string{}, 200},
	{"POST", "/do/send", `{"kind":"silent","n":10001,"to":1}`, [2]string{}, 400},
	{"POST", "/do/send", `{"kind":"loud","n":1}`, [2]string{}, 400},
	{"POST", "/do/nothing", "{}", [2]string{}, 400},
	{"POST", "/do/interrupt", "{", [2]string{}, 400},
}

// What another site's page, or another host's name, asks for is refused.
func TestForeign(tt *testing.T) {
	tt.Parallel()
	t := start(tt, workbook, "-stage", "1")
	for _, r := range requests {
		req, err := http.NewRequest(r.method, t.url+r.path, strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = r.path // as it is, dots and all
		if r.header[0] == "Host" {
			req.Host = r.header[1]
		} else if r.header[0] != "" {
			req.Header.Set(r.header[0], r.header[1])
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if csp := resp.Header.Get("Content-Security-Policy"); resp.StatusCode == 200 && !strings.Contains(csp, "default-src 'self'") {
			t.Errorf("%s: Content-Security-Policy: %q", r.path, csp)
		}
		if resp.StatusCode != r.want {
			t.Errorf("%s %s %v: status %d, want %d", r.method, r.path, r.header, resp.StatusCode, r.want)
		}
	}
	// The same from a page of another origin in the browser, which may refuse by itself.
	elsewhere := t.open("data:text/html,<title>elsewhere</title>")
	t.Log(js[string](elsewhere, `fetch("%s/do/interrupt", { method: "POST", body: "{}", mode: "no-cors" }).then(() => "", String)`, t.url))
	t.press("q")
	t.fate(0, "quick 1", "is answered")
	for _, addr := range []string{":0", "0.0.0.0:0", "example.com:80", strings.TrimPrefix(t.url, "http://")} {
		out, err := exec.Command(program, "-addr", addr).CombinedOutput()
		if err == nil || bytes.Count(out, []byte("\n")) != 1 || !bytes.Contains(out, []byte("try ")) {
			t.Errorf("lab -addr %s: %v, %s", addr, err, out)
		}
	}
}

// However the lab ends, it leaves no server and no folder.
func TestEnds(tt *testing.T) {
	tt.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		tt.Run(sig.String(), func(tt *testing.T) {
			tt.Parallel()
			temp := tt.TempDir()
			t := startLab(tt, workbook, temp, "-stage", "3")
			server := t.server()
			resp, err := http.Post(t.url+"/do/send", "application/json", strings.NewReader(`{"kind":"silent","n":200}`))
			if err != nil || resp.StatusCode != http.StatusNoContent {
				t.Fatal(resp, err)
			}
			resp.Body.Close()
			t.lab.Process.Signal(sig)
			t.lab.Wait()
			t.until("nothing is left", func() bool {
				entries, err := os.ReadDir(temp)
				resp, alive := http.Get(server)
				if alive == nil {
					resp.Body.Close()
				}
				return err == nil && len(entries) == 0 && alive != nil
			})
		})
	}
}

// server returns the address of the server, as soon as the stream of events has it.
func (t *test) server() string {
	t.Helper()
	resp, err := http.Get(t.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	address := regexp.MustCompile(`"url":"(http:[^"]+)"`)
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		if m := address.FindStringSubmatch(in.Text()); m != nil {
			return m[1]
		}
	}
	t.Fatal("the stream of events ends without it")
	return ""
}
