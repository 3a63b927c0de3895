//go:build linux && !portable && !386 && !s390x

package visitor

import (
	"cmp"
	"encoding/binary"
	"syscall"
	"unsafe"
)

// It uses a system call that 386 and s390x do not have.
func init() {
	Segments = func(v *Visitor) (segments int, err error) {
		const dataSegsIn = 152 // where tcpi_data_segs_in is in struct tcp_info: see tcp(7)
		var info [256]byte
		size := uint32(len(info))
		closed := v.raw.Control(func(fd uintptr) {
			_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
				uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
			if errno != 0 {
				err = errno
			}
		})
		return int(binary.NativeEndian.Uint32(info[dataSegsIn:])), cmp.Or(err, closed)
	}
}
