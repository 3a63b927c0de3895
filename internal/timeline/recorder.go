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
	// Now is how far the recording has got.
	Now func() time.Duration
	// Counts are the visits that are over, by how they ended.
	Counts map[Kind]int
	// LastEvent is when something last happened to a visitor.
	LastEvent time.Duration
	// Underway says whether a visitor was still connecting or sending at the last look.
	Underway bool

	server *server.Server
	report func(Event)
	visits []*visit      // that are not over, in the order in which they began
	rough  time.Duration // when the visitors who are not followed were last looked at

	cpu     time.Duration  // that the server had used at the last look
	leaving sync.WaitGroup // connections that are being closed
}

// A visit is a visitor who is there.
type visit struct {
	*visitor.Visitor
	arrived  time.Duration
	asks     bool // the visitor sends a whole request
	accepted bool // the visitor is known to be accepted or served
	followed bool
}

// NewRecorder makes a recorder for a running server. The clock tells the times of the events. Close or CloseEnded
// closes the connections of the visitors who are still there.
func NewRecorder(s *server.Server, clock func() time.Duration, report func(Event)) *Recorder {
	return &Recorder{Now: clock, Counts: map[Kind]int{}, LastEvent: clock(), server: s, report: report}
}

// Here is how many visitors are there.
func (r *Recorder) Here() int { return len(r.visits) }

// Followed is how many of the visitors who are there are followed.
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
			v.accepted = accepted && !v.followed // if followed, the next look reports it
		}
		if accepted {
			n++
		}
	}
	return n, nil
}

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
	r.Underway = true
}

// LeaveSilent closes the connections of the visitors who have not sent a whole request.
func (r *Recorder) LeaveSilent() { r.leave(func(v *visit) bool { return !v.asks }) }

// ResetLast resets the connection of the last visitor whom the server has accepted, or of the last of all if it
// has accepted none.
func (r *Recorder) ResetLast() {
	var last *visit
	for _, v := range r.visits {
		if last == nil || v.accepted || !last.accepted {
			last = v
		}
	}
	if last != nil {
		last.Reset()
		r.leave(func(v *visit) bool { return v == last })
	}
}

func (r *Recorder) leave(match func(*visit) bool) {
	now := r.Now()
	r.visits = slices.DeleteFunc(r.visits, func(v *visit) bool {
		return match(v) && r.happens(v, now, Leaves)
	})
}

// Close makes all visitors leave who are still there, and returns when their connections are closed.
func (r *Recorder) Close() {
	r.leave(func(*visit) bool { return true })
	r.leaving.Wait()
}

// CloseEnded ends the recording of a server that has ended. The system tells the visitors how their
// visits ended, which may take a moment on a busy machine.
func (r *Recorder) CloseEnded() {
	const patience = 2 * time.Second
	connected := func(v *visit) bool { return v.Conn() != nil }
	began := time.Now()
	for r.Look(); slices.ContainsFunc(r.visits, connected) && time.Since(began) < patience; r.Look() {
		time.Sleep(resolution)
	}
	for _, v := range r.visits {
		end := Refused
		if connected(v) {
			end = Lost // though a process that the server started still holds the connection
		}
		r.happens(v, r.Now(), end)
	}
	r.visits = nil
	r.leaving.Wait()
}

// happens reports what happens to a visitor, and says whether the visit is over.
func (r *Recorder) happens(v *visit, now time.Duration, k Kind) (over bool) {
	r.LastEvent = now
	if v.followed {
		r.report(Event{now, v.Name, k})
	}
	if !k.lasts() {
		r.Counts[k]++
		r.leaving.Go(v.Visitor.Close)
	}
	return !k.lasts()
}

// Look looks at the visitors, and reports what has happened to them. What is seen in
// one look happens at one time. The last visitor is looked at first: a server that
// takes its visitors in turn, and gets on while we look, is never seen to have
// answered a later one first.
func (r *Recorder) Look() {
	now := r.Now()
	cpu, err := r.server.CPU()
	// A server that has used no processor time since has read nothing.
	ask := r.server.Sees("requests") && (err != nil || cpu != r.cpu || r.Underway)
	wasUnderway := r.Underway
	r.cpu, r.Underway = cpu, false

	all := now-r.rough >= roughResolution || r.server.Exited()
	if all {
		r.rough = now
	}
	happened := make(map[*visit][]Kind)
	for _, v := range slices.Backward(r.visits) {
		if !v.followed && !all {
			r.Underway = r.Underway || wasUnderway // unless the next look at all tells otherwise
			continue
		}
		if kinds := r.happened(v, ask && v.followed); len(kinds) > 0 {
			happened[v] = kinds
		}
	}
	r.visits = slices.DeleteFunc(r.visits, func(v *visit) (over bool) {
		for _, k := range happened[v] {
			over = r.happens(v, now, k)
		}
		return over
	})
}

// happened returns what has happened to a visitor since the last look. If ask is
// false, the system is not asked whether they have been accepted.
func (r *Recorder) happened(v *visit, ask bool) []Kind {
	connected, err := v.Connected()
	switch {
	case !connected:
		r.Underway = true
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
		r.Underway = true
		return nil
	}
	if !ask {
		return nil
	}
	kind, sees := Accepted, r.server.HasAccepted
	if v.asks {
		kind, sees = Served, r.server.HasRead
	}
	if v.accepted, _ = sees(v.Conn()); v.accepted {
		return []Kind{kind}
	}
	return nil
}
