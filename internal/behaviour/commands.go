package behaviour

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/visitor"
	"github.com/rogpeppe/go-internal/testscript"
)

// Commands are what the scripts add to testscript's own commands.
// testdata/README.md explains each, and what it proves.
var Commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// The server.
	"limit-files": command("limit-files N", limitFiles),
	"start":       setsAddr(command("start [FLAG...]", (*story).start)),
	"start-fails": command("start-fails STATUS FLAGS PATTERN...", startFails),
	"signal":      command("signal INT|TERM|QUIT", signal),
	"exits":       command("exits STATUS", exits),
	"log":         command("log [at-most] [N] TEXT", log),

	// Visitors.
	"connect":        command("connect NAME", connect),
	"visit":          command("visit NAME [METHOD] PATH", visit),
	"send":           command("send NAME PIECE...", send),
	"keep-sending":   command("keep-sending NAME PIECE", keepSending),
	"close-write":    command("close-write NAME", closeWrite),
	"close":          command("close NAME", hangUp((*visitor.Visitor).Close)),
	"reset":          command("reset NAME", hangUp((*visitor.Visitor).Reset)),
	"cannot-connect": command("cannot-connect [HOST]", cannotConnect),

	// What they see.
	"answer":      command("answer NAME STATUS [TEXT]", answer),
	"dropped":     command("dropped NAME", dropped),
	"closed":      command("closed NAME [already]", closed),
	"waits":       command("waits [NAME...]", waits),
	"in-progress": command("in-progress NAME", inProgress),
	"overtakes":   command("overtakes QUICK SLOW", overtakes),
	"in-order":    command("in-order NAME NAME...", inOrder),
	"take-turns":  command("take-turns NAME...", takeTurns),
	"overlap":     command("overlap NAME", overlap),

	// What the system and the Go runtime say of the server.
	"remember":  command("remember", remember),
	"count":     command("count WHAT at-least|at-most N", count),
	"dump":      command("dump", dump),
	"goroutine": command("goroutine 1|another|some STATE [FUNC]", goroutineIs),

	// And for the rest.
	"hint":      command("hint PAGE QUESTION [IN-GO]", hint),
	"edit":      edit,
	"runs-with": runsWith, // FILE PATTERN...
}

func hint(s *story, args []string) error {
	s.page, s.question, s.inGo = args[0], args[1], ""
	if len(args) == 3 {
		s.inGo = args[2]
	}
	return nil
}

// The server.

// limitFiles sets the limit for the servers that are started after it, or, if one is
// running, for that one. There +0 is as many files as it has open.
func limitFiles(s *story, args []string) (err error) {
	running := s.srv != nil && !s.ended
	if s.files, err = strconv.Atoi(args[0]); err != nil || !running {
		return err
	}
	if args[0] == "+0" {
		return s.srv.LimitFiles(-1)
	}
	return s.srv.LimitFiles(s.files)
}

// setsAddr has $ADDR be the server's address after a command.
func setsAddr(run func(*testscript.TestScript, bool, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		run(ts, neg, args)
		ts.Setenv("ADDR", ts.Value(storyKey{}).(*story).srv.Addr)
	}
}

func startFails(s *story, args []string) error {
	flags := strings.Fields(args[1])
	status, output, err := s.program.Run(s.options(flags))
	if err != nil {
		return err
	}
	if strconv.Itoa(status) != args[0] {
		return s.fail("With %s the server exits with status %d, not %s.", args[1], status, args[0])
	}
	return printed("With "+args[1]+" the server", output, args[2:])
}

// printed sees to it that a program's output has what all of the patterns, regular
// expressions, match in upper or lower case.
func printed(who, output string, patterns []string) error {
	for _, pattern := range patterns {
		re, err := regexp.Compile("(?im)" + pattern)
		if err != nil {
			return err
		}
		if !re.MatchString(output) {
			return fmt.Errorf("%s prints nothing that matches %q:%s", who, pattern, quote(output))
		}
	}
	return nil
}

func signal(s *story, args []string) error {
	sig, ok := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "QUIT": syscall.SIGQUIT}[args[0]]
	if !ok {
		return fmt.Errorf("no signal %s: there are INT, TERM and QUIT", args[0])
	}
	s.stopping = true
	if err := s.srv.Signal(sig); err != nil {
		return s.fail("The server cannot be sent SIG%s: %v.", args[0], err)
	}
	return nil
}

// exits compares the status with Go's words for it: "exit status 2" is 2, and
// "signal: interrupt" is interrupt.
func exits(s *story, args []string) error {
	idle := s.idle()
	if !s.stage && s.somebodySilent() {
		idle += 5 * time.Second // which that of net/http gives them
	}
	state, err := s.srv.Wait(idle)
	if err != nil {
		return s.fail("The server does not end.")
	}
	s.ended = true
	got := strings.TrimPrefix(strings.TrimPrefix(state.String(), "exit status "), "signal: ")
	if got == "130" { // what some languages make of SIGINT, and what a shell says
		got = "interrupt"
	}
	if want := args[0]; got != want && (want != "early" || got == "0") {
		return s.fail("The server has ended, and its status is %q, not %q.", got, want)
	}
	return s.checkOutput()
}

func log(s *story, args []string) error {
	text := args[len(args)-1]
	switch {
	case len(args) == 1:
		if !s.await(func() bool { return strings.Contains(s.srv.Log(), text) }) {
			return s.fail("The server does not print %q.", text)
		}
		return nil
	case len(args) != 3 || args[0] != "at-most":
		return errors.New("usage: log TEXT, or log at-most N TEXT")
	}
	most, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if n := strings.Count(s.srv.Log(), text); n > most {
		return s.fail("The server printed %q %d times; at most %d were expected.", text, n, most)
	}
	return nil
}

// Visitors.

func connect(s *story, args []string) error {
	_, err := s.arrive(args[0])
	return err
}

func visit(s *story, args []string) error {
	method := "GET"
	if len(args) == 3 {
		method = args[1]
	}
	vs, err := s.arrive(args[0])
	for _, v := range vs {
		v.Send(visitor.Request(method, args[len(args)-1]))
	}
	return err
}

// send returns when all is sent, or the server takes no more.
func send(s *story, args []string) error {
	vs, err := s.group(args[0])
	if err != nil {
		return err
	}
	pieces, err := pieces(args[1:])
	if err != nil {
		return err
	}
	for _, v := range vs {
		v.Send(pieces...)
	}
	for _, v := range vs {
		s.await(v.Sent)
	}
	return nil
}

var repetition = regexp.MustCompile(`(?s)\{(.+?)\*(\d+)\}`)

// pieces makes of the arguments of a command what is to be sent.
func pieces(args []string) ([]string, error) {
	var pieces []string
	for _, arg := range args {
		text, err := strconv.Unquote(`"` + arg + `"`)
		if err != nil {
			return nil, fmt.Errorf("%q: escapes are those of a Go string, as in \\r\\n", arg)
		}
		pieces = append(pieces, repetition.ReplaceAllStringFunc(text, func(r string) string {
			m := repetition.FindStringSubmatch(r)
			n, _ := strconv.Atoi(m[2])
			return strings.Repeat(m[1], n)
		}))
	}
	return pieces, nil
}

func keepSending(s *story, args []string) error {
	queue, err := s.queue(args[0])
	if err != nil {
		return err
	}
	pieces, err := pieces(args[1:])
	if err != nil {
		return err
	}
	queue[0].Repeat(pieces[0], sendInterval) // until the script ends at the latest
	return nil
}

func closeWrite(s *story, args []string) error {
	vs, err := s.group(args[0])
	for _, v := range vs {
		v.CloseWrite()
	}
	return err
}

func hangUp(how func(*visitor.Visitor)) func(s *story, args []string) error {
	return func(s *story, args []string) error {
		_, err := s.group(args[0])
		s.part(args[0], how)
		return err
	}
}

func cannotConnect(s *story, args []string) error {
	// Once it is quiet, the server has done what it does on a signal.
	if err := s.settle(); err != nil && !s.srv.Exited() {
		return err
	}
	addr := s.srv.Addr
	if len(args) == 1 {
		_, port, _ := net.SplitHostPort(addr)
		addr = net.JoinHostPort(args[0], port)
	}
	// Who is refused is refused at once. Only a full queue of a listening socket keeps
	// them waiting.
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	switch {
	case err == nil:
		conn.Close()
		return s.fail("The server accepts visitors at %s, and should not.", addr)
	case !visitor.Refused(err):
		return s.fail("A newcomer should be refused, and is told %v.", err)
	}
	return nil
}

// What the system and the Go runtime say of the server.

// counters are what can be counted, each by what it asks of the server.
var counters = map[string]func(s *story) (int, error){
	"threads":     func(s *story) (int, error) { return s.srv.Threads() },
	"descriptors": func(s *story) (int, error) { return s.srv.Descriptors() },
	"zombies":     func(s *story) (int, error) { return s.srv.Zombies() },
	"MiB":         func(s *story) (int, error) { n, _, err := s.srv.Memory(); return int(n >> 20), err },
	// in MiB, whether there is memory behind it or not
	"address-space": func(s *story) (int, error) { _, n, err := s.srv.Memory(); return int(n >> 20), err },
	// that the last visitor's reply came in
	"segments": func(s *story) (int, error) {
		if s.latest == nil {
			return 0, nil
		}
		return s.latest.Segments()
	},
	"goroutines": func(s *story) (int, error) {
		n := 0
		for _, g := range Goroutines(s.srv.Log()) {
			if g.Own() {
				n++
			}
		}
		return n, nil
	},
}

func remember(s *story, args []string) error {
	if err := s.settle(); err != nil {
		return err
	}
	s.noted = map[string]int{}
	for _, what := range []string{"threads", "descriptors", "MiB", "address-space"} {
		n, err := counters[what](s)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return s.fail("The server cannot be looked at: %v.", err)
		}
		s.noted[what] = n
	}
	return nil
}

func count(s *story, args []string) error {
	what, atLeast := args[0], args[1] == "at-least"
	counter := counters[what]
	if counter == nil || !atLeast && args[1] != "at-most" {
		return errors.New("usage: count threads|descriptors|zombies|goroutines|MiB|address-space|segments at-least|at-most N")
	}
	limit, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	since := ""
	if strings.HasPrefix(args[2], "+") {
		limit += s.noted[what]
		since = fmt.Sprintf(" (there were %d before)", s.noted[what])
	}
	var n int
	holds := func() bool {
		n, err = counter(s)
		return err != nil || (n >= limit) == atLeast || n == limit
	}
	if !s.await(holds) {
		return s.fail("%s; %s %d were expected%s.", counted(what, n), strings.ReplaceAll(args[1], "-", " "), limit, since)
	}
	if err != nil {
		return s.fail("The server cannot be looked at: %v.", err)
	}
	return nil
}

// counted says how many there are.
func counted(what string, n int) string {
	switch what {
	case "zombies":
		return fmt.Sprintf("%d processes of the server's have ended, and it has not waited for them", n)
	case "segments":
		return fmt.Sprintf("The reply came in %d pieces", n)
	case "MiB":
		return fmt.Sprintf("The server holds %d MiB of memory", n)
	case "address-space":
		return fmt.Sprintf("The server has %d MiB of addresses", n)
	}
	return fmt.Sprintf("The server has %d %s", n, what)
}

func dump(s *story, args []string) error {
	if err := s.settle(); err != nil {
		return err
	}
	if err := signal(s, []string{"QUIT"}); err != nil {
		return err
	}
	if err := exits(s, []string{"2"}); err != nil {
		return err
	}
	for _, g := range Goroutines(s.srv.Log()) {
		if g.ID == "1" {
			s.goroutine1 = g.Where()
		}
	}
	return nil
}

func goroutineIs(s *story, args []string) error {
	who, states := args[0], strings.Split(strings.ReplaceAll(args[1], "_", " "), "|")
	function := ""
	if len(args) == 3 {
		function = args[2]
	}
	all := Goroutines(s.srv.Log())
	for _, g := range all {
		fits := who == "some" || g.Own() && (g.ID == "1") == (who == "1")
		if fits && (states[0] == "any" || slices.Contains(states, g.State)) && g.Runs(function) {
			return nil
		}
	}
	if function != "" {
		function = " in " + function
	}
	wanted := map[string]string{"1": "goroutine 1", "another": "another goroutine than 1", "some": "some goroutine"}[who]
	return s.wrongDump("Expected %s [%s]%s.", wanted, strings.Join(states, "] or ["), function)
}

// wrongDump is fail for what a dump does not show. The server has printed the dump.
func (s *story) wrongDump(format string, args ...any) error {
	return errors.New(fmt.Sprintf(format, args...) + "\n" + summary(Goroutines(s.srv.Log())))
}
