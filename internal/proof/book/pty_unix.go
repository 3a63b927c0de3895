//go:build linux || darwin

package book

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// openPTY opens a pseudo-terminal of 80 by 24 characters. What is written to the
// master is typed at the terminal, and what the terminal shows is read from it.
// The caller closes both.
func openPTY() (master, tty *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			master.Close()
		}
	}()
	name, err := unlockPTY(master)
	if err != nil {
		return nil, nil, fmt.Errorf("unlocking a pseudo-terminal: %w", err)
	}
	tty, err = os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	size := struct{ rows, columns, x, y uint16 }{24, 80, 0, 0}
	if err := ioctl(tty, syscall.TIOCSWINSZ, unsafe.Pointer(&size)); err != nil {
		tty.Close()
		return nil, nil, fmt.Errorf("setting the size of a pseudo-terminal: %w", err)
	}
	return master, tty, nil
}

// ioctl leaves the file as it is, where f.Fd would put it in blocking mode.
func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	if err := raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg))
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}
