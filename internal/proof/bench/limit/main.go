// Limit is the cheapest server that the machine allows, for the benchmark to
// compare the others with: one thread that accepts a visitor, reads once,
// writes the same reply whatever was asked, and closes. It parses nothing,
// logs nothing and survives no error, and is no example to follow.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"runtime"
	"syscall"
)

const page = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Hello!</title>
  </head>
  <body>
    <h1>Hello!</h1>
    <p>Hi from Go</p>
  </body>
</html>
`

func main() {
	addr := flag.String("addr", "127.0.0.1:7878", "listen on `host:port`; port 0 picks a free one")
	flag.Parse()
	log.SetFlags(0)
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
	fd := int(socket.Fd()) // puts the socket in blocking mode
	log.Printf("listening on http://%s", listener.Addr())
	var request [4096]byte
	for {
		conn, err := accept(fd)
		if err == syscall.EINTR || err == syscall.ECONNABORTED {
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		read(conn, request[:])
		write(conn, reply)
		closeSocket(conn)
	}
}
