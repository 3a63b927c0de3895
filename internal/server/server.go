package server

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Server is a running Program, the leader of a process group of its own.
type Server struct {
	// Addr is where it listens, as in "127.0.0.1:40123".
	Addr string
	// PID is the process, and its group.
	PID int

	program  *Program
	view     view
	log      output
	exited   chan struct{} // closed once state is set
	state    *os.ProcessState
	deadline time.Time

	groupMu sync.Mutex
	reaped  bool // the process group may be another one
}

// Options say how to start a Program.
type Options struct {
	Args     []string  // after -addr
	Addr     string    // to listen on; "127.0.0.1:0" if empty
	Files    int       // the limit on open files (ulimit -n); 0 leaves it as it is
	Dir      string    // the working directory
	Env      []string  // additions to the environment
	Deadline time.Time // when to give up waiting for the server, if not zero
	// Extra are open files that the server has as descriptors 3, 4 and so on.
	Extra []*os.File
}

// The port ends where something else begins, be it the end of the line; what has not
// ended may be half a port.
var listening = regexp.MustCompile(`listening on http://((?:\[[^\s\]]+\]|[^\s/:\[\]]+):\d+)\D`)

// defaultPort is where a stage listens that is not told where. No system gives it to
// a server that asks for any port.
const defaultPort = "7878"

// Start starts the program and returns once it listens. Whoever calls it ends
// the server, with Kill at the latest; should the calling process die first,
// however it dies, the server is killed all the same.
//
// The error says what the server did instead of listening, and quotes it.
func (p *Program) Start(opt Options) (*Server, error) {
	opt.Addr = cmp.Or(opt.Addr, "127.0.0.1:0")
	flags := slices.Concat([]string{"-addr", opt.Addr}, opt.Args)
	argv := slices.Concat(p.argv, flags)
	if opt.Files > 0 {
		limit := fmt.Sprintf(`ulimit -n %d && exec "$@"`, opt.Files)
		argv = slices.Concat([]string{"sh", "-c", limit, "sh"}, argv)
	}
	s, err := p.launch(argv, opt)
	if err != nil {
		return nil, err
	}
	s.Await(idleStart, func() bool {
		return listening.MatchString(s.Log()) || s.Exited() || s.Flooded()
	})
	addr, port := "", ""
	if line := listening.FindStringSubmatch(s.Log()); line != nil {
		addr = line[1]
		_, port, _ = net.SplitHostPort(addr)
	}
	switch {
	case port == "0":
		err = fmt.Errorf("%s says that it is listening on %s. Port 0 asks for any free port; "+
			"the line has to name the one that the server got.", p.Name, addr)
	case port == defaultPort && strings.HasSuffix(opt.Addr, ":0"):
		err = fmt.Errorf("%s was started with -addr %s, which asks for any free port, and it listens on %s.",
			p.Name, opt.Addr, addr)
	case addr != "":
		s.Addr = addr
		return s, nil
	case s.Exited():
		err = fmt.Errorf("%s ended (%v) before it listened.%s", p.Name, s.state, s.Quote())
	case strings.Contains(s.Log(), "listening on http://"):
		err = fmt.Errorf("%s does not say where it listens: "+
			"the line has to be \"listening on http://HOST:PORT\", and to have an end.%s", p.Name, s.Quote())
	default:
		err = fmt.Errorf("%s was started with %s and does not say \"listening on http://HOST:PORT\".%s",
			p.Name, strings.Join(flags, " "), s.Quote())
	}
	s.Kill()
	return nil, err
}

// launch starts a process and sees to its output and its end.
func (p *Program) launch(argv []string, opt Options) (*Server, error) {
	s := &Server{program: p, exited: make(chan struct{}), deadline: opt.Deadline}
	printed, output, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(alive, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Dir = opt.Dir
	cmd.Env = append(cmd.Environ(), opt.Env...)
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
		return nil, fmt.Errorf("%s does not start: %w", p.Name, err)
	}
	s.PID = cmd.Process.Pid
	if s.view = self; self == nil {
		s.view = newKernelView(s.PID, p.Folder != "")
	}
	register(s.PID, true)
	go func() {
		s.reap(cmd, printed)
		self.Close()
	}()
	return s, nil
}

// reap waits for the end of the server's process, kills what it has left behind in its
// group, and reads the rest of what was printed. After that nothing is sent to the group,
// whose number may be given to another one.
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

// Run starts the program with nothing but args, and waits until it ends. It
// returns the exit status and both output streams in one. It is an error if the
// program listens instead, or does nothing at all.
func (p *Program) Run(opt Options) (status int, output string, err error) {
	s, err := p.launch(slices.Concat(p.argv, opt.Args), opt)
	if err != nil {
		return 0, "", err
	}
	defer s.Kill()
	listens := func() bool { return listening.MatchString(s.Log()) }
	s.Await(idleStart, func() bool { return listens() || s.Exited() })
	switch args := strings.Join(opt.Args, " "); {
	case listens():
		return 0, "", fmt.Errorf("With %s the server listens, and should end.", args)
	case !s.Exited():
		return 0, "", fmt.Errorf("With %s the server does not end.%s", args, s.Quote())
	}
	return s.state.ExitCode(), s.Log(), nil
}

// Quote returns what the server has printed, or the beginning of it, to be
// appended to a sentence.
func (s *Server) Quote() string {
	log := strings.TrimSpace(s.Log())
	switch {
	case log == "" && s.Exited():
		return " It printed nothing."
	case log == "":
		return " It printed nothing. (Is the line flushed? Into a pipe, many languages keep it back.)"
	}
	const most = 10 // lines, of which the first say what went wrong
	lines := strings.Split(log[:min(len(log), 1000)], "\n")
	begin := strings.Join(lines[:min(len(lines), most)], "\n")
	switch {
	case s.Flooded():
		begin += "\n[and more than a megabyte of it]"
	case len(begin) < len(log):
		begin += "\n[and more]"
	}
	return " It printed:\n\t" + strings.ReplaceAll(begin, "\n", "\n\t")
}

// Log returns what the server has printed so far, both streams in one. What
// goes beyond a megabyte is left out.
func (s *Server) Log() string {
	text := s.log.String()
	return text[:min(len(text), mostOutput)]
}

// Flooded says whether the server has printed more than Log returns.
func (s *Server) Flooded() bool { return len(s.log.String()) > mostOutput }

// Exited says whether the server's process has ended.
func (s *Server) Exited() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// Succeeded says whether the server has ended, and with status 0.
func (s *Server) Succeeded() bool { return s.Exited() && s.state.Success() }

// Signal sends sig to the server's process group. The error is os.ErrProcessDone if the
// server has ended.
func (s *Server) Signal(sig syscall.Signal) error {
	s.groupMu.Lock()
	defer s.groupMu.Unlock()
	if s.reaped {
		return os.ErrProcessDone
	}
	return syscall.Kill(-s.PID, sig)
}

// Kill ends the server, and whatever is in its process group, and returns when that is
// done. It may be called again.
func (s *Server) Kill() {
	s.Signal(syscall.SIGKILL)
	<-s.exited
}

// output keeps the first megabyte of what is written to it, and a byte more.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const mostOutput = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p[:min(len(p), mostOutput+1-o.text.Len())])
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
