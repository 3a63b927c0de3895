package check

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is the servers that check is tried on, if its first argument
// says so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if serve := hostile[os.Args[1]]; serve != nil {
			flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
			addr := flags.String("addr", "127.0.0.1:7878", "")
			slow := flags.Duration("slow", time.Second, "")
			flags.Parse(os.Args[2:])
			rememberPID(os.Getpid())
			serve(*addr, *slow)
			return
		}
	}
	flag.Parse()
	flag.Set("test.parallel", "8") // it mostly waits
	temp, err := os.MkdirTemp("", "check-test")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(temp, "check")
	build := exec.Command("go", "build", "-o", binary, "./internal/cmd/check")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(temp)
	os.Exit(code)
}

const root = "../../.."

// binary is the check that is tested.
var binary string

// hostile are servers that cannot be examined, or not to the end.
var hostile = map[string]func(addr string, slow time.Duration){
	"prints-nothing": func(addr string, slow time.Duration) {
		l := listen(addr)
		for {
			answer(l, slow)
		}
	},
	"exits": func(string, time.Duration) {
		fmt.Println("no configuration")
		os.Exit(3)
	},
	"does-not-listen": func(string, time.Duration) {
		fmt.Println("listening on http://127.0.0.1:1")
		time.Sleep(time.Hour)
	},
	"says-port-0": func(addr string, slow time.Duration) {
		l := listen(addr)
		fmt.Printf("listening on http://%s\n", addr)
		for {
			answer(l, slow)
		}
	},
	"listens-elsewhere": func(_ string, slow time.Duration) {
		l := listen(os.Getenv("ELSEWHERE"))
		fmt.Printf("listening on http://%s\n", l.Addr())
		for {
			answer(l, slow)
		}
	},
	"floods": func(addr string, slow time.Duration) {
		l := listen(addr)
		fmt.Printf("listening on http://%s\n", l.Addr())
		for {
			fmt.Println("nobody has come yet")
		}
	},
	"is-never-idle": func(addr string, slow time.Duration) {
		l := listen(addr)
		fmt.Printf("listening on http://%s\n", l.Addr())
		for n := 0; ; n++ {
		}
	},
	"ignores-signals": func(addr string, slow time.Duration) {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
		l := listen(addr)
		fmt.Printf("listening on http://%s\n", l.Addr())
		for {
			answer(l, slow)
		}
	},
	"dies-halfway": func(addr string, slow time.Duration) {
		l := listen(addr)
		fmt.Printf("listening on http://%s\n", l.Addr())
		for range 2 {
			answer(l, slow)
		}
		panic("no more")
	},
	"lines-end-in-lf": func(addr string, slow time.Duration) {
		l := listen(addr)
		fmt.Printf("listening on http://%s\n", l.Addr())
		for {
			replyWith(l, slow, strings.ReplaceAll(reply, "\r\n", "\n"))
		}
	},
	"in-pieces": func(addr string, slow time.Duration) {
		l := listen(addr)
		fmt.Printf("listening on http://%s\n", l.Addr())
		for {
			replyWith(l, slow, reply[:10], reply[10:20], reply[20:])
		}
	},
	"leaves-a-process": func(addr string, slow time.Duration) {
		l := listen(addr)
		child := exec.Command("sleep", "1000")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		rememberPID(child.Process.Pid)
		fmt.Printf("listening on http://%s\n", l.Addr())
		for {
			answer(l, slow)
		}
	},
}

func listen(addr string) net.Listener {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return l
}

const reply = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\nHello!"

func answer(l net.Listener, slow time.Duration) { replyWith(l, slow, reply) }

// replyWith answers one visitor with the pieces, each in a write of its own.
func replyWith(l net.Listener, slow time.Duration, pieces ...string) {
	conn, err := l.Accept()
	if err != nil {
		time.Sleep(time.Second) // no file descriptor is left
		return
	}
	defer conn.Close()
	buf := make([]byte, 4096)
	if n, _ := conn.Read(buf); bytes.HasPrefix(buf[:n], []byte("GET /sleep ")) {
		time.Sleep(slow)
	}
	for _, piece := range pieces {
		io.WriteString(conn, piece)
	}
}

// rememberPID adds to the file that $PIDS names.
func rememberPID(pid int) {
	f, err := os.OpenFile(os.Getenv("PIDS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, pid)
}

// An output can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// A session is a run of check.
type session struct {
	*exec.Cmd
	out  output // both streams
	pids string
	temp string
}

// check runs check with the arguments, of which HOSTILE NAME is made the command
// line of that hostile server.
func check(t *testing.T, args ...string) *session {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, arg := range args {
		if name, ok := strings.CutPrefix(arg, "HOSTILE "); ok {
			args[i] = "'" + exe + "' " + name
		}
	}
	s := &session{Cmd: exec.Command(binary, args...), pids: filepath.Join(t.TempDir(), "pids"), temp: t.TempDir()}
	free := listen("127.0.0.1:0")
	elsewhere := free.Addr().String()
	free.Close()
	s.Env = append(s.Environ(), "PIDS="+s.pids, "TMPDIR="+s.temp, "ELSEWHERE="+elsewhere)
	s.Stdout, s.Stderr = &s.out, &s.out
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return s
}

// ended waits until the session has ended, and sees to what it has left behind.
func (s *session) ended(t *testing.T) (status int, out string) {
	t.Helper()
	if err := s.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	pids, _ := os.ReadFile(s.pids)
	for pid := range strings.FieldsSeq(string(pids)) {
		var n int
		fmt.Sscan(pid, &n)
		if runtime.GOOS != "linux" && strings.Contains(strings.Join(s.Args, " "), "leaves-a-process") {
			continue
		}
		// A process that has been killed may not have been reaped yet.
		if !eventually(func() bool { return syscall.Kill(n, 0) != nil || zombie(n) }) {
			t.Errorf("process %d is left behind", n)
			syscall.Kill(n, syscall.SIGKILL)
		}
	}
	if left, _ := os.ReadDir(s.temp); len(left) > 0 {
		t.Errorf("%s is left behind in the folder for temporary files", left[0].Name())
	}
	return s.ProcessState.ExitCode(), s.out.String()
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
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return bytes.Contains(stat, []byte(") Z "))
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
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
			[]string{"name the folder instead"}},
		{"no such folder", []string{"-server", "./no-such-server"}, 1,
			[]string{"There is no ./no-such-server here"}},
		{"no such command", []string{"-server", "no-such-server -v"}, 1,
			[]string{"no-such-server -v ended (exit status 127) before it listened", "not found"}},
		{"no such story", []string{"-stage", "3", "-tell", "pages/no-such"}, 1,
			[]string{`There is no story "pages/no-such"`}},
		{"a folder without a program", []string{"-server", "../../../docs/examples"}, 1,
			[]string{"../../../docs/examples does not build:\n\tno Go files", "name the command that starts it"}},

		{"prints nothing", []string{"-server", "HOSTILE prints-nothing"}, 1,
			[]string{`with -addr 127.0.0.1:0 and does not say "listening on http://HOST:PORT".`, "It printed nothing.", "Is the line flushed?", "docs/your-own-server.md"}},
		{"exits", []string{"-server", "HOSTILE exits"}, 1,
			[]string{"ended (exit status 3) before it listened. It printed:\n\tno configuration"}},
		{"does not listen", []string{"-server", "HOSTILE does-not-listen"}, 1,
			[]string{"It says that it is listening on http://127.0.0.1:1, and nobody can connect: "}},
		{"says port 0", []string{"-server", "HOSTILE says-port-0"}, 1,
			[]string{"says that it is listening on 127.0.0.1:0. Port 0 asks for any free port"}},
		{"listens elsewhere", []string{"-server", "HOSTILE listens-elsewhere"}, 1,
			[]string{"While one is running, a second one does not start", "address already in use", "Does it listen where -addr says?"}},
		{"floods", []string{"-server", "HOSTILE floods"}, 1,
			[]string{"It prints without end", "nobody has come yet\n", "more than a megabyte"}},
		{"is never idle", []string{"-server", "HOSTILE is-never-idle"}, 1,
			[]string{"It is never idle, even without a visitor"}},
		{"ignores signals", []string{"-server", "HOSTILE ignores-signals"}, 1,
			[]string{"It does not end when it is interrupted (SIGINT, which is what Ctrl-C sends). It has been killed."}},
		{"dies halfway", []string{"-stage", "3", "-server", "HOSTILE dies-halfway"}, 1,
			[]string{"Your server is like no stage yet:", "The server should be running still.", "panic: no more"}},
		{"leaves a process", []string{"-stage", "3", "-server", "HOSTILE leaves-a-process"}, 1,
			[]string{"Your server does not behave like stage 3: "}},
		{"lines end in LF", []string{"-server", "HOSTILE lines-end-in-lf"}, 0,
			[]string{"pages                    no\n\nYour server is like no stage yet:\n\ntestdata/pages/home.txtar, line 5:\n", `do not all end in \r\n`}},
		{"answers in pieces", []string{"-server", "HOSTILE in-pieces", "-tell", "pages/few-writes"}, 1,
			[]string{"testdata/pages/few-writes.txtar, line ", "The reply came in 3 pieces; at most 2 were expected."}},

		{"stage 3", []string{"-server", "../../../stage3-spawned"}, 0,
			[]string{
				"pages                    yes\none at a time            no\nmany at once             yes\n",
				"\nwhere is goroutine 1     in Accept [syscall], as in stage 3\n",
				"Your server behaves like stage 3. What stage 4 adds: waiting for a visitor holds no thread. See docs/stage4-nonblocking-accept.md\n",
			}},
		{"stage 4, by its number", []string{"-stage", "4"}, 0,
			[]string{"stage4-nonblocking-accept behaves like stage 4.\n"}},
		{"stage 3 is no stage 4", []string{"-stage", "4", "-server", "../../../stage3-spawned"}, 1,
			[]string{"Your server does not behave like stage 4: ", "The first that does not:\n\ntestdata/waiting-is-free/accept.txtar, line ", "See docs/stage4-nonblocking-accept.md"}},
		{"stage 2 is no stage 1", []string{"-stage", "1", "-server", "../../../stage2-sequential-async"}, 1,
			[]string{"testdata/goroutine-1-serves/slow-request.txtar, line ", "See docs/stage1-blocking.md"}},
		{"one story that holds", []string{"-server", "../../../stage3-spawned", "-tell", "testdata/pages/home.txtar"}, 0,
			[]string{"> visit anna /\n> answer anna 200 Hello!\n", "\npages/home passed\n"}},
		{"one story that does not", []string{"-server", "../../../stage3-spawned", "-tell", "waiting-is-free/accept"}, 1,
			[]string{"> dump\n", "\n\ntestdata/waiting-is-free/accept.txtar, line ", "Expected some goroutine [IO wait] in accept."}},
		// The one in Python is examined on its page, docs/your-own-server.md, by the book.
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := check(t, test.args...)
			began := time.Now()
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			status, out := s.ended(t)
			t.Logf("after %v:\n%s", time.Since(began).Round(time.Millisecond), out)
			if status != test.status {
				t.Errorf("exit status %d; want %d", status, test.status)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("this is missing: %q", want)
				}
			}
		})
	}
}

// TestInterrupted interrupts check at several moments.
func TestInterrupted(t *testing.T) {
	servers := func(n int) func(s *session) bool {
		return func(s *session) bool {
			pids, _ := os.ReadFile(s.pids)
			return bytes.Count(pids, []byte("\n")) >= n
		}
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
		{"while it builds", []string{"-server", "../../../stage3-spawned"}, building},
		{"as the first server starts", []string{"-server", "HOSTILE leaves-a-process"}, servers(1)},
		{"amid the stories", []string{"-server", "HOSTILE leaves-a-process"}, servers(12)},
		{"amid one story", []string{"-server", "HOSTILE leaves-a-process", "-tell", "one-at-a-time/slow-request"}, servers(8)},
		{"watching while it builds", []string{"-watch"}, building},
		{"watching amid the stories", []string{"-watch", "-server", "HOSTILE leaves-a-process"}, servers(12)},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(test.name+", "+sig.String(), func(t *testing.T) {
				t.Parallel()
				s := check(t, slices.Clone(test.args)...)
				if err := s.Start(); err != nil {
					t.Fatal(err)
				}
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
