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
	"slices"
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

func TestMain(m *testing.M) {
	beServer()
	flag.Parse()
	flag.Set("test.parallel", "8") // it mostly waits
	temp, err := os.MkdirTemp("", "check-test")
	if err != nil {
		panic(err)
	}
	os.Setenv("PATH", temp+":"+os.Getenv("PATH"))
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

// A session is a run of check, or of the lab or a test.
type session struct {
	*exec.Cmd
	output string // a file: both streams
	pids   string // a file: the processes of the servers
	temp   string // the folder for temporary files

	elsewhere string // an address where nobody listens
}

// newSession makes a session of check, or of another program. In the arguments SERVERS stands for the
// program that is one of the servers, whose name follows.
func newSession(t *testing.T, program string, args ...string) *session {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
	folder := t.TempDir()
	s := &session{exec.Command(program), filepath.Join(folder, "output"), filepath.Join(folder, "pids"), t.TempDir(), elsewhere}
	for _, arg := range args {
		s.Args = append(s.Args, strings.NewReplacer("SERVERS", "'"+exe+"'", "ELSEWHERE", elsewhere).Replace(arg))
	}
	s.Env = append(s.Environ(), "SERVERS="+exe, "PIDS="+s.pids, "TMPDIR="+s.temp, "ELSEWHERE="+elsewhere)
	return s
}

// check makes a session of check.
func check(t *testing.T, args ...string) *session { return newSession(t, "check", args...) }

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
	var pids []int
	for field := range strings.FieldsSeq(read(s.pids)) {
		pid, _ := strconv.Atoi(field)
		pids = append(pids, pid)
	}
	// A process that has been killed may not have been reaped yet.
	if !eventually(func() bool {
		pids = slices.DeleteFunc(pids, func(pid int) bool { return syscall.Kill(pid, 0) != nil || zombie(pid) })
		return len(pids) == 0
	}) {
		t.Errorf("processes are left behind: %d", pids)
		for _, pid := range pids {
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

// flat returns a text as if it were one line.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

const stage3 = "../../../../stage3-spawned"

// examinations are runs of check, with parts of what it prints, in their order. The pages have
// sessions with more.
var examinations = []struct {
	server, flags string
	status        int
	want          []string
}{
	{"", "", 2, []string{"which server?", "make check SERVER=./_mine"}},
	{"", "-at 127.0.0.1:7878", 2, []string{"which server? SERVER names the folder or the command that starts it"}},
	{"x", "-stage 6", 2, []string{"there is no stage 6"}},
	{"go run ./_mine", "", 2, []string{"go run keeps the signals from the server. SERVER is the folder of a Go main package"}},
	{"./no-such-server", "", 2, []string{"There is no ./no-such-server. SERVER is the folder of a Go main package, or the command"}},
	{"no-such-server -v", "", 1, []string{"no-such-server -v ended (exit status 127) before it listened", "not found"}},
	{"", "-stage 3 -tell pages/no-such", 2, []string{`There is no script "pages/no-such"`}},
	{"../../../../docs/examples", "", 2, []string{"docs/examples has no Go files in it. SERVER is the folder of a Go main package"}},
	{"../../../visitor", "", 1, []string{"not a main package"}},
	{"../../../../docs/examples/server.py", "", 2,
		[]string{"server.py is a file that cannot be run. SERVER is", "or SERVER='python3 mine.py'."}},
	{"http://127.0.0.1:7878", "", 2, []string{"SERVER is what starts your server", "AT=127.0.0.1:7878"}},
	{"./mine", "-at 192.0.2.1:80", 2,
		[]string{"AT=192.0.2.1:80 is not an address of this machine itself, as in AT=127.0.0.1:7878."}},

	{"SERVERS port-in-the-source", "", 1,
		[]string{`does not say "listening on http://HOST:PORT".`, "It listens on ELSEWHERE. If it does so whatever -addr says, try AT=ELSEWHERE."}},
	{"SERVERS port-in-the-source", "-at 127.0.0.1:9", 1,
		[]string{"does not listen on 127.0.0.1:9.", "It listens on ELSEWHERE. If it does so", "try AT=ELSEWHERE."}},
	{"SERVERS four-at-its-own-port -slow 300ms", "-at ELSEWHERE", 0,
		[]string{`It does not print "listening on http://...": check tries ELSEWHERE until it answers.`, "GET /sleep takes 300ms.",
			"s many-at-once/slow-request: yes", "left out: the patience of the server cannot be set",
			"Your server is between stages 1 and 3: it serves 4 at a time.",
			"Make this hold first: many-at-once/many-slow-requests, line ", " AT=ELSEWHERE TELL=many-at-once/many-slow-requests"}},
	{"SERVERS port-in-the-source", "-at ELSEWHERE -slow-page / -tell one-at-a-time/silent-visitor", 0,
		[]string{"It has no slow page: GET / gets 200 after ", "say which: SLOW=/path.", "one-at-a-time/silent-visitor passed"}},
	{"SERVERS no-such-flag", "", 1,
		[]string{"ended (exit status 2) before it listened. It printed: flag provided but not defined: -addr", "SERVER='python3 mine.py {port}'", "AT=127.0.0.1:7878"}},
	{"SERVERS prints-nothing", "", 1,
		[]string{`with -addr 127.0.0.1:0 and does not say "listening on http://HOST:PORT".`, "It printed nothing.", "Is the line flushed?", "docs/your-own-server.md"}},
	{"SERVERS does-not-listen", "", 1,
		[]string{"While one is running, a second one does not start: it says that it listens on the same port.", "AT=127.0.0.1:1."}},
	{"SERVERS says-port-0", "", 1, []string{"says that it is listening on 127.0.0.1:0. Port 0 asks for any free port"}},
	{"SERVERS listens-elsewhere", "", 1,
		[]string{"While one is running, a second one does not start", "address already in use", "Does it listen where it is told to?"}},
	{"SERVERS floods", "-v", 0,
		[]string{"it waits in the backlog. Some thread of the server is always busy.", "nobody has come yet"}},
	{"SERVERS ignores-signals", "", 0,
		[]string{"The server does not end when it is interrupted (SIGINT, which is what Ctrl-C sends).", "To see one: "}},
	{"SERVERS crashes-in-python", "-v -stage 3", 1,
		[]string{"Your server has not reached stage 3: it is not on the ladder yet: it ends while it serves.",
			"The server has ended (exit status 1).", `Traceback (most recent call last): File "mine.py", line 7, in <module> KeyError: 'path'`}},
	{"SERVERS leaves-a-process", "-tell one-at-a-time/slow-request", 0, []string{"one-at-a-time/slow-request passed"}},
	{"python3 testdata/fork.py {port} {slow-seconds}", "-tell thread-per-visitor/silent-visitors", 0,
		[]string{"thread-per-visitor/silent-visitors passed"}},

	{"", "-stage 4 -tell pages/home", 0, []string{"pages/home passed"}},
	{stage3, "-stage 4", 1,
		[]string{"Your server does not behave like stage 4, which waits without holding a thread. testdata/waiting-is-free/accept.txtar, line ", "docs/stage4-nonblocking-accept.md"}},
	{stage3, "-tell testdata/waiting-is-free/accept.txtar", 1,
		[]string{"> dump", "testdata/waiting-is-free/accept.txtar, line ", "Expected some goroutine [IO wait] in accept."}},

	// These are right in what they are here for, and have a place on the ladder whatever their manners are.
	{"SERVERS no-manners", "-stage 3", 1,
		[]string{"has not reached stage 3: it is at stage 1, or 2: nobody can tell", "Make this hold first: many-at-once/slow-request, line ",
			`the lines of the head do not all end in \r\n; no Content-Type; no`}},
	{"SERVERS go-handle -addr {addr} -slow {slow} -patience {patience}", "-stage 3", 0,
		[]string{"is past stage 3: a wait holds no thread. What stage 4 asks: it stops in good order.", "a silent visitor is dropped after a while yes",
			"Make this hold first: waiting-is-free/interrupted-while-idle, line ", "no Content-Type; no Connection: close."}},
	{"SERVERS keep-alive", "-stage 3", 0,
		[]string{"is past stage 3: a wait holds no thread. What stage 4 asks: it drops", "waiting for a visitor holds a thread no",
			"Make this hold first: waiting-is-free/silent-visitor-is-dropped, line ",
			`manners/reply: The reply to "GET / HTTP/1.1": no Connection: close; the connection stays open after it.`}},
	{"SERVERS event-loop", "-stage 3", 1,
		[]string{"it is between stages 1 and 3: silent visitors", "a slow request delays the next visitor yes a silent visitor delays the next visitor no",
			"Make this hold first: many-at-once/slow-request, line "}},
}

// TestCheck examines servers. With -short it leaves out the one that is examined one script at a time.
func TestCheck(t *testing.T) {
	for _, test := range examinations {
		if testing.Short() && strings.Contains(test.server, "four-at-its-own-port") {
			continue
		}
		t.Run(strings.TrimSpace(test.server+" "+test.flags), func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(test.flags)
			if test.server != "" {
				args = append(args, "-server", test.server)
			}
			s := check(t, args...)
			s.start(t)
			status, out := s.ended(t)
			t.Log(out)
			if status != test.status {
				t.Errorf("exit status %d; want %d", status, test.status)
			}
			rest := flat(out)
			for _, want := range test.want {
				want = strings.ReplaceAll(want, "ELSEWHERE", s.elsewhere)
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Errorf("this is missing: %q", want)
				}
				rest = after
			}
			rows := 0
			for line := range strings.Lines(out) {
				rows += 1 + (len(line)-2)/80
			}
			if test.flags == "-stage 3" && rows > 22 {
				t.Errorf("it has %d rows of 80 columns; want 22 at most", rows)
			}
		})
	}
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

// TestInterrupted ends check, the lab and a test of a stage, or the go command that runs one, while
// servers are built and run. Nothing is left behind.
func TestInterrupted(t *testing.T) {
	test := filepath.Join(t.TempDir(), "stage3.test")
	if out, err := exec.Command("go", "test", "-c", "-o", test, stage3).CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	started := func(n int) func(s *session) bool {
		return func(s *session) bool { return strings.Count(read(s.pids), "\n") >= n }
	}
	building := func(s *session) bool {
		begun, _ := filepath.Glob(filepath.Join(s.temp, "*", "*"))
		return len(begun) > 0
	}
	const family = "SERVERS leaves-a-process"
	for _, tt := range []struct {
		name  string
		sig   syscall.Signal
		ready func(s *session) bool
		argv  []string
	}{
		{"while it builds", syscall.SIGINT, building, []string{"check", "-server", stage3}},
		{"amid the scripts", syscall.SIGINT, started(12), []string{"check", "-server", family}},
		{"amid the scripts, SIGTERM", syscall.SIGTERM, started(4), []string{"check", "-server", family}},
		{"amid one script", syscall.SIGINT, started(8), []string{"check", "-server", family, "-tell", "one-at-a-time/slow-request"}},
		{"watching while it builds", syscall.SIGINT, building, []string{"check", "-watch", "-stage", "3"}},
		{"watching amid the scripts", syscall.SIGTERM, started(12), []string{"check", "-watch", "-server", family}},
		{"check is killed", syscall.SIGKILL, started(4), []string{"check", "-server", family}},
		{"the lab is killed", syscall.SIGKILL, started(2), []string{"lab", "-addr", "127.0.0.1:0", "-server", family}},
		{"a test is killed", syscall.SIGKILL, building, []string{test, "-test.count=1"}},
		{"the parent of a test is killed", syscall.SIGKILL, building, []string{"/bin/sh", "-c", "'" + test + "'; true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, tt.argv[0], tt.argv[1:]...)
			if filepath.IsAbs(tt.argv[0]) {
				s.Dir = stage3
			}
			s.start(t)
			if !eventually(func() bool { return tt.ready(s) }) {
				t.Errorf("it does not get so far, and prints\n%s", read(s.output))
			}
			s.Process.Signal(tt.sig)
			status, out := s.ended(t)
			switch {
			case strings.Contains(out, "PASS") || strings.Contains(out, "Your server"):
				t.Errorf("it goes on, and prints\n%s", out)
			case tt.sig != syscall.SIGKILL && (status != 130 || !strings.Contains(out, "check: interrupted; all servers have been ended")):
				t.Errorf("exit status %d, and it printed\n%s\nwant 130, and that it was interrupted", status, out)
			}
		})
	}
}
