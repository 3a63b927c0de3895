// Stage 4 lets the runtime do the waiting: its sockets are those of package
// net, where a goroutine that waits is parked and holds no thread. Such a wait
// can be ended: SIGINT and SIGTERM end the wait in Accept and let requests in
// progress finish, and a visitor who stays silent is dropped.
// It serves GET /, and GET /sleep, which is slow; anything else gets a 404.
//
// A test of handleConnection still needs a network. Stage 5 changes that.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

var (
	addr = flag.String("addr", "127.0.0.1:7878", "listen on `host:port`; port 0 picks a free one")
	slow = flag.Duration("slow", 5*time.Second, "how long GET /sleep takes")

	patience = flag.Duration("patience", 10*time.Second, "how long a visitor may take to send a request")
)

//go:embed hello.html
var helloPage string

//go:embed 404.html
var notFoundPage string

func main() {
	log.SetFlags(0)
	flag.Parse()
	if flag.NArg() > 0 || *slow < 0 || *patience <= 0 {
		log.Printf("unexpected argument, or too short a duration: %q", os.Args[1:])
		flag.Usage()
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("%v; try another address, as in -addr 127.0.0.1:0", err)
	}

	ctx, resetSignals := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		resetSignals() // the next signal ends the program, as it would by default
		log.Print("stopping; requests in progress may finish, a second signal ends them")
		listener.Close() // ends the wait in Accept
	})
	log.Printf("listening on http://%s", listener.Addr())

	var handlers sync.WaitGroup
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			// Most likely out of file descriptors. One is freed when a
			// visitor leaves; until then new visitors wait in the backlog.
			log.Printf("%v; trying again in a second", err)
			time.Sleep(time.Second)
			continue
		}
		handlers.Go(func() { serve(ctx, conn) })
	}
	handlers.Wait()
}

// serve calls handleConnection and closes the connection. A visitor who has sent
// no request when the patience is over, or the server stops, is dropped.
func serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(*patience))
	stop := context.AfterFunc(ctx, func() {
		// Just long enough to read what has arrived already.
		conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	})
	defer stop()
	handleConnection(conn)
}

// handleConnection answers one request.
// A visitor who leaves early or sends nonsense ends only their own connection.
func handleConnection(conn net.Conn) {
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
