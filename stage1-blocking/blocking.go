package main

import (
	"net"
	"os"
	"syscall"
)

// A blockingListener is a listening socket in blocking mode, as in Rust's
// std::net: a goroutine that waits in Accept holds an operating system thread.
// Go's net package never waits like that, so stages 1 to 3 go around it.
type blockingListener struct {
	fd   int // open for as long as the program runs
	addr net.Addr
}

// listen opens a listening socket on addr and puts it in blocking mode.
func listen(addr string) (*blockingListener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer listener.Close() // the descriptor that the poller knows; the duplicate stays open
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	raw.Control(func(original uintptr) { fd, err = syscall.Dup(int(original)) })
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	return &blockingListener{fd, listener.Addr()}, syscall.SetNonblock(fd, false)
}

// Addr returns the address that visitors connect to.
func (l *blockingListener) Addr() net.Addr { return l.addr }

// Accept waits for the next visitor, holding its thread. The caller closes the
// connection. A Read from it also holds a thread, and cannot have a deadline.
func (l *blockingListener) Accept() (*os.File, error) {
	fd, _, err := syscall.Accept(l.fd)
	for err == syscall.EINTR || err == syscall.ECONNABORTED { // a signal; a visitor who has left
		fd, _, err = syscall.Accept(l.fd)
	}
	if err != nil {
		return nil, os.NewSyscallError("accept", err)
	}
	syscall.CloseOnExec(fd) // ForkLock is not needed: this program starts no other
	return os.NewFile(uintptr(fd), "visitor"), nil
}
