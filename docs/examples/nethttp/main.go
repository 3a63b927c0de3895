// Nethttp is what stage 5 comes to with the standard library's own server,
// which is what to use in earnest: the same three routes and pages, the same
// flags and log lines, and net/http for all the rest.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var (
	addr     = flag.String("addr", "127.0.0.1:7878", "listen on `host:port`; port 0 picks a free one")
	slow     = flag.Duration("slow", 5*time.Second, "how long GET /sleep takes")
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
	server := &http.Server{
		Handler:        routes(),
		ReadTimeout:    *patience, // for head and body, and between two requests
		MaxHeaderBytes: 64 << 10,  // instead of a megabyte
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		stop() // the next signal ends the program, as it would by default
		log.Print("stopping; requests in progress may finish, a second signal ends them")
		stopped <- server.Shutdown(context.Background())
	})
	log.Printf("listening on http://%s", listener.Addr())

	// Serve returns as soon as Shutdown has closed the listener; the requests
	// in progress are done when Shutdown returns.
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
}

// routes says who answers what. Each request is handled in a goroutine of its
// own, which the server has started.
func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, helloPage)
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(*slow)
		io.WriteString(w, helloPage)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// If the connection is closed after the reply, the server does not
		// read what the handler has left unread, and the visitor gets a reset.
		io.CopyN(io.Discard, r.Body, 256<<10)
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, notFoundPage)
	})
	return mux
}
