package book

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"github.com/creack/pty"
)

// prompt is what the shells are told to use as a prompt: nothing that a command prints.
const prompt = "\x1d"

// A terminal is an interactive shell in a pseudo-terminal.
type terminal struct {
	name   string // as on the page: "terminal 1"
	port   int    // in place of 7878
	master *os.File
	shell  *exec.Cmd

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
func openTerminal(name, dir string, env []string, port int) (*terminal, error) {
	t := &terminal{name: name, port: port}
	t.shell = exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	t.shell.Dir, t.shell.Env = dir, env
	var err error
	t.master, err = pty.StartWithSize(t.shell, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		return nil, err
	}
	go io.Copy(t, t.master) // until the last process of the terminal has ended
	return t, nil
}

// Write keeps what the terminal shows.
func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.screen = append(t.screen, p...)
	return len(p), nil
}

// processes returns the shell and all that runs in it.
func (t *terminal) processes() server.Processes { return server.ProcessTree(t.shell.Process.Pid) }

// kill ends all that runs in the terminal, and the terminal.
func (t *terminal) kill() {
	for _, pid := range t.processes() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	t.shell.Wait()
	t.master.Close()
}

var (
	makeStage = regexp.MustCompile(`(\bmake stage\d)\b(?: ARGS='([^']*)')?`)
	binStage  = regexp.MustCompile(`^((?:\w+=\S+ )*bin/stage\d[-\w]*)( .*|$)`)
)

// typeCommand types a command of the page: with the terminal's port in place of 7878,
// and with -addr for a stage.
func (t *terminal) typeCommand(command string) error {
	t.mu.Lock()
	t.start, t.command, t.shown = len(t.screen), command, output{}
	t.mu.Unlock()
	command = makeStage.ReplaceAllString(command, "$1 ARGS='-addr=127.0.0.1:7878 $2'")
	if !strings.Contains(command, "-addr") {
		command = binStage.ReplaceAllString(command, "$1 -addr=127.0.0.1:7878$2")
	}
	_, err := t.master.WriteString(strings.ReplaceAll(command, "7878", strconv.Itoa(t.port)) + "\n")
	return err
}

var lineEnd = regexp.MustCompile(` *\r*\n`)

// text returns what the terminal has shown from an offset on as the page would show it:
// with port 7878, with line ends as in a file, and with no blanks before them.
func (t *terminal) text(from int) string {
	t.mu.Lock()
	text := string(t.screen[from:])
	t.mu.Unlock()
	text = strings.ReplaceAll(text, fmt.Sprintf(" -addr=127.0.0.1:%d", t.port), "")
	text = regexp.MustCompile(fmt.Sprintf(`\b%d\b`, t.port)).ReplaceAllString(text, "7878")
	return lineEnd.ReplaceAllString(text, "\n")
}

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

// ended says whether the last command has ended.
func (t *terminal) ended() bool {
	_, ended := t.printed()
	return ended
}

// await waits until cond holds, at which it looks a hundred times a second.
func await(ctx context.Context, cond func() bool) error {
	for !cond() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
