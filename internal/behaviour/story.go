package behaviour

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
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
	strict   bool                   // the program is held to all that the stages are held to
	manners  bool                   // the script is about manners, not about the ladder
	ts       *testscript.TestScript // of the command that runs
	hint     string                 // what a failure may be due to, and where to read about that

	files     int // the limit on open files, where -1 is none
	srv       *server.Server
	stopping  bool               // the server has been told to stop
	stopped   time.Time          // when it was
	ended     bool               // the script has seen the server's end
	busy      bool               // some thread of the server is always busy
	slow      time.Duration      // how long GET /sleep takes
	patience  time.Duration      // how long a visitor may take to ask, if the script has said so
	visitors  []*visitor.Visitor // in the order in which they came
	abandoned time.Duration      // that the server may spend on slow requests of those who have left
	noted     map[string]int     // what remember has counted

	skipped    string // why the script cannot be run against this server
	stuck      bool   // it failed because a visitor was kept waiting
	lacks      bool   // it failed because the machine lacks something
	undecided  bool   // the story failed for want of proof
	goesOn     bool   // the server does not end when it is interrupted
	died       bool   // the server has ended by itself
	goroutine1 string // where goroutine 1 was at dump
	atATime    int    // how many of the slow requests were in progress, where not all were
}

type storyKey struct{}

// free ends all that the story has going on, however it ended.
func (s *story) free() {
	for _, v := range s.visitors {
		v.Close()
	}
	if s.srv != nil {
		s.srv.Kill()
	}
}

// long is a time that no story waits out, scaled as all others are.
func (s *story) long() time.Duration { return 10 * time.Second * s.scale }

// start starts a server with the flags, of which it scales the times. A server that is
// running has to stand the test of finish first.
func start(s *story, args []string) {
	s.ts.Check(s.finish())
	if s.srv != nil {
		s.srv.Kill() // it has ended; what it started may not have
	}
	args = s.setTimes(args)
	srv, err := s.program.Start(s.options(args))
	if err != nil {
		s.srv, s.hint = nil, "" // the story has not begun
		if lacking(err) || outOf.MatchString(err.Error()) {
			s.lackf("%v\nThat is this machine's limit, and says nothing of the server.", err)
		}
		s.ts.Fatalf("%v", err)
	}
	s.busy = false
	s.srv, s.stopping, s.ended, s.abandoned, s.noted = srv, false, false, 0, nil
	s.ts.Setenv("ADDR", srv.Addr)
}

// lacksResources are the errors of a machine on which nothing is left of something.
var lacksResources = []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM, syscall.ENOBUFS,
	syscall.ENOSPC, syscall.EADDRNOTAVAIL}

// lacking says whether an error is one of lacksResources, or of a temporary folder where
// no program may be started.
func lacking(err error) bool {
	return errors.Is(err, syscall.EACCES) || slices.ContainsFunc(lacksResources, func(e error) bool { return errors.Is(err, e) })
}

// outOf matches what a server of Go prints that gets no thread, or of all ports none.
var outOf = regexp.MustCompile(`failed to create new OS thread|pthread_create failed|:0: bind: address already in use`)

// lackf ends the story, because the machine lacks something that the tests need.
func (s *story) lackf(format string, args ...any) {
	s.lacks, s.hint = true, ""
	s.ts.Fatalf(format, args...)
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

// endHint is the hint of a server that does not end, whatever the story was about, and
// endHintInGo is that of one of which it is said where goroutine 1 is.
const (
	endHint = "Is the signal handled, and does that end the wait for the next visitor, and the accept loop? " +
		"See docs/stage4-nonblocking-accept.md"
	readsOnHint = "When a visitor has closed the connection, reading from it gives no more bytes, again and again: " +
		"does the server go on reading? See docs/stage1-blocking.md"
	endHintInGo = "What does goroutine 1 wait for, and does the signal end that? See docs/stage4-nonblocking-accept.md"
)

// finish is how every server of every story ends, unless the script has seen its
// end: it is still running, and idle; interrupted, it ends; and it has printed
// nothing that no server should. Where a request is in progress that takes long,
// it need not end.
func (s *story) finish() error {
	if s.srv == nil || s.ended {
		return nil
	}
	if err := s.settle(); err != nil {
		return err
	}
	takesLong := s.slow >= s.long() || !s.program.CanTell("slow")
	inProgress := takesLong && slices.ContainsFunc(s.visitors, s.awaitsSlowPage)
	came := len(s.visitors) > 0
	s.disconnect(s.visitors, (*visitor.Visitor).Close)
	if came && !inProgress && s.abandoned == 0 && !s.srv.AwaitQuiet(server.SettleTime) && !s.srv.Exited() {
		return s.readsOn()
	}
	s.srv.Signal(syscall.SIGINT)
	if !s.await(func() bool { return inProgress || s.srv.Exited() }) {
		s.goesOn, s.hint = true, endHint
		if s.program.Go {
			s.hint = endHintInGo
		}
		return s.fail("The server does not end when it is interrupted (SIGINT, which is what Ctrl-C sends).%s",
			s.whereabouts())
	}
	s.ended = true
	return s.checkOutput()
}

// Visitors.

// named returns the visitors of the names.
func (s *story) named(names ...string) []*visitor.Visitor {
	var vs []*visitor.Visitor
	for _, name := range names {
		group := slices.DeleteFunc(slices.Clone(s.visitors), func(v *visitor.Visitor) bool { return v.Name != name })
		if len(group) == 0 {
			s.ts.Fatalf("there is no visitor called %q: connect or visit comes first", name)
		}
		vs = append(vs, group...)
	}
	return vs
}

// disconnect ends the connections of the visitors, whose names are free again after it.
func (s *story) disconnect(vs []*visitor.Visitor, how func(*visitor.Visitor)) {
	for _, v := range vs {
		if s.slow < s.long() && s.awaitsSlowPage(v) {
			s.abandoned += s.slow
		}
		how(v)
	}
	s.visitors = slices.DeleteFunc(slices.Clone(s.visitors), func(v *visitor.Visitor) bool {
		return slices.Contains(vs, v)
	})
}

// awaitsSlowPage says whether the visitor has asked for the slow page, and has not had all of it.
func (s *story) awaitsSlowPage(v *visitor.Visitor) bool { return s.wantsSlowPage(v) && !v.Ended() }

// Waiting.

// await polls until cond holds. It returns false once nothing more is to be
// expected of the server.
func (s *story) await(cond func() bool) bool { return s.srv.Await(s.idle(), cond) }

// idle is how long the server has to be quiet for nothing more to be expected of it:
// longer than any slow request, silent visitor or lack of descriptors that the story
// has can keep it asleep.
func (s *story) idle() time.Duration {
	idle := server.GiveUpAfter + s.abandoned
	if s.patience < s.long() {
		idle += s.patience
	}
	if s.files >= 0 {
		idle += 1200 * time.Millisecond // it tries again once a second
	}
	for _, v := range s.visitors {
		if s.slow < s.long() && s.awaitsSlowPage(v) {
			idle += s.slow // they may have to take turns
		}
	}
	return idle
}

// settle waits until the server has done all that it has to do.
func (s *story) settle() error {
	switch {
	case s.srv.AwaitQuiet(server.SettleTime):
		return nil
	case s.srv.Exited():
		return s.fail("The server should be running still.")
	case !s.manners && len(s.visitors) > 0 && !slices.ContainsFunc(s.visitors, func(v *visitor.Visitor) bool { return !v.Answered() }):
		return s.readsOn() // whoever is answered leaves
	}
	s.busy = true
	return s.fail("The server is never idle.%s", s.whereabouts())
}

// readsOn is the error of a server that is not quiet after its visitors have left.
func (s *story) readsOn() error {
	s.busy, s.hint = true, readsOnHint
	return s.fail("The server is never idle since its visitors have left.%s", s.whereabouts())
}

// Failing.

// fatalf ends the story, which has failed, with what was seen; see fail.
func (s *story) fatalf(format string, args ...any) {
	s.ts.Fatalf("%v", s.fail(format, args...))
}

// undecidedf ends the story, because a busy machine kept it from seeing what it has to
// see. It is then told again, with longer times.
func (s *story) undecidedf(format string, args ...any) {
	s.undecided = true
	s.ts.Fatalf(format, args...)
}

// stuckf is fatalf for a server that leaves a visitor waiting. It adds how far the
// visitor has got, and where the goroutines of a Go program are.
func (s *story) stuckf(v *visitor.Visitor, format string, args ...any) {
	s.stuck = true
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
	s.fatalf("%s%s", seen, s.whereabouts())
}

// whereabouts says, in lines of their own, where the goroutines of a Go program are. It ends
// the server.
func (s *story) whereabouts() string {
	seen := ""
	if s.busy || !s.srv.AwaitQuiet(server.SettleTime) && !s.srv.Exited() {
		s.busy = true
		seen = "\nSome thread of the server is always busy."
	}
	before := len(s.srv.Log())
	if !s.program.Go || s.srv.Signal(syscall.SIGQUIT) != nil || !s.srv.Await(server.GiveUpAfter, s.srv.Exited) {
		return seen
	}
	s.ended = true
	return seen + "\n" + summary(Goroutines(s.srv.Log()[before:]))
}

// fail makes an error of what was seen. It adds how the server has ended, if it has, and
// what it has printed beyond that it is listening, if anything.
func (s *story) fail(format string, args ...any) error {
	seen := fmt.Sprintf(format, args...)
	if !s.busy {
		s.srv.Await(server.SettleTime, s.srv.Exited) // one that dies drops its visitors first
	}
	if outOf.MatchString(s.srv.Log()) {
		s.lacks, s.hint = true, ""
	}
	if s.srv.Exited() && !s.ended {
		s.died = true
		state, _ := s.srv.Wait(0)
		seen += fmt.Sprintf("\nThe server has ended (%v).", state)
	}
	printed := s.srv.Log()
	if s.srv.Announced {
		_, printed, _ = strings.Cut(printed, "listening on http://")
		_, printed, _ = strings.Cut(printed, "\n")
	}
	printed, _, _ = strings.Cut(printed, "SIGQUIT: quit") // the dump that somebody asked for
	if strings.TrimSpace(printed) != "" {
		seen += "\nIt printed:" + s.quote(printed)
	}
	return errors.New(seen)
}

// checkOutput says whether the server has printed nothing that no server should.
func (s *story) checkOutput() error {
	if !alarm.MatchString(s.srv.Log()) {
		return nil
	}
	return fmt.Errorf("The server printed:%s", s.quote(s.srv.Log()))
}

// quote quotes what the server has printed. If that is a data race or a panic it says
// more than the hint, which is not shown.
func (s *story) quote(printed string) string {
	if alarm.MatchString(printed) {
		s.hint = ""
	}
	return quote(printed)
}

// dataRace is what the race detector prints.
const dataRace = "WARNING: DATA RACE"

// alarm matches what a program prints from the beginning of a data race or a panic on.
var alarm = regexp.MustCompile(`(?s)(` + dataRace + `|panic: |fatal error: ).*`)

// frame matches a function of a stack, and the line with its place.
var frame = regexp.MustCompile(`(?m)^([^\s:]+\(.*\)|created by .*)\n\t.*\n?`)

// quote returns what a program has printed, or the part of it that says most, to be
// put after a colon. It leaves out the functions of a panic's stack that are not the
// program's own.
func quote(log string) string {
	const most = 6 // lines
	if from := alarm.FindString(log); from != "" {
		log = frame.ReplaceAllStringFunc(from, func(f string) string {
			if own.MatchString(f) {
				return f
			}
			return ""
		})
		// Its first lines say what went wrong, and where.
		lines := strings.Split(strings.TrimSpace(log), "\n")
		log = strings.Join(lines[:min(most, len(lines))], "\n")
	}
	return server.Excerpt(log, most)
}
