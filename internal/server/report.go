package server

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	_ "example.com/concurrent-web-server/internal/server/selfreport" // for the tests of the stages
)

//go:embed selfreport/selfreport.go
var selfReport string

// SelfReport is the source of package selfreport, as a file of a package main.
var SelfReport = strings.Replace(selfReport, "\npackage selfreport\n", "\npackage main\n", 1)

// A selfView asks a server itself: package selfreport answers.
type selfView struct {
	blindView
	mu     sync.Mutex
	conn   *os.File
	silent atomic.Bool // no questions: the server is halted, or prints its goroutines
}

// reports says whether the server itself is asked what it does, rather than the kernel.
func (s *Server) reports() bool {
	self, asked := s.view.(*selfView)
	return asked && !self.silent.Load()
}

// Goroutines asks the server for a dump of all its goroutines, such as SIGQUIT prints. The error is
// os.ErrProcessDone if the server has ended, and errors.ErrUnsupported after SIGQUIT, or if the
// program was not built with Reports.
func (s *Server) Goroutines() (dump string, err error) {
	if s.self == nil {
		return "", errors.ErrUnsupported
	}
	_, text, err := s.self.ask('g', 0)
	return string(text), err
}

// silence prevents new questions, and returns when none is waiting for its answer. A runtime may
// crash if it is asked while it prints all goroutines at its end.
func (v *selfView) silence() {
	v.silent.Store(true)
	v.mu.Lock()
	defer v.mu.Unlock()
}

// newSelfView prepares a command to be asked, if the program reports on itself and is to be
// asked; otherwise both results are nil, which can be closed. The caller closes
// the server's end when the command has started, and the view when it has ended.
func (p *Program) newSelfView(cmd *exec.Cmd) (v *selfView, serverEnd *os.File, err error) {
	if !p.Reports || !p.asked && !needsReports() {
		return nil, nil, nil
	}
	syscall.ForkLock.RLock() // no process that is started meanwhile inherits the descriptors
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	syscall.SetNonblock(fds[0], true)
	serverEnd = os.NewFile(uintptr(fds[1]), "self-report")
	cmd.Env = append(cmd.Env, "SELF_REPORT_FD=3") // the first of ExtraFiles
	cmd.ExtraFiles = []*os.File{serverEnd}
	return &selfView{conn: os.NewFile(uintptr(fds[0]), "self-report")}, serverEnd, nil
}

// Close ends the asking. It does nothing for nil.
func (v *selfView) Close() {
	if v != nil {
		v.conn.Close()
	}
}

// maxAnswerTime is how long an answer may take: the server may have to wait for a processor.
const maxAnswerTime = 10 * time.Second

// ask sends a question to the server: see selfreport. The error is os.ErrProcessDone if the server
// has ended, and errors.ErrUnsupported after silence.
func (v *selfView) ask(what byte, arg int) (numbers [3]int, text []byte, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.silent.Load() {
		return numbers, nil, errors.ErrUnsupported
	}
	question := binary.NativeEndian.AppendUint64([]byte{what}, uint64(arg))
	b := make([]byte, 24)
	v.conn.SetDeadline(time.Now().Add(maxAnswerTime))
	if _, err = v.conn.Write(question); err == nil {
		_, err = io.ReadFull(v.conn, b)
	}
	for i := range numbers {
		numbers[i] = int(binary.NativeEndian.Uint64(b[8*i:]))
	}
	if err == nil && what == 'g' {
		text = make([]byte, numbers[0])
		_, err = io.ReadFull(v.conn, text)
	}
	if err != nil {
		v.conn.Close() // a late answer would be read as the next one
		return numbers, nil, os.ErrProcessDone
	}
	return numbers, text, nil
}

func (v *selfView) cpu() (time.Duration, error) {
	n, _, err := v.ask('p', 0)
	return time.Duration(n[0]), err
}

// asleep says whether no goroutine is running or ready to run, except for the one that answers. A
// goroutine in a system call counts as waiting.
func (v *selfView) asleep() (bool, error) {
	_, dump, err := v.ask('g', 0)
	busy := 0
	for _, state := range []string{"[run", "[preempted", "[copystack"} {
		busy += bytes.Count(dump, []byte(state))
	}
	return err == nil && busy <= 1, err
}

func (v *selfView) count(what Resource) (int, error) {
	n, _, err := v.ask('c', 0)
	return n[slices.Index([]Resource{Threads, Descriptors, Memory}, what)], err
}

func (v *selfView) visitor(conn net.Conn) (accepted bool, unread int, err error) {
	n, _, err := v.ask('v', conn.LocalAddr().(*net.TCPAddr).Port)
	return n[0] == 1, n[1], err
}

// ending says whether the server has closed its end, which it does when it ends, and
// before it closes any connection: descriptors are closed in their order.
func (v *selfView) ending() bool {
	_, _, err := v.ask('p', 0)
	return err != nil
}
