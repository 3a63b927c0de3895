// A server to begin with, at stage 1: it serves one visitor at a time.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

var (
	addr = flag.String("addr", "127.0.0.1:7878", "listen on `host:port`")
	slow = flag.Duration("slow", 5*time.Second, "how long GET /sleep takes")
)

func main() {
	flag.Parse()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on http://%s", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Print(err) // most likely no file descriptor is left
			time.Sleep(time.Second)
			continue
		}
		handle(conn)
	}
}

// handle answers one request and closes the connection.
func handle(conn net.Conn) {
	defer conn.Close()
	input := &io.LimitedReader{R: conn, N: 64 << 10} // a longer head is refused
	request, err := http.ReadRequest(bufio.NewReader(input))
	status, page := "404 Not Found", "<h1>Oops!</h1>"
	switch {
	case err != nil && input.N == 0:
		status = "431 Request Header Fields Too Large"
	case err == io.EOF: // the visitor has said nothing
		return
	case err != nil:
		status = "400 Bad Request"
	default:
		input.N = 256 << 10
		io.Copy(io.Discard, request.Body) // a socket closed with input unread sends a reset
		if request.Method == "GET" && request.RequestURI == "/sleep" {
			time.Sleep(*slow)
		}
		if request.Method == "GET" && (request.RequestURI == "/" || request.RequestURI == "/sleep") {
			status, page = "200 OK", "<h1>Hello!</h1>"
		}
	}
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, len(page), page)
}
