package server

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Server is a running Program, the leader of a process group of its own. Its methods are safe
// for concurrent use.
type Server struct {
	// Addr is where it listens, as in "127.0.0.1:40123".
	Addr string
	// PID is the process, and its group.
	PID int

	program  *Program
	view     view
	self     *selfView // nil unless the server itself can be asked
	tree     *Tree     // its processes; a program built from Go source is assumed to start no others
	log      output
	exited   chan struct{} // closed once state is set
	state    *os.ProcessState
	deadline time.Time

	visitors atomic.Int64 // see Expect

	groupMu sync.Mutex
	reaped  bool // the number of the group may belong to another one now
}

// Announced says whether the server has printed where it listens.
func (s *Server) Announced() bool { return strings.Contains(s.Log(), "listening on http://") }

// Exited says whether the server's process has ended.
func (s *Server) Exited() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// Succeeded says whether the server has ended with status 0.
func (s *Server) Succeeded() bool { return s.Exited() && s.state.Success() }

// Signal sends sig to the server's process group. The error is os.ErrProcessDone if the
// server has ended.
func (s *Server) Signal(sig syscall.Signal) error {
	if s.self != nil {
		switch sig {
		case syscall.SIGQUIT, syscall.SIGSTOP:
			s.self.silence()
		case syscall.SIGCONT:
			s.self.silent.Store(false)
		}
	}
	s.groupMu.Lock()
	defer s.groupMu.Unlock()
	if s.reaped {
		return os.ErrProcessDone
	}
	return syscall.Kill(-s.PID, sig)
}

// Kill kills the server and its process group, and returns when it has ended. It may be called
// again.
func (s *Server) Kill() {
	s.Signal(syscall.SIGKILL)
	<-s.exited
}

// reap waits for the end of the server's process, kills the processes that are left in its
// group, and reads the rest of the output. After that no signal is sent to the group: its number may
// belong to another one.
func (s *Server) reap(cmd *exec.Cmd, printed *os.File) {
	copied := make(chan bool)
	go func() {
		io.Copy(&s.log, printed)
		close(copied)
	}()
	cmd.Wait()
	s.groupMu.Lock()
	syscall.Kill(-s.PID, syscall.SIGKILL)
	s.reaped = true
	s.groupMu.Unlock()
	register(s.PID, false)
	select {
	case <-copied:
	case <-time.After(time.Second): // a process that has left the group keeps the output open
	}
	printed.Close()
	s.state = cmd.ProcessState
	close(s.exited)
}
