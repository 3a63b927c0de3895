package book

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// prompt is what the shells are told to use as a prompt: nothing that a command prints.
const prompt = "\x1d"

// A terminal is an interactive shell in a pseudo-terminal.
type terminal struct {
	name   string // as on the page: "1"
	master *os.File
	shell  *exec.Cmd
	news   chan struct{} // has something when the terminal has shown more

	mu     sync.Mutex
	screen []byte // all that it has shown

	// The last command that was typed.
	command string // as on the page; "" before the first
	blk     *block
	line    int    // of the page, where it is
	start   int    // in screen, where it was typed
	shown   output // what the page shows of its output so far
}

// openTerminal starts a shell in the folder dir. Whoever calls it ends it, and all
// that runs in it, with kill.
func openTerminal(name, dir string, env []string) (*terminal, error) {
	t := &terminal{name: name, news: make(chan struct{}, 1)}
	t.shell = exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	t.shell.Dir, t.shell.Env = dir, env
	var err error
	t.master, err = pty.StartWithSize(t.shell, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		return nil, err
	}
	go t.read()
	return t, nil
}

// read keeps what the terminal shows, until its last process has ended.
func (t *terminal) read() {
	p := make([]byte, 4096)
	for {
		n, err := t.master.Read(p)
		t.mu.Lock()
		t.screen = append(t.screen, p[:n]...)
		t.mu.Unlock()
		select {
		case t.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// kill ends all that runs in the terminal, and the terminal.
func (t *terminal) kill() {
	for _, pid := range processTree(t.shell.Process.Pid) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	t.shell.Wait()
	t.master.Close()
}

// size returns how much the terminal has shown.
func (t *terminal) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.screen)
}

// send types a text.
func (t *terminal) send(text string) error {
	_, err := t.master.WriteString(text)
	return err
}

// text returns what the terminal has shown from an offset on, with line ends as in a
// file and no blanks before them.
func (t *terminal) text(offset int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return lineEnd.ReplaceAllString(string(t.screen[offset:]), "\n")
}

var lineEnd = regexp.MustCompile(` *\r*\n`)

// printed returns what the last command has printed, and whether it has ended: then
// the shell has printed its prompt.
func (t *terminal) printed() (text string, ended bool) {
	text = t.text(t.start)
	if t.command != "" {
		_, text, _ = strings.Cut(text, "\n") // what was typed
	}
	text, after, ended := strings.Cut(text, prompt)
	if ended {
		text = endLine(text)
	}
	return text + after, ended
}

// await waits until cond holds. It looks whenever the terminal has shown something,
// and if cond is about other things as well, once in every pause.
func (t *terminal) await(ctx context.Context, pause time.Duration, cond func() bool) error {
	var timer <-chan time.Time
	for !cond() {
		if pause > 0 {
			timer = time.After(pause)
		}
		select {
		case <-t.news:
		case <-timer:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// processTree returns a process and its descendants.
func processTree(pid int) []int {
	pids := []int{pid}
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				pids = append(pids, processTree(n)...)
			}
		}
	}
	return pids
}

// asleep says whether every thread of the processes waits for something. The state
// that it returns is another when one of them has run in the meantime.
func asleep(pids []int) (ok bool, state string) {
	var b strings.Builder
	ok = true
	for _, pid := range pids {
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for _, task := range tasks {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
			for line := range strings.Lines(string(status)) {
				switch name, value, _ := strings.Cut(line, ":\t"); name {
				case "State":
					ok = ok && strings.HasPrefix(value, "S")
				case "Pid", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches":
					b.WriteString(value)
				}
			}
		}
	}
	return ok, b.String()
}
