package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
)

var began = time.Now()

var (
	program string // the lab's
	first   *Page  // of the browser that all tests share
)

func TestMain(m *testing.M) {
	// A test mostly waits. Let more of them wait at the same time, unless the command line
	// has another -parallel.
	flag.Set("test.parallel", "6")
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if Find() == "" {
		fmt.Println("skipped: there is no Chromium here")
		return m.Run()
	}
	temp, err := os.MkdirTemp("", "browser")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(temp)
	program = filepath.Join(temp, "lab")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../lab"
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("%s", out)
		return 1
	}
	page, closeBrowser, err := Open(context.Background(), filepath.Join(temp, "profile"), "about:blank")
	defer closeBrowser()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	first = page
	return m.Run()
}

// A test has a lab of its own, with a copy of the workbook to break.
type test struct {
	*testing.T
	*Page
	lab    *Lab
	folder string // of the workbook
}

// start starts a lab of a workbook that differs from this one by the changes.
func start(t *testing.T, changes []change, args ...string) *test {
	t.Helper()
	if first == nil {
		t.Skip("there is no Chromium here")
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, s := range append([]string{"go.mod", "go.sum", "README.md", "docs", "testdata", "internal"}, stages()...) {
		if out, err := exec.Command("cp", "-r", filepath.Join(root, s), folder).CombinedOutput(); err != nil {
			t.Fatalf("%s", out)
		}
	}
	tt := &test{T: t, folder: folder}
	for _, c := range changes {
		tt.save(c)
	}
	return open(t, folder, args...)
}

// open starts a lab of the workbook in a folder.
func open(t *testing.T, folder string, args ...string) *test {
	t.Helper()
	lab, err := Start(program, folder, t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Stop() })
	return (&test{T: t, lab: lab, folder: folder}).another(lab.URL)
}

// another opens another page.
func (t *test) another(url string) *test {
	t.Helper()
	page, closePage, err := first.Another(url)
	t.Cleanup(closePage)
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Prefers("prefers-reduced-motion", "reduce"); err != nil {
		t.Fatal(err)
	}
	return &test{t.T, page, t.lab, t.folder}
}

func stages() (folders []string) {
	for _, s := range behaviour.Stages {
		folders = append(folders, s.Folder)
	}
	return folders
}

// A change is one to a file of the workbook.
type change struct{ file, old, new string }

// save changes a file, as an editor does: the old one goes on until the new one is whole.
func (t *test) save(c change) {
	t.Helper()
	name := filepath.Join(t.folder, c.file)
	text := c.new
	if c.old != "" {
		before, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(before), c.old) {
			t.Fatalf("%s does not have %q (%v)", c.file, c.old, err)
		}
		text = strings.Replace(string(before), c.old, c.new, 1)
	}
	if err := os.WriteFile(name+".new", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// js evaluates a JavaScript expression in the page.
func js[T any](t *test, format string, args ...any) T {
	t.Helper()
	v, err := Eval[T](t.Page, fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatalf("%s: %v", fmt.Sprintf(format, args...), err)
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
		time.Sleep(50 * time.Millisecond)
	}
}

// see waits until an expression holds in the page.
func (t *test) see(format string, args ...any) {
	t.Helper()
	t.until(fmt.Sprintf(format, args...), func() bool { return js[bool](t, "!!(%s)", fmt.Sprintf(format, args...)) })
}

// text returns the words of the panel's first element that fits the selector.
func (t *test) text(panel int, selector string) string {
	t.Helper()
	return js[string](t, `document.querySelector("#panel%d %s").textContent`, panel, selector)
}

// fates returns what has become of each visitor, as told to those who cannot see the lanes.
func (t *test) fates(panel int) map[string]string {
	t.Helper()
	return js[map[string]string](t, `Object.fromEntries([...document.querySelectorAll("#panel%d .fates li")].map(li => [li.dataset.visitor, li.dataset.kind]))`, panel)
}

// over waits until a visitor's visit to a panel's server is over, and returns how it ended.
func (t *test) over(panel int, visitor string) (kind string) {
	t.Helper()
	t.until(fmt.Sprintf("%s is over in panel %d", visitor, panel), func() bool {
		kind = t.fates(panel)[visitor]
		return kind != "" && kind != "waits" && kind != "is being served"
	})
	return kind
}

// served waits until a visitor is being served.
func (t *test) served(panel int, visitor string) {
	t.Helper()
	t.until(fmt.Sprintf("%s is being served in panel %d", visitor, panel), func() bool { return t.fates(panel)[visitor] == "is being served" })
}

// inOrder returns the visitors in the order in which their visits ended.
func (t *test) inOrder(panel int) string {
	t.Helper()
	return js[string](t, `import("/lab.js").then(m => m.state.panels[%d].view.lanes.filter(l => l.over).toSorted((a, b) => a.over - b.over).map(l => l.name).join(", "))`, panel)
}

// press presses keys.
func (t *test) press(keys string) {
	t.Helper()
	t.Logf("%v: %q", time.Since(began).Round(10*time.Millisecond), keys)
	if err := t.Press(keys); err != nil {
		t.Fatal(err)
	}
}

// set sets how long slow takes, and the patience.
func (t *test) set(slow, patience int) {
	t.Helper()
	js[any](t, `for (const [name, value] of [["slow", %d], ["patience", %d]]) {
		const input = document.querySelector("[name=" + name + "]");
		input.value = value;
		input.dispatchEvent(new Event("change", { bubbles: true }));
	}`, slow, patience)
	t.until("the times are set", func() bool {
		return js[string](t, `import("/lab.js").then(m => m.state.lab.slow + " " + m.state.lab.patience)`) == fmt.Sprint(slow, " ", patience)
	})
	t.run()
}

// run waits until all servers run, and have nobody there.
func (t *test) run() {
	t.Helper()
	t.see(`document.querySelectorAll("article").length > 0 && [...document.querySelectorAll("article")].every(a =>
		a.dataset.state === "running" && a.querySelector(".counts").textContent.startsWith("nobody"))`)
}

func (t *test) post(what, fields string) int {
	t.Helper()
	resp, err := http.Post(t.lab.URL+"/do/"+what, "application/x-www-form-urlencoded", strings.NewReader(fields))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// Every control is pressed, and what the visitors' visits end in is held against the ladder.
func TestControls(tt *testing.T) {
	tt.Parallel()
	t := start(tt, nil)
	if err := t.Prefers("prefers-reduced-motion", "no-preference"); err != nil {
		t.Fatal(err)
	}
	t.see(`document.querySelectorAll("article").length === 5`)
	t.run()
	t.set(1, 10)
	t.slowAndQuick()
	t.silentAndQuick()
	t.half()
	t.crowds()
	t.reading()
	t.signals()
	t.tenThousand()
}

// A slow and a quick visitor come.
func (t *test) slowAndQuick() {
	t.press("s")
	for panel := range 5 {
		t.served(panel, "slow 1")
	}
	t.press("q")
	for panel := range 5 {
		if a, b := t.over(panel, "slow 1"), t.over(panel, "quick 1"); a != "is answered" || b != a {
			t.Errorf("panel %d: slow %s, quick %s", panel, a, b)
		}
		want := "slow 1, quick 1"
		if concurrent(panel) {
			want = "quick 1, slow 1"
		}
		if got := t.inOrder(panel); got != want {
			t.Errorf("panel %d: the visits end in the order %q, want %q", panel, got, want)
		}
	}
}

// A silent visitor comes before a quick one, who waits, where they do, until the silent leave.
func (t *test) silentAndQuick() {
	t.press("i")
	for panel := range 5 {
		t.served(panel, "silent 1")
	}
	t.press("q")
	for panel := range 5 {
		if concurrent(panel) {
			t.over(panel, "quick 2")
			continue
		}
		t.until("the quick one waits", func() bool { return t.fates(panel)["quick 2"] == "waits" })
	}
	t.press("l")
	for panel := range 5 {
		if got := t.over(panel, "quick 2"); got != "is answered" {
			t.Errorf("panel %d: quick %s after the silent one has left", panel, got)
		}
		if got := t.over(panel, "silent 1"); got != "leaves" && !free(panel) {
			t.Errorf("panel %d: the silent one %s", panel, got)
		}
	}
}

// Somebody sends half a request, and is reset.
func (t *test) half() {
	t.press("h")
	for panel := range 5 {
		t.served(panel, "half 1")
	}
	t.press("r")
	for panel := range 5 {
		if got := t.over(panel, "half 1"); got != "leaves" {
			t.Errorf("panel %d: half a request %s", panel, got)
		}
	}
}

// 200 silent visitors come to all servers, and 50 slow ones to one.
func (t *test) crowds() {
	t.press("t")
	for panel := range 5 {
		t.see(`document.querySelector("#panel%d .counts").textContent.startsWith("200 here, ")`, panel)
	}
	t.see(`+document.querySelector("#panel2 .threads dd").textContent >= 200`)
	t.see(`document.querySelector("#panel2 .each dd").textContent.endsWith("kB")`)
	t.see(`document.querySelector("#panel3 .goroutines dd").textContent >= 200`)
	if n := js[int](t, `+document.querySelector("#panel3 .threads dd").textContent`); n > 100 {
		t.Errorf("stage 4 has %d threads with 200 silent visitors", n)
	}
	t.press("l3f")
	t.see(`document.querySelector("#panel2 .counts").textContent.includes("answered") && [...document.querySelectorAll("#panel2 .fates li")].filter(li =>
		li.dataset.visitor.startsWith("slow") && li.dataset.kind === "is answered").length >= 50`)
	if n := js[int](t, `[...document.querySelectorAll("#panel3 .fates li")].filter(li => li.dataset.visitor === "slow 20").length`); n != 0 {
		t.Error("50 slow for stage 3 came to stage 4 as well")
	}
}

// The verdict on one server is asked for, and what there is to read is opened.
func (t *test) reading() {
	t.press("v")
	t.see(`document.querySelector("#panel2 .told .yes")?.textContent.includes("behaves like stage 3")`)
	t.press("x")
	t.see(`document.querySelector("#panel2 .told").hidden`)
	js[any](t, `document.querySelector("#panel2 .source").click()`)
	t.see(`document.querySelector("#beside iframe").contentDocument?.querySelectorAll(".hl").length > 0`)
	t.press("\x1b")
	t.see(`document.querySelector("#beside").hidden`)
	js[any](t, `document.querySelector("#panel2 .page").click()`)
	t.see(`document.querySelector("#beside iframe").contentDocument?.querySelector("h2")?.textContent === "Where we are"`)
	t.press("\x1b")
	t.press("0")
}

// Ctrl-C while a slow visitor is being served, and Ctrl-\.
func (t *test) signals() {
	t.press("a")
	t.run()
	t.press("s")
	last := js[string](t, `import("/lab.js").then(m => new Promise(resolve => setTimeout(() => resolve(m.state.panels[0].view.lanes.at(-1).name), 200)))`)
	for panel := range 5 {
		t.served(panel, last)
	}
	t.press("c")
	for panel := range 5 {
		t.see(`document.querySelector("#panel%d").dataset.state === "ended"`, panel)
		fate, says, want, how := t.over(panel, last), t.text(panel, ".says"), "is lost", "signal: interrupt"
		if free(panel) {
			want, how = "is answered", "exit status 0"
		}
		if fate != want || !strings.Contains(says, how) {
			t.Errorf("panel %d: at Ctrl-C slow %s, and %s; want %s, and %s", panel, fate, says, want, how)
		}
	}
	t.press("a")
	t.run()
	t.press("\\")
	for panel, where := range []string{"syscall", "syscall", "syscall", "IO wait", "IO wait"} {
		t.see(`document.querySelector("#panel%d .first")?.textContent.startsWith("goroutine 1 [%s")`, panel, where)
		t.see(`document.querySelector("#panel%d .told details pre")`, panel)
	}
	t.press("p")
	t.see(`!document.querySelector("#question").hidden`)
	t.press("p")
	t.see(`document.querySelector("#question").hidden`)
}

// 10,000 silent visitors are nothing to stage 4, and the end of stage 3.
func (t *test) tenThousand() {
	t.press("ak")
	t.see(`document.querySelector("#line").textContent.includes("one server only")`)
	t.run()
	t.press("4k")
	t.see(`document.querySelector("#panel3 .counts").textContent.startsWith("10,000 here")`)
	t.press("q")
	t.until("a quick visitor is answered beside 10,000 silent ones", func() bool {
		for visitor, fate := range t.fates(3) {
			if strings.HasPrefix(visitor, "quick") && fate == "is answered" {
				return true
			}
		}
		return false
	})
	t.press("l3k")
	t.see(`document.querySelector("#panel2").dataset.state === "ended"`)
	if words := t.text(2, ".words"); !strings.Contains(words, "thread") {
		t.Errorf("the last words of stage 3 with 10,000 silent visitors: %s", words)
	}
}

// concurrent and free say what the ladder has of the server in a panel.
func concurrent(panel int) bool { return behaviour.Stages[panel].Has("many-at-once") }
func free(panel int) bool       { return behaviour.Stages[panel].Has("waiting-is-free") }

// A stage is saved: with a mistake, with one that does not compile, and as it was.
func TestSave(tt *testing.T) {
	tt.Parallel()
	t := start(tt, nil, "-stage", "3")
	t.run()
	file := behaviour.Stages[2].Folder + "/main.go"
	t.save(change{file, "go handleConnection(conn)", "go handleConnection(con)"})
	t.see(`document.querySelector("#panel0 .words")?.textContent.includes("undefined: con")`)
	t.press("q")
	if got := t.over(0, "quick 1"); got != "is answered" {
		t.Errorf("the server from before: quick %s", got)
	}
	t.save(change{file, "go handleConnection(con)", "handleConnection(conn)"})
	t.see(`document.querySelector("#panel0 .no")?.textContent.includes("does not behave like stage 3")`)
	if story := t.text(0, ".story"); !strings.Contains(story, "many-at-once/slow-request") || !strings.Contains(story, "with go") {
		t.Errorf("the story that leads is\n%s", story)
	}
	lines := js[[]string](t, `[...document.querySelectorAll("#panel0 .line")].map(p => p.textContent)`)
	for _, want := range []string{"✓ pages", "✗ many at once"} {
		if !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("the ladder's line is %q, without %q", lines, want)
		}
	}
	t.save(change{file, "\t\thandleConnection(conn)", "\t\tgo handleConnection(conn)"})
	t.see(`document.querySelector("#panel0 .yes")?.textContent.includes("behaves like stage 3")`)
	if files, _ := filepath.Glob(filepath.Join(t.folder, behaviour.Stages[2].Folder, "lab*")); files != nil {
		t.Errorf("the lab has written into the stage's folder: %q", files)
	}
}

// A server of the reader's own, not in Go, and one that is not there.
func TestOwnServer(tt *testing.T) {
	tt.Parallel()
	t := start(tt, nil, "-server", "python3 docs/examples/server.py")
	t.see(`document.querySelectorAll("article").length === 6`)
	t.see(`document.querySelector("#panel5 .main dd").textContent.includes("not in Go")`)
	t.press("6v")
	t.see(`document.querySelector("#panel5 .told").textContent.includes("stories told")`)
	t.press("q")
	if got := t.over(5, "quick 1"); got != "is answered" {
		t.Errorf("quick %s", got)
	}
	none := open(tt, t.folder, "-stage", "1", "-server", "./nothing")
	none.see(`document.querySelector("#panel1 .words")?.textContent.includes("There is no ./nothing here")`)
	none.see(`document.querySelector("#panel0").dataset.state === "running"`)
}

// Servers that die, flood their output, spin, ignore signals or do not build: each panel says so.
func TestOddServers(tt *testing.T) {
	tt.Parallel()
	main := func(stage int) string { return behaviour.Stages[stage-1].Folder + "/main.go" }
	t := start(tt, []change{
		{main(1), "\"time\"\n)", "\"time\"\n\"os/signal\"\n)"},
		{main(1), "\tlistener, err :=", "\tsignal.Ignore(os.Interrupt)\n\tlistener, err :="},
		{main(2), "\t\tasyncHandleConnection(conn).await()", "\t\tfor { log.Print(\"flood \", conn) }"},
		{main(3), "\t\tgo handleConnection(conn)", "\t\tlog.Fatal(\"I have had enough of \", conn)"},
		{main(4), "handleConnection(conn)\n", "handleconnection(conn)\n"},
		{main(5), "\thandleConnection(conn)\n", "\tfor { time.Sleep(0) }\n"},
	})
	t.see(`document.querySelectorAll("article").length === 5`)
	t.see(`document.querySelector("#panel3").dataset.state === "failed"`)
	if words := t.text(3, ".words"); !strings.Contains(words, "undefined: handleconnection") {
		t.Errorf("of a stage that does not build: %s", words)
	}
	t.see(`document.querySelectorAll("[data-state=running]").length === 4`)
	t.press("q")
	t.see(`document.querySelector("#panel4 .says").textContent.includes("busy all the time")`)
	t.press("5a0")
	t.see(`document.querySelector("#panel2 .words")?.textContent.includes("I have had enough")`)
	if says := t.text(2, ".says"); !strings.Contains(says, "exit status 1") || t.over(2, "quick 1") != "is lost" {
		t.Errorf("of a server that dies: %s, quick %s", says, t.over(2, "quick 1"))
	}
	t.see(`document.querySelector("#panel1 .says").textContent.includes("printed without end")`)
	t.see(`document.querySelector("#panel1 .words").textContent.includes("flood")`)
	t.press("1c")
	t.see(`document.querySelector("#panel0 .says").textContent.includes("was interrupted")`)
	t.press("q")
	if got := t.over(0, "quick 2"); got != "is answered" {
		t.Errorf("stage 1 beside all these: quick %s", got)
	}
	// One that is killed from outside, and one that is stopped.
	t.signal(syscall.SIGKILL, "stage1-blocking")
	t.see(`document.querySelector("#panel0 .says").textContent.includes("killed")`)
	t.signal(syscall.SIGSTOP, "stage5-testable")
	t.press("5q")
	t.see(`document.querySelector("#panel4 .says").textContent.includes("Nobody is being served")`)
}

// signal signals one of the lab's servers.
func (t *test) signal(sig syscall.Signal, server string) {
	t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", t.lab.Cmd.Process.Pid))
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
	t := start(tt, nil, "-stage", "1")
	t.run()
	t.press("i")
	t.served(0, "silent 1")
	wire := newWire(tt, strings.TrimPrefix(t.lab.URL, "http://"))
	later := t.another("http://" + wire.Addr().String())
	later.served(0, "silent 1")
	later.press("q")
	t.until("the quick one is there", func() bool { return t.fates(0)["quick 1"] == "waits" })

	// The connection is cut, and meanwhile something happens.
	wire.cut(true)
	later.see(`document.body.classList.contains("cut")`)
	t.press("l")
	t.over(0, "quick 1")
	wire.cut(false)
	if got := later.over(0, "quick 1"); got != "is answered" {
		t.Errorf("quick %s, for who was away", got)
	}
	later.see(`!document.body.classList.contains("cut")`)
}

// A wire is between a browser and the lab, and can be cut.
type wire struct {
	net.Listener
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: listener}
	t.Cleanup(func() { listener.Close(); w.cut(true) })
	go func() {
		for {
			a, err := listener.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			w.mu.Lock()
			if err != nil || w.isCut {
				a.Close()
			} else {
				w.conns = append(w.conns, a, b)
				go io.Copy(a, b)
				go io.Copy(b, a)
			}
			w.mu.Unlock()
		}
	}()
	return w
}

func (w *wire) cut(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = is
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// requests are what is asked of the lab, and the status of the answer.
var requests = []struct {
	method, path string
	header       map[string]string
	want         int
}{
	{"GET", "/", nil, 200},
	{"GET", "/events", map[string]string{"Host": "lab.example"}, 403},
	{"GET", "/", map[string]string{"Host": "lab.example:7870"}, 403},
	{"GET", "/events", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
	{"POST", "/do/interrupt", map[string]string{"Origin": "http://site.example"}, 403},
	{"POST", "/do/interrupt", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
	{"GET", "/do/interrupt", nil, 404},
	{"GET", "/book/.git/config", nil, 404},
	{"GET", "/book/../../etc/passwd", nil, 404},
	{"GET", "/book/docs/lab.md", nil, 200},
	{"POST", "/do/send?kind=silent&n=10001&to=0", nil, 400},
	{"POST", "/do/nothing", nil, 400},
}

// What another site's page, or another host's name, asks for is refused.
func TestForeign(tt *testing.T) {
	tt.Parallel()
	t := start(tt, nil, "-stage", "1")
	t.run()
	for _, r := range requests {
		req, err := http.NewRequest(r.method, t.lab.URL+r.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = r.path // as it is, dots and all
		for name, value := range r.header {
			req.Header.Set(name, value)
		}
		req.Host = r.header["Host"]
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if csp := resp.Header.Get("Content-Security-Policy"); resp.StatusCode == 200 && !strings.Contains(csp, "default-src 'self'") {
			t.Errorf("%s: Content-Security-Policy: %q", r.path, csp)
		}
		if resp.StatusCode != r.want && !(r.want == 404 && resp.StatusCode == 405) && !(strings.Contains(r.path, "..") && resp.StatusCode == 307) {
			t.Errorf("%s %s %v: status %d, want %d", r.method, r.path, r.header, resp.StatusCode, r.want)
		}
	}
	// The same from a page of another origin in the browser.
	elsewhere := t.another("data:text/html,<title>elsewhere</title>")
	if _, err := Eval[any](elsewhere.Page, `fetch("`+t.lab.URL+`/do/interrupt", { method: "POST", mode: "no-cors" }).then(() => null)`); err != nil {
		t.Log(err) // the browser may refuse by itself
	}
	t.press("q")
	if got := t.over(0, "quick 1"); got != "is answered" {
		t.Errorf("quick %s", got)
	}
	for _, addr := range []string{":0", "0.0.0.0:0", "example.com:80", strings.TrimPrefix(t.lab.URL, "http://")} {
		out, err := exec.Command(program, "-addr", addr).CombinedOutput()
		if err == nil || bytes.Count(out, []byte("\n")) != 1 || !bytes.Contains(out, []byte("try ")) {
			t.Errorf("lab -addr %s: %v, %s", addr, err, out)
		}
	}
}

// However the lab ends, it leaves no server and no folder.
func TestEnds(tt *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		tt.Run(sig.String(), func(tt *testing.T) {
			temp := tt.TempDir()
			if first == nil {
				tt.Skip("there is no Chromium here")
			}
			tt.Parallel()
			lab, err := Start(program, "../../..", temp, "-stage", "3")
			if err != nil {
				tt.Fatal(err)
			}
			t := &test{T: tt, lab: lab}
			var addrs []string
			t.until("it runs", func() bool {
				addrs = running(t)
				return len(addrs) == 1
			})
			t.post("send", "kind=silent&n=200&to=-1")
			lab.Cmd.Process.Signal(sig)
			lab.Cmd.Wait()
			t.until("nothing is left", func() bool {
				entries, err := os.ReadDir(temp)
				alive := false
				for _, addr := range addrs {
					resp, err := http.Get(addr)
					if alive = alive || err == nil; err == nil {
						resp.Body.Close()
					}
				}
				return err == nil && len(entries) == 0 && !alive
			})
		})
	}
}

// running returns the addresses of the servers, as the stream of events has them.
func running(t *test) (addrs []string) {
	resp, err := http.Get(t.lab.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := json.NewDecoder(&dataLines{in: resp.Body})
	for range 1 {
		var v struct{ State, URL string }
		for v.State == "" {
			var raw json.RawMessage
			if err := in.Decode(&raw); err != nil {
				t.Fatal(err)
			}
			json.Unmarshal(raw, &v) // a number, the lab's clock, has no State
		}
		if _, err := url.Parse(v.URL); err == nil && v.State == "running" {
			addrs = append(addrs, v.URL)
		}
	}
	return addrs
}

// dataLines reads what follows "data: " on the lines of a stream of events.
type dataLines struct {
	in   io.Reader
	rest []byte
}

func (d *dataLines) Read(p []byte) (int, error) {
	for {
		if line, rest, ok := bytes.Cut(d.rest, []byte("\n")); ok {
			d.rest = rest
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				if len(data) > len(p) {
					d.rest = append([]byte("data: "+string(data[len(p):])+"\n"), rest...)
				}
				return copy(p, data), nil
			}
			continue
		}
		buf := make([]byte, 4096)
		n, err := d.in.Read(buf)
		if d.rest = append(d.rest, buf[:n]...); err != nil {
			return 0, err
		}
	}
}
