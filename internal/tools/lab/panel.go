package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
	"example.com/concurrent-web-server/internal/visitor"
)

// A panel is one server of the lab. Its exported fields are what a browser gets, beside what
// happens in time, which goes to the board's past. All that may change belongs to one goroutine, that of
// loop, which calls the methods unless they say otherwise; others send it a function to call.
type panel struct {
	ID       int             `json:"id"`
	Stage    behaviour.Stage `json:"stage"`    // with number 0 if it is the reader's own
	Slow     float64         `json:"slow"`     // seconds that the slow request takes
	Patience float64         `json:"patience"` // seconds that a visitor may take to ask
	Stale    bool            `json:"stale"`    // the source does not build, and an older server goes on
	From     int64           `json:"from"`     // when what is drawn began, in milliseconds
	Tests    int             `json:"tests"`    // of its handler, that have passed without a network
	Took     int64           `json:"took"`     // milliseconds, all of them
	run
	verdict

	lab     *lab
	calls   chan func()
	cancel  context.CancelFunc // ends the build, the tests and the scripts that are under way
	program *server.Program    // nil until one is built
	last    int                // the number of the last visitor's lane
	shown   [11]any            // the fields as browsers have them
}

// A verdict is what make check says of a server.
type verdict struct {
	Progress string `json:"progress"` // of the scripts
	Text     string `json:"verdict"`
	OK       bool   `json:"ok"`
}

// A run is one start of a server, and what has been seen of it since.
type run struct {
	State  string `json:"state"`  // building, running, ended or failed
	Well   bool   `json:"well"`   // it has ended with status 0
	Output string `json:"output"` // the last of the server's, or the compiler's
	URL    string `json:"url"`
	Go     bool   `json:"go"` // it is written in Go

	server      *server.Server
	recorder    *timeline.Recorder // nil unless the server runs
	seen        sample             // of the server, last
	samples     []sample           // in the order in which they were seen
	lanes       []*lane            // in the order in which the visitors came
	here        map[string]*lane   // of those who are there, by name
	came        map[string]int     // how many visitors of a kind have come so far
	interrupted int64              // when the server was signalled, or 0
	dumps       int                // how often the server has reported its goroutines
	next        time.Time          // when the server is to be observed
	memory      int                // the least without visitors
	threads     int                // without visitors, at first
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
	mostOutput = 1000                  // bytes, of which the first say why a server ended
	mostPast   = 2000                  // lanes, or samples, that a scene can have
)

// loop is the panel's own goroutine.
func (p *panel) loop() {
	for ticker := time.Tick(resolution); ; {
		select {
		case f := <-p.calls:
			f()
		case <-ticker:
			if p.lab.clock.Now(); !p.look() {
				continue
			}
		}
		p.publish()
	}
}

// publish puts on the board what there is to show. What does not change is said again once a minute.
func (p *panel) publish() {
	s := p.seen
	s.ID, s.State = p.ID, p.State
	if p.recorder != nil {
		s.Here = p.recorder.Here()
		s.More = s.Here - p.recorder.Followed()
		s.Counts = maps.Clone(p.recorder.Counts)
	}
	now, n := p.lab.clock.ms(), len(p.samples)
	if n > 0 {
		s.At = p.samples[n-1].At
	}
	if n == 0 || !reflect.DeepEqual(s, p.samples[n-1]) || now-s.At > time.Minute.Milliseconds() {
		s.At = now
		p.samples = append(p.samples[max(0, n-mostPast):], s)
		p.lab.board.put(fmt.Sprintf("sample %d %d", p.ID, s.At), "sample", s, s.At)
	}
	view := [...]any{p.State, p.Well, p.Output, p.URL, p.Slow, p.Patience, p.Stale, p.From, p.Tests, p.Took, p.verdict}
	if view != p.shown {
		p.shown = view
		p.lab.board.put(fmt.Sprintf("panel %d", p.ID), "panel", p, 0)
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
	if p.server.Exited() {
		p.ended("")
	} else if time.Now().After(p.next) {
		p.observe(time.Now())
	}
	return true
}

// record puts on the board what has happened to a visitor.
func (p *panel) record(e timeline.Event) {
	l, at := p.here[e.Visitor], max(e.At.Milliseconds(), 1)
	switch e.Kind {
	case timeline.Arrives:
		p.last++
		l = &lane{ID: p.ID, N: p.last, Name: e.Visitor, Arrived: at}
		p.here[e.Visitor] = l
		p.lanes = append(p.lanes[max(0, len(p.lanes)-mostPast):], l)
	case timeline.Accepted:
		l.Accepted = at
	case timeline.Served:
		l.Served = at
	default:
		l.Over = at
		delete(p.here, e.Visitor)
	}
	l.Kind = e.Kind
	p.lab.board.put(fmt.Sprintf("lane %d %d", p.ID, l.N), "lane", l, l.Over)
}

// send has n visitors of a kind come; no group, if many are there already.
func (p *panel) send(kind string, n int) {
	if p.recorder == nil || n > 1 && p.recorder.Here() > many {
		return
	}
	var names []string
	for range n {
		p.came[kind]++
		names = append(names, fmt.Sprintf("%s %d", kind, p.came[kind]))
	}
	p.recorder.Send(requests[kind], names...)
}

// visitors has the recorder, if the server runs, do something with its visitors.
func (p *panel) visitors(do func(*timeline.Recorder)) {
	if p.recorder != nil {
		do(p.recorder)
	}
}

func (p *panel) signal(sig syscall.Signal) {
	if p.recorder != nil && p.server.Signal(sig) == nil {
		p.interrupted = p.lab.clock.ms()
	}
}

// start starts the server anew, about which nothing is known then.
func (p *panel) start() {
	p.verdict = verdict{}
	p.restart()
}

// clear takes off the panel what has been read: output, a verdict, and the lanes of those who have gone.
func (p *panel) clear() { p.Output, p.verdict, p.From = "", verdict{}, p.lab.clock.ms() }

// rebuild builds the server, unless another build begins meanwhile, and swaps it for the one that
// runs, which goes on if it does not build. Then it runs the scripts, if asked to.
func (p *panel) rebuild(examine bool) {
	p.cancel()
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	if examine {
		p.verdict = verdict{Progress: "the scripts are being run ..."}
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
				p.program, p.Stale, p.Tests, p.Took = program, false, 0, 0
				if program.Folder != "" {
					p.lab.board.put(fmt.Sprintf("code %d", p.ID), "code", readCode(p.ID, p.Stage.Folder), 0)
				}
				p.restart()
				go p.test(ctx, program.Folder)
				if examine && p.recorder != nil {
					go p.examine(ctx, program)
				}
			}
		}
	}()
}

// test runs the tests of a handler that need no network, if there are any. It is called in a goroutine of
// its own.
func (p *panel) test(ctx context.Context, folder string) {
	names := offlineTests(folder)
	if folder == "" || len(names) == 0 {
		return
	}
	run := exec.CommandContext(ctx, "go", "test", "-count=1", "-run", "^("+strings.Join(names, "|")+")$", ".")
	run.Dir = folder
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that it ends with the lab, as an orphan
	out, err := run.Output()
	took := regexp.MustCompile(`(?m)^ok\s+\S+\s+([\d.]+)s`).FindSubmatch(out)
	if err != nil || took == nil {
		return
	}
	seconds, _ := strconv.ParseFloat(string(took[1]), 64)
	p.calls <- func() {
		if ctx.Err() == nil {
			p.Tests, p.Took = len(names), int64(seconds*1000)
		}
	}
}

// examine runs the scripts, as make check does, and shows the verdict. It is called in a goroutine of its own.
func (p *panel) examine(ctx context.Context, program *server.Program) {
	p.lab.examining.Lock()
	defer p.lab.examining.Unlock()
	var stage *behaviour.Stage
	again := "make check SERVER=" + server.ShellQuote(p.Stage.Folder) + " TELL=NAME"
	if p.Stage.Number > 0 {
		stage, again = &p.Stage, "go test ./"+p.Stage.Folder+" -run /NAME -v"
	}
	runner := &behaviour.Runner{Root: ".", Program: program, Strict: stage != nil,
		Deadline: time.Now().Add(5 * time.Minute)}
	report := runner.RunAll(ctx, stage, func(behaviour.Result) {})
	report.Who, report.Again = p.Stage.Folder, again
	text, ok := report.Verdict(0)
	p.calls <- func() {
		if ctx.Err() == nil { // no other one has been built
			p.verdict, p.Output = verdict{"checked at " + time.Now().Format("15:04:05"), strings.TrimSpace(text), ok}, ""
		}
	}
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
	p.From = p.lab.clock.ms()
	// Over a pipe a server in Go reports where its goroutines are.
	dumps, pipe, _ := os.Pipe()
	defer pipe.Close()
	opt := server.Options{Extra: []*os.File{pipe}, Env: []string{"LAB_GOROUTINES=1"}}
	s, _, err := timeline.Start(p.program, seconds(p.Slow), seconds(p.Patience), opt)
	if err != nil {
		dumps.Close()
		p.failed(err)
		return
	}
	go p.readGoroutines(s, dumps)
	p.run = run{State: "running", URL: "http://" + s.Addr, Go: p.program.Go, server: s,
		recorder: timeline.NewRecorder(s, p.lab.clock.Now, p.record), seen: sample{goroutines: countGoroutines(""), Accepted: -1},
		here: map[string]*lane{}, came: map[string]int{}}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// ended puts into the panel how the server has ended.
func (p *panel) ended(status string) {
	p.recorder.CloseEnded()
	state, _ := p.server.Wait(0)
	p.State, p.Well = "ended", p.server.Succeeded()
	p.seen = sample{goroutines: countGoroutines(""), Status: cmp.Or(status, fmt.Sprintf("It has ended: %v.", state)), Counts: maps.Clone(p.recorder.Counts)}
	p.recorder = nil
	_, output, _ := strings.Cut(p.server.Log(), p.server.Addr+"\n") // after it began to listen
	before, dump, _ := strings.Cut(output, "\ngoroutine ")
	p.Output = before[:min(len(before), mostOutput)]
	if all := serverGoroutines("goroutine " + dump); len(all) > 0 {
		p.Output += "\n" + strings.ReplaceAll(behaviour.Summary(all), "]. ", "].\n")
	}
}

// failed puts into the panel that the server does not build, or does not start.
func (p *panel) failed(err error) {
	p.verdict = verdict{}
	text := strings.ReplaceAll(err.Error(), "\n\t", "\n")
	p.Output = text[:min(len(text), mostOutput)]
	if p.recorder != nil {
		p.Stale = true
		p.Output += "\n\nThe server from before goes on."
		return
	}
	p.State, p.seen = "failed", sample{goroutines: countGoroutines(""), Status: "It does not start."}
	if p.Stage.Number == 0 {
		p.Output += "\n\nTry SERVER='python3 docs/examples/server.py', which is one that does."
	}
}

// observe looks at the server from outside, and has it not looked at again for 100 times as
// long as that took.
func (p *panel) observe(now time.Time) {
	s, here := &p.seen, p.recorder.Here()
	s.Threads, _ = p.server.Count(server.Threads)
	memory, _ := p.server.Count(server.Memory)
	if here == 0 {
		p.memory, p.threads = min(memory, cmp.Or(p.memory, memory)), cmp.Or(p.threads, s.Threads)
	}
	if !p.Go {
		s.Held = max(s.Threads-p.threads, 0)
	}
	var err error
	if s.Accepted, err = p.recorder.Accepted(); err != nil {
		s.Accepted = -1
	}
	const few = 20 // visitors, with whom the memory of each cannot be measured
	if s.Each = 0; s.Accepted >= few {
		const exact = 100 // bytes
		s.Each = max((memory-p.memory)/s.Accepted, 0) / exact * exact
	}
	s.Status = ""
	// A server that prints where its goroutines are, however many, is about to end by itself.
	if p.server.Flooded() && !strings.Contains(p.server.Log(), "\ngoroutine 1 ") {
		p.server.Kill()
		p.ended("It printed without end, and has been killed.")
	} else if ago := (p.lab.clock.ms() - p.interrupted) / 1000; p.interrupted > 0 && ago > 1 {
		s.Status = fmt.Sprintf("It was interrupted %d s ago, and goes on.", ago)
	} else if here > many {
		s.Status = fmt.Sprintf("Over %d visitors are here. No group comes before some go.", many)
	}
	p.next = now.Add(min(max(100*time.Since(now), 100*time.Millisecond), 2*time.Second))
}

// readGoroutines puts into the panel what a server reports of its goroutines, until it has ended. It is
// called in a goroutine of its own.
func (p *panel) readGoroutines(s *server.Server, dumps *os.File) {
	defer dumps.Close()
	in := bufio.NewReader(dumps)
	for text, err := in.ReadString(0); err == nil; text, err = in.ReadString(0) {
		all := countGoroutines(text)
		p.calls <- func() {
			if p.server == s && p.recorder != nil {
				p.seen.goroutines = all
				p.dumps++
			}
		}
	}
}
