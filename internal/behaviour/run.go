package behaviour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/visitor"
	"github.com/rogpeppe/go-internal/testscript"
)

// A Result is what came of telling one story about one server.
type Result struct {
	Script  string // as in "many-at-once/slow-request"
	Skipped string // why the story was not told, or not to its end
	NotTold bool   // it was skipped because the gate's story has failed
	Failed  bool
	// GoesOn says that the story holds, but that its server does not end when it is
	// interrupted.
	GoesOn bool
	// Undecided says that the story failed for want of proof, on a busy machine.
	Undecided bool
	// Of a story that failed: its headings up to the one under which it did, the
	// line of the script where that happened, what was seen, and the hint.
	Story  []string
	Line   int
	Reason string
	Hint   string
	Log    string // what testscript printed
	// Goroutine1 is where goroutine 1 was when the story had it printed, as in
	// "in Accept [IO wait]".
	Goroutine1 string
}

// Behaviour is the folder of the script, as in "many-at-once".
func (r Result) Behaviour() string { return path.Dir(r.Script) }

// gate is the story whose failure makes that of all others certain.
const gate = "pages/home"

// A Runner tells stories about one program, and none after the gate has failed.
type Runner struct {
	// Root is the workbook's folder, which testdata is in.
	Root    string
	Program *server.Program
	// Has says whether the program is to have a behaviour; a script asks with
	// [has:many-at-once]. If it is nil, the stories of the behaviour say.
	Has func(behaviour string) bool
	// Stage says that the program is one of the workbook's stages, of which
	// some scripts ask more than the contract does.
	Stage bool
	// Deadline is when a story gives up, if not zero.
	Deadline time.Time

	told sync.Map // from a script to the func() Result that tells it once
}

// Run tells the stories, up to atOnce of them at the same time (one, of a program that
// has a port of its own), and calls done
// after each, from one goroutine at a time, unless it is nil. It returns the results in
// the order of the scripts. After ctx has ended it begins no story, and calls no done.
func (t *Runner) Run(ctx context.Context, scripts []string, atOnce int, done func(Result)) []Result {
	if t.Program.At != "" {
		atOnce = 1
	}
	results := make([]Result, len(scripts))
	slots := make(chan struct{}, atOnce)
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, script := range scripts {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			r := t.RunStory(script)
			mu.Lock()
			defer mu.Unlock()
			results[i] = r
			if done != nil && ctx.Err() == nil {
				done(r)
			}
		})
	}
	all.Wait()
	return results
}

// RunStory tells one story, to the end or up to where it fails. It tells each only once,
// and none before the gate's. It may be called from several goroutines.
func (t *Runner) RunStory(script string) Result {
	if script != gate {
		switch first := t.RunStory(gate); {
		case first.GoesOn:
			return Result{Script: script, NotTold: true, Skipped: "each would wait for a server that does not end"}
		case first.Failed:
			return Result{Script: script, NotTold: true, Skipped: "the home page is not served as it should be"}
		}
	}
	tell, _ := t.told.LoadOrStore(script, sync.OnceValue(func() Result { return t.RunAlone(script) }))
	return tell.(func() Result)()
}

// mostTold is how often a story is told that is undecided, with all times doubled from
// one time to the next.
const mostTold = 5

// RunAlone tells one story, whatever came of others, and of it before.
func (t *Runner) RunAlone(script string) Result {
	log := ""
	for told := 1; ; told++ {
		r := t.runOnce(script, 1<<(told-1))
		log += r.Log
		r.Log = log
		switch {
		case !r.Undecided:
			return r
		case told == mostTold || t.overdue() || told == 2 && !t.Program.CanTell("slow"):
			r.Reason = fmt.Sprintf("Undecided, on a machine that is too busy: %s\n"+
				"Told %d times, each time more slowly, and the proof could not be had.", r.Reason, told)
			r.Hint = ""
			return r
		}
		log += fmt.Sprintf("\nUndecided: %s\nThe story is told again, with all times doubled.\n\n", r.Reason)
	}
}

func (t *Runner) overdue() bool { return !t.Deadline.IsZero() && time.Now().After(t.Deadline) }

func (t *Runner) runOnce(script string, scale int) Result {
	s := &story{program: t.Program, scale: time.Duration(scale), deadline: t.Deadline, stage: t.Stage, files: -1}
	defer s.free()
	file := filepath.Join(t.Root, "testdata", filepath.FromSlash(script)+".txtar")
	r := Result{Script: script}
	var told sync.WaitGroup
	told.Go(func() { testscript.RunT(scriptT{&r}, t.params(file, s)) }) // which FailNow can end
	told.Wait()
	if s.skipped != "" {
		return Result{Script: script, Skipped: s.skipped, Log: r.Log}
	}
	if r.Failed {
		r.Line, r.Reason = readFailure(r.Log)
		r.Story = readStory(file, r.Line)
	} else if r.Skipped == "" {
		if err := s.finish(); err != nil {
			r.Failed, r.Story = true, []string{"The story is told, and the server is interrupted."}
			r.Reason = err.Error()
		}
	}
	r.Undecided, r.GoesOn, r.Goroutine1 = s.undecided, s.goesOn, s.goroutine1
	if r.Failed {
		r.Hint = s.hint
		r.Undecided = r.Undecided || t.overdue() // nobody waits any more
	}
	return r
}

// params returns what testscript needs to run one script.
func (t *Runner) params(file string, s *story) testscript.Params {
	return testscript.Params{
		Files:               []string{file},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            t.Deadline,
		Cmds:                commands(),
		Condition:           t.condition,
		Setup: func(env *testscript.Env) error {
			env.Values[storyKey{}] = s
			env.Setenv("SOURCE", t.Program.Folder)
			// For exec go: a script's environment lacks what the go command needs.
			env.Vars = append(env.Vars, slices.DeleteFunc(os.Environ(), func(pair string) bool {
				return !forGo.MatchString(pair)
			})...)
			return nil
		},
	}
}

var forGo = regexp.MustCompile(`^(GO|HOME=|XDG_)`)

// condition decides the conditions of the scripts that testdata/README.md explains.
func (t *Runner) condition(cond string) (bool, error) {
	if behaviour, ok := strings.CutPrefix(cond, "has:"); ok {
		return t.has(behaviour), nil
	}
	if what, ok := strings.CutPrefix(cond, "sees:"); ok {
		return what == "segments" && visitor.SeesSegments || t.Program.Sees(what), nil
	}
	build, _ := debug.ReadBuildInfo() // of this program, which stands in for a stage
	holds, ok := map[string]bool{
		"go":     t.Program.Go,
		"source": t.Program.Folder != "",
		"stage":  t.Stage,
		"race":   build != nil && strings.Contains(build.String(), "-race=true"),
	}[cond]
	if !ok {
		return false, errors.New("unknown condition: testdata/README.md says which there are")
	}
	return holds, nil
}

// has says whether the program is to have a behaviour, or, if nobody said so, whether
// more of its stories hold than fail.
func (t *Runner) has(behaviour string) bool {
	if t.Has != nil {
		return t.Has(behaviour)
	}
	passed, failed := 0, 0
	for _, script := range Scripts(behaviour) {
		switch r := t.RunStory(script); {
		case r.Passed():
			passed++
		case r.Failed:
			failed++
		}
	}
	return passed > failed
}

// A scriptT is the testscript.T of a single script, and sets the result of its story.
type scriptT struct{ *Result }

func (r scriptT) Run(name string, f func(testscript.T)) { f(r) }
func (r scriptT) Parallel()                             {}
func (r scriptT) Verbose() bool                         { return true }
func (r scriptT) Log(args ...any)                       { r.Result.Log += fmt.Sprintln(args...) }

func (r scriptT) FailNow() {
	r.Failed = true
	runtime.Goexit()
}

func (r scriptT) Fatal(args ...any) {
	r.Log(args...)
	r.FailNow()
}

func (r scriptT) Skip(args ...any) {
	r.Skipped = strings.TrimSpace(fmt.Sprintln(args...))
	runtime.Goexit()
}

var failure = regexp.MustCompile(`(?s)\nFAIL: [^\n]*?\.txtar:(\d+): (.*)$`)

// readFailure finds the line and the words of the error in what testscript logs of a
// script that failed.
func readFailure(log string) (line int, reason string) {
	if m := failure.FindStringSubmatch(log); m != nil {
		fmt.Sscan(m[1], &line)
		log = m[2]
	}
	return line, strings.TrimSpace(log)
}

var heading = regexp.MustCompile(`(?m)(^# .*\n)+`)

// readStory returns the headings of a script down to a line, each of which is one or
// several lines of comment.
func readStory(file string, line int) []string {
	text, _ := os.ReadFile(file) // which testscript could read
	lines := strings.SplitAfter(string(text), "\n")
	headings := heading.FindAllString(strings.Join(lines[:line], ""), -1)
	for i, h := range headings {
		headings[i] = strings.ReplaceAll(strings.TrimSpace(h[2:]), "\n# ", " ")
	}
	return headings
}

// Root returns the folder of the workbook, which is the nearest one at or above
// folder that has the stories.
func Root(folder string) string {
	for dir := folder; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "testdata", "pages")); err == nil {
			return dir
		}
	}
	return folder
}
