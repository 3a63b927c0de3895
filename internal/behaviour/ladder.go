package behaviour

import "slices"

// This file is the ladder as data: what each stage can do, and which scripts
// decide it. The tests of the stages say the same in their own words, the
// matrix in matrix_test.go measures it, and the README shows what was measured.

// A Stage is a rung of the ladder.
type Stage struct {
	Number int
	Folder string // its folder, and the name of its page
	// Adds says what this stage can do that the one before could not.
	Adds string
	// Behaviours are the folders of testdata that this stage passes, in the
	// order in which they are reported.
	Behaviours []string
}

// Page is where to read about the stage.
func (s Stage) Page() string { return "docs/" + s.Folder + ".md" }

// Has says whether the stage has the behaviour.
func (s Stage) Has(behaviour string) bool {
	return slices.Contains(s.Behaviours, behaviour)
}

// Stages are the five, from the first on.
var Stages = []Stage{
	{1, "stage1-blocking", "a server answers at all",
		[]string{"pages", "one-at-a-time", "waiting-holds-a-thread", "command-line", "where-is-goroutine-1"}},
	{2, "stage2-sequential-async", "the handler runs in a goroutine of its own",
		[]string{"pages", "one-at-a-time", "waiting-holds-a-thread", "command-line", "own-goroutine", "where-is-goroutine-1", "forgotten-await"}},
	{3, "stage3-spawned", "no visitor waits for another",
		[]string{"pages", "many-at-once", "waiting-holds-a-thread", "command-line", "own-goroutine", "where-is-goroutine-1"}},
	{4, "stage4-nonblocking-accept", "waiting for a visitor holds no thread",
		[]string{"pages", "many-at-once", "waiting-is-free", "command-line", "own-goroutine", "where-is-goroutine-1"}},
	{5, "stage5-testable", "the handler can be tested without a network",
		[]string{"pages", "many-at-once", "waiting-is-free", "command-line", "own-goroutine", "where-is-goroutine-1", "without-a-network"}},
}

// Behaviours are all that there are, in the order in which they are reported.
var Behaviours = []string{
	"pages", "one-at-a-time", "many-at-once", "waiting-holds-a-thread", "waiting-is-free",
	"command-line", "own-goroutine", "where-is-goroutine-1", "without-a-network", "forgotten-await",
}

// A Row is a line of the ladder in a reader's words.
type Row struct {
	Says string
	// Yes are the scripts that all pass, and No those that all pass otherwise,
	// if the row is said of a server. Of a row without a No, the No is that
	// Yes fails for Reason, a regular expression.
	Yes, No []string
	Reason  string
}

// Ladder is the table that the README shows.
var Ladder = []Row{
	{
		Says:   "serves `/`, and 404 for the rest",
		Yes:    []string{"pages/home", "pages/not-found"},
		Reason: "gets no answer",
	}, {
		Says: "the handler runs in its own goroutine",
		Yes:  []string{"own-goroutine/slow-request"},
		No:   []string{"where-is-goroutine-1/stage1-blocking"},
	}, {
		Says: "a slow request delays the next visitor",
		Yes:  []string{"one-at-a-time/slow-request", "one-at-a-time/take-turns"},
		No:   []string{"many-at-once/slow-request", "many-at-once/fifty-slow-requests"},
	}, {
		Says: "a silent visitor delays the next visitor",
		Yes:  []string{"one-at-a-time/silent-visitor"},
		No:   []string{"many-at-once/silent-visitor"},
	}, {
		Says: "waiting holds a thread",
		Yes:  []string{"waiting-holds-a-thread/accept", "waiting-holds-a-thread/read", "waiting-holds-a-thread/silent-visitors"},
		No:   []string{"waiting-is-free/accept", "waiting-is-free/silent-visitors"},
	}, {
		Says: "a silent visitor is dropped after a while",
		Yes:  []string{"waiting-is-free/silent-visitor-is-dropped"},
		No:   []string{"waiting-holds-a-thread/read"}, // which cannot be given an end
	}, {
		Says: "Ctrl-C lets the request in progress finish, then exits 0",
		Yes:  []string{"waiting-is-free/interrupted-while-serving", "waiting-is-free/interrupted-while-idle"},
		No:   []string{"waiting-holds-a-thread/interrupted"},
	}, {
		Says:   "the handler can be tested without a network",
		Yes:    []string{"without-a-network/handler"},
		Reason: `(cannot use .* in argument|not enough arguments in call) to handleConnection`,
	},
}
