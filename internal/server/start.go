package server

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Options say how to start a Program.
type Options struct {
	Args     []string  // flags of the stages, after -addr, such as "-slow", "300ms"
	Files    int       // the limit on open files (ulimit -n); 0 leaves it as it is
	Dir      string    // the working directory
	Env      []string  // additions to the environment
	Deadline time.Time // when to give up waiting for the server, if not zero
}

// A StartError says what a server did instead of listening at its address.
type StartError struct {
	Text  string   // whole sentences, with what the server has printed
	Ended bool     // the server has ended by itself
	Found []string // other addresses where it listens, as far as the system tells
}

func (e *StartError) Error() string { return e.Text }

// Start starts the program and returns once it listens. The caller ends the server, with Kill
// at the latest. If the calling process dies first, even by kill -9, the server is killed too.
//
// A program that takes -addr is told to listen on any free port, and has to print which one. If
// the command names {port} or {addr}, or the program has a port of its own, the port is known, and the
// server listens once that port accepts connections. If the server ran and did not listen, the error
// is a *StartError.
func (p *Program) Start(opt Options) (*Server, error) {
	addr, known := "127.0.0.1:0", p.At // known is "" if the server has to print its address
	switch {
	case p.At != "" && accepts(p.At):
		return nil, &StartError{Text: fmt.Sprintf("Another process listens on %s before %s is started: another program, "+
			"or a process of this one that is still running.", p.At, p.Name)}
	case p.At != "":
		addr = p.At
	case strings.Contains(p.command, "{port}") || strings.Contains(p.command, "{addr}"):
		addr = freePort()
		known = addr
	}
	argv := p.arguments(addr, opt.Args)
	if opt.Files > 0 {
		limit := fmt.Sprintf(`ulimit -n %d && exec "$@"`, opt.Files)
		argv = slices.Concat([]string{"sh", "-c", limit, "sh"}, argv)
	}
	s, err := p.launch(argv, opt)
	if err != nil {
		return nil, err
	}
	if err := s.awaitAddr(p, known, strings.Join(argv[len(p.argv):], " ")); err != nil {
		err.Ended = s.Exited()
		listeners, _ := ProcessTree(s.PID).listeners()
		for _, l := range listeners {
			err.Found = append(err.Found, l.Local())
		}
		s.Kill()
		return nil, err
	}
	return s, nil
}

// Require a character after the port that is not a digit: more digits may follow.
var listening = regexp.MustCompile(`listening on http://((?:\[[^\s\]]+\]|[^\s/:\[\]]+):\d+)\D`)

// awaitAddr waits until the server listens at the known address, or prints its address. An error
// names flags, with which it was started.
func (s *Server) awaitAddr(p *Program, known, flags string) *StartError {
	addr := ""
	s.Await(giveUpStart, func() bool {
		line := listening.FindStringSubmatch(s.Log())
		switch {
		case known == "" && line != nil:
			addr = line[1]
		case known != "" && s.acceptsAt(known):
			addr = known
		}
		return addr != "" || s.Exited() || s.Flooded()
	})
	failed := func(format string, args ...any) *StartError { return &StartError{Text: fmt.Sprintf(format, args...)} }
	switch _, port, _ := net.SplitHostPort(addr); {
	case port == "0":
		return failed("%s says that it is listening on %s. Port 0 asks for any free port; "+
			"the line has to name the one that the server got.", p.Name, addr)
	case known == "" && port == "7878": // where a stage listens without -addr; no system gives it to others
		return failed("%s was started with -addr 127.0.0.1:0, which asks for any free port, and it listens on %s.", p.Name, addr)
	case addr != "":
		s.Addr = addr
		return nil
	case s.Exited():
		return failed("%s ended (%v) before it listened.%s", p.Name, s.state, s.Quote())
	case known != "":
		return failed("%s does not listen on %s.%s", p.Name, known, s.Quote())
	case s.Announced():
		return failed("%s does not say where it listens: "+
			"the line has to be \"listening on http://HOST:PORT\", and to have an end.%s", p.Name, s.Quote())
	}
	return failed("%s was started with %s and does not say \"listening on http://HOST:PORT\".%s", p.Name, flags, s.Quote())
}

// acceptsAt says whether the server listens at the address. On Linux the kernel knows. On other
// systems it asks for the home page: some servers end if a visitor leaves without a request.
func (s *Server) acceptsAt(addr string) bool {
	listeners, err := ProcessTree(s.PID).listeners()
	for _, l := range listeners {
		if l.takes(addr) {
			return true
		}
	}
	if err == nil {
		return false
	}
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	io.Copy(io.Discard, conn)
	return true
}

// accepts says whether any process listens at the address.
func accepts(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// A listener is a socket that accepts connections.
type listener struct {
	host    net.IP
	port    int
	backlog int // how many connections may wait to be accepted
}

// Local is the address at which this machine itself reaches the listener.
func (l listener) Local() string {
	host := l.host.String()
	if l.host.IsUnspecified() {
		host = "127.0.0.1" // Linux has :: listen there as well
	}
	return net.JoinHostPort(host, fmt.Sprint(l.port))
}

// takes says whether connections to the address come to the listener.
func (l listener) takes(addr string) bool {
	to, err := net.ResolveTCPAddr("tcp", addr)
	return err == nil && to.Port == l.port && (l.host.IsUnspecified() || l.host.Equal(to.IP))
}

// Backlog returns how many visitors may wait to be accepted by the server, where the system
// tells: the second argument of listen, or the system's own limit.
func (s *Server) Backlog() (int, error) {
	listeners, err := s.tree.Processes().listeners()
	for _, l := range listeners {
		if l.takes(s.Addr) {
			return l.backlog, nil
		}
	}
	return 0, err
}

// nextPort is the port that freePort tries next. Systems give higher ports to visitors, and to
// servers that ask for any port.
var nextPort = func() *atomic.Int32 {
	port := new(atomic.Int32)
	port.Store(10000 + rand.Int32N(20000))
	return port
}()

// freePort returns an address of this machine where no process listens. It returns no address
// twice.
func freePort() string {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
}

// launch starts a process, and collects its output and its status.
func (p *Program) launch(argv []string, opt Options) (*Server, error) {
	s := &Server{program: p, exited: make(chan struct{}), deadline: opt.Deadline}
	s.log.written = make(chan struct{}, 1)
	printed, output, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(alive, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Dir = opt.Dir
	cmd.Env = append(serverEnvironment(cmd.Environ()), opt.Env...)
	self, selfEnd, err := p.newSelfView(cmd)
	// A program that a shell starts with & ignores Ctrl-C, and its children inherit that. They do
	// not inherit a handler.
	if signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	if err == nil {
		err = cmd.Start()
	}
	output.Close()
	selfEnd.Close()
	if err != nil {
		printed.Close()
		self.Close()
		if errors.Is(err, syscall.EACCES) {
			err = fmt.Errorf("%w. May programs be started from the folder for temporary files? TMPDIR names another one", err)
		}
		return nil, fmt.Errorf("%s does not start: %w", p.Name, err)
	}
	s.PID = cmd.Process.Pid
	if s.tree = NewTree(s.PID); p.Folder != "" {
		s.tree = single(s.PID)
	}
	s.self, s.view = self, self
	if self == nil || !needsReports() {
		s.view = newKernelView(s.PID, s.tree)
	}
	register(s.PID, true)
	go func() {
		s.reap(cmd, printed)
		self.Close()
	}()
	return s, nil
}
