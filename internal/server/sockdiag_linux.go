//go:build !portable

package server

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// The states of a TCP connection in which its ends can still speak.
const (
	established = 1
	closeWait   = 8 // the other end has no more to say
)

// visitor asks the kernel for this connection alone: to read /proc/net/tcp, which has all of
// the system, takes half a second where a benchmark leaves 50,000 behind.
func (kernelView) visitor(conn net.Conn) (accepted bool, unread int, err error) {
	client := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	server := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	replies, err := sockDiag(0, ^uint32(0), server, client)
	switch {
	case errors.Is(err, syscall.ENOENT): // it has ended
		return false, 0, nil
	case err != nil:
		return false, 0, err
	case binary.BigEndian.Uint16(replies[0][6:]) != client.Port(): // this is the listener
		return false, 0, nil
	}
	reply := replies[0]
	state, inode := reply[1], binary.NativeEndian.Uint32(reply[68:])
	// A connection has an inode once it is accepted.
	accepted = inode != 0 && (state == established || state == closeWait)
	return accepted, int(binary.NativeEndian.Uint32(reply[56:])), nil
}

// sockDiag asks the kernel for a TCP connection, or with NLM_F_DUMP for all in a set of
// states that have the local port: see sock_diag(7). Each reply is a struct inet_diag_msg.
func sockDiag(flags uint16, states uint32, local, remote netip.AddrPort) (replies [][]byte, err error) {
	const (
		sockDiagByFamily = 20
		requestSize      = syscall.SizeofNlMsghdr + 56 // struct inet_diag_req_v2
	)
	const datagram = syscall.SOCK_DGRAM | syscall.SOCK_CLOEXEC
	fd, err := syscall.Socket(syscall.AF_NETLINK, datagram, syscall.NETLINK_INET_DIAG)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer syscall.Close(fd)

	host := binary.NativeEndian
	b := make([]byte, requestSize)
	host.PutUint32(b[0:], requestSize)
	host.PutUint16(b[4:], sockDiagByFamily)
	host.PutUint16(b[6:], syscall.NLM_F_REQUEST|flags)
	req := b[syscall.SizeofNlMsghdr:]
	req[0], req[1] = syscall.AF_INET6, syscall.IPPROTO_TCP
	if local.Addr().Is4() {
		req[0] = syscall.AF_INET
	}
	host.PutUint32(req[4:], states)
	binary.BigEndian.PutUint16(req[8:], local.Port())
	binary.BigEndian.PutUint16(req[10:], remote.Port())
	copy(req[12:28], local.Addr().AsSlice())
	copy(req[28:44], remote.Addr().AsSlice())
	copy(req[48:56], "\xff\xff\xff\xff\xff\xff\xff\xff") // no cookie

	if err := syscall.Sendto(fd, b, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	for {
		b := make([]byte, 8192) // the kernel sends as much at once
		n, _, err := syscall.Recvfrom(fd, b, 0)
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case syscall.NLMSG_DONE:
				return replies, nil
			case syscall.NLMSG_ERROR:
				return nil, syscall.Errno(-int32(host.Uint32(m.Data)))
			}
			replies = append(replies, m.Data)
		}
		if flags&syscall.NLM_F_DUMP == 0 {
			return replies, nil
		}
	}
}
