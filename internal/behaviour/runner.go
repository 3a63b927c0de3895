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

// A Result is the result of running one script against one server.
type Result struct {
	Script  string // as in "many-at-once/slow-request"
	Skipped string // why the script was not run, or not to its end
	NotRun  bool   // it was skipped because the first script failed
	Failed  bool
	// GoesOn says that the script itself holds, but that its server does not end when it is
	// interrupted.
	GoesOn bool
	// Stuck says that the script failed because a visitor was kept waiting.
	Stuck bool
	// Undecided says that the script failed for want of proof, on a busy machine.
	Undecided bool
	// Lacks says that the script failed because the machine or the caller did not provide
	// something: files, processes, ports, time. It says nothing of the server.
	Lacks bool
	// The following are set if the script failed: its comments up to the line of the failure, the
	// number of that line, the reason, and the hint.
	Sentences []string
	Line      int
	Reason    string
	Hint      string
	Log       string // what testscript printed
	// Goroutine1 is where goroutine 1 was at the dump, as in "in Accept [IO wait]".
	Goroutine1 string
	// Died says that the server ended by itself, and should not have.
	Died bool
	// AtATime is how many slow requests were in progress, if these were fewer than the script had
	// sent.
	AtATime int
}

// Behaviour is the folder of the script, as in "many-at-once".
func (r Result) Behaviour() string { return path.Dir(r.Script) }

// Passed says whether the script was run to its end and holds.
func (r Result) Passed() bool { return !r.Failed && r.Skipped == "" }

// firstScript is run before all others, and none of them is run if it fails.
const firstScript = "pages/home"

// A Runner runs scripts against one program, and none after the first script has failed.
// Its methods are safe for concurrent use.
type Runner struct {
	// Root is the workbook's folder, which has the folder testdata.
	Root    string
	Program *server.Program
	// Strict says that the program has to do all that the stages do. It is the condition [strict]
	// of the scripts.
	Strict bool
	// Deadline is when a script gives up, if not zero.
	Deadline time.Time

	once  sync.Once
	first Result // of firstScript
}

// atOnce is how many scripts are run at the same time by default. They mostly wait.
const atOnce = 16

// Run runs the scripts, up to parallel of them at the same time, or one after another if the program
// has a port of its own. After each it calls done, from one goroutine at a time, unless done is nil.
// It returns the results in the order of the scripts. After the end of ctx it starts no script and
// does not call done.
func (t *Runner) Run(ctx context.Context, scripts []string, parallel int, done func(Result)) []Result {
	if t.Program.At != "" {
		parallel = 1
	}
	results := make([]Result, len(scripts))
	slots := make(chan struct{}, parallel)
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, script := range scripts {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			r := t.RunNext(script)
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

// RunNext runs one script, unless the first script, which it runs before all others, fails.
func (t *Runner) RunNext(script string) Result {
	t.once.Do(func() { t.first = t.RunAlone(firstScript) })
	switch {
	case script == firstScript:
		return t.first
	case t.first.GoesOn:
		return Result{Script: script, NotRun: true, Skipped: "each would wait for a server that does not end"}
	case t.first.Lacks:
		return Result{Script: script, NotRun: true, Skipped: "the first of them could not be run"}
	case t.first.Failed:
		return Result{Script: script, NotRun: true, Skipped: "the home page is not served"}
	}
	return t.RunAlone(script)
}

// maxRuns is how often an undecided script is run. All times are doubled from run to run.
const maxRuns = 5

// RunAlone runs one script, whatever came of the first script.
func (t *Runner) RunAlone(script string) Result {
	log := ""
	for runs := 1; ; runs++ {
		r := t.runOnce(script, 1<<(runs-1))
		log += r.Log
		r.Log = log
		switch {
		case r.Lacks || !r.Undecided:
			return r
		case t.overdue():
			r.Reason = "The time was over before this was decided (go test has -timeout): " + r.Reason
			r.Lacks, r.Hint = true, ""
			return r
		case runs == maxRuns || runs == 2 && !t.Program.CanTell("slow"):
			r.Reason = fmt.Sprintf("Undecided, on a machine that is too busy: %s\n"+
				"Run %d times, each time more slowly, and the proof could not be had.", r.Reason, runs)
			r.Hint = ""
			return r
		}
		log += fmt.Sprintf("\nUndecided: %s\nThe script is run again, with all times doubled.\n\n", r.Reason)
	}
}

func (t *Runner) overdue() bool { return !t.Deadline.IsZero() && time.Now().After(t.Deadline) }

func (t *Runner) runOnce(script string, scale int) Result {
	r := &run{Result: Result{Script: script}, program: t.Program, scale: time.Duration(scale), deadline: t.Deadline,
		files: -1, strict: t.Strict, manners: path.Dir(script) == manners}
	defer r.free()
	file := filepath.Join(t.Root, "testdata", filepath.FromSlash(script)+".txtar")
	var done sync.WaitGroup
	done.Go(func() { testscript.RunT(scriptT{&r.Result}, t.params(file, r)) }) // FailNow ends the goroutine
	done.Wait()
	switch {
	case r.Skipped != "":
		r.Failed = false
	case r.Failed:
		r.Line, r.Reason = readFailure(r.Log)
		r.Sentences = readSentences(file, r.Line)
	default:
		if err := r.finish(); err != nil {
			r.Failed, r.Sentences = true, []string{"All of the script holds, and the server is interrupted."}
			r.Reason = err.Error()
		}
	}
	if !r.Failed {
		r.Hint = ""
	}
	r.Undecided = r.Failed && (r.Undecided || t.overdue()) // after the deadline no wait is long enough
	return r.Result
}

// params returns what testscript needs to run one script.
func (t *Runner) params(file string, r *run) testscript.Params {
	return testscript.Params{
		Files:               []string{file},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            t.Deadline,
		Cmds:                commands(),
		Condition:           t.condition,
		Setup: func(env *testscript.Env) error {
			env.Values[runKey{}] = r
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
	if what, ok := strings.CutPrefix(cond, "sees:"); ok {
		return what == "segments" && visitor.Segments != nil || t.Program.Sees(what), nil
	}
	build, _ := debug.ReadBuildInfo() // the stage is in this program
	holds, ok := map[string]bool{
		"slow-page": t.Program.CanTell("slow"),
		"go":        t.Program.Go,
		"source":    t.Program.Folder != "",
		"strict":    t.Strict,
		"race":      build != nil && strings.Contains(build.String(), "-race=true"),
	}[cond]
	if !ok {
		return false, errors.New("unknown condition: testdata/README.md says which there are")
	}
	return holds, nil
}

// A scriptT is the testscript.T of a single script, and sets its result.
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

// readFailure finds the line and the text of the error in the log of testscript.
func readFailure(log string) (line int, reason string) {
	if m := failure.FindStringSubmatch(log); m != nil {
		fmt.Sscan(m[1], &line)
		log = m[2]
	}
	return line, strings.TrimSpace(log)
}

var comment = regexp.MustCompile(`(?m)(^# .*\n)+`)

// readSentences returns the comments of a script down to a line. Adjacent lines are one comment.
func readSentences(file string, line int) []string {
	text, _ := os.ReadFile(file) // testscript has read it already
	lines := strings.SplitAfter(string(text), "\n")
	comments := comment.FindAllString(strings.Join(lines[:line], ""), -1)
	for i, c := range comments {
		comments[i] = strings.ReplaceAll(strings.TrimSpace(c[2:]), "\n# ", " ")
	}
	return comments
}

// Root returns the folder of the workbook: folder itself, or the first one above it that has the
// scripts.
func Root(folder string) string {
	for dir := folder; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "testdata", "pages")); err == nil {
			return dir
		}
	}
	return folder
}
