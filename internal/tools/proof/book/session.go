package book

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"github.com/creack/pty"
)

// A session works through a page: it runs the console blocks, in order, and makes the
// changes that the page asks the reader to make.
type session struct {
	page      *page
	dir       string // the page's copy of the repository
	port      string // in place of 7878, in the copy as well
	env       []string
	terminals map[string]*terminal
	patience  time.Duration // how long all processes may be asleep before the session gives up
	update    bool

	shells []int         // of all terminals
	tree   *server.Tree  // these, and what they have started
	cpu    time.Duration // that they have used
	asleep time.Duration // for how long all have been asleep
}

// run works through a page in the folder temp, and kills all processes that it has started. With
// update it replaces the output that the page shows by what was printed. It returns what the
// terminals have shown, and the first problem.
func (b *book) run(p *page, temp string, patience time.Duration, update bool) (screens string, err error) {
	if !slices.ContainsFunc(p.blocks, func(blk *block) bool { return blk.kind != "excerpt" && blk.kind != "diff" }) {
		return "", nil
	}
	s := &session{
		page: p, dir: filepath.Join(temp, "concurrent-web-server"), port: fmt.Sprint(firstPort + sessions.Add(1)), env: environ(temp),
		terminals: make(map[string]*terminal), patience: patience, update: update,
		tree: server.NewTree(),
	}
	err = s.work(b.root, temp)
	for _, pid := range server.ProcessTree(s.shells...) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, name := range slices.Sorted(maps.Keys(s.terminals)) {
		t := s.terminals[name]
		t.shell.Wait()
		t.master.Close()
		screens += fmt.Sprintf("%s:\n%s\n", name, strings.ReplaceAll(t.text(0), prompt, "$ "))
	}
	return screens, err
}

// kept are the variables of the environment that sessions need. Others would make them differ
// from one machine to another.
var kept = regexp.MustCompile(`^(PATH|HOME|XDG_CACHE_HOME|GO(PATH|CACHE|MODCACHE|PROXY|ROOT|TOOLCHAIN))=`)

// environ returns the environment of the sessions, whose programs look for their settings in
// the folder temp.
func environ(temp string) []string {
	other := func(v string) bool { return !kept.MatchString(v) }
	return append(slices.DeleteFunc(os.Environ(), other), "PS1="+prompt, "TERM=dumb", "LC_ALL=C", "PAGER=cat",
		"GOFLAGS=-trimpath -buildvcs=false -ldflags=-s -vet=off",
		"CURL_HOME="+temp, "XDG_CONFIG_HOME="+temp, "GIT_CONFIG_GLOBAL="+os.DevNull)
}

// Each session has a port of its own. Linux gives none of the ports up to 32767 to a connection
// of its own accord.
var firstPort, sessions = 20000 + rand.Int32N(12000), new(atomic.Int32)

// setUp makes the page's copy of the repository, which git knows. It leaves out the tests
// of internal/tools: this one is among them, and would run itself.
const setUp = `
mkdir -p ../go/telemetry && echo off >../go/telemetry/mode &&
tar -C "$0" -c --exclude=./.git --exclude=./bin --exclude='_*' --exclude=node_modules \
	--exclude='./internal/tools/*_test.go' --exclude='./internal/tools/*/testdata' . | tar -x &&
find . -type f \( -path './stage*' -o -path './docs/examples/*' -o -path './testdata/*' \) -exec sed -i "s/7878/$1/g" {} + &&
git init -q && git add . &&
git -c user.name=reader -c user.email=reader@example.com commit -q -m 'the workbook'`

// work does what the blocks of the page say.
func (s *session) work(root, temp string) error {
	root, _ = filepath.Abs(root)
	os.MkdirAll(s.dir, 0o777)
	if err := s.command("sh", "-c", setUp, root, s.port); err != nil {
		return problem(s.page, 1, "%v", err)
	}
	for _, blk := range s.page.blocks {
		if err := s.block(blk); err != nil {
			return err
		}
	}
	for _, t := range s.terminals {
		if err := s.expect(t, true, func(bool, bool) bool { return s.quiet() }); err != nil {
			return err
		}
	}
	return nil
}

// block does what one block says.
func (s *session) block(blk *block) error {
	switch blk.kind {
	case "patch", "file":
		return s.change(blk)
	case "console":
		return s.console(blk)
	case "restore":
		return s.command("git", "checkout", "-q", ".")
	}
	return nil
}

// command runs a program in the page's copy of the repository.
func (s *session) command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// change makes the change, or the new file, that a block shows.
func (s *session) change(blk *block) error {
	file := filepath.Join(s.dir, filepath.FromSlash(blk.args))
	old, err := os.ReadFile(file)
	text := strings.ReplaceAll(strings.Join(blk.lines, "\n")+"\n", "7878", s.port)
	switch {
	case blk.kind == "patch" && err == nil:
		text, err = patch(string(old), text)
	case blk.kind == "file" && err == nil:
		err = fmt.Errorf("this file exists already")
	case blk.kind == "file":
		err = os.MkdirAll(filepath.Dir(file), 0o777)
	}
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o666)
	}
	if err != nil {
		return problem(s.page, blk.line, "%s %s: %v", blk.kind, blk.args, err)
	}
	return nil
}

var (
	added   = regexp.MustCompile(`(?m)^\+.*\n`)
	removed = regexp.MustCompile(`(?m)^-.*\n`)
	sign    = regexp.MustCompile(`(?m)^[ +-]`)
)

// patch makes a change in a text. Each run of lines, up to a line @@, must have exactly one
// place in it.
func patch(text, change string) (string, error) {
	text = "\n" + text // every line now begins after a line end
	for _, lines := range strings.Split(change, "@@\n") {
		before := "\n" + sign.ReplaceAllString(added.ReplaceAllString(lines, ""), "")
		after := "\n" + sign.ReplaceAllString(removed.ReplaceAllString(lines, ""), "")
		if i := strings.Index(text, before); i < 0 || i != strings.LastIndex(text, before) {
			return "", fmt.Errorf("not exactly one place in the file has the lines %q", before[1:])
		}
		text = strings.Replace(text, before, after, 1)
	}
	return text[1:], nil
}

// prompt is what the shells print as a prompt: something that no command prints.
const prompt = "\x1d"

// A terminal is a shell in a pseudo-terminal, and the last command that was typed.
type terminal struct {
	name   string // as on the page: "terminal 1"
	port   string // in place of 7878
	master *os.File
	shell  *exec.Cmd

	mu     sync.Mutex
	screen []byte // all that it has shown

	command string // as on the page; "" before the first
	line    int    // of the page, where it is
	start   int    // in screen, where it was typed
	shown   output // what the page shows of its output so far
}

// open returns the terminal of a block, and starts a shell in it if need be.
func (s *session) open(blk *block) (*terminal, error) {
	names := slices.Compact(blk.terminals)
	if len(names) == 0 && len(s.terminals) < 2 {
		names = []string{"terminal 1"}
	}
	if len(names) != 1 {
		return nil, problem(s.page, blk.line, "the paragraph above must name one terminal, in bold")
	}
	if t := s.terminals[names[0]]; t != nil {
		return t, nil
	}
	t := &terminal{name: names[0], port: s.port}
	t.shell = exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	t.shell.Dir, t.shell.Env = s.dir, s.env
	var err error
	if t.master, err = pty.StartWithSize(t.shell, &pty.Winsize{Rows: 24, Cols: 80}); err == nil {
		s.terminals[t.name], s.shells = t, append(s.shells, t.shell.Process.Pid)
		s.tree = server.NewTree(s.shells...)
		go io.Copy(t, t.master) // until the last process of the terminal has ended
	}
	return t, err
}

// Write keeps what the terminal shows.
func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.screen = append(t.screen, p...)
	return len(p), nil
}

var lineEnd = regexp.MustCompile(` *\r*\n`)

// text returns what the terminal has shown from an offset on as the page would show it:
// with port 7878, without blanks at the ends of lines.
func (t *terminal) text(from int) string {
	t.mu.Lock()
	text := string(t.screen[from:])
	t.mu.Unlock()
	return lineEnd.ReplaceAllString(strings.ReplaceAll(text, t.port, "7878"), "\n")
}

// printed returns what the last command has printed; whether it has been typed, which the
// terminal shows; and whether it has ended: then the shell has printed its prompt.
func (t *terminal) printed() (text string, typed, ended bool) {
	text, typed = t.text(t.start), true
	if t.command != "" {
		_, text, typed = strings.Cut(text, "\n") // the command
	}
	text, after, ended := strings.Cut(text, prompt)
	if ended && text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + after, typed, ended
}

var keys = map[string]string{"^C": "\x03", `^\`: "\x1c"}

// console runs a console block. It types a command when the one before has ended, and presses a
// key when all output above it has appeared. For a dump every process of the page must be asleep.
func (s *session) console(blk *block) error {
	t, err := s.open(blk)
	for i := 0; i < len(blk.lines) && err == nil; i++ {
		text, line := blk.lines[i], blk.line+1+i
		if command, ok := strings.CutPrefix(text, "$ "); ok {
			for i+1 < len(blk.lines) && strings.HasSuffix(command, `\`) {
				i++
				command = strings.TrimSuffix(command, `\`) + strings.TrimPrefix(blk.lines[i], "> ")
			}
			err = s.typeCommand(t, command, blk.line+1+i)
			continue
		}
		key := keys[text[:min(2, len(text))]]
		if key != "" {
			err = s.appear(t, key == keys[`^\`])
		}
		if _, _, ended := t.printed(); err == nil && (t.command == "" || key != "" && ended) {
			err = problem(s.page, line, "nothing is running in %s", t.name)
		}
		if err == nil {
			t.shown = append(t.shown, shownLine{line, text})
			_, err = t.master.WriteString(key)
		}
	}
	if err == nil {
		err = s.appear(t, false)
	}
	return err
}

// typeCommand types a command when the one before has ended.
func (s *session) typeCommand(t *terminal, command string, line int) error {
	err := s.expect(t, true, func(ended, _ bool) bool { return ended })
	if err == nil {
		t.mu.Lock()
		t.start = len(t.screen)
		t.mu.Unlock()
		t.command, t.line, t.shown = command, line, nil
		_, err = t.master.WriteString(strings.ReplaceAll(command, "7878", t.port) + "\n")
	}
	return err
}

// appear waits until all that the page shows of the last command so far has appeared; the
// command may go on. If that is nothing, or on demand, it waits until every process of the page
// is asleep, too, or the command has ended: a visitor who waits, or a server that does.
func (s *session) appear(t *terminal, asleep bool) error {
	asleep = asleep || len(t.shown) == 0
	return s.expect(t, false, func(ended, all bool) bool { return ended || all && (!asleep || s.quiet()) })
}

// expect waits until it is time to compare what the last command of a terminal has printed with
// what the page shows. That depends on whether the command has ended, and whether all that the
// page shows has appeared. If the comparison is to be whole, nothing else may have been printed. It
// gives up after every process of the page has been asleep for the session's patience.
func (s *session) expect(t *terminal, whole bool, isTime func(ended, all bool) bool) error {
	s.asleep = 0
	for pause := 20 * time.Millisecond; ; pause = min(pause+pause/10, time.Second/4) {
		text, typed, ended := t.printed()
		n, rest := t.shown.match(text)
		all := typed && n == len(t.shown)
		late := s.asleep > s.patience
		if !late && !isTime(ended, all) {
			s.look(pause)
			continue
		}
		right := all && (!whole || rest == "")
		if t.command == "" || s.update && !whole || !late && (right || s.update && t.rewrite(s.page, text)) {
			return nil
		}
		page := append(t.shown, shownLine{line: t.line, text: "nothing more"})[n]
		real, _, _ := strings.Cut(cmp.Or(rest, "nothing more"), "\n")
		return problem(s.page, page.line, "%s does not print what the page shows:\n\tpage: %s\n\treal: %s\n"+
			"\t(%q of line %d has ended: %v; every process has been asleep for %v)", t.name, page.text, real, t.command, t.line, ended, s.asleep)
	}
}

// quiet says whether every process of the page has been asleep for a moment.
func (s *session) quiet() bool { return s.asleep >= 30*time.Millisecond }

// sleepWork is the processor time that sleepers use: fifty visitors of curl look around once a second.
const sleepWork = 500 * time.Microsecond

// look pauses, and notes whether all processes were asleep meanwhile: they are, and have used
// next to no processor time.
func (s *session) look(pause time.Duration) {
	time.Sleep(pause)
	processes := s.tree.Processes()
	cpu, err := processes.CPU()
	asleep := err == nil && cpu >= s.cpu && cpu-s.cpu < sleepWork
	if asleep {
		asleep, _ = processes.Asleep()
	}
	s.cpu, s.asleep = cpu, s.asleep+pause
	if !asleep {
		s.asleep = 0
	}
}

// An output is what a page shows of the output of a command. In its lines "..." stands for
// any text; alone, for any number of lines.
type output []shownLine

type shownLine struct {
	line int // of the page
	text string
}

// pattern returns a regular expression for the lines.
func (o output) pattern() string {
	var b strings.Builder
	for _, l := range o {
		if strings.TrimSpace(l.text) == "..." {
			b.WriteString(`(?:.*\n)*`)
		} else {
			text := regexp.QuoteMeta(strings.TrimRight(l.text, " "))
			b.WriteString(strings.ReplaceAll(text, `\.\.\.`, `.*`) + `\n`)
		}
	}
	return "^" + b.String()
}

// match returns how many of the lines a text begins with, and the rest of the text.
func (o output) match(text string) (n int, rest string) {
	for n = len(o); ; n-- {
		if m := regexp.MustCompile(o[:n].pattern()).FindStringIndex(text); m != nil {
			return n, text[m[1]:]
		}
	}
}

var goLine = regexp.MustCompile(`(\.go:)(\d+)`)

// rewrite makes the page show what the last command has printed, unless the page shows it in
// several blocks. If only the numbers of lines of Go differ, it writes these alone.
func (t *terminal) rewrite(p *page, text string) bool {
	loose := goLine.ReplaceAllString(t.shown.pattern(), `$1(\d+)`) + "$"
	if numbers := regexp.MustCompile(loose).FindStringSubmatch(text); numbers != nil {
		for _, l := range t.shown {
			p.want[l.line-1] = goLine.ReplaceAllStringFunc(p.want[l.line-1], func(string) string {
				numbers = numbers[1:]
				return ".go:" + numbers[0]
			})
		}
		return true
	}
	n := len(t.shown)
	if n > 0 && t.shown[n-1].line != t.line+n {
		return false
	}
	for i := range n {
		p.want[t.line+i] = dropped
	}
	if text != "" {
		p.want[t.line-1] += "\n" + strings.TrimSuffix(text, "\n")
	}
	return true
}
