// Package timeline sends visitors to a server, records what happens to each,
// and draws it: a lane for each visitor, time from left to right.
//
// Recording and drawing are apart. What is between them is a [Recording], which
// can be written down and read back.
package timeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Recording is what happened to the visitors of a server.
type Recording struct {
	// Server is what the server is called.
	Server string
	// Slow is how long the server was told to take over GET /sleep, and
	// Patience how long it was told to bear with a silent visitor. It is 0
	// for a server that has no such flag.
	Slow, Patience time.Duration
	// Blind says that the recorder was, and that no event is Served.
	Blind bool
	// Now is how far the recording has got.
	Now time.Duration
	// Events are in the order in which they happened.
	Events []Event
}

// An Event is something that happens to a visitor.
type Event struct {
	At      time.Duration // since the first visitor arrived
	Visitor string
	Kind    Kind
}

// A Kind of event. Together with a visitor it makes a sentence.
type Kind string

const (
	Arrives  Kind = "arrives"         // asks for a connection
	Served   Kind = "is being served" // the server has accepted the connection and read what was sent
	Answered Kind = "is answered"     // the reply has come, all of it
	Dropped  Kind = "is dropped"      // the server has ended the connection, and there was no reply
	Leaves   Kind = "leaves"          // has had enough of it
	Refused  Kind = "is refused"      // there was no connection to be had
	Lost     Kind = "is lost"         // the server has died while they were there
	Ignored  Kind = "is ignored"      // the recording ended, and nothing had come
)

// word returns what is left to say of a visitor to whom a last event happened.
func (k Kind) word() string {
	if k == Leaves {
		return "left"
	}
	return strings.TrimPrefix(string(k), "is ")
}

var kinds = []Kind{Arrives, Served, Answered, Dropped, Leaves, Refused, Lost, Ignored}

// String writes the recording down, with times to the hundredth of a second.
// Parse reads it.
func (r Recording) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "server: %s\nslow: %v\n", r.Server, r.Slow)
	if r.Patience > 0 {
		fmt.Fprintf(&b, "patience: %v\n", r.Patience)
	}
	if r.Blind {
		fmt.Fprintf(&b, "blind: %v\n", r.Blind)
	}
	b.WriteByte('\n')
	for _, e := range r.Events {
		fmt.Fprintf(&b, "%.2fs  %-7s  %s\n", e.At.Seconds(), e.Visitor, e.Kind)
	}
	return b.String()
}

// Parse reads what String has written.
func Parse(text string) (Recording, error) {
	var r Recording
	head, events, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		var err error
		switch key {
		case "server":
			r.Server = value
		case "slow":
			r.Slow, err = time.ParseDuration(value)
		case "patience":
			r.Patience, err = time.ParseDuration(value)
		case "blind":
			r.Blind, err = strconv.ParseBool(value)
		default:
			err = fmt.Errorf("no such key")
		}
		if err != nil {
			return r, fmt.Errorf("%q: %w", line, err)
		}
	}
	for line := range strings.Lines(events) {
		e, err := parseEvent(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return r, fmt.Errorf("%q: %w", line, err)
		}
		r.Events = append(r.Events, e)
		r.Now = e.At
	}
	return r, nil
}

func parseEvent(line string) (Event, error) {
	at, rest, _ := strings.Cut(line, "  ")
	visitor, kind, _ := strings.Cut(rest, "  ")
	e := Event{Visitor: visitor, Kind: Kind(strings.TrimSpace(kind))}
	var err error
	if e.At, err = time.ParseDuration(at); err != nil {
		return e, err
	}
	if !slices.Contains(names(), e.Visitor) {
		return e, fmt.Errorf("no visitor is called %q", e.Visitor)
	}
	if !slices.Contains(kinds, e.Kind) {
		return e, fmt.Errorf("nothing that happens to a visitor is called %q", e.Kind)
	}
	return e, nil
}

// Order returns the events without their times, one to a line.
func (r Recording) Order() string {
	var b strings.Builder
	for _, e := range r.Events {
		fmt.Fprintf(&b, "%s %s\n", e.Visitor, e.Kind)
	}
	return b.String()
}

// A lane is what a drawing shows of a visitor. A time is negative until its
// event has happened.
type lane struct {
	visitor               string
	arrived, served, over time.Duration
	last                  Kind // what happened when it was over
}

// lanes returns one lane for each visitor, whether they have arrived or not.
func (r Recording) lanes() []lane {
	var lanes []lane
	for _, name := range names() {
		l := lane{visitor: name, arrived: -1, served: -1, over: -1}
		for _, e := range r.Events {
			switch {
			case e.Visitor != name:
			case e.Kind == Arrives:
				l.arrived = e.At
			case e.Kind == Served:
				l.served = e.At
			default:
				l.over, l.last = e.At, e.Kind
			}
		}
		lanes = append(lanes, l)
	}
	return lanes
}

// prompt says whether a visitor was served without a wait that can be drawn.
func (r Recording) prompt(l lane) bool {
	return l.served-l.arrived < r.horizon()/100
}

// horizon returns the time at the right end of a drawing. It is the same for
// all servers that get the play over with in time, so that their drawings can be
// compared.
func (r Recording) horizon() time.Duration {
	return max(scaled(horizon, r.Slow), r.Now, time.Millisecond)
}

// ticks returns the times to mark on the axis: round ones, and at most n.
func (r Recording) ticks(n int) []time.Duration {
	step := time.Millisecond
	for i := 0; r.horizon()/step >= time.Duration(n); i++ {
		step = time.Duration([]int64{1, 2, 5}[i%3]) * time.Millisecond
		for range i / 3 {
			step *= 10
		}
	}
	var ticks []time.Duration
	for t := time.Duration(0); t <= r.horizon(); t += step {
		ticks = append(ticks, t)
	}
	return ticks
}

// seconds formats a time for the axis, as in "0.5s".
func seconds(t time.Duration) string {
	return strconv.FormatFloat(t.Seconds(), 'f', -1, 64) + "s"
}

// flags returns how the server was started, as far as it matters to a drawing.
func (r Recording) flags() string {
	flags := "-slow " + r.Slow.String()
	if r.Patience > 0 {
		flags += " -patience " + r.Patience.String()
	}
	return flags
}
