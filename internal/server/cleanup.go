package server

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Nothing is left behind, however this process ends, even by kill -9. All files are in one folder,
// TMPDIR, and each server leads a process group. A shell, the guard, outlives this process: when its
// standard input ends, it kills the groups of the servers that were running, and removes the folder.
// A process that has left its group, because it went into the background, still has the folder's
// name in its environment: Linux shows that, and the guard kills it too. It looks twice: if this
// process was killed while it started a server, that has its environment a moment later.
const guardScript = `
while read -r line; do
	case $line in end) end=yes ;; *) kill=$line ;; esac
done
eval "$kill"
[ "$1" ] || exit
for time in first second; do
	[ "$time$end" != second ] || sleep 1
	for file in $(grep -lsxzF "TMPDIR=$1" /proc/[0-9]*/environ); do
		pid=${file#/proc/}
		kill -KILL ${pid%/environ}
	done
done
rm -rf "$1"`

var (
	alive, endAll = context.WithCancel(context.Background()) // until KillAll

	guardMu sync.Mutex
	groups  = map[string]bool{} // of the running servers, as shell commands that kill them
	folder  string              // TMPDIR, or "" if CleanUpAtEnd was not called
)

// KillAll kills all servers and builds, and prevents new ones. It does not wait for their
// end.
func KillAll() { endAll() }

// CleanUpAtEnd makes a folder for temporary files, whose name begins with name, and sets TMPDIR
// to it. When this process ends, however it ends, the folder is removed, and all processes of the
// servers are killed. cleanUp does both at once, and returns when they are done. Call CleanUpAtEnd
// before Start.
func CleanUpAtEnd(name string) (cleanUp func(), err error) {
	folder, err = os.MkdirTemp("", name)
	if err != nil {
		return nil, err
	}
	g := startGuard() // before TMPDIR is set: it does not kill itself
	os.Setenv("TMPDIR", folder)
	return func() { g.Close() }, nil
}

// EndWithParent ends this process, with status 1, as soon as its parent ends.
func EndWithParent() {
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(100 * time.Millisecond)
		}
		os.Exit(1)
	}()
}

// register tells the guard whether a process group is running.
func register(group int, running bool) {
	guardMu.Lock()
	defer guardMu.Unlock()
	command := fmt.Sprintf("kill -KILL -%d", group)
	if running {
		groups[command] = true
	} else {
		delete(groups, command)
	}
	fmt.Fprintln(startGuard(), strings.Join(slices.Sorted(maps.Keys(groups)), ";"))
}

// A guard is the standard input of the shell.
type guard struct {
	io.WriteCloser
	wait func() error
}

// Close tells the guard that this process has ended in good order, and waits for its end.
func (g guard) Close() error {
	fmt.Fprintln(g, "end")
	g.WriteCloser.Close()
	return g.wait()
}

var startGuard = sync.OnceValue(func() guard {
	cmd := exec.Command("sh", "-c", guardScript, "guard", folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for the guard
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Should this program be killed, its servers go on:", err)
	}
	return guard{stdin, cmd.Wait}
})
