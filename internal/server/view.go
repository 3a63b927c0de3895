package server

import (
	"errors"
	"net"
	"strings"
	"sync"
	"time"
)

// A view is what can be seen of a running server from outside: by the kernel, which sees
// every process, or by the server itself, if selfreport is in it. Where neither tells, an
// error is errors.ErrUnsupported.
type view interface {
	cpu() (time.Duration, error)
	asleep() (bool, error)
	threads() (int, error)
	descriptors() (int, error)
	zombies() (int, error)
	memory() (resident, addresses int64, err error)
	// visitor says whether the connection that a visitor calls conn has been accepted,
	// and how many bytes sent over it have not been read.
	visitor(conn net.Conn) (accepted bool, unread int, err error)
	limitFiles(n int) error
	ending() bool
}

// kernelSees has what the kernel tells of a server, by the names that Sees takes.
var kernelSees = sync.OnceValue(probe)

// Unseen says in a line what the kernel does not tell of other programs, and what comes of
// that. It is "" where the kernel tells all.
func Unseen() string {
	var unseen []string
	for _, what := range []string{"work", "requests", "threads", "descriptors", "zombies", "MiB", "address-space", "file-limit"} {
		if !kernelSees()[what] {
			unseen = append(unseen, what)
		}
	}
	if len(unseen) == 0 {
		return ""
	}
	line := "The kernel does not tell here, or not rightly, of other programs: " + strings.Join(unseen, ", ") + "."
	if needsReports() {
		line += " A server that is built from Go is asked itself."
	}
	return line
}

// selfSees has what a server tells of itself.
var selfSees = map[string]bool{"work": true, "requests": true,
	"threads": true, "descriptors": true, "MiB": true, "file-limit": true}

// needsReports says that the servers are better asked than the kernel.
func needsReports() bool {
	return !kernelKnowsBest || !kernelSees()["work"] || !kernelSees()["requests"]
}

// Sees says whether something can be seen of the program's servers: what they are at
// ("work"), what they have read ("requests"), their "threads", "descriptors", "zombies", memory
// ("MiB"), "address-space", "processor" time, and whether a "file-limit" can be set while they run.
func (p *Program) Sees(what string) bool {
	if p.Reports && needsReports() {
		return selfSees[what]
	}
	return kernelSees()[what]
}

// Sees says whether something can be seen of the server: see Program.Sees. One that is asked
// itself is not asked any more after SIGQUIT.
func (s *Server) Sees(what string) bool {
	self, asked := s.view.(*selfView)
	return !(asked && self.silent.Load()) && s.program.Sees(what)
}

// see asks the server's view, unless something cannot be seen of the server.
func see[T any](s *Server, what string, ask func() (T, error)) (seen T, err error) {
	if !s.Sees(what) {
		return seen, errors.ErrUnsupported
	}
	return ask()
}

// CPU returns how much processor time the server has used: see Processes.
func (s *Server) CPU() (time.Duration, error) { return see(s, "work", s.view.cpu) }

// Asleep says whether nothing happens in the server until something comes from outside or
// a timer runs out.
func (s *Server) Asleep() (bool, error) { return see(s, "work", s.view.asleep) }

// Threads returns how many operating system threads the server has.
func (s *Server) Threads() (int, error) { return see(s, "threads", s.view.threads) }

// Descriptors returns how many file descriptors the server holds.
func (s *Server) Descriptors() (int, error) { return see(s, "descriptors", s.view.descriptors) }

// Zombies returns how many processes the server has started that have ended, and
// for which it has not waited.
func (s *Server) Zombies() (int, error) { return see(s, "zombies", s.view.zombies) }

// Memory returns how many bytes of memory the server holds (its resident set), and
// how many bytes of addresses it has, with memory behind them or without.
func (s *Server) Memory() (resident, addresses int64, err error) {
	resident, err = see(s, "MiB", func() (n int64, err error) { n, addresses, err = s.view.memory(); return n, err })
	return resident, addresses, err
}

// LimitFiles sets the limit on open files of the running server, which is its soft
// limit, as that of ulimit -n. With -1 it may open no more files than it has.
func (s *Server) LimitFiles(n int) error { return s.view.limitFiles(n) }

// HasRead says whether the server has accepted the connection that the visitor's
// end calls conn, and has read all that was sent to it.
func (s *Server) HasRead(conn net.Conn) (bool, error) {
	return see(s, "requests", func() (bool, error) {
		accepted, unread, err := s.view.visitor(conn)
		return accepted && unread == 0, err
	})
}

// HasAccepted says whether the server has accepted the connection that the visitor's
// end calls conn.
func (s *Server) HasAccepted(conn net.Conn) (bool, error) {
	return see(s, "requests", func() (bool, error) {
		accepted, _, err := s.view.visitor(conn)
		return accepted, err
	})
}

// Ending says whether the server's process has ended, or is about to if that can be seen.
// So whoever sees the end of a connection can tell whether the server has closed it or has died.
func (s *Server) Ending() bool { return s.Exited() || s.Sees("work") && s.view.ending() }

// A blindView sees nothing of a server.
type blindView struct{}

func (blindView) cpu() (time.Duration, error)         { return 0, errors.ErrUnsupported }
func (blindView) asleep() (bool, error)               { return false, errors.ErrUnsupported }
func (blindView) threads() (int, error)               { return 0, errors.ErrUnsupported }
func (blindView) descriptors() (int, error)           { return 0, errors.ErrUnsupported }
func (blindView) zombies() (int, error)               { return 0, errors.ErrUnsupported }
func (blindView) memory() (int64, int64, error)       { return 0, 0, errors.ErrUnsupported }
func (blindView) visitor(net.Conn) (bool, int, error) { return false, 0, errors.ErrUnsupported }
func (blindView) limitFiles(int) error                { return errors.ErrUnsupported }
func (blindView) ending() bool                        { return false }
