package server

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
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

	single   bool // it is taken to start no other process
	log      output
	exited   chan struct{} // closed once state is set
	state    *os.ProcessState
	deadline time.Time
	started  func() // lets another server start; may be called again
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

// Start starts the program and returns once it listens. Whoever calls it ends
// the server, with Kill at the latest; should the calling process die first,
// however it dies, the server is killed all the same.
//
// The error says what the server did instead of listening, and quotes it.
func (p *Program) Start(opt Options) (*Server, error) {
	if opt.Addr == "" {
		opt.Addr = "127.0.0.1:0"
	}
	argv := append(append([]string{}, p.argv...), "-addr", opt.Addr)
	argv = append(argv, opt.Args...)
	if opt.Files > 0 {
		limit := fmt.Sprintf(`ulimit -n %d && exec "$@"`, opt.Files)
		argv = append([]string{"sh", "-c", limit, "sh"}, argv...)
	}
	s, err := p.launch(argv, opt)
	if err != nil {
		return nil, err
	}
	defer s.started()

	var line []string
	s.Await(idleStart, func() bool {
		line = listening.FindStringSubmatch(s.Log())
		return line != nil || s.Exited() || s.Flooded()
	})
	anyPort := strings.HasSuffix(opt.Addr, ":0")
	if line != nil && !strings.HasSuffix(line[1], ":0") && !(anyPort && strings.HasSuffix(line[1], defaultPort)) {
		s.Addr = line[1]
		return s, nil
	}
	defer s.Kill()
	switch {
	case line != nil && strings.HasSuffix(line[1], defaultPort):
		return nil, fmt.Errorf("%s was started with -addr %s, which asks for any free port, and it listens on %s.", p.Name, opt.Addr, line[1])
	case line != nil:
		return nil, fmt.Errorf("%s says that it is listening on %s. Port 0 asks for any free port; the line has to name the one that the server got.", p.Name, line[1])
	case s.Exited():
		return nil, fmt.Errorf("%s ended (%v) before it listened.%s", p.Name, s.state, s.Quote())
	case strings.Contains(s.Log(), "listening on http://"):
		return nil, fmt.Errorf("%s does not say where it listens: the line has to be \"listening on http://HOST:PORT\", and to have an end.%s", p.Name, s.Quote())
	}
	flags := strings.Join(append([]string{"-addr", opt.Addr}, opt.Args...), " ")
	return nil, fmt.Errorf("%s was started with %s and does not say \"listening on http://HOST:PORT\".%s", p.Name, flags, s.Quote())
}

// defaultPort is where a stage listens that is not told where. No system gives it to
// a server that asks for any port.
const defaultPort = ":7878"

// idleStart is how long a server that does not listen yet may be quiet: longer
// than Idle, because interpreters and their shims sleep over the disk.
const idleStart = 4 * Idle

// starting holds a token for each server that is about to start. There are as many
// as processors: an interpreter can take half a second of processor time to
// begin, and many at once take longer than one after the other.
var starting = make(chan struct{}, runtime.NumCPU())

// launch starts a process and sees to its output and its end. Whoever calls it calls
// s.started once the server listens, to let another one start.
func (p *Program) launch(argv []string, opt Options) (*Server, error) {
	starting <- struct{}{}
	s := &Server{single: p.Folder != "", exited: make(chan struct{}), deadline: opt.Deadline}
	s.started = sync.OnceFunc(func() { <-starting })
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // for a grandchild that keeps the output open
	cmd.Dir = opt.Dir
	cmd.Env = append(cmd.Environ(), opt.Env...)
	cmd.ExtraFiles = opt.Extra
	err := s.register(func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		s.PID = cmd.Process.Pid
		guard(s.PID)
		return nil
	})
	if err != nil {
		s.started()
		return nil, fmt.Errorf("%s does not start: %w", p.Name, err)
	}
	go func() {
		cmd.Wait()
		s.state = cmd.ProcessState
		close(s.exited)
	}()
	return s, nil
}

// Run starts the program with nothing but args, and waits until it ends. It
// returns the exit status and both output streams in one. It is an error if the
// program listens instead, or does nothing at all.
func (p *Program) Run(opt Options) (status int, output string, err error) {
	args := strings.Join(opt.Args, " ")
	s, err := p.launch(append(append([]string{}, p.argv...), opt.Args...), opt)
	if err != nil {
		return 0, "", err
	}
	defer s.Kill()
	defer s.started()
	listens := false
	s.Await(idleStart, func() bool {
		listens = listening.MatchString(s.Log())
		return listens || s.Exited()
	})
	switch {
	case listens:
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
	begin := log[:min(len(log), 1000)]
	if lines := strings.SplitAfterN(begin, "\n", most+1); len(lines) > most {
		begin = strings.TrimRight(strings.Join(lines[:most], ""), "\n")
	}
	switch {
	case s.Flooded():
		log = begin + "\n[and more than a megabyte of it]"
	case len(begin) < len(log):
		log = begin + "\n[and more]"
	}
	return " It printed:\n\t" + strings.ReplaceAll(log, "\n", "\n\t")
}

// Log returns what the server has printed so far, both streams in one. What
// goes beyond a megabyte is left out.
func (s *Server) Log() string { return s.log.String() }

// Flooded says whether the server has printed more than Log returns.
func (s *Server) Flooded() bool { return s.log.flooded() }

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

// Signal sends sig to the server's process group.
func (s *Server) Signal(sig syscall.Signal) error {
	if s.Exited() {
		return os.ErrProcessDone
	}
	return syscall.Kill(-s.PID, sig)
}

// Wait waits until the server has ended, or is quiet for so long that it will not,
// and returns how it ended.
func (s *Server) Wait(quiet time.Duration) (*os.ProcessState, error) {
	if !s.Await(quiet, s.Exited) {
		return nil, errors.New("the server does not end")
	}
	return s.state, nil
}

// Kill ends the server, and whatever it started, if it is still running. It
// returns when that is done, and may be called again.
func (s *Server) Kill() {
	if !s.Exited() {
		for _, pid := range ProcessTree(s.PID) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	syscall.Kill(-s.PID, syscall.SIGKILL)
	<-s.exited
	s.unregister()
	unguard(s.PID)
}
