// Stage 3 is concurrent: it starts a goroutine for each visitor and does not
// wait for it, so goroutine 1 is back in Accept before the reply is sent.
// It serves GET /, and GET /sleep, which is slow; anything else gets a 404.
//
// Every wait for a visitor holds an operating system thread, so 10,000 silent
// visitors end the program. It cannot end such a wait. Stage 4 changes that.
package main

import (
	_ "embed"
	"flag"
	"log"
	"os"
	"time"
)

var (
	addr = flag.String("addr", "127.0.0.1:7878", "listen on `host:port`; port 0 picks a free one")
	slow = flag.Duration("slow", 5*time.Second, "how long GET /sleep takes")
)

//go:embed hello.html
var helloPage string

//go:embed 404.html
var notFoundPage string

func main() {
	log.SetFlags(0)
	flag.Parse()
	if flag.NArg() > 0 || *slow < 0 {
		log.Printf("unexpected argument, or too short a duration: %q", os.Args[1:])
		flag.Usage()
		os.Exit(2)
	}
	listener, err := listen(*addr)
	if err != nil {
		log.Fatalf("%v; try another address, as in -addr 127.0.0.1:0", err)
	}
	log.Printf("listening on http://%s", listener.Addr())

	for {
		conn, err := listener.Accept()
		if err != nil {
			// Most likely out of file descriptors. One is freed when a
			// visitor leaves; until then new visitors wait in the backlog.
			log.Printf("%v; trying again in a second", err)
			time.Sleep(time.Second)
			continue
		}
		go handleConnection(conn)
	}
}

// handleConnection answers one request and closes the connection.
// A visitor who leaves early or sends nonsense ends only their own connection.
func handleConnection(conn *os.File) {
	defer conn.Close()
	request, err := readRequest(conn)
	if err != nil {
		refuse(conn, err)
		return
	}
	if request == "GET /sleep" {
		time.Sleep(*slow)
	}
	status, page := choosePage(request)
	writeReply(conn, status, page)
}

// choosePage returns the answer to a request such as "GET /".
func choosePage(request string) (status, page string) {
	switch request {
	case "GET /", "GET /sleep":
		return "200 OK", helloPage
	default:
		return "404 Not Found", notFoundPage
	}
}
