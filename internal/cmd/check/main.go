// Check examines a web server, in any language: it tells the stories under
// testdata about it, and says which stage it behaves like.
//
//	go run ./internal/cmd/check -server ./_mine
//	go run ./internal/cmd/check -server 'python3 docs/examples/server.py'
//	go run ./internal/cmd/check -server ./_mine -stage 3
//
// With -stage, the exit status is 0 if the server behaves like that stage, and 1
// if it does not; the first story that failed is told then. The status is 1
// also if the server cannot be examined, 2 if the command line makes no sense, and
// 130 after Ctrl-C. What a server has to do to be examined is in
// docs/your-own-server.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) (status int) {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(stderr)
	spec := flags.String("server", "", "the `server`: a folder with a Go main package, or a command line")
	number := flags.Int("stage", 0, "ask for the stage with this `number` only")
	flags.Usage = func() {
		fmt.Fprint(stderr, `usage: make check SERVER=./_mine            a folder with a Go main package
       make check SERVER='python3 mine.py'  or a command line
       make check SERVER=./_mine STAGE=3    is it a stage 3?

Without make: go run ./internal/cmd/check -server ./_mine -stage 3
What the server has to do: docs/your-own-server.md
`)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return 2
	case *spec == "":
		fmt.Fprintln(stderr, "which server?")
		flags.Usage()
		return 2
	case *number < 0 || *number > len(behaviour.Stages):
		fmt.Fprintf(stderr, "there is no stage %d: they are 1 to %d\n", *number, len(behaviour.Stages))
		flags.Usage()
		return 2
	case strings.HasPrefix(*spec, "go run "):
		fmt.Fprintf(stderr, "go run keeps the signals from the server; name the folder instead, as in SERVER=./_mine\n")
		return 2
	}

	// All that is left on the disk while this runs is in one folder.
	temp, err := os.MkdirTemp("", "check")
	if err != nil {
		fmt.Fprintln(stderr, "check:", err)
		return 1
	}
	defer os.RemoveAll(temp)
	os.Setenv("GOTMPDIR", temp)
	server.Adopt()
	defer server.KillStrays()

	interrupted := onInterrupt(temp)
	err = examine(*spec, *number, newReport(stdout, interrupted))
	if interrupted() {
		fmt.Fprintln(stderr, wasInterrupted)
		return 130
	}
	if failed := (*notAsAsked)(nil); errors.As(err, &failed) {
		fmt.Fprintf(stdout, "\n%s\n", failed)
		return 1
	}
	if err != nil {
		fmt.Fprintf(stderr, "\nYour server cannot be examined. %v\n\nWhat it has to do: docs/your-own-server.md\n", err)
		return 1
	}
	return 0
}

const wasInterrupted = "\ncheck: interrupted; all servers have been ended"

// onInterrupt makes the first signal end all servers, so that whoever waits for
// one has nothing to wait for any more, and a second signal end the program. It
// returns what says whether there was one.
func onInterrupt(temp string) (interrupted func() bool) {
	var was atomic.Bool
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		signal.Stop(signals)
		was.Store(true)
		server.KillAll()
		// The stories end now, in a moment. If one does not:
		time.Sleep(3 * time.Second)
		server.KillStrays()
		os.RemoveAll(temp)
		fmt.Fprintln(os.Stderr, wasInterrupted)
		os.Exit(130)
	}()
	return was.Load
}

// examine examines the server and reports to r. It returns a notAsAsked if
// the server is not at the stage with the number, where 0 means any; any other
// error says why it cannot be examined.
func examine(spec string, number int, r *report) error {
	if _, err := os.Stat(spec); err != nil && strings.Contains(spec, "/") && !strings.ContainsAny(spec, " \t;&|'\"$") {
		return fmt.Errorf("There is no %s here, neither a folder nor a program.", spec)
	}
	program, err := server.Open(spec)
	if err != nil {
		return fmt.Errorf("%w\nIf it is not a Go program, name the command that starts it, as in SERVER='python3 mine.py'.", err)
	}
	defer program.Close()
	if err := keepsContract(program); err != nil {
		return err
	}
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	root := behaviour.Root(folder)
	asked := behaviour.Behaviours
	if number > 0 {
		asked = behaviour.Stages[number-1].Behaviours
	}
	for _, b := range asked {
		if b == "forgotten-await" {
			continue // which changes the source of the workbook's own stage 2
		}
		scripts, err := behaviour.Scripts(root, b)
		if err != nil {
			return err
		}
		r.expect(b, scripts)
	}
	r.results(behaviour.Decide(root, program, r.scripts(), 24, r.done))
	if r.interrupted() {
		return errors.New("interrupted")
	}
	if number > 0 {
		return r.judge(behaviour.Stages[number-1])
	}
	r.verdict()
	return nil
}
