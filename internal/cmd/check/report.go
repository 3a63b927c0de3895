package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"example.com/concurrent-web-server/internal/behaviour"
)

// A report prints a line for each behaviour as soon as all of its stories, and
// those of the behaviours before it, have been told.
type report struct {
	out  io.Writer
	live bool // out is a terminal, on which a line can be written anew
	// interrupted says whether all servers have been ended, so that what comes
	// in says nothing about them any more.
	interrupted func() bool

	mu      sync.Mutex
	lines   []*line
	printed int    // how many of the lines are final
	shown   string // the line that is not, on a terminal
}

// A line is what is known of one behaviour.
type line struct {
	behaviour string
	scripts   []string
	results   []behaviour.Result // in the order of the scripts, once all is done
	told      []behaviour.Result // in the order in which they came
}

func newReport(out io.Writer, interrupted func() bool) *report {
	r := &report{out: out, interrupted: interrupted}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		r.live = err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	}
	return r
}

func (r *report) expect(behaviour string, scripts []string) {
	r.lines = append(r.lines, &line{behaviour: behaviour, scripts: scripts})
}

func (r *report) scripts() []string {
	var all []string
	for _, l := range r.lines {
		all = append(all, l.scripts...)
	}
	return all
}

// done takes a result. It may be called from any goroutine.
func (r *report) done(result behaviour.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.interrupted() {
		return
	}
	l := r.line(result.Behaviour)
	l.told = append(l.told, result)
	for r.printed < len(r.lines) {
		l := r.lines[r.printed]
		name := strings.ReplaceAll(l.behaviour, "-", " ")
		if len(l.told) < len(l.scripts) {
			if state := fmt.Sprintf("%-24s %d of %d stories", name, len(l.told), len(l.scripts)); r.live && state != r.shown {
				fmt.Fprint(r.out, "\r\x1b[K"+state)
				r.shown = state
			}
			return
		}
		if r.live {
			fmt.Fprint(r.out, "\r\x1b[K")
		}
		fmt.Fprintf(r.out, "%-24s %s\n", name, l.sum())
		r.printed++
	}
}

func (r *report) line(behaviour string) *line {
	for _, l := range r.lines {
		if l.behaviour == behaviour {
			return l
		}
	}
	return &line{}
}

// results takes all results, in order.
func (r *report) results(all []behaviour.Result) {
	for _, result := range all {
		l := r.line(result.Behaviour)
		l.results = append(l.results, result)
	}
}

// sum sums up what is known of a behaviour once all of its stories are told.
func (l *line) sum() string {
	if l.behaviour == "where-is-goroutine-1" {
		return l.whereIs()
	}
	failed, skipped, why := 0, 0, ""
	for _, result := range l.told {
		switch {
		case result.Failed:
			failed++
		case result.Skipped != "":
			skipped++
			why = result.Skipped
		}
	}
	switch {
	case failed > 0 && l.behaviour == "command-line":
		return "no, which does not count"
	case failed > 0:
		return "no"
	case skipped == len(l.told):
		return "left out: " + why
	case skipped > 0:
		return fmt.Sprintf("yes (%d of %d stories left out: %s)", skipped, len(l.told), why)
	}
	return "yes"
}

var goroutine1 = regexp.MustCompile(`goroutine 1 (\[[^\]]*\])`)

// whereIs says which of the stages' stories fits.
func (l *line) whereIs() string {
	var fits []string
	seen := ""
	for _, stage := range behaviour.Stages {
		for _, result := range l.told {
			switch {
			case !strings.HasSuffix(result.Script, "/"+stage.Folder):
			case result.Skipped != "":
				return "left out: " + result.Skipped
			case !result.Failed:
				fits = append(fits, fmt.Sprint(stage.Number))
			default:
				if m := goroutine1.FindStringSubmatch(result.Reason[strings.LastIndex(result.Reason, "the dump shows")+1:]); m != nil {
					seen = ": it is " + m[1]
				}
			}
		}
	}
	switch len(fits) {
	case 0:
		return "not where a stage has it" + seen
	case 1:
		return "as in stage " + fits[0]
	}
	return "as in stages " + strings.Join(fits, " and ")
}

// has says whether the server has a behaviour, as far as it was asked for, and
// can be seen. Otherwise it returns the first story that failed.
func (r *report) has(name string) (bool, *behaviour.Result) {
	told := false
	for _, result := range r.line(name).results {
		if result.Failed {
			return false, &result
		}
		told = told || result.Skipped == ""
	}
	return told, nil
}

// misses returns the first story that keeps the server from being like a stage,
// or nil if it is like it. A behaviour of which nothing can be seen keeps it from
// nothing.
func (r *report) misses(stage behaviour.Stage) *behaviour.Result {
	for _, b := range stage.Behaviours {
		switch {
		case b == "command-line":
			continue // good manners, and not what the stages differ in
		case b == "where-is-goroutine-1":
			// Elsewhere the behaviours decide, and a server's goroutine 1 may
			// well do something else.
			for _, result := range r.line(b).results {
				if stage.Number <= 2 && strings.HasSuffix(result.Script, "/"+stage.Folder) && result.Failed {
					return &result
				}
			}
		default:
			if _, failed := r.has(b); failed != nil {
				return failed
			}
		}
	}
	return nil
}

// A notAsAsked is the story that keeps a server from being at a stage.
type notAsAsked struct {
	stage behaviour.Stage
	story *behaviour.Result
}

func (n *notAsAsked) Error() string {
	return fmt.Sprintf("Your server does not behave like stage %d. The first story that failed is\n%s", n.stage.Number, strings.TrimSpace(n.story.String()))
}

// judge says whether the server is like the stage that was asked for.
func (r *report) judge(stage behaviour.Stage) error {
	if story := r.misses(stage); story != nil {
		return &notAsAsked{stage, story}
	}
	fmt.Fprintf(r.out, "\nYour server behaves like stage %d.\n", stage.Number)
	return nil
}

// verdict says which stage the server is like, and what comes next.
func (r *report) verdict() {
	var like []int
	for _, stage := range behaviour.Stages {
		if r.misses(stage) == nil {
			like = append(like, stage.Number)
		}
	}
	own, _ := r.has("own-goroutine")
	mock, _ := r.has("without-a-network")
	const alike = ", which nobody can tell apart from outside"
	fmt.Fprintln(r.out)
	switch {
	case slices.Equal(like, []int{1, 2}) && own:
		r.next("stage 2", 3)
	case slices.Equal(like, []int{1, 2}):
		r.next("stages 1 and 2"+alike, 3)
	case slices.Equal(like, []int{4, 5}) && mock:
		fmt.Fprintln(r.out, "Your server behaves like stage 5, which is the last one.")
	case slices.Equal(like, []int{4, 5}):
		r.next("stages 4 and 5"+alike, 5)
	case len(like) == 1:
		r.next(fmt.Sprintf("stage %d", like[0]), like[0]+1)
	default:
		r.between()
	}
}

func (r *report) next(like string, number int) {
	stage := behaviour.Stages[number-1]
	fmt.Fprintf(r.out, "Your server behaves like %s. What stage %d adds: %s. See %s\n", like, number, stage.Adds, stage.Page())
}

// between says what keeps a server that is like no stage from being like the
// next one.
func (r *report) between() {
	oneAtATime, _ := r.has("one-at-a-time")
	manyAtOnce, _ := r.has("many-at-once")
	said, story := "", (*behaviour.Result)(nil)
	switch _, pages := r.has("pages"); {
	case pages != nil:
		said, story = "Your server behaves like no stage yet, because of its pages.", pages
	case manyAtOnce:
		_, story = r.has("waiting-is-free")
		said = "Your server is past stage 3, since many visitors are served at once, and is not at stage 4 yet."
	case oneAtATime:
		said, story = "Your server serves one visitor at a time, as stages 1 and 2 do, and differs from them.", r.misses(behaviour.Stages[1])
	default:
		_, story = r.has("many-at-once")
		said = "Your server is between stages 2 and 3: visitors are served neither one at a time nor many at once."
	}
	fmt.Fprintln(r.out, said)
	if story != nil {
		fmt.Fprintf(r.out, "The first story that failed is\n%s\n", strings.TrimSpace(story.String()))
	}
}
