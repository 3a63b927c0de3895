package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
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

// A recorded is an act that was recorded. It begins at the time of its first event.
type recorded struct {
	Scene  int      `json:"scene"`
	Act    int      `json:"act"`
	Events []played `json:"events"`
}

// A played is the time of an event, its name and its data.
type played [3]any

const recordingsFile = "docs/lab/recordings.js"

// TestRecordings plays the scenes on the stages. What happens to visitors has the order that was recorded, and the same
// answers are right. With -update it records the scenes. With -short it leaves out the acts of 10,000 visitors, for whom
// the race detector has not enough goroutines.
func TestRecordings(t *testing.T) {
	if *update {
		record(t)
		return
	}
	b := share(t)
	for _, r := range readRecordings(t).Acts {
		a := b.lab.scenes[r.Scene].Acts[r.Act]
		if crowd := strings.HasPrefix(a.Steps[0].Do, "10000 "); !crowd || !testing.Short() {
			t.Run(fmt.Sprintf("%s/%d", b.lab.scenes[r.Scene].Title, r.Act+1), func(t *testing.T) { b.compare(t, r, a) })
		}
	}
}

// record records the scenes.
func record(t *testing.T) {
	b := open(t, behaviour.Stages)
	b.lab.pace = 1500 * time.Millisecond
	made := recordings{Made: fmt.Sprintf("Recorded on %s, on %s with %d processors, with %s.",
		time.Now().Format("2 January 2006"), runtime.GOOS, runtime.NumCPU(), runtime.Version())}
	for _, e := range b.events {
		if e.name == "lab" || e.name == "code" {
			made.Common = append(made.Common, played{0, e.name, json.RawMessage(e.data)})
		}
	}
	for i, s := range b.lab.scenes {
		for j := range s.Acts {
			made.Acts = append(made.Acts, b.record(i, j))
		}
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll("const recordings = "+string(text)+";\n", `]},{"scene"`, "]},\n{\"scene\"")
	if err := os.WriteFile(recordingsFile, []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}
}

// perform plays an act to its end, and returns how it went.
func (b *browser) perform(scene, act int) (p performance) {
	b.Helper()
	b.mu.Lock()
	b.scene.State = ""
	b.mu.Unlock()
	b.press("play", `{"scene":%d,"act":%d,"stage":%d}`, scene, act, b.lab.scenes[scene].Acts[act].Of[0])
	b.until("it is played", func() bool {
		p = b.scene
		return p.State != "" && p.State != "playing"
	})
	return p
}

// record plays an act, and returns its events. What was before its beginning is in those of that time. Of what happens at
// nearly the same time, the last event that has the same key is kept.
func (b *browser) record(scene, act int) recorded {
	b.Helper()
	p := b.perform(scene, act)
	if p.State != "done" {
		b.Fatalf("scene %d, act %d: %s %s", scene, act, p.State, p.Reason)
	}
	const (
		begin  = 500 // ms, after which all is sent that was so at the beginning; the first step is later
		window = 200 // ms, in which what happens is one event: so the recordings are small enough
	)
	r := recorded{Scene: scene, Act: act}
	begun := map[string]int{} // where in r.Events the event of a key is that began a window
	for _, e := range b.events {
		at := e.at
		if at < p.From+begin {
			at = p.From
		}
		switch {
		case e.name == "now" || e.name == "lab" || e.name == "code",
			e.name == "lane" && decode[lane](e.data).Arrived < p.From, // of an act before
			e.name == "scene" && decode[performance](e.data).From < p.From:
			continue
		}
		which := decode[struct{ ID, N int }](e.data)
		key := fmt.Sprint(e.name, which)
		if i, ok := begun[key]; ok && at-r.Events[i][0].(int64) < window {
			r.Events[i][2] = json.RawMessage(e.data)
			continue
		}
		begun[key] = len(r.Events)
		r.Events = append(r.Events, played{at, e.name, json.RawMessage(e.data)})
	}
	return r
}

// The sources and the questions in the recordings are those that the workbook has.
func TestRecordedSources(t *testing.T) {
	for _, e := range readRecordings(t).Common {
		switch e[1] {
		case "code":
			c := decode[code](e.data())
			if now := readCode(c.ID, behaviour.Stages[c.ID].Folder); !reflect.DeepEqual(c, now) {
				t.Errorf("%s is not as in %s: make figures", behaviour.Stages[c.ID].Folder, recordingsFile)
			}
		case "lab":
			recorded := decode[struct{ Scenes []scene }](e.data()).Scenes
			if now := decode[[]scene](string(scenesFile)); !reflect.DeepEqual(recorded, now) {
				t.Errorf("scenes.json is not as in %s: make figures", recordingsFile)
			}
		}
	}
}

func readRecordings(t *testing.T) recordings {
	t.Helper()
	text, err := os.ReadFile(recordingsFile)
	if err != nil {
		t.Fatal(err)
	}
	return decode[recordings](strings.TrimSuffix(strings.TrimPrefix(string(text), "const recordings = "), ";\n"))
}

// data returns the data of an event.
func (e played) data() string {
	text, _ := json.Marshal(e[2])
	return string(text)
}

// performance returns how the act went when it was recorded.
func (r recorded) performance() (p performance) {
	for _, e := range r.Events {
		if e[1] == "scene" {
			p = decode[performance](e.data())
		}
	}
	return p
}

// varying matches what differs from one performance to the next: how many threads the runtime has, how many of a crowd are
// served at once, if more than one is, and which of the lost visitors had a connection.
var varying = regexp.MustCompile(`has \d+ threads| ([2-9]|1\d|20) of them served|(; \d+ (lost|refused))+`)

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
		for i, was := range r.performance().Seen[:len(p.Seen)] {
			seen, stage := p.Seen[i].Seen, b.lab.panels[was.ID].Stage.Number
			got, want := varying.ReplaceAllString(seen, " ..."), varying.ReplaceAllString(was.Seen, " ...")
			if right := a.right(seen); got != want || len(right) != 1 && slices.Contains(a.Of, stage) {
				wrong = append(wrong, fmt.Sprintf("stage %d: %q, of which %v are right, and in the recording %q", stage, got, right, want))
			}
		}
		if p.State == "done" && wrong == nil {
			return
		}
		t.Logf("at %v times the speed: %s %s %q", speed, p.State, p.Reason, wrong)
	}
	t.Errorf("the stages no longer do what was recorded; if that was meant: make figures\n%s", strings.Join(wrong, "\n"))
}
