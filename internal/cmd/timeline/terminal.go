package main

import (
	"os"
	"syscall"
	"unsafe"
)

// windowSize returns how many columns and rows f has. The error means that f is
// no terminal.
func windowSize(f *os.File) (cols, rows int, err error) {
	var size struct{ rows, cols, x, y uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, 0, errno
	}
	return int(size.cols), int(size.rows), nil
}
