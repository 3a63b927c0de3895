package behaviour

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// A story is what a script has going on: one server at a time, its visitors.
type story struct {
	program  *server.Program
	files    int // the limit on open files for the next server
	hint     string
	close    func() // removes what program was built into, if the script built it
	srv      *server.Server
	args     []string      // that it was started with
	stopped  bool          // the script has seen to the server's end
	slow     time.Duration // how long GET /sleep takes
	patience time.Duration // how long a visitor may be silent, if the script has said so
	visitors map[string][]*visitor
	fds      int   // what descriptors remembers
	memory   int64 // what memory remembers, in bytes
}

type storyKey struct{}

func newStory(program *server.Program) *story {
	return &story{program: program, visitors: map[string][]*visitor{}, close: func() {}}
}

// end cleans up at the end of the script, however it ended.
func (s *story) end() {
	for _, vs := range s.visitors {
		for _, v := range vs {
			v.leave()
		}
	}
	if s.srv != nil {
		s.srv.Kill()
	}
	s.close()
}

// group returns the visitors of a name.
func (s *story) group(name string) ([]*visitor, error) {
	vs := s.visitors[name]
	if vs == nil {
		return nil, fmt.Errorf("there is no visitor called %q: connect or visit comes first", name)
	}
	return vs, nil
}

// one returns the visitor of a name that only one of them has.
func (s *story) one(name string) (*visitor, error) {
	vs, err := s.group(name)
	if err != nil {
		return nil, err
	}
	if len(vs) != 1 {
		return nil, fmt.Errorf("there are %d visitors called %q; this wants one", len(vs), name)
	}
	return vs[0], nil
}

// queue returns the visitors of the names, each of which only one of them has.
func (s *story) queue(names []string) ([]*visitor, error) {
	var queue []*visitor
	for _, name := range names {
		v, err := s.one(name)
		if err != nil {
			return nil, err
		}
		queue = append(queue, v)
	}
	return queue, nil
}

// arrive connects a visitor, or as many as a name such as silent*200 says.
func (s *story) arrive(name string) ([]*visitor, error) {
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
	for range n {
		v, err := connect(name, s.srv.Addr)
		if err != nil {
			seen := fmt.Sprintf("%s cannot connect: %v.", name, err)
			if errors.Is(err, syscall.ECONNREFUSED) && !s.srv.Exited() {
				seen += " Does the server say that it is listening before it is?"
			}
			return nil, s.why(seen)
		}
		s.visitors[name] = append(s.visitors[name], v)
	}
	return s.visitors[name], nil
}

// why makes an error of what was seen. It adds what the server said if it has
// ended, and the script's hint at the cause.
func (s *story) why(seen string) error {
	if s.srv != nil && s.srv.Flooded() && !s.srv.Exited() {
		seen += "\nThe server has printed more than a megabyte." + s.srv.Quote()
	}
	// A server that dies drops its visitors first, and has ended a moment later.
	for i := 0; i < 40 && s.srv != nil && !s.srv.Exited(); i++ {
		time.Sleep(5 * time.Millisecond)
	}
	if s.srv != nil && s.srv.Exited() && !s.stopped {
		state, _ := s.srv.Wait()
		seen += fmt.Sprintf("\nThe server has ended (%v).%s", state, s.srv.Quote())
	}
	switch {
	case s.hint == "":
	case s.program.Go:
		seen += "\n" + s.hint
	default:
		seen += "\nIn the workbook's stages, which are written in Go, the question would be: " + s.hint
	}
	return errors.New(seen)
}

// eventually polls until cond holds. It gives up when cond has had every chance
// to hold, which is sooner if the server has ended: nothing can come then but
// what it has left at the sockets.
func (s *story) eventually(cond func() bool) bool {
	held, after := false, 0
	s.srv.Eventually(func() bool {
		if held = cond(); !held && s.srv.Exited() {
			after++
		}
		return held || after > 50
	})
	return held
}

// comes polls until cond holds, as eventually does, and gives up as soon as the
// server has no intention to do anything more by itself.
func (s *story) comes(cond func() bool) bool {
	idle, held := s.idle(), false
	s.eventually(func() bool {
		held = cond()
		return held || idle()
	})
	return held || cond()
}

// idle returns a condition that holds once the server has been asleep for longer
// than any slow request, or silent visitor, or lack of descriptors can keep it
// asleep.
func (s *story) idle() func() bool { return s.srv.Sleeps(s.polls()) }

// polls is how many polls that takes.
func (s *story) polls() int {
	const poll = 5 * time.Millisecond // or longer, on a busy machine
	const enough = 5 * time.Second    // nobody waits for longer
	longest := 1500 * time.Millisecond
	if s.patience < enough {
		longest += s.patience
	}
	if s.files > 0 {
		longest += 3 * time.Second // to back off in
	}
	for _, vs := range s.visitors {
		for _, v := range vs {
			if s.slow < enough && v.asksFor("/sleep") {
				longest += s.slow // they may have to take turns
			}
		}
	}
	return int(longest / poll)
}

// rests returns a condition that holds once the server has been asleep for n
// polls in a row: it has done what it can do, and waits. Where the system does not
// tell, it holds after as many polls as a server at work would need.
func (s *story) rests(n int) func() bool {
	if _, err := s.srv.Asleep(); !errors.Is(err, errors.ErrUnsupported) {
		return s.srv.Sleeps(n)
	}
	polls := 0
	return func() bool {
		polls++
		return polls >= max(n, 60)
	}
}

// rest waits until the server is at rest. It gives up when the server has used
// more processor time than any of this can take, however busy the machine is.
func (s *story) rest() error {
	most := 2 * time.Second
	for _, vs := range s.visitors {
		most += time.Duration(len(vs)) * 50 * time.Millisecond // for a process each
	}
	rests, held := s.rests(5), false
	before, _ := s.srv.CPU()
	s.eventually(func() bool {
		used, _ := s.srv.CPU()
		held = rests()
		return held || used > before+most
	})
	switch {
	case s.srv.Exited():
		return s.why("The server should be running still.")
	case !held:
		return s.why("The server is never at rest: some thread of it is always busy.")
	}
	return nil
}

// do is what every command is made of: it refuses a "!", prints the usage when
// the arguments are not as many as it says, and fails with what f reports.
func do(usage string, f func(s *story, args []string) error) func(*testscript.TestScript, bool, []string) {
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
		case "start", "exits", "limit-files", "hint", "runs-with", "copy-source", "replace", "use":
		default:
			if s.srv == nil {
				ts.Fatalf("no server is running: start comes first")
			}
		}
		if err := f(s, args); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}
