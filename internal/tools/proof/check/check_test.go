// Package check tests the command check: what it says of servers, and that it leaves
// nothing behind.
package check

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

const root = "../../../.."

// binaries is the folder of the programs that are tested.
var binaries string

func TestMain(m *testing.M) {
	beServer()
	flag.Parse()
	flag.Set("test.parallel", "8") // it mostly waits
	temp, err := os.MkdirTemp("", "check-test")
	if err != nil {
		panic(err)
	}
	binaries = temp
	for folder, pkg := range map[string]string{root: "./internal/cmd/check", root + "/internal/tools": "./lab"} {
		build := exec.Command("go", "build", "-o", temp, pkg)
		build.Dir = folder
		if out, err := build.CombinedOutput(); err != nil {
			panic(string(out))
		}
	}
	code := m.Run()
	os.RemoveAll(temp)
	os.Exit(code)
}

// nextPort is one that the system gives to nobody who asks for any port.
var nextPort atomic.Int32

func init() { nextPort.Store(int32(5000 + os.Getpid()%5000)) }

// A session is a run of check.
type session struct {
	*exec.Cmd
	output string // a file: both streams
	pids   string // a file: the processes of the servers
	temp   string // the folder for temporary files

	elsewhere string // an address where nobody listens
}

// check makes a session. In the arguments SERVERS stands for the program that is one of
// the servers, whose name follows.
func check(t *testing.T, args ...string) *session {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
	folder := t.TempDir()
	s := &session{exec.Command(filepath.Join(binaries, "check")), filepath.Join(folder, "output"), filepath.Join(folder, "pids"), t.TempDir(), elsewhere}
	for _, arg := range args {
		s.Args = append(s.Args, strings.NewReplacer("SERVERS", exe, "ELSEWHERE", elsewhere).Replace(arg))
	}
	s.Env = append(s.Environ(), "SERVERS="+exe, "PIDS="+s.pids, "TMPDIR="+s.temp, "ELSEWHERE="+elsewhere)
	return s
}

// start starts a session whose output is a file.
func (s *session) start(t *testing.T) {
	t.Helper()
	out, err := os.Create(s.output)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s.Stdout, s.Stderr = out, out
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// ended waits until the session has ended, and sees to what it has left behind.
func (s *session) ended(t *testing.T) (status int, out string) {
	t.Helper()
	if err := s.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	for field := range strings.FieldsSeq(read(s.pids)) {
		pid, _ := strconv.Atoi(field)
		if runtime.GOOS != "linux" && strings.Contains(strings.Join(s.Args, " "), "leaves-a-process") {
			continue
		}
		// A process that has been killed may not have been reaped yet.
		if !eventually(func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) }) {
			t.Errorf("process %d is left behind", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	var left []os.DirEntry
	if !eventually(func() bool { left, _ = os.ReadDir(s.temp); return len(left) == 0 }) {
		t.Errorf("%s is left behind in the folder for temporary files", left[0].Name())
	}
	return s.ProcessState.ExitCode(), read(s.output)
}

// read returns what is in a file, or "" if there is none.
func read(file string) string {
	content, _ := os.ReadFile(file)
	return string(content)
}

// eventually polls until cond holds, for up to a minute: what it waits for comes
// within a moment, on a machine that has a processor for it.
func eventually(cond func() bool) bool {
	for range 12000 {
		if cond() {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return cond()
}

func zombie(pid int) bool {
	return strings.Contains(read(fmt.Sprintf("/proc/%d/stat", pid)), ") Z ")
}

// These servers are right in what they are here for, and are told their place on the ladder
// whatever their manners are.
var places = []struct {
	server string
	status int // with -stage 3
	want   []string
}{
	{"no-manners", 1, []string{
		"has not reached stage 3: it is at stage 1, or 2: nobody can tell",
		"\nMake this hold first: many-at-once/slow-request, line ",
		`the lines of the head do not all end in \r\n; no Content-Type; no`,
	}},
	{"go-handle -addr {addr} -slow {slow} -patience {patience}", 0, []string{
		"is past stage 3: a wait holds no thread. What stage 4 asks: it stops in\ngood order.\n",
		"a silent visitor is dropped after a while                 yes\n",
		"\nMake this hold first: waiting-is-free/interrupted-while-idle, line ",
		"no Content-Type; no Connection: close.",
	}},
	{"keep-alive", 0, []string{
		"is past stage 3: a wait holds no thread. What stage 4 asks: it drops\n",
		"waiting for a visitor holds a thread                      no\n",
		"\nMake this hold first: waiting-is-free/silent-visitor-is-dropped, line ",
		`manners/reply: The reply to "GET / HTTP/1.1": no Connection: close; the connection stays open after it.`,
	}},
	{"event-loop", 1, []string{
		"it is between stages 1 and 3: silent visitors",
		"a slow request delays the next visitor                    yes\n" +
			"a silent visitor delays the next visitor                  no\n",
		"\nMake this hold first: many-at-once/slow-request, line ",
	}},
	{"reads-to-accept", 1, []string{
		"a slow request delays\nnobody, and a silent visitor delays everybody",
		"\nMake this hold first: many-at-once/silent-visitor, line ",
	}},
}

// flat returns a text as if it were one line.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestPlaces(t *testing.T) {
	for _, test := range places {
		t.Run(test.server, func(t *testing.T) {
			t.Parallel()
			s := check(t, "-stage", "3", "-server", "'SERVERS' "+test.server)
			s.start(t)
			status, out := s.ended(t)
			t.Log(out)
			if status != test.status {
				t.Errorf("exit status %d; want %d", status, test.status)
			}
			for _, want := range test.want {
				if !strings.Contains(flat(out), flat(want)) {
					t.Errorf("this is missing: %q", want)
				}
			}
			rows := 0
			for line := range strings.Lines(out) {
				rows += 1 + (len(line)-2)/80
			}
			if rows > 22 {
				t.Errorf("it has %d rows of 80 columns; want 22 at most", rows)
			}
		})
	}
}

// The server in Python is examined on its page, docs/your-own-server.md, by the book.
var examinations = []struct {
	name   string
	args   []string
	status int
	want   []string
}{
	{"no server", nil, 2,
		[]string{"which server?", "make check SERVER=./_mine"}},
	{"no such stage", []string{"-stage", "6", "-server", "x"}, 2,
		[]string{"there is no stage 6"}},
	{"go run", []string{"-server", "go run ./_mine"}, 2,
		[]string{"go run keeps the signals from the server. SERVER is the folder of a Go main package"}},
	{"no such folder", []string{"-server", "./no-such-server"}, 2,
		[]string{"There is no ./no-such-server. SERVER is the folder of a Go main package, or the command"}},
	{"no such command", []string{"-server", "no-such-server -v"}, 1,
		[]string{"no-such-server -v ended (exit status 127) before it listened", "not found"}},
	{"no such script", []string{"-stage", "3", "-tell", "pages/no-such"}, 2,
		[]string{`There is no script "pages/no-such"`}},
	{"a folder without a program", []string{"-server", "../../../../docs/examples"}, 2,
		[]string{"../../../../docs/examples has no Go files in it. SERVER is the folder of a Go main package"}},
	{"a package that is not a program", []string{"-server", "../../../visitor"}, 1,
		[]string{"not a main package"}},
	{"a file", []string{"-server", "../../../../docs/examples/server.py"}, 2,
		[]string{"server.py is a file that cannot be run. SERVER is", "or SERVER='python3 mine.py'."}},
	{"an address", []string{"-server", "http://127.0.0.1:7878"}, 2,
		[]string{"SERVER is what starts your server", "AT=127.0.0.1:7878"}},
	{"somewhere else", []string{"-server", "./mine", "-at", "192.0.2.1:80"}, 2,
		[]string{"AT=192.0.2.1:80 is not an address of this machine itself, as in AT=127.0.0.1:7878."}},
	{"an address without a server", []string{"-at", "127.0.0.1:7878"}, 2,
		[]string{"which server? SERVER names the folder or the command that starts it"}},

	{"a port in the source", []string{"-server", "'SERVERS' port-in-the-source"}, 1,
		[]string{`does not say "listening on http://HOST:PORT".`, "It listens on ELSEWHERE. If it does so whatever -addr says, try AT=ELSEWHERE."}},
	{"at another port", []string{"-server", "'SERVERS' port-in-the-source", "-at", "127.0.0.1:9"}, 1,
		[]string{"does not listen on 127.0.0.1:9.", "It listens on ELSEWHERE. If it does so", "try AT=ELSEWHERE."}},
	{"four at a time, at its own port", []string{"-server", "'SERVERS' four-at-its-own-port -slow 300ms", "-at", "ELSEWHERE"}, 0,
		[]string{`It does not print "listening on http://...": check tries ELSEWHERE until it answers.`, "GET /sleep takes 300ms.\n",
			" s  many-at-once/slow-request: yes\n", "left out: the patience of the server cannot be set\n",
			"Your server is between stages 1 and 3: it serves 4 at a time.",
			"\nMake this hold first: many-at-once/many-slow-requests, line ", " AT=ELSEWHERE TELL=many-at-once/many-slow-requests\n"}},
	{"no slow page", []string{"-server", "'SERVERS' port-in-the-source", "-at", "ELSEWHERE", "-slow-page", "/", "-tell", "one-at-a-time/silent-visitor"}, 0,
		[]string{"It has no slow page: GET / gets 200 after ", "say which: SLOW=/path.", "one-at-a-time/silent-visitor passed"}},
	{"no such flag", []string{"-server", "'SERVERS' no-such-flag"}, 1,
		[]string{"ended (exit status 2) before it listened. It printed:\n\tflag provided but not defined: -addr", "SERVER='python3 mine.py {port}'", "AT=127.0.0.1:7878"}},
	{"reads past the end", []string{"-server", "'SERVERS' reads-past-the-end"}, 0,
		[]string{"The server is never idle since its visitors have left.", "does the server go on reading?"}},
	{"crashes in Python", []string{"-server", "'SERVERS' crashes-in-python", "-v"}, 0,
		[]string{"it ends while it serves", "The server has ended (exit status 1).", "\tTraceback (most recent call last):\n\t  File \"mine.py\", line 7, in <module>\n\tKeyError: 'path'\n"}},

	{"prints nothing", []string{"-server", "'SERVERS' prints-nothing"}, 1,
		[]string{`with -addr 127.0.0.1:0 and does not say "listening on http://HOST:PORT".`, "It printed nothing.", "Is the line flushed?", "docs/your-own-server.md"}},
	{"exits", []string{"-server", "'SERVERS' exits"}, 1,
		[]string{"ended (exit status 3) before it listened. It printed:\n\tno configuration"}},
	{"does not listen", []string{"-server", "'SERVERS' does-not-listen"}, 1,
		[]string{"While one is running, a second one does not start: it says that it listens on the same port.", "AT=127.0.0.1:1."}},
	{"says port 0", []string{"-server", "'SERVERS' says-port-0"}, 1,
		[]string{"says that it is listening on 127.0.0.1:0. Port 0 asks for any free port"}},
	{"runs once", []string{"-server", "'SERVERS' runs-once"}, 1,
		[]string{"While one is running, a second one does not start: it says that it listens on the same port."}},
	{"listens elsewhere", []string{"-server", "'SERVERS' listens-elsewhere"}, 1,
		[]string{"While one is running, a second one does not start", "address already in use", "Does it listen where it is told to?"}},
	{"floods", []string{"-server", "'SERVERS' floods", "-v"}, 0,
		[]string{"it waits in the backlog. Some thread of the server is always busy.", "nobody has come yet\n"}},
	{"ignores signals", []string{"-server", "'SERVERS' ignores-signals"}, 0,
		[]string{"The server does not end when it is interrupted (SIGINT, which is what Ctrl-C sends).", "To see one: "}},
	{"dies halfway", []string{"-stage", "3", "-server", "'SERVERS' dies-halfway"}, 1,
		[]string{"Your server has not reached stage 3: it is not on the ladder yet: it ends while it serves.", "panic: no more"}},
	{"leaves a process", []string{"-server", "'SERVERS' leaves-a-process", "-tell", "one-at-a-time/slow-request"}, 0,
		[]string{"one-at-a-time/slow-request passed"}},
	{"half closes", []string{"-server", "'SERVERS' half-closes", "-tell", "waiting-is-free/interrupted-with-a-silent-visitor"}, 1,
		[]string{"The server has closed its own side of silent's connection, and does not end before", "Is the connection closed, or only its one half?"}},
	{"a process for each visitor", []string{"-server", "python3 testdata/fork.py {port} {slow-seconds}", "-tell", "thread-per-visitor/silent-visitors"}, 0,
		[]string{"thread-per-visitor/silent-visitors passed"}},
	{"answers in pieces", []string{"-server", "'SERVERS' in-pieces", "-tell", "manners/few-writes"}, 1,
		[]string{"testdata/manners/few-writes.txtar, line ", "The reply came in 3 pieces; at most 2 were expected."}},

	{"stage 3", []string{"-server", "../../../../stage3-spawned"}, 0,
		[]string{
			"Your server is at stage 3. What stage 4 asks: it waits without holding a thread; it",
			"\na slow request delays the next visitor                    no\n",
			"goroutine 1 is in Accept [syscall].\n",
			"\nMake this hold first: waiting-is-free/accept, line ",
			"\nManners: 17 of 17.\n",
		}},
	{"stage 4, by its number", []string{"-stage", "4", "-tell", "pages/home"}, 0,
		[]string{"\npages/home passed\n"}},
	{"stage 3 is no stage 4", []string{"-stage", "4", "-server", "../../../../stage3-spawned"}, 1,
		[]string{"Your server does not behave like stage 4, which waits without holding a\nthread.\n\ntestdata/waiting-is-free/accept.txtar, line ", "docs/stage4-nonblocking-accept.md"}},
	{"one story that holds", []string{"-server", "../../../../stage3-spawned", "-tell", "testdata/pages/home.txtar"}, 0,
		[]string{"> visit anna /\n", "\npages/home passed\n"}},
	{"one story that does not", []string{"-server", "../../../../stage3-spawned", "-tell", "waiting-is-free/accept"}, 1,
		[]string{"> dump\n", "\n\ntestdata/waiting-is-free/accept.txtar, line ", "Expected some goroutine [IO wait] in accept."}},
}

// starters are the servers to begin with, which START is the folder of, and what each needs to be
// built and run.
var starters = []struct {
	language, build, server string
}{
	{"go", "", "START/go"},
	{"python3", "", "python3 START/start.py {port} {slow-seconds}"},
	{"node", "", "node START/start.js {port} {slow-seconds}"},
	{"javac", "javac -d TEMP START/Start.java", "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp TEMP Start {port} {slow-seconds}"},
	{"rustc", "rustc -o TEMP/start START/start.rs", "TEMP/start {port} {slow-seconds}"},
	{"gcc", "gcc -Wall -Werror -o TEMP/start START/start.c", "TEMP/start {port} {slow-seconds}"},
}

// TestStarters runs the scripts of stage 1 that are not about Go, and those about manners, where
// the language is installed. With -short it runs none about manners.
func TestStarters(t *testing.T) {
	scripts := behaviour.Scripts("pages", "one-at-a-time", "manners")
	if testing.Short() {
		scripts = behaviour.Scripts("pages", "one-at-a-time")
	}
	for _, starter := range starters {
		if _, err := exec.LookPath(starter.language); err != nil {
			continue
		}
		t.Run(starter.language, func(t *testing.T) {
			t.Parallel()
			places := strings.NewReplacer("TEMP", t.TempDir(), "START", root+"/docs/examples/start")
			if argv := strings.Fields(places.Replace(starter.build)); len(argv) > 0 {
				build := exec.Command(argv[0], argv[1:]...)
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", argv, err, out)
				}
			}
			program, err := server.Open(places.Replace(starter.server), server.Build{})
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()
			runner := &behaviour.Runner{Root: root, Program: program, Deadline: behaviour.Deadline(t)}
			for _, r := range behaviour.Failures(runner.Run(t.Context(), scripts, 2, nil)) {
				t.Error(r)
			}
		})
	}
}

// TestCheck examines other servers. With -short it leaves out the one that is examined one script
// at a time.
func TestCheck(t *testing.T) {
	for _, test := range examinations {
		if testing.Short() && test.name == "four at a time, at its own port" {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := check(t, test.args...)
			s.start(t)
			status, out := s.ended(t)
			t.Log(out)
			if status != test.status {
				t.Errorf("exit status %d; want %d", status, test.status)
			}
			for _, want := range test.want {
				want = strings.ReplaceAll(want, "ELSEWHERE", s.elsewhere)
				if !strings.Contains(flat(out), flat(want)) {
					t.Errorf("this is missing: %q", want)
				}
			}
		})
	}
}

// TestInterrupted interrupts check at several moments.
func TestInterrupted(t *testing.T) {
	started := func(n int) func(s *session) bool {
		return func(s *session) bool { return strings.Count(read(s.pids), "\n") >= n }
	}
	building := func(s *session) bool {
		begun, _ := filepath.Glob(filepath.Join(s.temp, "check*", "server*"))
		return len(begun) > 0
	}
	for _, test := range []struct {
		name  string
		args  []string
		ready func(s *session) bool
	}{
		{"while it builds", []string{"-server", "../../../../stage3-spawned"}, building},
		{"as the first server starts", []string{"-server", "'SERVERS' leaves-a-process"}, started(1)},
		{"amid the stories", []string{"-server", "'SERVERS' leaves-a-process"}, started(12)},
		{"amid one story", []string{"-server", "'SERVERS' leaves-a-process", "-tell", "one-at-a-time/slow-request"}, started(8)},
		{"watching while it builds", []string{"-watch", "-stage", "3"}, building},
		{"watching amid the stories", []string{"-watch", "-server", "'SERVERS' leaves-a-process"}, started(12)},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(test.name+", "+sig.String(), func(t *testing.T) {
				t.Parallel()
				s := check(t, test.args...)
				s.start(t)
				if !eventually(func() bool { return test.ready(s) }) {
					t.Error("check does not get so far")
				}
				s.Process.Signal(sig)
				status, out := s.ended(t)
				if status != 130 || strings.Contains(out, "Your server") || !strings.Contains(out, "check: interrupted; all servers have been ended") {
					t.Errorf("exit status %d, and it printed\n%s\nwant 130, and that it was interrupted", status, out)
				}
			})
		}
	}
}

// TestKilled kills check, the lab and a test of the stages, or the go command that runs one.
func TestKilled(t *testing.T) {
	test := filepath.Join(t.TempDir(), "stage3.test")
	if out, err := exec.Command("go", "test", "-c", "-o", test, "../../../../stage3-spawned").CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	for _, tt := range []struct {
		name string
		argv []string
	}{
		{"check", []string{filepath.Join(binaries, "check"), "-server", "'SERVERS' leaves-a-process"}},
		{"lab", []string{filepath.Join(binaries, "lab"), "-addr", "127.0.0.1:0", "-server", "'SERVERS' leaves-a-process"}},
		{"a test", []string{test, "-test.count=1"}},
		{"the parent of a test", []string{"sh", "-c", "'" + test + "'; true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := check(t, tt.argv[1:]...)
			s.Path, s.Dir = tt.argv[0], root
			if strings.Contains(tt.name, "test") {
				s.Dir = filepath.Join(root, "stage3-spawned")
			}
			s.Path, _ = exec.LookPath(s.Path)
			s.start(t)
			begun := func() bool {
				folders, _ := filepath.Glob(filepath.Join(s.temp, "*", "*"))
				return len(folders) > 0 && (strings.Contains(tt.name, "test") || read(s.pids) != "")
			}
			if !eventually(begun) {
				t.Errorf("it starts no server, and prints\n%s", read(s.output))
			}
			s.Process.Kill()
			if _, out := s.ended(t); strings.Contains(out, "PASS") {
				t.Errorf("it goes on, and prints\n%s", out)
			}
		})
	}
}
