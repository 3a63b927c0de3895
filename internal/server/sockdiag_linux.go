package server

import (
	"encoding/binary"
	"net/netip"
	"syscall"
)

// tcpDiag asks the kernel for one connection, by its two ends: whether whoever
// has the local end has accepted it, and how many bytes have come that it has
// not read. It says !ok if there is none, or if this kernel does not answer such
// questions (see sock_diag(7)). Unlike /proc/net/tcp, which has every connection
// of the system, its answer takes no longer where there are many.
func tcpDiag(local, remote netip.AddrPort) (accepted bool, unread uint32, ok bool) {
	const (
		sockDiagByFamily = 20
		requestSize      = syscall.SizeofNlMsghdr + 56 // struct inet_diag_req_v2
		replySize        = syscall.SizeofNlMsghdr + 72 // struct inet_diag_msg
		established      = 1
		closeWait        = 8 // established, and the other end has no more to say
	)
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, syscall.NETLINK_INET_DIAG)
	if err != nil {
		return false, 0, false
	}
	defer syscall.Close(fd)

	host := binary.NativeEndian
	b := make([]byte, requestSize)
	host.PutUint32(b[0:], requestSize)
	host.PutUint16(b[4:], sockDiagByFamily)
	host.PutUint16(b[6:], syscall.NLM_F_REQUEST)
	req := b[syscall.SizeofNlMsghdr:]
	req[0], req[1] = syscall.AF_INET6, syscall.IPPROTO_TCP
	if local.Addr().Is4() {
		req[0] = syscall.AF_INET
	}
	host.PutUint32(req[4:], ^uint32(0)) // in any state
	binary.BigEndian.PutUint16(req[8:], local.Port())
	binary.BigEndian.PutUint16(req[10:], remote.Port())
	copy(req[12:28], local.Addr().AsSlice())
	copy(req[28:44], remote.Addr().AsSlice())
	copy(req[48:56], "\xff\xff\xff\xff\xff\xff\xff\xff") // no cookie

	if err := syscall.Sendto(fd, b, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return false, 0, false
	}
	b = make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, b, 0)
	if err != nil || n < replySize || host.Uint16(b[4:]) != sockDiagByFamily {
		return false, 0, false
	}
	reply := b[syscall.SizeofNlMsghdr:]
	// Where there is no such connection, the kernel answers with the listener.
	if binary.BigEndian.Uint16(reply[6:]) != remote.Port() {
		return false, 0, false
	}
	state, inode := reply[1], host.Uint32(reply[68:])
	// A connection has an inode once it is accepted.
	accepted = inode != 0 && (state == established || state == closeWait)
	return accepted, host.Uint32(reply[56:]), true
}
