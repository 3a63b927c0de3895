package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

func TestMain(m *testing.M) { os.Exit(inWorkbook(m.Run)) }

func inWorkbook(run func() int) int {
	cleanUp, err := server.CleanUpAtEnd("lab")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer cleanUp()
	defer server.KillAll()
	folder, _ := os.Getwd()
	os.Chdir(behaviour.Root(folder))
	return run()
}

// A browser reads the stream of a lab.
type browser struct {
	*testing.T
	lab *lab
	url string

	mu     sync.Mutex
	events []event
	panels map[int]panel
	lanes  map[[2]int]lane // by panel and number
	seen   map[int]sample
	scene  performance
	from   int64 // when the servers were started last by the test
}

// An event is one of the stream.
type event struct {
	at   int64
	name string
	data string
}

var shared *browser // of a lab with the stages, which the tests use one after the other

func share(t *testing.T) *browser {
	t.Helper()
	if shared == nil {
		shared = open(t, behaviour.Stages)
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.T, shared.events = t, nil
	return shared
}

// open starts a lab, and waits until all of its servers run or have failed. The lab ends with the tests.
func open(t *testing.T, stages []behaviour.Stage) *browser {
	t.Helper()
	l, err := newLab(stages)
	if err != nil {
		t.Fatal(err)
	}
	l.pace = 0
	web := httptest.NewServer(l.handler())
	b := &browser{T: t, lab: l, url: web.URL, panels: map[int]panel{}, lanes: map[[2]int]lane{}, seen: map[int]sample{}}
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
	switch e.name {
	case "now":
		json.Unmarshal([]byte(e.data), &e.at)
	case "panel":
		b.panels[which.ID] = decode[panel](e.data)
	case "scene":
		b.scene = decode[performance](e.data)
	case "lane":
		b.lanes[[2]int{which.ID, which.N}] = decode[lane](e.data)
	case "sample":
		b.seen[which.ID] = decode[sample](e.data)
	}
	b.events = append(b.events, *e)
}

func decode[T any](data string) (value T) {
	if err := json.Unmarshal([]byte(data), &value); err != nil {
		panic(fmt.Sprintf("%s: %v", data, err))
	}
	return value
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
			b.Fatalf("not so: %s\n%+v\n%+v\n%+v\n%+v", what, b.panels, b.lanes, b.seen, b.scene)
		}
		return cond()
	}
	for !holds() {
		time.Sleep(20 * time.Millisecond)
	}
}

// press presses a button, and returns the status of the reply.
func (b *browser) press(what, format string, args ...any) int {
	b.Helper()
	resp, err := http.Post(b.url+"/do/"+what, "application/json", strings.NewReader(fmt.Sprintf(format, args...)))
	if err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
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

// is waits until something is what happened last to a visitor since set, and returns the visitor's lane.
func (b *browser) is(panel int, name string, kind timeline.Kind) (last lane) {
	b.Helper()
	b.until(fmt.Sprintf("panel %d: %s %s", panel, name, kind), func() bool {
		last = lane{}
		for _, l := range b.lanes {
			if l.ID == panel && l.Name == name && l.N >= last.N && l.Arrived >= b.from {
				last = l
			}
		}
		return last.Kind == kind
	})
	return last
}

// Of 200 silent visitors, the first 60 have lanes, and the others are counted. How each of them ends is seen.
func TestCrowd(t *testing.T) {
	b := share(t)
	b.set(1)
	b.press("send", `{"kind":"silent","n":200}`)
	want := map[timeline.Kind]int{timeline.Lost: 200}
	for panel := range 5 {
		b.is(panel, "silent 1", timeline.Accepted)
		b.until("the others are counted", func() bool { return b.seen[panel].Here == 200 && b.seen[panel].More == 140 })
		if panel >= 2 {
			b.is(panel, "silent 60", timeline.Accepted)
		}
	}
	b.until("each holds a thread of stage 3", func() bool { return b.seen[2].Held == 200 })
	b.until("and none of stage 4", func() bool { return b.seen[3].Held == 0 && b.seen[3].Total == 201 })
	b.press("interrupt", "{}")
	for panel := range 5 {
		drops := panel >= 3
		if drops {
			want = map[timeline.Kind]int{timeline.Dropped: 200}
		}
		b.until(fmt.Sprint("panel ", panel, " ends with ", want), func() bool {
			return b.panels[panel].State == "ended" && b.panels[panel].Well == drops && reflect.DeepEqual(b.seen[panel].Counts, want)
		})
	}
}

// A group is served in the order in which it came; a visitor with half a request can leave; a reset goes to a visitor whom the
// server has accepted; after Ctrl-C the server has closed the descriptor that it listened on, and no visitor's; and on Ctrl-\
// it prints where its goroutines are.
func TestOrder(t *testing.T) {
	b := share(t)
	b.set(0.1)
	b.press("send", `{"to":1,"kind":"slow","n":5}`)
	for i := range 4 {
		if l, next := b.is(0, fmt.Sprint("slow ", i+1), timeline.Answered), b.is(0, fmt.Sprint("slow ", i+2), timeline.Answered); l.Over > next.Served {
			t.Errorf("%+v is served before %+v is answered", next, l)
		}
	}
	b.press("send", `{"to":2,"kind":"half","n":1}`)
	b.is(1, "half 1", timeline.Accepted)
	b.press("leave", `{"to":2}`)
	b.is(1, "half 1", timeline.Leaves)
	b.press("send", `{"to":2,"kind":"silent","n":1}`)
	b.is(1, "silent 1", timeline.Accepted)
	b.press("send", `{"to":2,"kind":"quick","n":1}`)
	b.is(1, "quick 1", timeline.Arrives)
	b.press("reset", `{"to":2}`)
	b.is(1, "silent 1", timeline.Leaves)
	b.is(1, "quick 1", timeline.Answered)

	b.set(1000)
	b.press("send", `{"to":5,"kind":"slow","n":1}`)
	b.is(4, "slow 1", timeline.Served)
	b.press("interrupt", `{"to":5}`)
	b.until("it stops", func() bool { return b.seen[4].Place == "main" && b.seen[4].Accepted == 1 })
	b.press("quit", `{"to":5}`)
	b.until("it says where goroutine 1 is", func() bool { return strings.Contains(b.panels[4].Output, "Goroutine 1 is in main [") })
}

// What is asked for is bounded, and what cannot be done is refused. No file is shown that is not in the workbook, or is hidden.
func TestRefused(t *testing.T) {
	b := share(t)
	for _, c := range []struct{ what, body string }{
		{"send", `{"kind":"silent","n":10001,"to":1}`},
		{"send", `{"kind":"loud","n":1}`},
		{"send", `{"kind":"quick","n":1,"name":"` + strings.Repeat("a", 5000) + `"}`},
		{"set", `{"slow":0,"patience":6}`},
		{"set", `{"slow":2,"patience":11}`},
		{"set", `{"patience":6}`},
		{"play", `{"scene":6,"act":0,"stage":1}`},
		{"play", `{"scene":0,"act":-1,"stage":1}`},
		{"nothing", `{}`},
		{"interrupt", `{`},
	} {
		if got := b.press(c.what, "%s", c.body); got != http.StatusBadRequest {
			t.Errorf("%s %.60s: status %d, want 400", c.what, c.body, got)
		}
	}
	for path, want := range map[string]string{"docs": "<h1", "docs/glossary.md": `id="poller"`, "stage3-spawned": `id="L53"`,
		".ci/run": "404", "docs/../.ci/run": "404", "%2e%2e/%2e%2e/etc/passwd": "404"} {
		resp, err := http.Get(b.url + "/book/" + path)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(resp.Body); !strings.Contains(string(text), want) {
			t.Errorf("GET /book/%s: %s, without %s", path, resp.Status, want)
		}
	}
}

// While the lab is stopped its clock stands still.
func TestClock(t *testing.T) {
	var c clock
	c.Now()
	c.last = c.last.Add(-500 * time.Millisecond)
	before := c.ms()
	c.last = c.last.Add(-32 * time.Second)
	if now := c.ms(); before < 500 || before > 1500 || now != before {
		t.Errorf("half a second later it is %d ms, and after 32 s without a look %d ms; want about 500, twice", before, now)
	}
}

// A browser that comes later gets what the others have, and each thing once: five minutes, and what is older and
// still so.
func TestBoard(t *testing.T) {
	b := newBoard()
	b.put("panel 0", "panel", "first", 0)
	for at := int64(1); at < 20*60_000; at += 100 {
		b.put(fmt.Sprint("sample ", at), "sample", at, at)
		b.put("sample of last", "sample", at/1000, at)
		b.put("panel 0", "panel", "first", 0)
	}
	news, last := b.since(0)
	if n := strings.Count(news, "event: "); n < 3000 || n > 3010 || !strings.Contains(news, `"first"`) {
		t.Errorf("%d events, want 3000 and a few: %.200s", n, news)
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
	b.press("send", `{"kind":"silent","n":5}`)
	for _, c := range []struct {
		panel  int
		file   string
		text   string
		counts [3]int // or of goroutine 1, if zero
	}{
		{0, "main.go", "\t\thandleConnection(conn)\n\t}", [3]int{}},
		{1, "main.go", "asyncHandleConnection(conn).await()", [3]int{}},
		{2, "main.go", ".Accept()", [3]int{}},
		{2, "main.go", "go handleConnection(conn)", [3]int{5, 5, 0}},
		{2, "http.go", "conn.Read(", [3]int{5, 5, 5}},
		{4, "main.go", ".Accept()", [3]int{}},
		{4, "http.go", "conn.Read(", [3]int{5, 0, 5}},
	} {
		source := readCode(c.panel, behaviour.Stages[c.panel].Folder)
		before, _, found := strings.Cut(source.Files[c.file], c.text)
		n := 1 + strings.Count(before, "\n")
		if !found || c.file == source.Loop.File && (n < source.Loop.First || n > source.Loop.Last) {
			t.Fatalf("the loop in panel %d, %+v, has no %q", c.panel, source.Loop, c.text)
		}
		line := fmt.Sprintf("%s:%d", c.file, n)
		b.until(fmt.Sprintf("%v are on line %s of panel %d", c.counts, line, c.panel), func() bool {
			seen := b.seen[c.panel]
			return c.counts == [3]int{} && slices.Contains(seen.Stack, line) || c.counts != [3]int{} && seen.Lines[line] == c.counts
		})
	}
	b.until("stage 5's tests are run, and no other has any", func() bool { return b.panels[4].Tests > 5 && b.panels[3].Tests == 0 })
}

// A stage is saved: with a mistake, with one that does not compile, and as it was.
func TestSave(t *testing.T) {
	stage := behaviour.Stages[2]
	folder := filepath.Join(t.TempDir(), stage.Folder)
	if err := os.CopyFS(folder, os.DirFS(stage.Folder)); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module saved\n\ngo 1.25\n"), 0o666)
	stage.Folder = folder
	b := open(t, []behaviour.Stage{stage})
	file := filepath.Join(folder, "main.go")
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
	b.press("send", `{"kind":"quick","n":1}`)
	b.is(0, "quick 1", timeline.Answered) // by the server from before
	save("go handleConnection(conn)", "handleConnection(conn)")
	b.until("the verdict is shown", func() bool {
		p := b.panels[0]
		return !p.OK && !p.Stale && strings.Contains(p.Text, "many-at-once/slow-request")
	})
	b.press("play", `{"scene":1,"act":0,"stage":3}`)
	b.until("it plays, and the verdict on the server before has gone", func() bool {
		return b.scene.State == "playing" && len(b.scene.Steps) > 0 && b.panels[0].Text == ""
	})
	save("", "")
	b.until("it does not count", func() bool { return b.scene.State == "void" && strings.Contains(b.scene.Reason, "saved") })
}

// A scene ends when it is stopped, or something else is pressed; and it does not count when its server does
// not run.
func TestScene(t *testing.T) {
	b := open(t, append(slices.Clone(behaviour.Stages[:1]), behaviour.Stage{Folder: "./nothing"}))
	play := func() { b.press("play", `{"scene":1,"act":0,"stage":1}`) }
	plays := func() bool { return b.scene.State == "playing" && len(b.scene.Steps) == 1 }
	play()
	b.until("it does not count", func() bool {
		return b.scene.State == "void" && strings.Contains(b.scene.Reason, "nothing does not run")
	})
	b.lab.scenes[1].Acts[0].To = []int{1}
	play()
	b.until("it plays", plays)
	if got := b.press("play", `{"scene":0,"act":0,"stage":1}`); got != http.StatusBadRequest {
		t.Errorf("a second scene: status %d", got)
	}
	b.press("stop", "{}")
	b.until("it is stopped", func() bool { return b.scene.State == "void" && strings.Contains(b.scene.Reason, "stopped") })
	play()
	b.until("it plays", plays)
	b.press("send", `{"kind":"quick","n":1}`)
	b.until("it does not count", func() bool {
		return b.scene.State == "void" && strings.Contains(b.scene.Reason, "pressed") && len(b.scene.Right) == 0
	})
}

// The accept loop is the innermost loop around what accepts, by whatever name.
func TestAcceptLoop(t *testing.T) {
	for _, call := range []string{"listener.Accept()", "l.AcceptTCP()", "syscall.Accept(fd)", "unix.Accept4(fd, 0)"} {
		source := "package main\n\nfunc main() {\n\tfor {\n\t\tfor {\n\t\t\tconn, err := " + call + "\n\t\t}\n\t}\n\tfor {\n\t}\n}\n"
		if got := acceptLoop("a.go", []byte(source)); got == nil || *got != (loop{"a.go", 5, 7}) {
			t.Errorf("the loop of %s is %+v, want lines 5 to 7", call, got)
		}
	}
}
