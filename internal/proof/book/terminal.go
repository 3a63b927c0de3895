package book

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// What the shells are told to use as prompts: nothing that a command prints.
const (
	prompt = "\x1d1"
	more   = "\x1d2" // when a command goes on in the next line
)

// A terminal is an interactive shell in a pseudo-terminal.
type terminal struct {
	name   string // as on the page: "1"
	master *os.File
	cmd    *exec.Cmd
	closed chan struct{} // once there is no more to read

	mu  sync.Mutex
	buf []byte // all that it has shown

	start   int       // in buf: where the output of the last command begins
	command string    // as on the page
	line    int       // of the page, where it is
	pats    []pattern // what the page shows of its output so far
	ahead   []pattern // what later blocks show of it
	taken   int       // how many lines of it update has dealt with
	typed   bool      // there has been a command
}

// openTerminal starts a shell in the folder dir. Whoever calls it ends it, and all
// that runs in it, with kill.
func openTerminal(name, dir string, env []string) (*terminal, error) {
	master, tty, err := openPTY()
	if err != nil {
		return nil, err
	}
	defer tty.Close()
	shell := []string{"sh", "-i"}
	if bash, err := exec.LookPath("bash"); err == nil {
		shell = []string{bash, "--norc", "--noprofile", "--noediting", "-i"}
	}
	t := &terminal{name: name, master: master, closed: make(chan struct{})}
	t.cmd = exec.Command(shell[0], shell[1:]...)
	t.cmd.Dir, t.cmd.Env = dir, env
	t.cmd.Stdin, t.cmd.Stdout, t.cmd.Stderr = tty, tty, tty
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := t.cmd.Start(); err != nil {
		master.Close()
		return nil, err
	}
	go t.read()
	return t, nil
}

// read keeps what the terminal shows, until its last process has ended.
func (t *terminal) read() {
	defer close(t.closed)
	p := make([]byte, 4096)
	for {
		n, err := t.master.Read(p)
		t.mu.Lock()
		t.buf = append(t.buf, p[:n]...)
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// kill ends all that runs in the terminal, and the terminal.
func (t *terminal) kill() {
	for _, pid := range family([]int{t.cmd.Process.Pid}) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	t.cmd.Wait()
	t.master.Close() // hangs up on whoever is left
}

// since returns what the terminal has shown from an offset on.
func (t *terminal) since(offset int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[min(offset, len(t.buf)):])
}

func (t *terminal) shown() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.buf)
}

// send presses keys.
func (t *terminal) send(keys string) error {
	_, err := t.master.WriteString(keys)
	return err
}

// ended says whether the terminal is closed: the shell has ended.
func (t *terminal) ended() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

var escapes = regexp.MustCompile("\x1b(\\[[0-9;?]*[A-Za-z]|\\([A-Z0-9])")

// output returns what the last command has printed, with what it has printed of a
// line that is not complete, and whether the prompt is back.
func (t *terminal) output() (lines []string, partial string, back bool) {
	text, after, back := strings.Cut(t.since(t.start), prompt)
	text = escapes.ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if !t.typed {
		return nil, "", back // the shell's greeting
	}
	if back && after != "" && !strings.HasPrefix(after, prompt) {
		text += "\n" + after // something went on in the background
	}
	lines = strings.Split(text, "\n")
	partial = lines[len(lines)-1]
	lines = lines[:len(lines)-1]
	if back && partial != "" {
		lines, partial = append(lines, partial), ""
	}
	return lines, partial, back
}

var errEcho = errors.New("the terminal does not show what is typed")

// echoed says whether the terminal shows, from an offset on, a line that was typed
// there, and returns the offset of what follows.
func (t *terminal) echoed(offset int, typed string) (int, bool, error) {
	got, want := t.since(offset), typed+"\r\n"
	if strings.HasPrefix(got, want) {
		return offset + len(want), true, nil
	}
	if !strings.HasPrefix(want, got) {
		return 0, false, fmt.Errorf("%w: typed %q, and it shows %q", errEcho, typed, got)
	}
	return 0, false, nil
}

// asks says whether the shell asks for more of the command, and returns the offset
// after that.
func (t *terminal) asks(offset int) (int, bool) {
	if strings.HasPrefix(t.since(offset), more) {
		return offset + len(more), true
	}
	return 0, false
}

// screen returns all that the terminal has shown, as a reader would see it.
func (t *terminal) screen() string {
	t.mu.Lock()
	text := bytes.ReplaceAll(t.buf, []byte("\r\n"), []byte("\n"))
	t.mu.Unlock()
	text = escapes.ReplaceAll(text, nil)
	text = bytes.ReplaceAll(text, []byte(prompt), []byte("$ "))
	text = bytes.ReplaceAll(text, []byte(more), []byte("> "))
	return strings.TrimRight(string(text), "\n")
}
