// Timeline shows how the visitors of a server fare: it sends one slow visitor,
// three quick ones and a silent one to each stage in turn, or to a server of your
// own, and draws what happens while it happens.
//
//	go run ./internal/cmd/timeline
//	go run ./internal/cmd/timeline -stage 3
//	go run ./internal/cmd/timeline -server ./_mine
//	go run ./internal/cmd/timeline -figures docs/figures
//
// It is to be run in the workbook's own folder, where the stages are. Into a
// file, or with NO_COLOR in the environment, it draws plain text.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/timeline"
)

var (
	stage   = flag.Int("stage", 0, "show the stage with this `number` only")
	spec    = flag.String("server", "", "show this `server` instead: a folder with a Go main package, or a command line")
	slow    = flag.Duration("slow", time.Second, "how long the slow request takes; all else is in proportion")
	figures = flag.String("figures", "", "record every stage anew and write the drawings to this `folder`")
)

// recordings is where the recordings are that the figures are drawn from.
const recordings = "internal/timeline/testdata"

func main() {
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		misused("unexpected argument %q", flag.Arg(0))
	case *slow < 50*time.Millisecond:
		misused("-slow %v is too short to see anything; 50ms is the least", *slow)
	case *stage != 0 && *spec != "":
		fmt.Fprintln(os.Stderr, "Leave out STAGE (-stage) to see your server, or SERVER (-server) to see the stage.")
		os.Exit(2)
	case *figures != "" && (*stage != 0 || *spec != ""):
		misused("-stage, -server and -figures exclude each other")
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	screen := newScreen(os.Stdout)
	err := run(ctx, screen)
	switch {
	case ctx.Err() != nil:
		screen.interrupted()
		if !screen.live {
			os.Exit(130) // what there is of the output is not all of it
		}
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

func run(ctx context.Context, screen *screen) error {
	specs, err := servers()
	if err != nil {
		return err
	}
	if *figures != "" {
		for _, spec := range specs {
			if err := writeFigures(ctx, spec, *figures); err != nil {
				return err
			}
		}
		return nil
	}
	for _, spec := range specs {
		screen.draw(timeline.Recording{Server: spec + " is starting", Slow: *slow}) // it may have to be built
		r, err := record(ctx, spec, screen.draw)
		if len(r.Events) > 0 && ctx.Err() == nil {
			screen.finish(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// servers returns what is to be shown, as server.Open takes it.
func servers() ([]string, error) {
	if *spec != "" {
		return []string{*spec}, nil
	}
	all, _ := filepath.Glob("stage[0-9]*-*")
	if len(all) == 0 {
		return nil, errors.New("there are no stages here; run this in the workbook's own folder")
	}
	if *stage == 0 {
		return all, nil
	}
	one, _ := filepath.Glob(fmt.Sprintf("stage%d-*", *stage))
	if len(one) == 0 {
		return nil, fmt.Errorf("there is no stage %d, only %q", *stage, all)
	}
	return one, nil
}

func record(ctx context.Context, spec string, watch func(timeline.Recording)) (timeline.Recording, error) {
	program, err := server.Open(spec)
	if err != nil {
		return timeline.Recording{}, err
	}
	defer program.Close()
	return timeline.Record(ctx, program, *slow, watch)
}

// writeFigures records a stage and writes the recording and its drawings.
func writeFigures(ctx context.Context, spec, folder string) error {
	r, err := record(ctx, spec, nil)
	if err != nil {
		return err
	}
	if r.Blind {
		return errors.New("on this system it cannot be seen who is being served; draw the figures on Linux")
	}
	written := r.String()
	if r, err = timeline.Parse(written); err != nil { // what the test will draw
		return err
	}
	style := timeline.Style{Width: 80}
	for name, content := range map[string]string{
		filepath.Join(recordings, spec+".txt"): written,
		filepath.Join(folder, spec+".svg"):     timeline.SVG(r),
		filepath.Join(folder, spec+".txt"):     timeline.Legend(style, r.Blind) + "\n" + timeline.Text(r, style),
	} {
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			return err
		}
	}
	fmt.Println(filepath.Join(folder, spec+".svg"))
	return nil
}
