// Lab shows the five servers live, side by side, on a page of this machine: make lab. docs/lab.md is its manual.
// It listens on this machine only, writes nothing into the workbook's folder, and leaves no server and no file behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7870", "the `address` of the lab; port 0 is any free one")
	stage := flag.Int("stage", 0, "show the stage with this `number` only")
	own := flag.String("server", "", "show this `server` too: a folder with a Go main package, or a command line")
	flag.Parse()
	if flag.NArg() > 0 || *stage < 0 || *stage > len(behaviour.Stages) {
		fmt.Fprintf(os.Stderr, "lab: the stages are 1 to %d, and only flags are taken, not %q\n", len(behaviour.Stages), flag.Args())
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(*addr, *stage, *own); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// serve serves the lab until it is interrupted.
func serve(addr string, number int, own string) error {
	// A program that reaches the lab can start and end servers.
	if !loopback(addr) {
		return fmt.Errorf("-addr %s: the lab listens on this machine itself only; try -addr 127.0.0.1:0", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w; try make lab ARGS='-addr 127.0.0.1:0'", err)
	}
	cleanUp, err := server.CleanUpAtEnd("lab")
	if err != nil {
		return err
	}
	defer cleanUp()
	defer server.KillAll()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	// The reader's server may be named as seen from the workbook's folder.
	folder, _ := os.Getwd()
	os.Chdir(behaviour.Root(folder)) // if it fails, newLab finds no stage
	stages := slices.Clone(behaviour.Stages)
	if number > 0 {
		stages = stages[number-1 : number]
	}
	if own != "" {
		stages = append(stages, behaviour.Stage{Folder: own, Adds: "your own server"})
	}
	lab, err := newLab(stages)
	if err != nil {
		return err
	}
	fmt.Printf("the lab is at http://%s\n", listener.Addr())
	web := &http.Server{Handler: lab.handler(), ReadHeaderTimeout: 10 * time.Second}
	go web.Serve(listener)
	<-ctx.Done()
	return web.Close()
}

// loopback says whether a host, with a port or without, is this machine itself.
func loopback(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	return name == "localhost" || net.ParseIP(name).IsLoopback()
}
