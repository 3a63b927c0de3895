//go:build !386 && !s390x

package main

import (
	"syscall"
	"unsafe"
)

// System calls that the runtime is not told of: it could do nothing in the
// meantime, and the telling would cost something.

func accept(fd int) (int, error) {
	conn, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), 0, 0, 0, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(conn), nil
}

func read(fd int, p []byte) {
	syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
}

func write(fd int, p []byte) {
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
}

func closeSocket(fd int) {
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0)
}
