// Check examines web servers: it runs the scripts under testdata against them, and
// says which stage each has reached.
//
//	go run ./internal/cmd/check -server 'python3 docs/examples/server.py'
//	go run ./internal/cmd/check -watch -stage 3
//
// The other flags are in usage. The exit status is 1 if a server has not reached the
// stage that is asked for, or cannot be examined, 2 if the command line makes no
// sense, and 130 after Ctrl-C. With -watch, a server is examined again whenever a file of
// its folder is saved; without -server and -stage, all five stages are.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/screen"
	"example.com/concurrent-web-server/internal/server"
)

var (
	spec     = flag.String("server", "", "") // empty for the workbook's own stages
	number   = flag.Int("stage", 0, "")
	script   = flag.String("tell", "", "")
	at       = flag.String("at", "", "") // empty for a server that is told where to listen
	slowPage = flag.String("slow-page", "/sleep", "")
	watching = flag.Bool("watch", false, "")
	verbose  = flag.Bool("v", false, "")
	strict   = flag.Bool("strict", false, "")
)

const usage = `usage: make check SERVER=./_mine                  a folder with a Go main package
       make check SERVER='python3 mine.py'        or a command
       make check SERVER='python3 mine.py {port}' that takes its port so
       make check SERVER=./mine AT=127.0.0.1:7878 or has a port of its own, and SLOW=/work
       make check SERVER=./_mine STAGE=3          has it reached stage 3?
       make check SERVER=./_mine STAGE=3 STRICT=1 is it like stage 3, manners and all?
       make check STAGE=3                         is the workbook's own one?
       make check SERVER=./_mine TELL=pages/home  run one script, and show all that is done
       make check SERVER=./_mine V=1              show all scripts that fail in full
       make watch SERVER=./_mine                  ask again whenever a file is saved

Without make: bin/check -server ./_mine -at 127.0.0.1:7878 -slow-page /work -stage 3 -strict -tell pages/home -v -watch
What the server has to do: docs/your-own-server.md
`

func main() {
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		misused("unexpected argument %q", flag.Arg(0))
	case *number < 0 || *number > len(behaviour.Stages):
		misused("there is no stage %d: they are 1 to %d", *number, len(behaviour.Stages))
	case *at != "" && *spec == "":
		misused("which server listens on %s? Name the command that starts it", *at)
	case *spec == "" && *number == 0 && *script != "":
		misused("which server is %s to be run against?", *script)
	case *spec == "" && *number == 0 && !*watching:
		misused("which server?")
	case *strict && *number == 0 && *script == "":
		misused("strictly like which stage?")
	}
	if err := completeFlags(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	*script = strings.TrimSuffix(strings.TrimPrefix(*script, "testdata/"), ".txtar")
	os.Exit(run())
}

func misused(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	flag.Usage()
	os.Exit(2)
}

// run does what the command line asks for, until it is done or interrupted, and leaves
// nothing behind. It returns the exit status.
func run() int {
	folder, _ := os.Getwd()
	root := behaviour.Root(folder)
	if _, err := os.Stat(filepath.Join(root, "testdata", "pages")); err != nil {
		fmt.Fprintln(os.Stderr, "The scripts are not here: check is to be run in the workbook's folder.")
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	cleanUp, err := server.CleanUpAtEnd("check")
	if err == nil {
		err = server.AllowFiles()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		return 1
	}

	if line := server.Unseen(); line != "" && *verbose {
		fmt.Fprintln(os.Stderr, line)
	}

	const interrupted = 130
	status, done := interrupted, make(chan int, 1)
	go func() {
		c := &checker{ctx: ctx, root: root, screen: screen.New(os.Stdout), rowsBeside: 2} // the prompt, and make's last word
		done <- c.check()
	}()
	select {
	case status = <-done:
	case <-ctx.Done():
		server.KillAll()
		select {
		case <-done: // without servers the scripts end in a moment
		case <-time.After(3 * time.Second):
		}
	}
	cleanUp()
	if status == interrupted {
		fmt.Fprintln(os.Stderr, "\ncheck: interrupted; all servers have been ended")
	}
	return status
}
