package server

import (
	"bytes"
	"fmt"
	"iter"
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

// Zombies returns how many processes the server has started that have ended, and
// for which it has not waited.
func (s *Server) Zombies() (int, error) {
	n := 0
	for _, pid := range ProcessTree(s.PID)[1:] {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if i := bytes.LastIndexByte(stat, ')'); err == nil && i >= 0 && bytes.HasPrefix(stat[i:], []byte(") Z")) {
			n++
		}
	}
	return n, nil
}

// count counts the entries of a folder in /proc/PID.
func (s *Server) count(folder string) (int, error) {
	n := 0
	for _, pid := range ProcessTree(s.PID) {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, folder))
		if err != nil && pid == s.PID {
			return 0, err // of a descendant it means that it has just ended
		}
		n += len(entries)
	}
	return n, nil
}

// Memory returns how many bytes of memory the server holds (its resident set), and
// how many bytes of addresses it has, with memory behind them or without.
func (s *Server) Memory() (resident, addresses int64, err error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.PID))
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(string(statm), &addresses, &resident); err != nil {
		return 0, 0, fmt.Errorf("/proc/%d/statm: %q", s.PID, statm)
	}
	page := int64(os.Getpagesize())
	return resident * page, addresses * page, nil
}

// LimitFiles sets the limit on open files of the running server, which is its soft
// limit, as that of ulimit -n. With -1 it may open no more files than it has.
func (s *Server) LimitFiles(n int) error {
	for _, pid := range ProcessTree(s.PID) {
		var limit syscall.Rlimit
		if err := prlimit(pid, nil, &limit); err != nil {
			return err
		}
		most := n
		if n < 0 { // the limit is on the numbers of descriptors
			for most = 0; isOpen(pid, most); {
				most++
			}
		}
		limit.Cur = min(uint64(most), limit.Max)
		if err := prlimit(pid, &limit, nil); err != nil {
			return err
		}
	}
	return nil
}

func isOpen(pid, fd int) bool {
	_, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	return err == nil
}

func prlimit(pid int, set, get *syscall.Rlimit) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_NOFILE,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("prlimit", errno)
	}
	return nil
}

// Processes are operating system processes, looked at together.
type Processes []int

// ProcessTree returns a process and its descendants.
func ProcessTree(pid int) Processes {
	pids := Processes{pid}
	for children := range eachThread(pid, "children") {
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				pids = append(pids, ProcessTree(n)...)
			}
		}
	}
	return pids
}

// CPU returns how much processor time the processes have used, in user and kernel
// mode together, by the threads that have ended as well. It is exact to the
// microsecond or better, unlike /proc/PID/stat, which counts in ticks of 10 ms. A
// process that has ended counts for nothing; it is an error if all have.
func (p Processes) CPU() (total time.Duration, err error) {
	err = os.ErrProcessDone
	for _, pid := range p {
		// A process has a clock, which others may read: see clock_getcpuclockid(3).
		const schedClock = 2
		clock := ^pid<<3 | schedClock
		var used syscall.Timespec
		_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&used)), 0)
		if errno == 0 {
			total, err = total+time.Duration(used.Nano()), nil
		}
	}
	return total, err
}

// Asleep says whether every thread of the processes is asleep, so that nothing happens
// in them until something comes from outside or a timer runs out. A process that has
// ended counts for nothing; it is an error if all have.
func (p Processes) Asleep() (bool, error) {
	threads := 0
	for _, pid := range p {
		for stat := range eachThread(pid, "stat") {
			threads++
			// The second field is the name in parentheses, which may hold anything.
			name := bytes.LastIndexByte(stat, ')')
			if bytes.HasPrefix(stat[name+1:], []byte(" R")) || bytes.HasPrefix(stat[name+1:], []byte(" D")) {
				return false, nil
			}
		}
	}
	if threads == 0 {
		return false, os.ErrProcessDone
	}
	return true, nil
}

// eachThread reads a file of /proc/PID/task for each thread of a process.
func eachThread(pid int, name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		folder := "/proc/" + strconv.Itoa(pid) + "/task/"
		dir, err := os.Open(folder)
		if err != nil {
			return // a process that has just ended
		}
		defer dir.Close()
		tids, _ := dir.Readdirnames(-1)
		for _, tid := range tids {
			text, err := os.ReadFile(folder + tid + "/" + name)
			if err == nil && !yield(text) { // an error means a thread that has just ended
				return
			}
		}
	}
}

// CPU returns how much processor time the server has used.
func (s *Server) CPU() (time.Duration, error) { return s.processes().CPU() }

// Asleep says whether every thread of the server is asleep.
func (s *Server) Asleep() (bool, error) { return s.processes().Asleep() }

// HasRead says whether the server has accepted the connection that the client's
// end calls conn, and has read all that was sent to it.
func (s *Server) HasRead(conn net.Conn) (bool, error) {
	accepted, unread, err := s.connection(conn)
	return accepted && unread == 0, err
}

// HasAccepted says whether the server has accepted the connection that the client's
// end calls conn.
func (s *Server) HasAccepted(conn net.Conn) (bool, error) {
	accepted, _, err := s.connection(conn)
	return accepted, err
}

// connection returns whether the server has accepted a connection, and how many
// bytes that were sent to it are still unread.
func (s *Server) connection(conn net.Conn) (accepted bool, unread uint64, err error) {
	visitor, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return false, 0, err
	}
	server, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return false, 0, err
	}
	if accepted, unread, ok := tcpDiag(server, visitor); ok {
		return accepted, uint64(unread), nil
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
				_, queue, _ := strings.Cut(f[4], ":")
				unread, err := strconv.ParseUint(queue, 16, 64)
				return f[9] != "0", unread, err // an accepted connection has an inode
			}
		}
	}
	return false, 0, nil
}

// Ending says whether the server's process has ended or is about to: the kernel marks
// a process that ends before it closes its connections. So who sees the end of a
// connection can tell whether the server has closed it or has died.
func (s *Server) Ending() bool {
	const exiting = 0x4 // PF_EXITING, among the flags of proc_pid_stat(5)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID))
	name := bytes.LastIndexByte(stat, ')')
	if s.Exited() || err != nil || name < 0 {
		return true
	}
	fields := strings.Fields(string(stat[name+1:])) // the first is the third of all
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	return err == nil && flags&exiting != 0
}

// processes returns the server's process and its descendants. A program that was built
// from a folder of Go is taken to start none: looking for them costs more than the look.
func (s *Server) processes() Processes {
	if s.single {
		return Processes{s.PID}
	}
	return ProcessTree(s.PID)
}

// BecomeSubreaper makes this process the parent of all that its servers start and
// leave behind, so that KillOrphans finds them.
func BecomeSubreaper() {
	const setChildSubreaper = 36 // see prctl(2)
	syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0)
}

// KillOrphans kills all that servers have left behind, such as a process that
// went into the background. It is for a process that is about to end.
func KillOrphans() {
	own := syscall.Getpgrp()
	for _, pid := range ProcessTree(os.Getpid())[1:] {
		if group, err := syscall.Getpgid(pid); err == nil && group != own && int32(pid) != guardPID.Load() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
