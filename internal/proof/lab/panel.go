package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

// A panel is one server of the lab. One goroutine, that of run, starts and ends its
// processes and sends its visitors; others ask it to with post.
type panel struct {
	lab   *lab
	spec  string           // as server.Open takes it
	stage *behaviour.Stage // nil if it is the reader's own

	posted   chan func()
	program  *server.Program
	server   *server.Server // nil if none has been started
	recorder *timeline.Recorder
	expected []guest       // who are still to be sent
	stirred  chan struct{} // something has happened: look at the server soon
	building atomic.Int64  // counts the builds: the last one is the one that counts
	end      func()        // ends the stories that are being told

	// The lab's mu is held when these are used.
	view      view
	version   int
	encoded   []byte // the message that has the view of a version
	encodedAs int
}

// A view is what the page shows of a server.
type view struct {
	Name   string `json:"name"`
	Number int    `json:"number"` // 0 if it is the reader's own
	Adds   string `json:"adds"`
	Folder string `json:"folder"` // for the links to the source and the page; may be empty
	State  string `json:"state"`  // building, running, ended or failed
	Says   string `json:"says"`   // how it ended
	Odd    string `json:"odd"`    // what is odd about it while it runs
	Words  string `json:"words"`  // its last words, or the compiler's
	URL    string `json:"url"`
	Go     bool   `json:"go"` // it is written in Go
	Facts  facts  `json:"facts"`
	Dump   *dump  `json:"dump,omitempty"`

	Lanes []lane `json:"lanes"`
	Here  int    `json:"here"`
	// Interrupted is when it was sent a signal.
	Interrupted time.Time      `json:"-"`
	Counts      map[string]int `json:"counts"` // how visits have ended, since it was started

	Told    string   `json:"told"`  // how far the stories are told
	Lines   []string `json:"lines"` // what the server does, behaviour by behaviour
	Verdict string   `json:"verdict"`
	OK      bool     `json:"ok"`
}

// A lane is one visitor. Times are in milliseconds of the lab's clock, 0 for what has not
// happened.
type lane struct {
	Name    string `json:"name"`
	Arrived int64  `json:"arrived"`
	Served  int64  `json:"served"`
	Over    int64  `json:"over"`
	Kind    string `json:"kind"` // what happened last
}

func (l *lab) add(spec string, stage *behaviour.Stage) {
	p := &panel{lab: l, spec: spec, stage: stage, posted: make(chan func(), 16), stirred: make(chan struct{}, 1), end: func() {}}
	p.encodedAs = -1
	p.view = view{Name: spec, Adds: "your own server", State: "building", Lanes: []lane{}, Lines: []string{}, Facts: facts{Waits: []string{}}}
	if stage != nil {
		p.view.Name, p.view.Number, p.view.Adds, p.view.Folder = stage.Folder, stage.Number, stage.Adds, stage.Folder
	} else if info, err := os.Stat(spec); err == nil && info.IsDir() && filepath.IsLocal(spec) {
		p.view.Folder = filepath.Clean(spec)
	}
	l.panels = append(l.panels, p)
	go p.run()
	go p.rebuild(false)
}

func (p *panel) change(f func(v *view)) {
	p.lab.change(func() {
		f(&p.view)
		p.version++
	})
}

// look returns what the page shows now.
func (p *panel) look() view {
	p.lab.mu.Lock()
	defer p.lab.mu.Unlock()
	v := p.view
	v.Lanes = slices.Clone(v.Lanes)
	return v
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

// run is the panel's own goroutine.
func (p *panel) run() {
	ticker := time.NewTicker(resolution)
	defer ticker.Stop()
	var flooded time.Time // since when the server has printed too much
	for {
		select {
		case <-p.lab.ctx.Done():
			return
		case f := <-p.posted:
			f()
		case <-ticker.C:
		}
		if p.server == nil || p.recorder == nil {
			continue
		}
		n := min(len(p.expected), atATime)
		for _, g := range p.expected[:n] {
			p.recorder.Send(g.name, g.request)
		}
		p.expected = p.expected[n:]
		p.recorder.Look()
		switch {
		case p.server.Exited():
			p.ended("")
		case !p.server.Flooded():
			flooded = time.Time{}
		case flooded.IsZero():
			flooded = time.Now()
		case time.Since(flooded) > lastPrint:
			p.server.Kill()
			p.ended("It printed without end, and has been killed.")
		}
	}
}

// tell puts what has happened to a visitor into the view.
func (p *panel) tell(e timeline.Event) {
	at := max(e.At.Milliseconds(), 1)
	p.change(func(v *view) {
		i := len(v.Lanes) - 1
		for i >= 0 && v.Lanes[i].Name != e.Visitor {
			i--
		}
		switch {
		case e.Kind == timeline.Arrives:
			v.Here++
			if len(v.Lanes) == timeline.Followed {
				// Those who are gone make room first.
				first := max(slices.IndexFunc(v.Lanes, func(l lane) bool { return l.Over > 0 }), 0)
				v.Lanes = slices.Delete(v.Lanes, first, first+1)
			}
			v.Lanes = append(v.Lanes, lane{Name: e.Visitor, Arrived: at, Kind: string(e.Kind)})
			return
		case e.Kind != timeline.Served:
			v.Here--
			v.Counts[string(e.Kind)]++
		}
		if i < 0 {
			return // one of those who are only counted
		}
		v.Lanes[i].Kind = string(e.Kind)
		if e.Kind == timeline.Served {
			v.Lanes[i].Served = at
		} else {
			v.Lanes[i].Over = at
		}
	})
	select {
	case p.stirred <- struct{}{}:
	default:
	}
}

// send has visitors come, unless many are there already.
func (p *panel) send(guests []guest) {
	p.post(func() {
		limit := many
		if len(guests) == 1 {
			limit = most
		}
		if p.recorder != nil && p.recorder.Here()+len(p.expected) <= limit {
			p.expected = append(p.expected, guests...)
		}
	})
}

// leave has all leave whose kind is given, or the last who came if it is empty.
func (p *panel) leave(kind string, reset bool) {
	p.post(func() {
		if p.recorder == nil {
			return
		}
		p.expected = nil
		last := ""
		p.recorder.Leave(false, func(name string) bool { last = name; return false })
		p.recorder.Leave(reset, func(name string) bool {
			return kind == "" && name == last || kind != "" && strings.HasPrefix(name, kind+" ")
		})
	})
}

func (p *panel) signal(sig syscall.Signal) {
	p.post(func() {
		if p.server != nil && p.server.Signal(sig) == nil {
			p.change(func(v *view) { v.Interrupted = time.Now() })
		}
	})
}

// restart ends the server, if it runs, and starts it anew. It is called in the panel's
// goroutine.
func (p *panel) restart() {
	if p.program == nil {
		return
	}
	if p.server != nil {
		p.server.Kill()
		p.ended("")
	}
	slow, patience := p.lab.times()
	opt, asked, told, err := p.pipes()
	if err == nil {
		p.server, _, err = timeline.Start(p.program, slow, patience, opt)
		for _, f := range opt.Extra {
			f.Close()
		}
	}
	if err != nil {
		p.server = nil
		p.change(func(v *view) { v.State, v.Says, v.Words = "failed", "It does not start.", err.Error() })
		return
	}
	p.recorder = timeline.NewRecorder(p.server, p.lab.began, p.tell)
	p.change(func(v *view) {
		v.State, v.Says, v.Odd, v.URL, v.Dump, v.Interrupted = "running", "", "", "http://"+p.server.Addr, nil, time.Time{}
		v.Go, v.Facts = p.program.Go, facts{Looks: v.Facts.Looks, Waits: []string{}}
		v.Lanes, v.Here, v.Counts = []lane{}, 0, map[string]int{}
		if v.Told == "" || len(v.Lines) > 0 {
			v.Words = ""
		}
	})
	go p.observe(p.server, asked, told)
}

// ended puts the server's end into the view.
func (p *panel) ended(says string) {
	if p.recorder == nil {
		return
	}
	p.expected = nil
	p.recorder.Look() // what it has sent before it ended
	p.recorder.Close(timeline.Lost)
	p.recorder = nil
	state, _ := p.server.Wait(0)
	words := lastWords(p.server.Log())
	d := readDump(p.server.Log())
	p.change(func(v *view) {
		v.State, v.Odd, v.Words, v.Dump = "ended", "", words, d
		if v.Says = says; says == "" {
			v.Says = fmt.Sprintf("It has ended: %v.", state)
		}
	})
}

// lastWords returns what a server has printed after it began to listen: the first lines of
// it, because those say why it ended. What follows may be very long.
func lastWords(log string) string {
	var lines []string
	log, _, _ = strings.Cut(log, "\ngoroutine ") // a dump is shown apart
	for line := range strings.Lines(log) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "listening on http://") {
			if len(lines) == 8 {
				return strings.Join(lines, "\n") + "\n..."
			}
			lines = append(lines, line[:min(len(line), 200)])
		}
	}
	return strings.Join(lines, "\n")
}

// rebuild builds the server and swaps it for the one that runs, which goes on if it does not
// build. Then it has the stories told about it, if asked to.
func (p *panel) rebuild(examine bool) {
	build := p.building.Add(1)
	if examine {
		p.change(func(v *view) { v.Told = "being built" })
	}
	program, err := p.open()
	if p.building.Load() != build { // another one has begun
		if err == nil {
			program.Close()
		}
		return
	}
	if err != nil {
		says, words := "It does not start.", err.Error()
		if compiler := (*server.BuildError)(nil); errors.As(err, &compiler) {
			says, words = "It does not build.", compiler.Output
		}
		p.change(func(v *view) {
			v.Told, v.Says, v.Words, v.Lines, v.Verdict = "", says, words, []string{}, ""
			if v.State == "running" {
				v.Says += " The one from before goes on."
			} else {
				v.State = "failed"
			}
		})
		return
	}
	ctx, cancel := context.WithCancel(p.lab.ctx)
	p.do(func() {
		p.end()
		p.end = cancel
		old := p.program
		p.program = program
		p.restart()
		if old != nil {
			old.Close()
		}
	})
	if examine && p.look().State == "running" {
		p.examine(ctx, program)
	}
}

func (p *panel) open() (*server.Program, error) {
	info, err := os.Stat(p.spec)
	switch {
	case err == nil && info.IsDir():
		overlay, err := p.lab.overlayFlag(p.spec)
		if err != nil {
			return nil, err
		}
		return server.Open(p.spec, overlay, "-trimpath", "-buildvcs=false")
	case err != nil && strings.Contains(p.spec, "/") && !strings.Contains(p.spec, " "):
		return nil, fmt.Errorf("There is no %s here, neither a folder nor a program. Try SERVER='python3 docs/examples/server.py'.", p.spec)
	}
	return server.Open(p.spec)
}

// examine has the stories told, as make check does, and shows what came of them.
func (p *panel) examine(ctx context.Context, program *server.Program) {
	p.change(func(v *view) { v.Told, v.Lines, v.Verdict, v.Words = "the stories are being told", []string{}, "", "" })
	p.lab.examining.Lock()
	defer p.lab.examining.Unlock()
	runner := &behaviour.Runner{Root: p.lab.root, Program: program, Stage: p.stage != nil, Deadline: time.Now().Add(5 * time.Minute)}
	told := 0
	const atOnce = 16 // as in check: stories mostly wait
	report := runner.RunAll(ctx, p.stage, atOnce, func(behaviour.Result) {
		told++
		p.change(func(v *view) { v.Told = fmt.Sprintf("%d stories told", told) })
	})
	if ctx.Err() != nil {
		return // another one has been built, or the lab ends
	}
	who, again := "Your server", "make check SERVER='"+p.spec+"' TELL=NAME"
	if p.stage != nil {
		who, again = p.stage.Folder, "go test ./"+p.stage.Folder+" -run /NAME -v"
	}
	verdict, ok := report.Verdict(who, again)
	p.change(func(v *view) {
		v.Told, v.Lines, v.OK = "told at "+time.Now().Format("15:04:05"), report.Lines(), ok
		v.Verdict = strings.TrimSpace(verdict)
	})
}
