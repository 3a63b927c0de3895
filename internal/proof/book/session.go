package book

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// copyName is the name of the folder that holds a page's copy of the repository.
const copyName = "concurrent-web-server"

// A session is a page being worked through: its sessions are run, in order, and the
// changes made that the reader is asked to make.
type session struct {
	book      *Book
	page      *page
	dir       string // the page's copy of the repository
	port      int    // in place of 7878
	env       []string
	terminals []*terminal
	changed   map[string]bool // the files that patch and file blocks have changed
	unvetted  map[string]bool // the folders of those that are Go and not vetted yet
	unvetAt   int             // the line of the first such block
	update    bool
	edits     []edit
}

// A Result is how the sessions of one page went.
type Result struct {
	Problem *Problem
	Screens string // what all terminals have shown
	edits   []edit
}

// Run works through a page. Its files go into the folder temp, which the caller
// removes. No process that it starts outlives it. With update, the output that the
// page shows and that is not what was printed becomes an edit.
func (b *Book) Run(ctx context.Context, p *page, temp string, update bool) *Result {
	s := &session{book: b, page: p, dir: filepath.Join(temp, copyName), env: environ(temp), update: update,
		changed: make(map[string]bool), unvetted: make(map[string]bool)}
	problem := s.run(ctx)
	var screens strings.Builder
	for _, t := range s.terminals {
		t.kill()
		screen := strings.ReplaceAll(s.plain(t.text(0)), prompt, "$ ")
		fmt.Fprintf(&screens, "\tterminal %s:\n\t\t%s\n", t.name, strings.ReplaceAll(strings.TrimRight(screen, "\n"), "\n", "\n\t\t"))
	}
	return &Result{problem, screens.String(), s.edits}
}

func (s *session) problemf(line int, format string, args ...any) *Problem {
	return &Problem{s.page.name, line, fmt.Sprintf(format, args...)}
}

// run does what the blocks of the page say.
func (s *session) run(ctx context.Context) *Problem {
	runs := func(blk *block) bool {
		verb, _ := blk.verb()
		return verb == "console" || verb == "patch" || verb == "file"
	}
	if !slices.ContainsFunc(s.page.blocks, runs) {
		return nil
	}
	if err := s.setUp(); err != nil {
		return s.problemf(1, "preparing the page's sessions: %v", err)
	}
	for _, blk := range s.page.blocks {
		if problem := s.do(ctx, blk); problem != nil {
			return problem
		}
	}
	if problem := s.vet(); problem != nil {
		return problem
	}
	for _, t := range s.terminals {
		if problem := s.finish(ctx, t); problem != nil {
			return problem
		}
	}
	return nil
}

// do does what one block says.
func (s *session) do(ctx context.Context, blk *block) *Problem {
	verb, args := blk.verb()
	switch verb {
	case "patch":
		return s.patch(blk, args)
	case "file":
		return s.file(blk, args)
	case "console", "restore":
		if problem := s.vet(); problem != nil {
			return problem
		}
	}
	switch verb {
	case "console":
		return s.console(ctx, blk)
	case "restore":
		return s.restore(blk)
	}
	return nil
}

// dropped are the variables that would make a session differ from one machine to another.
var dropped = regexp.MustCompile(`^(MAKE.*|MFLAGS|ARGS|STAGE|SERVER|QUICK|GO(TRACEBACK|DEBUG|GC|MAXPROCS|MEMLIMIT|COVERDIR|RACE|FLAGS)|PROMPT_COMMAND|BASH_ENV|CDPATH|LANG|LC_.*|GIT_.*|CURL_.*|PWD)=`)

// environ returns the environment of the sessions. The folder temp stands for the
// reader's own folder where a program looks for settings.
func environ(temp string) []string {
	env := slices.DeleteFunc(os.Environ(), dropped.MatchString)
	return append(env,
		"PS1="+prompt, "TERM=dumb", "LC_ALL=C", "HISTFILE=", "PAGER=cat",
		"GOFLAGS=-trimpath -buildvcs=false -ldflags=-s -vet=off",
		"CURL_HOME="+temp, "XDG_CONFIG_HOME="+temp,
		"GIT_CEILING_DIRECTORIES="+temp, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=reader", "GIT_AUTHOR_EMAIL=reader@example.com",
		"GIT_COMMITTER_NAME=reader", "GIT_COMMITTER_EMAIL=reader@example.com",
	)
}

var usesGit = regexp.MustCompile(`(?m)^ *\$ .*\bgit `)

// setUp makes the page's copy of the repository, which git knows if the page uses
// it, and chooses its port.
func (s *session) setUp() error {
	for _, name := range s.book.files {
		if strings.HasPrefix(name, "internal/proof/") && (strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/testdata/")) {
			continue // among them this test, which a session is not to run
		}
		if err := s.copyFile(name); err != nil {
			return err
		}
	}
	telemetry := filepath.Join(filepath.Dir(s.dir), "go", "telemetry")
	if err := os.MkdirAll(telemetry, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(telemetry, "mode"), []byte("off"), 0o666); err != nil {
		return err
	}
	if usesGit.Match(s.page.source) {
		for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "the workbook"}} {
			if out, err := s.command("git", args...); err != nil {
				return fmt.Errorf("git %s: %v\n%s", args[0], err, out)
			}
		}
	}
	s.port = freePort()
	return nil
}

var portsInUse sync.Map

// freePort returns a port on which nobody listens and that no other page has. It is
// not one of those that Linux gives to connections of its own accord.
func freePort() int {
	for {
		port := 20000 + rand.IntN(12000)
		if _, ok := portsInUse.LoadOrStore(port, true); ok {
			continue
		}
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			listener.Close()
			return port
		}
	}
}

// copyFile makes a file of the page's copy what it is in the repository.
func (s *session) copyFile(name string) error {
	file := s.path(name)
	data, err := s.book.read(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o777)
}

func (s *session) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// command runs a program in the page's copy of the repository.
func (s *session) command(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	return bytes.TrimSpace(out), err
}

// console runs a console block.
func (s *session) console(ctx context.Context, blk *block) *Problem {
	name := blk.terminal()
	i := slices.IndexFunc(s.terminals, func(t *terminal) bool { return t.name == name })
	if i < 0 {
		t, err := openTerminal(name, s.dir, s.env)
		if err != nil {
			return s.problemf(blk.line, "opening a terminal: %v", err)
		}
		i, s.terminals = len(s.terminals), append(s.terminals, t)
	}
	for _, seg := range blk.segments() {
		if problem := s.segment(ctx, s.terminals[i], blk, seg); problem != nil {
			return problem
		}
	}
	return nil
}

// segment types a command or presses a key, and waits for what the page shows of it.
func (s *session) segment(ctx context.Context, t *terminal, blk *block, seg *segment) *Problem {
	before, err := visitors(s.port)
	if err != nil {
		return s.problemf(seg.line, "the kernel does not say who is connected: %v", err)
	}
	switch {
	case seg.command != "":
		if problem := s.awaitEnd(ctx, t); problem != nil {
			return problem
		}
		t.start, t.command, t.blk, t.line, t.shown = t.size(), seg.command, blk, seg.line, nil
		if err := t.send(s.local(seg.command) + "\n"); err != nil {
			return s.problemf(seg.line, "%v", err)
		}
	case t.command == "":
		return s.problemf(seg.line, "nothing has been started in terminal %s that could print this", t.name)
	case seg.key != "":
		if _, ended := t.printed(); ended {
			return s.problemf(seg.line, "a key is pressed in terminal %s, where nothing is running: %q of line %d has ended", t.name, t.command, t.line)
		}
		if err := t.send(seg.key); err != nil {
			return s.problemf(seg.line, "%v", err)
		}
	}
	t.shown = append(t.shown, seg.output...)
	if len(seg.output) == 0 {
		return s.awaitVisitor(ctx, t, before)
	}
	return s.awaitOutput(ctx, t)
}

// awaitOutput waits until all that the page shows of the last command so far has
// appeared. The command may go on.
func (s *session) awaitOutput(ctx context.Context, t *terminal) *Problem {
	all := false
	err := t.await(ctx, 0, func() bool {
		text, ended := s.printed(t)
		all = t.shown.begins(text, s.update)
		return all || ended || !t.shown.possible(text, s.update)
	})
	if all || s.update && err == nil {
		return nil
	}
	return s.differs(t, err)
}

// awaitVisitor waits, for a command of which the page shows no output, until it has
// ended, or it is a visitor who waits: who is connected, while all processes of the page
// sleep and have not run since before the connection was seen.
func (s *session) awaitVisitor(ctx context.Context, t *terminal, before []uint16) *Problem {
	quiet := s.quiet()
	connected := func() bool {
		now, _ := visitors(s.port)
		return slices.ContainsFunc(now, func(visitor uint16) bool { return !slices.Contains(before, visitor) })
	}
	err := t.await(ctx, pause, func() bool {
		_, ended := t.printed()
		return ended || quiet() && connected() && quiet()
	})
	if err != nil {
		return s.problemf(t.line, "%q prints nothing, does not end and is no visitor who waits: %v", t.command, err)
	}
	return nil
}

// pause is how long it takes between two looks at processes and connections.
const pause = 10 * time.Millisecond

// quiet returns a condition: that all processes of the page are asleep, and none has
// run since the condition was asked for before.
func (s *session) quiet() func() bool {
	last := ""
	return func() bool {
		var pids []int
		for _, t := range s.terminals {
			pids = append(pids, processTree(t.shell.Process.Pid)...)
		}
		ok, state := asleep(pids)
		same := state == last
		last = state
		return ok && same
	}
}

// awaitEnd waits until the last command has ended, and checks what it has printed.
func (s *session) awaitEnd(ctx context.Context, t *terminal) *Problem {
	err := t.await(ctx, 0, func() bool {
		_, ended := t.printed()
		return ended
	})
	switch {
	case err != nil && t.command == "":
		return s.problemf(1, "the shell of terminal %s prints no prompt: %v", t.name, err)
	case err != nil:
		return s.problemf(max(t.line, t.shown.line()), "%q of line %d does not end, and nothing can be typed in terminal %s; is a ^C missing? (%v)", t.command, t.line, t.name, err)
	}
	return s.compare(t)
}

// finish waits, at the end of the page, until nothing more happens of itself, and checks
// what the last command has printed, whether it has ended or not.
func (s *session) finish(ctx context.Context, t *terminal) *Problem {
	quiet := s.quiet()
	err := t.await(ctx, pause, func() bool {
		text, ended := s.printed(t)
		return (ended || t.shown.begins(text, s.update) || !t.shown.possible(text, s.update)) && quiet()
	})
	if err != nil {
		return s.differs(t, err)
	}
	return s.compare(t)
}

// compare checks that the last command has printed what the page shows, and no more.
func (s *session) compare(t *terminal) *Problem {
	text, _ := s.printed(t)
	switch {
	case t.command == "" || t.shown.matches(text, false):
		return nil
	case s.update:
		return s.rewrite(t, text)
	}
	return s.differs(t, nil)
}

// differs says where what the last command has printed and what the page shows part.
func (s *session) differs(t *terminal, err error) *Problem {
	text, ended := s.printed(t)
	line, message := t.shown.difference(text)
	how := "goes on"
	if ended {
		how = "has ended"
	}
	if err != nil {
		how += ": " + err.Error()
	}
	return s.problemf(max(line, t.line), "terminal %s %s\n\t(%q of line %d %s)", t.name, message, t.command, t.line, how)
}

var (
	portPattern = regexp.MustCompile(`\b7878\b`)
	makeStage   = regexp.MustCompile(`\bmake stage\d\b`)
)

// local returns a command of the page as it is typed here: with this page's port in
// place of 7878, and with -addr for a stage that make starts.
func (s *session) local(command string) string {
	if makeStage.MatchString(command) && !strings.Contains(command, "-addr") {
		if before, after, ok := strings.Cut(command, "ARGS='"); ok {
			command = before + "ARGS='" + s.flag() + " " + after
		} else {
			command += " ARGS='" + s.flag() + "'"
		}
	}
	return portPattern.ReplaceAllString(command, strconv.Itoa(s.port))
}

func (s *session) flag() string { return "-addr=127.0.0.1:" + strconv.Itoa(s.port) }

// plain undoes local in what was printed.
func (s *session) plain(text string) string {
	text = strings.ReplaceAll(text, " ARGS='"+s.flag()+"'", "")
	text = strings.ReplaceAll(text, " "+s.flag(), "")
	return regexp.MustCompile(`\b`+strconv.Itoa(s.port)+`\b`).ReplaceAllString(text, "7878")
}

// printed returns what the last command has printed, as the page would show it, and
// whether it has ended.
func (s *session) printed(t *terminal) (text string, ended bool) {
	text, ended = t.printed()
	return s.plain(text), ended
}
