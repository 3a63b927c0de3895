package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
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
	Made   string     `json:"made"`
	Common []played   `json:"common"` // what is to be known before each act
	Acts   []recorded `json:"acts"`
}

// A recorded is an act that was recorded. Its times count from its beginning.
type recorded struct {
	Scene  int      `json:"scene"`
	Act    int      `json:"act"`
	End    int64    `json:"end"`
	Events []played `json:"events"`
}

// A played is an event, with its time and its name.
type played [3]any

const recordingsFile = "docs/lab/recordings.js"

// TestRecordings plays the scenes on the stages, and on stages that are broken. What happens to visitors of the stages
// has the order that was recorded, and the same answers are right; where a stage is broken, another answer is. With
// -update it records the scenes. With -short it leaves out the acts of 10,000 visitors, for whom the race detector has not
// enough goroutines.
func TestRecordings(t *testing.T) {
	if *update {
		record(t)
		return
	}
	b := share(t)
	for _, r := range readRecordings(t).Acts {
		a := &b.lab.scenes[r.Scene].Acts[r.Act]
		crowd := strings.HasPrefix(a.Steps[0].Do, "10000 ")
		if crowd && testing.Short() {
			continue
		}
		t.Run(fmt.Sprintf("%s/%d", b.lab.scenes[r.Scene].Title, r.Act+1), func(t *testing.T) {
			if crowd {
				open(t, behaviour.Stages).compare(t, r, *a) // a broken stage cannot have so many
				return
			}
			b.compare(t, r, *a)
		})
	}
}

// record records the scenes.
func record(t *testing.T) {
	b := open(t, behaviour.Stages)
	b.lab.pace = 1500 * time.Millisecond
	made := recordings{Made: fmt.Sprintf("Recorded on %s, on %s with %d processors, with %s.",
		time.Now().Format("2 January 2006"), system(), runtime.NumCPU(), runtime.Version())}
	for i, s := range b.lab.scenes {
		for j := range s.Acts {
			made.Acts = append(made.Acts, b.record(i, j))
		}
	}
	for _, e := range b.events {
		if e.name == "lab" || e.name == "code" {
			made.Common = append(made.Common, played{0, e.name, json.RawMessage(e.data)})
		}
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(workbook, recordingsFile)
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
	b.mu.Lock()
	b.play.State = ""
	b.mu.Unlock()
	b.does("play", `{"scene":%d,"act":%d,"stage":%d,"chosen":-1}`, scene, act, of)
	var p play
	b.until("it is played", func() bool {
		p = b.play
		return p.State != "" && p.State != "playing"
	})
	return p
}

// record plays an act, and returns its events, with times from its beginning on. What was before it is in those of
// time 0. Of what happens at nearly the same time, the last event that has the same key is kept.
func (b *browser) record(scene, act int) recorded {
	b.Helper()
	p := b.perform(scene, act)
	if p.State != "done" {
		b.Fatalf("scene %d, act %d: %s %s", scene, act, p.State, p.Reason)
	}
	const (
		begin  = 500 // ms, after which all is sent that was so at the beginning; the first step is later
		window = 100 // ms, in which what happens is one event
	)
	r := recorded{Scene: scene, Act: act, End: b.events[len(b.events)-1].at - p.From}
	begun := map[string]int{}           // where in r.Events the event of a key is that began a window
	samples := map[any]map[string]any{} // the last of each panel
	for _, e := range b.events {
		at := e.at - p.From
		if at < begin {
			at = 0
		}
		var data map[string]any
		if e.name == "now" || e.name == "lab" || e.name == "code" || json.Unmarshal([]byte(e.data), &data) != nil || !shift(data, p.From) {
			continue
		}
		key := fmt.Sprint(e.name, data["id"], data["n"])
		if i, ok := begun[key]; ok && at-r.Events[i][0].(int64) < window {
			r.Events[i][2] = data
			continue
		}
		begun[key] = len(r.Events)
		r.Events = append(r.Events, played{at, e.name, data})
	}
	for _, e := range r.Events { // of a sample, what has changed
		data := e[2].(map[string]any)
		if e[1] != "sample" {
			continue
		}
		whole := maps.Clone(data)
		maps.DeleteFunc(data, func(name string, value any) bool {
			return name != "id" && name != "at" && reflect.DeepEqual(value, samples[whole["id"]][name])
		})
		samples[whole["id"]] = whole
	}
	return r
}

// shift makes the times of an event count from an act's beginning, and takes away what nobody is to see. It returns
// false if the event belongs to an act before.
func shift(data map[string]any, from int64) bool {
	for _, name := range []string{"arrived", "accepted", "served", "over", "at", "from"} {
		if ms, ok := data[name].(float64); ok {
			if ms = ms - float64(from); ms < 0 && (name == "arrived" || name == "from" && data["scene"] != nil) {
				return false
			}
			data[name] = max(ms, 0)
		}
	}
	if steps, ok := data["steps"].([]any); ok {
		for i := range steps {
			steps[i] = steps[i].(float64) - float64(from)
		}
	}
	if stage, ok := data["stage"].(map[string]any); ok {
		delete(stage, "Behaviours")
		data["url"] = ""
	}
	return true
}

// The sources and the questions in the recordings are those that the workbook has.
func TestRecordedSources(t *testing.T) {
	for _, e := range readRecordings(t).Common {
		switch e[1] {
		case "code":
			var c code
			decode(e, &c)
			if now := readCode(c.ID, behaviour.Stages[c.ID].Folder); !reflect.DeepEqual(c, now) {
				t.Errorf("%s is not as in %s: make figures", behaviour.Stages[c.ID].Folder, recordingsFile)
			}
		case "lab":
			var lab struct{ Scenes []scene }
			decode(e, &lab)
			var scenes []scene
			if err := json.Unmarshal(theActs, &scenes); err != nil || !reflect.DeepEqual(lab.Scenes, scenes) {
				t.Errorf("scenes.json is not as in %s (%v): make figures", recordingsFile, err)
			}
		}
	}
}

func readRecordings(t *testing.T) (all recordings) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(workbook, recordingsFile))
	if err != nil {
		t.Fatal(err)
	}
	script := strings.TrimSuffix(strings.TrimPrefix(string(text), "const recordings = "), ";\n")
	if err := json.Unmarshal([]byte(script), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// decode decodes the data of an event.
func decode(e played, into any) {
	text, _ := json.Marshal(e[2])
	json.Unmarshal(text, into)
}

// end returns the lanes of a panel as the recording ends, and how the act was judged.
func (r recorded) end(panel int) (lanes []*lane, p play) {
	for _, e := range r.Events {
		switch e[1] {
		case "scene":
			p = play{}
			decode(e, &p)
		case "lane":
			l := &lane{}
			if decode(e, l); l.ID == panel {
				lanes = append(slices.DeleteFunc(lanes, func(known *lane) bool { return known.N == l.N }), l)
			}
		}
	}
	return lanes, p
}

// happened says in which order what happened to the visitors of a panel; of many, which ends there were. Some of those
// who are lost when a server dies may not have got a connection yet.
func happened(lanes []*lane) (all []string) {
	slices.SortFunc(lanes, func(a, b *lane) int { return a.N - b.N })
	times := map[string]int64{}
	add := func(what string, at int64) {
		if !slices.Contains(all, what) {
			all, times[what] = append(all, what), at
		}
	}
	for _, l := range lanes {
		if len(lanes) >= crowd {
			add(strings.Replace(string(l.Kind), "is refused", "is lost", 1), 0)
			continue
		}
		for i, at := range []int64{l.Arrived, l.Accepted, l.Served, l.Over} {
			if at > 0 {
				add(fmt.Sprintf("%s %s", l.Name, []any{"arrives", "is accepted", "is being served", l.Kind}[i]), at)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(times[a], times[b]) })
	return all
}

// right returns the choices of an act that what was seen of a panel makes right.
func (a act) right(p play, panel int) (right []int) {
	for i, choice := range a.Choices {
		for _, s := range p.Seen {
			if s.ID == panel && regexp.MustCompile(choice.When).MatchString(s.Seen) {
				right = append(right, i)
			}
		}
	}
	return right
}

// A right server is right at every speed, and a machine that is busy elsewhere makes the order of events doubtful
// at a high one. So an act that differs is played again, slower.
var speeds = []float64{4, 1, 0.25}

const endless = 20 // s, a patience that nobody is meant to outlast

// compare plays an act, and holds it against the recording.
func (b *browser) compare(t *testing.T, r recorded, a act) {
	defer func() { b.lab.scenes[r.Scene].Acts[r.Act] = a }()
	var wrong []string
	for _, speed := range speeds {
		timed := a
		timed.Slow, timed.Patience = a.Slow/speed, a.Patience/speed
		if a.Patience >= endless {
			timed.Patience = 1000
		}
		b.lab.scenes[r.Scene].Acts[r.Act] = timed
		p := b.perform(r.Scene, r.Act)
		wrong = nil
		for _, s := range p.Seen {
			stage := b.lab.panels[s.ID].Stage.Number
			lanes, was := r.end(stage - 1)
			now := a.right(p, s.ID)
			if s.ID >= len(behaviour.Stages) {
				same := slices.Equal(now, a.right(was, stage-1))
				if slices.Contains(broken[s.ID-len(behaviour.Stages)].acts, [2]int{r.Scene, r.Act}) && (same || len(now) == 0) {
					wrong = append(wrong, fmt.Sprintf("of the broken stage %d %v are right: %q", stage, now, s.Seen))
				}
				continue
			}
			var got []string
			b.lab.panels[s.ID].do(func() { got = happened(slices.Clone(b.lab.panels[s.ID].lanes)) })
			if want := happened(lanes); !slices.Equal(got, want) {
				wrong = append(wrong, fmt.Sprintf("stage %d: %q, and in the recording %q", stage, got, want))
			}
			if want := a.right(was, s.ID); !slices.Equal(now, want) || len(want) != 1 && slices.Contains(a.Of, stage) {
				wrong = append(wrong, fmt.Sprintf("stage %d: right are %v, and in the recording %v: %q", stage, now, want, s.Seen))
			}
		}
		if p.State == "done" && wrong == nil {
			return
		}
		t.Logf("at %v times the speed: %s %s %q", speed, p.State, p.Reason, wrong)
	}
	t.Errorf("the stages no longer do what was recorded; if that was meant: make figures\n%s", strings.Join(wrong, "\n"))
}

// broken is how stages are broken, and the acts, by scene and number, that have another answer then.
var broken = []struct {
	stage   int
	changes [][2]string
	acts    [][2]int
}{
	{1, [][2]string{{"\t\thandleConnection(conn)\n\t}", "\t\tgo handleConnection(conn)\n\t}"}}, [][2]int{{1, 0}, {1, 1}, {2, 0}, {3, 0}, {4, 0}}},
	{3, [][2]string{{"\t\tgo handleConnection(conn)", "\t\thandleConnection(conn)"}}, [][2]int{{1, 0}, {1, 1}, {2, 0}, {3, 0}, {4, 0}}},
	{4, [][2]string{
		{"os.Interrupt, syscall.SIGTERM", "syscall.SIGTERM"},
		{"\tconn.SetReadDeadline(time.Now().Add(*patience))\n", "\tbroken()\n"},
	}, [][2]int{{3, 1}, {4, 0}, {5, 0}, {5, 1}}},
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

// brokenStages makes the broken stages, in a folder of their own.
func brokenStages(t *testing.T) (stages []behaviour.Stage) {
	t.Helper()
	for _, b := range broken {
		s := behaviour.Stages[b.stage-1]
		folder := filepath.Join("broken", s.Folder)
		if err := os.CopyFS(folder, os.DirFS(s.Folder)); err != nil {
			t.Fatal(err)
		}
		tests, _ := filepath.Glob(filepath.Join(folder, "*_test.go"))
		for _, file := range tests {
			os.Remove(file)
		}
		file := filepath.Join(folder, "main.go")
		text, err := os.ReadFile(file)
		for _, c := range b.changes {
			if !strings.Contains(string(text), c[0]) {
				t.Fatalf("%s has no %q", file, c[0])
			}
			text = []byte(strings.Replace(string(text), c[0], c[1], 1))
		}
		if err := errors.Join(err, os.WriteFile(file, text, 0o666), os.WriteFile(filepath.Join(folder, "broken.go"), []byte(ignores), 0o666)); err != nil {
			t.Fatal(err)
		}
		s.Folder = folder
		stages = append(stages, s)
	}
	return stages
}
