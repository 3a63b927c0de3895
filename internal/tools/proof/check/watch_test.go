package check

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// TestWatch saves a broken file into a copy of a stage, and then the right one. Into a
// file, which here is a pipe, watch appends plain text.
func TestWatch(t *testing.T) {
	t.Parallel()
	const stage = "../../../../stage3-spawned"
	folder := filepath.Join(t.TempDir(), "mine")
	if err := os.CopyFS(folder, os.DirFS(stage)); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(folder, "main_test.go"))
	write(t, filepath.Join(folder, "go.mod"), "module example.com/mine\n\ngo 1.25\n")
	main := filepath.Join(folder, "main.go")
	right := read(main)
	write(t, main, strings.Replace(right, "go handleConnection(", "go handelConnection(", 1))

	s := check(t, "-watch", "-stage", "3", "-server", folder)
	s.start(t)
	s.prints(t, "undefined: handelConnection\n")
	write(t, main, right)
	s.prints(t, "Your server is at stage 3")
	s.Process.Signal(syscall.SIGINT)
	status, out := s.ended(t)
	if n := strings.Count(out, "handelConnection"); n != 1 {
		t.Errorf("what the compiler says is printed %d times; want 1", n)
	}
	if n := strings.Count(out, folder+" at "); n != 2 {
		t.Errorf("it was examined %d times; want 2, once for each file that was saved", n)
	}
	if status != 130 || strings.ContainsAny(out, "\x1b\r") {
		t.Errorf("exit status %d, and it printed\n%q\nwant 130, and plain text", status, out)
	}
}

// TestWatchOnTerminal saves a file that the command line of a server names. The screen is
// drawn anew, and Ctrl-C is pressed there.
func TestWatchOnTerminal(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "server.sh")
	become := func(name string) { write(t, script, `exec "$SERVERS" `+name+` "$@"`) }
	become("exits")

	s := check(t, "-watch", "-server", "sh "+script)
	s.Env = append(s.Env, "TERM=xterm")
	terminal, err := pty.StartWithSize(s.Cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	out, err := os.Create(s.output)
	if err != nil {
		t.Fatal(err)
	}
	copied := make(chan bool)
	go func() {
		io.Copy(out, terminal)
		out.Close()
		close(copied)
	}()
	s.prints(t, "watching; Ctrl-C ends it")
	become("no-manners")
	s.prints(t, "(?s)Your server is at stage 1.*watching; Ctrl-C ends it")
	io.WriteString(terminal, "\x03")
	status, _ := s.ended(t)
	<-copied
	screens := strings.Split(read(s.output), "\x1b[H\x1b[2J")
	last := screens[len(screens)-1]
	if status != 130 || strings.Contains(last, "no configuration") ||
		!strings.Contains(last, "Your server is at stage 1") || !strings.Contains(last, "check: interrupted") {
		t.Errorf("exit status %d, and the last screen is\n%s\nwant 130, and the last verdict alone", status, last)
	}
	if !strings.Contains(screens[len(screens)-2], "no configuration") {
		t.Errorf("the screens are %q; want one with the first verdict before", screens)
	}
}

// prints waits until the session has printed what the pattern matches.
func (s *session) prints(t *testing.T, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	if !eventually(func() bool { return re.MatchString(read(s.output)) }) {
		t.Errorf("it does not print %s, but\n%s", pattern, read(s.output))
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}
