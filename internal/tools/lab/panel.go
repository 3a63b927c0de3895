package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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
// happens in time. All that may change belongs to one goroutine, that of loop, which calls the methods
// unless they say otherwise; others send it a function to call.
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
	Go     bool   `json:"go"`     // it tells where its goroutines are

	server      *server.Server
	recorder    *timeline.Recorder // nil unless the server runs
	seen        sample             // of the server, last
	samples     []sample           // in the order in which they were seen
	lanes       []*lane            // in the order in which the visitors came
	here        map[string]*lane   // of the visitors who have not gone, by name
	serving     int                // how many of them are being served
	atOnce      int                // how many were at the same time, at most
	came        map[string]int     // how many visitors of a kind have come so far
	interrupted int64              // when the server was signalled, or 0
	next        time.Time          // when the server is to be observed
	memory      int                // the least without visitors
	threads     int                // without visitors, at first
}

// The requests of the visitors, by kind. A visitor who sends half a request goes on waiting
// for an answer.
var requests = map[string]string{
	"quick":  visitor.Request("GET", "/"),
	"slow":   visitor.Request("GET", "/sleep"),
	"silent": "",
	"half":   "GET / HTTP/1.1\r\nHost: local",
}

const (
	resolution  = 40 * time.Millisecond // how often the visitors are looked at
	outputLimit = 1000                  // bytes, of which the first say why a server ended
	pastLimit   = 2000                  // lanes, or samples, that a scene can have
)

// loop is the panel's own goroutine.
func (p *panel) loop() {
	for ticker := time.Tick(resolution); ; p.publish() {
		select {
		case f := <-p.calls:
			f()
		case <-ticker:
			p.lab.clock.Now()
			p.look()
		}
	}
}

// publish puts on the board what there is to show. A sample that does not change is repeated once a minute.
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
		p.samples = append(p.samples[max(0, n-pastLimit):], s)
		p.lab.board.put(fmt.Sprintf("sample %d %d", p.ID, s.At), "sample", s, s.At)
	}
	p.lab.board.put(fmt.Sprintf("panel %d", p.ID), "panel", p, 0)
}

// do calls f in the panel's goroutine, and returns when what there is to show then is on the board. It is
// called by others.
func (p *panel) do(f func()) {
	done := make(chan struct{})
	p.calls <- func() { f(); p.publish(); close(done) }
	<-done
}

// look looks at the visitors and at the server, if it runs.
func (p *panel) look() {
	if p.recorder == nil {
		return
	}
	p.recorder.Look()
	if p.server.Exited() {
		p.ended()
	} else if time.Now().After(p.next) {
		p.observe(time.Now())
	}
}

// record puts on the board what has happened to a visitor.
func (p *panel) record(e timeline.Event) {
	l, at := p.here[e.Visitor], max(e.At.Milliseconds(), 1)
	switch e.Kind {
	case timeline.Arrives:
		p.last++
		l = &lane{ID: p.ID, N: p.last, Name: e.Visitor, Arrived: at}
		p.here[e.Visitor] = l
		p.lanes = append(p.lanes[max(0, len(p.lanes)-pastLimit):], l)
	case timeline.Accepted:
		l.Accepted = at
	case timeline.Served:
		l.Served = at
		p.serving++
		p.atOnce = max(p.atOnce, p.serving)
	default:
		if l.Over = at; l.Served > 0 {
			p.serving--
		}
		delete(p.here, e.Visitor)
	}
	l.Kind = e.Kind
	p.lab.board.put(fmt.Sprintf("lane %d %d", p.ID, l.N), "lane", l, l.Over)
}

func (p *panel) send(kind string, n int) {
	var names []string
	for range n {
		p.came[kind]++
		names = append(names, fmt.Sprintf("%s %d", kind, p.came[kind]))
	}
	p.recorder.Send(requests[kind], names...)
}

func (p *panel) signal(sig syscall.Signal) {
	if p.server.Signal(sig) == nil {
		p.interrupted = p.lab.clock.ms()
	}
}

// clear removes the output, the verdict, and the lanes of the visitors who have gone.
func (p *panel) clear() { p.Output, p.verdict, p.From = "", verdict{}, p.lab.clock.ms() }

// rebuild builds the server, unless another build begins meanwhile, and swaps it for the one that
// runs, which goes on if it does not build. Then it runs the scripts, unless this is the first build.
func (p *panel) rebuild() {
	p.cancel()
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	examine := p.State != "building"
	go func() {
		program, err := server.Open(p.Stage.Folder, server.Build{Flags: []string{"-trimpath", "-buildvcs=false"}, Reports: true})
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
				p.start()
				if p.Stage.Has("without-a-network") {
					go p.test(ctx)
				}
				if examine && p.recorder != nil {
					p.Progress = "the scripts are being run ..."
					go p.examine(ctx, program)
				}
			}
		}
	}()
}

// tested matches what go test -v prints of a test that has passed, and of all of them.
var tested = regexp.MustCompile(`(?m)^--- PASS|^ok\s+\S+\s+([\d.]+)s`)

// test runs the tests of a stage that need no network. It is called in a goroutine of its own.
func (p *panel) test(ctx context.Context) {
	run := exec.CommandContext(ctx, "go", "test", "-v", "-count=1", "-skip", "^(TestStage|TestRealConnection)$", ".")
	run.Dir = p.Stage.Folder
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that it ends with the lab, as an orphan
	out, err := run.Output()
	passed := tested.FindAllSubmatch(out, -1)
	p.calls <- func() {
		if n := len(passed) - 1; ctx.Err() == nil && err == nil && n > 0 {
			seconds, _ := strconv.ParseFloat(string(passed[n][1]), 64)
			p.Tests, p.Took = n, int64(seconds*1000)
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

// start ends the server, if it runs, and starts it anew. The verdict goes.
func (p *panel) start() {
	p.verdict = verdict{}
	if p.program == nil {
		return
	}
	if p.recorder != nil {
		p.server.Kill()
		p.ended()
	}
	p.From = p.lab.clock.ms()
	s, _, err := timeline.Start(p.program, seconds(p.Slow), seconds(p.Patience))
	if err != nil {
		p.failed(err)
		return
	}
	dump, unseen := s.Goroutines()
	p.run = run{State: "running", Go: unseen == nil, server: s,
		recorder: timeline.NewRecorder(s, p.lab.clock.Now, p.record), seen: sample{goroutines: countGoroutines(dump), Accepted: -1},
		here: map[string]*lane{}, came: map[string]int{}}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// ended puts into the panel how the server has ended.
func (p *panel) ended() {
	p.recorder.CloseEnded()
	state, _ := p.server.Wait(0)
	p.State, p.Well = "ended", p.server.Succeeded()
	p.seen = sample{goroutines: countGoroutines(""), Status: fmt.Sprintf("It has ended: %v.", state), Counts: maps.Clone(p.recorder.Counts)}
	p.recorder = nil
	_, output, _ := strings.Cut(p.server.Log(), p.server.Addr+"\n") // after it began to listen
	before, dump, _ := strings.Cut(output, "\ngoroutine ")
	p.Output = before[:min(len(before), outputLimit)]
	if all := serverGoroutines("goroutine " + dump); len(all) > 0 {
		p.Output += "\n" + strings.ReplaceAll(behaviour.Summary(all), "]. ", "].\n")
	}
}

// failed puts into the panel that the server does not build, or does not start.
func (p *panel) failed(err error) {
	p.verdict = verdict{}
	text := strings.ReplaceAll(err.Error(), "\n\t", "\n")
	p.Output = text[:min(len(text), outputLimit)]
	if p.recorder != nil {
		p.Stale = true
		return
	}
	p.State, p.seen = "failed", sample{goroutines: countGoroutines(""), Status: "It does not start."}
}

// observe looks at the server from outside, asks it for its goroutines, and sets when this is to be done again:
// after 10 times as long as it took.
func (p *panel) observe(now time.Time) {
	s := &p.seen
	s.Threads, _ = p.server.Count(server.Threads)
	memory, _ := p.server.Count(server.Memory)
	if p.recorder.Here() == 0 {
		p.memory, p.threads = min(memory, cmp.Or(p.memory, memory)), cmp.Or(p.threads, s.Threads)
	}
	if dump, err := p.server.Goroutines(); err == nil {
		s.goroutines = countGoroutines(dump)
	} else if !p.Go {
		s.Held = max(s.Threads-p.threads, 0)
	}
	var err error
	if s.Accepted, err = p.recorder.Accepted(); err != nil {
		s.Accepted = -1
	}
	if s.Each = 0; s.Accepted >= crowd { // the memory of fewer cannot be measured
		const exact = 100 // bytes
		s.Each = max((memory-p.memory)/s.Accepted, 0) / exact * exact
	}
	p.next = now.Add(min(max(10*time.Since(now), 100*time.Millisecond), 2*time.Second))
}
