package behaviour

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// Commands are what the scripts add to testscript's own commands. A NAME is a
// visitor's; a name such as silent*200 makes 200 visitors called silent, and
// what is then said of silent is said of all of them.
//
// The server:
//
//	limit-files N           the next server may open N files (ulimit -n)
//	start [FLAG...]         start the server and wait until it listens; sets $ADDR
//	signal INT|TERM|QUIT    send it a signal
//	ends STATUS             it ends by itself, as in: ends 0, ends interrupt
//	done                    see that it is alive, ends when interrupted, and never panicked
//	exits STATUS [FLAG...]  started with the flags, it ends at once; its output is stderr
//	log TEXT                it prints TEXT
//	log-at-most N TEXT      it has printed TEXT no more than N times
//
// Visitors:
//
//	connect NAME            connects and says nothing
//	visit NAME [METHOD] PATH   connects and sends a request, as a browser does
//	say NAME PIECE...       sends the pieces, each in a packet; a*3000 is 3,000 times a
//	blurt NAME PIECE...     sends the pieces, all at once
//	drip NAME PIECE         sends the piece again and again, for as long as it can
//	finish NAME             has no more to say, and goes on listening
//	leave NAME              closes the connection
//	reset NAME              resets it
//	refused                 nobody can connect any more
//
// What they see:
//
//	answer NAME STATUS [TEXT]  they get one well-formed reply, then the connection's end
//	refusal NAME STATUS     they get this status; what they still sent may be cut off
//	page NAME FILE          the body of the reply is this file of the server's folder
//	dropped NAME            the connection is closed without an answer
//	let-go NAME             the connection is closed, with an answer or without
//	waits NAME...           the server has done what it can, and they have no answer
//	in-progress NAME        the server has read all they sent, and they have no answer;
//	                        if it came before anybody could look, they ask again
//	overtakes QUICK SLOW    QUICK is answered while SLOW has no answer
//	in-order NAME NAME...   they are answered in this order
//	take-turns NAME... the same, for slow requests, and no two of them overlap
//	overlap N PATH          N requests for the slow page are in progress together
//
// What the system and the Go runtime say of the server:
//
//	threads at-least|at-most N   how many threads it has
//	descriptors remember    note how many file descriptors it holds
//	descriptors kept-none   it holds no more than then
//	rests                   it is idle, and not spinning
//	dump                    SIGQUIT it while idle; it prints its goroutines and ends
//	goroutine ID STATE [FUNC]    as in: goroutine 1 IO_wait accept; ID is 1, another than 1,
//	                        or some; STATE can be one of several, as in sleep|select
//	goroutines at-most N    how many goroutines run the program's own code
//	memory remember         note how much memory it holds
//	memory grew-at-most N   it holds no more than N MiB more than then
//
// And for the rest:
//
//	hint TEXT               what a failure from here on may be due to, and where to read
//	copy-source FOLDER      copy the server's source into FOLDER
//	replace FILE OLD NEW    replace OLD, which stands in FILE once; sets $LINE to its line
//	use FOLDER              the servers from here on are built from FOLDER
//	runs-with FILE          the server's source, with FILE added, makes a program that
//	                        ends by itself; its output is stdout
//	go ARG...               the go command, with the environment that it needs
var Commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"limit-files": do("limit-files N", limitFiles),
	"start":       start,
	"signal":      do("signal INT|TERM|QUIT", signal),
	"ends":        do("ends STATUS", ends),
	"done":        do("done", done), // not stop, which is testscript's own
	"exits":       exits,
	"log":         do("log TEXT", log),
	"log-at-most": do("log-at-most N TEXT", logAtMost),

	"connect": do("connect NAME", func(s *story, args []string) error {
		_, err := s.arrive(args[0])
		return err
	}),
	"visit": do("visit NAME [METHOD] PATH", visit),
	"say":   do("say NAME PIECE...", say),
	"blurt": do("blurt NAME PIECE...", func(s *story, args []string) error {
		vs, err := s.group(args[0])
		if err != nil {
			return err
		}
		ps, err := pieces(args[1:])
		for _, v := range vs {
			v.send(strings.Join(ps, ""))
		}
		return err
	}),
	"drip": do("drip NAME PIECE", func(s *story, args []string) error {
		v, err := s.one(args[0])
		if err != nil {
			return err
		}
		piece, err := unquote(args[1])
		if err == nil {
			v.drip(piece) // until the script ends at the latest, and v leaves
		}
		return err
	}),
	"finish": do("finish NAME", finish),
	"leave": do("leave NAME", func(s *story, args []string) error {
		return s.depart(args[0], (*visitor).leave)
	}),
	"reset": do("reset NAME", func(s *story, args []string) error {
		return s.depart(args[0], (*visitor).reset)
	}),
	"refused": do("refused", refused),

	"answer":      do("answer NAME STATUS [TEXT]", answer),
	"refusal":     do("refusal NAME STATUS", refusal),
	"page":        do("page NAME FILE", page),
	"dropped":     do("dropped NAME", dropped),
	"let-go":      do("let-go NAME", letGo),
	"waits":       do("waits NAME...", waits),
	"in-progress": do("in-progress NAME", inProgress),
	"overtakes":   do("overtakes QUICK SLOW", overtakes),
	"in-order":    do("in-order NAME NAME...", inOrder),
	"take-turns":  do("take-turns NAME...", takeTurns),
	"overlap":     do("overlap N PATH", overlap),

	"threads":     do("threads at-least|at-most N", threads),
	"descriptors": do("descriptors remember|kept-none", descriptors),
	"rests":       do("rests", func(s *story, args []string) error { return s.rest() }),
	"dump":        do("dump", dump),
	"goroutine":   do("goroutine ID STATE [FUNC]", goroutineIs),
	"goroutines":  do("goroutines at-most N", goroutinesAtMost),
	"memory":      do("memory remember|grew-at-most [N]", memory),

	"hint": do("hint TEXT", func(s *story, args []string) error {
		s.hint = args[0]
		return nil
	}),
	"copy-source": copySource,
	"replace":     replace,
	"use":         use,
	"runs-with":   runsWith,
	"go":          goCommand,
}

// The server.

func limitFiles(s *story, args []string) (err error) {
	s.files, err = strconv.Atoi(args[0])
	return err
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	do("start [FLAG...]", func(s *story, args []string) error {
		if s.srv != nil && !s.stopped {
			return errors.New("a server is running: done comes first")
		}
		if err := s.start(args); err != nil {
			return err
		}
		ts.Setenv("ADDR", s.srv.Addr)
		return nil
	})(ts, neg, args)
}

// start starts a server with the flags.
func (s *story) start(args []string) error {
	if s.srv != nil {
		s.srv.Kill() // it has ended; what it started may not have
	}
	srv, err := s.program.Start(server.Options{Args: args, Files: s.files})
	if err != nil {
		s.srv = nil
		return s.why(err.Error())
	}
	s.srv, s.args, s.stopped, s.slow, s.patience = srv, args, false, 5*time.Second, 0
	for i, arg := range args[:max(len(args)-1, 0)] {
		switch arg {
		case "-slow":
			s.slow, err = time.ParseDuration(args[i+1])
		case "-patience":
			s.patience, err = time.ParseDuration(args[i+1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var signals = map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "QUIT": syscall.SIGQUIT}

func signal(s *story, args []string) error {
	sig, ok := signals[args[0]]
	if !ok {
		return fmt.Errorf("no signal %s: there are INT, TERM and QUIT", args[0])
	}
	if err := s.srv.Signal(sig); err != nil {
		return s.why("The server cannot be sent SIG" + args[0] + ": " + err.Error() + ".")
	}
	return nil
}

// ends compares the status with Go's words for it: "exit status 2" is 2, and
// "signal: interrupt" is interrupt.
func ends(s *story, args []string) error {
	// A server that looks now and then whether it can end, as that of net/http
	// does, gets twice the time.
	still := s.srv.Still(s.polls())
	over := func() bool { return s.srv.Exited() || still() }
	if !s.eventually(over) {
		s.eventually(over)
	}
	if !s.srv.Exited() {
		return s.why("The server does not end.")
	}
	state, err := s.srv.Wait()
	if err != nil {
		return err
	}
	s.stopped = true
	got := strings.TrimPrefix(strings.TrimPrefix(state.String(), "exit status "), "signal: ")
	if got == "130" { // what some languages make of it, and what a shell says
		got = "interrupt"
	}
	if got != args[0] {
		return s.why(fmt.Sprintf("The server has ended, and its status is %q, not %q.%s", got, args[0], s.srv.Quote()))
	}
	return s.sound()
}

// sound says whether the server has printed nothing that no server should.
func (s *story) sound() error {
	for _, bad := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
		if i := strings.Index(s.srv.Log(), bad); i >= 0 {
			return s.why("The server printed:\n" + s.srv.Log()[i:])
		}
	}
	return nil
}

func done(s *story, args []string) error {
	// What it did last may have been too much for it.
	if err := s.rest(); err != nil && !s.srv.Exited() {
		return err
	}
	if s.srv.Exited() {
		return s.why("The server should be running still.")
	}
	for _, vs := range s.visitors {
		for _, v := range vs {
			v.leave()
		}
	}
	s.srv.Signal(syscall.SIGINT)
	// A request in progress may hold up a graceful end; a second signal does not wait.
	resting := s.rests(20)
	if s.eventually(func() bool { return resting() || s.srv.Exited() }); !s.srv.Exited() {
		s.srv.Signal(syscall.SIGINT)
	}
	if !s.eventually(s.srv.Exited) {
		return s.why("The server does not end when it is interrupted, not even twice.")
	}
	s.stopped = true
	return s.sound()
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	do("exits STATUS [FLAG...]", func(s *story, args []string) error {
		status, output, err := s.program.Run(args[1:]...)
		if err != nil {
			return s.why(err.Error() + ".")
		}
		fmt.Fprint(ts.Stderr(), output)
		if strconv.Itoa(status) != args[0] {
			return s.why(fmt.Sprintf("With %s the server exits with status %d, not %s.", strings.Join(args[1:], " "), status, args[0]))
		}
		return nil
	})(ts, neg, args)
}

func log(s *story, args []string) error {
	asleep := s.srv.Sleeps(100)
	s.eventually(func() bool { return strings.Contains(s.srv.Log(), args[0]) || asleep() })
	if !strings.Contains(s.srv.Log(), args[0]) {
		return s.why(fmt.Sprintf("The server does not print %q.%s", args[0], s.srv.Quote()))
	}
	return nil
}

func logAtMost(s *story, args []string) error {
	most, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if n := strings.Count(s.srv.Log(), args[1]); n > most {
		return s.why(fmt.Sprintf("The server printed %q %d times; at most %d were expected.", args[1], n, most))
	}
	return nil
}

// Visitors.

func visit(s *story, args []string) error {
	method := "GET"
	if len(args) == 3 {
		method = args[1]
	}
	vs, err := s.arrive(args[0])
	for _, v := range vs {
		v.send(request(method, args[len(args)-1]))
	}
	return err
}

var repetition = regexp.MustCompile(`(?s)^(.+)\*(\d+)$`)

func say(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	ps, err := pieces(args[1:])
	for _, v := range vs {
		v.send(ps...)
	}
	return err
}

// pieces makes of the arguments of a command what is to be sent.
func pieces(args []string) ([]string, error) {
	var pieces []string
	for _, arg := range args {
		text, err := unquote(arg)
		if err != nil {
			return nil, err
		}
		if m := repetition.FindStringSubmatch(text); m != nil {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				return nil, err
			}
			text = strings.Repeat(m[1], n)
		}
		pieces = append(pieces, text)
	}
	return pieces, nil
}

func unquote(arg string) (string, error) {
	text, err := strconv.Unquote(`"` + arg + `"`)
	if err != nil {
		return "", fmt.Errorf("%q: escapes are those of a Go string, as in \\r\\n", arg)
	}
	return text, nil
}

func finish(s *story, args []string) error {
	vs, err := s.group(args[0])
	for _, v := range vs {
		v.conn.CloseWrite() // fails if the server has closed: then there is nobody to tell
	}
	return err
}

// depart ends the connections of a name, which is free again after it.
func (s *story) depart(name string, how func(*visitor)) error {
	vs, err := s.group(name)
	for _, v := range vs {
		how(v)
	}
	delete(s.visitors, name)
	return err
}

func refused(s *story, args []string) error {
	// Once it is at rest, the server has done what it does on a signal.
	if err := s.rest(); err != nil && !s.srv.Exited() {
		return err
	}
	v, err := connect("newcomer", s.srv.Addr)
	if err == nil {
		v.reset()
		return s.why("The server still accepts visitors.")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return s.why(fmt.Sprintf("A newcomer should be refused, and is told %v.", err))
	}
	return nil
}

// What they see.

func answer(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	status, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("%q is not a status such as 200", args[1])
	}
	tries := 0
	for i := 0; i < len(vs); i++ {
		v := vs[i]
		if !s.comes(v.finished) {
			if v.hasReply() {
				return s.why(fmt.Sprintf("%s has an answer, and the connection stays open after it. Who closes it?", v.name))
			}
			return s.why(fmt.Sprintf("%s gets no answer.", v.name))
		}
		// Where patience is short, a machine that is busy elsewhere may be what kept
		// the visitor from asking, or the server from reading, in time.
		if !v.hasReply() && s.patience > 0 && !s.srv.Exited() && tries < 2 {
			tries++
			if err := s.again(vs, i); err != nil {
				return err
			}
			i--
			continue
		}
		body, err := v.check(status)
		if err != nil {
			return s.why(fmt.Sprintf("%s: %v.", v.name, err))
		}
		if len(args) == 3 && !strings.Contains(body, args[2]) {
			return s.why(fmt.Sprintf("%s gets the wrong page: there is no %q in\n%s", v.name, args[2], body))
		}
	}
	return nil
}

func refusal(s *story, args []string) error {
	v, err := s.one(args[0])
	if err != nil {
		return err
	}
	if !s.comes(v.finished) {
		return s.why(fmt.Sprintf("%s goes on, and should have been refused.", v.name))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, status, _ := strings.Cut(string(v.reply), " "); !strings.HasPrefix(status, args[1]+" ") {
		return s.why(fmt.Sprintf("%s should have been refused with %s, and got %.60q (%v).", v.name, args[1], v.reply, v.end))
	}
	return nil
}

func page(s *story, args []string) error {
	v, err := s.one(args[0])
	if err != nil {
		return err
	}
	want, err := os.ReadFile(filepath.Join(s.program.Folder, args[1]))
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, body, _ := strings.Cut(string(v.reply), "\r\n\r\n"); body != string(want) {
		return s.why(fmt.Sprintf("%s gets another page than %s:\n%s", v.name, args[1], body))
	}
	return nil
}

func dropped(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	tries := 0
	for i := 0; i < len(vs); i++ {
		v := vs[i]
		if !s.comes(v.finished) {
			return s.why(fmt.Sprintf("%s is still connected, and should have been dropped.", v.name))
		}
		if v.hasReply() {
			return s.why(fmt.Sprintf("%s should have been dropped, and has an answer: %.60q.", v.name, v.reply))
		}
		// A chatterbox who was kept from chattering for so long, by a machine that
		// is busy elsewhere, has proved nothing.
		if v.pause() > s.patience/2 && tries < 5 {
			tries++
			if err := s.again(vs, i); err != nil {
				return err
			}
			vs[i].drip(v.dripping)
			i--
		}
	}
	return nil
}

func letGo(s *story, args []string) error {
	vs, err := s.group(args[0])
	for _, v := range vs {
		if !s.comes(v.finished) {
			return s.why(fmt.Sprintf("%s is still connected, and should have been let go.", v.name))
		}
	}
	return err
}

func waits(s *story, args []string) error {
	if err := s.rest(); err != nil {
		return err
	}
	for _, name := range args {
		vs, err := s.group(name)
		if err != nil {
			return err
		}
		for _, v := range vs {
			if !v.answered() {
				continue
			}
			s.eventually(func() bool { return v.hasReply() || v.finished() })
			if !v.hasReply() {
				return s.why(fmt.Sprintf("%s should still be waiting, and was dropped.", v.name))
			}
			return s.why(fmt.Sprintf("%s should still be waiting, and is answered already.", v.name))
		}
	}
	return nil
}

// again has the visitor with the index leave, come back and say the same.
func (s *story) again(vs []*visitor, i int) error {
	v, err := connect(vs[i].name, s.srv.Addr)
	if err != nil {
		return s.why(fmt.Sprintf("%s cannot connect: %v.", vs[i].name, err))
	}
	v.send(vs[i].said...)
	vs[i].leave()
	vs[i] = v
	return nil
}

func inProgress(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	for range 10 {
		for _, v := range vs {
			unsupported := false
			read, asleep := false, s.srv.Sleeps(40)
			s.eventually(func() bool {
				has, err := s.srv.HasRead(v.conn)
				unsupported = errors.Is(err, errors.ErrUnsupported)
				read = has || unsupported || v.answered()
				return read || asleep()
			})
			switch {
			case !read:
				return s.why(fmt.Sprintf("%s: the server does not read the request.", v.name))
			case unsupported:
				if err := s.rest(); err != nil {
					return err
				}
			}
		}
		early := false // whether an answer came before anybody could look
		for i, v := range vs {
			if !v.answered() {
				continue
			}
			s.eventually(v.finished)
			switch took := v.took(); {
			case took == 0:
				return s.why(fmt.Sprintf("%s was dropped; the request should be in progress.", v.name))
			case took < s.slow:
				return s.why(fmt.Sprintf("%s is answered already; the request should be in progress.", v.name))
			}
			early = true
			if err := s.again(vs, i); err != nil {
				return err
			}
		}
		if !early {
			return nil
		}
	}
	// Each was answered as it should be, on a machine too busy to see it happen.
	return nil
}

func overtakes(s *story, args []string) error {
	quick, err := s.one(args[0])
	if err != nil {
		return err
	}
	slow, err := s.group(args[1])
	if err != nil {
		return err
	}
	// A server that has been asleep for so long has no intention to answer.
	asleep := s.srv.Sleeps(100)
	var seen string
	s.eventually(func() bool {
		if quick.answered() {
			return true
		}
		for _, v := range slow {
			if v.answered() && !quick.answered() {
				seen = fmt.Sprintf("%s, who came after %s, has no answer until %s has one.", quick.name, v.name, v.name)
				return true
			}
		}
		if asleep() && !quick.answered() {
			seen = fmt.Sprintf("%s has no answer while %s is being served, and the server is idle.", quick.name, args[1])
			return true
		}
		return false
	})
	if seen == "" && !quick.answered() {
		seen = fmt.Sprintf("%s has no answer while %s is being served.", quick.name, args[1])
	}
	if seen != "" {
		return s.why(seen)
	}
	return nil
}

func inOrder(s *story, args []string) error {
	queue, err := s.queue(args)
	if err != nil {
		return err
	}
	return s.answersInOrder(queue)
}

// answersInOrder looks at the visitors whenever a new answer has come: if those who
// came before have none, at the socket either, then the order was another one.
func (s *story) answersInOrder(queue []*visitor) error {
	var seen string
	for i, v := range queue {
		answered := s.comes(func() bool {
			// Look at the last in the queue first: what holds then holds later.
			for j := len(queue) - 1; j > i; j-- {
				if queue[j].answered() && !v.answered() {
					seen = fmt.Sprintf("%s, who came before %s, is answered after.", v.name, queue[j].name)
					return true
				}
			}
			return v.answered()
		})
		if seen == "" && !answered {
			seen = fmt.Sprintf("%s gets no answer.", v.name)
		}
		if seen != "" {
			return s.why(seen)
		}
	}
	return nil
}

// takeTurns needs no upper limit on time. That requests took less time than all of
// them one after another is proof that they overlapped, however slow the machine is.
//
// That they took no less is no proof that they did not, on a machine that is busy
// elsewhere. So it wants to have seen that the server slept over one of them and had
// not read another. If it has not, it asks another server, where a request takes
// twice as long.
func takeTurns(s *story, args []string) error {
	for round := 0; ; round++ {
		if round > 0 {
			if err := s.slower(args...); err != nil {
				return err
			}
			for _, name := range args {
				if err := visit(s, []string{name, "/sleep"}); err != nil {
					return err
				}
			}
		}
		queue, err := s.queue(args)
		if err != nil {
			return err
		}
		alone := s.oneInProgress(queue)
		misordered := s.answersInOrder(queue)
		took := time.Duration(0)
		for _, v := range queue {
			switch {
			case s.comes(v.hasReply):
				took = max(took, v.asked.Add(v.took()).Sub(queue[0].asked))
			case misordered != nil:
				return misordered
			default:
				return s.why(fmt.Sprintf("%s gets no answer.", v.name))
			}
		}
		switch least := time.Duration(len(args)) * s.slow; {
		case took < least && len(args) == 1:
			return s.why(fmt.Sprintf("%s is answered after %v, and the slow page takes %v.", args[0], took.Round(time.Millisecond), s.slow))
		case took < least:
			return s.why(fmt.Sprintf("%d requests of %v each were answered within %v, so that they did not take turns.",
				len(args), s.slow, took.Round(time.Millisecond)))
		case alone || s.srv.Exited() || round == 3:
			return misordered // or nil
		}
	}
}

// oneInProgress waits until it sees the server asleep with one of the requests in
// progress and others that it has not read. It returns false if it sees several in
// progress, or the last one answered. Where there is only one request, or the
// system does not tell, it returns true.
func (s *story) oneInProgress(queue []*visitor) bool {
	_, err := s.srv.Asleep()
	if len(queue) == 1 || errors.Is(err, errors.ErrUnsupported) {
		return true
	}
	alone, asleep := false, s.srv.Sleeps(5)
	s.comes(func() bool {
		if queue[len(queue)-1].answered() {
			return true
		}
		if !asleep() {
			return false
		}
		asleep = s.srv.Sleeps(5) // to look again then
		inProgress, unread, ok := s.look(queue)
		alone = ok && inProgress == 1 && unread > 0
		return alone || ok && inProgress > 1
	})
	return alone
}

// slower resets the visitors of the names, and starts another server in place of
// this one, where a slow request takes twice as long.
func (s *story) slower(names ...string) error {
	for _, name := range names {
		if err := s.depart(name, (*visitor).reset); err != nil {
			return err
		}
	}
	s.srv.Kill()
	return s.start(append(slices.Clone(s.args), "-slow", (2 * s.slow).String()))
}

// overlap needs no upper limit on time either. It looks for one of two proofs.
//
// Each request takes at least s.slow. If one had begun only when another was
// done, then its answer would come 2*s.slow after the first of them was asked, or
// later. So if all answers are there before, all were in progress together; that
// they are seen late makes this proof fail, and never succeed.
//
// If the server is asleep, and has not read a request, or has read all of them
// s.slow ago and not answered one, then they were not in progress together.
//
// On a machine that is busy elsewhere there may be neither. Then it asks another
// server, where a request takes twice as long.
func overlap(s *story, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("%q is not a number of visitors", args[0])
	}
	best := 0
	for round := range 4 {
		if round > 0 {
			if err := s.slower("crowd"); err != nil {
				return err
			}
		}
		crowd, err := s.arrive(fmt.Sprintf("crowd*%d", n))
		if err != nil {
			return err
		}
		for _, v := range crowd {
			v.send(request("GET", args[1]))
		}
		together, unread, unanswered := s.watch(crowd)
		switch {
		case together == n:
			return answer(s, []string{"crowd", "200"})
		case unread > 0:
			return s.why(fmt.Sprintf("Of %d slow requests at the same time only %d are in progress together; the server has not even read the others.", n, together))
		case unanswered > 0:
			return s.why(fmt.Sprintf("Of %d slow requests at the same time only %d were in progress together; the others have been read, and wait.", n, n-unanswered))
		}
		best = max(best, together)
		if s.srv.Exited() {
			break
		}
	}
	if _, err := s.srv.Asleep(); err == nil {
		// There was no proof that they were not in progress together, either.
		return answer(s, []string{"crowd", "200"})
	}
	return s.why(fmt.Sprintf("Of %d slow requests at the same time only %d were ever in progress together.", n, best))
}

// watch waits until the crowd is answered, or proves that they were not all in
// progress together. It returns how many it saw to be, and how many requests the
// server has not read, or read and not answered, if that is a proof.
func (s *story) watch(crowd []*visitor) (together, unread, unanswered int) {
	limit := crowd[0].asked.Add(2 * s.slow)
	asleep, since := s.srv.Sleeps(20), time.Now()
	var allRead time.Time // by then
	s.eventually(func() bool {
		answered := 0
		together = 0
		for _, v := range crowd {
			if took := v.took(); took > 0 {
				answered++
				if v.asked.Add(took).Before(limit) {
					together++
				}
			}
		}
		if answered == len(crowd) {
			return true
		}
		if !asleep() {
			return false
		}
		began := since
		asleep, since = s.srv.Sleeps(20), time.Now() // to look again then
		inProgress, others, ok := s.look(crowd)
		switch {
		case !ok:
		case others > 0:
			together, unread = inProgress, others
			return true
		case allRead.IsZero():
			allRead = since
		case inProgress > 0 && began.After(allRead.Add(s.slow)):
			unanswered = inProgress
			return true
		}
		return false
	})
	return together, unread, unanswered
}

// look counts the visitors without an answer: those whose request the server has
// read, which is in progress then, and those whose request it has not. It returns
// false if one of them was answered meanwhile, so that the counts may be wrong.
func (s *story) look(visitors []*visitor) (inProgress, unread int, ok bool) {
	before := unansweredIn(visitors)
	for _, v := range visitors {
		read, err := s.srv.HasRead(v.conn)
		switch {
		case v.answered(): // It has not read a request, either, once it is done with it.
		case read || err != nil:
			inProgress++
		default:
			unread++
		}
	}
	return inProgress, unread, unansweredIn(visitors) == before
}

// unansweredIn counts the visitors who have no answer.
func unansweredIn(crowd []*visitor) int {
	n := 0
	for _, v := range crowd {
		if !v.answered() {
			n++
		}
	}
	return n
}

// What the system and the Go runtime say of the server.

func threads(s *story, args []string) error {
	limit, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	n := 0
	switch args[0] {
	case "at-least":
		asleep := s.srv.Sleeps(60)
		s.eventually(func() bool { n, err = s.srv.Threads(); return err == nil && n >= limit || asleep() })
	case "at-most":
		if err := s.rest(); err != nil {
			return err
		}
		n, err = s.srv.Threads()
	default:
		return errors.New("usage: threads at-least|at-most N")
	}
	if err != nil {
		return s.unseen(err)
	}
	if (args[0] == "at-least") != (n >= limit) && n != limit {
		return s.why(fmt.Sprintf("The server has %d threads; %s %d were expected.", n, strings.ReplaceAll(args[0], "-", " "), limit))
	}
	return nil
}

// unseen is what to say when the system does not tell about the server.
func (s *story) unseen(err error) error {
	return s.why(fmt.Sprintf("The server cannot be looked at: %v.", err))
}

func descriptors(s *story, args []string) (err error) {
	if args[0] == "remember" {
		if err := s.rest(); err != nil {
			return err
		}
		if s.fds, err = s.srv.Descriptors(); err != nil {
			return s.unseen(err)
		}
		return nil
	}
	n := 0
	if s.comes(func() bool { n, err = s.srv.Descriptors(); return err == nil && n <= s.fds }) {
		return nil
	}
	if err != nil {
		return s.unseen(err)
	}
	return s.why(fmt.Sprintf("All visitors have left, and the server holds %d file descriptors more than before they came.", n-s.fds))
}

func dump(s *story, args []string) error {
	if err := s.rest(); err != nil {
		return err
	}
	if err := signal(s, []string{"QUIT"}); err != nil {
		return err
	}
	return ends(s, []string{"2"})
}

func goroutineIs(s *story, args []string) error {
	id, state := args[0], strings.ReplaceAll(args[1], "_", " ")
	function := ""
	if len(args) == 3 {
		function = args[2]
	}
	var seen []string
	for _, g := range goroutines(s.srv.Log()) {
		switch {
		case id == "some":
		case g.functions() == "": // the runtime's own
			continue
		case (g.id == "1") != (id == "1"):
			continue
		}
		if slices.Contains(strings.Split(state, "|"), g.state) && g.runs(function) {
			return nil
		}
		if g.functions() != "" {
			seen = append(seen, fmt.Sprintf("goroutine %s [%s], in %s", g.id, g.state, g.functions()))
		}
	}
	if seen == nil {
		seen = []string{"nothing of the kind"}
	}
	if function != "" {
		function = " in " + function
	}
	who := map[string]string{"1": "goroutine 1", "another": "another goroutine than 1", "some": "some goroutine"}[id]
	return s.why(fmt.Sprintf("Expected to find %s [%s]%s; the dump shows:\n\t%s",
		who, strings.ReplaceAll(state, "|", "] or ["), function, strings.Join(seen, "\n\t")))
}

func goroutinesAtMost(s *story, args []string) error {
	most, err := strconv.Atoi(args[1])
	if err != nil || args[0] != "at-most" {
		return errors.New("usage: goroutines at-most N")
	}
	var seen []string
	for _, g := range goroutines(s.srv.Log()) {
		if g.functions() != "" {
			seen = append(seen, fmt.Sprintf("goroutine %s [%s], in %s", g.id, g.state, g.functions()))
		}
	}
	if len(seen) > most {
		return s.why(fmt.Sprintf("All visitors have left, and %d goroutines are still there:\n\t%s",
			len(seen), strings.Join(seen[:min(len(seen), 4)], "\n\t")))
	}
	return nil
}

func memory(s *story, args []string) error {
	n, err := s.srv.Memory()
	if err != nil {
		return s.unseen(err)
	}
	if args[0] == "remember" {
		s.memory = n
		return nil
	}
	if len(args) != 2 {
		return errors.New("usage: memory remember, or memory grew-at-most N")
	}
	most, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	if grew := (n - s.memory) >> 20; grew > most {
		return s.why(fmt.Sprintf("The server has grown by %d MiB of memory; at most %d were expected.", grew, most))
	}
	return nil
}

// And for the rest.

func copySource(ts *testscript.TestScript, neg bool, args []string) {
	do("copy-source FOLDER", func(s *story, args []string) error {
		dir := ts.MkAbs(args[0])
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		files, err := os.ReadDir(s.program.Folder)
		if err != nil {
			return err
		}
		for _, f := range files {
			if f.IsDir() || strings.HasSuffix(f.Name(), "_test.go") {
				continue
			}
			data, err := os.ReadFile(filepath.Join(s.program.Folder, f.Name()))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, f.Name()), data, 0o666); err != nil {
				return err
			}
		}
		return nil
	})(ts, neg, args)
}

func replace(ts *testscript.TestScript, neg bool, args []string) {
	do("replace FILE OLD NEW", func(s *story, args []string) error {
		text := ts.ReadFile(args[0])
		if n := strings.Count(text, args[1]); n != 1 {
			return s.why(fmt.Sprintf("%s has %q %d times, not once.", args[0], args[1], n))
		}
		before, _, _ := strings.Cut(text, args[1])
		ts.Setenv("LINE", strconv.Itoa(1+strings.Count(before, "\n")))
		return os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o666)
	})(ts, neg, args)
}

func use(ts *testscript.TestScript, neg bool, args []string) {
	do("use FOLDER", func(s *story, args []string) error {
		program, err := server.Open(ts.MkAbs(args[0]))
		if err != nil {
			return s.why(err.Error())
		}
		s.program = program
		s.close = func() { program.Close() }
		return nil
	})(ts, neg, args)
}

// runsWith has the compiler look at the server's source as if FILE, which is the
// script's own, were one of its files, and runs the program that it makes. FILE says
// in an init function what is to be done, and ends the program.
func runsWith(ts *testscript.TestScript, neg bool, args []string) {
	do("runs-with FILE", func(s *story, args []string) error {
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
			filepath.Join(s.program.Folder, args[0]): ts.MkAbs(args[0]),
		}})
		if err != nil {
			return err
		}
		file, binary := ts.MkAbs("overlay.json"), ts.MkAbs("program")
		if err := os.WriteFile(file, overlay, 0o666); err != nil {
			return err
		}
		build := exec.Command("go", "build", "-overlay", file, "-o", binary, ".")
		build.Dir = s.program.Folder
		if out, err := build.CombinedOutput(); err != nil {
			return s.why(fmt.Sprintf("The server's source does not compile together with\n\n%s\nThe compiler says:\n%s", ts.ReadFile(args[0]), out))
		}
		status, output, err := server.Command(binary).Run()
		if err != nil {
			return s.why(fmt.Sprintf("The server's source, together with\n\n%s\ndoes not make a program that ends.", ts.ReadFile(args[0])))
		}
		fmt.Fprint(ts.Stdout(), output)
		if status != 0 {
			return s.why(fmt.Sprintf("The server's source, together with\n\n%s\nmakes a program that ends with status %d and prints\n%s", ts.ReadFile(args[0]), status, output))
		}
		return nil
	})(ts, neg, args)
}

// goCommand runs the go command with this process's environment, because that
// of a script lacks what it needs (HOME, GOCACHE and more).
func goCommand(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("go", args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if (err != nil) != neg {
		ts.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
}
