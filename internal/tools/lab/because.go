package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// crowd is how many goroutines, visitors or threads are worth a sentence.
const crowd = 20

// because says why a server did what it did, in sentences that are made of what was seen of it.
func because(p *panel) string {
	var why []string
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	last := p.samples[len(p.samples)-1]
	if len(p.lanes) > 0 && p.Go {
		say("%s", whoWaited(p.lanes, p.samples, p.lab.clock.ms()))
	}
	held, total := 0, 0
	for _, s := range p.samples {
		held, total = max(held, s.Held), max(total, s.Total)
	}
	if held >= crowd && last.Here == 0 && last.State != "ended" {
		say("The visitors held %d threads. They have gone, and the server still has %d: Go keeps them.", held, last.Threads)
	} else if total >= crowd && held < crowd {
		say("The server had %d goroutines; those of the visitors were parked and held no thread.", total)
	}
	if i := slices.IndexFunc(p.lanes, func(l *lane) bool { return l.Kind == "is dropped" }); i >= 0 && p.interrupted == 0 {
		say("%s was dropped after %s: the server's patience is %v s.", p.lanes[i].Name, p.lanes[i].until(p.lanes[i].Over), p.Patience)
	}
	if last.State == "ended" && p.Well {
		say("After Ctrl-C it accepted nobody, and ended when its visitors had gone, %.1f s later.", float64(last.At-p.interrupted)/1000)
	} else if last.State == "ended" {
		say("%s %s", last.Status, strings.SplitN(p.Output, "\n", 2)[0])
	}
	return strings.Join(why, " ")
}

// whoWaited says who waited longest, or that nobody had to, and where goroutine 1 was then. The time end is now.
func whoWaited(lanes []*lane, samples []sample, end int64) string {
	const (
		short = 300  // ms, which nobody notices
		long  = 2000 // ms, within which each of a crowd is seen to be accepted
	)
	accepted := func(l *lane) int64 { return cmp.Or(l.Accepted, l.Served, l.Over, end) }
	l := slices.MaxFunc(lanes, func(a, b *lane) int { return cmp.Compare(accepted(a)-a.Arrived, accepted(b)-b.Arrived) })
	waited, where := accepted(l)-l.Arrived, whereabouts(samples, l.Arrived, accepted(l))
	inAccept := strings.Contains(where, "in Accept ")
	text, then := fmt.Sprintf("%s waited %s", l.Name, l.until(accepted(l))), "; all that time"
	if waited < short || waited < long && inAccept {
		text, then, where = "Nobody waited", "; meanwhile", whereabouts(samples, lanes[0].Arrived, end)
	}
	if where != "" {
		text += then + " goroutine 1 was " + where
	}
	if where != "" && waited >= short && !inAccept {
		text += ", so nobody was in Accept"
	}
	return text + "."
}

// until is how long after the visitor's arrival a time was.
func (l *lane) until(time int64) string { return fmt.Sprintf("%.1f s", float64(time-l.Arrived)/1000) }

// whereabouts says where goroutine 1 was between two times, as in "first in A [sleep], then in B [syscall]".
func whereabouts(samples []sample, from, to int64) string {
	const glimpse = 250 // ms; what is seen for no longer may be over already
	var places []string
	for i, s := range samples {
		until := to
		if i+1 < len(samples) {
			until = min(to, samples[i+1].At)
		}
		place := fmt.Sprintf("in %s [%s]", s.Place, s.Wait)
		if s.Place != "" && !strings.HasPrefix(s.Wait, "run") && until-max(s.At, from) >= glimpse && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if len(places) > 1 {
		places[0] = "first " + places[0]
	}
	return strings.Join(places, ", then ")
}
