package behaviour

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// results makes the results of all scripts. Those that skips names, or whose folder it names, were
// left out, those of fails have failed, and all others hold.
func results(fails, skips string) []Result {
	named := func(list, script string) bool {
		words := strings.Fields(list)
		return slices.Contains(words, script) || slices.Contains(words, path.Dir(script))
	}
	var all []Result
	for _, script := range Scripts() {
		r := Result{Script: script, Failed: named(fails, script) && !named(skips, script)}
		switch {
		case r.Failed:
			r.Line, r.Sentences = 7, []string{"A visitor comes ...", "... and is served."}
			r.Reason = "anna gets no answer.\nGoroutine 1 is in main [sleep]."
			r.Hint = "Is the handler started with go? See docs/stage3-spawned.md"
		case named(skips, script):
			r.Skipped = "nobody can see that"
		case path.Base(script) == "slow-request" && strings.Contains(path.Dir(script), "accept-"):
			r.Goroutine1 = "in Accept [IO wait]"
		}
		all = append(all, r)
	}
	return all
}

const (
	inGo  = "goroutine-1-serves goroutine-1-awaits accept-holds-a-thread accept-is-parked waiting-holds-a-thread/accept waiting-holds-a-thread/read waiting-is-free/accept without-a-network go-vet command-line forgotten-await"
	stops = "waiting-is-free/interrupted-while-idle waiting-is-free/interrupted-while-serving waiting-is-free/terminated-while-serving waiting-is-free/interrupted-twice"
	// Nor can its patience be set.
	noSlowPage = " pages/slow one-at-a-time/slow-request one-at-a-time/take-turns many-at-once/slow-request many-at-once/each-their-own" +
		" many-at-once/many-slow-requests waiting-is-free/slow-request-is-not-dropped waiting-is-free/silent-visitor-is-dropped" +
		" waiting-is-free/chatterbox-is-dropped waiting-holds-a-thread/interrupted waiting-is-free/interrupted-while-idle " + stops
	serial    = "many-at-once waiting-is-free thread-per-visitor "
	allAtOnce = "one-at-a-time goroutine-1-serves goroutine-1-awaits "
	threads   = allAtOnce + "waiting-is-free accept-is-parked without-a-network "
	parked    = allAtOnce + "waiting-holds-a-thread thread-per-visitor accept-holds-a-thread "
)

var placed = []struct {
	name, fails, skips string
	atATime            int
	stage              int
	place, asks, first string
}{
	{"no answer", "pages one-at-a-time many-at-once", "", 0,
		0, "is not on the ladder yet", "it serves its pages", "pages/home"},
	{"one at a time", serial, inGo, 0,
		2, "is at stage 1, or 2: nobody can tell these apart from outside", "it serves many visitors at once", "many-at-once/slow-request"},
	{"one at a time, without manners", serial + manners, inGo, 0,
		2, "is at stage 1, or 2: nobody can tell these apart from outside", "it serves many visitors at once", "many-at-once/slow-request"},
	{"stage 1", serial + "goroutine-1-awaits accept-holds-a-thread accept-is-parked without-a-network", "", 0,
		1, "is at stage 1", "it has goroutine 1 await the handler", "goroutine-1-awaits/slow-request"},
	{"stage 2", serial + "goroutine-1-serves accept-holds-a-thread accept-is-parked without-a-network", "", 0,
		2, "is at stage 2", "it serves many visitors at once", "many-at-once/slow-request"},
	{"four at a time", "one-at-a-time many-at-once/many-slow-requests waiting-is-free thread-per-visitor", inGo, 4,
		1, "is between stages 1 and 3: it serves 4 at a time", "it serves many visitors at once", "many-at-once/many-slow-requests"},
	{"an event loop that is blocked", "one-at-a-time/silent-visitor many-at-once/slow-request many-at-once/many-slow-requests thread-per-visitor " + stops, inGo, 1,
		1, "is between stages 1 and 3: silent visitors delay nobody, and one slow request delays everybody: it blocks the event loop",
		"it serves many visitors at once", "many-at-once/slow-request"},
	{"reads before it goes on", "one-at-a-time/slow-request one-at-a-time/take-turns many-at-once/silent-visitor many-at-once/half-a-request waiting-is-free thread-per-visitor", inGo, 0,
		1, "is between stages 1 and 3: a slow request delays nobody, and a silent visitor delays everybody",
		"it serves many visitors at once", "many-at-once/silent-visitor"},
	{"one at a time, the last one first", serial + "one-at-a-time/take-turns", inGo, 0,
		1, "is between stages 1 and 3: some visitors wait for others", "it serves many visitors at once", "many-at-once/slow-request"},
	{"a thread for each", threads, inGo, 0,
		3, "is at stage 3", "it waits without holding a thread; it drops visitors who do not ask, and no others; it stops in good order", "waiting-is-free/silent-visitors"},
	{"a thread for each, without manners", threads + manners, inGo, 0,
		3, "is at stage 3", "it waits without holding a thread; it drops visitors who do not ask, and no others; it stops in good order", "waiting-is-free/silent-visitors"},
	{"a thread for each, which stops well", allAtOnce + "waiting-is-free/silent-visitors", inGo, 0,
		3, "is at stage 3", "it waits without holding a thread", "waiting-is-free/silent-visitors"},
	{"no slow page", parked + stops, inGo + noSlowPage, 0,
		3, "is past stage 3: a wait holds no thread. What else stage 4 asks cannot all be seen of it", "", ""},
	{"one at a time, without a slow page", serial, inGo + noSlowPage, 0,
		2, "is at stage 1, or 2: nobody can tell these apart from outside", "it serves many visitors at once", "many-at-once/silent-visitor"},
	{"go handle(conn)", parked + "without-a-network " + stops, "command-line forgotten-await", 0,
		3, "is past stage 3: a wait holds no thread", "it stops in good order", "waiting-is-free/interrupted-while-idle"},
	{"stage 4", parked + "without-a-network", "command-line forgotten-await", 0,
		4, "is at stage 4", "it has a handler that can be tested without a network", "without-a-network/handler"},
	{"stage 4 in another language", parked, inGo, 0,
		4, "is at stage 4; what stage 5 adds shows in the source of a Go program only", "", ""},
	{"stage 5, whatever its manners", parked + manners, "command-line forgotten-await", 0,
		5, "is at stage 5, which is the last one", "", ""},
}

func TestPlace(t *testing.T) {
	for _, test := range placed {
		all := results(test.fails, test.skips)
		all[slices.Index(Scripts(), "many-at-once/many-slow-requests")].AtATime = test.atATime
		got := Place(all)
		first := ""
		if got.First != nil {
			first = got.First.Script
		}
		if asks := strings.Join(got.Asks, "; "); got.Stage != test.stage || got.Place != test.place || asks != test.asks || first != test.first {
			t.Errorf("%s:\ngot  %d, %q, %q, %q\nwant %d, %q, %q, %q", test.name,
				got.Stage, got.Place, asks, first, test.stage, test.place, test.asks, test.first)
		}
	}
}

func TestPlaceOfOneThatDies(t *testing.T) {
	all := results("one-at-a-time/take-turns", "")
	all[slices.Index(Scripts(), "one-at-a-time/take-turns")].Died = true
	if got := Place(all); got.Stage != 0 || got.First.Script != "one-at-a-time/take-turns" {
		t.Errorf("got %d and %v; want 0 and the script in which the server died", got.Stage, got.First)
	}
}

// What was not decided, and where the server ended, does not count.
func TestPlaceInDoubt(t *testing.T) {
	for _, test := range []struct {
		script, place string
		change        func(*Result)
	}{
		{"many-at-once/half-a-request", "is at stage 3. But some visitors make it end", func(r *Result) { r.Died = true }},
		{"many-at-once/half-a-request", "is at stage 3", func(r *Result) { r.GoesOn = true }},
		{"many-at-once/many-slow-requests", "is at stage 3, as far as that could be decided", func(r *Result) { r.Undecided = true }},
	} {
		all := results(threads+test.script, inGo)
		test.change(&all[slices.Index(Scripts(), test.script)])
		if got := Place(all); got.Stage != 3 || got.Place != test.place {
			t.Errorf("got %d, %q; want 3, %q", got.Stage, got.Place, test.place)
		}
	}
}

func TestPlaceOfAPoolWithoutASlowPage(t *testing.T) {
	all := results("one-at-a-time thread-per-visitor waiting-is-free", inGo+noSlowPage)
	all[slices.Index(Scripts(), "waiting-is-free/silent-visitors")].Stuck = true
	if got := Place(all); got.Stage != 1 || got.First.Script != "waiting-is-free/silent-visitors" {
		t.Errorf("got %d, %q and %v; want 1, and the script with 300 silent visitors", got.Stage, got.Place, got.First)
	}
}

// Every verdict begins with the place, and fits on the screen.
func TestVerdictFits(t *testing.T) {
	for _, test := range placed {
		for _, rows := range []int{20, 22, 40} {
			r := &Report{Who: "Your server", Again: "make check SERVER=./_mine TELL=NAME", Results: results(test.fails, test.skips)}
			text, ok := r.Verdict(rows)
			checkFits(t, text, rows)
			if !ok || !strings.HasPrefix(text, "Your server is ") {
				t.Errorf("%s: ok is %v, of\n%s", test.name, ok, text)
			}
			if test.first != "" && !strings.Contains(text, "\nMake this hold first: "+test.first+", line 7:\n") {
				t.Errorf("%s: %s is not the first to make hold in\n%s", test.name, test.first, text)
			}
			if politely := strings.Contains(test.fails, manners); politely == strings.Contains(text, "\nManners: 17 of 17.\n") {
				t.Errorf("%s: the manners are told wrongly in\n%s", test.name, text)
			}
		}
	}
}

func checkFits(t *testing.T, text string, rows int) {
	t.Helper()
	n := 0
	for line := range strings.Lines(text) {
		n += 1 + (len([]rune(line))-2)/80
	}
	if n > rows {
		t.Errorf("this has %d rows of 80 columns; want at most %d:\n%s", n, rows, text)
	}
}

func TestAskedForAStage(t *testing.T) {
	for _, test := range []struct {
		stage int
		ok    bool
	}{{1, true}, {3, true}, {4, false}} {
		r := &Report{Who: "Your server", Stage: &Stages[test.stage-1], Results: results(threads, inGo)}
		text, ok := r.Verdict(22)
		if ok != test.ok || ok == strings.Contains(text, "has not reached stage 4: it is at stage 3.") {
			t.Errorf("of a server at stage 3, stage %d: ok is %v, of\n%s", test.stage, ok, text)
		}
	}
}

var lost = []struct {
	name, fails string
	change      func(*Result) // of those that fail
	want        string
}{
	{"one", "many-at-once/slow-request", nil, `stage3-spawned no longer serves many visitors at once.

testdata/many-at-once/slow-request.txtar, line 7:
    A visitor comes ...
    ... and is served.

anna gets no answer.
Goroutine 1 is in main [sleep].
Is the handler started with go? See docs/stage3-spawned.md
`},
	{"some", "manners/packets many-at-once", nil, `
5 more scripts fail, perhaps for the same reason. To see one:
    go test ./stage3-spawned -run /many-at-once/silent-visitor -v
    many-at-once/silent-visitor: anna gets no answer.
`},
	{"a race", "pages/slow", func(r *Result) { r.Reason = "It printed:\n\t" + dataRace }, "stage3-spawned has a data race: "},
	{"goes on", "pages/slow", func(r *Result) { r.GoesOn = true }, "stage3-spawned no longer ends when it is interrupted.\n"},
	{"undecided", "pages/slow", func(r *Result) { r.Undecided = true }, "stage3-spawned may be one that serves its pages, and that could not be\ndecided.\n"},
	{"long", "manners/reply", func(r *Result) { r.Reason = strings.Repeat("The reply is too long to be shown.\n", 100) }, "stage3-spawned no longer answers as HTTP asks.\n"},
	{"wide", "manners/reply", func(r *Result) { r.Reason = strings.Repeat("x", 5000) }, " ...\nIs the handler started with go?"},
}

func TestLost(t *testing.T) {
	for _, test := range lost {
		stage := Stages[2]
		var all []Result
		for _, r := range results(test.fails, "") {
			if r.Failed && test.change != nil {
				test.change(&r)
			}
			if stage.Has(r.Behaviour()) {
				all = append(all, r)
			}
		}
		r := &Report{Who: stage.Folder, Stage: &stage, Strict: true, Results: all, Again: "go test ./stage3-spawned -run /NAME -v"}
		text, ok := r.Verdict(17)
		checkFits(t, text, 17)
		if ok || !strings.Contains(text, test.want) {
			t.Errorf("%s: ok is %v, and it is\n%s\nwant in it\n%s", test.name, ok, text, test.want)
		}
	}
}

func TestNothingIsLost(t *testing.T) {
	r := &Report{Who: "stage5-testable", Stage: &Stages[4], Strict: true, Results: results(parked, "")}
	r.Results = slices.DeleteFunc(r.Results, func(r Result) bool { return !Stages[4].Has(r.Behaviour()) })
	if text, ok := r.Verdict(17); !ok || !strings.HasPrefix(text, "stage5-testable behaves like stage 5.\n") {
		t.Errorf("ok is %v, of\n%s", ok, text)
	}
}
