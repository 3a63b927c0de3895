package timeline

import (
	"slices"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

// Followed is how many visitors a recorder looks at closely, the newest of those who
// are there. Of the others it tells how they end, and not when they are served.
const Followed = 60

// resolution is how often a recorder is to look at the visitors, and roughly how
// often it looks at those that it does not follow.
const (
	resolution      = 5 * time.Millisecond
	roughResolution = 500 * time.Millisecond
)

// A Recorder has visitors come to one server, and tells each thing that happens to
// them once. It tells from within the calls of its methods, which are to be made
// one after the other.
type Recorder struct {
	server *server.Server
	began  time.Time
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
	silent bool // sends nothing
	served bool
}

// NewRecorder makes a recorder for a running server, from whose beginning on time
// is counted.
func NewRecorder(s *server.Server, began time.Time, tell func(Event)) *Recorder {
	return &Recorder{server: s, began: began, tell: tell}
}

// Now is how far the recording has got.
func (r *Recorder) Now() time.Duration { return time.Since(r.began) }

// Here is how many visitors are there.
func (r *Recorder) Here() int { return len(r.guests) }

// Underway says whether somebody was still connecting or sending at the last look.
func (r *Recorder) Underway() bool { return r.underway }

// Send has a visitor come who sends a request, or part of one, or stays silent.
func (r *Recorder) Send(name, request string) {
	g := &guest{Visitor: visitor.Connect(name, r.server.Addr), silent: request == ""}
	if !g.silent {
		g.Visitor.Send(request)
	}
	r.guests = append(r.guests, g)
	r.tell(Event{r.Now(), name, Arrives})
}

// Leave has those visitors leave that who names, with a reset or in the ordinary way.
func (r *Recorder) Leave(reset bool, who func(name string) bool) {
	now := r.Now()
	r.guests = slices.DeleteFunc(r.guests, func(g *guest) bool {
		if !who(g.Name) {
			return false
		}
		r.over(g, now, Leaves, reset)
		return true
	})
}

// Close ends the recording: k happens to all who are still there.
func (r *Recorder) Close(k Kind) {
	now := r.Now()
	for _, g := range r.guests {
		r.over(g, now, k, false)
	}
	r.guests = nil
	r.leaving.Wait()
}

func (r *Recorder) over(g *guest, now time.Duration, k Kind, reset bool) {
	r.tell(Event{now, g.Name, k})
	r.leaving.Go(func() {
		if reset {
			g.Reset()
		}
		g.Visitor.Close()
	})
}

// Look looks at the visitors, and tells what has happened to them. What is seen in
// one look happens at one time. The last visitor is looked at first: a server that
// takes its visitors in turn, and gets on while we look, is never seen to have
// answered a later one first.
func (r *Recorder) Look() {
	now := r.Now()
	cpu, err := r.server.CPU()
	// A server that has used no processor time since has read nothing.
	ask := !Blind && (err != nil || cpu != r.cpu || r.underway)
	r.cpu, r.underway = cpu, false

	all := now-r.rough >= roughResolution
	if all {
		r.rough = now
	}
	happened := make(map[*guest][]Kind)
	for i, g := range slices.Backward(r.guests) {
		followed := i >= len(r.guests)-Followed
		if !followed && !all {
			break
		}
		if kinds := r.happened(g, ask && followed); len(kinds) > 0 {
			happened[g] = kinds
		}
	}
	r.guests = slices.DeleteFunc(r.guests, func(g *guest) bool {
		for _, k := range happened[g] {
			if k != Served {
				r.over(g, now, k, false)
				return true
			}
			r.tell(Event{now, g.Name, k})
		}
		return false
	})
}

// happened returns what has happened to a visitor since the last look. If ask is
// false, the system is not asked whether they are being served.
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
	case !g.silent && len(reply) > 0 && visitor.Whole(reply):
		if g.served || Blind {
			return []Kind{Answered}
		}
		return []Kind{Served, Answered} // however short it was
	case end != nil && r.server.Ending() && !r.server.Exited():
		return nil // how it ends, the next look will show
	case end != nil && r.server.Exited() && !r.server.Succeeded():
		return []Kind{Lost}
	case end != nil:
		return []Kind{Dropped}
	case g.served:
		return nil
	case !g.Sent():
		r.underway = true
		return nil
	}
	if ask {
		g.served, _ = r.server.HasRead(g.Conn())
	}
	if g.served {
		return []Kind{Served}
	}
	return nil
}
