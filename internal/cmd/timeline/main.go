// Timeline shows who is served when: it sends one slow visitor, three quick ones and
// a silent one to each stage in turn, or to a server of your own, and draws what
// happened to each.
//
//	go run ./internal/cmd/timeline
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
)

func main() {
	flag.Parse()
	if flag.NArg() > 0 || *stage != 0 && *spec != "" {
		fmt.Fprintln(os.Stderr, "usage: make timeline [STAGE=1..5 | SERVER='python3 mine.py']")
		flag.PrintDefaults()
		os.Exit(2)
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
	fmt.Print(timeline.Legend(style))
	for _, spec := range specs {
		r, err := record(spec)
		if len(r.Events) > 0 && ctx.Err() == nil {
			fmt.Print("\n" + timeline.Text(r, style))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func record(spec string) (timeline.Recording, error) {
	program, err := server.Open(spec, server.Build{})
	if err != nil {
		return timeline.Recording{}, err
	}
	defer program.Close()
	if !program.Sees("requests") {
		fmt.Println("On this system a visitor who is being served looks like one who waits.")
	}
	return timeline.Record(program, time.Second)
}
