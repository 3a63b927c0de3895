//go:build linux

// Limit is the cheapest server that the machine allows, for the benchmark to
// compare the others with: one thread that accepts a visitor, reads once,
// writes the same reply whatever was asked, and closes. It parses nothing,
// logs nothing and survives no error, and is no example to follow. It is run
// at the root of the repository, where the page is.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7878", "listen on `host:port`; port 0 picks a free one")
	flag.Parse()
	log.SetFlags(0)
	page, err := os.ReadFile("stage1-blocking/hello.html")
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		log.Fatal(err)
	}
	reply := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n"+
		"Content-Type: text/html; charset=utf-8\r\n"+
		"Content-Length: %d\r\n"+
		"Connection: close\r\n"+
		"\r\n%s", len(page), page)

	runtime.LockOSThread()
	fd := socket.Fd() // puts the socket in blocking mode
	log.Printf("listening on http://%s", listener.Addr())
	var request [4096]byte
	for {
		// The runtime is not told of these system calls: it could do nothing in
		// the meantime, and the telling would cost something.
		conn, _, errno := syscall.RawSyscall(syscall.SYS_ACCEPT, fd, 0, 0)
		if errno == syscall.EINTR || errno == syscall.ECONNABORTED {
			continue
		}
		if errno != 0 {
			log.Fatal(errno)
		}
		syscall.RawSyscall(syscall.SYS_READ, conn, uintptr(unsafe.Pointer(&request[0])), uintptr(len(request)))
		syscall.RawSyscall(syscall.SYS_WRITE, conn, uintptr(unsafe.Pointer(&reply[0])), uintptr(len(reply)))
		syscall.RawSyscall(syscall.SYS_CLOSE, conn, 0, 0)
	}
}
