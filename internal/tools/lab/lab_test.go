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
	cp := exec.Command("sh", "-c", `cp -r go.mod go.sum internal testdata docs stage* "$0"`, temp)
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
	fields []map[string]json.RawMessage // of the last sample of each panel
	seen   []sample
	play   play
}

// An event is one of the stream.
type event struct {
	at   int64
	name string
	data string
}

// open starts a lab, and waits until all of its servers run or have failed.
func open(t *testing.T, stage int, own string) *browser {
	t.Helper()
	l, err := newLab(t.TempDir(), stage, own)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(l.handler())
	b := &browser{T: t, lab: l, url: web.URL, panels: make([]panel, len(l.panels)), seen: make([]sample, len(l.panels))}
	for range l.panels {
		b.lanes, b.fields = append(b.lanes, map[int]lane{}), append(b.fields, map[string]json.RawMessage{})
	}
	stream, err := http.Get(web.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stream.Body.Close()
		web.Close()
		for _, p := range l.panels {
			p.do(func() {
				p.cancel()
				if p.program = nil; p.recorder != nil {
					p.server.Kill()
				}
			})
		}
	})
	go b.read(stream.Body)
	for i := range l.panels {
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
	var which struct{ ID int }
	json.Unmarshal([]byte(e.data), &which)
	var err error
	switch e.name {
	case "now":
		err = json.Unmarshal([]byte(e.data), &e.at)
	case "panel":
		b.panels[which.ID] = panel{}
		err = json.Unmarshal([]byte(e.data), &b.panels[which.ID])
	case "scene":
		b.play = play{}
		err = json.Unmarshal([]byte(e.data), &b.play)
	case "past":
		var past struct {
			Lanes   []lane
			Samples []map[string]json.RawMessage
		}
		err = json.Unmarshal([]byte(e.data), &past)
		for _, l := range past.Lanes {
			b.lanes[which.ID][l.N] = l
		}
		for _, news := range past.Samples {
			maps.Copy(b.fields[which.ID], news)
			whole, _ := json.Marshal(b.fields[which.ID])
			b.seen[which.ID] = sample{}
			err = json.Unmarshal(whole, &b.seen[which.ID])
		}
	}
	if err != nil {
		b.Errorf("%s: %s: %v", e.name, e.data, err)
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
	for holds := false; !holds; time.Sleep(20 * time.Millisecond) {
		b.mu.Lock()
		holds = cond()
		if !holds && time.Now().After(deadline) {
			b.Fatalf("not so: %s\n%+v\n%+v\n%+v\n%+v", what, b.panels, b.lanes, b.seen, b.play)
		}
		b.mu.Unlock()
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
	b.lab.forget()
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
		if l.Name == name && n >= last.N {
			last = l
		}
	}
	return last
}

// is waits until something is what happened last to a visitor.
func (b *browser) is(panel int, name, kind string) {
	b.Helper()
	b.until(fmt.Sprintf("panel %d: %s %s", panel, name, kind), func() bool { return string(b.lane(panel, name).Kind) == kind })
}

// order returns the names of the visitors of a panel in the order of a time.
func (b *browser) order(panel int, when func(l lane) int64) (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range slices.SortedFunc(maps.Values(b.lanes[panel]), func(a, b lane) int { return int(when(a) - when(b)) }) {
		names = append(names, l.Name)
	}
	return names
}

// concurrent and free say what the ladder has of the stage in a panel.
func concurrent(panel int) bool { return behaviour.Stages[panel].Has("many-at-once") }
func free(panel int) bool       { return behaviour.Stages[panel].Has("waiting-is-free") }

// A silent visitor and half a request are accepted, and not served. Where others wait for them, they are served
// when those have left.
func TestVisitors(t *testing.T) {
	t.Parallel()
	b := open(t, 0, "")
	b.set(6)
	b.does("send", `{"kind":"silent","n":1}`)
	for panel := range 5 {
		b.is(panel, "silent 1", "is accepted")
	}
	b.does("send", `{"kind":"slow","n":1}`)
	b.does("send", `{"kind":"half","n":1}`)
	for panel := range 5 {
		if concurrent(panel) {
			b.is(panel, "slow 1", "is being served")
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
		l := b.lane(panel, "slow 1")
		if waited := l.Served > b.lane(panel, "silent 1").Over; waited == concurrent(panel) {
			t.Errorf("panel %d: slow 1 %+v, silent 1 %+v", panel, l, b.lane(panel, "silent 1"))
		}
	}
}

// Of 200 silent visitors, the one who is accepted is drawn, and those that are not are counted. How they end is
// seen of all, whether they are drawn or not.
func TestCrowd(t *testing.T) {
	t.Parallel()
	b := open(t, 0, "")
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

// A group is served in the order in which it is drawn; the one who is named is reset, or else the one whom the server has
// accepted; after Ctrl-C it has closed the descriptor that it listened on, and no visitor's.
func TestOrder(t *testing.T) {
	t.Parallel()
	b := open(t, 0, "")
	b.set(1)
	b.does("send", `{"to":1,"kind":"slow","n":5}`)
	b.is(0, "slow 5", "arrives")
	b.does("reset", `{"to":1,"name":"slow 4"}`)
	b.is(0, "slow 4", "leaves")
	b.is(0, "slow 5", "is answered")
	want := []string{"slow 4", "slow 1", "slow 2", "slow 3", "slow 5"}
	if got := b.order(0, func(l lane) int64 { return l.Over }); !slices.Equal(got, want) {
		t.Errorf("the visits end in the order %q, want %q", got, want)
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
}

// What is asked for is bounded, and what cannot be done is refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	b := open(t, 1, "")
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

// A browser that comes later gets what the others have: five minutes, and no more than so much.
func TestBoard(t *testing.T) {
	b := newBoard(1)
	old := &lane{Name: "old", Arrived: 1}
	b.addLane(0, old)
	b.changeLane(old, func(l *lane) { l.Over = 5 })
	for i := range mostSamples * 3 {
		b.addLane(0, &lane{Name: "young", Arrived: 1, Over: int64(i) * 100})
		b.addSample(0, sample{At: int64(i) * 100, Threads: i})
		b.addSample(0, sample{At: int64(i)*100 + 1, Threads: i}) // the same
	}
	lanes, samples := b.pasts[0].since(0)
	if len(lanes) > mostLanes+100 || len(samples) > mostSamples+100 || len(samples) < mostSamples || strings.Contains(lanes[0], "old") {
		t.Errorf("%d lanes and %d samples, the first of which are %s and %s", len(lanes), len(samples), lanes[0], samples[0])
	}
	var whole sample
	if err := json.Unmarshal([]byte(samples[0]), &whole); err != nil || whole.Threads == 0 || !strings.Contains(samples[0], `"place"`) {
		t.Errorf("the first sample is not whole: %s", samples[0])
	}
	last := 3*mostSamples - 1
	if got, want := samples[len(samples)-1], fmt.Sprintf(`{"at":%d,"threads":%d}`, last*100, last); got != want {
		t.Errorf("the last sample is %s, want %s", got, want)
	}
}

// The goroutines of the visitors stand on the lines of the accept loop and of the handler.
func TestLines(t *testing.T) {
	t.Parallel()
	b := open(t, 0, "")
	b.set(1000)
	b.does("send", `{"kind":"silent","n":5}`)
	for panel := range 5 {
		var source code
		b.until("the source is sent", func() bool {
			for _, e := range b.events {
				if e.name == "code" && strings.HasPrefix(e.data, fmt.Sprintf(`{"id":%d,`, panel)) {
					json.Unmarshal([]byte(e.data), &source)
				}
			}
			return source.Loop != nil
		})
		line := func(name string) string { // the line of main.go or http.go that has the text
			file, text, _ := strings.Cut(name, " ")
			before, _, found := strings.Cut(source.Files[file].Text, text)
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
	b.until("stage 5's tests are run", func() bool { return b.panels[4].Tests > 5 })
	if b.panels[3].Tests != 0 {
		t.Errorf("stage 4 has %d tests without a network", b.panels[3].Tests)
	}
}

// A stage is saved: with a mistake, with one that does not compile, and as it was.
func TestSave(t *testing.T) {
	b := open(t, 3, "")
	file := filepath.Join(behaviour.Stages[2].Folder, "main.go")
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
	defer os.WriteFile(file, right, 0o666)
	save("go handleConnection(conn)", "go handleConnection(con)")
	b.until("it does not build", func() bool { return b.panels[0].Stale && strings.Contains(b.panels[0].Words, "undefined: con") })
	b.does("send", `{"kind":"quick","n":1}`)
	b.is(0, "quick 1", "is answered") // by the server from before
	save("go handleConnection(conn)", "handleConnection(conn)")
	b.until("the verdict is told", func() bool { return b.panels[0].Text != "" && !b.panels[0].OK })
	if p := b.panels[0]; p.Stale || !strings.Contains(p.Text, "many-at-once/slow-request") {
		t.Errorf("the panel has %+v", p)
	}
	b.does("play", `{"scene":1,"act":0,"stage":3,"chosen":0}`)
	b.until("it plays", func() bool { return b.play.State == "playing" && len(b.play.Steps) > 0 })
	if b.panels[0].Text != "" {
		t.Errorf("the verdict stays when the server is started anew: %q", b.panels[0].Text)
	}
	save("", "")
	b.until("it does not count", func() bool { return b.play.State == "void" && strings.Contains(b.play.Says, "saved") })
	b.until("the verdict is told", func() bool { return b.panels[0].OK })
}

// A scene ends when it is stopped, or something else is pressed; and it does not count when its server does
// not run.
func TestScene(t *testing.T) {
	t.Parallel()
	b := open(t, 1, "./nothing")
	play := func(chosen int) { b.does("play", `{"scene":1,"act":0,"stage":1,"chosen":%d}`, chosen) }
	play(1)
	b.until("it does not count", func() bool { return b.play.State == "void" && strings.Contains(b.play.Says, "nothing does not run") })
	b.lab.panels = b.lab.panels[:1]
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
	b.until("it does not count", func() bool { return b.play.State == "void" && strings.Contains(b.play.Says, "pressed") })
	if len(b.play.Right) > 0 {
		t.Errorf("right are %v", b.play.Right)
	}
}

// The pages that are read beside the servers have their anchors, and a folder leads to its files.
func TestBook(t *testing.T) {
	t.Parallel()
	b := open(t, 1, "")
	for path, want := range map[string]string{
		"/book/stage3-spawned/main.go":   `id="L53"`,
		"/book/docs/glossary.md":         `id="poller"`,
		"/book/docs":                     "<h1",
		"/book/stage3-spawned":           `href="/book/stage3-spawned/http.go"`,
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
