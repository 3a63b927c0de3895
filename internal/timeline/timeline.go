// Package timeline sends visitors to a server, records what happens to each,
// and draws it: a lane for each visitor, time from left to right.
package timeline

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Recording is what happened to the visitors of a server.
type Recording struct {
	// Server is what the server is called.
	Server string
	// Slow is how long the server was told to take over GET /sleep, and Patience how long to wait
	// for a silent visitor, or 0 if it has no such flag.
	Slow, Patience time.Duration
	Now            time.Duration // how far the recording has got
	Events         []Event       // in the order in which they happened
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
	Accepted Kind = "is accepted"     // the server waits for the request
	Served   Kind = "is being served" // the server has accepted the connection and read the request
	Answered Kind = "is answered"     // the reply has come, all of it
	Dropped  Kind = "is dropped"      // the server has ended the connection, and there was no reply
	Leaves   Kind = "leaves"          // closes the connection
	Refused  Kind = "is refused"      // gets no connection
	Lost     Kind = "is lost"         // was there when the server died
)

// lasts says whether the visitor is still there after the event.
func (k Kind) lasts() bool { return k == Arrives || k == Accepted || k == Served }

// Word returns the kind as a drawing names it.
func (k Kind) Word() string {
	switch k {
	case Arrives:
		return "waiting"
	case Accepted:
		return "accepted, the server waits for them"
	case Leaves:
		return "left"
	}
	return strings.TrimPrefix(string(k), "is ")
}

// LegendKinds are what the legend of a drawing explains, in two rows: the spans, and the ends of lanes.
var LegendKinds = [2][]Kind{{Arrives, Accepted, Served}, {Answered, Dropped, Leaves}}

// A Lane is what a drawing shows of a visitor.
type Lane struct {
	Visitor string
	Spans   []Span // one after the other; none before the visitor has arrived
	End     Kind   // what happened at the end of the last span, if it is over
}

// A Span is a time in which a visitor waits, if its Kind is Arrives, in which the server waits for
// the visitor's request, if it is Accepted, or in which the visitor is Served.
type Span struct {
	Kind     Kind
	From, To time.Duration
}

// Lanes returns one lane for each visitor, in the order in which they arrived. A wait that is too short to be drawn is left out, as if the
// visitor had been served at once.
func (r Recording) Lanes() []Lane {
	var lanes []Lane
	for _, e := range r.Events {
		i := slices.IndexFunc(lanes, func(l Lane) bool { return l.Visitor == e.Visitor })
		if i < 0 {
			i, lanes = len(lanes), append(lanes, Lane{Visitor: e.Visitor})
		}
		l := &lanes[i]
		last := len(l.Spans) - 1
		if last >= 0 {
			l.Spans[last].To = e.At
		}
		switch {
		case !e.Kind.lasts():
			l.End = e.Kind
		case last >= 0 && e.At-l.Spans[last].From < r.End()/50:
			l.Spans[last].Kind, l.Spans[last].To = e.Kind, r.Now
		default:
			l.Spans = append(l.Spans, Span{e.Kind, e.At, r.Now})
		}
	}
	return lanes
}

// End returns the time at the right end of a drawing. It is the same for all servers whose visitors have gone
// in time, so that their drawings can be compared.
func (r Recording) End() time.Duration { return max(r.Slow*9/5, r.Now) }

// Ticks returns the times to mark on the axis: every half of what a slow request takes.
func (r Recording) Ticks() (ticks []time.Duration) {
	for t := time.Duration(0); t <= r.End(); t += r.Slow / 2 {
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
