package main

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

// facts are what can be seen of a server from outside, and where its goroutines are.
type facts struct {
	Threads    int      `json:"threads"`
	Goroutine1 string   `json:"goroutine1"` // as in "in Accept [syscall]"
	Goroutines int      `json:"goroutines"`
	Waits      []string `json:"waits"`    // as in "3 sleep"
	Accepted   int      `json:"accepted"` // connections that it holds; -1 if that cannot be seen
	Each       int      `json:"each"`     // bytes of memory for each of those; 0 if there are few
	Looks      int      `json:"-"`        // how often it has been looked at
}

// A dump is what the runtime prints of all goroutines on Ctrl-\.
type dump struct {
	Main   string   `json:"main"`   // goroutine 1
	Own    []string `json:"own"`    // those that run functions of the server's own
	Others []string `json:"others"` // those of the runtime and of packages
	More   int      `json:"more"`   // further ones of the server's own
}

// ours says whether a goroutine is the one that tells of all others.
func ours(g behaviour.Goroutine) bool { return strings.Contains(g.Text, "labGoroutines") }

// What nobody reads in a dump: addresses, folders, arguments.
var noise = regexp.MustCompile(`( gp| m| mp| fp| sp| pc)=\S+| \+0x\S+|/\S*/`)
var arguments = regexp.MustCompile(`\((0x|\{|\.\.\.)[^\n]*\)`)

func readDump(log string) *dump {
	const most = 30
	d := &dump{Own: []string{}, Others: []string{}}
	for _, g := range behaviour.Goroutines(log) {
		text := strings.ReplaceAll(arguments.ReplaceAllString(noise.ReplaceAllString(g.Text, ""), "()"), "\n\t", "  ")
		switch {
		case g.ID == "1":
			d.Main = text
		case ours(g):
		case g.Own() && len(d.Own) < most:
			d.Own = append(d.Own, text)
		case g.Own():
			d.More++
		case len(d.Others) < most:
			d.Others = append(d.Others, text)
		}
	}
	if d.Main == "" {
		return nil
	}
	return d
}

// pipes makes the pipes over which a server in Go is asked where its goroutines are.
func (p *panel) pipes() (opt server.Options, asked, told *os.File, err error) {
	if p.program.Folder == "" {
		return opt, nil, nil, nil
	}
	r1, asked, err := os.Pipe()
	if err != nil {
		return opt, nil, nil, err
	}
	told, w2, err := os.Pipe()
	if err != nil {
		r1.Close()
		asked.Close()
		return opt, nil, nil, err
	}
	opt.Extra, opt.Env = []*os.File{r1, w2}, []string{"LAB_GOROUTINES=1"}
	return opt, asked, told, nil
}

const (
	soon    = 100 * time.Millisecond // from one look to the next while something happens
	later   = time.Second            // and while nothing does
	latest  = 2 * time.Second
	share   = 30              // a look may take one part in so many of the time
	hanging = 3 * time.Second // who does not say for so long where its goroutines are is not asked again
)

// An observer looks at one running server.
type observer struct {
	*server.Server
	asked, told *os.File // nil if the server does not tell of its goroutines
	descriptors int      // without visitors
	memory      int64    // the least without visitors
	cpu         time.Duration
	looked      time.Time
	busy        time.Duration // for how long it has not been seen asleep
	waiting     time.Time     // since when nobody is served, though somebody waits
}

// observe looks at the server as long as it runs, more often while things happen,
// and less often where a look takes long.
func (p *panel) observe(s *server.Server, asked, told *os.File) {
	o := &observer{Server: s, asked: asked, told: told, looked: time.Now()}
	defer o.close()
	quiet := 0
	for !s.Exited() && p.lab.ctx.Err() == nil {
		began := time.Now()
		v := p.look()
		f, odd := o.look(v)
		took := time.Since(began)
		if s.Exited() {
			return
		}
		p.change(func(v *view) {
			f.Looks = v.Facts.Looks + 1
			v.Facts, v.Odd = f, odd
		})
		pause := min(max(share*took, soon), latest)
		time.Sleep(pause)
		if quiet++; quiet > 4 { // some looks after the last event show what came of it
			select {
			case <-p.stirred:
				quiet = 0
			case <-time.After(later - soon):
			}
		} else {
			select {
			case <-p.stirred:
				quiet = 0
			default:
			}
		}
	}
}

func (o *observer) close() {
	for _, f := range []*os.File{o.asked, o.told} {
		if f != nil {
			f.Close()
		}
	}
	o.asked = nil
}

// look returns the facts, and what is odd about the server, if anything.
func (o *observer) look(v view) (f facts, odd string) {
	f = facts{Accepted: -1, Waits: []string{}}
	f.Threads, _ = o.Threads()
	descriptors, err := o.Descriptors()
	memory, _, _ := o.Memory()
	if v.Here == 0 {
		o.descriptors = descriptors
		if o.memory == 0 || memory < o.memory {
			o.memory = memory
		}
	}
	if err == nil {
		f.Accepted = max(descriptors-o.descriptors, 0)
	}
	const few = 20 // visitors, of whom each one's memory cannot be told
	if f.Accepted >= few && memory > o.memory {
		f.Each = int(memory-o.memory) / f.Accepted
	}
	odd = o.odd(v, f.Accepted)
	if o.asked != nil {
		o.goroutines(&f)
	}
	return f, odd
}

// goroutines asks the server where its goroutines are.
func (o *observer) goroutines(f *facts) {
	o.asked.SetWriteDeadline(time.Now().Add(hanging))
	o.told.SetReadDeadline(time.Now().Add(hanging))
	var size uint64
	_, err := o.asked.Write([]byte{1})
	if err == nil {
		err = binary.Read(o.told, binary.LittleEndian, &size)
	}
	var text []byte
	if err == nil && size < 1<<30 {
		text = make([]byte, size)
		_, err = io.ReadFull(o.told, text)
	}
	if err != nil {
		o.close() // it has ended, or hangs
		return
	}
	count := map[string]int{}
	for _, g := range behaviour.Goroutines(string(text)) {
		if ours(g) {
			continue
		}
		f.Goroutines++
		count[g.State]++
		if g.ID == "1" {
			f.Goroutine1 = g.Where()
		}
	}
	for _, state := range slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(count[b]-count[a], strings.Compare(a, b))
	}) {
		f.Waits = append(f.Waits, fmt.Sprintf("%d %s", count[state], state))
	}
}

// odd says what a reader should know of a server that does not get on.
func (o *observer) odd(v view, accepted int) string {
	cpu, err := o.CPU()
	now := time.Now()
	const little = 20 * time.Millisecond // of processor time: who has used no more is not busy
	asleep := err != nil || cpu-o.cpu < little
	if !asleep {
		asleep, err = o.Asleep()
	}
	if o.busy += now.Sub(o.looked); asleep || err != nil {
		o.busy = 0
	}
	o.cpu, o.looked = cpu, now
	served := slices.ContainsFunc(v.Lanes, func(l lane) bool { return l.Over == 0 && l.Served > 0 })
	waits := slices.ContainsFunc(v.Lanes, func(l lane) bool { return l.Over == 0 && l.Served == 0 })
	if served || !waits || accepted > 0 || timeline.Blind {
		o.waiting = time.Time{}
	} else if o.waiting.IsZero() {
		o.waiting = now
	}
	const long = 2 * time.Second
	switch after := now.Sub(v.Interrupted).Round(time.Second); {
	case !v.Interrupted.IsZero() && after > 0:
		return fmt.Sprintf("It was interrupted %v ago, and goes on.", after)
	case v.Here > many && v.Here < 10_000:
		return fmt.Sprintf("More than %d visitors are there. No more groups come before some are gone.", many)
	case o.busy > long:
		return fmt.Sprintf("It is busy all the time, for %v now.", o.busy.Round(time.Second))
	case !o.waiting.IsZero() && now.Sub(o.waiting) > long:
		return "Nobody is being served, though somebody waits. Does it hang?"
	}
	return ""
}
