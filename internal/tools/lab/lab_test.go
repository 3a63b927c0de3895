package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

var workbook string // the real one; the tests run in a copy, which they change

func TestMain(m *testing.M) {
	// A test mostly waits. Let all of them do so at the same time.
	flag.Set("test.parallel", "20")
	flag.Parse()
	folder, _ := os.Getwd()
	workbook = behaviour.Root(folder)
	os.Exit(inCopy(m.Run))
}

func inCopy(run func() int) int {
	cleanUp, err := server.CleanUpAtEnd("lab")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer cleanUp()
	defer server.KillAll()
	temp := filepath.Join(os.TempDir(), "workbook")
	os.Mkdir(temp, 0o700)
	cp := exec.Command("sh", "-c", `cp -r go.mod go.sum internal testdata docs stage* "$0" && mkdir "$0/saved" && cp -r stage3-spawned "$0/saved"`, temp)
	cp.Dir = workbook
	if out, err := cp.CombinedOutput(); err != nil {
		fmt.Printf("%s", out)
		return 1
	}
	os.Chdir(temp)
	return run()
}

// A browser is one that reads the stream of a lab.
type browser struct {
	*testing.T
	lab *lab
	url string

	mu     sync.Mutex
	events []event
	panels []panel
	lanes  []map[int]lane
	seen   []sample
	play   play
	from   int64 // when the servers were started last by the test
}

// An event is one of the stream.
type event struct {
	at   int64
	name string
	data string
}

// The stages, and stages that are broken, in one lab, which the tests use one after the other.
var (
	sharing sync.Mutex
	shared  *browser
)

// share returns the lab that has the stages in the panels from 0 on, and the broken ones in those after them. It is
// the test's until that ends.
func share(t *testing.T) *browser {
	t.Helper()
	t.Parallel()
	sharing.Lock()
	t.Cleanup(sharing.Unlock)
	if shared == nil {
		shared = open(t, append(slices.Clone(behaviour.Stages), brokenStages(t)...))
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.T, shared.events = t, nil
	return shared
}

// open starts a lab, and waits until all of its servers run or have failed. The lab ends with the tests.
func open(t *testing.T, stages []behaviour.Stage) *browser {
	t.Helper()
	temp, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLab(temp, stages)
	if err != nil {
		t.Fatal(err)
	}
	l.pace = 0
	web := httptest.NewServer(l.handler())
	b := &browser{T: t, lab: l, url: web.URL, panels: make([]panel, len(stages)), seen: make([]sample, len(stages))}
	for range stages {
		b.lanes = append(b.lanes, map[int]lane{})
	}
	stream, err := http.Get(web.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	go b.read(stream.Body)
	for i := range stages {
		b.until("the server runs", func() bool { return b.panels[i].State != "" && b.panels[i].State != "building" })
	}
	return b
}

// read reads the stream until it ends.
func (b *browser) read(stream io.Reader) {
	in := bufio.NewReader(stream)
	e := event{}
	for line, err := in.ReadString('\n'); err == nil; line, err = in.ReadString('\n') {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			e.name = strings.TrimSpace(name)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			e.data = strings.TrimSpace(data)
			b.receive(&e)
		}
	}
}

func (b *browser) receive(e *event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var which struct{ ID, N int }
	json.Unmarshal([]byte(e.data), &which)
	var into any
	switch e.name {
	case "now":
		into = &e.at
	case "panel":
		b.panels[which.ID] = panel{}
		into = &b.panels[which.ID]
	case "scene":
		b.play = play{}
		into = &b.play
	case "lane":
		l := lane{}
		defer func() { b.lanes[which.ID][which.N] = l }()
		into = &l
	case "sample":
		b.seen[which.ID] = sample{}
		into = &b.seen[which.ID]
	}
	if into != nil {
		if err := json.Unmarshal([]byte(e.data), into); err != nil {
			b.Errorf("%s: %s: %v", e.name, e.data, err)
		}
	}
	b.events = append(b.events, *e)
}

// until waits until something holds, for as long as the test may take.
func (b *browser) until(what string, cond func() bool) {
	b.Helper()
	deadline, ok := b.Deadline()
	if deadline = deadline.Add(-5 * time.Second); !ok {
		deadline = time.Now().Add(time.Hour)
	}
	holds := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !cond() && time.Now().After(deadline) {
			b.Fatalf("not so: %s\n%+v\n%+v\n%+v\n%+v", what, b.panels, b.lanes, b.seen, b.play)
		}
		return cond()
	}
	for !holds() {
		time.Sleep(20 * time.Millisecond)
	}
}

// post sends a request, and returns its status.
func (b *browser) post(what, body string) int {
	b.Helper()
	resp, err := http.Post(b.url+"/do/"+what, "application/json", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// does presses a button.
func (b *browser) does(what, format string, args ...any) {
	b.Helper()
	if status := b.post(what, fmt.Sprintf(format, args...)); status != http.StatusNoContent {
		b.Fatalf("%s %s: status %d", what, fmt.Sprintf(format, args...), status)
	}
}

// set starts all servers with how long slow takes, and a patience that no test outlasts.
func (b *browser) set(slow float64) {
	b.from = b.lab.clock.ms()
	for _, p := range b.lab.panels {
		p.do(func() {
			p.Slow, p.Patience = slow, 1000
			p.start()
		})
	}
}

// lane returns the last lane of a name.
func (b *browser) lane(panel int, name string) (last lane) {
	for n, l := range b.lanes[panel] {
		if l.Name == name && n >= last.N && l.Arrived >= b.from {
			last = l
		}
	}
	return last
}

// last is lane, for whoever does not hold mu.
func (b *browser) last(panel int, name string) lane {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lane(panel, name)
}

// is waits until something is what happened last to a visitor.
func (b *browser) is(panel int, name, kind string) {
	b.Helper()
	b.until(fmt.Sprintf("panel %d: %s %s", panel, name, kind), func() bool { return string(b.lane(panel, name).Kind) == kind })
}

// concurrent and free say what the ladder has of the stage in a panel.
func concurrent(panel int) bool { return behaviour.Stages[panel].Has("many-at-once") }
func free(panel int) bool       { return behaviour.Stages[panel].Has("waiting-is-free") }

// A silent visitor and half a request are accepted, and not served. Where others wait for them, they are served
// when those have left.
func TestVisitors(t *testing.T) {
	b := share(t)
	b.set(0.5)
	b.does("send", `{"kind":"silent","n":1}`)
	for panel := range 5 {
		b.is(panel, "silent 1", "is accepted")
	}
	b.does("send", `{"kind":"slow","n":1}`)
	b.does("send", `{"kind":"half","n":1}`)
	for panel := range 5 {
		if concurrent(panel) {
			b.is(panel, "slow 1", "is answered")
			b.is(panel, "half 1", "is accepted")
		} else {
			b.until("two wait", func() bool { return b.seen[panel].Here == 3 && b.seen[panel].Accepted == 1 })
			b.is(panel, "slow 1", "arrives")
		}
	}
	b.does("leave", "{}")
	for panel := range 5 {
		b.is(panel, "half 1", "leaves")
		b.is(panel, "slow 1", "is answered")
		slow, silent := b.last(panel, "slow 1"), b.last(panel, "silent 1")
		if waited := slow.Served > silent.Over; waited == concurrent(panel) {
			t.Errorf("panel %d: %+v, %+v", panel, slow, silent)
		}
	}
}

// Of 200 silent visitors, the one who is accepted is drawn, and those that are not are counted. How they end is
// seen of all, whether they are drawn or not.
func TestCrowd(t *testing.T) {
	b := share(t)
	b.set(1)
	b.does("send", `{"kind":"silent","n":200}`)
	want := map[string]int{"is lost": 200}
	for panel := range 5 {
		b.is(panel, "silent 1", "is accepted")
		b.until("the others are counted", func() bool { return b.seen[panel].Here == 200 && b.seen[panel].More == 140 })
		if concurrent(panel) {
			b.is(panel, "silent 60", "is accepted")
		}
	}
	b.until("each holds a thread of stage 3", func() bool { return b.seen[2].Held == 200 })
	b.until("and none of stage 4", func() bool { return b.seen[3].Held == 0 && b.seen[3].Total == 201 })
	b.does("interrupt", "{}")
	for panel := range 5 {
		if free(panel) {
			want = map[string]int{"is dropped": 200}
		}
		b.until(fmt.Sprint("panel ", panel, " ends with ", want), func() bool {
			got := map[string]int{}
			for kind, n := range b.seen[panel].Counts {
				got[string(kind)] = n
			}
			return b.panels[panel].State == "ended" && b.panels[panel].Well == free(panel) && maps.Equal(got, want)
		})
	}
}

// A group is served in the order in which it came; who is reset is the one whom the server has accepted; after Ctrl-C
// it has closed the descriptor that it listened on, and no visitor's; and on Ctrl-\ it says where its goroutines are.
func TestOrder(t *testing.T) {
	b := share(t)
	b.set(0.1)
	b.does("send", `{"to":1,"kind":"slow","n":5}`)
	b.is(0, "slow 5", "is answered")
	for i := range 4 {
		if l, next := b.last(0, fmt.Sprint("slow ", i+1)), b.last(0, fmt.Sprint("slow ", i+2)); l.Over > next.Served {
			t.Errorf("%+v is served before %+v is answered", next, l)
		}
	}
	b.does("send", `{"to":2,"kind":"silent","n":1}`)
	b.is(1, "silent 1", "is accepted")
	b.does("send", `{"to":2,"kind":"quick","n":1}`)
	b.is(1, "quick 1", "arrives")
	b.does("reset", `{"to":2}`)
	b.is(1, "silent 1", "leaves")
	b.is(1, "quick 1", "is answered")

	b.set(1000)
	b.does("send", `{"to":5,"kind":"slow","n":1}`)
	b.is(4, "slow 1", "is being served")
	b.does("interrupt", `{"to":5}`)
	b.until("it stops", func() bool { return b.seen[4].Place == "main" })
	b.until("one is accepted", func() bool { return b.seen[4].Accepted == 1 })
	b.does("quit", `{"to":5}`)
	b.until("it says where goroutine 1 is", func() bool {
		return strings.Contains(b.panels[4].Output, "Goroutine 1 is in main [") && !strings.Contains(b.panels[4].Output, "labGoroutines")
	})
}

// What is asked for is bounded, and what cannot be done is refused.
func TestRefused(t *testing.T) {
	b := share(t)
	for _, c := range []struct{ what, body string }{
		{"send", `{"kind":"silent","n":10001,"to":1}`},
		{"send", `{"kind":"loud","n":1}`},
		{"send", `{"kind":"quick","n":1,"name":"` + strings.Repeat("a", 5000) + `"}`},
		{"set", `{"slow":0,"patience":6}`},
		{"set", `{"slow":2,"patience":11}`},
		{"set", `{"patience":6}`},
		{"play", `{"scene":6,"act":0}`},
		{"play", `{"scene":0,"act":-1}`},
		{"nothing", `{}`},
		{"interrupt", `{`},
	} {
		if got := b.post(c.what, c.body); got != http.StatusBadRequest {
			t.Errorf("%s %.60s: status %d, want 400", c.what, c.body, got)
		}
	}
}

// While the lab is stopped its clock stands still.
func TestClock(t *testing.T) {
	var c clock
	c.Now()
	c.last = c.last.Add(-500 * time.Millisecond)
	if now := c.ms(); now < 500 || now > 1500 {
		t.Errorf("half a second later it is %d ms", now)
	}
	before := c.Now()
	c.last = c.last.Add(-32 * time.Second)
	if now := c.Now(); now != before {
		t.Errorf("after 32 s without a look it is %v, want %v as before", now, before)
	}
}

// A browser that comes later gets what the others have, and each thing once: five minutes, and what is older and
// still so.
func TestBoard(t *testing.T) {
	b := newBoard()
	b.put("panel 0", "panel", "first", 0)
	const minutes = 20
	for at := int64(1); at < minutes*60_000; at += 100 {
		b.put(fmt.Sprint("sample ", at), "sample", at, at)
		b.put("sample of last", "sample", at/1000, at)
		b.put("panel 0", "panel", "first", 0)
	}
	news, last := b.since(0)
	n := strings.Count(news, "event: ")
	if want := 5 * 600; n < want || n > want+mostOld || !strings.Contains(news, `"first"`) || strings.Contains(news, "data: 1\n") {
		t.Errorf("%d events, want %d and at most %d more: %.200s", n, want, mostOld, news)
	}
	b.put("panel 0", "panel", "second", 0)
	if news, now := b.since(last); news != "event: panel\ndata: \"second\"\n\n" || now != last+1 {
		t.Errorf("later there is %q, up to %d", news, now)
	}
}

// The goroutines of the visitors stand on the lines of the accept loop and of the handler.
func TestLines(t *testing.T) {
	b := share(t)
	b.set(1000)
	b.does("send", `{"kind":"silent","n":5}`)
	for panel := range 5 {
		source := readCode(panel, behaviour.Stages[panel].Folder)
		line := func(name string) string { // the line of main.go or http.go that has the text
			file, text, _ := strings.Cut(name, " ")
			before, _, found := strings.Cut(source.Files[file], text)
			if !found {
				t.Fatalf("panel %d has no %s", panel, name)
			}
			return fmt.Sprintf("%s:%d", file, 1+strings.Count(before, "\n"))
		}
		loop, n, held := "main.go .Accept()", 0, 0
		switch {
		case free(panel):
			n = 5
		case concurrent(panel):
			n, held = 5, 5
		}
		if concurrent(panel) {
			b.until("they stand in the loop", func() bool {
				first, last := source.Loop.First, source.Loop.Last
				for at := first; at <= last; at++ {
					if b.seen[panel].Lines[fmt.Sprintf("main.go:%d", at)] == [3]int{n, held, 0} {
						return true
					}
				}
				return false
			})
			b.until("and read", func() bool { return b.seen[panel].Lines[line("http.go conn.Read(")] == [3]int{n, held, n} })
		} else {
			loop = "main.go \t\thandleConnection(conn)\n\t}"
			if panel == 1 {
				loop = "main.go asyncHandleConnection(conn).await()"
			}
		}
		b.until("goroutine 1 stands in the loop", func() bool { return slices.Contains(b.seen[panel].Stack, line(loop)) })
	}
	b.until("stage 5's tests are run, and no other has any", func() bool { return b.panels[4].Tests > 5 && b.panels[3].Tests == 0 })
}

// A stage is saved: with a mistake, with one that does not compile, and as it was.
func TestSave(t *testing.T) {
	t.Parallel()
	stage := behaviour.Stages[2]
	stage.Folder = filepath.Join("saved", stage.Folder)
	b := open(t, []behaviour.Stage{stage})
	file := filepath.Join(stage.Folder, "main.go")
	right, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	save := func(old, new string) {
		t.Helper()
		if !strings.Contains(string(right), old) {
			t.Fatalf("%s does not have %q", file, old)
		}
		os.WriteFile(file+".new", []byte(strings.Replace(string(right), old, new, 1)), 0o666)
		os.Rename(file+".new", file) // as an editor does
	}
	save("go handleConnection(conn)", "go handleConnection(con)")
	b.until("it does not build", func() bool { return b.panels[0].Stale && strings.Contains(b.panels[0].Output, "undefined: con") })
	b.does("send", `{"kind":"quick","n":1}`)
	b.is(0, "quick 1", "is answered") // by the server from before
	save("go handleConnection(conn)", "handleConnection(conn)")
	b.until("the verdict is shown", func() bool {
		p := b.panels[0]
		return !p.OK && !p.Stale && strings.Contains(p.Text, "many-at-once/slow-request")
	})
	b.does("play", `{"scene":1,"act":0,"stage":3,"chosen":0}`)
	b.until("it plays, and the verdict on the server before has gone", func() bool {
		return b.play.State == "playing" && len(b.play.Steps) > 0 && b.panels[0].Text == ""
	})
	save("", "")
	b.until("it does not count", func() bool { return b.play.State == "void" && strings.Contains(b.play.Reason, "saved") })
}

// A scene ends when it is stopped, or something else is pressed; and it does not count when its server does
// not run.
func TestScene(t *testing.T) {
	t.Parallel()
	b := open(t, append(slices.Clone(behaviour.Stages[:1]), behaviour.Stage{Folder: "./nothing"}))
	play := func(chosen int) { b.does("play", `{"scene":1,"act":0,"stage":1,"chosen":%d}`, chosen) }
	play(1)
	b.until("it does not count", func() bool { return b.play.State == "void" && strings.Contains(b.play.Reason, "nothing does not run") })
	b.lab.scenes[1].Acts[0].To = []int{1}
	play(1)
	b.until("it plays", func() bool { return b.play.State == "playing" && len(b.play.Steps) == 1 })
	if got := b.post("play", `{"scene":0,"act":0}`); got != http.StatusBadRequest {
		t.Errorf("a second scene: status %d", got)
	}
	b.does("stop", "{}")
	b.until("it is stopped", func() bool { return b.play.State == "stopped" })
	play(1)
	b.until("it plays", func() bool { return b.play.State == "playing" && len(b.play.Steps) == 1 })
	b.does("send", `{"kind":"quick","n":1}`)
	b.until("it does not count", func() bool {
		return b.play.State == "void" && strings.Contains(b.play.Reason, "pressed") && len(b.play.Right) == 0
	})
}

// The accept loop is the innermost loop around what accepts, by whatever name.
func TestAcceptLoop(t *testing.T) {
	for _, call := range []string{"listener.Accept()", "l.AcceptTCP()", "syscall.Accept(fd)", "unix.Accept4(fd, 0)"} {
		source := "package main\n\nfunc main() {\n\tfor {\n\t\tfor {\n\t\t\tconn, err := " + call + "\n\t\t}\n\t}\n\tfor {\n\t}\n}\n"
		if got, _ := acceptLoop("a.go", []byte(source)); got == nil || *got != (loop{"a.go", 5, 7}) {
			t.Errorf("the loop of %s is %+v, want lines 5 to 7", call, got)
		}
	}
}

// The pages that are read beside the servers have their anchors, and a folder leads to its files.
func TestBook(t *testing.T) {
	b := share(t)
	for path, want := range map[string]string{
		"/book/stage3-spawned/main.go":   `id="L53"`,
		"/book/docs/glossary.md":         `id="poller"`,
		"/book/docs":                     "<h1",
		"/book/stage3-spawned":           `id="L53"`,
		"/book/stage3-spawned/../.git":   "404",
		"/book/%2e%2e/%2e%2e/etc/passwd": "404",
	} {
		resp, err := http.Get(b.url + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		if resp.Body.Close(); !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, without %s", path, resp.Status, want)
		}
	}
}
