package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReaped starts a server that ends by itself, and leaves a process in its group, which
// has a pipe open. That process is killed when the server is reaped. After that Kill sends
// nothing to a group that has been given the same number.
func TestReaped(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	err := syscall.Mkfifo(pipe, 0o600)
	open, err2 := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	const script = "exec 3>%s; echo listening on http://127.0.0.1:1; sleep 1000 & exit"
	s, err := Command("sh", "-c", fmt.Sprintf(script, ShellQuote(pipe))).Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, open) // until nobody has it open, or until the test is overdue
	if _, err := s.Wait(GiveUpAfter); err != nil {
		t.Fatal(err)
	}

	other := exec.Command("sleep", "1000")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	s.PID = other.Process.Pid
	s.Kill()
	other.Process.Signal(syscall.SIGTERM)
	if err := other.Wait(); err.Error() != "signal: terminated" {
		t.Errorf("Kill of a server that has ended: another group ends with %v; want signal: terminated", err)
	}
}
