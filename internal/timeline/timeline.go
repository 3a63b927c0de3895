// Package timeline sends visitors to a server, records what happens to each,
// and draws it: a lane for each visitor, time from left to right.
package timeline

import (
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
	// Blind says that nobody could see whether the server was serving a visitor, or had not
	// even accepted the connection: see server.HasRead.
	Blind bool `json:",omitempty"`
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
	Accepted Kind = "is accepted"     // the server waits for what they have to say
	Served   Kind = "is being served" // the server has accepted the connection and read the request
	Answered Kind = "is answered"     // the reply has come, all of it
	Dropped  Kind = "is dropped"      // the server has ended the connection, and there was no reply
	Leaves   Kind = "leaves"          // has had enough of it
	Refused  Kind = "is refused"      // there was no connection to be had
	Lost     Kind = "is lost"         // the server has died while they were there
	Ignored  Kind = "is ignored"      // the recording ended, and nothing had come
)

// lasts says whether the visitor is still there after the event.
func (k Kind) lasts() bool { return k == Arrives || k == Accepted || k == Served }

// Word returns what is left to say of a visitor to whom a last event happened.
func (k Kind) Word() string {
	if k == Leaves {
		return "left"
	}
	return strings.TrimPrefix(string(k), "is ")
}

// A Meaning says what a drawing shows of a kind of event.
type Meaning struct {
	Kind Kind
	Text string
}

// Meanings returns the legend of all drawings, in two rows: the spans, and the ends of lanes. In a
// Blind recording nobody can tell a visitor who waits from one who is being served.
func Meanings(blind bool) [2][]Meaning {
	spans := []Meaning{{Arrives, "waiting"}, {Accepted, "accepted, the server waits for them"}, {Served, "being served"}}
	if blind {
		spans = []Meaning{{Arrives, "waiting or being served"}}
	}
	return [2][]Meaning{spans, {{Answered, "answered"}, {Dropped, "dropped"}, {Leaves, "left"}}}
}

// A Lane is what a drawing shows of a visitor.
type Lane struct {
	Visitor string
	Spans   []Span // one after the other; none before the visitor has arrived
	End     Kind   // what happened at the end of the last span, if it is over
}

// A Span is a time in which a visitor waits, if its Kind is Arrives, in which the server
// waits for them, if it is Accepted, or in which they are Served.
type Span struct {
	Kind     Kind
	From, To time.Duration
}

// Lanes returns one lane for each visitor. A wait that is too short to be drawn is
// left out: who was served so soon was served at once.
func (r Recording) Lanes() []Lane {
	lanes := make([]Lane, len(schedule))
	for i, v := range schedule {
		l := &lanes[i]
		l.Visitor = v.visitor
		for _, e := range r.Events {
			if e.Visitor != v.visitor {
				continue
			}
			last := len(l.Spans) - 1
			switch {
			case e.Kind.lasts() && last >= 0 && e.At-l.Spans[last].From < r.End()/50:
				l.Spans[last].Kind = e.Kind
				continue
			case last >= 0:
				l.Spans[last].To = e.At
			}
			if e.Kind.lasts() {
				l.Spans = append(l.Spans, Span{e.Kind, e.At, r.Now})
			} else {
				l.End = e.Kind
			}
		}
	}
	return lanes
}

// End returns the time at the right end of a drawing. It is the same for
// all servers that are done with their visitors in time, so that their drawings can be
// compared.
func (r Recording) End() time.Duration {
	return max(scaled(drawn, r.Slow), r.Now, time.Millisecond)
}

// Ticks returns the times to mark on the axis, at most n: every half of what a slow
// request takes, or every one, two, four ...
func (r Recording) Ticks(n int) []time.Duration {
	step := max(r.Slow/2, time.Millisecond)
	for r.End()/step >= time.Duration(n) {
		step *= 2
	}
	var ticks []time.Duration
	for t := time.Duration(0); t <= r.End(); t += step {
		ticks = append(ticks, t)
	}
	return ticks
}

// Seconds formats a time for the axis, as in "0.5s".
func Seconds(t time.Duration) string {
	return strconv.FormatFloat(t.Seconds(), 'f', -1, 64) + "s"
}

// Flags returns how the server was started, as far as it matters to a drawing.
func (r Recording) Flags() string {
	flags := "-slow " + r.Slow.String()
	if r.Patience > 0 {
		flags += " -patience " + r.Patience.String()
	}
	return flags
}
