package server

import (
	"errors"
	"os"
	"time"
)

// A server is quiet while, at every look, all of its threads are asleep and it has
// used next to no processor time since the look before. What a quiet server does next, it
// does because something comes from outside, or because a timer runs out.
const (
	// SettleTime is how long a server has to be quiet to have done all that it had
	// to do. It holds whatever the machine is busy with: a server that has
	// something to do, and gets no processor, is not asleep.
	SettleTime = 30 * time.Millisecond

	// settleReports is the same for a server that reports on itself. A thread of it that
	// the system has just woken, and that has not run yet, counts as asleep; so
	// there are twice as many looks, for each of which another of its threads has to run.
	settleReports = 2 * SettleTime

	// GiveUpAfter is how long a server has to be quiet for nothing more to be expected
	// of it, beyond any timer that it is known to have. It is as long because a right
	// server may look at its sockets only now and then: the one of net/http
	// looks twice a second whether it can stop.
	GiveUpAfter = 750 * time.Millisecond

	// giveUpStart is how long a server that does not listen yet may be quiet: longer
	// than GiveUpAfter, because interpreters and their shims sleep over the disk.
	giveUpStart = 4 * GiveUpAfter

	// workLimit is the processor time that a server may use in one wait, and workPerVisitor
	// what it may use beside that for each visitor who has come: an interpreter takes some
	// 20 ms. A server that uses more is spinning. To start, a runtime may need
	// several times that.
	workLimit      = time.Second
	workPerVisitor = 50 * time.Millisecond
	startWorkLimit = 10 * time.Second
)

const (
	interval = 5 * time.Millisecond // from one look to the next
	// sleepWork is the processor time that some runtimes use in their sleep.
	sleepWork = 500 * time.Microsecond
	// However long it is from one look to the next, no more than longestInterval counts as quiet: a
	// machine that was halted in between gave the server no chance.
	longestInterval = 4 * interval
	// Where nobody tells what a server does, it counts as quiet all the time, and has unseenFactor
	// times as long.
	unseenFactor = 8
)

// Expect says that so many visitors more are about to come, each of whom gives the server
// work to do.
func (s *Server) Expect(visitors int) { s.visitors.Add(int64(visitors)) }

// Await polls until cond holds, and returns true. It returns false when cond can be
// expected to hold no more: the server has been quiet for as long as quiet says, has
// ended, or spins, or the deadline of its Options is over.
func (s *Server) Await(quiet time.Duration, cond func() bool) bool {
	held, _ := s.await(quiet, cond)
	return held
}

// AwaitQuiet waits until the server has been quiet for as long as quiet says. It
// returns false if the server ends or spins instead.
func (s *Server) AwaitQuiet(quiet time.Duration) bool {
	exited, wasQuiet := s.await(quiet, s.Exited)
	return wasQuiet && !exited
}

// Wait waits until the server has ended, or is quiet for so long that it will not,
// and returns how it ended.
func (s *Server) Wait(quiet time.Duration) (*os.ProcessState, error) {
	if !s.Await(quiet, s.Exited) {
		return nil, errors.New("the server does not end")
	}
	return s.state, nil
}

// await is Await, and says as well whether the server was quiet for so long.
func (s *Server) await(quiet time.Duration, cond func() bool) (held, wasQuiet bool) {
	most, unknown := workLimit, GiveUpAfter // unknown: for how long something unknown may keep it asleep
	if s.Addr == "" {
		most, unknown = startWorkLimit, giveUpStart
	}
	switch {
	case s.reports():
		quiet = max(quiet, settleReports)
	case !s.Sees("work"):
		quiet += (unseenFactor - 1) * min(quiet, unknown) // timers take no longer than elsewhere
	}
	for w := s.newWatch(); !cond(); s.pause() {
		if s.Exited() {
			quiet = min(quiet, SettleTime) // replies that it sent before it ended may still arrive
		}
		wasQuiet = w.quietFor(quiet) >= quiet
		overdue := !s.deadline.IsZero() && time.Now().After(s.deadline)
		if wasQuiet || w.worked > most || overdue {
			return cond(), wasQuiet
		}
	}
	return true, false
}

// pause waits for the next look, which comes at once when the server has printed something: it
// may then be told to stop at the very moment when it says that it listens.
func (s *Server) pause() {
	select {
	case <-time.After(interval):
	case <-s.log.written:
	}
}

// A watch measures how long a server has been quiet.
type watch struct {
	server *Server
	last   time.Time     // of the last look
	cpu    time.Duration // that the server had used then
	quiet  time.Duration // for how long it had been quiet then
	worked time.Duration // processor time since the watch began
}

func (s *Server) newWatch() *watch {
	cpu, _ := s.CPU()
	return &watch{server: s, last: time.Now(), cpu: cpu}
}

// quietFor looks at the server and returns for how long it has been quiet. It is
// called every few milliseconds by who wants to see it quiet for a time wanted. It
// looks at the threads at the beginning and the end of that time only: those that
// were asleep, and have used no processor time, are asleep still, except for one
// that has just been woken.
func (w *watch) quietFor(wanted time.Duration) time.Duration {
	now := time.Now()
	passed := min(now.Sub(w.last), longestInterval)
	w.last = now
	cpu, err := w.server.CPU()
	if err != nil {
		cpu = w.cpu
	}
	unchanged := err == nil && cpu == w.cpu
	worked := max(cpu-w.cpu, 0) // a child that has ended takes its time with it
	w.cpu, w.worked = cpu, w.worked+worked
	asleep := unchanged && w.quiet > 0 && w.quiet+passed < wanted
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		asleep = true
	case w.server.Exited():
		asleep = true
	case w.server.reports():
		asleep, _ = w.server.Asleep() // it needs processor time to say so
	case !asleep && worked <= sleepWork:
		asleep, _ = w.server.Asleep()
	}
	if !asleep {
		w.quiet = 0
		return 0
	}
	w.quiet += passed
	return w.quiet
}
