//go:build !portable

package server

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
)

// listeners returns the sockets on which the processes listen. It is an error if
// the kernel does not tell.
func (p Processes) listeners() (all []listener, err error) {
	inodes := p.sockets()
	for _, any := range []string{"0.0.0.0:0", "[::]:0"} {
		const listen = 10 // the state of a TCP socket
		replies, err := sockDiag(syscall.NLM_F_DUMP, 1<<listen, netip.MustParseAddrPort(any), netip.AddrPort{})
		if err != nil {
			return nil, err
		}
		for _, reply := range replies {
			if slices.Contains(inodes, binary.NativeEndian.Uint32(reply[68:])) {
				host := net.IP(reply[8:24])
				if reply[0] == syscall.AF_INET {
					host = host[:4]
				}
				all = append(all, listener{host, int(binary.BigEndian.Uint16(reply[4:])), int(binary.NativeEndian.Uint32(reply[60:]))})
			}
		}
	}
	return all, nil
}

// sockets returns the inodes of all sockets that the processes have open.
func (p Processes) sockets() (inodes []uint32) {
	for _, pid := range p {
		folder := fmt.Sprintf("/proc/%d/fd/", pid)
		files, _ := os.ReadDir(folder)
		for _, file := range files {
			var inode uint32
			target, _ := os.Readlink(folder + file.Name())
			if n, _ := fmt.Sscanf(target, "socket:[%d]", &inode); n == 1 {
				inodes = append(inodes, inode)
			}
		}
	}
	return inodes
}
