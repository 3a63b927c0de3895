package server

import (
	"errors"
	"os"
	"time"
)

// A server is quiet while, at every look, all of its threads are asleep and it has used next to
// no processor time since the look before. It goes on only if something comes from outside, or if a
// timer runs out.
const (
	// SettleTime is how long a server has to be quiet to have finished its work. This holds on a
	// busy machine too: a server that waits for a processor is not asleep.
	SettleTime = 30 * time.Millisecond

	// settleReports is the same for a server that reports on itself. A thread that the system has
	// just woken, and that has not run yet, counts as asleep. So there are twice as many looks, and
	// for each of them another of the server's threads has to run.
	settleReports = 2 * SettleTime

	// GiveUpAfter is how long a server has to be quiet, beyond any known timer, before nothing more
	// is expected of it. It is this long because a right server may look at its sockets only now
	// and then: that of net/http looks twice a second whether it can stop.
	GiveUpAfter = 750 * time.Millisecond

	// giveUpStart is the same for a server that does not listen yet. It is longer because
	// interpreters wait for the disk.
	giveUpStart = 4 * GiveUpAfter

	// workLimit is the processor time that a server may use in one wait, and workPerVisitor the
	// time that each visitor adds to it: an interpreter takes some 20 ms. A server that uses more
	// is spinning. A runtime may need several times that to start.
	workLimit      = time.Second
	workPerVisitor = 50 * time.Millisecond
	startWorkLimit = 10 * time.Second
)

const (
	interval = 5 * time.Millisecond // from one look to the next
	// sleepWork is the processor time that some runtimes use while they sleep.
	sleepWork = 500 * time.Microsecond
	// longestInterval is how much of the time between two looks counts as quiet at most: if the
	// machine was halted in between, the server could not run.
	longestInterval = 4 * interval
	// unseenFactor is how many times longer a server is waited for if its work cannot be seen: it
	// counts as quiet all the time.
	unseenFactor = 8
)

// Expect announces visitors, each of whom gives the server work to do.
func (s *Server) Expect(visitors int) { s.visitors.Add(int64(visitors)) }

// Await polls until cond holds, and returns true. It returns false when cond is no longer
// expected to hold: the server has been quiet for that long, has ended, or spins, or the deadline of
// its Options is over.
func (s *Server) Await(quiet time.Duration, cond func() bool) bool {
	held, _ := s.await(quiet, cond)
	return held
}

// AwaitQuiet waits until the server has been quiet for that long. It returns false if the server
// ends or spins instead.
func (s *Server) AwaitQuiet(quiet time.Duration) bool {
	exited, wasQuiet := s.await(quiet, s.Exited)
	return wasQuiet && !exited
}

// Wait waits until the server has ended, and returns how. If the server is quiet for that long
// instead, Wait returns an error.
func (s *Server) Wait(quiet time.Duration) (*os.ProcessState, error) {
	if !s.Await(quiet, s.Exited) {
		return nil, errors.New("the server does not end")
	}
	return s.state, nil
}

// await is Await. It says as well whether the server was quiet for that long.
func (s *Server) await(quiet time.Duration, cond func() bool) (held, wasQuiet bool) {
	maxWork, sleep := workLimit, GiveUpAfter // sleep: how long it may sleep for an unknown reason
	if s.Addr == "" {
		maxWork, sleep = startWorkLimit, giveUpStart
	}
	switch {
	case s.reports():
		quiet = max(quiet, settleReports)
	case !s.Sees("work"):
		quiet += (unseenFactor - 1) * min(quiet, sleep) // known timers are not multiplied
	}
	for w := s.newWatch(); !cond(); s.pause() {
		if s.Exited() {
			quiet = min(quiet, SettleTime) // replies that it sent before it ended may still arrive
		}
		wasQuiet = w.quietFor(quiet) >= quiet
		overdue := !s.deadline.IsZero() && time.Now().After(s.deadline)
		if wasQuiet || w.worked > maxWork || overdue {
			return cond(), wasQuiet
		}
	}
	return true, false
}

// pause waits for the next look. It returns at once when the server has printed something, so
// that a script can send a signal at the moment when the server listens.
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

// quietFor looks at the server and returns for how long it has been quiet. The caller calls it
// every few milliseconds until that is the time wanted. It looks at the threads at the beginning and
// the end of that time only: threads that were asleep, and have used no processor time, are still
// asleep, unless they have just been woken.
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
