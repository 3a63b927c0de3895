package server

import (
	"errors"
	"net"
	"strings"
	"sync"
	"time"
)

// A view observes a running server: it asks the kernel, or the server itself if selfreport is
// linked into it. If neither tells, the error is errors.ErrUnsupported.
type view interface {
	cpu() (time.Duration, error)
	asleep() (bool, error)
	count(what Resource) (int, error)
	// visitor says whether the server has accepted the other end of conn, which is the visitor's,
	// and how many bytes it has not read.
	visitor(conn net.Conn) (accepted bool, unread int, err error)
	limitFiles(n int) error
	ending() bool
}

// kernelSees holds what the kernel tells of a server, by the names that Sees takes.
var kernelSees = sync.OnceValue(probe)

// Unseen names in a line what the kernel does not tell of other programs. It is "" if the kernel
// tells all.
func Unseen() string {
	var unseen []string
	for _, what := range []string{"work", "requests", "threads", "descriptors", "zombies", "memory", "address-space", "file-limit"} {
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

// selfSees holds what a server tells of itself.
var selfSees = map[string]bool{"work": true, "requests": true, "threads": true, "descriptors": true, "memory": true}

// needsReports says that the kernel tells too little, and servers are asked themselves.
func needsReports() bool {
	return !kernelSees()["work"] || !kernelSees()["requests"]
}

// Sees says whether something can be seen of the program's servers: what they are at
// ("work"), what they have read ("requests"), each Resource, their "processor" time, and whether
// a "file-limit" can be set while they run.
func (p *Program) Sees(what string) bool {
	if p.Reports && needsReports() {
		return selfSees[what]
	}
	return kernelSees()[what]
}

// Sees says whether something can be seen of the server: see Program.Sees. A server is not asked
// itself after SIGQUIT, nor between SIGSTOP and SIGCONT.
func (s *Server) Sees(what string) bool {
	self, asked := s.view.(*selfView)
	return !(asked && self.silent.Load()) && s.program.Sees(what)
}

// see calls ask, or returns errors.ErrUnsupported if what cannot be seen of the server.
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

// A Resource is something that a server holds, and that can be counted.
type Resource string

const (
	Threads     Resource = "threads" // of the operating system
	Descriptors Resource = "descriptors"
	Zombies     Resource = "zombies"       // processes that have ended, and for which the server has not waited
	Memory      Resource = "memory"        // bytes of its resident set
	Addresses   Resource = "address-space" // bytes of addresses, with memory behind them or without
)

// Count returns how much of a resource the server holds.
func (s *Server) Count(what Resource) (int, error) {
	return see(s, string(what), func() (int, error) { return s.view.count(what) })
}

// LimitFiles sets the limit on open files of the running server, which is its soft
// limit, as that of ulimit -n. With -1 it may open no more files than it has.
func (s *Server) LimitFiles(n int) error { return s.view.limitFiles(n) }

// HasRead says whether the server has accepted the other end of conn, which is a visitor's, and
// has read all that was sent over it.
func (s *Server) HasRead(conn net.Conn) (bool, error) {
	return see(s, "requests", func() (bool, error) {
		accepted, unread, err := s.view.visitor(conn)
		return accepted && unread == 0, err
	})
}

// HasAccepted says whether the server has accepted the other end of conn, which is a visitor's.
func (s *Server) HasAccepted(conn net.Conn) (bool, error) {
	return see(s, "requests", func() (bool, error) {
		accepted, _, err := s.view.visitor(conn)
		return accepted, err
	})
}

// Ending says whether the server's process has ended, or is about to if that can be seen. So the
// caller can tell whether a connection ended because the server closed it, or because it died.
func (s *Server) Ending() bool { return s.Exited() || s.Sees("work") && s.view.ending() }

// A blindView sees nothing of a server.
type blindView struct{}

func (blindView) cpu() (time.Duration, error)         { return 0, errors.ErrUnsupported }
func (blindView) asleep() (bool, error)               { return false, errors.ErrUnsupported }
func (blindView) count(Resource) (int, error)         { return 0, errors.ErrUnsupported }
func (blindView) visitor(net.Conn) (bool, int, error) { return false, 0, errors.ErrUnsupported }
func (blindView) limitFiles(int) error                { return errors.ErrUnsupported }
func (blindView) ending() bool                        { return false }
