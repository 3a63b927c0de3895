package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
	"example.com/concurrent-web-server/internal/visitor"
)

// A panel is one server of the lab. The page is sent its exported fields. All that may
// change belongs to one goroutine, that of loop, which calls the methods unless they say
// otherwise; others send it a function to call.
type panel struct {
	ID       int             `json:"id"`
	Stage    behaviour.Stage `json:"stage"`    // with number 0 if it is the reader's own
	Slow     int             `json:"slow"`     // seconds that the slow request takes
	Patience int             `json:"patience"` // seconds that a visitor may take to ask
	run
	verdict

	lab     *lab
	calls   chan func()
	cancel  context.CancelFunc // ends the build and the stories that are under way
	program *server.Program    // nil until one is built
}

// A verdict is what the stories say of a server.
type verdict struct {
	Told  string   `json:"told"`  // how far they are told
	Lines []string `json:"lines"` // what the server does, behaviour by behaviour
	Text  string   `json:"verdict"`
	OK    bool     `json:"ok"`
}

// A lane is one visitor. Times are in milliseconds of the lab's clock, 0 for what has not
// happened.
type lane struct {
	Name    string        `json:"name"`
	Arrived int64         `json:"arrived"`
	Served  int64         `json:"served"`
	Over    int64         `json:"over"`
	Kind    timeline.Kind `json:"kind"` // what happened last
}

// The requests of the visitors, by kind. One who sends half a request goes on waiting
// for an answer.
var requests = map[string]string{
	"quick":  visitor.Request("GET", "/"),
	"slow":   visitor.Request("GET", "/sleep"),
	"silent": "",
	"half":   "GET / HTTP/1.1\r\nHost: local",
}

const (
	resolution = 40 * time.Millisecond // how often the visitors are looked at
	many       = 1000                  // visitors, beside whom no group comes
)

// loop is the panel's own goroutine.
func (p *panel) loop() {
	for ticker := time.Tick(resolution); ; {
		select {
		case f := <-p.calls:
			f()
		case <-ticker:
			if !p.look() {
				continue
			}
		}
		p.lab.update(1+p.ID, "panel", p, func() {})
	}
}

// do has the panel's goroutine call f, and waits until it has. It is called by others.
func (p *panel) do(f func()) {
	done := make(chan struct{})
	p.calls <- func() { f(); close(done) }
	<-done
}

// look looks at the visitors who are there and at the server, if it runs.
func (p *panel) look() (runs bool) {
	if p.recorder == nil {
		return false
	}
	p.recorder.Look()
	p.Here = p.recorder.Here()
	if p.server.Exited() {
		p.ended("")
	} else if time.Now().After(p.next) {
		p.observe(time.Now())
	}
	return true
}

// tell puts into the panel what has happened to a visitor.
func (p *panel) tell(e timeline.Event) {
	at := max(e.At.Milliseconds(), 1)
	if e.Kind == timeline.Accepted {
		e.Kind = timeline.Served
	}
	if e.Kind == timeline.Arrives {
		const most = 100
		if len(p.Lanes) == most { // those who are gone make room first
			i := max(slices.IndexFunc(p.Lanes, func(l lane) bool { return l.Over > 0 }), 0)
			p.Lanes = slices.Delete(p.Lanes, i, i+1)
		}
		p.Lanes = append(p.Lanes, lane{Name: e.Visitor, Arrived: at, Kind: e.Kind})
		return
	}
	l := new(lane) // of one who is only counted
	if i := slices.IndexFunc(p.Lanes, func(l lane) bool { return l.Name == e.Visitor }); i >= 0 {
		l = &p.Lanes[i]
	}
	if l.Kind = e.Kind; e.Kind == timeline.Served {
		l.Served = at
		return
	}
	l.Over = at
}

// send has visitors of a kind come; no group, if many are there already.
func (p *panel) send(kind string, names []string) {
	if p.recorder == nil || p.Here > many && len(names) > 1 {
		return
	}
	p.recorder.Send(requests[kind], names...)
}

// leave has all leave who are silent, or else the one who came last, with a reset.
func (p *panel) leave(silent bool) {
	if p.recorder == nil {
		return
	}
	n, last := 0, p.Here
	p.recorder.Leave(!silent, func(name string, _, _ bool) bool {
		n++
		return silent && strings.HasPrefix(name, "silent ") || !silent && n == last
	})
}

func (p *panel) signal(sig syscall.Signal) {
	if p.recorder != nil {
		p.interrupted = p.server.Signal(sig) == nil
	}
}

// clear takes off the panel what has been read: words, a dump, a verdict, and lanes.
func (p *panel) clear() {
	p.Words, p.Dump, p.verdict = "", "", verdict{}
	p.Lanes = slices.DeleteFunc(p.Lanes, func(l lane) bool { return l.Over > 0 })
}

// rebuild builds the server, unless another build begins meanwhile, and swaps it for the one that
// runs, which goes on if it does not build. Then it has the stories told, if asked to.
func (p *panel) rebuild(examine bool) {
	p.cancel()
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	if examine {
		p.verdict = verdict{Told: "the stories are to be told"}
	}
	go func() {
		program, err := server.Open(p.Stage.Folder, "-overlay="+p.lab.overlay, "-trimpath", "-buildvcs=false")
		p.calls <- func() {
			switch {
			case ctx.Err() != nil: // the program is removed when the lab ends
			case err != nil:
				p.failed(err)
			default:
				if p.program != nil {
					p.program.Close()
				}
				p.program = program
				p.restart()
				if examine && p.recorder != nil {
					go p.examine(ctx, program)
				}
			}
		}
	}()
}

// examine has the stories told, as make check does, and shows what came of them. It is
// called in a goroutine of its own.
func (p *panel) examine(ctx context.Context, program *server.Program) {
	show := func(v verdict) {
		p.calls <- func() {
			if ctx.Err() == nil { // no other one has been built
				p.verdict, p.Words = v, ""
			}
		}
	}
	p.lab.examining.Lock()
	defer p.lab.examining.Unlock()
	var stage *behaviour.Stage
	again := "make check SERVER=" + server.ShellQuote(p.Stage.Folder) + " TELL=NAME"
	if p.Stage.Number > 0 {
		stage, again = &p.Stage, "go test ./"+p.Stage.Folder+" -run /NAME -v"
	}
	runner := &behaviour.Runner{Root: ".", Program: program, Stage: stage != nil,
		Deadline: time.Now().Add(5 * time.Minute)}
	told := 0
	report := runner.RunAll(ctx, stage, func(behaviour.Result) {
		told++
		show(verdict{Told: fmt.Sprintf("%d stories told", told)})
	})
	text, ok := report.Verdict(p.Stage.Folder, again)
	show(verdict{"told at " + time.Now().Format("15:04:05"), report.Lines(), strings.TrimSpace(text), ok})
}

// A run is one start of a server, and what has been seen of it since.
type run struct {
	State      string                `json:"state"` // building, running, ended or failed
	Says       string                `json:"says"`  // what is odd about it, or how it ended
	Words      string                `json:"words"` // its last words, or the compiler's
	Dump       string                `json:"dump"`  // of its goroutines, on Ctrl-\
	URL        string                `json:"url"`
	Go         bool                  `json:"go"` // it is written in Go
	Threads    int                   `json:"threads"`
	Goroutine1 string                `json:"goroutine1"` // as in "in Accept [syscall]"
	Waits      map[string]int        `json:"waits"`      // goroutines by their state, as in "sleep"
	Accepted   int                   `json:"accepted"`   // connections that it holds; -1 if that cannot be seen
	Each       int                   `json:"each"`       // bytes of memory for each of those; 0 if there are few
	Lanes      []lane                `json:"lanes"`
	Here       int                   `json:"here"`
	Counts     map[timeline.Kind]int `json:"counts"` // how visits have ended

	server      *server.Server
	recorder    *timeline.Recorder // nil unless the server runs
	interrupted bool
	dumps       int                  // how often the server has told of its goroutines
	next        time.Time            // when the server is to be observed
	descriptors int                  // without visitors
	memory      int64                // the least without visitors
	since       map[string]time.Time // when what is odd began
}

// restart ends the server, if it runs, and starts it anew.
func (p *panel) restart() {
	if p.program == nil {
		return
	}
	if p.recorder != nil {
		p.server.Kill()
		p.ended("")
	}
	// Over a pipe a server in Go tells where its goroutines are. Should there be none, nothing is told.
	told, pipe, _ := os.Pipe()
	defer pipe.Close()
	go p.readGoroutines(told)
	opt := server.Options{Extra: []*os.File{pipe}, Env: []string{"LAB_GOROUTINES=1"}}
	slow, patience := time.Duration(p.Slow)*time.Second, time.Duration(p.Patience)*time.Second
	s, _, err := timeline.Start(p.program, slow, patience, opt)
	if err != nil {
		p.failed(err)
		return
	}
	clock := func() time.Duration { return time.Since(p.lab.began) }
	recorder := timeline.NewRecorder(s, clock, p.tell)
	p.run = run{State: "running", URL: "http://" + s.Addr, Go: p.program.Go, Accepted: -1,
		server: s, recorder: recorder, Counts: recorder.Counts, since: map[string]time.Time{}}
}

// ended puts into the panel how the server has ended.
func (p *panel) ended(says string) {
	p.recorder.Look() // what it has sent before it ended
	p.recorder.Close(timeline.Lost)
	p.recorder, p.Here = nil, 0
	if state, _ := p.server.Wait(0); says == "" {
		says = fmt.Sprintf("It has ended: %v.", state)
	}
	p.State, p.Says = "ended", says
	_, words, _ := strings.Cut(p.server.Log(), p.server.Addr+"\n") // after it began to listen
	words, dump, _ := strings.Cut(words, "\ngoroutine ")
	const most = 1000 // bytes, of which the first say why it ended
	p.Words = words[:min(len(words), most)]
	if dump = "\ngoroutine " + dump; strings.Contains(dump, "\ngoroutine 1 ") {
		p.Dump = dump
	}
}

// failed puts into the panel that the server does not build, or does not start.
func (p *panel) failed(err error) {
	p.verdict = verdict{}
	p.Words = strings.ReplaceAll(err.Error(), "\n\t", "\n")
	if p.recorder != nil {
		p.Words += "\n\nThe server from before goes on."
		return
	}
	p.State, p.Says = "failed", "It does not start."
	if p.Stage.Number == 0 {
		p.Words += "\n\nTry SERVER='python3 docs/examples/server.py', which is one that does."
	}
}

// observe looks at the server from outside, and has it not looked at again for 100 times as
// long as that took.
func (p *panel) observe(now time.Time) {
	p.Threads, _ = p.server.Threads()
	descriptors, err := p.server.Descriptors()
	memory, _, _ := p.server.Memory()
	if p.Here == 0 {
		p.descriptors, p.memory = descriptors, min(memory, cmp.Or(p.memory, memory))
	}
	if err == nil {
		p.Accepted = max(descriptors-p.descriptors, 0)
	}
	const few = 20 // visitors, of whom each one's memory cannot be told
	if p.Each = 0; p.Accepted >= few {
		p.Each = max(int(memory-p.memory)/p.Accepted, 0)
	}
	p.observeOdd(now)
	p.next = now.Add(min(max(100*time.Since(now), 100*time.Millisecond), 2*time.Second))
}

const endless = "It printed without end for %v, and has been killed."

// observeOdd says what a reader should know of a server that does not get on, once that has lasted
// for long. One that prints where all its goroutines are, however many, is about to end by itself.
func (p *panel) observeOdd(now time.Time) {
	asleep, err := p.server.Asleep()
	served := slices.ContainsFunc(p.Lanes, func(l lane) bool { return l.Over == 0 && l.Served > 0 })
	p.Says = ""
	for _, odd := range []struct {
		says  string
		holds bool
	}{
		{endless, p.server.Flooded() && !strings.Contains(p.server.Log(), "\ngoroutine 1 ")},
		{"It was interrupted %v ago, and goes on.", p.interrupted},
		{"It is busy all the time, for %v now.", !asleep && err == nil},
		{"Nobody is being served, for %v now, though somebody waits. Does it hang?",
			p.Here > 0 && !served && p.Accepted == 0},
		{"For %v over a thousand visitors have been there. No group comes before some go.", p.Here > many},
	} {
		if _, known := p.since[odd.says]; !odd.holds || !known {
			p.since[odd.says] = now
		}
		const long = 2 * time.Second
		if lasts := now.Sub(p.since[odd.says]); lasts > long && p.Says == "" {
			p.Says = fmt.Sprintf(odd.says, lasts.Round(time.Second))
			if odd.says == endless {
				p.server.Kill()
				p.ended(p.Says)
				return
			}
		}
	}
}

// readGoroutines puts into the panel what a server tells of its goroutines, until it has ended. It is
// called in a goroutine of its own.
func (p *panel) readGoroutines(told *os.File) {
	defer told.Close()
	in := bufio.NewReader(told)
	for text, err := in.ReadString(0); err == nil; text, err = in.ReadString(0) {
		all := behaviour.Goroutines(text)
		p.calls <- func() {
			p.dumps++
			p.Waits = map[string]int{}
			for _, g := range all {
				if g.ID == "1" {
					p.Goroutine1 = g.Where()
				}
				if !strings.Contains(g.Text, "labGoroutines") {
					p.Waits[g.State]++
				}
			}
		}
	}
}
