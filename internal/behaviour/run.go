package behaviour

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// A Result is what came of telling one story about one server.
type Result struct {
	Script  string // as in "many-at-once/slow-request"
	Skipped string // why the story was not told, or not to its end
	Failed  bool
	// Undecided says that the story failed for want of proof, on a busy machine.
	Undecided bool
	// Of a story that failed: its headings up to the one under which it did, the
	// line of the script where that happened, what was seen, and the hint.
	Story  []string
	Line   int
	Reason string
	Hint   string
	Log    string // what testscript printed
	Took   time.Duration
	// Goroutine1 is where goroutine 1 was when the story had it printed, as in
	// "in Accept [IO wait]".
	Goroutine1 string
}

// Behaviour is the folder of the script, as in "many-at-once".
func (r Result) Behaviour() string { return Folder(r.Script) }

// Folder returns the behaviour that a script is about.
func Folder(script string) string {
	folder, _, _ := strings.Cut(script, "/")
	return folder
}

// gate is the story whose failure makes that of all others certain.
const gate = "pages/home"

// notTold is why a story was left out that comes after the gate.
const notTold = "the home page is not served as it should be"

// A Runner tells stories about one program, and none after the gate has failed.
type Runner struct {
	// Root is the workbook's folder, which testdata is in.
	Root    string
	Program *server.Program
	// Has says whether the program is to have a behaviour; a script asks with
	// [has:many-at-once]. It may be nil: then it is to have none.
	Has func(behaviour string) bool
	// Stage says that the program is one of the workbook's stages, of which
	// some scripts ask more than the contract does.
	Stage bool
	// Deadline is when a story gives up, if not zero.
	Deadline time.Time

	gate gateOnce
}

type gateOnce struct {
	sync.Once
	result Result
}

// RunStory tells one story, to the end or up to where it fails. It may be called from
// several goroutines. Unless it is the first, it waits for the gate's story.
func (t *Runner) RunStory(script string) Result {
	t.gate.Do(func() { t.gate.result = t.RunAlone(gate) })
	switch {
	case script == gate:
		return t.gate.result
	case t.gate.result.Failed:
		return Result{Script: script, Skipped: notTold}
	}
	return t.RunAlone(script)
}

// slowest is how many times the times in a script are doubled, for want of proof,
// before the story is given up as undecided.
const slowest = 4

// RunAlone is RunStory, but asks nothing of the gate.
func (t *Runner) RunAlone(script string) Result {
	log, began := "", time.Now()
	for doubled := 0; ; doubled++ {
		r := t.runOnce(script, 1<<doubled)
		log += r.Log
		r.Log, r.Took = log, time.Since(began)
		if !r.Undecided || doubled == slowest {
			if r.Undecided {
				r.Reason = fmt.Sprintf("Undecided, on a machine that is too busy: %s\nTold %d times, each time more slowly, and the proof could not be had.", r.Reason, doubled+1)
				r.Hint = ""
			}
			return r
		}
		log += fmt.Sprintf("\nUndecided: %s\nThe story is told again, with all times doubled.\n\n", r.Reason)
	}
}

func (t *Runner) runOnce(script string, scale int) Result {
	s := &story{program: t.Program, scale: time.Duration(scale), deadline: t.Deadline, stage: t.Stage, files: -1}
	defer s.free()
	log := new(recorder)
	log.Run(script, func(testscript.T) { testscript.RunT(log, t.params(script, s)) })
	r := Result{Script: script, Skipped: log.skipped, Failed: log.failed, Log: log.String()}
	if r.Failed {
		r.Story, r.Line, r.Reason = readLog(r.Log)
	} else if r.Skipped == "" {
		if err := s.finish(); err != nil {
			r.Failed, r.Story = true, []string{"The story is told, and the server is interrupted."}
			r.Reason = err.Error()
		}
	}
	r.Undecided, r.Goroutine1 = s.undecided, s.goroutine1
	if r.Failed {
		r.Hint = s.hint
	}
	return r
}

// params returns what testscript needs to run one script.
func (t *Runner) params(script string, s *story) testscript.Params {
	return testscript.Params{
		Files:               []string{filepath.Join(t.Root, "testdata", filepath.FromSlash(script)+".txtar")},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            t.Deadline,
		Cmds:                commands(),
		Setup: func(env *testscript.Env) error {
			env.Values[storyKey{}] = s
			env.Setenv("SOURCE", t.Program.Folder)
			// For exec go: a script's environment lacks what the go command needs.
			for _, pair := range os.Environ() {
				if strings.HasPrefix(pair, "GO") || strings.HasPrefix(pair, "HOME=") || strings.HasPrefix(pair, "XDG_") {
					env.Vars = append(env.Vars, pair)
				}
			}
			return nil
		},
		Condition: t.condition,
	}
}

func (t *Runner) condition(cond string) (bool, error) {
	name, arg, _ := strings.Cut(cond, ":")
	switch name {
	case "has":
		return t.Has != nil && t.Has(arg), nil
	case "go":
		return t.Program.Go, nil
	case "stage":
		return t.Stage, nil
	case "source":
		return t.Program.Folder != "", nil
	case "race":
		info, ok := debug.ReadBuildInfo()
		return ok && strings.Contains(info.String(), "-race=true"), nil
	}
	return false, fmt.Errorf("unknown condition; there are go (the server is written in Go), source (its source is at hand, as a Go package), stage (it is one of the workbook's), race (this program, which stands in for a stage, has the race detector) and has:BEHAVIOUR")
}

// Run tells the stories, up to atOnce of them at the same time, and calls done
// after each, from one goroutine at a time. It returns the results in the order of the
// scripts. After ctx has ended it begins no story, and returns those that are told.
func (t *Runner) Run(ctx context.Context, scripts []string, atOnce int, done func(Result)) []Result {
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

// A recorder is the testscript.T of a single script. It needs no lock, because
// Run returns when the script is done.
type recorder struct {
	log     strings.Builder
	skipped string
	failed  bool
}

func (t *recorder) Run(name string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() { // a goroutine for FailNow to end
		defer close(done)
		f(t)
	}()
	<-done
}

func (t *recorder) String() string  { return t.log.String() }
func (t *recorder) Parallel()       {}
func (t *recorder) Verbose() bool   { return true }
func (t *recorder) Log(args ...any) { fmt.Fprintln(&t.log, args...) }

func (t *recorder) FailNow() {
	t.failed = true
	runtime.Goexit()
}

func (t *recorder) Fatal(args ...any) {
	t.Log(args...)
	t.FailNow()
}

func (t *recorder) Skip(args ...any) {
	t.skipped = strings.TrimSpace(fmt.Sprintln(args...))
	runtime.Goexit()
}

var (
	timing  = regexp.MustCompile(` \(\d+\.\d+s\)$`)
	failure = regexp.MustCompile(`(?s)\nFAIL: [^\n]*?\.txtar:(\d+): (.*)$`)
)

// readLog finds the story in what testscript logs of a script that failed: the
// headings, and the line and the words of the error.
func readLog(log string) (story []string, line int, reason string) {
	m := failure.FindStringSubmatchIndex(log)
	if m == nil {
		return nil, 0, strings.TrimSpace(log)
	}
	fmt.Sscan(log[m[2]:m[3]], &line)
	reason = strings.TrimSpace(log[m[4]:m[5]])
	goesOn := false // the last line was a heading, and not the end of one
	for l := range strings.Lines(log[:m[0]+1]) {
		l = strings.TrimRight(l, "\n")
		text, heading := strings.CutPrefix(l, "# ")
		text = timing.ReplaceAllString(text, "")
		switch {
		case heading && goesOn:
			story[len(story)-1] += " " + text
		case heading:
			story = append(story, text)
		}
		goesOn = heading && !timing.MatchString(l)
	}
	return story, line, reason
}

// Root returns the folder of the workbook, which is the nearest one at or above
// folder that has a testdata beside a go.mod.
func Root(folder string) string {
	for dir := folder; ; dir = filepath.Dir(dir) {
		_, modErr := os.Stat(filepath.Join(dir, "go.mod"))
		_, dataErr := os.Stat(filepath.Join(dir, "testdata", "pages"))
		if modErr == nil && dataErr == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return folder
		}
	}
}
