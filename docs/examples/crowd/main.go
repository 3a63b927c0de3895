// Crowd connects many visitors who say nothing, and stays until the server
// closes the first one's connection, or Ctrl-C:
//
//	go run ./docs/examples/crowd 127.0.0.1:7878 300
package main

import (
	"log"
	"net"
	"os"
	"strconv"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: crowd host:port number")
	}
	number, err := strconv.Atoi(os.Args[2])
	if err != nil || number < 1 {
		log.Fatalf("%q is no number of visitors", os.Args[2])
	}
	crowd := make([]net.Conn, number) // the garbage collector closes a connection that nobody keeps
	for i := range crowd {
		if crowd[i], err = net.Dial("tcp", os.Args[1]); err != nil {
			log.Fatalf("visitor %d: %v", i+1, err)
		}
	}
	_, err = crowd[0].Read(make([]byte, 1))
	log.Fatalf("visitor 1 was let go: %v", err)
}
