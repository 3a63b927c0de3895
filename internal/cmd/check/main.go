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
	"sync"
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

const usage = `usage: make check SERVER=./_mine                  a folder with a Go main package
       make check SERVER='python3 mine.py'        or a command
       make check SERVER=./_mine STAGE=3          is it a stage 3?
       make check STAGE=3                         is the workbook's own one?
       make check SERVER=./_mine TELL=pages/home  tell one story, with all that is done
       make check SERVER=./_mine V=1              tell all stories that fail in full
       make watch SERVER=./_mine                  ask again whenever a file is saved

Without make: bin/check -server ./_mine -stage 3 -tell pages/home -v -watch
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
	case opt.script != "" && opt.server == "" && *number == 0:
		return misused("of which server is %s to be told?", opt.script)
	case strings.HasPrefix(opt.server, "go run "):
		fmt.Fprintln(stderr, "go run keeps the signals from the server; name the folder instead, as in SERVER=./_mine")
		return opt, 2
	}
	opt.script = strings.TrimSuffix(strings.TrimPrefix(opt.script, "testdata/"), ".txtar")
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// All that is left on the disk while this runs is in one folder.
	temp, err := os.MkdirTemp("", "check")
	if err != nil {
		fmt.Fprintln(stderr, "check:", err)
		return 1
	}
	os.Setenv("TMPDIR", temp)
	server.BecomeSubreaper()
	// The last thing that is done, and once: by whoever comes first.
	cleanUp := sync.OnceFunc(func() {
		server.KillOrphans()
		os.RemoveAll(temp)
	})
	defer cleanUp()
	context.AfterFunc(ctx, func() {
		server.KillAll()
		// The stories end now, in a moment. If one does not:
		time.Sleep(3 * time.Second)
		cleanUp()
		os.Exit(interrupted(stderr))
	})

	c := &checker{options: opt, ctx: ctx, screen: newScreen(stdout)}
	status = c.check(stderr)
	if ctx.Err() != nil {
		return interrupted(stderr)
	}
	return status
}

func interrupted(stderr io.Writer) (status int) {
	fmt.Fprintln(stderr, "\ncheck: interrupted; all servers have been ended")
	return 130
}

// check does what the options ask for, and returns the exit status.
func (c *checker) check(stderr io.Writer) int {
	folder, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(stderr, "check:", err)
		return 1
	}
	c.root = behaviour.Root(folder)
	if _, err := os.Stat(filepath.Join(c.root, "testdata", "pages")); err != nil {
		fmt.Fprintln(stderr, "The stories are not here: check is to be run in the workbook's folder.")
		return 1
	}
	if c.watch {
		err = c.watchAll()
	} else {
		ok := true
		spec := c.server
		if spec == "" {
			spec = filepath.Join(c.root, c.stage.Folder)
		}
		var text string
		if text, ok, err = c.examine(spec, c.stage); err == nil {
			c.screen.println(text)
		}
		if err == nil && !ok && (c.stage != nil || c.script != "") {
			return 1
		}
	}
	if err != nil && c.ctx.Err() == nil {
		c.screen.forget()
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}
