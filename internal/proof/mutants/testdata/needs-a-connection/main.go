// Needs-a-connection says that its handler takes any reader and writer.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		handleConnection(conn)
		conn.Close()
	}
}

func handleConnection(conn io.ReadWriter) {
	visitor := conn.(net.Conn).RemoteAddr()
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n\r\nHello! %v", visitor)
}
