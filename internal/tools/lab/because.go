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
func because(p *panel, lanes []lane, samples []sample) string {
	var why []string
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	last := samples[len(samples)-1]
	if len(lanes) > 0 && p.Go {
		say("%s", whoWaited(lanes, samples))
	}
	most := func(f func(s sample) int) int {
		return f(slices.MaxFunc(samples, func(a, b sample) int { return cmp.Compare(f(a), f(b)) }))
	}
	held, goroutines := most(func(s sample) int { return s.Held }), most(func(s sample) int { return s.Total })
	switch {
	case held >= crowd && last.Here == 0 && last.Threads >= crowd:
		say("The visitors held %d threads. They have gone, and the server still has %d: Go keeps them.", held, last.Threads)
	case held >= crowd:
		say("The visitors held %d threads.", held)
	case goroutines >= crowd:
		say("The server had %d goroutines; those of the visitors were parked and held no thread.", goroutines)
	}
	if i := slices.IndexFunc(lanes, func(l lane) bool { return l.Kind == "is dropped" }); i >= 0 && p.interrupted == 0 {
		say("%s was dropped %s after it came: the server's patience is %v s.", lanes[i].Name, lanes[i].took(lanes[i].Over), p.Patience)
	}
	switch {
	case last.State == "ended" && p.interrupted == 0:
		say("%s %s", last.Says, strings.SplitN(p.Words, "\n", 2)[0])
	case last.State == "ended" && p.Well:
		say("After Ctrl-C it accepted nobody, and ended when its visitors had gone, %.1f s later.", float64(last.At-p.interrupted)/1000)
	case last.State == "ended":
		say("Ctrl-C ended it at once.")
	}
	return strings.Join(why, " ")
}

// whoWaited says who waited longest, or else who was served longest, and where goroutine 1 was then.
func whoWaited(lanes []lane, samples []sample) string {
	end := samples[len(samples)-1].At
	longest := func(f func(l lane) (from, to int64)) lane {
		return slices.MaxFunc(lanes, func(a, b lane) int {
			from, to := f(a)
			from2, to2 := f(b)
			return cmp.Compare(to-from, to2-from2)
		})
	}
	const (
		short = 300  // ms, which nobody notices
		crush = 2000 // ms, which it may take to see that each of a crowd is accepted
	)
	waits := func(l lane) (from, to int64) { return l.Arrived, cmp.Or(l.Accepted, l.Served, l.Over, end) }
	l := longest(waits)
	if from, to := waits(l); to-from >= short {
		switch where := whereabouts(samples, from, to); {
		case where == "":
			return fmt.Sprintf("%s waited %s.", l.Name, l.took(to))
		case strings.Contains(where, "in Accept ") && to-from < crush:
		case strings.Contains(where, "in Accept "):
			return fmt.Sprintf("%s waited %s; meanwhile goroutine 1 was %s.", l.Name, l.took(to), where)
		default:
			return fmt.Sprintf("%s waited %s; all that time goroutine 1 was %s, so nobody was in Accept.", l.Name, l.took(to), where)
		}
	}
	served := func(l lane) (from, to int64) { return cmp.Or(l.Accepted, l.Served, end), cmp.Or(l.Over, end) }
	l = longest(served)
	if from, to := served(l); to-from >= short {
		if where := whereabouts(samples, from, to); where != "" {
			return fmt.Sprintf("Nobody waited. While %s was there, goroutine 1 was %s.", l.Name, where)
		}
	}
	return "Nobody waited."
}

// took is how long after the visitor's arrival a time was.
func (l lane) took(until int64) string { return fmt.Sprintf("%.1f s", float64(until-l.Arrived)/1000) }

// whereabouts says where goroutine 1 was between two times, as in "first in A [sleep], then in B [syscall]".
func whereabouts(samples []sample, from, to int64) string {
	var places []string
	_, first := split(samples, from)
	first.At = from
	during, _ := split(samples, to)
	during = slices.DeleteFunc(slices.Clone(during), func(s sample) bool { return s.At <= from })
	for i, all := 0, append([]sample{first}, during...); i < len(all); i++ {
		until := to
		if i+1 < len(all) {
			until = all[i+1].At
		}
		place := fmt.Sprintf("in %s [%s]", all[i].Place, all[i].Wait)
		const glimpse = 250 // ms; what is seen for no longer may be over already
		if all[i].Place != "" && until-all[i].At >= glimpse && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if len(places) > 1 {
		places[0] = "first " + places[0]
	}
	return strings.Join(places, ", then ")
}

// split returns the samples until a time, and the one that held then.
func split(samples []sample, at int64) (before []sample, then sample) {
	n, _ := slices.BinarySearchFunc(samples, at+1, func(s sample, at int64) int { return cmp.Compare(s.At, at) })
	return samples[:n], samples[max(n-1, 0)]
}
