package behaviour

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
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
	"example.com/concurrent-web-server/internal/visitor"
	"github.com/rogpeppe/go-internal/testscript"
)

// usages are the commands of the scripts beside testscript's own. testdata/README.md explains each,
// and what it proves. A command that fails ends the run, as testscript's own do.
var usages = map[string]func(r *run, args []string){
	// The server.
	"limit-files N":                limitFiles,
	"start [FLAG...]":              start,
	"start-fails FLAGS PATTERN...": startFails,
	"signal INT|TERM|STOP|CONT":    signal,
	"exits STATUS":                 exits,
	"log TEXT at-least|at-most N":  log,

	// Visitors.
	"connect NAME":             connect,
	"visit NAME [METHOD] PATH": visit,
	"send NAME PIECE...":       send,
	"close-write NAME":         closeWrite,
	"close NAME":               closeConn,
	"reset NAME":               reset,
	"cannot-connect [HOST]":    cannotConnect,

	// What they see.
	"answer NAME STATUS [TEXT]": answer,
	"well-formed NAME...":       wellFormed,
	"dropped NAME [PIECE]":      dropped,
	"closed NAME [already]":     closed,
	"waits [NAME...]":           waits,
	"stays NAME":                stays,
	"in-progress NAME":          inProgress,
	"overtakes QUICK SLOW":      overtakes,
	"in-order NAME NAME...":     inOrder,
	"take-turns NAME...":        takeTurns,
	"overlap NAME":              overlap,

	// What the system and the Go runtime say of the server.
	"remember":                              remember,
	"count WHAT at-least|at-most N":         count,
	"rests":                                 rests,
	"dump":                                  dump,
	"goroutine 1|another|some STATE [FUNC]": goroutineIs,

	// And for the rest.
	"hint PAGE QUESTION [IN-GO]": hint,
	"overlay FILE":               overlay,
	"vet PATTERN [FLAG...]":      vet,
}

// beforeStart are the commands that need no server.
var beforeStart = []string{"limit-files", "start", "start-fails", "hint", "overlay", "vet"}

// commands returns the commands for testscript. Each refuses a "!", and prints its usage if it has
// too few or too many arguments.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]func(*testscript.TestScript, bool, []string){}
	for usage, command := range usages {
		words := strings.Fields(usage)
		name, minArgs, maxArgs := words[0], 0, len(words)-1
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "[") {
				minArgs++
			}
			if strings.Contains(w, "...") {
				maxArgs = math.MaxInt
			}
		}
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			r := ts.Value(runKey{}).(*run)
			r.ts = ts
			switch {
			case neg:
				ts.Fatalf("%s cannot be negated: say what is seen instead", name)
			case len(args) < minArgs || len(args) > maxArgs:
				ts.Fatalf("usage: %s", usage)
			case r.srv == nil && !slices.Contains(beforeStart, name):
				ts.Fatalf("no server is running: start comes first")
			}
			command(r, args)
		}
	}
	return all
}

func hint(r *run, args []string) {
	page := args[0]
	if page == "own" {
		page = "docs/your-own-server.md"
		if i := slices.IndexFunc(Stages, func(stage Stage) bool { return stage.Folder == filepath.Base(r.program.Folder) }); i >= 0 {
			page = Stages[i].Page()
		}
	}
	r.Hint = args[1]
	if len(args) == 3 && r.program.Go && (r.strict || !r.manners) { // only the stages have the functions that it names
		r.Hint += " " + args[2]
	}
	r.Hint += " See " + page
}

// overlay builds the later servers from the source together with FILE, a file of the script, which
// replaces the source's file of the same name, if there is one.
func overlay(r *run, args []string) {
	file := r.ts.MkAbs(args[0])
	r.replace = map[string]string{filepath.Join(r.program.Folder, filepath.Base(file)): file}
	program, err := server.Open(r.program.Folder, server.Build{Replace: r.replace})
	if build := (*server.BuildError)(nil); errors.As(err, &build) {
		r.ts.Fatalf("The server's source does not compile with %s:%s", args[0], quote(build.Output))
	}
	r.ts.Check(err)
	r.ts.Defer(func() { program.Close() })
	r.program = program
}

// vet runs go vet on the server's source, with the flags. Its output has to match the pattern. It runs
// the tool on this package alone, with a configuration that golang.org/x/tools/go/analysis/unitchecker
// describes: the go command would first analyze the standard library, which takes half a minute of
// processor time.
func vet(r *run, args []string) {
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir = r.program.Folder
		return cmd
	}
	list, err := command("go", "list", "-export", "-deps", "-json=ImportPath,Export,GoFiles", ".").Output()
	r.ts.Check(err)
	var unit struct {
		ImportPath, Export        string
		GoFiles                   []string
		Compiler, VetxOutput      string
		ImportMap, PackageFile    map[string]string
		SucceedOnTypecheckFailure bool
	}
	imports, exports := map[string]string{}, map[string]string{}
	for packages := json.NewDecoder(bytes.NewReader(list)); packages.More(); { // the server's is the last one
		unit.GoFiles = nil
		r.ts.Check(packages.Decode(&unit))
		imports[unit.ImportPath], exports[unit.ImportPath] = unit.ImportPath, unit.Export
	}
	for i, file := range unit.GoFiles {
		unit.GoFiles[i] = cmp.Or(r.replace[filepath.Join(r.program.Folder, file)], file)
	}
	config := filepath.Join(r.ts.Getenv("WORK"), "vet.cfg")
	unit.Compiler, unit.VetxOutput, unit.SucceedOnTypecheckFailure = "gc", config+".out", true
	unit.ImportMap, unit.PackageFile = imports, exports
	data, err := json.Marshal(unit)
	r.ts.Check(err)
	r.ts.Check(os.WriteFile(config, data, 0o666))
	tool, err := command("go", "tool", "-n", "vet").Output()
	r.ts.Check(err)
	said, _ := command(strings.TrimSpace(string(tool)), append(args[1:], config)...).CombinedOutput()
	if text := strings.TrimSpace(string(said)); !regexp.MustCompile(args[0]).MatchString(text) {
		r.ts.Fatalf("go vet says:%s", quote(cmp.Or(text, "nothing")))
	}
}

// The server.

// number parses an argument of a command.
func (r *run) number(arg string) int {
	n, err := strconv.Atoi(arg)
	r.ts.Check(err)
	return n
}

// limitFiles sets the limit on open files of the running server, if there is one, and of later ones.
// For a running server +0 means as many files as it has open.
func limitFiles(r *run, args []string) {
	r.files = r.number(args[0])
	if r.srv == nil || r.ended {
		return
	}
	limit := r.files
	if args[0] == "+0" {
		limit = -1
	}
	if err := r.srv.LimitFiles(limit); err != nil {
		r.fatalf("The server's limit on open files cannot be set: %v.", err)
	}
}

// startFails starts the server with the flags, and fails unless it ends instead of listening. Each
// pattern, a regular expression, has to match its status or its output.
func startFails(r *run, args []string) {
	srv, err := r.program.Start(r.options(strings.Fields(args[0])))
	if err == nil {
		srv.Kill()
		r.ts.Fatalf("With %s the server listens, and should end.", args[0])
	}
	for _, pattern := range args[1:] {
		if !regexp.MustCompile("(?s)" + pattern).MatchString(err.Error()) {
			r.ts.Fatalf("Started with %q, nothing matches %q.\n%v", args[0], pattern, err)
		}
	}
}

func signal(r *run, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "QUIT": syscall.SIGQUIT,
		"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	sig, ok := signals[args[0]]
	if !ok {
		r.ts.Fatalf("no signal %s: there are INT, TERM, STOP and CONT", args[0])
	}
	if args[0] == "INT" || args[0] == "TERM" {
		r.stopping, r.stopped = true, time.Now()
	}
	if err := r.srv.Signal(sig); err != nil {
		r.fatalf("The server cannot be sent SIG%s: %v.", args[0], err)
	}
}

// exits compares the status with Go's words for it: "exit status 2" is 2, and
// "signal: interrupt" is interrupt.
func exits(r *run, args []string) {
	quiet := r.giveUpAfter()
	silent := func(v *visitor.Visitor) bool { return v.Said() == "" && !v.Ended() }
	if !r.strict && slices.ContainsFunc(r.visitors, silent) {
		quiet += 6 * time.Second // the server of net/http gives them five, counted in whole seconds
	}
	state, err := r.srv.Wait(quiet)
	if err != nil {
		r.checkHalfClosed()
		r.fatalf("The server does not end.%s", r.whereabouts())
	}
	r.ended = true
	got := strings.TrimPrefix(strings.TrimPrefix(state.String(), "exit status "), "signal: ")
	if got == "130" { // SIGINT in some languages, and in a shell
		got = "interrupt"
	}
	if want := args[0]; got != want && (want != "early" || got == "0") {
		r.fatalf("The server has ended, and its status is %q, not %q.", got, want)
	}
	r.ts.Check(r.checkOutput())
}

// checkHalfClosed ends the run if the server waits for visitors to close connections of which it has
// closed its own side only: it ends when they do.
func (r *run) checkHalfClosed() {
	ended := slices.DeleteFunc(slices.Clone(r.visitors), func(v *visitor.Visitor) bool { return !v.Ended() })
	r.disconnect(ended, (*visitor.Visitor).Close)
	if len(ended) > 0 && r.srv.Await(server.GiveUpAfter, r.srv.Exited) {
		r.ended = true
		r.Hint = "Is the connection closed, or only its one half? (In Node that is destroy, or end.) See docs/your-own-server.md"
		r.fatalf("The server has closed its own side of %s's connection, and does not end before the visitor closes the other.", ended[0].Name)
	}
}

// log waits until the text has been printed often enough. With at-most it waits long enough for a
// server that prints the text again and again.
func log(r *run, args []string) {
	if text, limit := args[0], r.number(args[2]); args[1] == "at-most" {
		tooMany := func() bool { return strings.Count(r.srv.Log(), text) > limit }
		if r.srv.Await(server.GiveUpAfter, tooMany) {
			r.fatalf("The server printed %q more than %d times.", text, limit)
		}
		return
	}
	r.compare(counter{
		fmt.Sprintf("The server printed %q %%d times", args[0]),
		func(r *run) (int, error) { return strings.Count(r.srv.Log(), args[0]), nil },
	}, 0, args[1:])
}

// Visitors.

// dial connects a visitor, or 200 with a name such as silent*200. As soon as they are connected they
// send the request, unless it is empty.
func (r *run) dial(name, request string) []*visitor.Visitor {
	name, times, many := strings.Cut(name, "*")
	n := 1
	if many {
		n = r.number(times)
	}
	if slices.ContainsFunc(r.visitors, func(v *visitor.Visitor) bool { return v.Name == name }) {
		r.ts.Fatalf("there is a visitor called %q already", name)
	}
	r.srv.Expect(n)
	together := 1
	if n > 1 {
		together = r.together()
	}
	if r.strict && n > together && together < maxTogether {
		r.Hint = "" // no page has anything to do with it
		r.fatalf("%d visitors come at once, and have to wait to be accepted in a queue.%s", n, r.roomInQueue())
	}
	for i := range n {
		v := visitor.Connect(name, r.srv.Addr, nil)
		if !r.manners {
			v.LeaveWhenAnswered()
		}
		if request != "" {
			v.Send(request)
		}
		r.visitors = append(r.visitors, v)
		if (i+1)%together == 0 && i+1 < n {
			r.awaitAccepted(r.visitors[len(r.visitors)-together:])
		}
	}
	group := r.named(name)
	for _, v := range group {
		r.awaitConnected(v)
	}
	return group
}

// awaitAccepted waits until the server has accepted the visitors, or accepts no more of them.
func (r *run) awaitAccepted(vs []*visitor.Visitor) {
	quiet := server.SettleTime
	if !r.program.Sees("requests") && vs[0].Said() != "" {
		quiet = server.GiveUpAfter // answers show that they were accepted
	}
	r.srv.Await(quiet, func() bool {
		for ; len(vs) > 0; vs = vs[1:] {
			accepted := vs[0].Answered()
			if conn := vs[0].Conn(); conn != nil && !accepted {
				accepted, _ = r.srv.HasAccepted(conn)
			}
			if !accepted {
				return false
			}
		}
		return true
	})
}

func (r *run) awaitConnected(v *visitor.Visitor) {
	var over bool
	var err error
	// If the queue of connections is full, the system tries again after a second, and after two
	// more.
	r.srv.Await(server.GiveUpAfter+3*time.Second, func() bool { over, err = v.Connected(); return over })
	ended := err != nil && r.srv.Await(server.SettleTime, r.srv.Exited)
	switch {
	case !over:
		r.Stuck = true
		r.fatalf("%s cannot connect: the queue of those whom the server has not accepted is full.%s", v.Name, r.roomInQueue())
	case lacking(err):
		r.lackf("%s cannot connect: %v. That is this machine's limit, and says nothing of the server.", v.Name, err)
	case errors.Is(err, syscall.ECONNREFUSED) && !ended && slices.ContainsFunc(r.visitors, (*visitor.Visitor).Answered):
		r.fatalf("%s is refused: nobody listens on %s any more. Is the listening socket closed?", v.Name, r.srv.Addr)
	case errors.Is(err, syscall.ECONNREFUSED) && !ended:
		r.Hint = "" // no page has anything to do with it
		r.fatalf("%s is refused: nobody listens on %s. "+
			"Is that the address that the server got, and does it print it only once it listens?", v.Name, r.srv.Addr)
	case err != nil:
		r.fatalf("%s cannot connect: %v.", v.Name, err)
	}
}

func connect(r *run, args []string) { r.dial(args[0], "") }

func visit(r *run, args []string) {
	method, path := "GET", args[len(args)-1]
	if len(args) == 3 {
		method = args[1]
	}
	if path == "/sleep" {
		path = r.slowPage()
	}
	r.awaitSent(r.dial(args[0], visitor.Request(method, path)))
}

// send returns when all is sent, or the server takes no more.
func send(r *run, args []string) {
	vs := r.named(args[0])
	for _, arg := range args[1:] {
		for _, text := range r.pieces(arg) {
			for _, v := range vs {
				v.Send(text)
			}
		}
	}
	r.awaitSent(vs)
}

// awaitSent waits until the visitors have sent everything, or the server takes no more.
func (r *run) awaitSent(vs []*visitor.Visitor) {
	for _, v := range vs {
		r.await(v.Sent)
	}
}

var repetition = regexp.MustCompile(`(?s)\{(.+?)\*(\d+)\}`)

// pieces returns the text of an argument, in which {a*3000} stands for 3,000 times a. A text that is
// only a repetition may have millions of bytes: it is returned in pieces of up to 64 KiB.
func (r *run) pieces(arg string) []string {
	text, err := strconv.Unquote(`"` + arg + `"`)
	if err != nil {
		r.ts.Fatalf("%q: escapes are those of a Go string, as in \\r\\n", arg)
	}
	if m := repetition.FindStringSubmatch(text); m != nil && m[0] == text {
		n, perWrite := r.number(m[2]), max(1, 64<<10/len(m[1]))
		return append(slices.Repeat([]string{strings.Repeat(m[1], perWrite)}, n/perWrite), strings.Repeat(m[1], n%perWrite))
	}
	return []string{repetition.ReplaceAllStringFunc(text, func(repeated string) string {
		m := repetition.FindStringSubmatch(repeated)
		return strings.Repeat(m[1], r.number(m[2]))
	})}
}

func closeWrite(r *run, args []string) {
	for _, v := range r.named(args[0]) {
		v.CloseWrite()
	}
}

func closeConn(r *run, args []string) { r.disconnect(r.named(args[0]), (*visitor.Visitor).Close) }

func reset(r *run, args []string) { r.disconnect(r.named(args[0]), (*visitor.Visitor).Reset) }

func cannotConnect(r *run, args []string) {
	quiet := server.SettleTime
	if !r.program.Sees("processor") {
		quiet *= 10 // the thread that gets the signal may not have run yet
	}
	r.srv.AwaitQuiet(quiet) // then it has handled the signal
	addr := r.srv.Addr
	if len(args) == 1 {
		_, port, _ := net.SplitHostPort(addr)
		addr = net.JoinHostPort(args[0], port)
	}
	// A refusal comes at once; the full queue of a listening socket takes time.
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	switch {
	case err == nil:
		conn.Close()
		r.fatalf("The server accepts visitors at %s, and should not.", addr)
	case !errors.Is(err, syscall.ECONNREFUSED):
		r.fatalf("A newcomer should be refused, and is told %v.", err)
	}
}

// What the system and the Go runtime say of the server.

// A counter counts something of the server.
type counter struct {
	text  string // a sentence with %d for the number
	count func(r *run) (int, error)
}

var counters = map[string]counter{
	"threads":     {"The server has %d threads", func(r *run) (int, error) { return r.srv.Count(server.Threads) }},
	"descriptors": {"The server has %d descriptors", func(r *run) (int, error) { return r.srv.Count(server.Descriptors) }},
	"zombies": {"%d processes of the server's have ended, and it has not waited for them",
		func(r *run) (int, error) { return r.srv.Count(server.Zombies) }},
	"memory": {"The server holds %d MiB of memory",
		func(r *run) (int, error) { n, err := r.srv.Count(server.Memory); return n >> 20, err }},
	"address-space": {"The server has %d MiB of addresses", // with memory behind them or without
		func(r *run) (int, error) { n, err := r.srv.Count(server.Addresses); return n >> 20, err }},
	"goroutines": {"The server has %d goroutines", func(r *run) (int, error) {
		if !strings.Contains(r.srv.Log(), "\ngoroutine ") {
			return 0, errors.New("it has printed no dump")
		}
		others := func(g Goroutine) bool { return !g.Own() }
		return len(slices.DeleteFunc(Goroutines(r.srv.Log()), others)), nil
	}},
	"segments": {"The reply came in %d pieces", func(r *run) (int, error) {
		if len(r.visitors) == 0 || visitor.Segments == nil {
			return 0, errors.New("there is no visitor, or segments cannot be counted here")
		}
		return visitor.Segments(r.visitors[len(r.visitors)-1])
	}},
}

func remember(r *run, args []string) {
	r.ts.Check(r.settle())
	r.noted = map[string]int{}
	for what, c := range counters {
		r.noted[what], _ = c.count(r) // count reports the error
	}
}

func count(r *run, args []string) {
	c, ok := counters[args[0]]
	if !ok {
		r.ts.Fatalf("usage: count threads|descriptors|zombies|goroutines|memory|address-space|segments at-least|at-most N")
	}
	if r.noted == nil && strings.HasPrefix(args[2], "+") {
		r.ts.Fatalf("%s is more than there were at remember, which comes first", args[2])
	}
	r.compare(c, r.noted[args[0]], args[1:])
}

// compare waits until the count is at least, or at most, the number in bound, where +N means N more
// than before.
func (r *run) compare(c counter, before int, bound []string) {
	limit, atLeast, since := r.number(bound[1]), bound[0] == "at-least", ""
	if !atLeast && bound[0] != "at-most" {
		r.ts.Fatalf("%q should be at-least or at-most", bound[0])
	}
	if strings.HasPrefix(bound[1], "+") {
		limit += before
		since = fmt.Sprintf(" (there were %d before)", before)
	}
	var n int
	var err error
	holds := r.await(func() bool {
		n, err = c.count(r)
		return err != nil || n == limit || (n > limit) == atLeast
	})
	if err != nil {
		r.fatalf("The server cannot be looked at: %v.", err)
	}
	if !holds {
		r.fatalf("%s; %s %d were expected%s.", strings.Replace(c.text, "%d", strconv.Itoa(n), 1),
			strings.ReplaceAll(bound[0], "-", " "), limit, since)
	}
}

// maxShareAtRest is the share of a processor that a server may use while it has nothing to do. A
// server that polls every millisecond uses several hundredths.
const maxShareAtRest = 0.01

// rests measures the processor time that a quiet server uses during GiveUpAfter.
func rests(r *run, args []string) {
	r.ts.Check(r.settle())
	before, err := r.srv.CPU()
	r.ts.Check(err)
	began := time.Now()
	r.srv.AwaitQuiet(server.GiveUpAfter)
	after, err := r.srv.CPU()
	r.ts.Check(err)
	if share := float64(after-before) / float64(time.Since(began)); share > maxShareAtRest {
		r.fatalf("The server has nothing to do, and uses %.1f %% of a processor: it looks again and again.%s",
			100*share, r.whereabouts())
	}
}

func dump(r *run, args []string) {
	r.ts.Check(r.settle())
	signal(r, []string{"QUIT"})
	exits(r, []string{"2"})
	for _, g := range Goroutines(r.srv.Log()) {
		if g.ID == "1" {
			r.Goroutine1 = g.Where()
		}
	}
}

func goroutineIs(r *run, args []string) {
	who, function := args[0], ""
	states := strings.Split(strings.ReplaceAll(args[1], "_", " "), "|")
	if len(args) == 3 {
		function = args[2]
	}
	all := Goroutines(r.srv.Log())
	for _, g := range all {
		fits := who == "some" || g.Own() && (g.ID == "1") == (who == "1")
		if fits && (states[0] == "any" || slices.Contains(states, g.State)) && g.Runs(function) {
			return
		}
	}
	if function != "" {
		function = " in " + function
	}
	wanted := map[string]string{"1": "goroutine 1", "another": "another goroutine than 1", "some": "some goroutine"}[who]
	r.ts.Fatalf("Expected %s [%s]%s.\n%s", wanted, strings.Join(states, "] or ["), function, Summary(all))
}
