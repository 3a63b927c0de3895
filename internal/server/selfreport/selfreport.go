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

// selfReport answers questions until the other end is closed. A question is a letter and a number,
// an answer three numbers, which a text may follow. The poller does not wake this goroutine for a question before it has woken
// others for earlier input: a goroutine that still waits in the poller when the answer is written had
// nothing to read.
func selfReport(conn *os.File) {
	question, answer := make([]byte, 9), make([]byte, 24)
	used := time.Duration(0) // for these answers, which are not the server's work
	for {
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		before := selfReportCPU()
		var a, b, c int
		var dump []byte
		switch arg := int(binary.NativeEndian.Uint64(question[1:])); question[0] {
		case 'g': // goroutines
			a = selfReportBusy()
		case 'p': // processor time
			a = int(selfReportCPU() - used)
		case 'v': // the visitor with this port
			a, b = selfReportVisitor(uint16(arg))
		case 'c': // counts
			a, _ = runtime.ThreadCreateProfile(nil)
			b = selfReportFiles()
			c = selfReportMemory()
		case 'd': // a dump of all goroutines
			if dump = selfReportMap(); dump != nil {
				a = runtime.Stack(dump, true)
			}
		}
		for i, n := range [...]int{a, b, c} {
			binary.NativeEndian.PutUint64(answer[8*i:], uint64(n))
		}
		used += selfReportCPU() - before
		if _, err := conn.Write(answer); err != nil {
			return
		}
		if dump != nil {
			conn.Write(dump[:a])
			syscall.Munmap(dump)
		}
	}
}

// selfReportMap returns memory that does not belong to the runtime, to be given back with Munmap: a dump of
// thousands of goroutines is not to count as memory that they use.
func selfReportMap() []byte {
	const protection, flags = syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_ANON | syscall.MAP_PRIVATE
	buf, _ := syscall.Mmap(-1, 0, 64<<20, protection, flags)
	return buf
}

var selfReportText [8 << 20]byte // only the pages written to take up memory

// selfReportBusy returns how many goroutines other than this one, which is the first, run or are
// ready to run. A goroutine in a system call counts as waiting.
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
