package timeline

import (
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

const (
	// A recorder follows each visitor who comes alone, and of those who come together as many as
	// make this number with all that it follows. The others, of whom there may be thousands, it only counts.
	followedLimit = 60

	resolution      = 5 * time.Millisecond   // how often to look at the visitors
	roughResolution = 500 * time.Millisecond // how often a recorder looks at those that it does not follow
)

// A Recorder sends visitors to one server, and reports each thing that happens to those that it
// follows. It reports from within the calls of its methods, which are to be made one after the other.
type Recorder struct {
	// Counts are the visits that are over, by how they ended.
	Counts map[Kind]int
	// LastEvent is when something last happened to a visitor.
	LastEvent time.Duration

	server *server.Server
	clock  func() time.Duration
	report func(Event)
	visits []*visit      // that are not over, in the order in which they began
	rough  time.Duration // when those were looked at last that are not followed

	cpu      time.Duration  // that the server had used at the last look
	underway bool           // somebody was still connecting or sending at the last look
	leaving  sync.WaitGroup // connections that are being closed
}

// A visit is that of a visitor who is there.
type visit struct {
	*visitor.Visitor
	arrived  time.Duration
	asks     bool // the visitor sends a whole request
	accepted bool // the visitor is known to be accepted or served
	followed bool
}

// hasSent says whether the visitor has connected and sent all that they had to, or cannot.
func (v *visit) hasSent() bool {
	connected, err := v.Connected()
	return connected && (err != nil || v.Sent())
}

// NewRecorder makes a recorder for a running server. The clock tells the times of the events. Close or CloseEnded
// closes the connections of the visitors who are still there.
func NewRecorder(s *server.Server, clock func() time.Duration, report func(Event)) *Recorder {
	return &Recorder{Counts: map[Kind]int{}, LastEvent: clock(), server: s, clock: clock, report: report}
}

// Now is how far the recording has got.
func (r *Recorder) Now() time.Duration { return r.clock() }

// Here is how many visitors are there.
func (r *Recorder) Here() int { return len(r.visits) }

// Followed is how many of those who are there are followed.
func (r *Recorder) Followed() (n int) {
	for _, v := range r.visits {
		if v.followed {
			n++
		}
	}
	return n
}

// Accepted asks the system how many of the visitors who are there the server has accepted. The error is
// errors.ErrUnsupported if that cannot be seen.
func (r *Recorder) Accepted() (n int, err error) {
	for _, v := range r.visits {
		accepted := v.accepted
		if conn := v.Conn(); !accepted && conn != nil {
			if accepted, err = r.server.HasAccepted(conn); err != nil {
				return 0, err
			}
			v.accepted = accepted && !v.followed // of one who is followed, the next look reports it
		}
		if accepted {
			n++
		}
	}
	return n, nil
}

// Underway says whether a visitor was still connecting or sending at the last look.
func (r *Recorder) Underway() bool { return r.underway }

// Send sends visitors, one after the other, each with a request, or a part of one. With "" they
// stay silent.
func (r *Recorder) Send(request string, names ...string) {
	n := r.Followed()
	var before *visitor.Visitor
	for _, name := range names {
		v := &visit{Visitor: visitor.Connect(name, r.server.Addr, before), arrived: r.Now(),
			asks: strings.Contains(request, "\r\n\r\n"), followed: len(names) == 1 || n < followedLimit}
		if request != "" {
			v.Visitor.Send(request)
		}
		if v.followed {
			n++
			r.report(Event{v.arrived, name, Arrives})
		}
		r.visits, r.LastEvent, before = append(r.visits, v), v.arrived, v.Visitor
	}
	r.underway = true
}

// LeaveSilent closes the connections of the visitors who have not sent a whole request.
func (r *Recorder) LeaveSilent() {
	r.leave(func(v *visit) bool { return !v.asks }, (*visitor.Visitor).Close)
}

// ResetLast resets the connection of the last visitor whom the server has accepted, or of the last of all if it
// has accepted none.
func (r *Recorder) ResetLast() {
	var last *visit
	for _, v := range r.visits {
		if last == nil || v.accepted || !last.accepted {
			last = v
		}
	}
	r.leave(func(v *visit) bool { return v == last }, (*visitor.Visitor).Reset)
}

func (r *Recorder) leave(match func(*visit) bool, disconnect func(*visitor.Visitor)) {
	now := r.Now()
	r.visits = slices.DeleteFunc(r.visits, func(v *visit) bool {
		leaves := match(v)
		if leaves {
			r.over(v, now, Leaves, disconnect)
		}
		return leaves
	})
}

// Close ends the recording: k happens to all visitors who are still there.
func (r *Recorder) Close(k Kind) { r.close(func(*visit) Kind { return k }) }

// CloseEnded ends the recording of a server that has ended. The system tells the visitors how their
// visits ended, which may take a moment on a busy machine.
func (r *Recorder) CloseEnded() {
	const patience = 2 * time.Second
	connected := func(v *visit) bool { return v.Conn() != nil }
	began := time.Now()
	for r.Look(); slices.ContainsFunc(r.visits, connected) && time.Since(began) < patience; r.Look() {
		time.Sleep(resolution)
	}
	r.close(func(v *visit) Kind {
		if connected(v) {
			return Lost // though a process that the server started still holds the connection
		}
		return Refused
	})
}

func (r *Recorder) close(end func(*visit) Kind) {
	now := r.Now()
	for _, v := range r.visits {
		r.over(v, now, end(v), (*visitor.Visitor).Close)
	}
	r.visits = nil
	r.leaving.Wait()
}

func (r *Recorder) over(v *visit, now time.Duration, k Kind, disconnect func(*visitor.Visitor)) {
	r.Counts[k]++
	r.happens(v, now, k)
	r.leaving.Go(func() { disconnect(v.Visitor) })
}

func (r *Recorder) happens(v *visit, now time.Duration, k Kind) {
	r.LastEvent = now
	if v.followed {
		r.report(Event{now, v.Name, k})
	}
}

// Look looks at the visitors, and reports what has happened to them. What is seen in
// one look happens at one time. The last visitor is looked at first: a server that
// takes its visitors in turn, and gets on while we look, is never seen to have
// answered a later one first.
func (r *Recorder) Look() {
	now := r.Now()
	cpu, err := r.server.CPU()
	// A server that has used no processor time since has read nothing.
	ask := r.server.Sees("requests") && (err != nil || cpu != r.cpu || r.underway)
	wasUnderway := r.underway
	r.cpu, r.underway = cpu, false

	all := now-r.rough >= roughResolution || r.server.Exited()
	if all {
		r.rough = now
	}
	happened := make(map[*visit][]Kind)
	for _, v := range slices.Backward(r.visits) {
		if !v.followed && !all {
			r.underway = r.underway || wasUnderway && !v.hasSent()
			continue
		}
		if kinds := r.happened(v, ask && v.followed); len(kinds) > 0 {
			happened[v] = kinds
		}
	}
	r.visits = slices.DeleteFunc(r.visits, func(v *visit) bool {
		for _, k := range happened[v] {
			if !k.lasts() {
				r.over(v, now, k, (*visitor.Visitor).Close)
				return true
			}
			r.happens(v, now, k)
		}
		return false
	})
}

// happened returns what has happened to a visitor since the last look. If ask is
// false, the system is not asked whether they have been accepted.
func (r *Recorder) happened(v *visit, ask bool) []Kind {
	connected, err := v.Connected()
	switch {
	case !connected:
		r.underway = true
		return nil
	case err != nil:
		return []Kind{Refused}
	}
	_, end := v.Reply()
	switch {
	case v.Said() != "" && v.Whole():
		if v.accepted || !r.server.Sees("requests") {
			return []Kind{Answered}
		}
		return []Kind{Served, Answered} // however short it was
	case end != nil && r.server.Ending() && !r.server.Exited():
		return nil // how it ends, the next look will show
	case end != nil && r.server.Exited() && !r.server.Succeeded():
		return []Kind{Lost}
	case end != nil:
		return []Kind{Dropped}
	case v.accepted:
		return nil
	case !v.Sent():
		r.underway = true
		return nil
	}
	if ask && v.asks {
		v.accepted, _ = r.server.HasRead(v.Conn())
	} else if ask {
		v.accepted, _ = r.server.HasAccepted(v.Conn())
	}
	switch {
	case v.accepted && v.asks:
		return []Kind{Served}
	case v.accepted:
		return []Kind{Accepted}
	}
	return nil
}
