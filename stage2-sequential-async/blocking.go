package main

import (
	"net"
	"os"
	"syscall"
)

// A blockingListener is a listening socket in blocking mode, as Rust's std::net
// and every textbook have it: whoever waits in Accept holds an operating system
// thread until a visitor comes. Go's own net package never waits like that,
// so the first three stages go around it.
type blockingListener struct {
	socket *os.File
	addr   net.Addr
}

// listen opens a listening socket on addr and puts it in blocking mode. Nobody
// closes it: it lives as long as the program.
func listen(addr string) (*blockingListener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer listener.Close() // File returns a duplicate, which stays open
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	socket.Fd() // puts the socket in blocking mode
	return &blockingListener{socket, listener.Addr()}, nil
}

// Addr returns the address that visitors connect to.
func (l *blockingListener) Addr() net.Addr { return l.addr }

// Accept waits for the next visitor, holding its thread. The caller closes the
// connection, which is in blocking mode too: a Read from it holds a thread
// until the visitor has said something, and it cannot be given a deadline.
func (l *blockingListener) Accept() (*os.File, error) {
	for {
		fd, _, err := syscall.Accept(int(l.socket.Fd()))
		switch err {
		case nil:
			syscall.CloseOnExec(fd)
			return os.NewFile(uintptr(fd), "visitor"), nil
		case syscall.EINTR, syscall.ECONNABORTED:
			// A signal came, or the visitor left before we got here.
		default:
			return nil, os.NewSyscallError("accept", err)
		}
	}
}
