package behaviour

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// This file is the ladder as data: the order of the scripts, the behaviours of each stage, and the
// rows of the README's table. The tests of the stages name their behaviours too; the proof compares
// them, and checks the table.

// A group is some scripts of one behaviour, in their order.
type group struct {
	does   string // completes the sentences "It no longer ..." and "Stage 4 asks: it ..."
	folder string // of testdata: the behaviour
	names  string // of the scripts
}

// groups holds all scripts, from the most basic to the most particular, and most of the ladder
// before the manners. If several fail, the verdict shows the first of them in full: it is the closest
// to the cause.
var groups = []group{
	{"serves its pages", "pages", "home the-next-visitor slow rests"},
	{"answers as HTTP asks", manners, "reply"},
	{"serves its pages", manners, "not-found"}, // scripts of the ladder use the page for unknown paths
	{"serves one visitor at a time", "one-at-a-time", "slow-request silent-visitor take-turns"},
	{"serves many visitors at once", "many-at-once",
		"slow-request silent-visitor many-slow-requests half-a-request each-their-own"},
	{"holds a thread while it waits", "waiting-holds-a-thread", "accept read"},
	{"holds a thread for each visitor", "thread-per-visitor", "silent-visitors"},
	{"waits without holding a thread", "waiting-is-free", "accept silent-visitors"},
	{"drops visitors who do not ask, and no others", "waiting-is-free",
		"slow-request-is-not-dropped silent-visitor-is-dropped chatterbox-is-dropped"},
	{"ends at once when it is interrupted", "waiting-holds-a-thread", "interrupted"},
	{"stops in good order", "waiting-is-free",
		`interrupted-while-idle interrupted-at-once interrupted-while-serving terminated-while-serving
		interrupted-with-a-silent-visitor interrupted-as-a-request-comes interrupted-twice`},
	{"serves each visitor in goroutine 1", "goroutine-1-serves", "slow-request"},
	{"has goroutine 1 await the handler", "goroutine-1-awaits", "slow-request"},
	{"is back in accept while it serves a visitor", "accept-holds-a-thread", "slow-request"},
	{"is back in accept while it serves a visitor", "accept-is-parked", "slow-request"},
	{"has a handler that can be tested without a network", "without-a-network", "handler"},
	{"answers as HTTP asks", manners, `few-writes packets half-a-request cut-short
		chunks one-request not-http request-line odd-headers cookies too-long
		visitor-resets visitors-leave accept-fails no-descriptors-left`},
	{"passes go vet", "go-vet", "finds-nothing"},
	{"has a command line that is easy to get right", "command-line", "mistakes"},
	{"shows what a forgotten await does", "forgotten-await", "forgotten"},
}

// manners is the folder of the scripts that do not decide the place on the ladder.
const manners = "manners"

// scripts returns the scripts of the group, as in "many-at-once/slow-request".
func (g group) scripts() []string {
	scripts := strings.Fields(g.names)
	for i, name := range scripts {
		scripts[i] = path.Join(g.folder, name)
	}
	return scripts
}

// hold says whether all scripts of the group hold: Yes, No or Unseen.
func (g group) hold(results []Result) string {
	return allHold(strings.Join(g.scripts(), " "), results)
}

// Scripts returns the scripts of the behaviours, or all scripts if none is given, in the
// order of the groups.
func Scripts(behaviours ...string) []string {
	var scripts []string
	for _, g := range groups {
		if len(behaviours) == 0 || slices.Contains(behaviours, g.folder) {
			scripts = append(scripts, g.scripts()...)
		}
	}
	return scripts
}

// does returns what the script tests a part of, as in "serves its pages".
func does(script string) string {
	i := slices.IndexFunc(groups, func(g group) bool { return slices.Contains(g.scripts(), script) })
	if i < 0 {
		return "does what " + script + " shows" // the proof has scripts of its own
	}
	return groups[i].does
}

// A Stage is a rung of the ladder.
type Stage struct {
	Number int
	Folder string // its folder, and the name of its page
	// Adds says what this stage can do and the one before could not. The lab shows it.
	Adds string
	// Behaviours are the folders of testdata whose scripts hold of this stage.
	Behaviours []string `json:"-"`
}

// Page returns the path of the page about the stage.
func (s Stage) Page() string { return "docs/" + s.Folder + ".md" }

// Has says whether the stage has the behaviour.
func (s Stage) Has(behaviour string) bool { return slices.Contains(s.Behaviours, behaviour) }

// Stages are the five stages in their order.
var Stages = []Stage{
	{1, "stage1-blocking", "a server answers at all", []string{"pages",
		"one-at-a-time", "waiting-holds-a-thread", "goroutine-1-serves", manners, "go-vet", "command-line"}},
	{2, "stage2-sequential-async", "the handler runs in a goroutine of its own", []string{"pages", "one-at-a-time",
		"waiting-holds-a-thread", "goroutine-1-awaits", manners, "go-vet", "command-line", "forgotten-await"}},
	{3, "stage3-spawned", "no visitor waits for another", []string{"pages", "many-at-once",
		"waiting-holds-a-thread", "thread-per-visitor", "accept-holds-a-thread", manners, "go-vet", "command-line"}},
	{4, "stage4-nonblocking-accept", "waiting for a visitor holds no thread", []string{"pages", "many-at-once",
		"waiting-is-free", "accept-is-parked", manners, "go-vet", "command-line"}},
	{5, "stage5-testable", "the handler can be tested without a network", []string{"pages", "many-at-once",
		"waiting-is-free", "accept-is-parked", "without-a-network", manners, "go-vet", "command-line"}},
}

// A Row is a line of the README's table: a sentence that is true of a server or not.
type Row struct {
	Text string
	// If the sentence is true, all scripts of yes hold; if not, all scripts of no do. Of a|b one
	// has to hold. If no is empty, the sentence is not true if a script of yes fails.
	yes, no string
}

// Some of the Rows.
const (
	slowDelays   = 2
	silentDelays = 3
	waitHolds    = 4
)

// Rows are those of the README's table, in their order.
var Rows = []Row{
	{"serves `/`, and 404 for the rest", "pages/home pages/slow manners/not-found", ""},
	{"the handler runs in its own goroutine",
		"goroutine-1-awaits/slow-request|accept-holds-a-thread/slow-request|accept-is-parked/slow-request",
		"goroutine-1-serves/slow-request"},
	{"a slow request delays the next visitor", "one-at-a-time/slow-request", "many-at-once/slow-request"},
	{"a silent visitor delays the next visitor", "one-at-a-time/silent-visitor", "many-at-once/silent-visitor"},
	{"waiting for a visitor holds a thread",
		"waiting-holds-a-thread/accept|thread-per-visitor/silent-visitors waiting-holds-a-thread/read|thread-per-visitor/silent-visitors",
		"waiting-is-free/accept waiting-is-free/silent-visitors"},
	{"a silent visitor is dropped after a while", "waiting-is-free/silent-visitor-is-dropped", ""},
	{"Ctrl-C lets the request in progress finish, then exits 0",
		"waiting-is-free/interrupted-while-serving waiting-is-free/interrupted-while-idle", ""},
	{"the handler can be tested without a network", "without-a-network/handler", ""},
}

// The values of Row.Holds.
const (
	Yes    = "yes"
	No     = "no"
	Unseen = "cannot be seen"
)

// Holds says by the results of all scripts whether the sentence is true: Yes, No, or Unseen.
func (r Row) Holds(results []Result) string {
	yes, no := allHold(r.yes, results), allHold(r.no, results)
	switch {
	case yes == Yes && no != Yes:
		return Yes
	case no == Yes && yes != Yes, r.no == "" && yes == No:
		return No
	}
	return Unseen
}

// allHold says whether all of the scripts hold: Yes, No, or, if none of them was run, Unseen.
// Skipped scripts do not count.
func allHold(scripts string, results []Result) string {
	all := Unseen
	for one := range strings.FieldsSeq(scripts) {
		holds := Unseen
		for script := range strings.SplitSeq(one, "|") {
			i := slices.IndexFunc(results, func(r Result) bool { return r.Script == script })
			switch {
			case i < 0:
			case results[i].Passed():
				holds = Yes
			case results[i].Failed:
				holds = cmp.Or(map[string]string{Yes: Yes}[holds], No)
			}
		}
		if holds != Unseen && all != No {
			all = holds
		}
	}
	return all
}
