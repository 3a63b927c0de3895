package server

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Threads returns how many operating system threads the server has.
func (s *Server) Threads() (int, error) { return s.count("task") }

// Descriptors returns how many file descriptors the server holds.
func (s *Server) Descriptors() (int, error) { return s.count("fd") }

// count counts the entries of a folder in /proc/PID.
func (s *Server) count(folder string) (int, error) {
	n := 0
	for _, pid := range family(s.PID) {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, folder))
		if err != nil {
			return 0, err
		}
		n += len(entries)
	}
	return n, nil
}

// Memory returns how many bytes of memory the server holds (its resident set).
func (s *Server) Memory() (int64, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.PID))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", s.PID, statm)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// CPU returns how much processor time the server has used, in user and kernel
// mode together, by the threads that have ended as well. It is exact to the
// microsecond or better, unlike /proc/PID/stat, which counts in ticks of 10 ms.
func (s *Server) CPU() (time.Duration, error) {
	var total time.Duration
	for _, pid := range family(s.PID) {
		// A process has a clock, which others may read: see clock_getcpuclockid(3).
		const schedClock = 2
		clock := ^pid<<3 | schedClock
		var used syscall.Timespec
		_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&used)), 0)
		if errno != 0 {
			return 0, os.NewSyscallError("clock_gettime", errno)
		}
		total += time.Duration(used.Nano())
	}
	return total, nil
}

// Asleep says whether every thread of the server is asleep, so that nothing
// happens in it until something comes from outside or a timer runs out.
func (s *Server) Asleep() (bool, error) {
	states, err := s.states()
	return err == nil && !strings.ContainsAny(states, "RD"), err
}

// HasRead says whether the server has read all that was sent to it on the
// connection that the client's end calls conn.
func (s *Server) HasRead(conn net.Conn) (bool, error) {
	visitor, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return false, err
	}
	server, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return false, err
	}
	if accepted, unread, ok := lookUp(server, visitor); ok {
		return accepted && unread == 0, nil
	}
	// sl local_address rem_address st tx_queue:rx_queue ...
	local, remote := fmt.Sprintf(":%04X", server.Port()), fmt.Sprintf(":%04X", visitor.Port())
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(file)
		if err != nil {
			continue // a system without IPv6 has no tcp6
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) > 9 && strings.HasSuffix(f[1], local) && strings.HasSuffix(f[2], remote) {
				_, unread, _ := strings.Cut(f[4], ":")
				accepted := f[9] != "0" // the inode, which a connection has once it is accepted
				return accepted && strings.Trim(unread, "0") == "", nil
			}
		}
	}
	return false, nil
}

// states returns the state of each thread of the server, as R or S.
func (s *Server) states() (string, error) {
	var states []byte
	buf := make([]byte, 512)
	for _, pid := range family(s.PID) {
		folder := "/proc/" + strconv.Itoa(pid) + "/task"
		dir, err := os.Open(folder)
		if err != nil {
			continue // a process that has just ended
		}
		tids, err := dir.Readdirnames(-1)
		dir.Close()
		if err != nil {
			continue
		}
		for _, tid := range tids {
			file, err := os.Open(folder + "/" + tid + "/stat")
			if err != nil {
				continue // a thread that has just ended
			}
			n, _ := file.Read(buf)
			file.Close()
			// The second field is the name in parentheses, which may hold anything.
			if name := bytes.LastIndexByte(buf[:n], ')'); name >= 0 && name+2 < n {
				states = append(states, buf[name+2])
			}
		}
	}
	if len(states) == 0 {
		return "", os.ErrProcessDone
	}
	return string(states), nil
}

// family returns a process and its descendants.
func family(pid int) []int {
	pids := []int{pid}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			pids = append(pids, family(n)...)
		}
	}
	return pids
}

// Adopt makes this process the parent of all that its servers start and leave
// behind, so that KillStrays finds them.
func Adopt() {
	const setChildSubreaper = 36 // see prctl(2)
	syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0)
}

// KillStrays kills all that servers have left behind, such as a process that
// went into the background. It is for a process that is about to end.
func KillStrays() {
	own := syscall.Getpgrp()
	for _, pid := range family(os.Getpid())[1:] {
		if group, err := syscall.Getpgid(pid); err == nil && group != own && int32(pid) != guardPID.Load() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
