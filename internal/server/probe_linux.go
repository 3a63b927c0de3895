//go:build !portable

package server

import (
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"
)

// probe returns what the kernel tells of other processes, by the names that Sees takes. It tries
// each on this process, a connection within it, and a process that sleeps: some kernels have no
// netlink, no /proc, or a /proc that always says the same.
func probe() map[string]bool {
	sleeper := exec.Command("sleep", "60")
	if sleeper.Start() != nil {
		return nil
	}
	defer func() {
		sleeper.Process.Kill()
		sleeper.Wait()
	}()
	self, other := viewOf(os.Getpid()), viewOf(sleeper.Process.Pid)
	threads, _ := self.count(Threads)
	created, _ := runtime.ThreadCreateProfile(nil)
	resident, _ := self.count(Memory)
	addresses, _ := self.count(Addresses)
	before, _ := self.count(Descriptors)
	file, err := os.Open(os.DevNull)
	after, _ := self.count(Descriptors)
	if err == nil {
		file.Close()
	}
	work := tellsWork(self, other)
	return map[string]bool{
		"work":          work,
		"processor":     work,
		"requests":      tellsRequests(),
		"threads":       threads > 0 && threads <= created,
		"descriptors":   after > 0 && after >= before, // others may come and go
		"zombies":       slices.Contains(ProcessTree(os.Getpid()), sleeper.Process.Pid),
		"memory":        resident > 1<<20,
		"address-space": addresses >= resident && addresses > 0,
		"file-limit":    other.limitFiles(100) == nil,
	}
}

// tellsWork says whether the kernel tells that this process works, and that one that sleeps
// does not.
func tellsWork(self, sleeper view) bool {
	before, err1 := self.cpu()
	for began := time.Now(); time.Since(began) < time.Millisecond; {
	}
	after, err2 := self.cpu()
	if asleep, err := self.asleep(); err1 != nil || err2 != nil || err != nil || after <= before || asleep {
		return false
	}
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(time.Millisecond) {
		cpu, err1 := sleeper.cpu()
		asleep, err2 := sleeper.asleep()
		later, err3 := sleeper.cpu()
		switch {
		case err1 != nil || err2 != nil || err3 != nil:
			return false
		case asleep && cpu == later:
			return true
		}
	}
	return false
}

// tellsRequests says whether the kernel tells, of a connection within this process, that it
// is accepted, and what is unread.
func tellsRequests() bool {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return false
	}
	defer listener.Close()
	visitor, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return false
	}
	defer visitor.Close()
	tells := func(wantAccepted bool, wantUnread int) bool {
		accepted, unread, err := viewOf(os.Getpid()).visitor(visitor)
		return err == nil && accepted == wantAccepted && (!accepted || unread == wantUnread)
	}
	if !tells(false, 0) {
		return false
	}
	conn, err := listener.Accept()
	if err != nil {
		return false
	}
	defer conn.Close()
	io.WriteString(visitor, "hello")
	if !tells(true, 5) {
		return false
	}
	io.ReadFull(conn, make([]byte, 5))
	return tells(true, 0)
}

func viewOf(pid int) view { return newKernelView(pid, single(pid)) }
