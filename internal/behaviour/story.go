package behaviour

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
	"github.com/rogpeppe/go-internal/testscript"
)

// A story is what a script has going on: one server at a time, its visitors.
type story struct {
	program  *server.Program
	scale    time.Duration // by which the short times that the script names are multiplied
	deadline time.Time
	stage    bool   // the program is one of the workbook's stages
	page     string // the hint: where to read about what a failure may be due to,
	question string // what that is,
	inGo     string // and the same for a server that is written in Go

	files    int // the limit on open files, where -1 is none
	srv      *server.Server
	stopping bool          // the server has been sent a signal
	ended    bool          // the script has seen the server's end
	slow     time.Duration // how long GET /sleep takes
	patience time.Duration // how long a visitor may take to ask, if the script has said so
	visitors map[string][]*visitor.Visitor
	latest   *visitor.Visitor
	unserved time.Duration  // that the server may spend on slow requests of those who have left
	noted    map[string]int // what remember has counted

	undecided  bool   // the story failed for want of proof
	goroutine1 string // where goroutine 1 was at dump
	original   string // the folder whose copies edit changes
	close      func() // removes what edit has built
}

type storyKey struct{}

// An undecided error says that a busy machine kept the story from seeing what it
// has to see. The story is then told again, with longer times.
type undecided string

func (u undecided) Error() string { return string(u) }

// free ends all that the story has going on, however it ended.
func (s *story) free() {
	for name := range s.visitors {
		s.part(name, (*visitor.Visitor).Close)
	}
	if s.srv != nil {
		s.srv.Kill()
	}
	s.close()
}

// start starts a server with the flags. A server that is running has to stand the
// test of finish first.
func (s *story) start(args []string) error {
	if err := s.finish(); err != nil {
		return err
	}
	if s.srv != nil {
		s.srv.Kill() // it has ended; what it started may not have
	}
	args, err := s.times(args)
	if err != nil {
		return err
	}
	srv, err := s.program.Start(s.options(args))
	if err != nil {
		s.srv, s.question = nil, "" // the story has not begun
		return err
	}
	s.srv, s.stopping, s.ended, s.unserved = srv, false, false, 0
	return nil
}

// options has a program that was built from a folder run elsewhere: it should need
// nothing from there.
func (s *story) options(args []string) server.Options {
	opt := server.Options{Args: args, Files: max(s.files, 0), Deadline: s.deadline}
	if s.program.Folder != "" {
		opt.Dir = os.TempDir()
	}
	return opt
}

// long is a time that no story waits out. It is not scaled.
const long = 10 * time.Second

// times scales the times in the flags -slow and -patience, and remembers them.
func (s *story) times(args []string) ([]string, error) {
	s.slow, s.patience = long, 0
	scaled := append([]string{}, args...)
	for i := 0; i+1 < len(args); i++ {
		if args[i] != "-slow" && args[i] != "-patience" {
			continue
		}
		d, err := time.ParseDuration(args[i+1])
		if err != nil {
			return nil, err
		}
		if d < long && s.scale > 1 {
			d *= s.scale
			scaled[i+1] = fmt.Sprintf("%dms", d.Milliseconds())
		}
		if args[i] == "-slow" {
			s.slow = d
		} else {
			s.patience = d
		}
	}
	return scaled, nil
}

// finish is how every server of every story ends, unless the script has seen its
// end: it is still running, and idle; interrupted, it ends; and it has printed
// nothing that no server should. Where a request is in progress that takes long,
// it need not end.
func (s *story) finish() error {
	if s.srv == nil || s.ended {
		return nil
	}
	if !s.srv.AwaitQuiet(server.Settled) {
		if !s.srv.Exited() {
			return s.fail("The server is never idle: some thread of it is always busy.")
		}
		return s.fail("The server should be running still.")
	}
	inProgress := false
	for name, vs := range s.visitors {
		for _, v := range vs {
			inProgress = inProgress || s.slow >= long && !v.Answered() && asksFor(v, "/sleep")
		}
		s.part(name, (*visitor.Visitor).Close)
	}
	s.srv.Signal(syscall.SIGINT)
	if !s.srv.Await(s.idle(), func() bool { return inProgress || s.srv.Exited() }) {
		return s.fail("The server does not end when it is interrupted (SIGINT, which is what Ctrl-C sends).")
	}
	s.ended = true
	return s.checkOutput()
}

// dataRace is what the race detector prints.
const dataRace = "WARNING: DATA RACE"

// checkOutput says whether the server has printed nothing that no server should.
func (s *story) checkOutput() error {
	for _, bad := range []string{dataRace, "panic: ", "fatal error: "} {
		if strings.Contains(s.srv.Log(), bad) {
			s.question = "" // what the program said itself says more than a hint
			return fmt.Errorf("The server printed:%s", quote(s.srv.Log()))
		}
	}
	return nil
}

// Visitors.

// group returns the visitors of a name.
func (s *story) group(name string) ([]*visitor.Visitor, error) {
	vs := s.visitors[name]
	if vs == nil {
		return nil, fmt.Errorf("there is no visitor called %q: connect or visit comes first", name)
	}
	return vs, nil
}

// queue returns the visitors of the names, each of which only one of them has.
func (s *story) queue(names ...string) ([]*visitor.Visitor, error) {
	var queue []*visitor.Visitor
	for _, name := range names {
		vs, err := s.group(name)
		if err != nil {
			return nil, err
		}
		if len(vs) != 1 {
			return nil, fmt.Errorf("there are %d visitors called %q; this wants one", len(vs), name)
		}
		queue = append(queue, vs[0])
	}
	return queue, nil
}

// atATime is how many visitors connect at once. Some servers have room for no more than
// 128 in the queue of those who wait to be accepted.
const atATime = 100

// arrive connects a visitor, or as many as a name such as silent*200 says.
func (s *story) arrive(name string) ([]*visitor.Visitor, error) {
	name, times, many := strings.Cut(name, "*")
	n := 1
	if many {
		var err error
		if n, err = strconv.Atoi(times); err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number of visitors", times)
		}
	}
	if s.visitors[name] != nil {
		return nil, fmt.Errorf("there is a visitor called %q already", name)
	}
	for i := range n {
		s.latest = visitor.Connect(name, s.srv.Addr)
		s.visitors[name] = append(s.visitors[name], s.latest)
		if (i+1)%atATime == 0 {
			s.srv.AwaitQuiet(server.Settled) // it has accepted whom it is going to
		}
	}
	for _, v := range s.visitors[name] {
		if err := s.awaitConnected(v); err != nil {
			return nil, err
		}
	}
	return s.visitors[name], nil
}

func (s *story) awaitConnected(v *visitor.Visitor) error {
	var over bool
	var err error
	// Where the queue of those who wait to be accepted is full, the system tries
	// again after a second, and after two more.
	s.srv.Await(server.Idle+3*time.Second, func() bool { over, err = v.Connected(); return over })
	switch {
	case !over:
		return s.fail("%s cannot connect: the queue of those whom the server has not accepted is full.", v.Name)
	case visitor.Refused(err) && !s.srv.Exited():
		s.question = "" // no page has anything to do with it
		return s.fail("%s is refused: nobody listens on %s. Is that the address that the server got, and does it print it only once it listens?", v.Name, s.srv.Addr)
	case err != nil:
		return s.fail("%s cannot connect: %v.", v.Name, err)
	}
	return nil
}

// part ends the connections of a name, which is free again after it.
func (s *story) part(name string, how func(*visitor.Visitor)) {
	for _, v := range s.visitors[name] {
		if s.slow < long && asksFor(v, "/sleep") && !v.Answered() {
			s.unserved += s.slow
		}
		how(v)
	}
	delete(s.visitors, name)
}

// asksFor says whether the visitor has sent a request for path.
func asksFor(v *visitor.Visitor, path string) bool {
	return strings.HasPrefix(v.Said(), "GET "+path+" ")
}

// somebodySilent says whether a visitor is there who has said nothing.
func (s *story) somebodySilent() bool {
	for _, vs := range s.visitors {
		for _, v := range vs {
			if v.Said() == "" && !v.Ended() {
				return true
			}
		}
	}
	return false
}

// Waiting.

// await polls until cond holds. It returns false once nothing more is to be
// expected of the server.
func (s *story) await(cond func() bool) bool { return s.srv.Await(s.idle(), cond) }

// idle is how long the server has to be quiet for nothing more to be expected of it:
// longer than any slow request, silent visitor or lack of descriptors that the story
// has can keep it asleep.
func (s *story) idle() time.Duration {
	idle := server.Idle + s.unserved
	if s.patience < long {
		idle += s.patience
	}
	if s.files >= 0 {
		idle += 1200 * time.Millisecond // it tries again once a second
	}
	for _, vs := range s.visitors {
		for _, v := range vs {
			if s.slow < long && !v.Ended() && asksFor(v, "/sleep") {
				idle += s.slow // they may have to take turns
			}
		}
	}
	return idle
}

// settle waits until the server has done all that it has to do.
func (s *story) settle() error {
	switch {
	case s.srv.AwaitQuiet(server.Settled):
		return nil
	case s.srv.Exited():
		return s.fail("The server should be running still.")
	}
	return s.fail("The server is never idle: some thread of it is always busy.")
}

// Failing.

// fail makes an error of what was seen. It adds what the server has said if it
// has ended, or if it has said more than that it is listening.
func (s *story) fail(format string, args ...any) error {
	seen := fmt.Sprintf(format, args...)
	if s.srv == nil {
		return errors.New(seen)
	}
	s.srv.Await(server.Settled, s.srv.Exited) // one that dies drops its visitors first
	if s.srv.Exited() && !s.ended {
		state, _ := s.srv.Wait(0)
		seen += fmt.Sprintf("\nThe server has ended (%v).", state)
	}
	return errors.New(seen + s.lastWords())
}

// lastWords quotes what the server has said beyond that it is listening, if anything. The
// last words of a program that has died say more than a hint.
func (s *story) lastWords() string {
	_, said, _ := strings.Cut(s.srv.Log(), "listening on http://")
	_, said, _ = strings.Cut(said, "\n")
	said, _, _ = strings.Cut(said, "SIGQUIT: quit") // the dump that somebody asked for
	if strings.TrimSpace(said) == "" {
		return ""
	}
	if s.checkOutput() != nil {
		s.question = ""
	}
	return "\nIt printed:" + quote(said)
}

// failStuck is fail for a server that leaves a visitor waiting. It adds how far the
// visitor has got, and where the goroutines of a Go program are.
func (s *story) failStuck(v *visitor.Visitor, format string, args ...any) error {
	seen := fmt.Sprintf(format, args...)
	if conn := v.Conn(); conn != nil && !s.srv.Exited() && !v.Answered() {
		accepted, err := s.srv.HasAccepted(conn)
		read, _ := s.srv.HasRead(conn)
		switch {
		case err != nil:
		case !accepted:
			seen += fmt.Sprintf("\nThe server has not accepted %s's connection: it waits in the backlog.", v.Name)
		case !read:
			seen += fmt.Sprintf("\nThe server has accepted %s's connection, and not read what was sent.", v.Name)
		}
	}
	quiet := s.srv.AwaitQuiet(server.Settled)
	if !quiet && !s.srv.Exited() {
		seen += "\nSome thread of the server is always busy."
	}
	if s.program.Go && quiet {
		before := len(s.srv.Log())
		s.srv.Signal(syscall.SIGQUIT)
		if s.srv.Await(server.Idle, s.srv.Exited) {
			s.ended = true
			seen += "\n" + summary(Goroutines(s.srv.Log()[before:]))
		}
	}
	return s.fail("%s", seen)
}

// quote returns what a server has printed, or the part of it that says most, to be
// put after a colon.
func quote(log string) string {
	const most = 6 // lines
	for _, bad := range []string{dataRace, "panic: ", "fatal error: "} {
		if i := strings.Index(log, bad); i >= 0 {
			log = ownFrames(log[i:])
			break
		}
	}
	lines := slices.Compact(strings.Split(strings.TrimSpace(log), "\n"))
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("[and %d lines more]", len(lines)-most))
	}
	for i, line := range lines {
		const wide = 300
		if len(line) > wide {
			lines[i] = line[:wide] + " ..."
		}
	}
	return "\n\t" + strings.Join(lines, "\n\t")
}

// ownFrames leaves out of a panic's first stack what is not the program's own.
func ownFrames(log string) string {
	before, stack, found := strings.Cut(log, "[running]:\n")
	frames := own.FindAllStringIndex(stack, -1)
	if !found || len(frames) == 0 {
		return log
	}
	var b strings.Builder
	b.WriteString(before + "[running]:\n")
	for _, frame := range frames {
		_, place, _ := strings.Cut(stack[frame[0]:], "\n")
		place, _, _ = strings.Cut(place, "\n")
		fmt.Fprintf(&b, "%s\n%s\n", stack[frame[0]:frame[1]], place)
	}
	return b.String()
}

// command makes a testscript command: it refuses a "!", prints the usage when the
// arguments are not as many as it says, and fails with what run reports.
func command(usage string, run func(s *story, args []string) error) func(*testscript.TestScript, bool, []string) {
	words := strings.Fields(usage)
	least, most := 0, 0
	for _, w := range words[1:] {
		most++
		if !strings.HasPrefix(w, "[") {
			least++
		}
		if strings.Contains(w, "...") {
			most = 1 << 20
		}
	}
	return func(ts *testscript.TestScript, neg bool, args []string) {
		s := ts.Value(storyKey{}).(*story)
		if neg {
			ts.Fatalf("%s cannot be negated: say what is seen instead", words[0])
		}
		if len(args) < least || len(args) > most {
			ts.Fatalf("usage: %s", usage)
		}
		switch words[0] {
		case "start", "start-fails", "limit-files", "hint", "runs-with", "edit":
		default:
			if s.srv == nil {
				ts.Fatalf("no server is running: start comes first")
			}
		}
		if err := run(s, args); err != nil {
			s.undecided = errors.As(err, new(undecided))
			ts.Fatalf("%v", err)
		}
	}
}
