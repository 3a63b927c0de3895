package server

import (
	"errors"
	"time"
)

// A server is quiet while, at every look, all of its threads are asleep and it has
// used no processor time since the look before. What a quiet server does next, it
// does because something comes from outside, or because a timer runs out.
const (
	// Settled is how long a server has to be quiet to have done all that it had
	// to do. It holds whatever the machine is busy with: a server that has
	// something to do, and gets no processor, is not asleep.
	Settled = 30 * time.Millisecond

	// Idle is how long a server has to be quiet for nothing more to be expected
	// of it, beyond any timer that it is known to have. It is as long because a right
	// server may look at its sockets only now and then: the one of net/http
	// looks twice a second whether it can stop.
	Idle = 750 * time.Millisecond

	// mostWork is the processor time that a server may use in one wait. A server
	// that uses more is spinning: no story asks for as much. To start, a runtime
	// may need several times that.
	mostWork      = time.Second
	mostStartWork = 10 * time.Second
)

const (
	interval = 5 * time.Millisecond // from one look to the next
	// A little processor time is what some runtimes use in their sleep.
	little = 500 * time.Microsecond
	// However long it is from one look to the next, no more counts as quiet: a
	// machine that was halted in between gave the server no chance.
	mostQuiet = 4 * interval
	// Where the system does not tell what a server does, it counts as quiet
	// all the time, and has so many times as long.
	blindFactor = 8
)

// Await polls until cond holds, and returns true. It returns false when cond can be
// expected to hold no more: the server has been quiet for as long as quiet says, has
// ended, or spins, or the deadline of its Options is over.
func (s *Server) Await(quiet time.Duration, cond func() bool) bool {
	watch := s.Watch()
	for !cond() {
		if s.Exited() {
			quiet = min(quiet, Settled) // what it has left at the sockets still comes
		}
		if watch.QuietFor(quiet) >= quiet || watch.spins() || s.overdue() {
			return cond()
		}
		time.Sleep(interval)
	}
	return true
}

// AwaitQuiet waits until the server has been quiet for as long as quiet says. It
// returns false if the server ends or spins instead.
func (s *Server) AwaitQuiet(quiet time.Duration) bool {
	watch := s.Watch()
	for watch.QuietFor(quiet) < quiet {
		if s.Exited() || watch.spins() || s.overdue() {
			return false
		}
		time.Sleep(interval)
	}
	return !s.Exited()
}

func (s *Server) overdue() bool { return !s.deadline.IsZero() && time.Now().After(s.deadline) }

// A Watch measures how long a server has been quiet.
type Watch struct {
	server *Server
	last   time.Time     // of the last look
	cpu    time.Duration // that the server had used then
	quiet  time.Duration // for how long it had been quiet then
	worked time.Duration // processor time since the watch began
}

// Watch begins to measure.
func (s *Server) Watch() *Watch {
	cpu, _ := s.CPU()
	return &Watch{server: s, last: time.Now(), cpu: cpu}
}

func (w *Watch) spins() bool {
	if w.server.Addr == "" {
		return w.worked > mostStartWork
	}
	return w.worked > mostWork
}

// QuietFor looks at the server and returns for how long it has been quiet. It is
// called every few milliseconds by who wants to see it quiet for a time wanted. It
// looks at the threads at the beginning and the end of that time only: those that
// were asleep, and have used no processor time, are asleep still, except for one
// that has just been woken.
func (w *Watch) QuietFor(wanted time.Duration) time.Duration {
	now := time.Now()
	passed := min(now.Sub(w.last), mostQuiet)
	w.last = now
	cpu, err := w.server.CPU()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		w.quiet += passed / blindFactor
		return w.quiet
	case w.server.Exited():
		w.quiet += passed
		return w.quiet
	}
	worked := max(cpu-w.cpu, 0) // a child that has ended takes its time with it
	w.cpu, w.worked = cpu, w.worked+worked
	between := worked == 0 && w.quiet > 0 && w.quiet+passed < wanted
	if asleep := between || worked <= little && w.server.asleep(); !asleep {
		w.quiet = 0
		return 0
	}
	if w.server.Addr == "" {
		w.server.started() // it sleeps before it listens: let another one start
	}
	w.quiet += passed
	return w.quiet
}

func (s *Server) asleep() bool {
	asleep, err := s.Asleep()
	return err == nil && asleep
}
