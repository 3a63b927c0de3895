package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
)

const atOnce = 16 // stories, which mostly wait

type checker struct {
	options
	ctx    context.Context
	root   string // the workbook's folder
	screen *screen
}

// examine examines the server that spec names. It returns what came of it, and
// whether it is like the stage, or like any if stage is nil. The error says why it
// cannot be examined.
func (c *checker) examine(spec string, stage *behaviour.Stage) (text string, ok bool, err error) {
	if _, err := os.Stat(spec); err != nil && strings.Contains(spec, "/") && !strings.ContainsAny(spec, " \t;&|'\"$") {
		return "", false, fmt.Errorf("There is no %s here, neither a folder nor a program.", spec)
	}
	program, err := server.Open(spec)
	if goFiles, _ := filepath.Glob(filepath.Join(spec, "*.go")); errors.As(err, new(*server.BuildError)) && len(goFiles) == 0 {
		err = fmt.Errorf("%w\nIf it is not a Go program, name the command that starts it, as in SERVER='python3 mine.py'.", err)
	}
	if err != nil {
		return "", false, err
	}
	defer program.Close()
	if err := keepsContract(program); err != nil {
		return "", false, fmt.Errorf("Your server cannot be examined. %w\n\nWhat it has to do: docs/your-own-server.md", err)
	}
	runner := &behaviour.Runner{Root: c.root, Program: program, Stage: c.isStage(program), Deadline: time.Now().Add(10 * time.Minute)}
	if c.script != "" {
		return c.tellOne(runner, stage)
	}
	var told atomic.Int32
	report := runner.RunAll(c.ctx, stage, atOnce, func(behaviour.Result) {
		c.screen.progress(fmt.Sprintf("%d stories told", told.Add(1)))
	})
	if c.ctx.Err() != nil {
		return "", false, c.ctx.Err()
	}
	text, ok = c.verdict(report, spec)
	return text, ok, nil
}

// isStage says whether the program is built from one of the workbook's stages.
func (c *checker) isStage(p *server.Program) bool {
	for _, s := range behaviour.Stages {
		if p.Folder == filepath.Join(c.root, s.Folder) {
			return true
		}
	}
	return false
}

// verdict says in a line each what the server does, and then which stage it is like.
func (c *checker) verdict(report *behaviour.Report, spec string) (text string, ok bool) {
	who, again := "Your server", "make check SERVER='"+strings.ReplaceAll(spec, "'", `'\''`)+"' TELL=NAME"
	if c.server == "" {
		who, again = filepath.Base(spec), fmt.Sprintf("make check STAGE=%d TELL=NAME", report.Stage.Number)
	}
	verdict, ok := report.Verdict(who, again)
	text = strings.Join(report.Lines(), "\n") + "\n\n" + strings.TrimSpace(verdict)
	if c.verbose {
		for _, r := range report.Failures() {
			text += "\n\n" + strings.TrimSpace(r.String())
		}
	}
	return text, ok
}

// tellOne tells one story, with all that was done and seen.
func (c *checker) tellOne(runner *behaviour.Runner, stage *behaviour.Stage) (text string, ok bool, err error) {
	if !slices.Contains(behaviour.Scripts(), c.script) {
		return "", false, fmt.Errorf("There is no story %q. A story has the name of its file under testdata, as in TELL=pages/home.", c.script)
	}
	if runner.Has = func(string) bool { return true }; stage != nil {
		runner.Has = stage.Has
	}
	r := runner.RunAlone(c.script)
	if c.ctx.Err() != nil {
		return "", false, c.ctx.Err()
	}
	// Before the story the log has the environment; where it failed, String says so.
	_, log, _ := strings.Cut(r.Log, "\n\n")
	if i := strings.LastIndex(log, "\nFAIL: "); i >= 0 {
		log = log[:i]
	}
	return strings.TrimSpace(log) + "\n\n" + strings.TrimSpace(r.String()), !r.Failed, nil
}

// keepsContract says what is wrong with a server that cannot be examined at all.
func keepsContract(program *server.Program) error {
	first, err := program.Start(server.Options{})
	if err != nil {
		return err
	}
	defer first.Kill()
	said := len(first.Log())
	if host, _, _ := net.SplitHostPort(first.Addr); host != "127.0.0.1" && host != "localhost" {
		return fmt.Errorf("It was told to listen on 127.0.0.1, and says that it listens on %s.", first.Addr)
	}
	if err := staysQuiet(first); err != nil {
		return err
	}
	second, err := program.Start(server.Options{})
	if err == nil {
		defer second.Kill()
	}
	const several = "Several of it run at the same time, each started with -addr 127.0.0.1:0, which means any free port."
	switch {
	case err != nil:
		return fmt.Errorf("While one is running, a second one does not start: %w\n%s Does it listen where -addr says?", err, several)
	case first.Addr == second.Addr:
		return fmt.Errorf("Two that were running at the same time both said that they listen on %s.\n%s Does it listen where -addr says?", first.Addr, several)
	}
	return endsWhenInterrupted(first, second, said)
}

// staysQuiet has a visitor come and go, and sees that the server is idle after that.
func staysQuiet(s *server.Server) error {
	v := visitor.Connect("somebody", s.Addr)
	defer v.Close()
	var over bool
	var err error
	s.Await(server.Idle, func() bool { over, err = v.Connected(); return over })
	if !over || err != nil {
		return fmt.Errorf("It says that it is listening on http://%s, and nobody can connect: %v.", s.Addr, err)
	}
	v.Close()
	quiet, watch := false, s.Watch()
	s.Await(server.Idle, func() bool {
		quiet = watch.QuietFor(server.Settled) >= server.Settled
		return quiet || s.Flooded()
	})
	switch {
	case s.Flooded():
		return flooded(s)
	case s.Exited():
		state, _ := s.Wait(0)
		return fmt.Errorf("It ended (%v), though nobody had interrupted it: one visitor had come, and left without a word. (A server stays in the foreground.)%s", state, s.Quote())
	case !quiet:
		return errors.New("It is never idle, even without a visitor: some thread of it is always busy. Does it ask again and again whether somebody has come?")
	}
	return nil
}

func endsWhenInterrupted(first, second *server.Server, said int) error {
	first.Signal(syscall.SIGINT)
	second.Signal(syscall.SIGINT)
	for _, s := range []*server.Server{first, second} {
		s.Await(server.Idle, func() bool { return s.Exited() || s.Flooded() })
	}
	// One that prints without end sleeps when the pipe is full, and on a busy machine
	// that is long before it has printed a megabyte. A pipe holds 64 KiB.
	const most = 32 << 10
	switch {
	case first.Flooded(), first.Exited() && len(first.Log()) > said+most:
		return flooded(first)
	case !first.Exited() || !second.Exited():
		return errors.New("It does not end when it is interrupted (SIGINT, which is what Ctrl-C sends). It has been killed.")
	}
	return nil
}

func flooded(s *server.Server) error {
	return fmt.Errorf("It prints without end, where one line is expected: listening on http://HOST:PORT.%s", s.Quote())
}

// A screen is where check prints: on a terminal a line can be written anew, and
// -watch draws all of it anew.
type screen struct {
	out   io.Writer
	live  bool // out is a terminal
	shown bool // the last line is one that goes away
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		s.live = err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	}
	return s
}

// progress shows a line that goes away.
func (s *screen) progress(line string) {
	if s.live {
		fmt.Fprint(s.out, "\r\x1b[K"+line)
		s.shown = true
	}
}

func (s *screen) println(line string) {
	s.forget()
	fmt.Fprintln(s.out, line)
}

// forget takes away the line that goes away.
func (s *screen) forget() {
	if s.shown {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.shown = false
	}
}

func (s *screen) clear() {
	if s.live {
		fmt.Fprint(s.out, "\x1b[H\x1b[2J")
		s.shown = false
	}
}
