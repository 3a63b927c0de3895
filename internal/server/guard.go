package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

// running are the servers that have been started and not killed, until KillAll
// makes it nil.
var (
	runningMu sync.Mutex
	running   = map[*Server]bool{}
)

// alive ends with KillAll, and ends what is being built.
var alive, endBuilds = context.WithCancel(context.Background())

// register starts the server's process, unless KillAll has been called.
func (s *Server) register(start func() error) error {
	runningMu.Lock()
	defer runningMu.Unlock()
	if running == nil {
		return errors.New("interrupted")
	}
	if err := start(); err != nil {
		return err
	}
	running[s] = true
	return nil
}

func (s *Server) unregister() {
	runningMu.Lock()
	defer runningMu.Unlock()
	delete(running, s)
}

// KillAll ends all servers that this process has started, and sees to it that
// it starts no more of them: it is about to end.
func KillAll() {
	endBuilds()
	runningMu.Lock()
	servers := running
	running = nil
	runningMu.Unlock()
	for s := range servers {
		s.Kill()
	}
}

// The guard is a shell that outlives this process by as long as it takes to
// kill the servers, and to remove the folders, that it left behind. It learns of
// its end, even by SIGKILL, because its standard input ends.
var startGuard = sync.OnceValue(func() *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", `
		live=" "
		folders=
		while read -r op pid; do
			case $op in
			/) folders="$folders
$pid" ;;
			+) live="$live$pid " ;;
			-) case $live in *" $pid "*) live="${live%% $pid *} ${live#* $pid }" ;; esac ;;
			esac
		done
		for pid in $live; do kill -KILL "-$pid" 2>/dev/null; done
		IFS="
"
		for folder in $folders; do rm -rf "$folder"; done`)
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if cmd.Start() != nil {
		w.Close()
		return nil
	}
	guardPID.Store(int32(cmd.Process.Pid))
	return w
})

var guardPID atomic.Int32

func guard(pid int)   { tellGuard("+ " + strconv.Itoa(pid)) }
func unguard(pid int) { tellGuard("- " + strconv.Itoa(pid)) }

// RemoveAtEnd has a folder removed when this process has ended, however it does.
func RemoveAtEnd(folder string) { tellGuard("/ " + folder) }

var guardMu sync.Mutex

func tellGuard(line string) {
	guardMu.Lock()
	defer guardMu.Unlock()
	if w := startGuard(); w != nil {
		fmt.Fprintln(w, line)
	}
}

// output keeps the first megabyte of what is written to it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more bool
}

const mostOutput = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	room := mostOutput - o.text.Len()
	o.text.Write(p[:min(room, len(p))])
	o.more = o.more || len(p) > room
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) flooded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.more
}
