// Check examines web servers: it tells the stories under testdata about them, and
// says which stage each behaves like.
//
//	go run ./internal/cmd/check -server ./_mine
//	go run ./internal/cmd/check -server 'python3 docs/examples/server.py'
//	go run ./internal/cmd/check -server ./_mine -stage 3
//	go run ./internal/cmd/check -server ./_mine -tell many-at-once/slow-request
//	go run ./internal/cmd/check -watch -stage 3
//
// With -stage, the server has to behave like that stage, and the exit status is 0 if
// it does; without -server it is the workbook's own. The status is 1 if a server
// does not behave as asked or cannot be examined, 2 if the command line makes no
// sense, and 130 after Ctrl-C. What a server has to do to be examined is in
// docs/your-own-server.md.
//
// With -watch it examines a server again whenever a file of its folder is saved, until
// Ctrl-C; without -server and -stage, all five stages.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are what the command line asks for.
type options struct {
	server  string // a folder or a command line; empty for the workbook's own stages
	stage   *behaviour.Stage
	script  string // to be told alone
	watch   bool
	verbose bool
}

const usage = `usage: make check SERVER=./_mine            a folder with a Go main package
       make check SERVER='python3 mine.py'  or a command
       make check SERVER=./_mine STAGE=3    is it a stage 3?
       make watch STAGE=3                   ask again whenever a file is saved

Without make: go run ./internal/cmd/check -server ./_mine -stage 3
To be told one story in full: -tell many-at-once/slow-request
To be told all that failed in full: -v
What the server has to do: docs/your-own-server.md
`

func parseArgs(args []string, stderr io.Writer) (opt options, status int) {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	number := flags.Int("stage", 0, "")
	flags.StringVar(&opt.server, "server", "", "")
	flags.StringVar(&opt.script, "tell", "", "")
	flags.BoolVar(&opt.watch, "watch", false, "")
	flags.BoolVar(&opt.verbose, "v", false, "")
	misused := func(format string, args ...any) (options, int) {
		fmt.Fprintf(stderr, format+"\n", args...)
		flags.Usage()
		return opt, 2
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return opt, 0
	case err != nil:
		return opt, 2
	case flags.NArg() > 0:
		return misused("unexpected argument %q", flags.Arg(0))
	case *number < 0 || *number > len(behaviour.Stages):
		return misused("there is no stage %d: they are 1 to %d", *number, len(behaviour.Stages))
	case opt.server == "" && *number == 0 && !opt.watch:
		return misused("which server?")
	case strings.HasPrefix(opt.server, "go run "):
		fmt.Fprintln(stderr, "go run keeps the signals from the server; name the folder instead, as in SERVER=./_mine")
		return opt, 2
	}
	if *number > 0 {
		opt.stage = &behaviour.Stages[*number-1]
	}
	return opt, -1
}

func run(args []string, stdout, stderr io.Writer) (status int) {
	opt, status := parseArgs(args, stderr)
	if status >= 0 {
		return status
	}
	// All that is left on the disk while this runs is in one folder.
	temp, err := os.MkdirTemp("", "check")
	if err != nil {
		fmt.Fprintln(stderr, "check:", err)
		return 1
	}
	defer os.RemoveAll(temp)
	os.Setenv("TMPDIR", temp)
	server.BecomeSubreaper()
	defer server.KillOrphans()
	ctx, interrupted := untilInterrupted(temp)

	c := &checker{options: opt, ctx: ctx, screen: newScreen(stdout)}
	if c.root, err = os.Getwd(); err == nil {
		c.root = behaviour.Root(c.root)
	}
	if opt.watch {
		c.watchAll()
		return interrupted(stderr)
	}
	folder := opt.server
	if folder == "" {
		folder = filepath.Join(c.root, opt.stage.Folder)
	}
	ok, err := c.examine(folder, opt.stage)
	switch {
	case ctx.Err() != nil:
		return interrupted(stderr)
	case err != nil:
		fmt.Fprintf(stderr, "%v\n", err)
		return 1
	case !ok && opt.stage != nil:
		return 1
	}
	return 0
}

// untilInterrupted returns a context that the first signal ends. It ends all servers, too, so
// that whoever waits for one has nothing to wait for any more; a second signal ends
// the program.
func untilInterrupted(temp string) (ctx context.Context, interrupted func(stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	interrupted = func(stderr io.Writer) int {
		fmt.Fprintln(stderr, "\ncheck: interrupted; all servers have been ended")
		return 130
	}
	context.AfterFunc(ctx, func() {
		stop()
		server.KillAll()
		// The stories end now, in a moment. If one does not:
		time.Sleep(3 * time.Second)
		server.KillOrphans()
		os.RemoveAll(temp)
		os.Exit(interrupted(os.Stderr))
	})
	return ctx, interrupted
}
