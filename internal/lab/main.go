// Lab shows the five servers live, side by side, on a page of this machine.
//
//	go run ./lab                          in internal/proof, or: make lab
//	go run ./lab -addr 127.0.0.1:0        on any free port
//	go run ./lab -stage 3                 one stage alone
//	go run ./lab -server 'python3 mine.py'  the five, and a server of the reader's own
//
// docs/lab.md says what can be done with it. It listens on the machine itself only,
// writes nothing into the workbook's folder, and leaves nothing behind: neither a
// server nor a file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

const usage = `usage: make lab                              the five stages
       make lab STAGE=3                      one of them
       make lab SERVER='python3 mine.py'     and a server of your own
       make lab ARGS='-addr 127.0.0.1:0'     on any free port
`

func run(args []string, stdout, stderr io.Writer) (status int) {
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	addr := flags.String("addr", "127.0.0.1:7870", "")
	stage := flags.Int("stage", 0, "")
	own := flags.String("server", "", "")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 || *stage < 0 || *stage > len(behaviour.Stages) {
		flags.Usage()
		return 2
	}
	listener, err := listen(*addr)
	if err != nil {
		fmt.Fprintf(stderr, "lab: %v\n", err)
		return 1
	}
	defer listener.Close()

	// All that is left on the disk while this runs is in one folder.
	temp, err := os.MkdirTemp("", "lab")
	if err != nil {
		fmt.Fprintf(stderr, "lab: %v\n", err)
		return 1
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
		fmt.Fprintf(stderr, "lab: %v\n", err)
		return 1
	}
	folder = behaviour.Root(folder)
	os.Chdir(folder) // which the reader's server may be named from
	lab, err := newLab(ctx, folder, temp, *stage, *own)
	if err != nil {
		fmt.Fprintf(stderr, "lab: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "the lab is at http://%s\n", listener.Addr())
	web := &http.Server{Handler: lab.handler(), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go web.Serve(listener)
	<-ctx.Done()
	web.Close()
	return 0
}

// listen listens on an address of this machine itself, and on no other: whoever
// reaches the lab can start and end servers.
func listen(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("-addr %s: the lab listens on this machine itself only; try -addr 127.0.0.1:0", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("something listens on %s already, another lab perhaps; try make lab ARGS='-addr 127.0.0.1:0'", addr)
	}
	return listener, err
}
