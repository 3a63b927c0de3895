// Package selfreport lets a Go server report what it is doing, on systems whose kernel does not
// tell. It is linked into the tests of the stages, where the test binary is the server, and added to
// the package of a server that is built from its source. So it is one file, imports only the standard
// library, and its names begin with selfReport.
//
// It does nothing unless the environment has SELF_REPORT_FD, the descriptor over which the questions
// come. While it waits for one it holds no thread. It allocates next to nothing, so as not to start a
// garbage collection.
package selfreport

import (
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

// selfReport answers questions until the other end is closed. A question is a letter and a number; an
// answer is three numbers and perhaps a text, whose length is the first of them. The poller does not
// wake this goroutine for a question before it has woken others for earlier input: a goroutine that
// still waits in the poller when the answer is written had nothing to read.
func selfReport(conn *os.File) {
	question, numbers := make([]byte, 9), make([]byte, 24)
	used := time.Duration(0) // for these answers, which are not the server's work
	for {
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		before := selfReportCPU()
		var a, b, c int
		var memory []byte // not the runtime's: a dump does not count as memory that the server uses
		switch arg := int(binary.NativeEndian.Uint64(question[1:])); question[0] {
		case 'p': // processor time
			a = int(selfReportCPU() - used)
		case 'v': // the visitor with this port
			a, b = selfReportVisitor(uint16(arg))
		case 'c': // counts
			a, _ = runtime.ThreadCreateProfile(nil)
			b, c = selfReportFiles(), selfReportMemory()
		case 'g': // a dump of all goroutines
			const protection, flags = syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_ANON | syscall.MAP_PRIVATE
			memory, _ = syscall.Mmap(-1, 0, 64<<20, protection, flags)
			a = runtime.Stack(memory, true)
		}
		for i, n := range [...]int{a, b, c} {
			binary.NativeEndian.PutUint64(numbers[8*i:], uint64(n))
		}
		_, err := conn.Write(numbers)
		if memory != nil {
			conn.Write(memory[:a])
			syscall.Munmap(memory)
		}
		if err != nil {
			return
		}
		used += selfReportCPU() - before
	}
}

// selfReportCPU returns the processor time that the process has used.
func selfReportCPU() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

const selfReportDescriptors = 4096 // how many are examined

// selfReportVisitor says whether the connection with the visitor at this port has been accepted (1
// or 0), and how many bytes of it have not been read.
func selfReportVisitor(port uint16) (accepted, unread int) {
	for fd := range selfReportDescriptors {
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

// selfReportFiles returns how many descriptors are open.
func selfReportFiles() (open int) {
	var stat syscall.Stat_t
	for fd := range selfReportDescriptors {
		if syscall.Fstat(fd, &stat) != syscall.EBADF {
			open++
		}
	}
	return open
}

// selfReportMemory returns how many bytes the runtime has from the system.
func selfReportMemory() int {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
