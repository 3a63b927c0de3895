// Timeline shows who is served when: it sends one slow visitor, three quick ones and
// a silent one to each stage in turn, or to a server of your own, and draws what
// happened to each.
//
//	go run ./internal/cmd/timeline
//	go run ./internal/cmd/timeline -stage 3
//	go run ./internal/cmd/timeline -server ./_mine
//
// It is to be run in the workbook's own folder, where the stages are. With NO_COLOR
// in the environment it draws without color, and into a file plain text.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/screen"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

var (
	stage = flag.Int("stage", 0, "show the stage with this `number` only")
	spec  = flag.String("server", "", "show this `server` instead: a folder with a Go main package, or a command line")
	slow  = flag.Duration("slow", time.Second, "how long the slow request takes; all else is in proportion")
)

func main() {
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		misused("unexpected argument %q", flag.Arg(0))
	case *slow < 50*time.Millisecond:
		misused("-slow %v is too short to see anything; 50ms is the least", *slow)
	case *stage != 0 && *spec != "":
		misused("leave out STAGE (-stage) to see your server, or SERVER (-server) to see the stage")
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, func() {
		stop()           // a second signal ends the program at once
		server.KillAll() // which ends the recording
	})
	err := run(ctx)
	switch {
	case ctx.Err() != nil:
		os.Exit(130) // some of the output is missing
	case err != nil:
		fmt.Fprintln(os.Stderr, "timeline:", err)
		os.Exit(1)
	}
}

func misused(format string, args ...any) {
	fmt.Fprintf(flag.CommandLine.Output(), format+"\n", args...)
	flag.Usage()
	os.Exit(2)
}

func run(ctx context.Context) error {
	specs := []string{*spec}
	if *spec == "" {
		pattern := "stage[0-9]*-*"
		if *stage != 0 {
			pattern = fmt.Sprintf("stage%d-*", *stage)
		}
		if specs, _ = filepath.Glob(pattern); len(specs) == 0 {
			return fmt.Errorf("there is no %s here: the stages are 1 to 5, in the workbook's own folder", pattern)
		}
	}
	screen := screen.New(os.Stdout)
	style := timeline.Style{Width: screen.Width, Color: screen.Live && os.Getenv("NO_COLOR") == ""}
	for i, spec := range specs {
		r, err := record(spec)
		if len(r.Events) > 0 && ctx.Err() == nil {
			if i == 0 {
				fmt.Print(timeline.Legend(style, r.Blind))
			}
			fmt.Print("\n" + timeline.Text(r, style))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func record(spec string) (timeline.Recording, error) {
	program, err := server.Open(spec)
	if err != nil {
		return timeline.Recording{}, err
	}
	defer program.Close()
	return timeline.Record(program, *slow)
}
