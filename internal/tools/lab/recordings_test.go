package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
)

var update = flag.Bool("update", false, "record the scenes anew into docs/lab/recordings.js: make figures")

// Recordings are what a page without a server plays: the events that a lab sent.
type recordings struct {
	Made   string    `json:"made"`
	Common []entry   `json:"common"` // what is to be known before each act
	Acts   []recited `json:"acts"`
}

// A recited is an act that was recorded. Its times count from its beginning.
type recited struct {
	Scene  int     `json:"scene"`
	Act    int     `json:"act"`
	End    int64   `json:"end"`
	Events []entry `json:"events"`
}

// An entry is an event, with its time and its name.
type entry [3]any

const recorded = "docs/lab/recordings.js"

// TestRecordings plays the scenes, and holds what happens against what was recorded: who is accepted, served and
// gone in which order, and which answers are right. With -update it records them.
func TestRecordings(t *testing.T) {
	t.Parallel()
	b := open(t, 0, "")
	made := recordings{Made: fmt.Sprintf("Recorded on %s, on %s with %d processors, with %s.",
		time.Now().Format("2 January 2006"), system(), runtime.NumCPU(), runtime.Version())}
	if !*update {
		for _, r := range recordedActs(t) {
			t.Run(fmt.Sprintf("%s/%d", b.lab.scenes[r.Scene].Title, r.Act+1), func(t *testing.T) { b.compare(t, r) })
		}
		return
	}
	for i, s := range b.lab.scenes {
		for j := range s.Acts {
			made.Acts = append(made.Acts, b.record(i, j))
		}
	}
	for _, e := range b.events {
		if e.name == "lab" || e.name == "code" {
			made.Common = append(made.Common, entry{0, e.name, json.RawMessage(e.data)})
		}
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(workbook, recorded)
	os.MkdirAll(filepath.Dir(file), 0o777)
	script := strings.ReplaceAll("const recordings = "+string(text)+";\n", `]},{"scene"`, "]},\n{\"scene\"")
	if err := os.WriteFile(file, []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}
}

// system names the operating system, with its version if that can be had.
func system() string {
	version, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	number := regexp.MustCompile(`^\d+\.\d+`).FindString(string(version))
	return strings.TrimSpace(strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:] + " " + number)
}

// perform plays an act to its end, and returns how it went.
func (b *browser) perform(scene, act int) play {
	b.Helper()
	of := b.lab.scenes[scene].Acts[act].Of[0]
	b.until("no other act is played", func() bool { return b.play.State != "playing" })
	b.play.State = ""
	b.does("play", `{"scene":%d,"act":%d,"stage":%d,"chosen":-1}`, scene, act, of)
	b.until("it is played", func() bool { return b.play.State != "" && b.play.State != "playing" })
	return b.play
}

// A past is what a past event says.
type pastEvent struct {
	ID      int                          `json:"id"`
	Lanes   []lane                       `json:"lanes"`
	Samples []map[string]json.RawMessage `json:"samples"`
}

// record plays an act, and returns its events, with times from its beginning on. What was before it is in those of time 0.
func (b *browser) record(scene, act int) recited {
	b.Helper()
	p := b.perform(scene, act)
	if p.State != "done" {
		b.Fatalf("scene %d, act %d: %s %s", scene, act, p.State, p.Says)
	}
	const (
		settled = 500 // ms, after which all is sent that was so at the beginning; the first step is later
		window  = 100 // ms, in which what happens is one event
	)
	r, from := recited{Scene: scene, Act: act, End: b.events[len(b.events)-1].at - p.From}, p.From
	panels, pasts, flushed := map[int]entry{}, map[int]*pastEvent{}, int64(0)
	flush := func(at int64) {
		for id := range len(b.panels) {
			if e, ok := panels[id]; ok {
				r.Events = append(r.Events, e)
			}
			if e, ok := pasts[id]; ok {
				r.Events = append(r.Events, entry{at, "past", e})
			}
		}
		clear(panels)
		clear(pasts)
		flushed = at
	}
	for _, e := range b.events {
		at := max(e.at-from, 0)
		if at < settled {
			at = 0
		}
		if at-flushed >= window {
			flush(at)
		}
		switch e.name {
		case "panel":
			var panel map[string]any
			json.Unmarshal([]byte(e.data), &panel)
			const most = 4000 // bytes, which show what a dump is like
			dump := panel["dump"].(string)
			delete(panel["stage"].(map[string]any), "Behaviours")
			panel["from"], panel["url"], panel["dump"] = 0, "", dump[:min(len(dump), most)]
			panels[int(panel["id"].(float64))] = entry{at, e.name, panel}
		case "scene":
			var s play
			if json.Unmarshal([]byte(e.data), &s); s.From == from {
				flush(at)
				s.From, s.Until = 0, s.Until-from
				for i := range s.Steps {
					s.Steps[i] -= from
				}
				r.Events = append(r.Events, entry{at, e.name, s})
			}
		case "past":
			var news pastEvent
			json.Unmarshal([]byte(e.data), &news)
			if pasts[news.ID] == nil {
				pasts[news.ID] = &pastEvent{ID: news.ID, Lanes: []lane{}, Samples: []map[string]json.RawMessage{{}}}
			}
			pasts[news.ID].add(news, from)
		}
	}
	flush(r.End)
	return r
}

// add adds what happened later. Of the same lane the last state counts, and all samples become one.
func (p *pastEvent) add(news pastEvent, from int64) {
	for _, l := range news.Lanes {
		if l.Arrived < from {
			continue
		}
		for _, t := range []*int64{&l.Arrived, &l.Accepted, &l.Served, &l.Over} {
			*t = max(*t-from, 0)
		}
		if i := slices.IndexFunc(p.Lanes, func(known lane) bool { return known.N == l.N }); i >= 0 {
			p.Lanes[i] = l
		} else {
			p.Lanes = append(p.Lanes, l)
		}
	}
	for _, s := range news.Samples {
		var at int64
		json.Unmarshal(s["at"], &at)
		maps.Copy(p.Samples[0], s)
		p.Samples[0]["at"] = json.RawMessage(fmt.Sprint(max(at-from, 0)))
	}
}

// The sources and the questions in the recordings are those that the workbook has.
func TestRecordedSources(t *testing.T) {
	for _, e := range readRecordings(t).Common {
		switch e[1] {
		case "code":
			var c code
			decode(e, &c)
			for name, f := range c.Files {
				file := filepath.Join(workbook, behaviour.Stages[c.ID].Folder, name)
				if text, err := os.ReadFile(file); err != nil || string(text) != f.Text {
					t.Errorf("%s is not as in %s (%v): make figures", file, recorded, err)
				}
			}
		case "lab":
			var lab struct{ Scenes []scene }
			decode(e, &lab)
			was, _ := json.Marshal(lab.Scenes)
			now, err := files.ReadFile("scenes.json")
			var scenes []scene
			if json.Unmarshal(now, &scenes); err == nil {
				now, err = json.Marshal(scenes)
			}
			if err != nil || string(now) != string(was) {
				t.Errorf("scenes.json is not as in %s (%v): make figures", recorded, err)
			}
		}
	}
}

// recordedActs reads the acts of the recordings.
func recordedActs(t *testing.T) []recited { return readRecordings(t).Acts }

func readRecordings(t *testing.T) (all recordings) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(workbook, recorded))
	if err != nil {
		t.Fatal(err)
	}
	script := strings.TrimSuffix(strings.TrimPrefix(string(text), "const recordings = "), ";\n")
	if err := json.Unmarshal([]byte(script), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// decode decodes the data of an entry.
func decode(e entry, into any) {
	text, _ := json.Marshal(e[2])
	json.Unmarshal(text, into)
}

// lanes returns the lanes of a panel, and how the act was judged, as the recording ends.
func (r recited) lanes(panel int) (lanes []lane, p play) {
	for _, e := range r.Events {
		var past pastEvent
		switch e[1] {
		case "scene":
			p = play{}
			decode(e, &p)
		case "past":
			if decode(e, &past); past.ID == panel {
				for _, l := range past.Lanes {
					lanes = append(slices.DeleteFunc(lanes, func(known lane) bool { return known.N == l.N }), l)
				}
			}
		}
	}
	return lanes, p
}

// happened says in which order what happened to the visitors of a panel; of many, how many had which end.
func happened(lanes []lane) (all []string) {
	slices.SortFunc(lanes, func(a, b lane) int { return a.N - b.N })
	type thing struct {
		at   int64
		what string
	}
	var things []thing
	for _, l := range lanes {
		for i, at := range []int64{l.Arrived, l.Accepted, l.Served, l.Over} {
			if at > 0 && len(lanes) < crowd {
				things = append(things, thing{at, fmt.Sprintf("%s %s", l.Name, []any{"arrives", "is accepted", "is being served", l.Kind}[i])})
			}
		}
	}
	slices.SortStableFunc(things, func(a, b thing) int { return int(a.at - b.at) })
	for _, th := range things {
		all = append(all, th.what)
	}
	if len(lanes) >= crowd {
		ends := map[string]int{}
		for _, l := range lanes {
			ends[string(l.Kind)]++
		}
		all = append(all, fmt.Sprint(ends))
	}
	return all
}

// right returns the choices of an act that what was seen of a stage makes right.
func (b *browser) right(p play, stage int) (right []int) {
	for i, choice := range b.lab.scenes[p.Scene].Acts[p.Act].Choices {
		for _, s := range p.Seen {
			if b.lab.panels[s.ID].Stage.Number == stage && regexp.MustCompile(choice.When).MatchString(s.Seen) {
				right = append(right, i)
			}
		}
	}
	return right
}

// A right server is right at every speed, and a machine that is busy elsewhere makes the order of events doubtful
// at a high one. So an act that differs is played again, slower.
var speeds = []float64{4, 1, 0.25}

// compare plays an act, and holds it against the recording.
func (b *browser) compare(t *testing.T, r recited) {
	if strings.HasPrefix(b.lab.scenes[r.Scene].Acts[r.Act].Steps[0].Do, "10000 ") && testing.Short() {
		t.Skip("10,000 visitors take long under the race detector")
	}
	a := &b.lab.scenes[r.Scene].Acts[r.Act]
	slow, patience := a.Slow, a.Patience
	defer func() { a.Slow, a.Patience = slow, patience }()
	var differs []string
	for _, speed := range speeds {
		a.Slow, a.Patience, b.lab.pace = slow/speed, patience/speed, 0
		p := b.perform(r.Scene, r.Act)
		differs = nil
		for _, s := range p.Seen {
			lanes, was := r.lanes(s.ID)
			now, _ := b.lab.board.between(s.ID, p.From, b.lab.clock.ms())
			if got, want := happened(now), happened(lanes); !slices.Equal(got, want) {
				differs = append(differs, fmt.Sprintf("panel %d: %q, and in the recording %q", s.ID, got, want))
			}
			stage := b.lab.panels[s.ID].Stage.Number
			got, want := b.right(p, stage), b.right(was, stage)
			if !slices.Equal(got, want) || len(want) != 1 && slices.Contains(a.Of, stage) {
				differs = append(differs, fmt.Sprintf("panel %d: right are %v, and in the recording %v, because %s", s.ID, got, want, s.Seen))
			}
		}
		if p.State == "done" && differs == nil {
			return
		}
		t.Logf("at %v times the speed: %s %s %q", speed, p.State, p.Says, differs)
	}
	t.Errorf("the stages no longer do what was recorded; if that was meant: make figures\n%s", strings.Join(differs, "\n"))
}

// breaks is how each stage is broken, so that the acts have another answer.
var breaks = []struct {
	stage int
	texts [][2]string
	acts  [][2]int // scene and act
}{
	{1, [][2]string{{"\t\thandleConnection(conn)\n\t}", "\t\tgo handleConnection(conn)\n\t}"}}, [][2]int{{1, 0}, {1, 1}, {2, 0}, {3, 0}, {4, 0}}},
	{2, [][2]string{{"\t\tasyncHandleConnection(conn).await()", "\t\tgo asyncHandleConnection(conn).await()"}}, [][2]int{{1, 0}, {2, 0}, {3, 0}}},
	{3, [][2]string{{"\t\tgo handleConnection(conn)", "\t\thandleConnection(conn)"}}, [][2]int{{1, 0}, {1, 1}, {2, 0}, {3, 0}, {4, 0}}},
	{4, [][2]string{
		{"os.Interrupt, syscall.SIGTERM", "syscall.SIGTERM"},
		{"\tconn.SetReadDeadline(time.Now().Add(*patience))\n", "\tbroken()\n"},
	}, [][2]int{{3, 1}, {4, 0}, {5, 0}, {5, 1}}},
	{5, [][2]string{
		{"os.Interrupt, syscall.SIGTERM", "syscall.SIGTERM"},
		{"\tconn.SetReadDeadline(time.Now().Add(*patience))\n", ""},
		{"handlers.Go(func() { serve(ctx, conn) })", "serve(ctx, conn)"},
	}, [][2]int{{1, 0}, {2, 0}, {3, 0}, {5, 2}}},
}

// ignores is a file that makes a stage ignore Ctrl-C, and locks a goroutine to its thread where it is called.
const ignores = `package main

import (
	"os"
	"os/signal"
	"runtime"
)

func init() { signal.Ignore(os.Interrupt) }

func broken() { runtime.LockOSThread() }
`

// What a stage does decides which answer is right: of a broken stage it is another one than was recorded.
func TestBroken(t *testing.T) {
	acts := recordedActs(t)
	played := map[[2]int]bool{}
	for _, br := range breaks {
		folder := behaviour.Stages[br.stage-1].Folder
		file, broken := filepath.Join(folder, "main.go"), filepath.Join(folder, "broken.go")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := string(text)
		for _, c := range br.texts {
			if !strings.Contains(changed, c[0]) {
				t.Fatalf("%s has no %q", file, c[0])
			}
			changed = strings.Replace(changed, c[0], c[1], 1)
		}
		if err := errors.Join(os.WriteFile(file, []byte(changed), 0o666), os.WriteFile(broken, []byte(ignores), 0o666)); err != nil {
			t.Fatal(err)
		}
		defer func() {
			os.WriteFile(file, text, 0o666)
			os.Remove(broken)
		}()
		for _, act := range br.acts {
			played[act] = true
		}
	}
	b := open(t, 0, "")
	for _, r := range acts {
		if act := [2]int{r.Scene, r.Act}; played[act] {
			t.Run(fmt.Sprint(act), func(t *testing.T) { b.differ(t, r) })
		}
	}
}

// differ plays an act until it has other right answers than were recorded, slower each time.
func (b *browser) differ(t *testing.T, r recited) {
	a := &b.lab.scenes[r.Scene].Acts[r.Act]
	slow, patience := a.Slow, a.Patience
	defer func() { a.Slow, a.Patience = slow, patience }()
	_, was := r.lanes(0)
	var same []string
	for _, speed := range speeds {
		a.Slow, a.Patience, b.lab.pace = slow/speed, patience/speed, 0
		p := b.perform(r.Scene, r.Act)
		same = nil
		for _, br := range breaks {
			got := b.right(p, br.stage)
			if slices.Contains(br.acts, [2]int{r.Scene, r.Act}) && (len(got) == 0 || slices.Equal(got, b.right(was, br.stage))) {
				same = append(same, fmt.Sprintf("of stage %d %v are right: %q", br.stage, got, p.Seen))
			}
		}
		if same == nil {
			return
		}
	}
	t.Errorf("the broken stages have the same right answers:\n%s", strings.Join(same, "\n"))
}
