package book

import (
	"bytes"
	"os"
	"syscall"
	"unsafe"
)

// unlockPTY makes the terminal that belongs to the master ready to be opened and
// returns its name.
func unlockPTY(master *os.File) (string, error) {
	if err := ioctl(master, syscall.TIOCPTYGRANT, nil); err != nil {
		return "", err
	}
	if err := ioctl(master, syscall.TIOCPTYUNLK, nil); err != nil {
		return "", err
	}
	var name [128]byte // as long as TIOCPTYGNAME says that it may be
	if err := ioctl(master, syscall.TIOCPTYGNAME, unsafe.Pointer(&name)); err != nil {
		return "", err
	}
	end := bytes.IndexByte(name[:], 0)
	return string(name[:max(end, 0)]), nil
}
