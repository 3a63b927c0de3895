package server

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestReaped starts a server that ends by itself, and leaves a process in its group, which
// has a pipe open. That process is killed when the server is reaped. After that Kill sends
// nothing to a group that has been given the same number.
func TestReaped(t *testing.T) {
	open, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Command("sh", "-c", "echo listening on http://127.0.0.1:1; sleep 1000 & exit").
		Start(Options{Extra: []*os.File{pipe}})
	if err != nil {
		t.Fatal(err)
	}
	pipe.Close()
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
