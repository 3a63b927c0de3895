package book

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"example.com/concurrent-web-server/internal/server"
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
	terminals map[string]*terminal // by their names
	changed   map[string]bool      // the files that patch and file blocks have changed
	unvetted  map[string]int       // the folders of those that are Go and not vetted yet, with the block's line
	update    bool
	edits     []edit
}

// Run works through a page. Its files go into the folder temp, which the caller
// removes. No process that it starts outlives it. With update, the output that the
// page shows and that is not what was printed becomes an edit. It returns the page's
// text after the edits, what all terminals have shown, and the first problem.
func (b *Book) Run(ctx context.Context, p *page, temp string, update bool) (text, screens string, err error) {
	s := &session{
		book: b, page: p, update: update,
		dir: filepath.Join(temp, copyName), env: environ(temp), port: freePort(),
		terminals: make(map[string]*terminal), changed: make(map[string]bool), unvetted: make(map[string]int),
	}
	err = s.run(ctx)
	for _, name := range slices.Sorted(maps.Keys(s.terminals)) {
		t := s.terminals[name]
		t.kill()
		screen := strings.TrimRight(strings.ReplaceAll(t.text(0), prompt, "$ "), "\n")
		screens += fmt.Sprintf("\t%s:\n\t\t%s\n", name, strings.ReplaceAll(screen, "\n", "\n\t\t"))
	}
	return p.apply(s.edits), screens, err
}

func (s *session) problemf(line int, format string, args ...any) error {
	return Problem{s.page.name, line, fmt.Sprintf(format, args...)}
}

// run does what the blocks of the page say.
func (s *session) run(ctx context.Context) error {
	runs := func(blk *block) bool { return slices.Contains([]string{"console", "patch", "file"}, blk.kind) }
	if !slices.ContainsFunc(s.page.blocks, runs) {
		return nil
	}
	if err := s.setUp(); err != nil {
		return s.problemf(1, "preparing the page's sessions: %v", err)
	}
	for _, blk := range s.page.blocks {
		if err := s.block(ctx, blk); err != nil {
			return err
		}
	}
	if err := s.vet(); err != nil {
		return err
	}
	for _, t := range s.terminals {
		if err := s.finish(ctx, t, s.quiet()); err != nil {
			return err
		}
	}
	return nil
}

// block does what one block says. Before a block that changes nothing, what has been
// changed is vetted.
func (s *session) block(ctx context.Context, blk *block) error {
	switch blk.kind {
	case "patch":
		return s.patch(blk)
	case "file":
		return s.file(blk)
	}
	if err := s.vet(); err != nil {
		return err
	}
	switch blk.kind {
	case "console":
		return s.console(ctx, blk)
	case "restore":
		return s.restore()
	}
	return nil
}

// dropped are the variables that would make a session differ from one machine to another.
var dropped = regexp.MustCompile(`^(MAKE.*|MFLAGS|ARGS|STAGE|SERVER|QUICK|` +
	`GO(TRACEBACK|DEBUG|GC|MAXPROCS|MEMLIMIT|COVERDIR|RACE|FLAGS)|` +
	`PROMPT_COMMAND|BASH_ENV|CDPATH|LANG|LC_.*|GIT_.*|CURL_.*|PWD)=`)

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

// setUp makes the page's copy of the repository, which git knows if the page uses it.
func (s *session) setUp() error {
	if err := s.copyFiles(); err != nil {
		return err
	}
	if err := write(filepath.Join(filepath.Dir(s.dir), "go", "telemetry", "mode"), []byte("off")); err != nil {
		return err
	}
	if !bytes.Contains(s.page.source, []byte("git ")) {
		return nil
	}
	out, err := s.command("sh", "-c", "git init -q && git add . && git commit -q -m 'the workbook'")
	if err != nil {
		return fmt.Errorf("git: %v\n%s", err, out)
	}
	return nil
}

var proofTest = regexp.MustCompile(`^internal/tools/.*(_test\.go$|/testdata/)`)

// copyFiles makes the files of the page's copy what they are in the repository. It leaves
// out the proof's tests: among them is this one, which a session is not to run.
func (s *session) copyFiles() error {
	for _, name := range s.book.files {
		if proofTest.MatchString(name) {
			continue
		}
		data, err := s.book.read(name)
		if err != nil {
			return err
		}
		if err := write(s.path(name), data); err != nil {
			return err
		}
	}
	return nil
}

// lastPort is the port of the session that was begun last. Pages are worked through at
// the same time, and tests may be; Linux gives none of the ports up to 32767 to a
// connection of its own accord.
var lastPort atomic.Int32

func init() { lastPort.Store(20000 + rand.Int32N(12000)) }

// freePort returns a port on which nobody listens and that no other page has.
func freePort() int {
	for {
		port := int(lastPort.Add(1))
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			listener.Close()
			return port
		}
	}
}

// path returns where a file of the page's copy is.
func (s *session) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// write writes a file, and makes its folder.
func write(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o777)
}

// command runs a program in the page's copy of the repository.
func (s *session) command(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	return bytes.TrimSpace(out), err
}

// console runs a console block.
func (s *session) console(ctx context.Context, blk *block) error {
	name := append(blk.terminals, "terminal 1")[0]
	t := s.terminals[name]
	if t == nil {
		var err error
		if t, err = openTerminal(name, s.dir, s.env, s.port); err != nil {
			return s.problemf(blk.line, "opening a terminal: %v", err)
		}
		s.terminals[name] = t
	}
	for _, step := range blk.steps() {
		if err := s.do(ctx, t, blk, step); err != nil {
			return err
		}
	}
	return nil
}

// do types a command, as soon as the one before has ended, or presses a key. Then it
// waits until all that the page shows of the last command so far has appeared. The command
// may go on. If the page shows nothing of it, do waits until it has ended, or is a visitor
// who waits.
func (s *session) do(ctx context.Context, t *terminal, blk *block, step *step) error {
	if step.command != "" {
		if err := s.finish(ctx, t, t.ended); err != nil {
			return err
		}
	}
	visitor, err := s.visitor()
	if err != nil {
		return s.problemf(step.line, "the kernel does not say who is connected: %v", err)
	}
	switch {
	case step.command != "":
		t.blk, t.line = blk, step.line
		err = t.typeCommand(step.command)
	case t.command == "":
		return s.problemf(step.line, "nothing has been started in %s that could print this", t.name)
	case step.key != "" && t.ended():
		return s.problemf(step.line, "a key is pressed in %s, where nothing is running: %q of line %d has ended",
			t.name, t.command, t.line)
	case step.key != "":
		_, err = t.master.WriteString(step.key)
	}
	if err != nil {
		return s.problemf(step.line, "%v", err)
	}
	t.shown = newOutput(append(t.shown.lines, step.output...))
	err = await(ctx, func() bool {
		text, ended := t.printed()
		return ended || !t.shown.canAppear(text) ||
			t.shown.appeared(text) && (len(step.output) > 0 || visitor())
	})
	if text, _ := t.printed(); err == nil && (s.update || t.shown.appeared(text)) {
		return nil
	}
	return s.differs(t, err)
}

// visitor returns a condition: that somebody is connected to the page's port who is not
// now, and all processes of the page wait.
func (s *session) visitor() (func() bool, error) {
	before, err := server.Visitors(s.port)
	isNew := func(port uint16) bool { return !slices.Contains(before, port) }
	quiet := s.quiet()
	return func() bool {
		if !quiet() {
			return false
		}
		// If no process runs between the two looks at them, they know of the visitor.
		now, _ := server.Visitors(s.port)
		return slices.ContainsFunc(now, isNew) && quiet()
	}, err
}

// quiet returns a condition: that all processes of the page are asleep, and none has
// run since the condition was asked for before.
func (s *session) quiet() func() bool {
	var last time.Duration
	return func() bool {
		var all server.Processes
		for _, t := range s.terminals {
			all = append(all, t.processes()...)
		}
		used, err1 := all.CPU()
		asleep, err2 := all.Asleep()
		same := used == last
		last = used
		return same && asleep && err1 == nil && err2 == nil
	}
}

// finish waits until the condition holds, after which the last command prints no more, and
// checks that it has printed what the page shows.
func (s *session) finish(ctx context.Context, t *terminal, cond func() bool) error {
	if err := await(ctx, cond); err != nil {
		return s.differs(t, err)
	}
	text, _ := t.printed()
	if text = endLine(text); t.command == "" || t.shown.all.MatchString(text) {
		return nil
	}
	edits := t.shown.edits(t, text)
	if !s.update || edits == nil {
		return s.differs(t, nil)
	}
	s.edits = append(s.edits, edits...)
	return nil
}

// differs says where what the last command has printed and what the page shows part. With
// an error they may not: then the command has not ended in time.
func (s *session) differs(t *terminal, err error) error {
	text, ended := t.printed()
	line, message := t.shown.difference(text)
	how := "goes on"
	if ended {
		how = "has ended"
	}
	if err != nil {
		how += ": " + err.Error()
	}
	return s.problemf(max(line, t.line), "%s %s\n\t(%q of line %d %s)", t.name, message, t.command, t.line, how)
}
