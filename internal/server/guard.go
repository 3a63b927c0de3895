package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// alive ends with KillAll, and ends what is being built.
var alive, end = context.WithCancel(context.Background())

// What is to be undone when this process ends.
var (
	leftMu  sync.Mutex
	running = map[*Server]bool{} // those who have been started and not killed
	folders []string
)

// register starts the server's process, unless KillAll has been called.
func (s *Server) register(cmd *exec.Cmd) error {
	leftMu.Lock()
	defer leftMu.Unlock()
	if alive.Err() != nil {
		return errors.New("interrupted")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.PID, running[s] = cmd.Process.Pid, true
	tellGuard()
	return nil
}

func (s *Server) unregister() {
	leftMu.Lock()
	defer leftMu.Unlock()
	delete(running, s)
	tellGuard()
}

// KillAll ends all servers that this process has started, and sees to it that
// it starts no more of them: it is about to end.
func KillAll() {
	end()
	leftMu.Lock()
	servers := maps.Clone(running)
	leftMu.Unlock()
	for s := range servers {
		s.Kill()
	}
}

// RemoveAtEnd has a folder removed when this process has ended, however it does.
func RemoveAtEnd(folder string) {
	leftMu.Lock()
	defer leftMu.Unlock()
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

// tellGuard tells the guard what is to be done by now. The caller holds leftMu.
func tellGuard() {
	line := "for pid in"
	for s := range running {
		line += fmt.Sprintf(" %d", s.PID)
	}
	line += "; do kill -KILL -$pid; done; rm -rf"
	for _, folder := range folders {
		line += " '" + strings.ReplaceAll(folder, "'", `'\''`) + "'"
	}
	fmt.Fprintln(startGuard(), line)
}
