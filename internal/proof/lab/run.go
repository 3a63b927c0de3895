package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

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
	stirred     time.Time          // when something last happened to a visitor
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
	told, pipe, err := os.Pipe() // over which a server in Go tells where its goroutines are
	if err != nil {
		p.failed(err)
		return
	}
	defer pipe.Close()
	go p.readGoroutines(told)
	slow, patience := p.lab.times()
	opt := server.Options{Extra: []*os.File{pipe}, Env: []string{"LAB_GOROUTINES=1"}}
	s, _, err := timeline.Start(p.program, slow, patience, opt)
	if err != nil {
		p.failed(err)
		return
	}
	p.run = run{State: "running", URL: "http://" + s.Addr, Go: p.program.Go, Accepted: -1, server: s,
		recorder: timeline.NewRecorder(s, p.lab.began, p.tell),
		Counts:   map[timeline.Kind]int{}, since: map[string]time.Time{}}
}

// ended puts into the panel how the server has ended.
func (p *panel) ended(says string) {
	p.recorder.Look() // what it has sent before it ended
	p.recorder.Close(timeline.Lost)
	p.recorder = nil
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

// observe looks at the server from outside, and has it not looked at again for 30 times as
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
	p.next = now.Add(min(max(30*time.Since(now), 100*time.Millisecond), 2*time.Second))
}

const endless = "It printed without end for %v, and has been killed."

// observeOdd says what a reader should know of a server that does not get on, once that has lasted
// for long. One that prints a lot because it dies has ended before.
func (p *panel) observeOdd(now time.Time) {
	asleep, err := p.server.Asleep()
	served := slices.ContainsFunc(p.Lanes, func(l lane) bool { return l.Over == 0 && l.Served > 0 })
	p.Says = ""
	for _, odd := range []struct {
		says  string
		holds bool
	}{
		{endless, p.server.Flooded()},
		{"It was interrupted %v ago, and goes on.", p.interrupted},
		{"It is busy all the time, for %v now.", !asleep && err == nil},
		{"Nobody is being served, for %v now, though somebody waits. Does it hang?",
			p.Here > 0 && !served && p.Accepted == 0},
		{"For %v more than a thousand visitors have been there. No group comes before some are gone.", p.Here > many},
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
	for in := bufio.NewReader(told); ; {
		text, err := in.ReadString(0)
		if err != nil {
			return
		}
		goroutine1, waits := "", map[string]int{}
		for _, g := range behaviour.Goroutines(text) {
			if g.Runs("labGoroutines") {
				continue
			}
			waits[g.State]++
			if g.ID == "1" {
				goroutine1 = g.Where()
			}
		}
		p.post(func() {
			p.Goroutine1, p.Waits = goroutine1, waits
			p.dumps++
		})
	}
}
