package behaviour

import (
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// A Result is what came of telling one story about one server.
type Result struct {
	Behaviour string // as in "many-at-once"
	Script    string // as in "many-at-once/slow-request"
	Skipped   string // why the story was not told
	Failed    bool
	// Of a story that failed: its headings up to the one under which it did,
	// the line of the script where that happened, and what was seen.
	Story  []string
	Line   int
	Reason string
}

// File is the script, as seen from the workbook's folder.
func (r Result) File() string {
	return filepath.Join("testdata", filepath.FromSlash(r.Script)+".txtar")
}

// String tells the story as far as it went, and why it went no further.
func (r Result) String() string {
	switch {
	case r.Skipped != "":
		return r.Script + " was left out: " + r.Skipped
	case !r.Failed:
		return r.Script + " passed"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, line %d:\n\n", filepath.ToSlash(r.File()), r.Line)
	for _, heading := range r.Story {
		fmt.Fprintf(&b, "    %s\n", heading)
	}
	fmt.Fprintf(&b, "\n%s\n", r.Reason)
	return b.String()
}

// Scripts returns the scripts of a behaviour, as in "pages/home". Those that
// say most about a server that fails them all come first.
func Scripts(root, behaviour string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(root, "testdata", behaviour, "*.txtar"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no behaviour %q: no scripts in %s", behaviour, filepath.Join(root, "testdata", behaviour))
	}
	var scripts []string
	for _, file := range files {
		scripts = append(scripts, behaviour+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"))
	}
	var first []string
	for _, name := range []string{"home", "not-found", "slow-request", "accept", "interrupted-while-idle", "interrupted-while-serving"} {
		first = append(first, behaviour+"/"+name)
	}
	slices.SortStableFunc(scripts, func(a, b string) int {
		rank := func(s string) int {
			if i := slices.Index(first, s); i >= 0 {
				return i
			}
			return len(first)
		}
		return rank(a) - rank(b)
	})
	return scripts, nil
}

// Examine tells the stories about program, up to atOnce of them at the same time,
// and returns the results in the order of the scripts. It calls done, if that is
// not nil, after each, from any goroutine.
func Examine(root string, program *server.Program, scripts []string, atOnce int, done func(Result)) []Result {
	return examine(root, program, scripts, atOnce, done, false)
}

// Decide is like Examine, but tells no more stories than it takes to know which
// behaviours the server has. One of each behaviour goes ahead; once one has failed, no
// other is begun. The first that fails, in the order of the scripts, is always told.
func Decide(root string, program *server.Program, scripts []string, atOnce int, done func(Result)) []Result {
	return examine(root, program, scripts, atOnce, done, true)
}

const untold = "another story of this behaviour has failed"

func examine(root string, program *server.Program, scripts []string, atOnce int, done func(Result), brief bool) []Result {
	var (
		results = make([]Result, len(scripts))
		groups  = map[string][]int{}           // the scripts of a behaviour
		over    = map[string]*sync.WaitGroup{} // when all of them are told
		order   []string                       // of the behaviours
		slots   = make(chan struct{}, atOnce)
		all     sync.WaitGroup
	)
	for i, script := range scripts {
		behaviour, _, _ := strings.Cut(script, "/")
		if over[behaviour] == nil {
			over[behaviour] = new(sync.WaitGroup)
			order = append(order, behaviour)
		}
		groups[behaviour] = append(groups[behaviour], i)
		over[behaviour].Add(1)
	}
	// has is what a script asks. It lends its slot to the scripts that it waits for.
	has := func(behaviour string) bool {
		if over[behaviour] == nil {
			return false
		}
		<-slots
		over[behaviour].Wait()
		slots <- struct{}{}
		for _, i := range groups[behaviour] {
			if results[i].Failed {
				return false
			}
		}
		return true
	}
	// came takes the result of a script, and gives back the slot that it held.
	came := func(i int, r Result) {
		results[i] = r
		if done != nil {
			done(r)
		}
		<-slots
		over[r.Behaviour].Done()
	}
	for _, behaviour := range order {
		all.Go(func() {
			// The stories of where-is-goroutine-1 are alternatives: any of them may fail.
			brief := brief && behaviour != "where-is-goroutine-1"
			ahead := brief // the story that goes ahead has yet to be told
			var failed atomic.Bool
			var told sync.WaitGroup
			for _, i := range groups[behaviour] {
				slots <- struct{}{}
				if brief && failed.Load() {
					came(i, Result{Behaviour: behaviour, Script: scripts[i], Skipped: untold})
					continue
				}
				told.Go(func() {
					r := Tell(root, program, scripts[i], has)
					if r.Failed {
						failed.Store(true)
					}
					came(i, r)
				})
				if ahead {
					told.Wait()
					ahead = results[i].Skipped != ""
				}
			}
			told.Wait()
		})
	}
	all.Wait()
	return results
}

// Tell runs one script. What has says of a behaviour is what the script is told
// if it asks whether the server has it.
func Tell(root string, program *server.Program, script string, has func(behaviour string) bool) Result {
	p := Params(program, has)
	p.Files = []string{filepath.Join(root, "testdata", filepath.FromSlash(script)+".txtar")}
	t := new(teller)
	t.Run(script, func(testscript.T) { testscript.RunT(t, p) })
	behaviour, _, _ := strings.Cut(script, "/")
	r := Result{Behaviour: behaviour, Script: script, Skipped: t.skipped, Failed: t.failed}
	if r.Failed {
		r.Story, r.Line, r.Reason = readLog(t.log)
	}
	return r
}

// A teller is the testscript.T of a single script. It needs no lock, because
// Run returns when the script is done.
type teller struct {
	log     string
	skipped string
	failed  bool
}

func (t *teller) Run(name string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() { // a goroutine for FailNow to end
		defer close(done)
		f(t)
	}()
	<-done
}

func (t *teller) Parallel()       {}
func (t *teller) Verbose() bool   { return false }
func (t *teller) Log(args ...any) { t.log += fmt.Sprintln(args...) }

func (t *teller) FailNow() {
	t.failed = true
	runtime.Goexit()
}

func (t *teller) Fatal(args ...any) {
	t.Log(args...)
	t.FailNow()
}

func (t *teller) Skip(args ...any) {
	t.skipped = strings.TrimSpace(fmt.Sprintln(args...))
	runtime.Goexit()
}

var (
	timing  = regexp.MustCompile(` \(\d+\.\d+s\)$`)
	failure = regexp.MustCompile(`(?s)\nFAIL: [^\n]*?\.txtar:(\d+): (.*)$`)
)

// readLog finds the story in what testscript logs of a script that failed: the
// headings, the commands since the last of them, and the error.
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
