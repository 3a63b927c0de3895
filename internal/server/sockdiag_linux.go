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

// visitor says whether the other end of a client's connection has been accepted, and
// how many bytes have come there that have not been read. It is an error if the kernel
// does not tell. Unlike /proc/net/tcp, which has every connection of the system, its
// answer takes no longer where there are many.
func (kernelView) visitor(conn net.Conn) (accepted bool, unread int, err error) {
	client := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	server := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	replies, err := sockDiag(0, ^uint32(0), server, client)
	if errors.Is(err, syscall.ENOENT) {
		// There is no such connection, or the kernel cannot tell of any.
		_, err = Visitors(int(server.Port()))
	}
	if len(replies) == 0 || remotePort(replies[0]) != client.Port() { // which would be the listener
		return false, 0, err
	}
	reply := replies[0]
	state, inode := reply[1], binary.NativeEndian.Uint32(reply[68:])
	// A connection has an inode once it is accepted.
	accepted = inode != 0 && (state == established || state == closeWait)
	return accepted, int(binary.NativeEndian.Uint32(reply[56:])), nil
}

// Visitors returns the established IPv4 connections to a port of this machine, by the
// visitors' ports. It asks the kernel for these alone: to read /proc/net/tcp takes half
// a second where a benchmark leaves 50,000 connections behind.
func Visitors(port int) (remote []uint16, err error) {
	local := netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port))
	replies, err := sockDiag(syscall.NLM_F_DUMP, 1<<established, local, netip.AddrPort{})
	for _, reply := range replies {
		remote = append(remote, remotePort(reply))
	}
	return remote, err
}

func remotePort(reply []byte) uint16 { return binary.BigEndian.Uint16(reply[6:]) }

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
		b := make([]byte, 8192) // the kernel sends no more at once to who takes no more
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
