package book

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path"
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

// optional are the programs that a machine may lack. A page whose sessions
// use one of them is then skipped.
var optional = []string{"awk", "cargo", "curl", "diff", "git", "make", "nc", "patch", "perl", "ps", "python3", "ruby", "rustc", "sed", "seq", "timeout", "xargs"}

// Sessions runs the pages' sessions.
type Sessions struct {
	book   *Book
	temp   string
	bin    string // a folder with the stages' programs
	update bool
	// How many turns of waiting, of some 5 ms each, in which nothing happens, before
	// a line of output is given up.
	patience int
	goflags  string
}

// A Result is how the sessions of one page went.
type Result struct {
	Page     string
	Problem  *Problem
	Skipped  string // why, if the console blocks were
	Sessions int    // console blocks that were run
	Screens  string // what all terminals have shown
	edits    []edit
}

// Sessions prepares to run the sessions of the book. All files go into the folder
// temp, which the caller removes.
func (b *Book) Sessions(temp string) (*Sessions, error) {
	s := &Sessions{book: b, temp: temp, patience: 3000, goflags: strings.TrimSpace(os.Getenv("GOFLAGS") + " -trimpath -buildvcs=false")}

	// Build the stages once: where a program is up to date, go build does not link it again.
	var folders []string
	for _, stage := range b.stages() {
		number, _, _ := strings.Cut(stage, "-")
		if slices.ContainsFunc(b.pages, func(p *page) bool { return p.commands(number) }) {
			folders = append(folders, "./"+stage)
		}
	}
	if len(folders) > 0 {
		dir := filepath.Join(temp, "build", copyName)
		if err := b.copyTo(dir); err != nil {
			return nil, err
		}
		s.bin = filepath.Join(dir, "bin")
		if err := os.Mkdir(s.bin, 0o777); err != nil {
			return nil, err
		}
		build := exec.Command("go", append([]string{"build", "-o", "bin/"}, folders...)...)
		build.Dir, build.Env = dir, s.environ()
		// A stage that does not build is for the pages to find, in their own words.
		build.Run()
	}
	return s, nil
}

// commands says whether a command on the page has the text.
func (p *page) commands(text string) bool {
	for _, blk := range p.blocks {
		if blk.lang != "console" || blk.unchecked {
			continue
		}
		for _, line := range blk.lines {
			if strings.HasPrefix(line, "$ ") && strings.Contains(line, text) {
				return true
			}
		}
	}
	return false
}

// copyTo writes the files of the repository into a folder.
func (b *Book) copyTo(dir string) error {
	for name, f := range b.files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(file, f.data, f.mode|0o200); err != nil {
			return err
		}
	}
	return nil
}

var dropped = regexp.MustCompile(`^(MAKE.*|MFLAGS|ARGS|STAGE|SERVER|A|B|QUICK|GO(TRACEBACK|DEBUG|GC|MAXPROCS|MEMLIMIT|COVERDIR|RACE|FLAGS)|PS[0-4]|PROMPT_COMMAND|ENV|BASH_ENV|CDPATH|HIST.*|TERM|COLUMNS|LINES|LANG|LANGUAGE|LC_.*|PAGER|GIT_.*|CURL_.*|P?OLDPWD|PWD)$`)

const inSession = "WORKBOOK_SESSION"

// environ returns the environment of the sessions: this process's own, without what
// would make them differ from one machine to another.
func (s *Sessions) environ() []string {
	var env []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !dropped.MatchString(name) {
			env = append(env, pair)
		}
	}
	return append(env,
		"PS1="+prompt, "PS2="+more, "TERM=dumb", "LC_ALL=C", "HISTFILE=", "PAGER=cat",
		"BASH_SILENCE_DEPRECATION_WARNING=1",
		"GOFLAGS="+s.goflags,
		"CURL_HOME="+s.temp, // has no .curlrc; nor is any other read, because
		"XDG_CONFIG_HOME="+s.temp,
		"NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=reader", "GIT_AUTHOR_EMAIL=reader@example.com",
		"GIT_COMMITTER_NAME=reader", "GIT_COMMITTER_EMAIL=reader@example.com",
		inSession+"=1",
	)
}

// A session is a page being worked through.
type session struct {
	*Sessions
	page      *page
	dir       string // the page's copy of the repository
	port      string // in place of 7878
	env       []string
	terminals []*terminal
	result    *Result
	last      string // the state of all processes at the last look
	quiet     int    // for how many looks it has been the same
}

// Run works through a page: it runs its sessions, in order, and makes the changes
// that the reader is asked to make. No process that it starts outlives it.
func (s *Sessions) Run(p *page) *Result {
	ses := &session{Sessions: s, page: p, env: s.environ(), result: &Result{Page: p.name}}
	defer func() {
		var screens strings.Builder
		for _, t := range ses.terminals {
			t.kill()
			fmt.Fprintf(&screens, "terminal %s:\n\t%s\n", t.name, strings.ReplaceAll(ses.plain(t.screen()), "\n", "\n\t"))
		}
		ses.result.Screens = screens.String()
	}()
	ses.result.Problem = ses.run()
	return ses.result
}

func (s *session) problemf(line int, format string, args ...any) *Problem {
	return &Problem{s.page.name, line, fmt.Sprintf(format, args...)}
}

func (s *session) run() *Problem {
	todo := false
	for _, blk := range s.page.blocks {
		if s.runs(blk) {
			todo = true
		}
	}
	if !todo {
		return nil
	}
	s.dir = filepath.Join(s.temp, strings.NewReplacer("/", "-", ".", "-").Replace(s.page.name), copyName)
	if err := s.setUp(); err != nil {
		return s.problemf(1, "preparing the page's sessions: %v", err)
	}
	s.result.Skipped = s.lacking()

	restores := s.page.restores
	for _, blk := range s.page.blocks {
		for len(restores) > 0 && restores[0] < blk.line {
			restores = restores[1:]
			if err := s.book.copyTo(s.dir); err != nil {
				return s.problemf(blk.line, "restoring the files: %v", err)
			}
		}
		if !s.runs(blk) {
			continue
		}
		verb, args, _ := strings.Cut(blk.directive, " ")
		var problem *Problem
		switch {
		case verb == "patch":
			problem = s.patch(blk, args)
		case verb == "file":
			problem = s.write(blk, args)
		case blk.lang == "go":
			problem = s.write(blk, fmt.Sprintf("_line%d/main.go", blk.line))
		case s.result.Skipped != "":
		default:
			s.result.Sessions++
			problem = s.console(blk)
		}
		if problem != nil {
			return problem
		}
	}
	for _, t := range s.terminals {
		if problem := s.await(t, t.lastLine(), false); problem != nil && !s.update {
			return problem
		}
	}
	return nil
}

// runs says whether there is something to do for a block.
func (s *session) runs(blk *block) bool {
	verb, _, _ := strings.Cut(blk.directive, " ")
	switch {
	case blk.unchecked:
		return false
	case verb == "patch", verb == "file":
		return true
	case blk.directive != "":
		return false
	}
	return blk.lang == "console" || blk.lang == "go" && strings.HasPrefix(blk.program(), "package ")
}

// setUp makes the page's copy of the repository and chooses its port.
func (s *session) setUp() error {
	if err := s.book.copyTo(s.dir); err != nil {
		return err
	}
	if s.bin != "" {
		bin := filepath.Join(s.dir, "bin")
		if err := os.Mkdir(bin, 0o777); err != nil {
			return err
		}
		programs, err := os.ReadDir(s.bin)
		if err != nil {
			return err
		}
		for _, program := range programs {
			// If that fails, the page links the program itself.
			os.Link(filepath.Join(s.bin, program.Name()), filepath.Join(bin, program.Name()))
		}
	}
	if _, err := exec.LookPath("git"); err == nil && s.page.commands("git ") {
		for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "the workbook"}} {
			git := exec.Command("git", args...)
			git.Dir, git.Env = s.dir, s.env
			if out, err := git.CombinedOutput(); err != nil {
				return fmt.Errorf("git %s: %v\n%s", args[0], err, out)
			}
		}
	}
	var err error
	s.port, err = freePort()
	return err
}

var (
	portsMu sync.Mutex
	ports   = make(map[int]bool) // those handed out
)

// freePort returns a port that nobody listens on. It is below those that
// systems give to connections of their own accord, so that none will be in the way.
func freePort() (string, error) {
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if ports[port] {
			continue
		}
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		listener.Close()
		ports[port] = true
		return strconv.Itoa(port), nil
	}
	return "", errors.New("no port is free")
}

var word = regexp.MustCompile(`[\w.-]+`)

// lacking says why the sessions of the page cannot be run here, if they cannot.
func (s *session) lacking() string {
	if os.Getenv(inSession) != "" {
		return "this is a session of the book itself"
	}
	master, tty, err := openPTY()
	if err != nil {
		return fmt.Sprintf("no pseudo-terminal can be opened here: %v", err)
	}
	master.Close()
	tty.Close()
	for _, blk := range s.page.blocks {
		if blk.lang != "console" || blk.unchecked {
			continue
		}
		for _, line := range blk.lines {
			if !strings.HasPrefix(line, "$ ") && !strings.HasPrefix(line, "> ") {
				continue
			}
			for _, w := range word.FindAllString(line, -1) {
				if slices.Contains(optional, w) {
					if _, err := exec.LookPath(w); err != nil {
						return fmt.Sprintf("the page needs %s, which is not installed", w)
					}
				}
			}
		}
	}
	return ""
}

// patch makes the change that a block asks for, and vets the package.
func (s *session) patch(blk *block, args string) *Problem {
	name, broken := strings.CutSuffix(args, " which does not build")
	file := filepath.Join(s.dir, filepath.FromSlash(name))
	data, err := os.ReadFile(file)
	if err != nil {
		return s.problemf(blk.line-1, "the comment %q: there is no %s", blk.directive, name)
	}
	lines, err := blk.apply(linesOf(data))
	if err != nil {
		return s.problemf(blk.line, "the change does not fit %s: %v", name, err)
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
		return s.problemf(blk.line, "%v", err)
	}
	if broken || path.Ext(name) != ".go" {
		return nil
	}
	return s.vet(blk, path.Dir(name))
}

// write makes the file that a block shows. Go is vetted.
func (s *session) write(blk *block, name string) *Problem {
	if !filepath.IsLocal(name) {
		return s.problemf(blk.line-1, "the comment %q: the name of a file in the repository is missing", blk.directive)
	}
	if _, ok := s.book.files[name]; ok {
		return s.problemf(blk.line-1, "the comment %q: there is such a file in the repository; use patch or excerpt", blk.directive)
	}
	file := filepath.Join(s.dir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(file), 0o777)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Join(blk.lines, "\n")+"\n"), 0o777)
	}
	if err != nil {
		return s.problemf(blk.line, "%v", err)
	}
	if path.Ext(name) == ".go" {
		return s.vet(blk, path.Dir(name))
	}
	folder := path.Dir(name)
	for _, later := range s.page.blocks {
		if later.line > blk.line && later.lang == "console" && !later.unchecked {
			for _, line := range later.lines {
				if strings.HasPrefix(line, "$ ") && (strings.Contains(line, name) || folder != "." && strings.Contains(line, folder)) {
					return nil
				}
			}
		}
	}
	return s.problemf(blk.line, "nothing checks this file: no session further down uses %s", name)
}

func (s *session) vet(blk *block, folder string) *Problem {
	vet := exec.Command("go", "vet", "./"+folder)
	vet.Dir, vet.Env = s.dir, s.env
	out, err := vet.CombinedOutput()
	if err != nil {
		return s.problemf(blk.line, "go vet ./%s: %v\n%s", folder, err, bytes.TrimSpace(out))
	}
	return nil
}

// console runs a console block.
func (s *session) console(blk *block) *Problem {
	name, _ := blk.terminal()
	if name == "" {
		name = "1"
	}
	segments, err := blk.segments()
	if err != nil {
		return nil // Check has reported it
	}
	i := slices.IndexFunc(s.terminals, func(t *terminal) bool { return t.name == name })
	if i < 0 {
		t, err := openTerminal(name, s.dir, s.env)
		if err != nil {
			return s.problemf(blk.line, "opening a terminal: %v", err)
		}
		i = len(s.terminals)
		s.terminals = append(s.terminals, t)
		if problem := s.await(t, blk.line, true); problem != nil {
			return problem
		}
	}
	t := s.terminals[i]
	t.ahead = nil
	for i, seg := range segments {
		if i == len(segments)-1 {
			t.ahead = s.page.ahead(blk, name)
		}
		if problem := s.segment(t, seg, i+1 < len(segments) && segments[i+1].command != nil); problem != nil {
			return problem
		}
	}
	return nil
}

// ahead returns what later blocks of a terminal show of the command that a block
// leaves running. On a slow machine some of it may be there before its turn.
func (p *page) ahead(blk *block, name string) []pattern {
	var pats []pattern
	for _, later := range p.blocks {
		n, _ := later.terminal()
		if n == "" {
			n = "1"
		}
		if later.line <= blk.line || later.lang != "console" || later.unchecked || n != name {
			continue
		}
		segments, err := later.segments()
		if err != nil || segments[0].command != nil || segments[0].key != "" {
			break
		}
		pats = append(pats, segments[0].patterns()...)
		if len(segments) > 1 {
			break
		}
	}
	return pats
}

// segment runs one segment, up to where all that it shows has appeared: and to the
// prompt, if the next needs one.
func (s *session) segment(t *terminal, seg segment, toPrompt bool) *Problem {
	if command := strings.Join(seg.command, "\n"); simulated(command) {
		return s.simulate(command, seg)
	}
	switch {
	case seg.command != nil:
		if problem := s.await(t, seg.line, true); problem != nil {
			return problem
		}
		if problem := s.typeCommand(t, seg); problem != nil {
			return problem
		}
	case !t.typed:
		return s.problemf(seg.line, "nothing has been started in terminal %s that could print this", t.name)
	case seg.key != "":
		if _, _, back := t.output(); back {
			return s.problemf(seg.line, "a key is pressed in terminal %s, where nothing is running: %q of line %d has ended", t.name, t.command, t.line)
		}
		if err := t.send(seg.key); err != nil {
			return s.problemf(seg.line, "%v", err)
		}
	}
	t.pats = append(t.pats, seg.patterns()...)
	if problem := s.await(t, t.lastLine(), toPrompt); problem != nil {
		return problem
	}
	if s.update {
		s.take(t, seg)
	}
	return nil
}

// typeCommand types a command, line by line, as the shell asks for it.
func (s *session) typeCommand(t *terminal, seg segment) *Problem {
	shown := strings.Join(seg.command, "\n")
	lines := strings.Split(s.local(shown), "\n")
	offset := t.shown()
	for i, line := range lines {
		if err := t.send(line + "\n"); err != nil {
			return s.problemf(seg.line+i, "%v", err)
		}
		var err error
		echoed := false
		ok := s.eventually(func() bool {
			if !echoed {
				var next int
				if next, echoed, err = t.echoed(offset, line); echoed {
					offset = next
				}
			}
			if echoed && i+1 < len(lines) {
				next, asks := t.asks(offset)
				if asks {
					offset = next
				}
				return asks
			}
			return echoed || err != nil || t.ended()
		})
		if err != nil || !ok {
			return s.problemf(seg.line+i, "typing the command in terminal %s: %s", t.name, s.quote(t))
		}
	}
	t.start, t.command, t.line, t.pats, t.taken, t.typed = offset, shown, seg.line, nil, 0, true
	return nil
}

var (
	portPattern = regexp.MustCompile(`\b7878\b`)
	makeStage   = regexp.MustCompile(`\bmake stage\d\b`)
	makeArgs    = regexp.MustCompile(`\bARGS=(?:'([^']*)'|"([^"]*)"|(\S+))`)
	runStage    = regexp.MustCompile(`(?:^|[;&|(]\s*|\b(?:exec|time|then|do) )(?:\w+=\S+ )*(?:go run (?:-race )?\./(?:stage\d[\w-]*|internal/nethttp)|(?:\./)?bin/stage\d[\w-]*)`)
)

// local returns a command of the page as it is typed here: with this page's port
// in place of 7878, and for a stage that is given no address, that too.
func (s *session) local(command string) string {
	if !strings.Contains(command, "-addr") {
		flag := s.flag()
		if makeArgs.MatchString(command) && makeStage.MatchString(command) {
			command = makeArgs.ReplaceAllString(command, "ARGS='"+flag+" $1$2$3'")
		} else {
			command = makeStage.ReplaceAllString(command, "$0 ARGS='"+flag+"'")
		}
		command = runStage.ReplaceAllString(command, "$0 "+flag)
	}
	return portPattern.ReplaceAllString(command, s.port)
}

func (s *session) flag() string { return "-addr=127.0.0.1:" + s.port }

// plain undoes local in what was printed.
func (s *session) plain(text string) string {
	if s.port == "" {
		return text
	}
	for _, flag := range []string{" ARGS='" + s.flag() + "'", " " + s.flag(), s.flag() + " "} {
		text = strings.ReplaceAll(text, flag, "")
	}
	return regexp.MustCompile(`\b`+s.port+`\b`).ReplaceAllString(text, "7878")
}

// printed returns what the command has printed, as the page would show it, how
// many of the lines are complete (all but the last, at least), and whether
// the prompt is back.
func (s *session) printed(t *terminal) (lines []string, complete int, back bool) {
	lines, partial, back := t.output()
	complete = len(lines)
	if partial != "" {
		lines = append(lines, partial)
	}
	return strings.Split(s.plain(strings.Join(lines, "\n")), "\n")[:len(lines)], complete, back
}

func (t *terminal) lastLine() int {
	if n := len(t.pats); n > 0 {
		return t.pats[n-1].line
	}
	return t.line
}

// settled is how many looks at all processes of the page in a row have to see each
// of them waiting, and none to have run since, before nothing more is expected to
// happen of itself.
const settled = 6

// await waits until the last command of the terminal has printed all that the page
// shows, and has ended, or unless toPrompt, is waiting for something. When updating it
// takes what there is.
func (s *session) await(t *terminal, line int, toPrompt bool) *Problem {
	if t.pats == nil && !t.typed {
		toPrompt = true // for the first prompt
	}
	var lines []string
	var complete int
	var back bool
	var m matching
	s.quiet = 0
	seen, idle, turn := -1, 0, 0
	ok := s.eventually(func() bool {
		closed := t.ended() // before the last of its lines are looked at
		lines, complete, back = s.printed(t)
		m = match(t.pats, lines)
		if m.stuck >= 0 && len(t.ahead) > 0 {
			if early := match(slices.Concat(t.pats, t.ahead), lines); early.stuck < 0 && early.next >= len(t.pats) {
				m = matching{full: true, stuck: -1}
			}
		}
		ended := back || closed
		if n := t.shown(); n != seen {
			seen, idle = n, 0
		}
		// A look takes longer than all else: until it matters, now and then will do.
		if turn++; turn%8 == 0 || m.stuck >= 0 || m.full && !toPrompt || s.update {
			s.look()
		}
		switch {
		case ended:
			return true
		case m.stuck >= 0 && !s.update:
			return m.stuck < complete || s.quiet >= settled // the line may be one that is being printed
		case toPrompt:
			return false
		case s.update && !m.full:
			// The line that is shown no longer comes; but something else may.
			idle++
			return s.quiet >= settled && idle > 400
		}
		return m.full && s.quiet >= settled
	})
	if s.update {
		if !ok && toPrompt {
			return s.problemf(line, "%q of line %d does not end; is a ^C missing? %s", t.command, t.line, s.quote(t))
		}
		return nil
	}
	switch {
	case m.full && ok:
		return nil
	case m.stuck >= 0 && m.next < len(t.pats):
		want := t.pats[m.next]
		return s.problemf(want.line, "terminal %s does not print what the page shows:\n\tpage: %s\n\treal: %s%s", t.name, want.text, lines[m.stuck], s.quote(t))
	case m.stuck >= 0:
		return s.problemf(line, "terminal %s prints a line that the page does not show:\n\treal: %s%s", t.name, lines[m.stuck], s.quote(t))
	case !m.full && (back || t.ended()):
		want := t.pats[m.next]
		return s.problemf(want.line, "terminal %s does not print what the page shows:\n\tpage: %s\n\treal: %q of line %d ends without it%s", t.name, want.text, t.command, t.line, s.quote(t))
	case !m.full:
		want := t.pats[m.next]
		return s.problemf(want.line, "terminal %s does not print what the page shows:\n\tpage: %s\n\treal: nothing; %q of line %d goes on, and every process waits%s", t.name, want.text, t.command, t.line, s.quote(t))
	default:
		return s.problemf(line, "%q of line %d does not end, and nothing can be typed in terminal %s; is a ^C missing?%s", t.command, t.line, t.name, s.quote(t))
	}
}

// quote returns the terminal's screen, for the end of a message.
func (s *session) quote(t *terminal) string {
	return "\n\tterminal " + t.name + " shows:\n\t\t" + strings.ReplaceAll(s.plain(t.screen()), "\n", "\n\t\t")
}

// look looks at all processes of the page.
func (s *session) look() {
	var shells []int
	for _, t := range s.terminals {
		shells = append(shells, t.cmd.Process.Pid)
	}
	waiting, state := look(shells)
	if waiting && state == s.last {
		s.quiet++
	} else {
		s.quiet = 0
	}
	s.last = state
}

// eventually polls until cond holds. It counts its own turns and not the time, and
// those in which a process was at work hardly at all.
func (s *session) eventually(cond func() bool) bool {
	for left := 20 * s.patience; left > 0; {
		if cond() {
			return true
		}
		if s.quiet > 0 {
			left -= 20
		} else {
			left--
		}
		time.Sleep(5 * time.Millisecond)
	}
	return cond()
}

// simulate checks the output of `go test ./...`, without running it: this test is
// part of it. The packages have to be those that there are.
func (s *session) simulate(command string, seg segment) *Problem {
	list := exec.Command("go", "list", "-f", "{{.ImportPath}} {{len .TestGoFiles}}{{len .XTestGoFiles}}", "./...")
	list.Dir, list.Env = s.dir, s.env
	out, err := list.CombinedOutput()
	if err != nil {
		return s.problemf(seg.line, "go list ./...: %v\n%s", err, out)
	}
	var lines []string
	if command == "make test" {
		lines = append(lines, "go test ./...")
	}
	for line := range strings.Lines(string(out)) {
		name, tests, _ := strings.Cut(strings.TrimSpace(line), " ")
		if tests == "00" {
			lines = append(lines, "?   \t"+name+"\t[no test files]")
		} else {
			lines = append(lines, "ok  \t"+name+"\t0.000s")
		}
	}
	pats := seg.patterns()
	m := match(pats, lines)
	switch {
	case m.full:
		return nil
	case s.update:
		s.result.edits = append(s.result.edits, edit{seg.first, len(seg.output), merge(seg.output, lines)})
		return nil
	case m.stuck >= 0 && m.next < len(pats):
		return s.problemf(pats[m.next].line, "go list ./... does not agree:\n\tpage: %s\n\treal: %s", pats[m.next].text, lines[m.stuck])
	case m.stuck >= 0:
		return s.problemf(seg.first+len(seg.output)-1, "the page does not show what go list ./... has:\n\treal: %s", lines[m.stuck])
	default:
		return s.problemf(pats[m.next].line, "go list ./... has no such package:\n\tpage: %s", pats[m.next].text)
	}
}
