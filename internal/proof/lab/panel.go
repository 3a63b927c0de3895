package main

import (
	"context"
	"fmt"
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
// otherwise; others have it call a function, with post or do.
type panel struct {
	ID    int             `json:"id"`
	Stage behaviour.Stage `json:"stage"` // with number 0 if it is the reader's own
	run
	verdict

	lab     *lab
	posted  chan func()
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
	resolution = 15 * time.Millisecond // how often the visitors are looked at
	many       = 1000                  // visitors, beside whom no group comes
)

// loop is the panel's own goroutine.
func (p *panel) loop() {
	for ticker := time.Tick(resolution); ; {
		select {
		case f := <-p.posted:
			f()
		case <-ticker:
			if !p.look() {
				continue
			}
		}
		p.lab.update(1+p.ID, "panel", p, func() {})
	}
}

// post has the panel's goroutine call f. Any goroutine but that one may call it, and do.
func (p *panel) post(f func()) { p.posted <- f }

// do is post, and waits until f has been called.
func (p *panel) do(f func()) {
	done := make(chan struct{})
	p.post(func() { f(); close(done) })
	<-done
}

// look looks at the visitors who are there and at the server, if it runs.
func (p *panel) look() (runs bool) {
	if p.recorder == nil {
		return false
	}
	p.recorder.Look()
	if p.server.Exited() {
		p.ended("")
	} else if time.Now().After(p.next) {
		p.observe(time.Now())
	}
	return true
}

// tell puts into the panel what has happened to a visitor.
func (p *panel) tell(e timeline.Event) {
	p.stirred = time.Now()
	at := max(e.At.Milliseconds(), 1)
	if e.Kind == timeline.Arrives {
		p.Here++
		if len(p.Lanes) == timeline.Followed { // those who are gone make room first
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
	p.Here--
	p.Counts[e.Kind]++
}

// send has visitors of a kind come; no group, if many are there already.
func (p *panel) send(kind string, names []string) {
	if p.recorder == nil || p.Here > many && len(names) > 1 {
		return
	}
	for _, name := range names {
		p.recorder.Send(name, requests[kind])
	}
}

// leave has all leave who are silent, or else the one who came last, with a reset.
func (p *panel) leave(silent bool) {
	if p.recorder == nil {
		return
	}
	n, last := 0, p.Here
	p.recorder.Leave(!silent, func(name string) bool {
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
		p.post(func() {
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
		})
	}()
}

// examine has the stories told, as make check does, and shows what came of them. It is
// called in a goroutine of its own.
func (p *panel) examine(ctx context.Context, program *server.Program) {
	show := func(v verdict) {
		p.post(func() {
			if ctx.Err() == nil { // no other one has been built
				p.verdict, p.Words = v, ""
			}
		})
	}
	p.lab.examining.Lock()
	defer p.lab.examining.Unlock()
	var stage *behaviour.Stage
	again := "make check SERVER='" + p.Stage.Folder + "' TELL=NAME"
	if p.Stage.Number > 0 {
		stage, again = &p.Stage, "go test ./"+p.Stage.Folder+" -run /NAME -v"
	}
	runner := &behaviour.Runner{Root: ".", Program: program, Stage: stage != nil,
		Deadline: time.Now().Add(5 * time.Minute)}
	told := 0
	const atOnce = 16 // as in check: stories mostly wait
	report := runner.RunAll(ctx, stage, atOnce, func(behaviour.Result) {
		told++
		show(verdict{Told: fmt.Sprintf("%d stories told", told)})
	})
	text, ok := report.Verdict(p.Stage.Folder, again)
	show(verdict{"told at " + time.Now().Format("15:04:05"), report.Lines(), strings.TrimSpace(text), ok})
}
