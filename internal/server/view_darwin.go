//go:build !portable

package server

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// kernelKnowsBest says that the kernel is asked rather than the server.
const kernelKnowsBest = false

// A kernelView is a server as the kernel of macOS sees it, by the system call proc_info: see
// xnu's sys/proc_info.h, from which the numbers and offsets are. It has not been run yet: what
// is wrong with it the probe finds, and then nothing of it is believed.
type kernelView struct {
	pid int
}

func newKernelView(pid int, _ *Tree) view { return kernelView{pid} }

const (
	callPIDInfo   = 2 // what to call
	callPIDFDInfo = 3

	pidListFDs   = 1 // and what it is to return
	pidTaskInfo  = 4
	fdSocketInfo = 3

	fdSizes  = 8 // bytes of a struct proc_fdinfo, proc_taskinfo, socket_fdinfo
	taskSize = 96
	sockSize = 792
)

// procInfo fills the buffer, and returns how much of it.
func procInfo(call, pid, flavor, arg int, buffer []byte) ([]byte, error) {
	const sysProcInfo = 336
	n, _, errno := syscall.Syscall6(sysProcInfo, uintptr(call), uintptr(pid), uintptr(flavor), uintptr(arg),
		uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)))
	switch {
	case errno == syscall.ESRCH:
		return nil, os.ErrProcessDone
	case errno != 0:
		return nil, os.NewSyscallError("proc_info", errno)
	}
	return buffer[:min(int(n), len(buffer))], nil
}

// task returns the struct proc_taskinfo of the process.
func (k kernelView) task() ([]byte, error) {
	info, err := procInfo(callPIDInfo, k.pid, pidTaskInfo, 0, make([]byte, taskSize))
	if err == nil && len(info) < taskSize {
		err = errors.ErrUnsupported
	}
	return info, err
}

func (k kernelView) cpu() (time.Duration, error) {
	info, err := k.task()
	if err != nil {
		return 0, err
	}
	ticks := binary.NativeEndian.Uint64(info[16:]) + binary.NativeEndian.Uint64(info[24:])
	if runtime.GOARCH == "arm64" {
		ticks = ticks * 125 / 3 // of 24 MHz; elsewhere they are nanoseconds
	}
	return time.Duration(ticks), nil
}

func (k kernelView) asleep() (bool, error) {
	info, err := k.task()
	return err == nil && binary.NativeEndian.Uint32(info[88:]) == 0, err
}

func (k kernelView) threads() (int, error) {
	info, err := k.task()
	if err != nil {
		return 0, err
	}
	return int(binary.NativeEndian.Uint32(info[84:])), nil
}

func (k kernelView) memory() (resident, addresses int64, err error) {
	info, err := k.task()
	if err != nil {
		return 0, 0, err
	}
	return int64(binary.NativeEndian.Uint64(info[8:])), int64(binary.NativeEndian.Uint64(info)), nil
}

// files returns the structs proc_fdinfo of the process, one for each descriptor.
func (k kernelView) files() ([]byte, error) {
	return procInfo(callPIDInfo, k.pid, pidListFDs, 0, make([]byte, 1<<14*fdSizes))
}

func (k kernelView) descriptors() (int, error) {
	files, err := k.files()
	return len(files) / fdSizes, err
}

func (k kernelView) visitor(conn net.Conn) (accepted bool, unread int, err error) {
	port := uint16(conn.LocalAddr().(*net.TCPAddr).Port)
	serverPort := uint16(conn.RemoteAddr().(*net.TCPAddr).Port)
	files, err := k.files()
	for ; len(files) >= fdSizes; files = files[fdSizes:] {
		const socket, tcp = 2, 2
		if binary.NativeEndian.Uint32(files[4:]) != socket {
			continue
		}
		fd := int(binary.NativeEndian.Uint32(files))
		info, err := procInfo(callPIDFDInfo, k.pid, fdSocketInfo, fd, make([]byte, sockSize))
		if err != nil || len(info) < sockSize || binary.NativeEndian.Uint32(info[256:]) != tcp {
			continue // closed meanwhile, or of another kind
		}
		remote, local := binary.BigEndian.Uint16(info[264:]), binary.BigEndian.Uint16(info[268:])
		if remote == port && local == serverPort {
			return true, int(binary.NativeEndian.Uint32(info[208:])), nil
		}
	}
	return false, 0, err
}

func (kernelView) zombies() (int, error) { return 0, errors.ErrUnsupported }
func (kernelView) limitFiles(int) error  { return errors.ErrUnsupported }
func (kernelView) ending() bool          { return false }
