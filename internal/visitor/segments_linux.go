//go:build !portable && !386 && !s390x

package visitor

import (
	"errors"
	"syscall"
	"unsafe"
)

// SeesSegments says whether Segments can be had.
const SeesSegments = true

// Segments returns how many TCP segments with data the visitor has received: one for
// each write of the server's, as long as the writes are small and apart. It uses a system
// call that 386 and s390x do not have.
func (v *Visitor) Segments() (int, error) {
	// struct tcp_info of tcp(7); tcpi_data_segs_in came with Linux 4.6.
	const dataSegsIn = 152
	var info [256]byte
	size := uint32(len(info))
	if v.Conn() == nil {
		return 0, errors.New("not connected")
	}
	var errno syscall.Errno
	err := v.raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	switch {
	case err != nil:
		return 0, err
	case errno != 0:
		return 0, errno
	case size < dataSegsIn+4:
		return 0, errors.ErrUnsupported
	}
	return int(*(*uint32)(unsafe.Pointer(&info[dataSegsIn]))), nil
}
