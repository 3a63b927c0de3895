package server

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// alive ends with KillAll; whatever this process has started ends with it.
var alive, endAll = context.WithCancel(context.Background())

// KillAll has all servers that this process has started killed, and what is being built,
// and sees to it that it starts no more of them: it is about to end. It does not wait.
func KillAll() { endAll() }

// What this process would leave behind if it ended now.
var (
	guardMu sync.Mutex
	groups  = map[int]bool{} // of the servers that have been started and not killed
	folders []string
)

// guard has a server's process group killed when this process has ended, or no more.
func guard(group int, wanted bool) {
	guardMu.Lock()
	defer guardMu.Unlock()
	if wanted {
		groups[group] = true
	} else {
		delete(groups, group)
	}
	tellGuard()
}

// RemoveAtEnd has a folder removed when this process has ended, however it does.
func RemoveAtEnd(folder string) {
	guardMu.Lock()
	defer guardMu.Unlock()
	folders = append(folders, folder)
	tellGuard()
}

// The guard is a shell that outlives this process: when its standard input ends, which
// it does even if this process is killed, the shell runs the last line that it has read.
var startGuard = sync.OnceValue(func() io.Writer {
	cmd := exec.Command("sh", "-c", `while read -r line; do last=$line; done; eval "$last"`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for the guard
	stdin, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return io.Discard
	}
	return stdin
})

// tellGuard tells the guard what is to be done by now. The caller holds guardMu.
func tellGuard() {
	line := "for group in"
	for group := range groups {
		line += fmt.Sprintf(" %d", group)
	}
	line += "; do kill -KILL -$group; done; rm -rf"
	for _, folder := range folders {
		line += " '" + strings.ReplaceAll(folder, "'", `'\''`) + "'"
	}
	fmt.Fprintln(startGuard(), line)
}
