package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
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

// A panel is one server of the lab. Its exported fields are what a browser is told, beside what
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
	cancel  context.CancelFunc // ends the build, the tests and the stories that are under way
	program *server.Program    // nil until one is built
	lanes   int                // how many there have been
}

// A verdict is what the stories say of a server.
type verdict struct {
	Told  string   `json:"told"`  // how far they are told
	Lines []string `json:"lines"` // what the server does, behaviour by behaviour
	Text  string   `json:"verdict"`
	OK    bool     `json:"ok"`
}

// A run is one start of a server, and what has been seen of it since.
type run struct {
	State string `json:"state"` // building, running, ended or failed
	Well  bool   `json:"well"`  // it has ended with status 0
	Words string `json:"words"` // its last words, or the compiler's
	Dump  string `json:"dump"`  // of its goroutines, on Ctrl-\
	URL   string `json:"url"`
	Go    bool   `json:"go"` // it is written in Go

	server      *server.Server
	recorder    *timeline.Recorder   // nil unless the server runs
	seen        sample               // of the server, last
	here        map[string]*lane     // those who are there, by name
	interrupted int64                // when the server was signalled, or 0
	dumps       int                  // how often the server has told of its goroutines
	next        time.Time            // when the server is to be observed
	descriptors int                  // without visitors
	memory      int64                // the least without visitors
	threads     int                  // without visitors, at first
	since       map[string]time.Time // when what is odd began
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
	mostWords  = 1000                  // bytes, of which the first say why a server ended
	mostDump   = 64_000
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

// publish puts on the board what there is to show.
func (p *panel) publish() {
	s := &p.seen
	s.At, s.State, s.Here, s.More = p.lab.clock.ms(), p.State, 0, 0
	if p.recorder != nil {
		s.Here = p.recorder.Here()
		s.More = s.Here - p.recorder.Followed()
		s.Counts = maps.Clone(p.recorder.Counts)
	}
	p.lab.board.addSample(p.ID, *s)
	p.lab.board.show(inPanels+2*p.ID+1, "panel", p)
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

// tell puts on the board what has happened to a visitor.
func (p *panel) tell(e timeline.Event) {
	at := max(e.At.Milliseconds(), 1)
	if e.Kind == timeline.Arrives {
		kind, _, _ := strings.Cut(e.Visitor, " ")
		l := &lane{N: p.lanes, Name: e.Visitor, Arrived: at, Kind: e.Kind, kind: kind}
		p.lanes++
		p.here[e.Visitor] = l
		p.lab.board.addLane(p.ID, l)
		return
	}
	p.lab.board.changeLane(p.here[e.Visitor], func(l *lane) {
		switch l.Kind = e.Kind; e.Kind {
		case timeline.Accepted:
			l.Accepted = at
		case timeline.Served:
			l.Served = at
		default:
			l.Over = at
			delete(p.here, e.Visitor)
		}
	})
}

// send has visitors of a kind come; no group, if many are there already.
func (p *panel) send(kind string, names []string) {
	if p.recorder != nil && (p.recorder.Here() <= many || len(names) == 1) {
		p.recorder.Send(requests[kind], names...)
	}
}

// leave has all leave who have not asked for a page.
func (p *panel) leave() {
	if p.recorder != nil {
		p.recorder.Leave(false, func(_ string, _, asks bool) bool { return !asks })
	}
}

// reset has a visitor leave with a reset: the one with the name, or else the one who came last of those whom the
// server has accepted, or else of all.
func (p *panel) reset(name string) {
	if p.recorder == nil {
		return
	}
	var last, taken string
	p.recorder.Leave(true, func(name string, isTaken, _ bool) bool {
		if last = name; isTaken {
			taken = name
		}
		return false
	})
	name = cmp.Or(name, taken, last)
	p.recorder.Leave(true, func(n string, _, _ bool) bool { return n == name })
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

// clear takes off the panel what has been read: words, a dump, a verdict, and the lanes of those who
// have gone.
func (p *panel) clear() {
	p.Words, p.Dump, p.verdict = "", "", verdict{}
	p.From = p.lab.clock.ms()
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
				p.program, p.Stale, p.Tests, p.Took = program, false, 0, 0
				if program.Folder != "" {
					p.lab.board.show(inPanels+2*p.ID, "code", readCode(p.ID, p.Stage.Folder))
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
	run := exec.CommandContext(ctx, "go", "test", "-v", "-count=1", "-run", "^("+strings.Join(names, "|")+")$", ".")
	run.Dir = folder
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that it ends with the lab, as an orphan
	out, err := run.Output()
	passed := regexp.MustCompile(`(?m)^--- PASS: Test`).FindAll(out, -1)
	took := regexp.MustCompile(`(?m)^ok\s+\S+\s+([\d.]+)s`).FindSubmatch(out)
	if err != nil || took == nil {
		return
	}
	seconds, _ := strconv.ParseFloat(string(took[1]), 64)
	p.calls <- func() {
		if ctx.Err() == nil {
			p.Tests, p.Took = len(passed), int64(seconds*1000)
		}
	}
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
	runner := &behaviour.Runner{Root: ".", Program: program, Strict: stage != nil,
		Deadline: time.Now().Add(5 * time.Minute)}
	told := 0
	report := runner.RunAll(ctx, stage, func(behaviour.Result) {
		told++
		show(verdict{Told: fmt.Sprintf("%d stories told", told)})
	})
	report.Who, report.Again = p.Stage.Folder, again
	text, ok := report.Verdict(0)
	show(verdict{"told at " + time.Now().Format("15:04:05"), []string{}, strings.TrimSpace(text), ok})
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
	// Over a pipe a server in Go tells where its goroutines are. Should there be none, nothing is told.
	told, pipe, _ := os.Pipe()
	defer pipe.Close()
	opt := server.Options{Extra: []*os.File{pipe}, Env: []string{"LAB_GOROUTINES=1"}}
	s, _, err := timeline.Start(p.program, seconds(p.Slow), seconds(p.Patience), opt)
	if err != nil {
		told.Close()
		p.failed(err)
		return
	}
	go p.readGoroutines(s, told)
	p.run = run{State: "running", URL: "http://" + s.Addr, Go: p.program.Go, server: s,
		recorder: timeline.NewRecorder(s, p.lab.clock.Now, p.tell), seen: sample{goroutines: countGoroutines(""), Accepted: -1},
		here: map[string]*lane{}, since: map[string]time.Time{}}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// ended puts into the panel how the server has ended.
func (p *panel) ended(says string) {
	p.recorder.Look() // what it has sent before it ended
	p.recorder.Close(timeline.Lost)
	state, _ := p.server.Wait(0)
	p.State, p.Well = "ended", p.server.Succeeded()
	p.seen = sample{goroutines: countGoroutines(""), Says: cmp.Or(says, fmt.Sprintf("It has ended: %v.", state)), Counts: maps.Clone(p.recorder.Counts)}
	p.recorder = nil
	_, words, _ := strings.Cut(p.server.Log(), p.server.Addr+"\n") // after it began to listen
	words, dump, _ := strings.Cut(words, "\ngoroutine ")
	p.Words = words[:min(len(words), mostWords)]
	if dump = "\ngoroutine " + dump; strings.Contains(dump, "\ngoroutine 1 ") {
		p.Dump = dump[:min(len(dump), mostDump)]
	}
}

// failed puts into the panel that the server does not build, or does not start.
func (p *panel) failed(err error) {
	p.verdict = verdict{}
	words := strings.ReplaceAll(err.Error(), "\n\t", "\n")
	p.Words = words[:min(len(words), mostWords)]
	if p.recorder != nil {
		p.Stale = true
		p.Words += "\n\nThe server from before goes on."
		return
	}
	p.State, p.seen = "failed", sample{goroutines: countGoroutines(""), Says: "It does not start."}
	if p.Stage.Number == 0 {
		p.Words += "\n\nTry SERVER='python3 docs/examples/server.py', which is one that does."
	}
}

// observe looks at the server from outside, and has it not looked at again for 100 times as
// long as that took.
func (p *panel) observe(now time.Time) {
	s, here := &p.seen, p.recorder.Here()
	s.Threads, _ = p.server.Threads()
	descriptors, err := p.server.Descriptors()
	memory, _, _ := p.server.Memory()
	if here == 0 {
		p.descriptors, p.memory = descriptors, min(memory, cmp.Or(p.memory, memory))
		p.threads = cmp.Or(p.threads, s.Threads)
	}
	if !p.Go {
		s.Held = max(s.Threads-p.threads, 0)
	}
	if s.Accepted = max(descriptors-p.descriptors, 0); p.interrupted > 0 {
		s.Accepted, err = p.recorder.Accepted() // it may have closed the descriptor that it listened on
	}
	if err != nil {
		s.Accepted = -1
	}
	const few = 20 // visitors, of whom each one's memory cannot be told
	if s.Each = 0; s.Accepted >= few {
		const exact = 100 // bytes
		s.Each = max(int(memory-p.memory)/s.Accepted, 0) / exact * exact
	}
	p.observeOdd(now)
	p.next = now.Add(min(max(100*time.Since(now), 100*time.Millisecond), 2*time.Second))
}

const endless = "It printed without end for %v, and has been killed."

// observeOdd says what a reader should know of a server that does not get on, once that has lasted
// for long. One that prints where all its goroutines are, however many, is about to end by itself.
func (p *panel) observeOdd(now time.Time) {
	asleep, err := p.server.Asleep()
	served := false
	for _, l := range p.here {
		served = served || l.Served > 0 || l.Accepted > 0
	}
	here := p.recorder.Here()
	p.seen.Says = ""
	for _, odd := range []struct {
		says  string
		holds bool
	}{
		{endless, p.server.Flooded() && !strings.Contains(p.server.Log(), "\ngoroutine 1 ")},
		{"It was interrupted %v ago, and goes on.", p.interrupted > 0},
		{"It is busy all the time, for %v now.", !asleep && err == nil},
		{"Nobody is being served, for %v now, though somebody waits. Does it hang?",
			here > 0 && !served && p.seen.Accepted == 0},
		{"For %v over a thousand visitors have been there. No group comes before some go.", here > many},
	} {
		if _, known := p.since[odd.says]; !odd.holds || !known {
			p.since[odd.says] = now
		}
		const long = 2 * time.Second
		if lasts := now.Sub(p.since[odd.says]); lasts > long && p.seen.Says == "" {
			p.seen.Says = fmt.Sprintf(odd.says, lasts.Round(time.Second))
			if odd.says == endless {
				p.server.Kill()
				p.ended(p.seen.Says)
				return
			}
		}
	}
}

// readGoroutines puts into the panel what a server tells of its goroutines, until it has ended. It is
// called in a goroutine of its own.
func (p *panel) readGoroutines(s *server.Server, told *os.File) {
	defer told.Close()
	in := bufio.NewReader(told)
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
