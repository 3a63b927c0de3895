package main

import (
	"context"
	"errors"
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

// A panel is one server of the lab. All that may change belongs to one goroutine, that of
// run; others have it call a function, with post or do.
type panel struct {
	lab    *lab
	spec   string           // as server.Open takes it
	stage  *behaviour.Stage // nil if it is the reader's own
	posted chan func()

	view     view
	changed  bool               // the view, since it was published
	cancel   context.CancelFunc // ends the build and the stories that are under way
	program  *server.Program    // nil until one is built
	server   *server.Server     // the last one
	recorder *timeline.Recorder // nil unless the server runs
	expected []string           // visitors who are still to be sent
	stirred  time.Time          // when something last happened to a visitor
	observer
}

// A view is what the page shows of a server.
type view struct {
	identity
	State       string         `json:"state"` // building, running, ended or failed
	Says        string         `json:"says"`  // how it ended
	Odd         string         `json:"odd"`   // what is odd about it while it runs
	Words       string         `json:"words"` // its last words, or the compiler's
	Dump        string         `json:"dump"`  // of its goroutines, on Ctrl-\
	URL         string         `json:"url"`
	Go          bool           `json:"go"` // it is written in Go
	Facts       facts          `json:"facts"`
	Interrupted time.Time      `json:"-"`
	Lanes       []lane         `json:"lanes"`
	Here        int            `json:"here"`
	Counts      map[string]int `json:"counts"` // how visits have ended
	verdict
}

// An identity is what does not change of a view.
type identity struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Number int    `json:"number"` // 0 if it is the reader's own
	Adds   string `json:"adds"`
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

func (l *lab) add(spec string, stage *behaviour.Stage) {
	p := &panel{lab: l, spec: spec, stage: stage, posted: make(chan func(), 16), cancel: func() {}}
	p.view = view{identity: identity{ID: len(l.panels), Name: spec, Adds: "your own server"}, State: "building"}
	if stage != nil {
		p.view.Number, p.view.Adds = stage.Number, stage.Adds
	}
	l.panels = append(l.panels, p)
	l.messages = append(l.messages, "")
}

// post has the panel's goroutine call f.
func (p *panel) post(f func()) {
	select {
	case p.posted <- f:
	case <-p.lab.ctx.Done():
	}
}

// do is post, and waits until f has been called.
func (p *panel) do(f func()) {
	done := make(chan struct{})
	p.post(func() { f(); close(done) })
	select {
	case <-done:
	case <-p.lab.ctx.Done():
	}
}

const (
	resolution = 15 * time.Millisecond // how often the visitors are looked at
	atATime    = 200                   // visitors that come between two looks
	many       = 1000                  // visitors, beside whom no group comes
	most       = 12_000                // and nobody at all
	lastPrint  = 2 * time.Second       // for which a server may print a lot: one that dies does
)

// run is the panel's own goroutine. It calls all methods that follow, but for those that say
// otherwise.
func (p *panel) run() {
	ticker := time.NewTicker(resolution)
	defer ticker.Stop()
	for {
		select {
		case <-p.lab.ctx.Done():
			return
		case f := <-p.posted:
			f()
			p.changed = true
		case <-ticker.C:
			p.look()
		}
		if p.changed {
			p.publish()
		}
	}
}

func (p *panel) publish() {
	p.changed = false
	p.lab.mu.Lock()
	defer p.lab.mu.Unlock()
	p.lab.publish(1+p.view.ID, "panel", p.view)
}

// The requests of the visitors, by kind. One who sends half a request goes on waiting
// for an answer.
var requests = map[string]string{
	"quick":  visitor.Request("GET", "/"),
	"slow":   visitor.Request("GET", "/sleep"),
	"silent": "",
	"half":   "GET / HTTP/1.1\r\nHost: local",
}

// look sends visitors who are expected, and looks at those who are there and at the server.
func (p *panel) look() {
	if p.recorder == nil {
		return
	}
	n := min(len(p.expected), atATime)
	for _, name := range p.expected[:n] {
		kind, _, _ := strings.Cut(name, " ")
		p.recorder.Send(name, requests[kind])
	}
	p.expected = p.expected[n:]
	p.recorder.Look()
	now := time.Now()
	if !p.server.Flooded() {
		p.calm = now
	}
	switch {
	case p.server.Exited():
		p.ended("")
	case now.Sub(p.calm) > lastPrint:
		p.server.Kill()
		p.ended("It printed without end, and has been killed.")
	case now.After(p.next):
		p.observe(now)
	}
}

// tell puts what has happened to a visitor into the view.
func (p *panel) tell(e timeline.Event) {
	p.changed, p.stirred = true, time.Now()
	v, at := &p.view, max(e.At.Milliseconds(), 1)
	if e.Kind == timeline.Arrives {
		v.Here++
		if len(v.Lanes) == timeline.Followed { // those who are gone make room first
			i := max(slices.IndexFunc(v.Lanes, func(l lane) bool { return l.Over > 0 }), 0)
			v.Lanes = slices.Delete(v.Lanes, i, i+1)
		}
		v.Lanes = append(v.Lanes, lane{Name: e.Visitor, Arrived: at})
	}
	l := new(lane) // of one who is only counted
	if i := slices.IndexFunc(v.Lanes, func(l lane) bool { return l.Name == e.Visitor }); i >= 0 {
		l = &v.Lanes[i]
	}
	switch l.Kind = e.Kind; e.Kind {
	case timeline.Arrives:
	case timeline.Served:
		l.Served = at
	default:
		l.Over = at
		v.Here--
		v.Counts[string(e.Kind)]++
	}
}

// send has visitors come, unless many are there already.
func (p *panel) send(names []string) {
	limit := many
	if len(names) == 1 {
		limit = most
	}
	if p.recorder != nil && p.view.Here+len(p.expected) <= limit {
		p.expected = append(p.expected, names...)
	}
}

// leave has all leave who are silent, or else the one who came last, with a reset. Nobody comes
// who is still expected.
func (p *panel) leave(silent bool) {
	last := ""
	for _, l := range p.view.Lanes {
		if l.Over == 0 {
			last = l.Name
		}
	}
	if p.expected = nil; p.recorder != nil {
		p.recorder.Leave(!silent, func(name string) bool {
			return silent && strings.HasPrefix(name, "silent ") || !silent && name == last
		})
	}
}

func (p *panel) signal(sig syscall.Signal) {
	if p.recorder != nil && p.server.Signal(sig) == nil {
		p.view.Interrupted = time.Now()
	}
}

// clear takes off the panel what has been read: words, a dump, a verdict, and lanes.
func (p *panel) clear() {
	v := &p.view
	v.Words, v.Dump, v.verdict = "", "", verdict{}
	v.Lanes = slices.DeleteFunc(v.Lanes, func(l lane) bool { return l.Over > 0 })
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
	told, pipe, err := os.Pipe() // over which a server in Go tells where its goroutines are
	var s *server.Server
	if err == nil {
		defer pipe.Close()
		slow, patience := p.lab.times()
		opt := server.Options{Extra: []*os.File{pipe}, Env: []string{"LAB_GOROUTINES=1"}}
		if s, _, err = timeline.Start(p.program, slow, patience, opt); err != nil {
			told.Close()
		}
	}
	if err != nil {
		p.view.State = "failed"
		p.failed(err)
		return
	}
	now := time.Now()
	p.server, p.observer = s, observer{told: told, calm: now, asleep: now, serving: now}
	p.recorder = timeline.NewRecorder(s, p.lab.began, p.tell)
	p.view = view{identity: p.view.identity, verdict: p.view.verdict, State: "running", URL: "http://" + s.Addr,
		Go: p.program.Go, Facts: facts{Accepted: -1}, Counts: map[string]int{}}
	go p.readGoroutines(s, told)
}

// ended puts the server's end into the view.
func (p *panel) ended(says string) {
	p.recorder.Look() // what it has sent before it ended
	p.recorder.Close(timeline.Lost)
	p.recorder, p.expected, p.changed = nil, nil, true
	p.told.Close()
	if state, _ := p.server.Wait(0); says == "" {
		says = fmt.Sprintf("It has ended: %v.", state)
	}
	v := &p.view
	v.State, v.Says, v.Odd = "ended", says, ""
	_, words, _ := strings.Cut(p.server.Quote(), p.server.Addr+"\n\t") // after it began to listen
	words, _, _ = strings.Cut(words, "\n\tgoroutine ")
	v.Words = strings.ReplaceAll(words, "\n\t", "\n")
	if log := p.server.Log(); strings.Contains(log, "\ngoroutine 1 ") {
		v.Dump = log[strings.Index(log, "\ngoroutine "):]
	}
}

// failed puts into the view that a server does not build, or does not start.
func (p *panel) failed(err error) {
	v := &p.view
	v.Says, v.Words, v.verdict = "It does not start.", err.Error(), verdict{}
	if compiler := (*server.BuildError)(nil); errors.As(err, &compiler) {
		v.Says, v.Words = "It does not build.", compiler.Output
	} else if p.stage == nil {
		v.Words += "\n\nTry SERVER='python3 docs/examples/server.py', which is one that does."
	}
	if v.State == "running" {
		v.Says += " The one from before goes on."
	} else {
		v.State = "failed"
	}
}

// rebuild builds the server, unless another build begins meanwhile, and swaps it for the one that
// runs, which goes on if it does not build. Then it has the stories told, if asked to.
func (p *panel) rebuild(examine bool) {
	p.cancel()
	ctx, cancel := context.WithCancel(p.lab.ctx)
	p.cancel = cancel
	if examine {
		p.view.verdict = verdict{Told: "being built"}
	}
	go func() {
		program, err := server.Open(p.spec, "-overlay="+p.lab.overlay, "-trimpath", "-buildvcs=false")
		p.post(func() {
			before := p.program
			switch {
			case ctx.Err() != nil:
				before = program
			case err != nil:
				p.failed(err)
				return
			default:
				p.program = program
				p.restart()
				if examine && p.recorder != nil {
					go p.examine(ctx, program)
				}
			}
			if before != nil {
				before.Close()
			}
		})
	}()
}

// examine has the stories told, as make check does, and shows what came of them. It is
// called in a goroutine of its own.
func (p *panel) examine(ctx context.Context, program *server.Program) {
	show := func(v verdict) {
		p.post(func() {
			if ctx.Err() == nil { // no other one has been built
				p.view.verdict, p.view.Words = v, ""
			}
		})
	}
	show(verdict{Told: "the stories are being told"})
	p.lab.examining.Lock()
	defer p.lab.examining.Unlock()
	runner := &behaviour.Runner{Root: p.lab.root.Name(), Program: program, Stage: p.stage != nil,
		Deadline: time.Now().Add(5 * time.Minute)}
	told := 0
	const atOnce = 16 // as in check: stories mostly wait
	report := runner.RunAll(ctx, p.stage, atOnce, func(behaviour.Result) {
		told++
		show(verdict{Told: fmt.Sprintf("%d stories told", told)})
	})
	who, again := "Your server", "make check SERVER='"+p.spec+"' TELL=NAME"
	if p.stage != nil {
		who, again = p.spec, "go test ./"+p.spec+" -run /NAME -v"
	}
	text, ok := report.Verdict(who, again)
	show(verdict{"told at " + time.Now().Format("15:04:05"), report.Lines(), strings.TrimSpace(text), ok})
}
