package server

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// alive ends with KillAll; whatever this process has started ends with it.
var alive, endAll = context.WithCancel(context.Background())

// KillAll has all servers that this process has started killed, and what is being built,
// and sees to it that it starts no more of them: it is about to end. It does not wait.
func KillAll() { endAll() }

// RemoveAtEnd has a folder removed when this process has ended, however it does.
func RemoveAtEnd(folder string) {
	guard("rm -rf "+ShellQuote(folder), true)
}

// ShellQuote returns a text as one word of a shell's command line.
func ShellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

var (
	guardMu sync.Mutex
	atEnd   = map[string]bool{} // shell commands

	guardPID atomic.Int64
)

// guard adds a command to those that the guard runs, or takes it away.
func guard(command string, wanted bool) {
	guardMu.Lock()
	defer guardMu.Unlock()
	if wanted {
		atEnd[command] = true
	} else {
		delete(atEnd, command)
	}
	fmt.Fprintln(startGuard(), strings.Join(slices.Sorted(maps.Keys(atEnd)), "; "))
}

// startGuard starts a shell that outlives this process: when its standard input ends,
// which it does even if this process is killed, the shell runs the last line that it has read.
var startGuard = sync.OnceValue(func() io.Writer {
	cmd := exec.Command("sh", "-c", `while read -r line; do last=$line; done; eval "$last"`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for the guard
	stdin, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return io.Discard
	}
	guardPID.Store(int64(cmd.Process.Pid))
	return stdin
})
