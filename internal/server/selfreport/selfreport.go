// Package selfreport lets a server of Go say what it is doing, on systems whose kernel
// does not tell others. It is linked into the tests of the stages, where the test binary is
// the server, and laid over the package of a server that is built from its source: so it
// is one file, imports the standard library alone, and its names begin with selfReport.
//
// It does nothing unless the environment has SELF_REPORT_FD, the descriptor over which it
// is asked. While it waits to be asked it holds no thread. It allocates next to nothing,
// so as not to bring about a garbage collection.
package selfreport

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

func init() {
	fd, err := strconv.Atoi(os.Getenv("SELF_REPORT_FD"))
	if err != nil {
		return
	}
	os.Unsetenv("SELF_REPORT_FD")
	syscall.CloseOnExec(fd)
	syscall.SetNonblock(fd, true)
	go selfReport(os.NewFile(uintptr(fd), "self-report"))
}

// selfReport answers questions until nobody asks any more. A question is a letter and a
// number, and an answer three numbers. The poller tells this goroutine that there is a
// question no earlier than it tells others of what came before it: whichever goroutine
// still waits in the poller when the answer is given had nothing to read.
func selfReport(conn *os.File) {
	question, answer := make([]byte, 9), make([]byte, 24)
	used := time.Duration(0) // by these answers, which is no work of the server's
	for {
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		before := selfReportCPU()
		var a, b, c int
		switch arg := int(binary.NativeEndian.Uint64(question[1:])); question[0] {
		case 'g': // goroutines
			a = selfReportBusy()
		case 'p': // processor time
			a = int(selfReportCPU() - used)
		case 'v': // the visitor with this port
			a, b = selfReportVisitor(uint16(arg))
		case 'c': // counts
			a, _ = runtime.ThreadCreateProfile(nil)
			b, _ = selfReportFiles()
			c = selfReportMemory()
		case 'l': // set the limit on open files; -1: to those that there are
			a = selfReportLimit(arg)
		}
		for i, n := range [...]int{a, b, c} {
			binary.NativeEndian.PutUint64(answer[8*i:], uint64(n))
		}
		used += selfReportCPU() - before
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

var selfReportText [8 << 20]byte // takes up memory only as far as it has been written to

// selfReportBusy returns how many goroutines run or could run, beside this one, which
// comes first. One that is in a system call counts as waiting there.
func selfReportBusy() (busy int) {
	text := selfReportText[:runtime.Stack(selfReportText[:], true)]
	for {
		_, next, found := bytes.Cut(text, []byte("\n\ngoroutine "))
		if !found {
			return busy
		}
		head, _, _ := bytes.Cut(next, []byte("\n"))
		for _, state := range [...]string{"[run", "[preempted", "[copystack"} {
			if bytes.Contains(head, []byte(state)) {
				busy++
			}
		}
		text = next
	}
}

// selfReportCPU returns the processor time that the process has used.
func selfReportCPU() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

const selfReportMost = 4096 // descriptors that are looked at

// selfReportVisitor says whether the connection with a visitor, who is known by the port,
// has been accepted, and how many bytes of it have not been read.
func selfReportVisitor(port uint16) (accepted, unread int) {
	for fd := range selfReportMost {
		switch peer, _ := syscall.Getpeername(fd); peer := peer.(type) {
		case *syscall.SockaddrInet4:
			accepted = selfReportSame(peer.Port, port)
		case *syscall.SockaddrInet6:
			accepted = selfReportSame(peer.Port, port)
		}
		if accepted == 1 {
			request := uintptr(0x4004667f) // FIONREAD
			if runtime.GOOS == "linux" {
				request = 0x541b
			}
			var n int32
			syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&n)))
			return 1, int(n)
		}
	}
	return 0, 0
}

func selfReportSame(a int, b uint16) int {
	if a == int(b) {
		return 1
	}
	return 0
}

// selfReportFiles returns how many descriptors are open, and the lowest number of one that
// is not.
func selfReportFiles() (open, free int) {
	free = selfReportMost
	var stat syscall.Stat_t
	for fd := range selfReportMost {
		if syscall.Fstat(fd, &stat) != syscall.EBADF {
			open++
		} else {
			free = min(free, fd)
		}
	}
	return open, free
}

// selfReportMemory returns how many bytes the runtime has from the system.
func selfReportMemory() int {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

// selfReportLimit sets the soft limit on open files, and returns the number of the error
// if it cannot.
func selfReportLimit(n int) int {
	if n < 0 {
		_, n = selfReportFiles()
	}
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err == nil {
		limit.Cur = min(limit.Max, selfReportCur(n, limit.Cur))
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	errno, _ := err.(syscall.Errno)
	return int(errno)
}

// selfReportCur makes n a number of the type that limits have, which systems do not agree on.
func selfReportCur[T int64 | uint64](n int, _ T) T { return T(n) }
