package timeline

import (
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// A recorder follows some of its visitors closely and tells all that happens to them. The others,
// of whom there may be thousands, it only counts.
const (
	followed      = 100 // at most
	ofGroups      = 90  // of those, so that somebody who comes alone has room
	ofGroup       = 60  // the first of those who come together
	whenSomeLeave = 40  // others take their place, as long as there are fewer
)

// resolution is how often a recorder is to look at the visitors, and roughly how
// often it looks at those that it does not follow.
const (
	resolution      = 5 * time.Millisecond
	roughResolution = 500 * time.Millisecond
)

// A Recorder has visitors come to one server, and tells each thing that happens to
// those it follows once. It tells from within the calls of its methods, which are to be made
// one after the other.
type Recorder struct {
	// Counts are the visits that are over, by how they ended.
	Counts map[Kind]int
	// Stirred is when something last happened to a visitor.
	Stirred time.Duration

	server *server.Server
	clock  func() time.Duration
	tell   func(Event)
	guests []*guest      // who are there, in the order in which they came
	rough  time.Duration // when those were looked at last that are not followed

	cpu      time.Duration  // that the server had used at the last look
	underway bool           // somebody was still connecting or sending at the last look
	leaving  sync.WaitGroup // connections that are being closed
}

// A guest is a visitor who is there.
type guest struct {
	*visitor.Visitor
	arrived  time.Duration
	asks     bool // sends a whole request
	taken    bool // is known to be accepted or served
	followed bool
}

// NewRecorder makes a recorder for a running server. The clock tells the times of the events.
func NewRecorder(s *server.Server, clock func() time.Duration, tell func(Event)) *Recorder {
	return &Recorder{Counts: map[Kind]int{}, Stirred: clock(), server: s, clock: clock, tell: tell}
}

// Now is how far the recording has got.
func (r *Recorder) Now() time.Duration { return r.clock() }

// Here is how many visitors are there.
func (r *Recorder) Here() int { return len(r.guests) }

// Followed is how many of those who are there are followed.
func (r *Recorder) Followed() (n int) {
	for _, g := range r.guests {
		if g.followed {
			n++
		}
	}
	return n
}

// Accepted asks the system how many of those who are there the server has accepted.
func (r *Recorder) Accepted() (n int, err error) {
	for _, g := range r.guests {
		accepted := g.taken
		if conn := g.Conn(); !accepted && conn != nil {
			if accepted, err = r.server.HasAccepted(conn); err != nil {
				return 0, err
			}
		}
		if accepted {
			n++
		}
	}
	return n, nil
}

// Underway says whether somebody was still connecting or sending at the last look.
func (r *Recorder) Underway() bool { return r.underway }

// Send has visitors come, one after the other, each of whom sends a request, or part of one, or
// stays silent.
func (r *Recorder) Send(request string, names ...string) {
	n := r.Followed()
	most := max(min(ofGroups, n+ofGroup), n)
	if len(names) == 1 {
		most = followed
	}
	var before *visitor.Visitor
	for _, name := range names {
		g := &guest{Visitor: visitor.ConnectAfter(before, name, r.server.Addr), arrived: r.Now(),
			asks: strings.Contains(request, "\r\n\r\n"), followed: n < most}
		if request != "" {
			g.Visitor.Send(request)
		}
		if g.followed {
			n++
			r.tell(Event{g.arrived, name, Arrives})
		}
		r.guests, r.Stirred, before = append(r.guests, g), g.arrived, g.Visitor
	}
	r.underway = true
}

// Leave disconnects the visitors that match, with a reset or in the ordinary way. Taken are those
// who are known to have been accepted, and asks those who have sent a whole request.
func (r *Recorder) Leave(reset bool, match func(name string, taken, asks bool) bool) {
	now := r.Now()
	r.guests = slices.DeleteFunc(r.guests, func(g *guest) bool {
		if !match(g.Name, g.taken, g.asks) {
			return false
		}
		r.over(g, now, Leaves, reset)
		return true
	})
}

// Close ends the recording: k happens to all who are still there. Those who have not got a
// connection to a server that has died are refused.
func (r *Recorder) Close(k Kind) {
	now := r.Now()
	for _, g := range r.guests {
		if connected, err := g.Connected(); k == Lost && (!connected || err != nil) {
			r.over(g, now, Refused, false)
			continue
		}
		r.over(g, now, k, false)
	}
	r.guests = nil
	r.leaving.Wait()
}

func (r *Recorder) over(g *guest, now time.Duration, k Kind, reset bool) {
	r.Counts[k]++
	r.happens(g, now, k)
	r.leaving.Go(func() {
		if reset {
			g.Reset()
		}
		g.Visitor.Close()
	})
}

func (r *Recorder) happens(g *guest, now time.Duration, k Kind) {
	r.Stirred = now
	if g.followed {
		r.tell(Event{now, g.Name, k})
	}
}

// Look looks at the visitors, and tells what has happened to them. What is seen in
// one look happens at one time. The last visitor is looked at first: a server that
// takes its visitors in turn, and gets on while we look, is never seen to have
// answered a later one first.
func (r *Recorder) Look() {
	now := r.Now()
	cpu, err := r.server.CPU()
	// A server that has used no processor time since has read nothing.
	ask := r.server.Sees("requests") && (err != nil || cpu != r.cpu || r.underway)
	r.cpu, r.underway = cpu, false

	all := now-r.rough >= roughResolution || r.server.Exited()
	if all {
		r.rough = now
	}
	happened := make(map[*guest][]Kind)
	for _, g := range slices.Backward(r.guests) {
		if !g.followed && !all {
			continue
		}
		if kinds := r.happened(g, ask && g.followed); len(kinds) > 0 {
			happened[g] = kinds
		}
	}
	r.guests = slices.DeleteFunc(r.guests, func(g *guest) bool {
		for _, k := range happened[g] {
			if !k.lasts() {
				r.over(g, now, k, false)
				return true
			}
			r.happens(g, now, k)
		}
		return false
	})
	r.followMore()
}

// followMore follows others when many have gone. Those who are accepted already are left out,
// because nobody saw when they were.
func (r *Recorder) followMore() {
	n, asked := r.Followed(), 0
	for _, g := range r.guests {
		if n >= whenSomeLeave || asked >= whenSomeLeave { // to ask thousands would take long
			return
		}
		if g.followed || g.taken || g.Conn() == nil {
			continue
		}
		asked++
		accepted, err := r.server.HasAccepted(g.Conn())
		if g.taken = accepted || err != nil; !g.taken {
			g.followed = true
			n++
			r.tell(Event{g.arrived, g.Name, Arrives})
		}
	}
}

// happened returns what has happened to a visitor since the last look. If ask is
// false, the system is not asked whether they have been accepted.
func (r *Recorder) happened(g *guest, ask bool) []Kind {
	connected, err := g.Connected()
	switch {
	case !connected:
		r.underway = true
		return nil
	case err != nil:
		return []Kind{Refused}
	}
	reply, end := g.Reply()
	switch {
	case g.Said() != "" && len(reply) > 0 && visitor.Whole(reply):
		if g.taken || !r.server.Sees("requests") {
			return []Kind{Answered}
		}
		return []Kind{Served, Answered} // however short it was
	case end != nil && r.server.Ending() && !r.server.Exited():
		return nil // how it ends, the next look will show
	case end != nil && r.server.Exited() && !r.server.Succeeded():
		return []Kind{Lost}
	case end != nil:
		return []Kind{Dropped}
	case g.taken:
		return nil
	case !g.Sent():
		r.underway = true
		return nil
	}
	if ask && g.asks {
		g.taken, _ = r.server.HasRead(g.Conn())
	} else if ask {
		g.taken, _ = r.server.HasAccepted(g.Conn())
	}
	switch {
	case g.taken && g.asks:
		return []Kind{Served}
	case g.taken:
		return []Kind{Accepted}
	}
	return nil
}
