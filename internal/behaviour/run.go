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

// A run is the state of a script that is being run: one server at a time, its visitors, and the
// Result so far.
type run struct {
	Result
	program  *server.Program
	scale    time.Duration // multiplies the times that the script names
	deadline time.Time
	strict   bool                   // the program has to do all that the stages do
	manners  bool                   // the script is about manners, not about the ladder
	ts       *testscript.TestScript // of the command that runs

	files     int // the limit on open files, or -1
	srv       *server.Server
	stopping  bool               // the server has been told to stop
	stopped   time.Time          // when
	ended     bool               // the script has seen the server's end
	busy      bool               // some thread of the server is always busy
	slow      time.Duration      // how long GET /sleep takes
	patience  time.Duration      // how long a visitor may take to ask, if the script names a time
	visitors  []*visitor.Visitor // in the order in which they came
	abandoned time.Duration      // that the server may spend on slow requests of visitors who have left
	noted     map[string]int     // the counts of the command remember
	replace   map[string]string  // files of the source, by the command overlay
}

type runKey struct{}

// free ends the server and the visitors, however the run ended.
func (r *run) free() {
	for _, v := range r.visitors {
		v.Close()
	}
	if r.srv != nil {
		r.srv.Kill()
	}
}

// long is a time longer than any script waits, scaled as all others are.
func (r *run) long() time.Duration { return 10 * time.Second * r.scale }

// start scales the times in the flags and starts a server with them. If a server is running
// already, finish ends it first.
func start(r *run, args []string) {
	r.ts.Check(r.finish())
	if r.srv != nil {
		r.srv.Kill() // it has ended, but its children may not have
	}
	args = r.setTimes(args)
	srv, err := r.program.Start(r.options(args))
	if err != nil {
		r.srv, r.Hint = nil, "" // hints are about what comes after the start
		if lacking(err) || outOf.MatchString(err.Error()) {
			r.lackf("%v\nThat is this machine's limit, and says nothing of the server.", err)
		}
		r.ts.Fatalf("%v", err)
	}
	r.busy = false
	r.srv, r.stopping, r.ended, r.abandoned, r.noted = srv, false, false, 0, nil
	r.ts.Setenv("ADDR", srv.Addr)
}

// lacksResources are the errors of a machine that has run out of files, ports, memory and so on.
var lacksResources = []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM, syscall.ENOBUFS,
	syscall.ENOSPC, syscall.EADDRNOTAVAIL}

// lacking says whether an error is one of lacksResources, or means that programs may not be started
// from the folder for temporary files.
func lacking(err error) bool {
	return errors.Is(err, syscall.EACCES) || slices.ContainsFunc(lacksResources, func(e error) bool { return errors.Is(err, e) })
}

// outOf matches what a Go program prints when it gets no thread, or no free port.
var outOf = regexp.MustCompile(`failed to create new OS thread|pthread_create failed|:0: bind: address already in use`)

// lackf ends the run because the machine lacks something that the tests need.
func (r *run) lackf(format string, args ...any) {
	r.Lacks, r.Hint = true, ""
	r.ts.Fatalf(format, args...)
}

// options returns the options for Start. A program that was built from a folder runs in another
// one: it should need no file of its source.
func (r *run) options(args []string) server.Options {
	opt := server.Options{Args: args, Files: max(r.files, 0), Deadline: r.deadline}
	if r.program.Folder != "" {
		opt.Dir = os.TempDir()
	}
	return opt
}

// These are the hints of every script: endHint if the server does not end (endHintInGo if the
// reason says where goroutine 1 is), and readsOnHint if the server is not quiet after its visitors have
// left.
const (
	endHint = "Is the signal handled, and does that end the wait for the next visitor, and the accept loop? " +
		"See docs/stage4-nonblocking-accept.md"
	readsOnHint = "When a visitor has closed the connection, reading from it gives no more bytes, again and again: " +
		"does the server go on reading? See docs/stage1-blocking.md"
	endHintInGo = "What does goroutine 1 wait for, and does the signal end that? See docs/stage4-nonblocking-accept.md"
)

// finish ends the server, unless the script has seen its end. It returns an error unless the server
// is still running and quiet, is quiet after its visitors have left, ends when it is interrupted, and
// has printed no panic and no data race. If a long request is in progress the server need not end.
func (r *run) finish() error {
	if r.srv == nil || r.ended {
		return nil
	}
	if err := r.settle(); err != nil {
		return err
	}
	takesLong := r.slow >= r.long() || !r.program.CanTell("slow")
	inProgress := takesLong && slices.ContainsFunc(r.visitors, r.awaitsSlowPage)
	came := len(r.visitors) > 0
	r.disconnect(r.visitors, (*visitor.Visitor).Close)
	if came && !inProgress && r.abandoned == 0 && !r.srv.AwaitQuiet(server.SettleTime) && !r.srv.Exited() {
		return r.readsOn()
	}
	r.srv.Signal(syscall.SIGINT)
	if !r.await(func() bool { return inProgress || r.srv.Exited() }) {
		r.GoesOn, r.Hint = true, endHint
		if r.program.Go {
			r.Hint = endHintInGo
		}
		return r.fail("The server does not end when it is interrupted (SIGINT, which is what Ctrl-C sends).%s",
			r.whereabouts())
	}
	r.ended = true
	return r.checkOutput()
}

// Visitors.

// named returns the visitors with these names. It ends the run if there are none.
func (r *run) named(names ...string) []*visitor.Visitor {
	var vs []*visitor.Visitor
	for _, name := range names {
		group := slices.DeleteFunc(slices.Clone(r.visitors), func(v *visitor.Visitor) bool { return v.Name != name })
		if len(group) == 0 {
			r.ts.Fatalf("there is no visitor called %q: connect or visit comes first", name)
		}
		vs = append(vs, group...)
	}
	return vs
}

// disconnect ends the connections of the visitors, whose names are then free again.
func (r *run) disconnect(vs []*visitor.Visitor, how func(*visitor.Visitor)) {
	for _, v := range vs {
		if r.slow < r.long() && r.awaitsSlowPage(v) {
			r.abandoned += r.slow
		}
		how(v)
	}
	r.visitors = slices.DeleteFunc(slices.Clone(r.visitors), func(v *visitor.Visitor) bool {
		return slices.Contains(vs, v)
	})
}

// awaitsSlowPage says whether the visitor has asked for the slow page, and has not had all of it.
func (r *run) awaitsSlowPage(v *visitor.Visitor) bool { return r.wantsSlowPage(v) && !v.Ended() }

// Waiting.

// await polls until cond holds. It returns false when nothing more is expected of the server.
func (r *run) await(cond func() bool) bool { return r.srv.Await(r.giveUpAfter(), cond) }

// giveUpAfter returns how long the server has to be quiet until nothing more is expected of it. This
// is longer than a slow request, a silent visitor or a lack of descriptors can keep the server asleep.
func (r *run) giveUpAfter() time.Duration {
	quiet := server.GiveUpAfter + r.abandoned
	if r.patience < r.long() {
		quiet += r.patience
	}
	if r.files >= 0 {
		quiet += 1200 * time.Millisecond // the stages try again after a second
	}
	for _, v := range r.visitors {
		if r.slow < r.long() && r.awaitsSlowPage(v) {
			quiet += r.slow // they may have to take turns
		}
	}
	return quiet
}

// settle waits until the server has finished its work. The error says why it does not.
func (r *run) settle() error {
	switch {
	case r.srv.AwaitQuiet(server.SettleTime):
		return nil
	case r.srv.Exited():
		return r.fail("The server should be running still.")
	case !r.manners && len(r.visitors) > 0 && !slices.ContainsFunc(r.visitors, func(v *visitor.Visitor) bool { return !v.Answered() }):
		return r.readsOn() // visitors leave when they are answered
	}
	r.busy = true
	return r.fail("The server is never idle.%s", r.whereabouts())
}

// readsOn returns the error of a server that is not quiet after its visitors have left.
func (r *run) readsOn() error {
	r.busy, r.Hint = true, readsOnHint
	return r.fail("The server is never idle after its visitors have left.%s", r.whereabouts())
}

// Failing.

// fatalf ends the run: the script has failed. It adds to the text what fail adds.
func (r *run) fatalf(format string, args ...any) {
	r.ts.Fatalf("%v", r.fail(format, args...))
}

// undecidedf ends the run because the machine was too busy for a proof. The script is then run again
// with longer times.
func (r *run) undecidedf(format string, args ...any) {
	r.Undecided = true
	r.ts.Fatalf(format, args...)
}

// stuckf is fatalf for a server that keeps a visitor waiting. It adds whether the visitor has been
// accepted and read, and where the goroutines of a Go program are.
func (r *run) stuckf(v *visitor.Visitor, format string, args ...any) {
	r.Stuck = true
	seen := fmt.Sprintf(format, args...)
	if conn := v.Conn(); conn != nil && !r.srv.Exited() && !v.Answered() {
		accepted, err := r.srv.HasAccepted(conn)
		read, _ := r.srv.HasRead(conn)
		switch {
		case err != nil:
		case !accepted:
			seen += fmt.Sprintf("\nThe server has not accepted %s's connection: it waits in the backlog.", v.Name)
		case !read:
			seen += fmt.Sprintf("\nThe server has accepted %s's connection, and not read what was sent.", v.Name)
		}
	}
	r.fatalf("%s%s", seen, r.whereabouts())
}

// whereabouts ends the server. It returns lines that say where the goroutines of a Go program were.
func (r *run) whereabouts() string {
	seen := ""
	if r.busy || !r.srv.AwaitQuiet(server.SettleTime) && !r.srv.Exited() {
		r.busy = true
		seen = "\nSome thread of the server is always busy."
	}
	before := len(r.srv.Log())
	if !r.program.Go || r.srv.Signal(syscall.SIGQUIT) != nil || !r.srv.Await(server.GiveUpAfter, r.srv.Exited) {
		return seen
	}
	r.ended = true
	return seen + "\n" + Summary(Goroutines(r.srv.Log()[before:]))
}

// fail returns an error with the text. It adds how the server ended, if it has, and what it printed
// after the line that says where it listens.
func (r *run) fail(format string, args ...any) error {
	seen := fmt.Sprintf(format, args...)
	if !r.busy {
		r.srv.Await(server.SettleTime, r.srv.Exited) // a server that dies drops its visitors first
	}
	if outOf.MatchString(r.srv.Log()) {
		r.Lacks, r.Hint = true, ""
	}
	if r.srv.Exited() && !r.ended {
		r.Died = true
		state, _ := r.srv.Wait(0)
		seen += fmt.Sprintf("\nThe server has ended (%v).", state)
	}
	printed := r.srv.Log()
	if r.srv.Announced() {
		_, printed, _ = strings.Cut(printed, "listening on http://")
		_, printed, _ = strings.Cut(printed, "\n")
	}
	printed, _, _ = strings.Cut(printed, "SIGQUIT: quit") // the dump was a command of the script
	if strings.TrimSpace(printed) != "" {
		seen += "\nIt printed:" + r.quote(printed)
	}
	return errors.New(seen)
}

// checkOutput returns an error if the server has printed a panic or a data race.
func (r *run) checkOutput() error {
	if !alarm.MatchString(r.srv.Log()) {
		return nil
	}
	return fmt.Errorf("The server printed:%s", r.quote(r.srv.Log()))
}

// quote quotes output of the server. If it has a data race or a panic, which say more than the hint,
// it drops the hint.
func (r *run) quote(printed string) string {
	if alarm.MatchString(printed) {
		r.Hint = ""
	}
	return quote(printed)
}

// dataRace is what the race detector prints.
const dataRace = "WARNING: DATA RACE"

// alarm matches the output of a program from the beginning of a data race or a panic on.
var alarm = regexp.MustCompile(`(?s)(` + dataRace + `|panic: |fatal error: ).*`)

// frame matches a function of a stack, and the line with its place.
var frame = regexp.MustCompile(`(?m)^([^\s:]+\(.*\)|created by .*)\n\t.*\n?`)

// quote returns the most telling lines that a program has printed, to follow a colon. It leaves out
// the functions of a panic's stack that are not the program's own.
func quote(log string) string {
	const maxLines = 6
	if from := alarm.FindString(log); from != "" {
		log = frame.ReplaceAllStringFunc(from, func(f string) string {
			if own.MatchString(f) {
				return f
			}
			return ""
		})
		// Its first lines say what went wrong, and where.
		lines := strings.Split(strings.TrimSpace(log), "\n")
		log = strings.Join(lines[:min(maxLines, len(lines))], "\n")
	}
	return server.Excerpt(log, maxLines)
}
