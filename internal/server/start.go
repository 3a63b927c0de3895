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
	Args     []string  // flags of the stages, after -addr, as "-slow", "300ms"
	Files    int       // the limit on open files (ulimit -n); 0 leaves it as it is
	Dir      string    // the working directory
	Env      []string  // additions to the environment
	Deadline time.Time // when to give up waiting for the server, if not zero
	// Extra are open files that the server has as descriptors 3, 4 and so on.
	Extra []*os.File
}

// A StartError says what a server did instead of listening where it was told.
type StartError struct {
	Text  string   // whole sentences, with what the server has printed
	Ended bool     // the server has ended by itself
	Found []string // addresses where it listens instead, as far as the system tells
}

func (e *StartError) Error() string { return e.Text }

// Start starts the program and returns once it listens. Whoever calls it ends
// the server, with Kill at the latest; should the calling process die first,
// however it dies, the server is killed all the same.
//
// A program that is given -addr is told to take any free port, and has to say which. Of one
// whose command names {port} or {addr}, or that has a port of its own, the port is known: it
// listens once that port accepts connections. The error is a *StartError if the server ran,
// and did not listen.
func (p *Program) Start(opt Options) (*Server, error) {
	addr, says := "127.0.0.1:0", true // whether it has to say where it listens
	if strings.Contains(p.command, "{port}") || strings.Contains(p.command, "{addr}") {
		addr, says = freePort(), false
	}
	if p.At != "" {
		addr, says = p.At, false
		if accepts(addr) {
			return nil, &StartError{Text: fmt.Sprintf("Somebody listens on %s before %s is started: another program, "+
				"or one of its processes that is still running.", addr, p.Name)}
		}
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
	if says {
		err = s.awaitLine(p, argv[len(p.argv):])
	} else {
		err = s.awaitPort(p, addr)
	}
	if e, ok := err.(*StartError); ok {
		e.Ended = s.Exited()
		e.Found = s.killListening()
		return nil, e
	}
	return s, nil
}

// The port ends where something else begins, be it the end of the line; what has not
// ended may be half a port.
var listening = regexp.MustCompile(`listening on http://((?:\[[^\s\]]+\]|[^\s/:\[\]]+):\d+)\D`)

// defaultAddr is where a stage listens that is not told where. No system gives its port to
// a server that asks for any port.
const defaultAddr = "127.0.0.1:7878"

// awaitLine waits until the server says where it listens. It was started with the flags.
func (s *Server) awaitLine(p *Program, flags []string) error {
	s.Await(giveUpStart, func() bool {
		return listening.MatchString(s.Log()) || s.Exited() || s.Flooded()
	})
	addr, port := "", ""
	if line := listening.FindStringSubmatch(s.Log()); line != nil {
		addr = line[1]
		_, port, _ = net.SplitHostPort(addr)
	}
	failed := func(format string, args ...any) error { return &StartError{Text: fmt.Sprintf(format, args...)} }
	switch {
	case port == "0":
		return failed("%s says that it is listening on %s. Port 0 asks for any free port; "+
			"the line has to name the one that the server got.", p.Name, addr)
	case port != "" && strings.HasSuffix(defaultAddr, ":"+port):
		return failed("%s was started with -addr 127.0.0.1:0, which asks for any free port, and it listens on %s.", p.Name, addr)
	case addr != "":
		s.Addr, s.Announced = addr, true
		return nil
	case s.Exited():
		return failed("%s ended (%v) before it listened.%s", p.Name, s.state, s.Quote())
	case strings.Contains(s.Log(), "listening on http://"):
		return failed("%s does not say where it listens: "+
			"the line has to be \"listening on http://HOST:PORT\", and to have an end.%s", p.Name, s.Quote())
	}
	return failed("%s was started with %s and does not say \"listening on http://HOST:PORT\".%s",
		p.Name, strings.Join(flags, " "), s.Quote())
}

// awaitPort waits until the server accepts connections at the address.
func (s *Server) awaitPort(p *Program, addr string) error {
	accepts := s.Await(giveUpStart, func() bool { return s.acceptsAt(addr) || s.Exited() || s.Flooded() })
	switch {
	case s.Exited():
		return &StartError{Text: fmt.Sprintf("%s ended (%v) before it listened.%s", p.Name, s.state, s.Quote())}
	case !accepts || s.Flooded():
		return &StartError{Text: fmt.Sprintf("%s does not listen on %s.%s", p.Name, addr, s.Quote())}
	}
	s.Addr, s.Announced = addr, strings.Contains(s.Log(), "listening on http://")
	return nil
}

// acceptsAt says whether the server listens at the address. On Linux the kernel knows.
// Elsewhere somebody connects and asks for the home page: who leaves without a word is not
// understood by all servers.
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

// killListening kills the server and returns the addresses where it was listening, as far
// as the system tells. Where it tells nothing, it may have been at the stages' own.
func (s *Server) killListening() (addrs []string) {
	listeners, err := ProcessTree(s.PID).listeners()
	for _, l := range listeners {
		addrs = append(addrs, l.Local())
	}
	inUse := err != nil && accepts(defaultAddr)
	s.Kill()
	if inUse && !accepts(defaultAddr) {
		addrs = append(addrs, defaultAddr)
	}
	return addrs
}

// accepts says whether anybody listens at the address.
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

// nextPort is the one that freePort tries next. The ports are below those that systems
// give to visitors, and to servers that ask for any.
var nextPort = func() *atomic.Int32 {
	port := new(atomic.Int32)
	port.Store(10000 + rand.Int32N(20000))
	return port
}()

// freePort returns an address of this machine where nobody listens, and which it has not
// returned before.
func freePort() string {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
}

// launch starts a process and sees to its output and its end.
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
	cmd.ExtraFiles = slices.Clone(opt.Extra)
	self, selfEnd, err := p.newSelfView(cmd)
	// What a shell starts with & ignores Ctrl-C, and so would a server: it inherits that,
	// but no handler.
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
	if s.view = self; self == nil {
		s.view = newKernelView(s.PID, s.tree)
	}
	register(s.PID, true)
	go func() {
		s.reap(cmd, printed)
		self.Close()
	}()
	return s, nil
}
