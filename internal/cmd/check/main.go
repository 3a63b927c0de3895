// Check examines a web server: it runs the scripts under testdata against the server, and
// says which stage the server has reached.
//
//	go run ./internal/cmd/check -server 'python3 docs/examples/server.py'
//	go run ./internal/cmd/check -watch -stage 3
//
// The other flags are in usage. The exit status is 1 if the server has not reached the
// stage that is asked for, or cannot be examined, 2 if the command line makes no
// sense, and 130 after Ctrl-C. With -watch, the server is examined again whenever one of its
// files is saved.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/screen"
	"example.com/concurrent-web-server/internal/server"
)

var (
	spec     = flag.String("server", "", "") // empty for one of the workbook's own stages
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
       make check STAGE=3                         is the workbook's own stage 3?
       make check SERVER=./_mine TELL=pages/home  run one script, and show each step
       make check SERVER=./_mine V=1              show all scripts that fail in full
       make watch SERVER=./_mine, or STAGE=3      ask again whenever a file is saved

Without make: bin/check -server ./_mine -at 127.0.0.1:7878 -slow-page /work -stage 3 -strict -tell pages/home -v -watch
What the server has to do: docs/your-own-server.md`

func main() {
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	flag.Parse()
	*script = strings.TrimSuffix(strings.TrimPrefix(*script, "testdata/"), ".txtar")
	err := checkFlags()
	if err == nil && *spec != "" {
		err = checkServer(*spec)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(run())
}

// checkFlags returns an error that says what to write instead if the flags make no sense. It
// puts the address of -at into its usual form.
func checkFlags() error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q\n%s", flag.Arg(0), usage)
	case *number < 0 || *number > len(behaviour.Stages):
		return fmt.Errorf("there is no stage %d: they are 1 to %d\n%s", *number, len(behaviour.Stages), usage)
	case *spec == "" && (*number == 0 || *at != ""):
		return fmt.Errorf("which server? SERVER names the folder or the command that starts it\n%s", usage)
	case *strict && *number == 0 && *script == "":
		return fmt.Errorf("strictly like which stage?\n%s", usage)
	case *script != "" && !slices.Contains(behaviour.Scripts(), *script):
		return fmt.Errorf("There is no script %q. It has the name of its file under testdata, as in TELL=pages/home.", *script)
	case *at != "":
		addr, err := net.ResolveTCPAddr("tcp", *at)
		if err != nil || !addr.IP.IsLoopback() || addr.Port == 0 {
			return fmt.Errorf("AT=%s is not an address of this machine itself, as in AT=127.0.0.1:7878. "+
				"Servers elsewhere are not checked.", *at)
		}
		*at = addr.String()
	}
	return nil
}

// checkServer returns an error that says what SERVER has to be, if the spec cannot be that.
func checkServer(spec string) error {
	info, err := os.Stat(spec)
	goFiles, _ := filepath.Glob(filepath.Join(spec, "*.go"))
	problem := ""
	switch {
	case strings.Contains(spec, "://"):
		return fmt.Errorf("SERVER is what starts your server, and AT is where it listens, as in SERVER=./mine AT=127.0.0.1:7878.")
	case strings.HasPrefix(spec, "go run "):
		problem = "go run keeps the signals from the server."
	case err != nil && strings.Contains(spec, "/") && !strings.Contains(spec, " "):
		problem = "There is no " + spec + "."
	case err == nil && info.IsDir() && len(goFiles) == 0:
		problem = spec + " has no Go files in it."
	case err == nil && !info.IsDir() && info.Mode()&0o111 == 0:
		problem = spec + " is a file that cannot be run."
	}
	if problem != "" {
		return errors.New(problem + " SERVER is the folder of a Go main package, or the command that starts your server, " +
			"as in SERVER=./_mine/stage1 or SERVER='python3 mine.py'.")
	}
	return nil
}

// run examines the server until that is done or interrupted, and leaves nothing behind. It
// returns the exit status.
func run() int {
	folder, _ := os.Getwd()
	c := &checker{root: behaviour.Root(folder), screen: screen.New(os.Stdout)}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, func() {
		stop()           // a second signal ends check at once
		server.KillAll() // after which the scripts end, too
	})
	c.ctx = ctx
	cleanUp, err := server.CleanUpAtEnd("check")
	if err == nil {
		err = server.AllowFiles()
	}
	ok := false
	if err == nil {
		ok, err = c.check()
		cleanUp()
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "\ncheck: interrupted; all servers have been ended")
		return 130
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case !ok:
		return 1
	}
	return 0
}
