package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Server is a running Program, the leader of a process group of its own.
type Server struct {
	// Addr is where it listens, as in "127.0.0.1:40123".
	Addr string
	// PID is the process, and its group.
	PID int

	log    *output
	exited chan struct{} // closed once state is set
	state  *os.ProcessState
}

// Options say how to start a Program.
type Options struct {
	Args  []string // after -addr
	Addr  string   // to listen on; "127.0.0.1:0" if empty
	Files int      // the limit on open files (ulimit -n); 0 leaves it as it is
	Dir   string   // the working directory
	Env   []string // additions to the environment
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
	endTurn := takeTurn()
	defer endTurn()
	s, err := p.launch(argv, opt)
	if err != nil {
		return nil, err
	}

	var line []string
	began := time.Now()
	s.eventually(func() bool {
		line = listening.FindStringSubmatch(s.Log())
		return line != nil || s.Exited() || s.Flooded()
	}, endTurn)
	waited := time.Since(began).Round(time.Second)
	switch {
	case line != nil && strings.HasSuffix(line[1], ":0"):
		s.Kill()
		return nil, fmt.Errorf("%s says that it is listening on %s. Port 0 asks for any free port; the line has to name the one that the server got.", p.Name, line[1])
	case line != nil:
		s.Addr = line[1]
		return s, nil
	case s.Exited():
		s.Kill()
		return nil, fmt.Errorf("%s ended (%v) before it listened.%s", p.Name, s.state, s.Quote())
	case strings.Contains(s.Log(), "listening on http://"):
		printed := s.Quote()
		s.Kill()
		return nil, fmt.Errorf("%s does not say where it listens: the line has to be \"listening on http://HOST:PORT\", and to have an end.%s", p.Name, printed)
	default:
		printed := s.Quote()
		s.Kill()
		flags := strings.Join(append([]string{"-addr", opt.Addr}, opt.Args...), " ")
		return nil, fmt.Errorf("%s was started with %s and does not say \"listening on http://HOST:PORT\", within %v.%s", p.Name, flags, waited, printed)
	}
}

// starting holds a token for each server that is about to start. There are as many
// as processors: an interpreter can take half a second of processor time to
// begin, and many at once take longer than one after the other.
var starting = make(chan struct{}, runtime.NumCPU())

// takeTurn waits for a turn at starting a server. Who takes it calls end, once the
// server listens or sleeps; end may be called again.
func takeTurn() (end func()) {
	starting <- struct{}{}
	return sync.OnceFunc(func() { <-starting })
}

// launch starts a process and sees to its output and its end.
func (p *Program) launch(argv []string, opt Options) (*Server, error) {
	s := &Server{log: newOutput(), exited: make(chan struct{})}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // for a grandchild that keeps the output open
	cmd.Dir = opt.Dir
	cmd.Env = append(cmd.Environ(), opt.Env...)
	err := s.enter(func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		s.PID = cmd.Process.Pid
		guard(s.PID)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s does not start: %w", p.Name, err)
	}
	go func() {
		cmd.Wait()
		s.state = cmd.ProcessState
		close(s.exited)
	}()
	return s, nil
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
	begin := log[:min(len(log), 1500)]
	if lines := strings.SplitAfterN(begin, "\n", 16); len(lines) == 16 {
		begin = strings.TrimRight(strings.Join(lines[:15], ""), "\n")
	}
	switch {
	case s.Flooded():
		log = begin + "\n[and more than a megabyte of it]"
	case len(begin) < len(log):
		log = begin + "\n[and more]"
	}
	return " It printed:\n\t" + strings.ReplaceAll(log, "\n", "\n\t")
}

// Run starts the program with nothing but args, and waits until it ends. It
// returns the exit status and both output streams in one. It is an error if the
// program listens instead, or does nothing at all.
func (p *Program) Run(args ...string) (status int, output string, err error) {
	endTurn := takeTurn()
	defer endTurn()
	s, err := p.launch(append(append([]string{}, p.argv...), args...), Options{})
	if err != nil {
		return 0, "", err
	}
	defer s.Kill()
	listens := false
	s.eventually(func() bool {
		listens = listening.MatchString(s.Log())
		return listens || s.Exited()
	}, endTurn)
	switch {
	case listens:
		return 0, "", fmt.Errorf("with %s the server listens", strings.Join(args, " "))
	case !s.Exited():
		return 0, "", fmt.Errorf("with %s the server does not end.%s", strings.Join(args, " "), s.Quote())
	}
	return s.state.ExitCode(), s.Log(), nil
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

// Signal sends sig to the server's process group.
func (s *Server) Signal(sig syscall.Signal) error {
	if s.Exited() {
		return os.ErrProcessDone
	}
	return syscall.Kill(-s.PID, sig)
}

// Wait waits until the server has ended, or has had every chance to, and
// returns how it ended.
func (s *Server) Wait() (*os.ProcessState, error) {
	if !s.Eventually(s.Exited) {
		return nil, errors.New("the server does not end")
	}
	return s.state, nil
}

// Kill ends the server, and whatever it started, if it is still running. It
// returns when that is done, and may be called again.
func (s *Server) Kill() {
	if !s.Exited() {
		for _, pid := range family(s.PID) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	syscall.Kill(-s.PID, syscall.SIGKILL)
	<-s.exited
	s.leave()
	unguard(s.PID)
}

// running are the servers that have been started and not killed, until KillAll
// makes it nil.
var (
	runningMu sync.Mutex
	running   = map[*Server]bool{}
)

// enter starts the server's process, unless KillAll has been called.
func (s *Server) enter(start func() error) error {
	runningMu.Lock()
	defer runningMu.Unlock()
	if running == nil {
		return errors.New("interrupted")
	}
	if err := start(); err != nil {
		return err
	}
	running[s] = true
	return nil
}

func (s *Server) leave() {
	runningMu.Lock()
	defer runningMu.Unlock()
	delete(running, s)
}

// KillAll ends all servers that this process has started, and sees to it that
// it starts no more of them: it is about to end.
func KillAll() {
	runningMu.Lock()
	servers := running
	running = nil
	runningMu.Unlock()
	for s := range servers {
		s.Kill()
	}
}

const (
	poll  = 5 * time.Millisecond
	polls = 1000 // after which whatever has not happened will not
)

// Eventually polls until cond holds, and gives up when the server has had every
// chance to make it hold: when it has been asleep for five seconds, or at work
// for five seconds of processor time, or some of each. Time in which a busy machine
// keeps it from running counts next to nothing: it would take more than eight minutes of it.
// Where the system does not tell what the server does, Eventually counts its own
// polls, which come later on a busy machine.
func (s *Server) Eventually(cond func() bool) bool { return s.eventually(cond, func() {}) }

// eventually is Eventually, and calls slept whenever it sees the server asleep.
func (s *Server) eventually(cond func() bool, slept func()) bool {
	const look = 4 // polls from one look at the server to the next, which costs more than they do
	used, _ := s.CPU()
	for left := float64(polls); left > 0; {
		for range look {
			if cond() {
				return true
			}
			time.Sleep(poll)
		}
		now, err := s.CPU()
		asleep, _ := s.Asleep()
		switch {
		case err != nil || s.Exited():
			left -= look
		case asleep:
			left -= look
			slept()
		default: // it runs, or waits for a processor, but not forever
			left -= min(look, max(look/100.0, float64(now-used)/float64(poll)))
		}
		used = now
	}
	return cond()
}

// Sleeps returns a condition, to be polled, that holds once the server has been
// asleep at n polls in a row. It never holds where the system does not tell.
//
// If all threads were asleep at one poll, and the server has not used the
// processor since, then they were asleep all the time, except for one that may
// have got something to do and has not begun: so it looks at them again at last.
// A little use of the processor is what some runtimes do in their sleep.
func (s *Server) Sleeps(n int) (asleep func() bool) { return s.sleeps(n, time.Millisecond) }

// Still is like Sleeps, but holds only if the server has not used the processor
// at all: it does not even look now and then whether there is something to do.
func (s *Server) Still(n int) (still func() bool) { return s.sleeps(n, 0) }

func (s *Server) sleeps(n int, little time.Duration) func() bool {
	var used time.Duration
	inARow := 0
	return func() bool {
		cpu, err := s.CPU()
		worked := cpu - used
		used = cpu
		switch {
		case err != nil || worked > little || worked < 0:
			inARow = 0
		case worked == 0 && inARow > 0 && inARow < n-1:
			inARow++
			return false
		}
		if asleep, _ := s.Asleep(); !asleep {
			inARow = 0
			return false
		}
		inARow++
		return inARow >= n
	}
}

// output keeps the first megabyte of what is written to it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more bool
}

const mostOutput = 1 << 20

func newOutput() *output { return new(output) }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	room := mostOutput - o.text.Len()
	o.text.Write(p[:min(room, len(p))])
	o.more = o.more || len(p) > room
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) flooded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.more
}

// The guard is a shell that outlives this process by as long as it takes to
// kill the servers that it left behind. It learns of its end, even by SIGKILL,
// because its standard input ends.
var startGuard = sync.OnceValue(func() *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", `
		live=" "
		while read -r op pid; do
			case $op in
			+) live="$live$pid " ;;
			-) case $live in *" $pid "*) live="${live%% $pid *} ${live#* $pid }" ;; esac ;;
			esac
		done
		for pid in $live; do kill -KILL "-$pid" 2>/dev/null; done`)
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if cmd.Start() != nil {
		w.Close()
		return nil
	}
	guardPID.Store(int32(cmd.Process.Pid))
	return w
})

var guardPID atomic.Int32

func guard(pid int)   { tellGuard("+ " + strconv.Itoa(pid)) }
func unguard(pid int) { tellGuard("- " + strconv.Itoa(pid)) }

var guardMu sync.Mutex

func tellGuard(line string) {
	guardMu.Lock()
	defer guardMu.Unlock()
	if w := startGuard(); w != nil {
		fmt.Fprintln(w, line)
	}
}
