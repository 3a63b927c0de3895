// Lab shows the five servers live, side by side, on a page of this machine: make lab.
// docs/lab.md says what can be done with it. It listens on the machine itself only,
// writes nothing into the workbook's folder, and leaves nothing behind: neither a
// server nor a file.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7870", "`where` to listen, on this machine itself; port 0 is any free one")
	stage := flag.Int("stage", 0, "show the `stage` with this number alone: make lab STAGE=3")
	own := flag.String("server", "", "show a `server` of your own as well: make lab SERVER='python3 mine.py'")
	flag.Parse()
	if flag.NArg() > 0 || *stage < 0 || *stage > len(behaviour.Stages) {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*addr, *stage, *own); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// run serves the lab until it is interrupted.
func run(addr string, stage int, own string) error {
	listener, err := listen(addr)
	if err != nil {
		return err
	}
	defer listener.Close()

	// All that is left on the disk while this runs is in one folder.
	temp, err := os.MkdirTemp("", "lab")
	if err != nil {
		return err
	}
	server.RemoveAtEnd(temp)
	defer os.RemoveAll(temp)
	os.Setenv("TMPDIR", temp)
	server.BecomeSubreaper()
	defer server.KillOrphans()
	defer server.KillAll()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	// The reader's server may be named as seen from the workbook's folder.
	folder = behaviour.Root(folder)
	if err := os.Chdir(folder); err != nil {
		return err
	}
	lab, err := newLab(ctx, folder, temp, stage, own)
	if err != nil {
		return err
	}
	fmt.Printf("the lab is at http://%s\n", listener.Addr())
	web := &http.Server{Handler: lab.handler(), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go web.Serve(listener)
	<-ctx.Done()
	return web.Close()
}

// listen listens on an address of this machine itself, and on no other: whoever
// reaches the lab can start and end servers.
func listen(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err == nil && !loopback(host) {
		err = fmt.Errorf("-addr %s: the lab listens on this machine itself only", addr)
	}
	var listener net.Listener
	if err == nil {
		listener, err = net.Listen("tcp", addr)
	}
	if err != nil {
		err = fmt.Errorf("%w; try make lab ARGS='-addr 127.0.0.1:0'", err)
	}
	return listener, err
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
