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
	lanes, samples := p.lanes, p.samples
	var why []string
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	last := samples[len(samples)-1]
	if len(lanes) > 0 && p.Go {
		say("%s", whoWaited(lanes, samples, p.lab.clock.ms()))
	}
	held, total := 0, 0
	for _, s := range samples {
		held, total = max(held, s.Held), max(total, s.Total)
	}
	switch {
	case held >= crowd && last.Here == 0 && last.Threads >= crowd:
		say("The visitors held %d threads. They have gone, and the server still has %d: Go keeps them.", held, last.Threads)
	case held >= crowd:
		say("The visitors held %d threads.", held)
	case total >= crowd:
		say("The server had %d goroutines; those of the visitors were parked and held no thread.", total)
	}
	if i := slices.IndexFunc(lanes, func(l *lane) bool { return l.Kind == "is dropped" }); i >= 0 && p.interrupted == 0 {
		say("%s was dropped %s after it came: the server's patience is %v s.", lanes[i].Name, lanes[i].took(lanes[i].Over), p.Patience)
	}
	switch {
	case last.State == "ended" && p.interrupted == 0:
		say("%s %s", last.Status, strings.SplitN(p.Output, "\n", 2)[0])
	case last.State == "ended" && p.Well:
		say("After Ctrl-C it accepted nobody, and ended when its visitors had gone, %.1f s later.", float64(last.At-p.interrupted)/1000)
	case last.State == "ended":
		say("Ctrl-C ended it at once.")
	}
	return strings.Join(why, " ")
}

const (
	short = 300  // ms, which nobody notices
	long  = 2000 // ms, within which each of a crowd is seen to be accepted
)

// whoWaited says who waited longest, or who did not have to, and where goroutine 1 was then.
func whoWaited(lanes []*lane, samples []sample, end int64) string {
	waitedUntil := func(l *lane) int64 { return cmp.Or(l.Accepted, l.Served, l.Over, end) }
	first := slices.MaxFunc(lanes, func(a, b *lane) int { return cmp.Compare(waitedUntil(a)-a.Arrived, waitedUntil(b)-b.Arrived) })
	until := waitedUntil(first)
	where := whereabouts(samples, first.Arrived, until)
	inAccept := strings.Contains(where, "in Accept ")
	switch waited := until - first.Arrived; {
	case waited < short, inAccept && waited < long:
	case where == "":
		return fmt.Sprintf("%s waited %s.", first.Name, first.took(until))
	case inAccept:
		return fmt.Sprintf("%s waited %s; meanwhile goroutine 1 was %s.", first.Name, first.took(until), where)
	default:
		return fmt.Sprintf("%s waited %s; all that time goroutine 1 was %s, so nobody was in Accept.", first.Name, first.took(until), where)
	}
	stays := slices.MaxFunc(lanes, func(a, b *lane) int { return cmp.Compare(cmp.Or(a.Over, end)-a.Arrived, cmp.Or(b.Over, end)-b.Arrived) })
	until = cmp.Or(stays.Over, end)
	where = whereabouts(samples, cmp.Or(stays.Accepted, stays.Served, stays.Arrived), until)
	for _, l := range lanes {
		if l.Kind == "is answered" && l.Arrived > stays.Arrived && l.Over < until && where != "" {
			return fmt.Sprintf("%s was answered in %s while %s was still there: goroutine 1 was %s.", l.Name, l.took(l.Over), stays.Name, where)
		}
	}
	if where != "" && until-stays.Arrived >= short {
		return fmt.Sprintf("While %s was there, goroutine 1 was %s.", stays.Name, where)
	}
	for i, l := range lanes[1:] {
		if before := lanes[i]; before.Over == 0 || before.Over > l.Arrived {
			return "Nobody waited."
		}
	}
	last := samples[len(samples)-1]
	return fmt.Sprintf("Nobody waited: no two visitors were there at once, and goroutine 1 is in %s [%s].", last.Place, last.Wait)
}

// took is how long after the visitor's arrival a time was.
func (l *lane) took(until int64) string {
	if ms := until - l.Arrived; ms < 100 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(until-l.Arrived)/1000)
}

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

// at returns the sample that held at a time.
func at(samples []sample, time int64) sample {
	n, _ := slices.BinarySearchFunc(samples, time+1, func(s sample, at int64) int { return cmp.Compare(s.At, at) })
	return samples[max(n-1, 0)]
}
