package book

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// unlockPTY makes the terminal that belongs to the master ready to be opened and
// returns its name.
func unlockPTY(master *os.File) (string, error) {
	var number, unlocked uint32
	if err := ioctl(master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked)); err != nil {
		return "", err
	}
	if err := ioctl(master, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		return "", err
	}
	return "/dev/pts/" + strconv.Itoa(int(number)), nil
}
