package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

// facts are what can be seen of a server from outside, and where its goroutines are.
type facts struct {
	Threads    int            `json:"threads"`
	Goroutine1 string         `json:"goroutine1"` // as in "in Accept [syscall]"
	Goroutines int            `json:"goroutines"`
	Waits      map[string]int `json:"waits"`    // goroutines by their state, as in "sleep"
	Dumps      int            `json:"-"`        // how often the server has told of its goroutines
	Accepted   int            `json:"accepted"` // connections that it holds; -1 if that cannot be seen
	Each       int            `json:"each"`     // bytes of memory for each of those; 0 if there are few
}

// An observer is what is remembered of a running server from look to look.
type observer struct {
	told        *os.File // where the server tells of its goroutines
	next        time.Time
	descriptors int   // without visitors
	memory      int64 // the least without visitors
	// When the server was last as it should be: not printing too much, asleep now and then, and
	// serving somebody if anybody is there.
	calm, asleep, serving time.Time
}

// observe looks at the server from outside, and has it not looked at again for 30 times as
// long as that took.
func (p *panel) observe(now time.Time) {
	v, f := &p.view, &p.view.Facts
	f.Threads, _ = p.server.Threads()
	descriptors, err := p.server.Descriptors()
	memory, _, _ := p.server.Memory()
	if v.Here == 0 {
		p.descriptors = descriptors
		if p.memory == 0 || memory < p.memory {
			p.memory = memory
		}
	}
	if err == nil {
		f.Accepted = max(descriptors-p.descriptors, 0)
	}
	const few = 20 // visitors, of whom each one's memory cannot be told
	if f.Each = 0; f.Accepted >= few {
		f.Each = max(int(memory-p.memory)/f.Accepted, 0)
	}
	v.Odd = p.odd(now)
	p.changed = true
	p.next = now.Add(min(max(30*time.Since(now), 100*time.Millisecond), 2*time.Second))
}

// odd says what a reader should know of a server that does not get on.
func (p *panel) odd(now time.Time) string {
	if asleep, err := p.server.Asleep(); asleep || err != nil {
		p.asleep = now
	}
	v := &p.view
	served := slices.ContainsFunc(v.Lanes, func(l lane) bool { return l.Over == 0 && l.Served > 0 })
	if served || v.Here == 0 || v.Facts.Accepted > 0 || timeline.Blind {
		p.serving = now
	}
	const long = 2 * time.Second
	switch after := now.Sub(v.Interrupted).Round(time.Second); {
	case !v.Interrupted.IsZero() && after > 0:
		return fmt.Sprintf("It was interrupted %v ago, and goes on.", after)
	case v.Here > many && v.Here < 10_000:
		return fmt.Sprintf("More than %d visitors are there. No more groups come before some are gone.", many)
	case now.Sub(p.asleep) > long:
		return fmt.Sprintf("It is busy all the time, for %v now.", now.Sub(p.asleep).Round(time.Second))
	case now.Sub(p.serving) > long:
		return "Nobody is being served, though somebody waits. Does it hang?"
	}
	return ""
}

// readGoroutines puts what a server tells of its goroutines into the view, until the pipe
// is closed. It is called in a goroutine of its own.
func (p *panel) readGoroutines(s *server.Server, told *os.File) {
	in := bufio.NewReader(told)
	for {
		text, err := in.ReadString(0)
		if err != nil {
			return
		}
		f := facts{Waits: map[string]int{}}
		for _, g := range behaviour.Goroutines(text) {
			if strings.Contains(g.Text, "labGoroutines") {
				continue
			}
			f.Goroutines++
			f.Waits[g.State]++
			if g.ID == "1" {
				f.Goroutine1 = g.Where()
			}
		}
		p.post(func() {
			if p.server == s {
				v := &p.view.Facts
				v.Goroutines, v.Waits, v.Goroutine1 = f.Goroutines, f.Waits, f.Goroutine1
				v.Dumps++
			}
		})
	}
}
